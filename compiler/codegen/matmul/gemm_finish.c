/* gemm_finish.c: what happens to a tile of sums: requantize, add the residual, clamp, narrow, store.
 *
 * Bytes: four vectors of sums become one of 64 bytes by two saturating packs, which also clamp to 0…255; the
 * packs work within 16-byte lanes, one permutation of dwords puts the four pieces of 16 bytes in order:
 *
 *     sums   a0…a15 b0…b15 c0…c15 d0…d15
 *     packed a0-3 b0-3 c0-3 d0-3 │ a4-7 b4-7 c4-7 d4-7 │ …
 *     stored a0…a15 │ b0…b15 │ c0…c15 │ d0…d15
 *
 * Pieces that lie side by side in a row are stored together.
 *
 * Real results of few columns: rows that lie one behind the other in memory share a vector, and all that follows the sums.
 *
 *     sums   a0…a7 -…- b0…b7 -…-          joined  a0…a7 b0…b7 */
#include <math.h>

#include "compiler/codegen/matmul/gemm_private.h"
#include "ir/ref/interp.h"

enum { PIECES = 4, PACKED = PIECES * CG_BLOCK_COLUMNS }; /* vectors of sums that become one of bytes; its bytes */

/* Columns of block `block` that exist. */
static int columns_in(const gemm_kernel *e, int block)
{
    const int left = e->columns - CG_BLOCK_COLUMNS * block;
    return left < CG_BLOCK_COLUMNS ? left : CG_BLOCK_COLUMNS;
}

/* The first `count` elements of v, by stores of powers of two. */
static void store_first(cg_kernel *k, LLVMValueRef v, int count, int element_bytes, LLVMValueRef to)
{
    const int all = (int)LLVMGetVectorSize(LLVMTypeOf(v));
    for (int done = 0, size = all; done < count; size /= 2) {
        if (done + size > count)
            continue;
        LLVMValueRef at = cg_at_const(k, to, (int64_t)done * element_bytes);
        int lanes[PACKED];
        for (int i = 0; i < size; i++)
            lanes[i] = done + i;
        if (size == all)
            cg_store(k, v, at, 1);
        else if (size == 1)
            cg_store(k, LLVMBuildExtractElement(k->b, v, cg_i32(k, done), ""), at, 1);
        else
            cg_store(k, cg_shuffle(k, v, NULL, lanes, (unsigned)size), at, 1);
        done += size;
    }
}

static LLVMValueRef load_first(cg_kernel *k, LLVMTypeRef element, int count, LLVMValueRef from)
{
    LLVMTypeRef type = cg_vector(element, CG_BLOCK_COLUMNS);
    if (count == CG_BLOCK_COLUMNS)
        return cg_load(k, type, from, 1);
    return cg_load_masked(k, type, from, cg_lane_mask(k, cg_i64(k, count), CG_BLOCK_COLUMNS));
}

static LLVMValueRef row_pointer(gemm_kernel *e, LLVMValueRef tile, const cg_gemm_rows *rows, int row, int block,
                                int element_bytes)
{
    return cg_at_const(&e->k, tile, gemm_row_distance(e, rows, row) + CG_BLOCK_COLUMNS * block * element_bytes);
}

/* Is what is added a real number, to another one? */
static bool is_real_residual(const cg_gemm *g) { return g->is_float || g->out_type == IR_F32; }

/* The residual of one vector of results: floats, or raw integers. */
static LLVMValueRef load_residual(gemm_kernel *e, LLVMValueRef tile, int row, int block)
{
    cg_kernel *k = &e->k;
    const cg_gemm_residual *r = &e->g->residual;
    const int columns = columns_in(e, block);
    if (is_real_residual(e->g))
        return load_first(k, k->m->f32, columns, row_pointer(e, tile, &r->rows, row, block, 4));
    LLVMValueRef v = load_first(k, k->m->i8, columns, row_pointer(e, tile, &r->rows, row, block, 1));
    return LLVMBuildZExt(k->b, v, cg_vector(k->m->i32, CG_BLOCK_COLUMNS), "");
}

