/* call.c: see call.h. */
#include "compiler/codegen/calls/call.h"

void cg_call_emit(cg_module *m, const ir_op *op, const char *function, int count, const cg_arg args[])
{
    cg_kernel k;
    if (cg_kernel_begin(m, &k, function, op, count)) {
        LLVMTypeRef params[CG_MAX_ARGS];
        for (int i = 0; i < count; i++)
            params[i] = m->ptr;
        LLVMTypeRef type = LLVMFunctionType(m->void_type, params, (unsigned)count, 0);
        LLVMBuildCall2(k.b, type, cg_external(m, function, type), k.arg, (unsigned)count, "");
        cg_kernel_end(&k);
    }
    const cg_step_info info = {.units = 1, .max_threads = 1};
    cg_step_add(m, &k, op, &info, count, args);
}
