/* module.h: the parts of code generation that emitters don't need: LLVM's targets, and the life of a module. */
#ifndef QCC_MODULE_H
#define QCC_MODULE_H

#include <llvm-c/TargetMachine.h>

#include "compiler/codegen/codegen.h"

/* ---- target.c ---- */

/* Any x86-64; what more may be used is said by each function.  NULL with a diagnostic.  LLVMDisposeTargetMachine. */
LLVMTargetMachineRef cg_target_machine(int opt_level, diag *);
/* The attributes that make LLVM compile a function for the module's present target. */
void cg_target_attributes(const cg_module *, LLVMValueRef function);

/* ---- choose.c ---- */

/* Emits what was chosen for the op on the module's target, which is number `nth` of all.  False with a diagnostic. */
bool cg_emit_op(cg_module *, const ir_op *, int nth);

/* ---- module.c, descriptor.c ---- */

bool cg_module_init(cg_module *, const ir_graph *, const cg_options *, cg_emit, LLVMTargetMachineRef, diag *);
void cg_module_free(cg_module *);
/* What is emitted from here on is for this target: kernels and steps of its own, constants shared with those before. */
void cg_module_begin(cg_module *, const target_info *);
/* … and for this graph: steps of its own.  Number 0 is that of cg_module_init, the others are the options' further ones. */
void cg_module_graph(cg_module *, int number);
/* After the last step: emits the descriptor. */
void cg_module_finish(cg_module *);

#endif