/* The intermediate value, centred, as it is requantized. */
static LLVMValueRef rounded_mid(gemm_kernel *e, LLVMValueRef scaled)
{
    cg_kernel *k = &e->k;
    const cg_requant *q = &e->g->requant;
    LLVMTypeRef floats = cg_vector(k->m->f32, CG_BLOCK_COLUMNS);
    LLVMValueRef mid = cg_clamp_f32(k, scaled, q->min - q->zero, q->max - q->zero);
    return target_has(k->m->target, TARGET_ROUND)
               ? cg_intrinsic(k, "llvm.roundeven", &floats, 1, &mid, 1)
               : LLVMBuildSIToFP(k->b, cg_round_to_i32(k, mid), floats, ""); /* else a call of libm */
}

/* EVEN_F32: the add, before its rounding. */
static LLVMValueRef add_residual(gemm_kernel *e, LLVMValueRef scaled, LLVMValueRef other)
{
    cg_kernel *k = &e->k;
    const cg_residual *r = &e->g->residual.add;
    LLVMTypeRef floats = cg_vector(k->m->f32, CG_BLOCK_COLUMNS);
    LLVMValueRef mid = r->to_real ? scaled : rounded_mid(e, scaled);
    /* A byte as the low bits of 2^23, minus 2^23 + zero: exact, and cheaper than a conversion. */
    other = cg_bitcast(k, LLVMBuildOr(k->b, other, cg_splat_i32(k, 0x4b000000, CG_BLOCK_COLUMNS), ""), floats);
    other = LLVMBuildFSub(k->b, other, cg_splat_f32(k, 8388608.0f + (float)r->zero, CG_BLOCK_COLUMNS), "");
    LLVMValueRef mid_factor = cg_splat_f32(k, r->mid_factor, CG_BLOCK_COLUMNS),
                 other_factor = cg_splat_f32(k, r->factor, CG_BLOCK_COLUMNS);
    if (r->to_real)
        return cg_fma(k, other, other_factor, mid);
    if (r->first)
        return cg_fma(k, other, other_factor, LLVMBuildFMul(k->b, mid, mid_factor, ""));
    return cg_fma(k, mid, mid_factor, LLVMBuildFMul(k->b, other, other_factor, ""));
}

/* Whether everything stays within int32, so that the packs saturate rightly without a clamp before. */
static bool stays_in_range(const cg_gemm *g)
{
    const cg_residual *r = &g->residual.add;
    return g->residual.present ? !r->to_real && r->mid_factor < 65536.0f && r->factor < 65536.0f : g->requant.below_one;
}

/* In floats: int32 results, centred and ready for the packs. */
static LLVMValueRef round_real(gemm_kernel *e, LLVMValueRef acc, const cg_requant_factors *factors,
                               LLVMValueRef residual_tile, int row, int block)
{
    cg_kernel *k = &e->k;
    const cg_gemm *g = e->g;
    LLVMValueRef v = cg_requant_real(k, factors, acc);
    if (g->residual.present)
        v = add_residual(e, v, load_residual(e, residual_tile, row, block));
    if (!stays_in_range(g))
        v = cg_clamp_f32(k, v, -32768.0, 32767.0);
    return cg_requant_round(k, &g->requant, v);
}

static LLVMValueRef pack_words(cg_kernel *k, LLVMValueRef a, LLVMValueRef b, int32_t zero)
{
    LLVMTypeRef words = cg_vector(k->m->i16, PACKED / 2);
    LLVMValueRef v = cg_pack_words(k, a, b);
    if (!zero)
        return v;
    LLVMValueRef sum[2] = {v, cg_splat(k, LLVMConstInt(k->m->i16, (uint64_t)zero, 0), PACKED / 2)};
    return cg_intrinsic(k, "llvm.sadd.sat", &words, 1, sum, 2);
}

