/* jit.h: runs an object that cg_compile made, in this process.  No LLVM types.
 *
 *     cg_jit *jit = cg_jit_load(output.bytes, output.size, diag);
 *     const qcc_model *model = cg_jit_symbol(jit, "model", diag);
 *     …
 *     cg_jit_free(jit);                       // the model is gone
 *
 * Symbols that the object needs (memcpy, the runtime's qcc_op_ functions) come from the process: link the program with
 * its symbols exported and the whole runtime library. */
#ifndef QCC_JIT_H
#define QCC_JIT_H

#include <stddef.h>

#include "ir/diag.h"

typedef struct cg_jit cg_jit;

cg_jit *cg_jit_load(const void *object, size_t size, diag *);       /* NULL with a diagnostic */
void *cg_jit_symbol(cg_jit *, const char *name, diag *);            /* NULL with a diagnostic */
void cg_jit_free(cg_jit *);

#endif
