/* call.h: a step that is one call of a function of the runtime library. */
#ifndef QCC_CG_CALL_H
#define QCC_CG_CALL_H

#include "compiler/codegen/codegen.h"

/* void function(ptr, …) on `count` arguments, by one thread.  The function is the kernel's key: it gets what it needs
 * to know as one of the arguments. */
void cg_call_emit(cg_module *, const ir_op *, const char *function, int count, const cg_arg args[]);

#endif
