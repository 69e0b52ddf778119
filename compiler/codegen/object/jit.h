/* jit.h: runs an object that cg_compile made, in this process.  No LLVM types.
 *
 *     cg_jit *jit = cg_jit_load(&output, diag);
 *     cg_output_free(&output);                // not needed any more; the model's memory is taken by what follows
 *     const qcc_model *model = cg_jit_symbol(jit, "model", diag);
 *     …
 *     cg_jit_free(jit);                       // the model is gone
 *
 * Symbols that the object needs (memcpy, the runtime's qcc_op_ functions) come from the process: link the program with
 * its symbols exported and the whole runtime library. */
#ifndef QCC_JIT_H
#define QCC_JIT_H

#include "compiler/codegen/backend.h"

typedef struct cg_jit cg_jit;

cg_jit *cg_jit_load(const cg_output *object, diag *);    /* NULL with a diagnostic */
void *cg_jit_symbol(cg_jit *, const char *name, diag *); /* NULL with a diagnostic */
void cg_jit_free(cg_jit *);

#endif
