/* winograd.c: conv2d of 3x3 windows with 16 multiplications for 2x2 results in place of 36: Winograd's F(2x2, 3x3), in
 * integers, so that it is exact.
 *
 *     x, 4x4 pixels ──B'xB──▶ 16 numbers ──16 products over the channels──▶ 16 sums ──A'sA / 4──▶ 2x2 sums ──▶ results
 *     bytes                   words         weights (2G)w(2G)' as words     int32
 *
 *     B' = 1  0 -1  0     2G = 2  0  0     A' = 1  1  1  0
 *          0  1  1  0          1  1  1          0  1 -1 -1
 *          0 -1  1  0          1 -1  1
 *          0  1  0 -1          0  0  2
 *
 * Of bytes B'xB is within -510 … 1020, of weights of 8 bits (2G)w(2G)' within 9 * 128: words.  Twice 2G makes four times
 * the sum, which is a multiple of 4 and, up to MAX_DEPTH channels, fits 32 bits; what overflows on the way there does no
 * harm, all being additions and multiplications modulo 2^32.
 *
 * Words are multiplied half as fast as bytes by VNNI, but as fast by machines without it, which need two
 * multiplications for bytes (docs/performance.md).  In bands, so that words and sums stay in the second-level cache:
 *
 *     words of a band   [16][tile][channels]          channels up to an even number
 *     sums of a band    [16][tile][columns]           columns up to a multiple of 16 */
#include "compiler/codegen/build/lanes.h"
#include "compiler/codegen/matmul/conv.h"
#include "ir/ref/interp.h"

enum { PLANES = 16, MAX_DEPTH = 1024, MIN_WIDTH = 32, BAND_BYTES = 512 << 10 };

typedef struct winograd {
    cg_conv conv;
    int64_t tiles_y, tiles_x;     /* of an image */
    int64_t depth, columns;       /* padded */
    int64_t images, lines, tiles; /* of a band: whole images, or lines of tiles of one */
    int64_t words_bytes, sums_bytes;
} winograd;

static int64_t at_most(int64_t a, int64_t b) { return a < b ? a : b; }

/* Bands are as large as the weights, which each reads, or as half of a second-level cache. */
static winograd winograd_of(const ir_op *op)
{
    winograd w = {.conv = cg_conv_of(op)};
    w.tiles_y = (w.conv.out_h + 1) / 2;
    w.tiles_x = (w.conv.out_w + 1) / 2;
    cg_conv_needs(&w.conv, 2 * w.tiles_y + 2, 2 * w.tiles_x + 2);
    w.depth = (w.conv.in_c + 1) / 2 * 2;
    w.columns = cg_prepacked_columns(w.conv.out_c);
    const int64_t weights = PLANES * 2 * w.depth * w.columns, line = PLANES * w.tiles_x * (2 * w.depth + 4 * w.columns);
    const int64_t most = weights > BAND_BYTES ? weights : BAND_BYTES, lines = most / line > 1 ? most / line : 1;
    w.images = lines < w.tiles_y ? 1 : at_most(lines / w.tiles_y, w.conv.images);
    w.lines = at_most(lines, w.tiles_y);
    w.tiles = w.images * w.lines * w.tiles_x;
    w.words_bytes = (int64_t)cg_scratch_part((size_t)(PLANES * w.tiles * 2 * w.depth));
    w.sums_bytes = PLANES * w.tiles * 4 * w.columns;
    return w;
}

static bool is_one(const ir_op *op, ir_attr_id attr)
{
    return ir_ints_at(op, attr, 0) == 1 && ir_ints_at(op, attr, 1) == 1;
}

/* Without VNNI it is the faster one but for few channels, where the sums' way to results weighs more, and for images
 * of which the last tiles are mostly beyond the edge. */