/* Four vectors of centred int32 -> one of bytes, in order. */
static LLVMValueRef pack_bytes(cg_kernel *k, int32_t zero, int32_t min, int32_t max, LLVMValueRef v[PIECES])
{
    static const int order[PACKED / 4] = {0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15};
    LLVMTypeRef bytes = cg_vector(k->m->i8, PACKED);
    LLVMValueRef low_half = pack_words(k, v[0], v[1], zero);
    LLVMValueRef packed = cg_pack_bytes(k, low_half, pack_words(k, v[2], v[3], zero));
    LLVMValueRef low[2] = {packed, cg_splat(k, cg_i8(k, min), PACKED)};
    if (min > 0)
        packed = cg_intrinsic(k, "llvm.umax", &bytes, 1, low, 2);
    LLVMValueRef high[2] = {packed, cg_splat(k, cg_i8(k, max), PACKED)};
    if (max < 255)
        packed = cg_intrinsic(k, "llvm.umin", &bytes, 1, high, 2);
    packed = cg_shuffle(k, cg_bitcast(k, packed, cg_vector(k->m->i32, PACKED / 4)), NULL, order, PACKED / 4);
    return cg_bitcast(k, packed, bytes);
}

/* Stores pieces first… of the tile's rows x blocks pieces of 16 bytes. */
static void store_pieces(gemm_kernel *e, LLVMValueRef bytes, LLVMValueRef out, int first)
{
    cg_kernel *k = &e->k;
    const int all = e->rows * e->blocks, end = first + PIECES < all ? first + PIECES : all;
    for (int i = first; i < end;) {
        int pieces = 1;
        while (i + pieces < end && (i + pieces) % e->blocks != 0)
            pieces++;
        const int from = i - first, row = i / e->blocks, block = i % e->blocks;
        const int count = CG_BLOCK_COLUMNS * (pieces - 1) + columns_in(e, block + pieces - 1);
        int lanes[PACKED];
        for (int j = 0; j < PACKED; j++)
            lanes[j] = CG_BLOCK_COLUMNS * from + j < PACKED ? CG_BLOCK_COLUMNS * from + j : -1;
        const int width = pieces > 2 ? PACKED : CG_BLOCK_COLUMNS * pieces;
        LLVMValueRef part = width == PACKED && from == 0 ? bytes : cg_shuffle(k, bytes, NULL, lanes, (unsigned)width);
        store_first(k, part, count, 1, row_pointer(e, out, &e->g->out, row, block, 1));
        i += pieces;
    }
}

static void finish_packed(gemm_kernel *e, LLVMValueRef acc[], LLVMValueRef out, LLVMValueRef residual)
{
    cg_kernel *k = &e->k;
    const cg_gemm *g = e->g;
    const cg_residual *r = &g->residual.add;
    const bool add = g->residual.present;
    const int32_t zero = add ? r->result_zero : g->requant.zero;
    const int32_t min = add ? r->min : g->requant.min, max = add ? r->max : g->requant.max;
    const int all = e->rows * e->blocks;
    cg_requant_factors factors[GEMM_MAX_BLOCKS];
    for (int c = 0; c < e->blocks; c++) {
        LLVMValueRef channel = cg_add(k, e->channel, cg_i64(k, CG_BLOCK_COLUMNS * c));
        factors[c] = cg_requant_load(k, &g->requant, e->slot[GEMM_PARAMS], channel, CG_BLOCK_COLUMNS);
    }
    for (int i = 0; i < all; i += PIECES) {
        LLVMValueRef v[PIECES];
        for (int j = 0; j < PIECES; j++) {
            const int at = i + j, block = at % e->blocks;
            v[j] = at < all ? round_real(e, acc[at], &factors[block], residual, at / e->blocks, block) : v[j - 1];
        }
        store_pieces(e, pack_bytes(k, zero, min, max, v), out, i);
    }
}

/* One vector at a time, any rounding and result type. */
static void finish_plain(gemm_kernel *e, LLVMValueRef acc[], LLVMValueRef out, LLVMValueRef residual)
{
    cg_kernel *k = &e->k;
    const cg_gemm *g = e->g;
    for (int i = 0; i < e->rows * e->blocks; i++) {
        const int row = i / e->blocks, block = i % e->blocks;
        LLVMValueRef channel = cg_add(k, e->channel, cg_i64(k, CG_BLOCK_COLUMNS * block)), v;
        v = cg_requant_apply(k, &g->requant, e->slot[GEMM_PARAMS], channel, acc[i]);
        if (g->residual.present)
            v = cg_residual_apply(k, &g->residual.add, e->slot[GEMM_ADD_PARAMS], v,
                                  load_residual(e, residual, row, block));
        store_first(k, cg_narrow_to_bytes(k, v), columns_in(e, block), 1, row_pointer(e, out, &g->out, row, block, 1));
    }
}

