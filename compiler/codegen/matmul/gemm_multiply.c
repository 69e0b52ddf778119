/* gemm_multiply.c: the sums of a tile over all of K. */
#include <assert.h>

#include "compiler/codegen/matmul/gemm_private.h"

enum { WORDS = CG_BLOCK_BYTES / 2 };     /* of a step's weights of a block, in words */
enum { SIDE = 4, PLANES = SIDE * SIDE }; /* of winograd.c's tiles */

/* Of one step: where the rows' bytes begin, and its weights; flipped: |w|, and what x is to be xored with. */
typedef struct step_of_k {
    LLVMValueRef x, w[GEMM_MAX_BLOCKS], flip[GEMM_MAX_BLOCKS];
} step_of_k;

static LLVMValueRef dot(gemm_kernel *e, LLVMValueRef sum, LLVMValueRef x, const step_of_k *s, int c)
{
    cg_kernel *k = &e->k;
    if (e->g->is_float)
        return cg_fma(k, x, s->w[c], sum);
    if (e->g->form == CG_GEMM_ANY)
        return cg_dot4(k, sum, x, s->w[c]);
    if (e->g->form == CG_GEMM_WORDS)
        return cg_dot2(k, sum, cg_bitcast(k, x, cg_vector(k->m->i16, WORDS)),
                       cg_bitcast(k, s->w[c], cg_vector(k->m->i16, WORDS)));
    if (!s->flip[c])
        return cg_dot4_narrow(k, sum, x, s->w[c]);
    return cg_dot4_narrow(k, sum, s->w[c],
                          LLVMBuildXor(k->b, cg_bitcast(k, x, cg_vector(k->m->i8, CG_BLOCK_BYTES)), s->flip[c], ""));
}

/* Done once for all rows. */
static void flip(gemm_kernel *e, LLVMValueRef *w, LLVMValueRef *flip)
{
    cg_kernel *k = &e->k;
    LLVMTypeRef bytes = cg_vector(k->m->i8, CG_BLOCK_BYTES);
    *w = cg_bitcast(k, *w, bytes);
    LLVMValueRef negative = LLVMBuildAShr(k->b, *w, cg_splat(k, cg_i8(k, 7), CG_BLOCK_BYTES), "");
    *flip = LLVMBuildXor(k->b, negative, cg_splat(k, cg_i8(k, 0x80), CG_BLOCK_BYTES), "");
    LLVMValueRef abs[2] = {*w, LLVMConstInt(k->m->i1, 0, 0)};
    *w = cg_intrinsic(k, "llvm.abs", &bytes, 1, abs, 2);
}

static step_of_k step_at(gemm_kernel *e, LLVMValueRef x_tile, LLVMValueRef panel, LLVMValueRef step)
{
    cg_kernel *k = &e->k;
    LLVMTypeRef type = cg_vector(e->g->is_float ? k->m->f32 : k->m->i32, CG_BLOCK_COLUMNS);
    LLVMValueRef offset = cg_mul_const(k, step, e->g->linear ? CG_STEP_BYTES : 4);
    if (!e->g->linear) {
        offset = cg_load(k, k->m->i32, cg_at(k, e->slot[GEMM_OFFSETS], offset), 4);
        offset = LLVMBuildSExt(k->b, offset, k->m->i64, "");
    }
    step_of_k s = {.x = cg_at(k, x_tile, offset)};
    const int64_t block = cg_gemm_step_bytes(e->g->form);
    LLVMValueRef w = cg_at(k, panel, cg_mul_const(k, step, block * e->blocks));
    for (int c = 0; c < e->blocks; c++) {
        s.w[c] = cg_load(k, type, cg_at_const(k, w, block * c), CG_BLOCK_BYTES);
        if (e->g->form == CG_GEMM_FLIPPED_APART)
            s.flip[c] = cg_load(k, cg_vector(k->m->i8, CG_BLOCK_BYTES), cg_at_const(k, w, block * c + CG_BLOCK_BYTES),
                                CG_BLOCK_BYTES);
        else if (e->g->form == CG_GEMM_FLIPPED)
            flip(e, &s.w[c], &s.flip[c]);
    }
    return s;
}

static LLVMValueRef row_of(gemm_kernel *e, const step_of_k *s, int row)
{
    cg_kernel *k = &e->k;
    LLVMValueRef at = cg_at_const(k, s->x, gemm_row_distance(e, &e->g->x, row));
    return cg_splat(k, cg_load(k, e->g->is_float ? k->m->f32 : k->m->i32, at, 1), CG_BLOCK_COLUMNS);
}