cg_fit cg_conv_winograd_fits(const ir_op *op, const target_info *target)
{
    const int64_t *w = op->operands[1].value->type.dims;
    cg_fit fit = cg_mac_fits(op);
    if (fit.how != CG_BEST)
        return fit;
    if (cg_mac_is_float(op) || ir_mac_is_dynamic(op) || cg_mac_weight_zero(op) != 0 || w[1] != 3 || w[2] != 3 ||
        w[3] > MAX_DEPTH || ir_int(op, IR_ATTR_GROUPS) != 1 || !is_one(op, IR_ATTR_STRIDE) ||
        !is_one(op, IR_ATTR_DILATION) || ir_type_elements(&op->results[0]->type) == 0)
        return cg_best_if(false, NULL);
    const winograd g = winograd_of(op);
    const bool fills = 3 * g.conv.out_h * g.conv.out_w >= 2 * 4 * g.tiles_y * g.tiles_x;
    const bool gains = w[0] >= MIN_WIDTH && w[3] >= MIN_WIDTH && fills && !target_has(target, TARGET_DOT4);
    fit.how = gains ? CG_BEST : CG_CAN;
    return fit;
}

size_t cg_conv_winograd_scratch(const ir_op *op, const target_info *target)
{
    const winograd w = winograd_of(op);
    (void)target;
    return w.conv.copy_bytes + (size_t)(w.words_bytes + w.sums_bytes);
}

/* ---- Weights ---- */

/* out[i] = row i of 2G times in[0…2], which are `step` apart. */
static void transform_taps(const int32_t in[], int step, int32_t out[4])
{
    const int32_t even = in[0] + in[2 * step], odd = in[step];
    out[0] = 2 * in[0];
    out[1] = even + odd;
    out[2] = even - odd;
    out[3] = 2 * in[2 * step];
}

/* [plane][column][channel] of words from [column][tap][channel] of bytes. */
static void *transform_weights(arena *a, const winograd *w, const int8_t from[])
{
    const int64_t depth = w->conv.in_c;
    int16_t *to = ARENA_ARRAY(a, int16_t, PLANES * w->columns * w->depth);
    for (int64_t column = 0; column < w->conv.out_c; column++)
        for (int64_t c = 0; c < depth; c++) {
            int32_t taps[9], rows[12], line[4];
            for (int i = 0; i < 9; i++)
                taps[i] = from[(column * 9 + i) * depth + c];
            for (int x = 0; x < 3; x++) {
                transform_taps(taps + x, 3, line);
                for (int i = 0; i < 4; i++)
                    rows[3 * i + x] = line[i];
            }
            for (int i = 0; i < 4; i++) {
                transform_taps(rows + 3 * i, 1, line);
                for (int j = 0; j < 4; j++)
                    to[((4 * i + j) * w->columns + column) * w->depth + c] = (int16_t)line[j];
            }
        }
    return to;
}

static int32_t *column_sums(arena *a, const winograd *w, const int8_t from[])
{
    const int64_t size = 9 * w->conv.in_c;
    int32_t *sums = ARENA_ARRAY(a, int32_t, w->conv.out_c + 1);
    for (int64_t i = 0; i < w->conv.out_c * size; i++)
        sums[i / size] += from[i];
    return sums;
}

/* ---- From pixels to words ---- */

enum { ARG_X, ARG_WORDS, ARGS };

typedef struct pixels {
    const winograd *w;
    const cg_gemm_rows *x;
    int64_t plane; /* bytes */
    LLVMValueRef from, to;
} pixels;

/* out[i] = row i of B' times in[0…3], which are `step` apart. */
static void transform_pixels(cg_kernel *k, LLVMValueRef in[], int step, LLVMValueRef out[])
{
    LLVMValueRef *a = in, *b = in + step, *c = in + 2 * step, *d = in + 3 * step;
    out[0] = LLVMBuildSub(k->b, *a, *c, "");
    out[step] = LLVMBuildAdd(k->b, *b, *c, "");
    out[2 * step] = LLVMBuildSub(k->b, *c, *b, "");
    out[3 * step] = LLVMBuildSub(k->b, *b, *d, "");
}

static void transform_block(cg_kernel *k, void *context, LLVMValueRef first, LLVMValueRef mask)
{
    const pixels *p = context;
    const unsigned lanes = k->m->target->vector_bytes / 2;
    LLVMTypeRef words = cg_vector(k->m->i16, lanes);
    LLVMValueRef v[16], w[16], from = cg_at(k, p->from, first), to = cg_at(k, p->to, cg_mul_const(k, first, 2));
    for (int i = 0; i < 16; i++) {
        LLVMValueRef at = cg_at_const(k, from, i / 4 * p->x->y + i % 4 * p->x->x);
        v[i] = LLVMBuildZExt(k->b, cg_load_lanes(k, cg_vector(k->m->i8, lanes), at, mask), words, "");
    }
    for (int x = 0; x < 4; x++)
        transform_pixels(k, v + x, 4, w + x);
    for (int y = 0; y < 4; y++)
        transform_pixels(k, w + 4 * y, 1, v + 4 * y);
    for (int i = 0; i < 16; i++)
        cg_store_lanes(k, v[i], cg_at_const(k, to, i * p->plane), mask);
}

