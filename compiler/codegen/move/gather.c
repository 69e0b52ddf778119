/* gather.c: ops whose operands are indices: gather, gather_nd, scatter_nd, one_hot, dynamic_update_slice. */
#include "compiler/codegen/move/move.h"

#include "compiler/codegen/isa/isa.h"

static int64_t product(const cg_shape *s, int from, int to)
{
    int64_t n = 1;
    for (int i = from; i < to; i++)
        n *= s->dims[i];
    return n;
}

static LLVMValueRef load_index(cg_kernel *k, ir_dtype dtype, LLVMValueRef base, LLVMValueRef at)
{
    int64_t bytes = (int64_t)ir_dtype_bytes(dtype);
    LLVMValueRef v = cg_load(k, cg_type_of(k, dtype), cg_at(k, base, cg_mul_const(k, at, bytes)), 1);
    return bytes == 8 ? v : LLVMBuildSExt(k->b, v, k->m->i64, "");
}

static LLVMValueRef clamp_index(cg_kernel *k, LLVMValueRef index, int64_t extent)
{
    return cg_min(k, cg_max(k, index, cg_i64(k, 0)), cg_i64(k, extent - 1));
}

static bool from_end(const ir_op *op) { return ir_has_attr(op, IR_ATTR_FROM_END) && ir_int(op, IR_ATTR_FROM_END); }

/* Key from the op's shapes; arguments: operands, then the result. */
static bool begin(cg_module *m, const ir_op *op, cg_kernel *k, cg_arg args[], long long number)
{
    cg_key key = {.length = 0};
    cg_key_add(&key, "%s %s%lld", ir_op_info_of(op->code)->text, from_end(op) ? "from_end " : "", number);
    for (int i = 0; i <= op->operand_count; i++) {
        const ir_value *v = i < op->operand_count ? ir_operand_value(op, i) : op->results[0];
        cg_shape s = cg_shape_of(v);
        cg_key_shape(&key, &s);
        args[i] = cg_arg_value(v);
    }
    return cg_kernel_begin(m, k, key.text, op, op->operand_count + 1);
}

static void add_step(cg_module *m, const ir_op *op, const cg_kernel *k, const cg_arg args[], int64_t units)
{
    cg_step_info info = {.units = units > 0 && units <= UINT32_MAX ? (uint32_t)units : 1};
    if (info.units == 1)
        info.max_threads = 1;
    cg_step_add(m, k, op, &info, op->operand_count + 1, args);
}

/* Where in a dimension an index of a gather points. */
static LLVMValueRef place_of(cg_kernel *k, const ir_op *op, LLVMValueRef index, int64_t extent)
{
    if (from_end(op)) {
        LLVMValueRef negative = LLVMBuildICmp(k->b, LLVMIntSLT, index, cg_i64(k, 0), "");
        index = LLVMBuildSelect(k->b, negative, cg_add(k, index, cg_i64(k, extent)), index, "");
    }
    return clamp_index(k, index, extent);
}

/* A unit is one picked slice. */
bool cg_emit_gather(cg_module *m, const ir_op *op)
{
    cg_shape x = cg_shape_of(ir_operand_value(op, 0)), indices = cg_shape_of(ir_operand_value(op, 1));
    cg_shape y = cg_shape_of(op->results[0]);
    int axis = (int)ir_int(op, IR_ATTR_AXIS), batch_dims = (int)ir_int(op, IR_ATTR_BATCH_DIMS);
    int64_t outer = product(&x, batch_dims, axis), picked = product(&indices, batch_dims, indices.rank);
    int64_t batches = product(&x, 0, batch_dims), slice = product(&x, axis + 1, x.rank) * x.bytes;
    if (y.elements == 0)
        return true;
    cg_kernel k;
    cg_arg args[3];
    if (begin(m, op, &k, args, axis * 16 + batch_dims)) {
        cg_loop units = cg_loop_begin(&k, k.begin, k.end, 1);
        LLVMValueRef row = LLVMBuildUDiv(k.b, units.index, cg_i64(&k, picked), "");
        LLVMValueRef i = LLVMBuildURem(k.b, units.index, cg_i64(&k, picked), "");
        LLVMValueRef batch = LLVMBuildUDiv(k.b, row, cg_i64(&k, outer), "");
        LLVMValueRef index = load_index(&k, indices.dtype, k.arg[1], cg_add(&k, cg_mul_const(&k, batch, picked), i));
        LLVMValueRef at = cg_add(&k, cg_mul_const(&k, row, x.dims[axis]), place_of(&k, op, index, x.dims[axis]));
        LLVMBuildMemCpy(k.b, cg_at(&k, k.arg[2], cg_mul_const(&k, units.index, slice)), 1,
                        cg_at(&k, k.arg[0], cg_mul_const(&k, at, slice)), 1, cg_i64(&k, slice));
        cg_loop_end(&k, &units);
        cg_kernel_end(&k);
    }
    add_step(m, op, &k, args, batches * outer * picked);
    return true;
}

