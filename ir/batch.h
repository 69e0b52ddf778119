/* batch.h: the first dimension of values, which is that of the samples of a batch.
 *
 * A part is one sample, or a few: a range of the first dimension of what an op makes, and of the operands that are cut
 * likewise; others (weights, a scale) are whole for each part. */
#ifndef QCC_IR_BATCH_H
#define QCC_IR_BATCH_H

#include "ir/ir.h"

/* Is operand `slot` cut when the op is?  Of an op that can be split. */
bool ir_batch_cuts(const ir_op *, int slot);
/* Can the op be computed in so many equal parts? */
bool ir_batch_splits(const ir_op *, int64_t parts);

/* Makes of a graph for one sample, whose inputs' first dimensions are 1, the same for `batch` of them.  False with a diagnostic,
 * the graph half changed, where an input has another first dimension or an op does not compute each sample by itself. */
bool ir_batch_set(ir_graph *, int64_t batch, diag *);

#endif