/* A unit is a line of tiles. */
static void transform_lines(cg_kernel *k, pixels *p)
{
    const winograd *w = p->w;
    cg_loop line = cg_loop_begin(k, k->begin, k->end, 1);
    LLVMValueRef image = LLVMBuildUDiv(k->b, line.index, cg_i64(k, w->lines), "");
    LLVMValueRef y = LLVMBuildURem(k->b, line.index, cg_i64(k, w->lines), "");
    LLVMValueRef from = cg_add(k, cg_mul_const(k, image, p->x->image), cg_mul_const(k, y, 2 * p->x->y));
    LLVMValueRef to = cg_mul_const(k, line.index, w->tiles_x * 2 * w->depth);
    cg_loop tile = cg_loop_begin(k, cg_i64(k, 0), cg_i64(k, w->tiles_x), 1);
    p->from = cg_at(k, k->arg[ARG_X], cg_add(k, from, cg_mul_const(k, tile.index, 2 * p->x->x)));
    p->to = cg_at(k, k->arg[ARG_WORDS], cg_add(k, to, cg_mul_const(k, tile.index, 2 * w->depth)));
    cg_for_lanes(k, w->conv.in_c, k->m->target->vector_bytes / 2, transform_block, p);
    cg_loop_end(k, &tile);
    cg_loop_end(k, &line);
}

/* The words of a band, of which x says where its pixels begin. */
static void emit_words(cg_module *m, const ir_op *op, const winograd *w, const cg_gemm_rows *x, cg_arg words)
{
    pixels p = {.w = w, .x = x, .plane = w->tiles * 2 * w->depth};
    const char *key = arena_format(m->arena, "winograd_words [%lld,%lld,%lld] %lldx%lldx%lld %lld", (long long)x->image,
                                   (long long)x->y, (long long)x->x, (long long)w->images, (long long)w->lines,
                                   (long long)w->tiles_x, (long long)w->conv.in_c);
    const cg_arg args[ARGS] = {x->arg, words};
    cg_kernel k;
    if (cg_kernel_begin(m, &k, key, op, ARGS)) {
        transform_lines(&k, &p);
        cg_kernel_end(&k);
    }
    const cg_step_info info = {.units = (uint32_t)(w->images * w->lines), .part = QCC_STEP_PACK};
    cg_step_add(m, &k, op, &info, ARGS, args);
}

/* ---- Products, and results ---- */

/* The weights' planes are groups of the product.  Two words are multiplied at once, and packed as one element. */
static cg_gemm products_of(cg_module *m, const ir_op *op, const winograd *w, cg_steps *steps)
{
    const int64_t start = 0;
    *steps = cg_steps_of_runs(m->arena, 1, &start, w->depth / 2, 4);
    return (cg_gemm){.op = op,
                     .images = 1,
                     .height = 1,
                     .columns = w->columns,
                     .groups = PLANES,
                     .steps = steps->count,
                     .linear = true,
                     .form = CG_GEMM_WORDS,
                     .x.x = 2 * w->depth,
                     .out.x = 4 * w->columns,
                     .out_type = IR_I32,
                     .sum_factor = 1};
}

static cg_arg pack_weights(cg_module *m, const winograd *w, const cg_steps *steps, const int8_t from[], int blocks)
{
    const void *weights = transform_weights(m->arena, w, from);
    const size_t bytes = cg_prepacked_bytes(steps, PLANES, w->columns);
    void *packed = cg_prepack(m->arena, steps, weights, PLANES, w->columns, w->depth / 2, blocks, NULL);
    return cg_arg_constant(cg_constant_in_place(m, packed, bytes, "weights"));
}

