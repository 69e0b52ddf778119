/* size_limits.h: what a model file may cause, in proportion to its size: a few bytes that ask for gigabytes are
 * refused before anything takes them.  An option, --max-size, sets other limits. */
#ifndef QCC_IR_SIZE_LIMITS_H
#define QCC_IR_SIZE_LIMITS_H

#include "ir/ir.h"

/* No limits: what is not from a file. */
#define IR_UNLIMITED ((ir_limits){SIZE_MAX, SIZE_MAX, SIZE_MAX})

/* Those of a file of `file_bytes`; max_bytes: what --max-size says, 0: nothing. */
ir_limits ir_limits_of(size_t file_bytes, size_t max_bytes);

/* Reports that memory ran out, or that the limit on it was reached; loc: what was being done, at least the file. */
bool ir_limits_memory(diag *, const ir_loc *, arena_outcome);
/* An object of so many bytes, a workspace: false with a diagnostic when it is past the limit. */
bool ir_limits_object(const ir_graph *, size_t bytes, diag *);
bool ir_limits_workspace(const ir_graph *, size_t bytes, diag *);
/* What there is to say about the planned workspace, in the graph's arena: NULL, or that it is large for such a file. */
const char *ir_limits_remark(const ir_graph *);

#endif
