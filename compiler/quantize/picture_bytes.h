/* picture_bytes.h: pictures whose channels were normalized, each by its own mean and deviation, get their bytes back.
 *
 *     %1 = conv2d %0, w, b {pad}         %1 = pad %0                                      zeros, as before
 *                                        %2 = add (mul %1, 1 / step), -first / step       0…255, one for each channel
 *     %0: first + step * byte            %3 = conv2d %2, w * step, b + w first
 *
 * One grid for all channels of %0 has a step of its own, which is that of none: rounding to it is often half of what a
 * network on integers loses.  %2 has whole numbers, which a grid of step 1 holds as they are. */
#ifndef QCC_PICTURE_BYTES_H
#define QCC_PICTURE_BYTES_H

#include "compiler/quantize/calibrate_inputs.h"

enum { PICTURE_CHANNELS = 4 }; /* at most */
typedef struct picture_bytes {
    int channels;
    double first[PICTURE_CHANNELS], step[PICTURE_CHANNELS]; /* what byte 0 becomes, and by how much the next is more */
} picture_bytes;

/* Are the samples of the graph's input such pictures, of which a convolution is made?  `graph` is at the end of
 * PHASE(real); out->channels is 0 where not.  False with a diagnostic. */
bool picture_bytes_find(const ir_graph *, const calibrate_inputs *, picture_bytes *out, diag *);
/* In a graph for which they were found, or the same one for more samples at once. */
void picture_bytes_give(ir_graph *, const picture_bytes *);
/* The value with the bytes, and what was given; NULL: none was. */
const ir_value *picture_bytes_value(const ir_graph *, picture_bytes *out);

#endif