/* One step, or two at once (excess.h). */
static void multiply_step(gemm_kernel *e, LLVMValueRef x_tile, LLVMValueRef panel, LLVMValueRef step, bool two,
                          LLVMValueRef acc[])
{
    cg_kernel *k = &e->k;
    const step_of_k s = step_at(e, x_tile, panel, step);
    step_of_k next = {0};
    if (two)
        next = step_at(e, x_tile, panel, cg_add(k, step, cg_i64(k, 1)));
    for (int r = 0; r < e->rows; r++) {
        LLVMValueRef x = row_of(e, &s, r), more = two ? row_of(e, &next, r) : NULL;
        for (int c = 0; c < e->blocks; c++) {
            LLVMValueRef *sum = &acc[r * e->blocks + c];
            *sum = two ? cg_dot8_narrow(k, *sum, x, s.w[c], more, next.w[c]) : dot(e, *sum, x, &s, c);
        }
    }
}

/* One entry of the excess of block c: even or odd bytes as words, times weights of 16 bits. */
static void multiply_entry(gemm_kernel *e, LLVMValueRef x_tile, LLVMValueRef entry, bool odd, int c, LLVMValueRef acc[])
{
    cg_kernel *k = &e->k;
    LLVMTypeRef words = cg_vector(k->m->i16, WORDS);
    LLVMValueRef offset = cg_load(k, k->m->i32, cg_at(k, e->slot[GEMM_EXCESS_OFFSETS], cg_mul_const(k, entry, 4)), 4);
    const step_of_k s = {.x = cg_at(k, x_tile, LLVMBuildSExt(k->b, offset, k->m->i64, ""))};
    LLVMValueRef w = cg_load(k, words, cg_at(k, e->slot[GEMM_EXCESS_WEIGHTS], cg_mul_const(k, entry, CG_BLOCK_BYTES)),
                             CG_BLOCK_BYTES);
    LLVMValueRef low = cg_splat(k, LLVMConstInt(k->m->i16, 255, 0), WORDS),
                 eight = cg_splat(k, LLVMConstInt(k->m->i16, 8, 0), WORDS);
    for (int r = 0; r < e->rows; r++) {
        LLVMValueRef x = cg_bitcast(k, row_of(e, &s, r), words);
        x = odd ? LLVMBuildLShr(k->b, x, eight, "") : LLVMBuildAnd(k->b, x, low, "");
        acc[r * e->blocks + c] = cg_dot2(k, acc[r * e->blocks + c], x, w);
    }
}

/* What the weights of 8 bits leave out in block c. */
static void add_excess(gemm_kernel *e, LLVMValueRef x_tile, bool odd, int c, LLVMValueRef acc[])
{
    cg_kernel *k = &e->k;
    /* Of each block two bounds of 4 bytes: channel / CG_BLOCK_COLUMNS * 8. */
    static_assert(CG_BLOCK_COLUMNS == 2 * 8, "the shift");
    LLVMValueRef block = cg_at(k, e->slot[GEMM_EXCESS_FIRST], LLVMBuildLShr(k->b, e->channel, cg_i64(k, 1), ""));
    LLVMValueRef bound[2], carried[GEMM_MAX_SUMS];
    for (int i = 0; i < 2; i++)
        bound[i] =
            LLVMBuildZExt(k->b, cg_load(k, k->m->i32, cg_at_const(k, block, 4 * (2 * c + odd + i)), 4), k->m->i64, "");
    cg_loop loop = cg_loop_begin(k, bound[0], bound[1], 1);
    for (int r = 0; r < e->rows; r++)
        carried[r * e->blocks + c] = acc[r * e->blocks + c] = cg_loop_carry(k, &loop, acc[r * e->blocks + c]);
    multiply_entry(e, x_tile, loop.index, odd, c, carried);
    for (int r = 0; r < e->rows; r++)
        cg_loop_update(k, &loop, r, carried[r * e->blocks + c]);
    cg_loop_hint_no_unroll(k, &loop);
    cg_loop_hint_vectorize(k, &loop, false);
    cg_loop_end(k, &loop);
}

/* ---- Sums of tiles ---- */

