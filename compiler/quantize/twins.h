/* twins.h: a float graph and the same on integers, made so that their products can be compared channel by channel.
 *
 *     the graph                                  both twins
 *     %2 = conv2d %0, %1, %b {act = relu}        %3 = conv2d %0, %1            %b an input in the one on integers
 *                                                output mean of %3 over all but its channels
 *                                                %4 = add %3, %b
 *                                                %2 = relu %4
 *
 * The twin on integers computes as the object will: %0 and %1 on their grids, %3 exactly, %2 rounded to its grid.
 * Biases being inputs, they can be found while it runs (layers.h). */
#ifndef QCC_TWINS_H
#define QCC_TWINS_H

#include "compiler/driver.h"

typedef struct twin_product {
    ir_op *op; /* what adds the bias, in the graph: the product, or a sum behind it; its id is that in the twins */
    int64_t channels;
    ir_value *bias; /* in the graph: a constant of `channels` numbers; NULL: none yet */
    uint32_t input; /* of the twin on integers: which input its bias is */
} twin_product;

typedef struct twins {
    ir_graph *real, *integer; /* both have the graph's outputs, and behind them the mean of each product, in order */
    twin_product *products;   /* in the graph's order; in its arena */
    int count;
} twins;

/* `graph` is one at the start of PHASE(integer), `real` itself or what it was with other constants; the twins alias
 * theirs.  The options are those that it will be compiled with, ranges included.  False with a diagnostic; no products is
 * none. */
bool twins_make(const ir_graph *graph, const ir_graph *real, const driver_options *, twins *out, diag *);
void twins_free(twins *);

/* The passes that say which integers real values of such a graph stand for. */
bool twins_give_scales(ir_graph *, const driver_options *, diag *);

/* Of a graph, by id: ids are the same in its copies. */
ir_op **twins_ops(const ir_graph *);
/* Which input of a graph, or of a copy, the value is. */
int32_t twins_input(const ir_graph *, const ir_value *);
/* To compile a copy for this machine, in this process. */
driver_options twins_options(const driver_options *of_the_model, pass_quantize_mode);
/* The same of a graph at the start of PHASE(integer), on integers with these ranges. */
driver_options twins_integer_options(const driver_options *of_the_model, const pass_calibration *);

#endif
