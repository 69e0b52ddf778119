/* module.h: the parts of code generation that emitters don't need: LLVM's targets, and the life of a module. */
#ifndef QCC_MODULE_H
#define QCC_MODULE_H

#include <llvm-c/TargetMachine.h>

#include "compiler/codegen/codegen.h"

/* ---- target.c ---- */

/* NULL with a diagnostic.  LLVMDisposeTargetMachine. */
LLVMTargetMachineRef cg_target_machine(const target_info *, int opt_level, diag *);
/* The attributes that make LLVM compile a function for the target. */
void cg_target_attributes(const cg_module *, LLVMValueRef function);

/* ---- module.c ---- */

bool cg_module_init(cg_module *, const ir_graph *, const cg_options *, cg_emit, const target_info *, LLVMTargetMachineRef,
                    diag *);
void cg_module_free(cg_module *);
/* After the last step: emits the descriptor. */
void cg_module_finish(cg_module *);

#endif
