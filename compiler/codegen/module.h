/* module.h: the parts of code generation that emitters don't need: targets, and the life of a module. */
#ifndef QCC_MODULE_H
#define QCC_MODULE_H

#include <llvm-c/TargetMachine.h>

#include "compiler/codegen/codegen.h"

/* ---- target.c ---- */

/* NULL: unknown.  "native" is the best target that the host runs. */
const cg_target *cg_target_find(const char *name);
/* NULL with a diagnostic.  LLVMDisposeTargetMachine. */
LLVMTargetMachineRef cg_target_machine(const cg_target *, int opt_level, diag *);
/* The attributes that make LLVM compile a function for the target. */
void cg_target_attributes(const cg_module *, LLVMValueRef function);

/* ---- module.c ---- */

bool cg_module_init(cg_module *, const ir_graph *, const cg_options *, cg_emit, const cg_target *, LLVMTargetMachineRef,
                    diag *);
void cg_module_free(cg_module *);
/* After the last step: emits the descriptor. */
void cg_module_finish(cg_module *);

#endif
