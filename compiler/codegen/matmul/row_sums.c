/* row_sums.c: the sum of each row's bytes, which a weight zero point multiplies.
 *
 * Long runs are summed 64 bytes at a time, a dot product with ones; short ones as one more product whose only column is
 * ones, 16 rows at a time. */
#include "compiler/codegen/matmul/mac.h"

enum { BYTES = CG_BLOCK_BYTES, LONG_RUN = 48, MAX_RUNS = 32, MAX_UNROLLED = 8 };

typedef struct sums {
    const cg_gemm *g;
    const cg_steps *steps;
    int32_t factor;
} sums;

/* sum + the bytes of `count` at from, in as many partial sums as a block has columns. */
static LLVMValueRef add_bytes(cg_kernel *k, LLVMValueRef sum, LLVMValueRef from, int64_t count)
{
    LLVMTypeRef ints = cg_vector(k->m->i32, CG_BLOCK_COLUMNS), bytes = cg_vector(k->m->i8, BYTES);
    LLVMValueRef v = count == BYTES ? cg_load(k, bytes, from, 1)
                                    : cg_load_masked(k, bytes, from, cg_lane_mask(k, cg_i64(k, count), BYTES));
    return cg_dot4_narrow(k, sum, cg_bitcast(k, v, ints), cg_bitcast(k, cg_splat(k, cg_i8(k, 1), BYTES), ints));
}

static LLVMValueRef add_run(cg_kernel *k, LLVMValueRef sum, LLVMValueRef from, int64_t length)
{
    const int64_t whole = length / BYTES * BYTES;
    if (whole <= BYTES * MAX_UNROLLED) {
        for (int64_t at = 0; at < whole; at += BYTES)
            sum = add_bytes(k, sum, cg_at_const(k, from, at), BYTES);
    } else {
        cg_loop loop = cg_loop_begin(k, cg_i64(k, 0), cg_i64(k, whole), BYTES);
        LLVMValueRef carried = cg_loop_carry(k, &loop, sum);
        cg_loop_update(k, &loop, 0, add_bytes(k, carried, cg_at(k, from, loop.index), BYTES));
        cg_loop_end(k, &loop);
        sum = carried;
    }
    return length > whole ? add_bytes(k, sum, cg_at_const(k, from, whole), length - whole) : sum;
}

static LLVMValueRef rows_at(cg_kernel *k, const cg_gemm_rows *r, LLVMValueRef base, LLVMValueRef image, LLVMValueRef y,
                            LLVMValueRef x)
{
    LLVMValueRef at = cg_add(k, cg_mul_const(k, image, r->image), cg_mul_const(k, y, r->y));
    return cg_at(k, base, cg_add(k, at, cg_mul_const(k, x, r->x)));
}

/* A unit is a row of a group. */
static void emit_rows(cg_kernel *k, const sums *s)
{
    const cg_gemm *g = s->g;
    cg_loop unit = cg_loop_begin(k, k->begin, k->end, 1);
    LLVMValueRef line = LLVMBuildUDiv(k->b, unit.index, cg_i64(k, g->width), "");
    LLVMValueRef x = LLVMBuildURem(k->b, unit.index, cg_i64(k, g->width), "");
    LLVMValueRef image = LLVMBuildUDiv(k->b, line, cg_i64(k, g->height), "");
    LLVMValueRef y = LLVMBuildURem(k->b, line, cg_i64(k, g->height), "");
    LLVMValueRef group = LLVMBuildUDiv(k->b, image, cg_i64(k, g->images), "");
    image = LLVMBuildURem(k->b, image, cg_i64(k, g->images), "");
    LLVMValueRef from = cg_at(k, rows_at(k, &g->x, k->arg[0], image, y, x), cg_mul_const(k, group, g->x_group));
    LLVMTypeRef ints = cg_vector(k->m->i32, CG_BLOCK_COLUMNS);
    LLVMValueRef sum = LLVMConstNull(ints);
    for (int i = 0; i < s->steps->runs; i++)
        sum = add_run(k, sum, cg_at_const(k, from, s->steps->run_offset[i]), s->steps->run_length);
    sum = cg_intrinsic(k, "llvm.vector.reduce.add", &ints, 1, &sum, 1);
    sum = LLVMBuildMul(k->b, sum, cg_i32(k, s->factor), "");
    LLVMValueRef to = cg_at(k, rows_at(k, &g->sums, k->arg[1], image, y, x), cg_mul_const(k, group, g->sums_group));
    cg_store(k, sum, to, 4);
    cg_loop_hint_vectorize(k, &unit, false);
    cg_loop_end(k, &unit);
}