/* Tiles of 2x2 pixels, and those that the edges cut. */
static schedule_tiles cut_results(const cg_gemm *g)
{
    schedule_tiles t = {.blocks = 1};
    for (int i = 0; i < 4; i++) {
        const bool bottom = i / 2, right = i % 2;
        const schedule_kind kind = {.rows = bottom ? 1 : 2,
                                    .cols = right ? 1 : 2,
                                    .count_y = bottom ? g->height % 2 : g->height / 2,
                                    .count_x = right ? g->width % 2 : g->width / 2,
                                    .first_y = bottom ? g->height - 1 : 0,
                                    .first_x = right ? g->width - 1 : 0};
        if (kind.count_y * kind.count_x > 0)
            t.kind[t.kinds++] = kind;
    }
    return t;
}

/* The op's results, as a product whose sums are made already. */
static cg_gemm results_of(cg_module *m, const ir_op *op, const winograd *w, const int8_t from[])
{
    cg_gemm g = {.op = op,
                 .columns = w->conv.out_c,
                 .groups = 1,
                 .form = CG_GEMM_TILES,
                 .width = w->conv.out_w,
                 .x.y = w->tiles_x * 2 * w->columns, /* of a line and of a pixel, of which a tile has two */
                 .x.x = 2 * w->columns,
                 .out = cg_mac_rows(op->results[0]),
                 .out_type = op->results[0]->type.dtype};
    const ir_value *r = ir_operand_value(op, 3);
    if (r)
        g.residual.rows = cg_mac_rows(r);
    cg_mac_bind_results(m, &g, cg_mac_folded_bias(m, &g, 9 * w->conv.in_c, column_sums(m->arena, w, from)));
    return g;
}

static void move(cg_gemm_rows *rows, int64_t image, int64_t line)
{
    rows->arg.offset += image * rows->image + line * rows->y;
}

/* Images image…, lines of tiles line…, as many as w says. */
static bool emit_band(cg_module *m, const ir_op *op, const winograd *w, cg_gemm_rows x, cg_gemm product,
                      const schedule_tiles *tiles, cg_gemm result, int64_t image, int64_t line)
{
    const int64_t copy = (int64_t)w->conv.copy_bytes, height = at_most(2 * w->lines, w->conv.out_h - 2 * line);
    const cg_arg scratch = cg_arg_scratch(m, op), words = cg_arg_part(scratch, copy, w->words_bytes),
                 sums = cg_arg_part(scratch, copy + w->words_bytes, w->sums_bytes);
    move(&x, image, 2 * line);
    emit_words(m, op, w, &x, words);
    product.width = w->tiles;
    product.x.arg = words;
    product.x_group = w->tiles * product.x.x;
    product.out.arg = sums;
    product.out_group = w->tiles * product.out.x;
    product.macs = (uint64_t)(w->images * height * w->conv.out_w * w->conv.out_c * 9 * w->conv.in_c);
    result.images = w->images;
    result.height = height;
    result.x.arg = sums;
    result.x.image = w->lines * 2 * result.x.y;
    result.x_group = product.out_group;
    move(&result.out, image, 2 * line);
    if (result.residual.present)
        move(&result.residual.rows, image, 2 * line);
    const schedule_tiles cut = cut_results(&result);
    return cg_gemm_emit(m, &product, tiles) && cg_gemm_emit(m, &result, &cut);
}

bool cg_emit_conv_winograd(cg_module *m, const ir_op *op)
{
    const winograd w = winograd_of(op);
    cg_steps steps;
    const cg_gemm_rows x = cg_conv_rows(m, op, &w.conv);
    const int8_t *weights = cg_mac_signed_weights(m, op, 9 * w.conv.in_c);
    cg_gemm product = products_of(m, op, &w, &steps);
    product.width = w.tiles;
    const schedule_tiles tiles = cg_gemm_tiles(m, &product);
    product.weights = pack_weights(m, &w, &steps, weights, tiles.blocks);
    const cg_gemm result = results_of(m, op, &w, weights);
    for (int64_t image = 0; image < w.conv.images; image += w.images)
        for (int64_t line = 0; line < w.tiles_y; line += w.lines) {
            winograd band = w;
            band.images = at_most(w.images, w.conv.images - image);
            band.lines = at_most(w.lines, w.tiles_y - line);
            band.tiles = band.images * band.lines * w.tiles_x;
            const schedule_tiles own =
                band.tiles == w.tiles ? tiles : cg_gemm_tiles_like(m, &product, band.tiles, tiles.blocks);
            if (!emit_band(m, op, &band, x, product, &own, result, image, line))
                return false;
        }
    return true;
}