/* Rows 0 and 1 of A' (winograd.c) times in[0…3], which are `step` apart. */
static LLVMValueRef untransform(cg_kernel *k, LLVMValueRef in[], int step, int row)
{
    LLVMValueRef *a = in, *b = in + step, *c = in + 2 * step, *d = in + 3 * step;
    return row ? LLVMBuildSub(k->b, LLVMBuildSub(k->b, *b, *c, ""), *d, "")
               : LLVMBuildAdd(k->b, LLVMBuildAdd(k->b, *a, *b, ""), *c, "");
}

void gemm_untransform(gemm_kernel *e, LLVMValueRef x_tile, LLVMValueRef acc[])
{
    cg_kernel *k = &e->k;
    LLVMTypeRef type = cg_vector(k->m->i32, CG_BLOCK_COLUMNS);
    LLVMValueRef base = cg_at(k, x_tile, cg_mul_const(k, e->channel, 4)), two = cg_splat_i32(k, 2, CG_BLOCK_COLUMNS);
    for (int c = 0; c < e->blocks; c++) {
        LLVMValueRef plane[PLANES], line[SIDE];
        for (int i = 0; i < PLANES; i++)
            plane[i] = cg_load(k, type, cg_at_const(k, base, i * e->g->x_group + CG_BLOCK_SUMS * c), CG_BLOCK_SUMS);
        for (int row = 0; row < e->rows; row++) {
            for (int x = 0; x < SIDE; x++)
                line[x] = untransform(k, plane + x, SIDE, (int)(row / e->kind->cols));
            LLVMValueRef sum = untransform(k, line, 1, (int)(row % e->kind->cols));
            LLVMValueRef *to = &acc[row * e->blocks + c];
            *to = LLVMBuildAdd(k->b, *to, LLVMBuildAShr(k->b, sum, two, ""), "");
        }
    }
}

/* ---- All of K ---- */

/* With splits, neighbouring steps go to separate sums, which are added up at the end. */
void gemm_multiply(gemm_kernel *e, LLVMValueRef x_tile, LLVMValueRef panel, LLVMValueRef acc[])
{
    cg_kernel *k = &e->k;
    const int one = e->rows * e->blocks, all = one * e->splits;
    const int unit = e->g->form == CG_GEMM_QUADS ? 2 : 1,
              round = unit * e->splits; /* steps at once; in a round of the loop */
    const int64_t whole = e->g->steps - e->g->steps % round;
    const bool large = cg_gemm_is_large(e->g->form);
    LLVMValueRef carried[GEMM_MAX_SUMS];
    cg_loop loop = cg_loop_begin(k, cg_i64(k, 0), cg_i64(k, whole), round);
    for (int i = 0; i < all; i++)
        carried[i] = acc[i] = cg_loop_carry(k, &loop, acc[i]);
    LLVMValueRef ahead = cg_loop_carry(k, &loop, e->ahead);
    for (int s = 0; s < e->splits; s++) {
        multiply_step(e, x_tile, panel, cg_add(k, loop.index, cg_i64(k, s * unit)), unit == 2, carried + s * one);
        for (int line = 0; line < e->lines_ahead * unit; line++) {
            cg_prefetch(k, ahead, large ? 2 : 3); /* two panels of them are too much for the first-level cache */
            ahead = LLVMBuildGEP2(k->b, k->m->i8, ahead, &e->ahead_step, 1, "");
        }
    }
    for (int i = 0; i < all; i++)
        cg_loop_update(k, &loop, i, carried[i]);
    cg_loop_update(k, &loop, all, ahead);
    cg_loop_hint_no_unroll(k, &loop);
    cg_loop_hint_vectorize(k, &loop, false);
    cg_loop_end(k, &loop);
    for (int64_t step = whole; step < e->g->steps; step += unit)
        multiply_step(e, x_tile, panel, cg_i64(k, step), step + 1 < e->g->steps && unit == 2,
                      acc + (step - whole) / unit * one);
    for (int i = one; i < all; i++)
        acc[i % one] = e->g->is_float ? LLVMBuildFAdd(k->b, acc[i % one], acc[i], "")
                                      : LLVMBuildAdd(k->b, acc[i % one], acc[i], "");
    for (int c = 0; c < e->blocks && e->slot[GEMM_EXCESS_FIRST]; c++)
        for (int odd = 0; odd < 2; odd++)
            add_excess(e, x_tile, odd, c, acc);
}