/* Activation, residual, the residual's activation; the last of them is the quantizer's, where there is one. */
static LLVMValueRef finish_real(gemm_kernel *e, LLVMValueRef v, LLVMValueRef residual, int row, int block)
{
    cg_kernel *k = &e->k;
    const cg_gemm *g = e->g;
    const bool last = !gemm_quantizes(g);
    if (last || g->residual.present)
        v = cg_clamp_f32(k, v, g->min, g->max);
    if (!g->residual.present)
        return v;
    LLVMValueRef other = load_residual(e, residual, row, block);
    v = g->residual.first ? LLVMBuildFAdd(k->b, other, v, "") : LLVMBuildFAdd(k->b, v, other, "");
    return last ? cg_clamp_f32(k, v, g->add_min, g->add_max) : v;
}

/* Integers of float sums. */
static void finish_quantized(gemm_kernel *e, LLVMValueRef acc[], LLVMValueRef out, LLVMValueRef residual)
{
    cg_quantizer *q = &e->quantizer;
    const int all = e->rows * e->blocks;
    for (int i = 0; i < all; i += PIECES) {
        LLVMValueRef v[PIECES];
        for (int j = 0; j < PIECES; j++) {
            const int at = i + j, row = at / e->blocks, block = at % e->blocks;
            v[j] = at < all ? cg_quantize_centred(&e->k, q, finish_real(e, acc[at], residual, row, block)) : v[j - 1];
        }
        store_pieces(e, pack_bytes(&e->k, q->end.zero, q->end.min, UINT8_MAX, v), out, i);
    }
}

/* Parameters of the sums' columns, once for each row that they are joined with. */
static LLVMValueRef for_joined_rows(gemm_kernel *e, LLVMValueRef v)
{
    int lanes[CG_BLOCK_COLUMNS];
    for (int i = 0; i < CG_BLOCK_COLUMNS; i++)
        lanes[i] = i % (CG_BLOCK_COLUMNS / e->joined);
    return v && e->joined > 1 ? cg_shuffle(&e->k, v, NULL, lanes, CG_BLOCK_COLUMNS) : v;
}

/* Float results, of float or of integer sums; or the integer sums as they are. */
static void finish_words(gemm_kernel *e, LLVMValueRef acc[], LLVMValueRef out, LLVMValueRef residual)
{
    cg_kernel *k = &e->k;
    const cg_gemm *g = e->g;
    for (int i = 0; i < e->rows * e->blocks; i++) {
        const int row = i / e->blocks, block = i % e->blocks;
        LLVMValueRef v = acc[i];
        if (!g->is_float && g->out_type == IR_F32) {
            LLVMValueRef channel = cg_add(k, e->channel, cg_i64(k, CG_BLOCK_COLUMNS * block));
            const cg_requant_factors factors =
                cg_requant_load(k, &g->requant, e->slot[GEMM_PARAMS], channel, CG_BLOCK_COLUMNS);
            LLVMValueRef scale = for_joined_rows(e, factors.scale), bias = for_joined_rows(e, factors.bias);
            if (e->slot[GEMM_SCALES])
                scale = LLVMBuildFMul(k->b, gemm_row_number(e, k->m->f32, e->slot[GEMM_SCALES], &g->scales, row), scale,
                                      "");
            v = LLVMBuildSIToFP(k->b, v, cg_vector(k->m->f32, CG_BLOCK_COLUMNS), "");
            v = LLVMBuildFMul(k->b, v, scale, "");
            v = bias ? LLVMBuildFAdd(k->b, v, bias, "") : v; /* two roundings: docs/quantization.md */
        }
        if (g->out_type == IR_I32)
            v = LLVMBuildMul(k->b, v, cg_splat_i32(k, g->sum_factor, CG_BLOCK_COLUMNS), "");
        if (g->out_type == IR_F32)
            v = finish_real(e, v, residual, row, block);
        store_first(k, v, columns_in(e, block), 4, row_pointer(e, out, &g->out, row, block, 4));
    }
}