bool cg_emit_gather_nd(cg_module *m, const ir_op *op)
{
    cg_shape x = cg_shape_of(ir_operand_value(op, 0)), indices = cg_shape_of(ir_operand_value(op, 1));
    cg_shape y = cg_shape_of(op->results[0]);
    int length = (int)indices.dims[indices.rank - 1];
    int64_t tuples = product(&indices, 0, indices.rank - 1), slice = product(&x, length, x.rank) * x.bytes;
    if (y.elements == 0)
        return true;
    cg_kernel k;
    cg_arg args[3];
    if (begin(m, op, &k, args, 0)) {
        cg_loop units = cg_loop_begin(&k, k.begin, k.end, 1);
        LLVMValueRef at = cg_i64(&k, 0);
        for (int i = 0; i < length; i++) {
            LLVMValueRef index = load_index(&k, indices.dtype, k.arg[1],
                                            cg_add(&k, cg_mul_const(&k, units.index, length), cg_i64(&k, i)));
            at = cg_add(&k, cg_mul_const(&k, at, x.dims[i]), place_of(&k, op, index, x.dims[i]));
        }
        LLVMBuildMemCpy(k.b, cg_at(&k, k.arg[2], cg_mul_const(&k, units.index, slice)), 1,
                        cg_at(&k, k.arg[0], cg_mul_const(&k, at, slice)), 1, cg_i64(&k, slice));
        cg_loop_end(&k, &units);
        cg_kernel_end(&k);
    }
    add_step(m, op, &k, args, tuples);
    return true;
}

static LLVMValueRef smaller(cg_kernel *k, ir_dtype dtype, LLVMValueRef a, LLVMValueRef b, bool larger)
{
    if (dtype == IR_F32) {
        LLVMValueRef less = LLVMBuildFCmp(k->b, larger ? LLVMRealOGT : LLVMRealOLT, a, b, "");
        LLVMValueRef nan = LLVMBuildFCmp(k->b, LLVMRealUNO, a, a, "");
        return LLVMBuildSelect(k->b, LLVMBuildOr(k->b, less, nan, ""), a, b, "");
    }
    const bool is_unsigned = dtype == IR_U8 || dtype == IR_BOOL;
    LLVMIntPredicate less = larger ? is_unsigned ? LLVMIntUGT : LLVMIntSGT : is_unsigned ? LLVMIntULT : LLVMIntSLT;
    return LLVMBuildSelect(k->b, LLVMBuildICmp(k->b, less, a, b, ""), a, b, "");
}

/* What becomes of the element `old`. */
static LLVMValueRef combined(cg_kernel *k, ir_enum_COMBINE combine, ir_dtype dtype, LLVMValueRef old,
                             LLVMValueRef update)
{
    switch (combine) {
    case IR_COMBINE_REPLACE: return update;
    case IR_COMBINE_MINIMUM:
    case IR_COMBINE_MAXIMUM: return smaller(k, dtype, old, update, combine == IR_COMBINE_MAXIMUM);
    case IR_COMBINE_MUL:
        return dtype == IR_F32 ? LLVMBuildFMul(k->b, old, update, "") : LLVMBuildMul(k->b, old, update, "");
    default:
        return dtype == IR_F32    ? LLVMBuildFAdd(k->b, old, update, "")
               : dtype == IR_BOOL ? LLVMBuildOr(k->b, old, update, "")
                                  : LLVMBuildAdd(k->b, old, update, "");
    }
}

/* Tuples may repeat, so one thread brings them in, in order. */
bool cg_emit_scatter_nd(cg_module *m, const ir_op *op)
{
    cg_shape indices = cg_shape_of(ir_operand_value(op, 0)), y = cg_shape_of(op->results[0]);
    int length = (int)indices.dims[indices.rank - 1];
    int64_t tuples = product(&indices, 0, indices.rank - 1), slice = product(&y, length, y.rank);
    if (y.elements == 0)
        return true;
    const ir_enum_COMBINE combine = (ir_enum_COMBINE)ir_int(op, IR_ATTR_COMBINE);
    const bool base = ir_operand_value(op, 2) != NULL;
    cg_kernel k;
    cg_arg args[4];
    if (begin(m, op, &k, args, combine)) {
        LLVMValueRef result = k.arg[base ? 3 : 2], whole = cg_i64(&k, y.elements * y.bytes);
        if (base)
            LLVMBuildMemCpy(k.b, result, 1, k.arg[2], 1, whole);
        else
            LLVMBuildMemSet(k.b, result, cg_i8(&k, 0), whole, 1);
        LLVMTypeRef type = cg_type_of(&k, y.dtype);
        cg_loop loop = cg_loop_begin(&k, cg_i64(&k, 0), cg_i64(&k, tuples), 1);
        LLVMValueRef at = cg_i64(&k, 0), inside = LLVMConstInt(m->i1, 1, 0);
        for (int i = 0; i < length; i++) {
            LLVMValueRef index = load_index(&k, indices.dtype, k.arg[0],
                                            cg_add(&k, cg_mul_const(&k, loop.index, length), cg_i64(&k, i)));
            inside = LLVMBuildAnd(k.b, inside, LLVMBuildICmp(k.b, LLVMIntULT, index, cg_i64(&k, y.dims[i]), ""), "");
            at = LLVMBuildAdd(k.b, LLVMBuildMul(k.b, at, cg_i64(&k, y.dims[i]), ""), index, "");
        }
        cg_if there = cg_if_begin(&k, inside);
        cg_loop elements = cg_loop_begin(&k, cg_i64(&k, 0), cg_i64(&k, slice), 1);
        LLVMValueRef from = cg_add(&k, cg_mul_const(&k, loop.index, slice), elements.index);
        LLVMValueRef to =
            cg_at(&k, result, cg_mul_const(&k, cg_add(&k, cg_mul_const(&k, at, slice), elements.index), y.bytes));
        LLVMValueRef update = cg_load(&k, type, cg_at(&k, k.arg[1], cg_mul_const(&k, from, y.bytes)), 1);
        LLVMValueRef old = cg_load(&k, type, to, 1);
        cg_store(&k, combined(&k, combine, y.dtype, old, update), to, 1);
        cg_loop_end(&k, &elements);
        cg_if_end(&k, &there);
        cg_loop_end(&k, &loop);
        cg_kernel_end(&k);
    }
    add_step(m, op, &k, args, 1);
    return true;
}

