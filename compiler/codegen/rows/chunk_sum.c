/* chunk_sum.c: units: vectors of the result. */
#include "compiler/codegen/rows/chunk_sum.h"

#include "compiler/codegen/build/lanes.h"

enum { ELEMENT = 4 };

static void sum_blocks(cg_kernel *k, unsigned lanes, int64_t chunks, int64_t count)
{
    const int64_t rest = count % lanes;
    LLVMTypeRef vector = cg_vector(k->m->f32, lanes);
    cg_loop unit = cg_loop_begin(k, k->begin, k->end, 1);
    LLVMValueRef first = cg_mul_const(k, unit.index, lanes), at = cg_mul_const(k, first, ELEMENT);
    LLVMValueRef mask = rest ? cg_lane_mask(k, LLVMBuildSub(k->b, cg_i64(k, count), first, ""), lanes) : NULL;
    LLVMValueRef from = cg_at(k, k->arg[0], at);
    cg_loop parts = cg_loop_begin(k, cg_i64(k, 0), cg_i64(k, chunks), 1);
    LLVMValueRef sum = cg_loop_carry(k, &parts, LLVMConstNull(vector));
    LLVMValueRef part = cg_load_lanes(k, vector, cg_at(k, from, cg_mul_const(k, parts.index, count * ELEMENT)), mask);
    cg_loop_update(k, &parts, 0, LLVMBuildFAdd(k->b, sum, part, ""));
    cg_loop_end(k, &parts);
    cg_store_lanes(k, sum, cg_at(k, k->arg[1], at), mask);
    cg_loop_end(k, &unit);
}

void cg_emit_chunk_sum(cg_module *m, const ir_op *op, cg_arg from, int64_t chunks, int64_t count)
{
    const unsigned lanes = m->target->vector_bytes / ELEMENT;
    const char *key = arena_format(m->arena, "sum_of_chunks %lld x %lld", (long long)chunks, (long long)count);
    const cg_arg args[2] = {from, cg_arg_value(op->results[0])};
    cg_kernel k;
    if (cg_kernel_begin(m, &k, key, op, 2)) {
        sum_blocks(&k, lanes, chunks, count);
        cg_kernel_end(&k);
    }
    const cg_step_info info = {.units = (uint32_t)((count + lanes - 1) / lanes), .part = QCC_STEP_SUMS};
    cg_step_add(m, &k, op, &info, 2, args);
}
