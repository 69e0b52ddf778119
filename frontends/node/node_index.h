/* node_index.h: gathers by indices, and what a format's indices mean.
 *
 * Constant indices are checked while importing: one outside its dimension is refused, one that counts from the end is
 * counted from the start.  Of indices that are known at run time only, the op's attribute from_end says what the
 * format says; one outside is the op's to define (ir/ops.def), since a compiled model does not fail. */
#ifndef QCC_NODE_INDEX_H
#define QCC_NODE_INDEX_H

#include "frontends/node/node.h"

/* Does a negative index count from the end, or is it outside? */
typedef enum node_negative { NEGATIVE_OUTSIDE, NEGATIVE_FROM_END } node_negative;

/* The indices, constant ones checked and none of them negative.  They come in tuples of `length`, into the dimensions
 * of a shape from `first` on; along one axis in tuples of 1. */
ir_value *node_indices(frontend_node *, ir_value *indices, const ir_type *whole, int first, int length, node_negative);
/* The length of tuples, the last dimension of the indices, into the leading dimensions of a shape. */
bool node_tuple_length(frontend_node *, const ir_value *indices, const ir_type *whole, int *out);

/* Where a framework fails on a tuple outside: not the caller's numbers, which nothing bounds.  What the model computes is its
 * own affair.  index: of the operand. */
bool node_tuples_computed(frontend_node *, const ir_value *indices, int index);

/* Untyped ops: slices of x along an axis, or by tuples. */
ir_op *node_gather(frontend_node *, ir_value *x, ir_value *indices, int axis, node_negative);
ir_op *node_gather_nd(frontend_node *, ir_value *x, ir_value *indices, node_negative);

/* `count` elements of x along an axis, from `begin` on: one element (NULL: an error already), known at run time only.  They
 * are moved until they fit.  Negative ones count from the end where count is 1. */
ir_value *node_cut(frontend_node *, ir_value *x, ir_value *begin, int axis, int64_t count, node_negative);

/* x where the first lengths[b] elements along `time`, of what belongs to element b along `batch`, are in reverse order.
 * A negative length reverses nothing.  Constant ones beyond the extent are refused; where such a one is known at run time
 * only, its indices outside are moved inside.  NULL after a diagnostic. */
ir_value *node_reverse_sequences(frontend_node *, ir_value *x, ir_value *lengths, int batch, int time);

#ifndef FRONTEND_COMMON
#define node_indices(x, ...) node_indices(&(x)->common, __VA_ARGS__)
#define node_tuple_length(x, ...) node_tuple_length(&(x)->common, __VA_ARGS__)
#define node_tuples_computed(x, ...) node_tuples_computed(&(x)->common, __VA_ARGS__)
#define node_gather(x, ...) node_gather(&(x)->common, __VA_ARGS__)
#define node_gather_nd(x, ...) node_gather_nd(&(x)->common, __VA_ARGS__)
#define node_cut(x, ...) node_cut(&(x)->common, __VA_ARGS__)
#define node_reverse_sequences(x, ...) node_reverse_sequences(&(x)->common, __VA_ARGS__)
#endif

#endif