static void emit_long(cg_module *m, const sums *s)
{
    const cg_gemm *g = s->g;
    const char *key = arena_format(
        m->arena,
        "row_sums g%lld %lldx%lldx%lld x%lld,%lld,%lld,%lld s%lld,%lld,%lld,%lld l%lld %d:", (long long)g->groups,
        (long long)g->images, (long long)g->height, (long long)g->width, (long long)g->x_group, (long long)g->x.image,
        (long long)g->x.y, (long long)g->x.x, (long long)g->sums_group, (long long)g->sums.image, (long long)g->sums.y,
        (long long)g->sums.x, (long long)s->steps->run_length, s->factor);
    for (int i = 0; i < s->steps->runs; i++)
        key = arena_format(m->arena, "%s,%lld", key, (long long)s->steps->run_offset[i]);
    cg_kernel k;
    const cg_arg args[2] = {g->x.arg, g->sums.arg};
    if (cg_kernel_begin(m, &k, key, g->op, 2)) {
        emit_rows(&k, s);
        cg_kernel_end(&k);
    }
    const cg_step_info info = {
        .units = (uint32_t)(g->groups * g->images * g->height * g->width), .is_int8 = true, .part = QCC_STEP_SUMS};
    cg_step_add(m, &k, g->op, &info, 2, args);
}

static bool emit_product(cg_module *m, const sums *s)
{
    const cg_gemm *g = s->g;
    const cg_steps *steps = s->steps;
    cg_gemm p = {.op = g->op,
                 .images = g->images,
                 .height = g->height,
                 .width = g->width,
                 .columns = 1,
                 .groups = g->groups,
                 .x_group = g->x_group,
                 .steps = steps->count,
                 .linear = steps->linear,
                 .offsets = g->offsets,
                 .x = g->x,
                 .out = g->sums,
                 .out_group = g->sums_group,
                 .out_type = IR_I32,
                 .sum_factor = s->factor,
                 .form = target_in_pairs(m->target) ? CG_GEMM_QUADS : CG_GEMM_ANY};
    const size_t bytes = cg_prepacked_bytes(steps, 1, 1), bias_bytes = BYTES * (size_t)g->groups;
    uint8_t *ones = arena_alloc(m->arena, bytes * (size_t)g->groups);
    for (int64_t i = 0; i < steps->count * steps->width;
         i++) /* column 0 of a block; bytes that a step reads twice count once */
        for (int64_t group = 0; group < g->groups; group++)
            ones[(size_t)group * bytes + (size_t)(i / 4 * BYTES + i % 4)] = steps->weight[i] >= 0;
    p.weights = cg_arg_constant(cg_constant(m, ones, bytes * (size_t)g->groups, "ones"));
    p.bias = cg_arg_constant(cg_constant(m, arena_alloc(m->arena, bias_bytes), bias_bytes, "zeros"));
    cg_gemm_flatten(&p);
    const schedule_tiles tiles = cg_gemm_tiles(m, &p);
    return cg_gemm_emit(m, &p, &tiles);
}

bool cg_mac_row_sums(cg_module *m, cg_gemm *g, const cg_steps *steps, int32_t weight_zero, cg_arg to)
{
    const sums s = {g, steps, -weight_zero};
    g->sums = (cg_gemm_rows){to, g->height * g->width * 4, g->width * 4, 4};
    g->sums_group = g->images * g->height * g->width * 4;
    g->weight_zero = true;
    if (steps->run_length < LONG_RUN || steps->runs > MAX_RUNS)
        return emit_product(m, &s);
    emit_long(m, &s);
    return true;
}