static LLVMValueRef residual_tile(gemm_kernel *e)
{
    const cg_gemm_residual *r = &e->g->residual;
    if (!r->present)
        return NULL;
    LLVMValueRef column = gemm_quantizes(e->g) ? cg_mul_const(&e->k, e->column, 4) : e->column; /* of floats */
    return cg_at(&e->k, gemm_rows_at(e, e->slot[GEMM_RESIDUAL], &r->rows), column);
}

void gemm_prefetch_residual(gemm_kernel *e)
{
    LLVMValueRef tile = residual_tile(e);
    for (int row = 0; tile && row < e->rows; row++)
        cg_prefetch(&e->k, row_pointer(e, tile, &e->g->residual.rows, row, 0, 1), 3);
}

/* How many rows of the tile's sums fit a vector, if their results and residuals lie one behind the other. */
static int rows_to_join(const gemm_kernel *e)
{
    const cg_gemm *g = e->g;
    const int64_t bytes = g->out_type == IR_F32 ? 4 : 1, rows = CG_BLOCK_COLUMNS / e->columns;
    const bool real = g->out_type == IR_F32 || gemm_quantizes(g);
    const bool dense = g->out.x == e->columns * bytes && (!g->residual.present || g->residual.rows.x == e->columns * 4);
    const bool fits = e->columns < CG_BLOCK_COLUMNS && CG_BLOCK_COLUMNS % e->columns == 0 && e->kind->cols % rows == 0;
    return real && dense && fits && !e->slot[GEMM_SCALES] ? (int)rows : 1;
}

/* The same tile with as many columns as a vector has, in fewer rows. */
typedef struct joined_tile {
    gemm_kernel kernel;
    cg_gemm gemm;
    schedule_kind kind;
    LLVMValueRef acc[GEMM_MAX_SUMS];
} joined_tile;

static void join_rows(joined_tile *to, const gemm_kernel *e, LLVMValueRef acc[], int rows)
{
    to->kernel = *e;
    to->gemm = *e->g;
    to->kind = *e->kind;
    to->kernel.g = &to->gemm;
    to->kernel.kind = &to->kind;
    to->kernel.joined = rows;
    to->kernel.rows /= rows;
    to->kernel.columns *= rows;
    to->kind.cols /= rows;
    to->gemm.out.x *= rows;
    to->gemm.residual.rows.x *= rows;
    for (int row = 0; row < to->kernel.rows; row++) {
        LLVMValueRef part[CG_BLOCK_COLUMNS];
        for (int i = 0; i < rows; i++)
            part[i] = cg_take(&to->kernel.k, acc[row * rows + i], 0, 1, (unsigned)e->columns);
        for (int n = rows / 2; n > 0; n /= 2)
            for (int i = 0; i < n; i++)
                part[i] = cg_join(&to->kernel.k, part[2 * i], part[2 * i + 1]);
        to->acc[row] = part[0];
    }
}

static void finish_tile(gemm_kernel *e, LLVMValueRef acc[], LLVMValueRef out, LLVMValueRef residual)
{
    const cg_gemm *g = e->g;
    if (g->out_type == IR_F32 || g->out_type == IR_I32)
        finish_words(e, acc, out, residual);
    else if (g->is_float)
        finish_quantized(e, acc, out, residual);
    else if (g->out_type == IR_U8 && ir_rounding_is_real(g->requant.rounding))
        finish_packed(e, acc, out, residual);
    else
        finish_plain(e, acc, out, residual);
}

void gemm_finish(gemm_kernel *e, LLVMValueRef acc[])
{
    LLVMValueRef out = cg_at(&e->k, gemm_rows_at(e, e->slot[GEMM_OUT], &e->g->out), e->column);
    LLVMValueRef residual = residual_tile(e);
    const int rows = rows_to_join(e);
    e->joined = 1;
    if (rows == 1) {
        finish_tile(e, acc, out, residual);
        return;
    }
    joined_tile joined;
    join_rows(&joined, e, acc, rows);
    finish_tile(&joined.kernel, joined.acc, out, residual);
}
