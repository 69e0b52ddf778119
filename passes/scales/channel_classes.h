/* channel_classes.h: which channels of the values of a float graph can be multiplied by a factor, and which of them only
 * together.
 *
 *     %2 = conv2d %0, w, b {act = relu}       channel c of %2: the conv2d takes a factor into w and b
 *     %3 = max_pool2d %2                      channel c of %3: the same class as c of %2
 *     %4 = concat %3, %1                      channels of %3 and %1, one behind the other
 *     %5 = conv2d %4, w                       takes them back, in w; its own are others
 *     %6 = softmax %5                         no factor passes: those of %5 and %6 are fixed
 *
 * Channels are the last dimension. */
#ifndef QCC_PASS_CHANNEL_CLASSES_H
#define QCC_PASS_CHANNEL_CLASSES_H

#include "passes/common/util.h"

enum { CHANNEL_FIXED = 0 }; /* the class of all channels that stay as they are */

typedef struct channel_classes {
    int64_t *first;   /* by id of a value: number of its channel 0 */
    int64_t *count;   /* by id: its channels; 0: it has none here (constants, integers) */
    uint32_t *parent; /* by number of a channel: another of its class, or itself */
    uint32_t channels;
    bool gates;
} channel_classes;

/* No class has channels of the values in `fixed` (by id).  gates: hard-swish behind a product takes factors (gate.h). */
channel_classes channel_classes_find(const ir_graph *, const bool *fixed, bool gates, arena *);
/* The class of a channel: the number of one of its channels, the same for all; CHANNEL_FIXED. */
uint32_t channel_class(const channel_classes *, const ir_value *, int64_t channel);

/* A convolution or matrix product with real constant weights that takes factors: those of its operand's channels, and of
 * its result's, into weights and bias. */
bool channel_takes_factors(const ir_op *);
/* Of element i of the weights of such a product: channels of its operand and of its result. */
typedef struct channel_pair {
    int64_t in, out;
} channel_pair;
channel_pair channel_of_weight(const ir_op *, int64_t i);
/* Which operand of a product element by element is a real constant, a number or one for each channel, that takes factors as well:
 * behind a product's hard-swish, where everything is real up to its result; -1. */
int channel_scale_operand(const ir_op *, bool gates);

#endif
