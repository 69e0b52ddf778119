/* grid_gradient.c: three sums over all elements in one pass.
 *
 *     unit: BLOCK elements ──▶ a vector of each sum, in scratch memory
 *     then: the vectors of all blocks, added in their order, and each one's elements */
#include "compiler/codegen/build/elementary.h"
#include "compiler/codegen/build/lanes.h"
#include "compiler/codegen/eltwise/grid.h"

enum { ELEMENT = 4, BLOCK = 8192, SUMS = 3, OPERANDS = 5 };

typedef struct summer {
    cg_kernel *k;
    int64_t count, blocks;
    unsigned lanes;
    LLVMTypeRef vector;
    LLVMValueRef low, high, scale;
} summer;

static int64_t block_count(int64_t count) { return (count + BLOCK - 1) / BLOCK; }

static void add_elements(summer *s, cg_loop *loop, LLVMValueRef const sum[SUMS], LLVMValueRef mask)
{
    cg_kernel *k = s->k;
    LLVMValueRef at = cg_mul_const(k, loop->index, ELEMENT), zero = LLVMConstNull(s->vector);
    LLVMValueRef x = cg_load_lanes(k, s->vector, cg_at(k, k->arg[0], at), mask);
    LLVMValueRef by = cg_load_lanes(k, s->vector, cg_at(k, k->arg[1], at), mask);
    LLVMValueRef q = cg_grid_steps(k, x, s->low, s->high, s->scale);
    LLVMValueRef off = LLVMBuildFSub(k->b, cg_math_round_even(k, q), q, "");
    LLVMValueRef below = LLVMBuildFCmp(k->b, LLVMRealOLT, x, s->low, "");
    LLVMValueRef above = LLVMBuildFCmp(k->b, LLVMRealOGT, x, s->high, "");
    LLVMValueRef part[SUMS] = {LLVMBuildSelect(k->b, below, by, zero, ""), LLVMBuildSelect(k->b, above, by, zero, ""),
                               LLVMBuildFMul(k->b, by, off, "")};
    for (int i = 0; i < SUMS; i++) {
        if (mask)
            part[i] = LLVMBuildSelect(k->b, mask, part[i], zero, "");
        cg_loop_update(k, loop, i, LLVMBuildFAdd(k->b, sum[i], part[i], ""));
    }
}

/* Elements from … to; whole vectors, or one that is masked. */
static void add_span(summer *s, LLVMValueRef sum[SUMS], LLVMValueRef from, LLVMValueRef to, LLVMValueRef mask)
{
    cg_kernel *k = s->k;
    cg_loop loop = cg_loop_begin(k, from, to, s->lanes);
    for (int i = 0; i < SUMS; i++)
        sum[i] = cg_loop_carry(k, &loop, sum[i]);
    add_elements(s, &loop, sum, mask);
    cg_loop_end(k, &loop);
}

static void sum_blocks(summer *s)
{
    cg_kernel *k = s->k;
    const int64_t whole = s->count - s->count % s->lanes;
    LLVMValueRef *grid[] = {&s->low, &s->high, &s->scale}, sum[SUMS];
    for (int i = 0; i < SUMS; i++)
        *grid[i] = cg_splat(k, cg_load(k, k->m->f32, k->arg[2 + i], ELEMENT), s->lanes);
    cg_loop unit = cg_loop_begin(k, k->begin, k->end, 1);
    LLVMValueRef first = cg_mul_const(k, unit.index, BLOCK);
    LLVMValueRef end = cg_min(k, cg_add(k, first, cg_i64(k, BLOCK)), cg_i64(k, s->count));
    LLVMValueRef full = cg_min(k, end, cg_i64(k, whole));
    for (int i = 0; i < SUMS; i++)
        sum[i] = LLVMConstNull(s->vector);
    add_span(s, sum, first, full, NULL);
    if (whole < s->count)
        add_span(s, sum, full, end, cg_lane_mask(k, LLVMBuildSub(k->b, end, full, ""), s->lanes));
    LLVMValueRef to = cg_at(k, k->arg[OPERANDS], cg_mul_const(k, unit.index, SUMS * s->lanes * ELEMENT));
    for (int i = 0; i < SUMS; i++)
        cg_store(k, sum[i], cg_at_const(k, to, i * (int64_t)s->lanes * ELEMENT), ELEMENT);
    cg_loop_end(k, &unit);
}

static void add_blocks(summer *s)
{
    cg_kernel *k = s->k;
    LLVMValueRef sum[SUMS];
    cg_loop block = cg_loop_begin(k, cg_i64(k, 0), cg_i64(k, s->blocks), 1);
    LLVMValueRef from = cg_at(k, k->arg[0], cg_mul_const(k, block.index, SUMS * s->lanes * ELEMENT));
    for (int i = 0; i < SUMS; i++)
        sum[i] = cg_loop_carry(k, &block, LLVMConstNull(s->vector));
    for (int i = 0; i < SUMS; i++) {
        LLVMValueRef part = cg_load(k, s->vector, cg_at_const(k, from, i * (int64_t)s->lanes * ELEMENT), ELEMENT);
        cg_loop_update(k, &block, i, LLVMBuildFAdd(k->b, sum[i], part, ""));
    }
    cg_loop_end(k, &block);
    for (int i = 0; i < SUMS; i++) {
        LLVMValueRef all[2] = {cg_f32(k, 0), sum[i]};
        LLVMValueRef total = cg_intrinsic(k, "llvm.vector.reduce.fadd", &s->vector, 1, all, 2);
        cg_store(k, total, k->arg[1 + i], ELEMENT);
    }
}

static void emit(cg_module *m, const ir_op *op, summer *s, bool last, int arg_count, const cg_arg args[])
{
    const char *key = arena_format(m->arena, "grid_gradient %d %lld", last, (long long)s->count);
    cg_kernel k;
    if (cg_kernel_begin(m, &k, key, op, arg_count)) {
        s->k = &k;
        if (last)
            add_blocks(s);
        else
            sum_blocks(s);
        cg_kernel_end(&k);
    }
    const cg_step_info info = {.units = last ? 1 : (uint32_t)s->blocks, .part = last ? QCC_STEP_SUMS : QCC_STEP_ALL};
    cg_step_add(m, &k, op, &info, arg_count, args);
}

size_t cg_grid_gradient_scratch(const ir_op *op, const target_info *target)
{
    const int64_t blocks = block_count(ir_type_elements(&op->operands[0].value->type));
    return cg_scratch_part((size_t)(blocks * SUMS) * target->vector_bytes);
}

bool cg_emit_grid_gradient(cg_module *m, const ir_op *op)
{
    const int64_t count = ir_type_elements(&op->operands[0].value->type);
    const unsigned lanes = m->target->vector_bytes / ELEMENT;
    summer s = {.count = count, .blocks = block_count(count), .lanes = lanes, .vector = cg_vector(m->f32, lanes)};
    cg_arg args[OPERANDS + 1], ends[1 + SUMS];
    for (int i = 0; i < OPERANDS; i++)
        args[i] = cg_arg_value(op->operands[i].value);
    args[OPERANDS] = ends[0] = count ? cg_arg_scratch(m, op) : args[0];
    for (int i = 0; i < SUMS; i++)
        ends[1 + i] = cg_arg_value(op->results[i]);
    if (count)
        emit(m, op, &s, false, OPERANDS + 1, args);
    emit(m, op, &s, true, 1 + SUMS, ends);
    return true;
}
