/* chunk_sum.h: the end of a sum that was taken in chunks, so that there is work for threads: the same sum for any number
 * of them. */
#ifndef QCC_CG_CHUNK_SUM_H
#define QCC_CG_CHUNK_SUM_H

#include "compiler/codegen/codegen.h"

/* Result 0 of the op, `count` floats, is the sum of `chunks` times as many that lie one behind the other. */
void cg_emit_chunk_sum(cg_module *, const ir_op *, cg_arg from, int64_t chunks, int64_t count);

#endif