bool cg_emit_one_hot(cg_module *m, const ir_op *op)
{
    cg_shape indices = cg_shape_of(ir_operand_value(op, 0)), y = cg_shape_of(op->results[0]);
    int axis = (int)ir_int(op, IR_ATTR_AXIS);
    int64_t outer = product(&y, 0, axis), depth = y.dims[axis], inner = product(&y, axis + 1, y.rank);
    if (y.elements == 0)
        return true;
    cg_kernel k;
    cg_arg args[4];
    if (begin(m, op, &k, args, axis)) {
        LLVMTypeRef type = cg_bits_type(m, y.bytes);
        LLVMValueRef on = cg_load(&k, type, k.arg[1], 1), off = cg_load(&k, type, k.arg[2], 1);
        cg_loop units = cg_loop_begin(&k, k.begin, k.end, 1);
        cg_loop deep = cg_loop_begin(&k, cg_i64(&k, 0), cg_i64(&k, depth), 1);
        cg_loop in = cg_loop_begin(&k, cg_i64(&k, 0), cg_i64(&k, inner), 1);
        LLVMValueRef index =
            load_index(&k, indices.dtype, k.arg[0], cg_add(&k, cg_mul_const(&k, units.index, inner), in.index));
        LLVMValueRef v = LLVMBuildSelect(k.b, LLVMBuildICmp(k.b, LLVMIntEQ, index, deep.index, ""), on, off, "");
        LLVMValueRef to =
            cg_add(&k, cg_mul_const(&k, cg_add(&k, cg_mul_const(&k, units.index, depth), deep.index), inner), in.index);
        cg_store(&k, v, cg_at(&k, k.arg[3], cg_mul_const(&k, to, y.bytes)), 1);
        cg_loop_end(&k, &in);
        cg_loop_end(&k, &deep);
        cg_loop_end(&k, &units);
        cg_kernel_end(&k);
    }
    add_step(m, op, &k, args, outer);
    return true;
}

/* Two steps: the operand (nothing when the plan updates it in place), then the update where `begin` says. */
bool cg_emit_dynamic_update_slice(cg_module *m, const ir_op *op)
{
    const ir_value *from = ir_operand_value(op, 0), *to = op->results[0];
    cg_shape x = cg_shape_of(from), update = cg_shape_of(ir_operand_value(op, 1)), y = cg_shape_of(to);
    ir_dtype index_type = ir_operand_value(op, 2)->type.dtype;
    cg_piece whole = {.from = from}, part = {.from = ir_operand_value(op, 1)};
    for (int d = 0; d < y.rank; d++) {
        cg_piece_dim(&whole, y.dims[d], x.stride[d], y.stride[d]);
        cg_piece_dim(&part, update.dims[d], update.stride[d], y.stride[d]);
    }
    if (!cg_move(m, op, to, 1, &whole, false))
        return false;
    if (update.elements == 0)
        return true;
    cg_kernel k;
    cg_arg args[4];
    if (begin(m, op, &k, args, 0)) {
        LLVMValueRef offset = cg_i64(&k, 0);
        for (int d = 0; d < y.rank; d++) {
            LLVMValueRef index =
                clamp_index(&k, load_index(&k, index_type, k.arg[2], cg_i64(&k, d)), y.dims[d] - update.dims[d] + 1);
            offset = cg_add(&k, offset, cg_mul_const(&k, index, y.stride[d]));
        }
        cg_move_box(&k, &part, y.bytes, cg_at(&k, k.arg[3], cg_mul_const(&k, offset, y.bytes)), k.arg[1]);
        cg_kernel_end(&k);
    }
    add_step(m, op, &k, args, 1);
    return true;
}
