/* topk.c: top_k, done by qcc_op_top_k of the runtime library. */
#include "compiler/codegen/build/shape.h"
#include "compiler/codegen/isa/isa.h"

bool cg_emit_top_k(cg_module *m, const ir_op *op)
{
    cg_shape x = cg_shape_of(ir_operand_value(op, 0)), positions = cg_shape_of(op->results[1]);
    int64_t columns = x.dims[x.rank - 1], wanted = ir_int(op, IR_ATTR_K);
    if (positions.elements == 0)
        return true;
    cg_key key = {.length = 0};
    cg_key_add(&key, "top_k %lld %lld %s %lld", (long long)columns, (long long)wanted, ir_dtype_text(x.dtype),
               (long long)positions.bytes);
    cg_kernel k;
    if (cg_kernel_begin(m, &k, key.text, op, 3)) {
        LLVMTypeRef params[8] = {m->ptr, m->ptr, m->ptr, m->i64, m->i64, m->i64, m->i64, m->i64};
        LLVMTypeRef type = LLVMFunctionType(m->void_type, params, 8, 0);
        LLVMValueRef args[8] = {cg_at(&k, k.arg[0], cg_mul_const(&k, k.begin, columns * x.bytes)),
                                cg_at(&k, k.arg[1], cg_mul_const(&k, k.begin, wanted * x.bytes)),
                                cg_at(&k, k.arg[2], cg_mul_const(&k, k.begin, wanted * positions.bytes)),
                                LLVMBuildSub(k.b, k.end, k.begin, ""),
                                cg_i64(&k, columns),
                                cg_i64(&k, wanted),
                                cg_i64(&k, (int64_t)x.dtype),
                                cg_i64(&k, positions.bytes)};
        LLVMBuildCall2(k.b, type, cg_external(m, "qcc_op_top_k", type), args, 8, "");
        cg_kernel_end(&k);
    }
    int64_t rows = x.elements / columns;
    cg_arg args[3] = {cg_arg_value(ir_operand_value(op, 0)), cg_arg_value(op->results[0]),
                      cg_arg_value(op->results[1])};
    cg_step_info info = {.units = rows <= UINT32_MAX ? (uint32_t)rows : 1};
    cg_step_add(m, &k, op, &info, 3, args);
    return true;
}
