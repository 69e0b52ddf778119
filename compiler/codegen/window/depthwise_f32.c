/* depthwise_f32.c: depthwise convolution on floats: taps multiplied and added in row-major order with one rounding each
 * (fma), starting from the bias.  The result is real, or those numbers as the op quantize has them.
 *
 * Several result columns at a time, a tile, share the weights and, where windows overlap, the operand's columns; window rows
 * above and below the image are left out, and so are columns beside it, of a tile whose place is known.  With few channels a
 * vector holds several pixels, weights as often:
 *
 *     8 channels   acc  y0c0…y0c7 y1c0…y1c7 │ y2c0…y2c7 y3c0…y3c7 │ …          w  c0…c7 c0…c7
 *
 * With a multiplier, a wide kernel, or padding in which several tiles lie, border columns go pixel by pixel: taps outside the
 * image read zeros. */
#include <string.h>

#include "compiler/codegen/build/quantizer.h"
#include "compiler/codegen/matmul/mac.h"
#include "compiler/codegen/window/depthwise.h"
#include "ir/ref/interp.h"

enum { ARG_X, ARG_Y, ARG_WEIGHTS, ARG_BIAS, ARG_ZEROS, ARG_CHANNELS, ARG_RESIDUAL, ARG_COUNT };
enum { MAX_UNROLLED_TAPS = 25, MAX_TILE = 8, MAX_PIXELS = 16, MAX_BORDERS = 4 };
enum { ANYWHERE = -1 }; /* a tile whose windows lie within the width */

typedef struct emitter {
    cg_kernel *k;
    const ir_op *op;
    const depthwise_plan *p;
    unsigned lanes;
    LLVMTypeRef vector;
    LLVMValueRef image, out, residual, top, left;
    LLVMValueRef row_out, row_residual, column;
    int tile;               /* vectors at once */
    int pixels;             /* of a vector */
    int64_t known;          /* e->column, or ANYWHERE */
    int64_t residual_pixel; /* bytes between its pixels */
    bool has_bias, has_residual;
    cg_quantizer quantizer; /* of integer results */
} emitter;

static bool quantizes(const depthwise_plan *p) { return p->y.dtype != IR_F32; }

static LLVMValueRef in_range(cg_kernel *k, LLVMValueRef index, int64_t limit)
{
    return LLVMBuildICmp(k->b, LLVMIntULT, index, cg_i64(k, limit), "");
}

/* Operand channels that meet result channels first…first+lanes-1 at a pixel. */
static LLVMValueRef load_channels(emitter *e, LLVMValueRef pixel, LLVMValueRef first, LLVMValueRef mask)
{
    cg_kernel *k = e->k;
    if (e->p->multiplier == 1)
        return cg_load_lanes(k, e->vector, cg_at(k, pixel, cg_mul_const(k, first, 4)), mask);
    LLVMValueRef result = LLVMGetUndef(e->vector);
    if (e->p->x.dims[3] == 1)
        return cg_splat(k, cg_load(k, k->m->f32, pixel, 4), e->lanes);
    for (unsigned i = 0; i < e->lanes; i++) { /* the table has slack for masked lanes */
        LLVMValueRef at = cg_at(k, k->arg[ARG_CHANNELS], cg_mul_const(k, cg_add(k, first, cg_i64(k, i)), 8));
        LLVMValueRef offset = cg_load(k, k->m->i64, at, 8);
        result = LLVMBuildInsertElement(k->b, result, cg_load(k, k->m->f32, cg_at(k, pixel, offset), 4),
                                        cg_i32(k, (int)i), "");
    }
    return result;
}

static LLVMValueRef add_tap(emitter *e, LLVMValueRef acc, LLVMValueRef ky, LLVMValueRef kx, LLVMValueRef first,
                            LLVMValueRef mask)
{
    cg_kernel *k = e->k;
    const depthwise_plan *p = e->p;
    LLVMValueRef row = cg_add(k, e->top, cg_mul_const(k, ky, p->dilation[0]));
    LLVMValueRef column = cg_add(k, e->left, cg_mul_const(k, kx, p->dilation[1]));
    LLVMValueRef inside = LLVMBuildAnd(k->b, in_range(k, row, p->x.dims[1]), in_range(k, column, p->x.dims[2]), "");
    LLVMValueRef offset =
        cg_add(k, cg_mul_const(k, row, p->x.stride[1] * 4), cg_mul_const(k, column, p->x.stride[2] * 4));
    LLVMValueRef pixel =
        LLVMBuildSelect(k->b, inside, LLVMBuildGEP2(k->b, k->m->i8, e->image, &offset, 1, ""), k->arg[ARG_ZEROS], "");
    LLVMValueRef x = load_channels(e, pixel, first, mask);
    LLVMValueRef tap = cg_add(k, cg_mul_const(k, ky, p->kernel[1]), kx);
    LLVMValueRef at = cg_mul_const(k, cg_add(k, cg_mul_const(k, tap, p->y.dims[3]), first), 4);
    LLVMValueRef w = cg_load_lanes(k, e->vector, cg_at(k, k->arg[ARG_WEIGHTS], at), mask);
    return cg_fma(k, x, w, acc);
}

/* A number for each channel, for all pixels of a vector. */
static LLVMValueRef load_parameters(emitter *e, LLVMValueRef at, LLVMValueRef mask)
{
    const unsigned channels = e->lanes / (unsigned)e->pixels;
    if (e->pixels == 1)
        return cg_load_lanes(e->k, e->vector, at, mask);
    int lanes[MAX_PIXELS];
    for (unsigned i = 0; i < e->lanes; i++)
        lanes[i] = (int)(i % channels);
    return cg_shuffle(e->k, cg_load(e->k, cg_vector(e->k->m->f32, channels), at, 1), NULL, lanes, e->lanes);
}

static LLVMValueRef start_of(emitter *e, LLVMValueRef first, LLVMValueRef mask)
{
    cg_kernel *k = e->k;
    return e->has_bias ? load_parameters(e, cg_at(k, k->arg[ARG_BIAS], cg_mul_const(k, first, 4)), mask)
                       : LLVMConstNull(e->vector);
}

/* Activations but for the last, which the quantizer has where there is one, and the residual at the place of e->residual. */
static LLVMValueRef finished(emitter *e, LLVMValueRef acc, LLVMValueRef first, LLVMValueRef mask)
{
    cg_kernel *k = e->k;
    ir_enum_ACT act = (ir_enum_ACT)ir_int(e->op, IR_ATTR_ACT);
    if (e->has_residual) {
        acc = cg_act_f32(k, act, acc);
        LLVMValueRef r = cg_load_lanes(k, e->vector, cg_at(k, e->residual, cg_mul_const(k, first, 4)), mask);
        acc = ir_int(e->op, IR_ATTR_ADD_FIRST) ? LLVMBuildFAdd(k->b, r, acc, "") : LLVMBuildFAdd(k->b, acc, r, "");
        act = (ir_enum_ACT)ir_int(e->op, IR_ATTR_ADD_ACT);
    }
    return quantizes(e->p) ? acc : cg_act_f32(k, act, acc);
}

/* At the pixel that e->out points to. */
static void store_result(emitter *e, LLVMValueRef v, LLVMValueRef first, LLVMValueRef mask)
{
    cg_kernel *k = e->k;
    if (quantizes(e->p))
        cg_store_lanes(k, cg_quantize(k, &e->quantizer, v), cg_at(k, e->out, first), mask);
    else
        cg_store_lanes(k, v, cg_at(k, e->out, cg_mul_const(k, first, 4)), mask);
}

static void point_at(emitter *e, LLVMValueRef column)
{
    cg_kernel *k = e->k;
    e->out = cg_at(k, e->row_out, cg_mul_const(k, column, e->p->y.stride[2] * e->p->y.bytes));
    if (e->has_residual)
        e->residual = cg_at(k, e->row_residual, cg_mul_const(k, column, e->residual_pixel));
}

static void single_pixel(emitter *e, LLVMValueRef column, LLVMValueRef first, LLVMValueRef mask)
{
    cg_kernel *k = e->k;
    const depthwise_plan *p = e->p;
    LLVMValueRef acc = start_of(e, first, mask);
    e->left = cg_add(k, cg_mul_const(k, column, p->stride[1]), cg_i64(k, -p->pad[1]));
    if (p->kernel[0] * p->kernel[1] <= MAX_UNROLLED_TAPS) {
        for (int64_t ky = 0; ky < p->kernel[0]; ky++)
            for (int64_t kx = 0; kx < p->kernel[1]; kx++)
                acc = add_tap(e, acc, cg_i64(k, ky), cg_i64(k, kx), first, mask);
    } else {
        cg_loop rows = cg_loop_begin(k, cg_i64(k, 0), cg_i64(k, p->kernel[0]), 1);
        LLVMValueRef outer = cg_loop_carry(k, &rows, acc);
        cg_loop columns = cg_loop_begin(k, cg_i64(k, 0), cg_i64(k, p->kernel[1]), 1);
        LLVMValueRef inner = cg_loop_carry(k, &columns, outer);
        cg_loop_update(k, &columns, 0, add_tap(e, inner, rows.index, columns.index, first, mask));
        cg_loop_end(k, &columns);
        cg_loop_update(k, &rows, 0, inner);
        cg_loop_end(k, &rows);
        acc = outer;
    }
    point_at(e, column);
    store_result(e, finished(e, acc, first, mask), first, mask);
}

/* What tap column kx of vector t of the tile reads, `from` column 0 of the image, or of the tile's windows where that may be
 * anywhere; NULL: nothing but what is beside the image. */
static LLVMValueRef load_window(emitter *e, LLVMValueRef from, int t, int64_t kx, LLVMValueRef mask)
{
    cg_kernel *k = e->k;
    const depthwise_plan *p = e->p;
    const int64_t begin = e->known == ANYWHERE ? 0 : e->known * p->stride[1] - p->pad[1];
    LLVMValueRef part[MAX_PIXELS] = {0};
    int64_t column[MAX_PIXELS];
    int inside = 0;
    for (int i = 0; i < e->pixels; i++) {
        column[i] = begin + (t * e->pixels + i) * p->stride[1] + kx * p->dilation[1];
        const bool there = e->known == ANYWHERE || (column[i] >= 0 && column[i] < p->x.dims[2]);
        column[i] = there ? column[i] : -1;
        inside += there;
    }
    if (!inside)
        return NULL;
    const int64_t pixel = p->x.stride[2] * 4;
    if (inside == e->pixels && (inside == 1 || (p->stride[1] == 1 && p->x.stride[2] == p->x.dims[3])))
        return cg_load_lanes(k, e->vector, cg_at_const(k, from, column[0] * pixel), mask);
    LLVMTypeRef channels = cg_vector(k->m->f32, e->lanes / (unsigned)e->pixels);
    for (int i = 0; i < e->pixels; i++)
        part[i] =
            column[i] < 0 ? LLVMConstNull(channels) : cg_load(k, channels, cg_at_const(k, from, column[i] * pixel), 1);
    for (int n = e->pixels / 2; n > 0; n /= 2)
        for (int i = 0; i < n; i++)
            part[i] = cg_join(k, part[2 * i], part[2 * i + 1]);
    return part[0];
}

/* One column of the window: a weight for all pixels of the tile. */
static void tile_column(emitter *e, LLVMValueRef from, int64_t kx, LLVMValueRef weights, LLVMValueRef mask,
                        LLVMValueRef acc[])
{
    LLVMValueRef w = load_parameters(e, weights, mask);
    for (int t = 0; t < e->tile; t++) {
        LLVMValueRef x = load_window(e, from, t, kx, mask);
        acc[t] = x ? cg_fma(e->k, x, w, acc[t]) : acc[t];
    }
}

/* Taps of a window row that are too many to be unrolled. */
static void tile_long_row(emitter *e, LLVMValueRef from, LLVMValueRef weights, LLVMValueRef mask, LLVMValueRef acc[])
{
    cg_kernel *k = e->k;
    const depthwise_plan *p = e->p;
    const int64_t across = p->dilation[1] * p->x.stride[2] * 4, per_tap = p->y.dims[3] * 4;
    LLVMValueRef inner[MAX_TILE];
    cg_loop taps = cg_loop_begin(k, cg_i64(k, 0), cg_i64(k, p->kernel[1]), 1);
    for (int t = 0; t < e->tile; t++)
        acc[t] = inner[t] = cg_loop_carry(k, &taps, acc[t]);
    tile_column(e, cg_at(k, from, cg_mul_const(k, taps.index, across)), 0,
                cg_at(k, weights, cg_mul_const(k, taps.index, per_tap)), mask, acc);
    for (int t = 0; t < e->tile; t++) {
        cg_loop_update(k, &taps, t, acc[t]);
        acc[t] = inner[t];
    }
    cg_loop_end(k, &taps);
}

/* Four vectors of integers, which lie one behind the other, are one pack and one store. */
static bool packs(const emitter *e)
{
    const int64_t channels = e->p->y.dims[3];
    return quantizes(e->p) && cg_quantizer_lanes(e->k->m, &e->quantizer) == 4 * e->lanes &&
           channels * e->pixels == e->lanes && e->p->y.stride[2] == channels;
}

static void finish_tile(emitter *e, LLVMValueRef acc[], LLVMValueRef first, LLVMValueRef mask)
{
    cg_kernel *k = e->k;
    for (int t = 0; t < e->tile; t++) {
        point_at(e, cg_add(k, e->column, cg_i64(k, t * e->pixels)));
        acc[t] = finished(e, acc[t], first, mask);
    }
    for (int t = 0; t < e->tile; t++) {
        LLVMValueRef v = acc[t];
        point_at(e, cg_add(k, e->column, cg_i64(k, t * e->pixels)));
        if (packs(e) && t + 4 <= e->tile) {
            v = cg_join(k, cg_join(k, acc[t], acc[t + 1]), cg_join(k, acc[t + 2], acc[t + 3]));
            t += 3;
        }
        store_result(e, v, first, mask);
    }
}

/* The tile at e->column. */
static void emit_tile(emitter *e, LLVMValueRef first, LLVMValueRef mask)
{
    cg_kernel *k = e->k;
    const depthwise_plan *p = e->p;
    LLVMValueRef acc[MAX_TILE], sum[MAX_TILE], d = cg_i64(k, p->dilation[0]), round_up = cg_i64(k, p->dilation[0] - 1);
    LLVMValueRef above = cg_max(k, LLVMBuildNeg(k->b, e->top, ""), cg_i64(k, 0));
    LLVMValueRef below = cg_max(k, LLVMBuildSub(k->b, cg_i64(k, p->x.dims[1]), e->top, ""), cg_i64(k, 0));
    LLVMValueRef from = LLVMBuildUDiv(k->b, cg_add(k, above, round_up), d, "");
    LLVMValueRef to = cg_min(k, LLVMBuildUDiv(k->b, cg_add(k, below, round_up), d, ""), cg_i64(k, p->kernel[0]));
    LLVMValueRef channels = cg_mul_const(k, first, 4), bias = start_of(e, first, mask);
    const int64_t per_tap = p->y.dims[3] * 4;
    cg_loop rows = cg_loop_begin(k, from, to, 1);
    for (int t = 0; t < e->tile; t++)
        acc[t] = sum[t] = cg_loop_carry(k, &rows, bias);
    LLVMValueRef row = cg_add(k, e->top, cg_mul_const(k, rows.index, p->dilation[0]));
    LLVMValueRef offset = cg_mul_const(k, row, p->x.stride[1]);
    if (e->known == ANYWHERE) {
        LLVMValueRef left = cg_add(k, cg_mul_const(k, e->column, p->stride[1]), cg_i64(k, -p->pad[1]));
        offset = cg_add(k, offset, cg_mul_const(k, left, p->x.stride[2]));
    }
    LLVMValueRef pixels = cg_at(k, cg_at(k, e->image, cg_mul_const(k, offset, 4)), channels);
    LLVMValueRef weights =
        cg_at(k, cg_at(k, k->arg[ARG_WEIGHTS], cg_mul_const(k, rows.index, p->kernel[1] * per_tap)), channels);
    if (p->kernel[1] > MAX_TILE)
        tile_long_row(e, pixels, weights, mask, acc);
    for (int64_t kx = 0; kx < p->kernel[1] && p->kernel[1] <= MAX_TILE; kx++)
        tile_column(e, pixels, kx, cg_at_const(k, weights, kx * per_tap), mask, acc);
    for (int t = 0; t < e->tile; t++)
        cg_loop_update(k, &rows, t, acc[t]);
    cg_loop_end(k, &rows);
    finish_tile(e, sum, first, mask);
}

static void tile_block(cg_kernel *k, void *context, LLVMValueRef first, LLVMValueRef mask)
{
    emitter *e = context;
    (void)k;
    emit_tile(e, first, mask);
}

static void tile_at(emitter *e, LLVMValueRef column, int64_t known)
{
    e->column = column;
    e->known = known;
    if (e->pixels > 1)
        emit_tile(e, cg_i64(e->k, 0), NULL);
    else
        cg_for_lanes(e->k, e->p->y.dims[3], e->lanes, tile_block, e);
}

static void single_block(cg_kernel *k, void *context, LLVMValueRef first, LLVMValueRef mask)
{
    emitter *e = context;
    (void)k;
    single_pixel(e, e->column, first, mask);
}

static void single_pixels(emitter *e, LLVMValueRef from, LLVMValueRef to)
{
    cg_loop columns = cg_loop_begin(e->k, from, to, 1);
    e->column = columns.index;
    cg_for_lanes(e->k, e->p->y.dims[3], e->lanes, single_block, e);
    cg_loop_end(e->k, &columns);
}

/* The tiles of a row, of which those at its ends have taps beside the image; the last is moved back so far that it ends with
 * the row. */
typedef struct tiling {
    int64_t count, left, right; /* at the ends */
    int64_t width, columns;     /* of a tile, of the row */
    bool fits;                  /* not too many are at the ends */
} tiling;

static int64_t tile_start(const tiling *t, int64_t i)
{
    return i * t->width < t->columns - t->width ? i * t->width : t->columns - t->width;
}

static tiling tiling_of(emitter *e)
{
    const depthwise_plan *p = e->p;
    tiling t = {.columns = p->y.dims[2]};
    const int64_t vectors = (t.columns + e->pixels - 1) / e->pixels;
    t.count = (vectors + MAX_TILE - 1) / MAX_TILE;
    e->tile = (int)((vectors + t.count - 1) / t.count);
    if (e->tile * e->pixels > t.columns)
        e->tile = (int)(t.columns / e->pixels);
    t.width = e->tile * e->pixels;
    t.count = (t.columns + t.width - 1) / t.width;
    while (t.left < t.count && t.left <= MAX_BORDERS && tile_start(&t, t.left) < p->inside[0])
        t.left++;
    while (t.left + t.right < t.count && t.right <= MAX_BORDERS &&
           tile_start(&t, t.count - 1 - t.right) + t.width > p->inside[1])
        t.right++;
    t.fits = t.left + t.right <= MAX_BORDERS;
    return t;
}

static void emit_tiles(emitter *e, const tiling *t)
{
    cg_kernel *k = e->k;
    for (int64_t i = 0; i < t->left; i++)
        tile_at(e, cg_i64(k, tile_start(t, i)), tile_start(t, i));
    if (t->left + t->right < t->count) {
        cg_loop middle = cg_loop_begin(k, cg_i64(k, t->left), cg_i64(k, t->count - t->right), 1);
        LLVMValueRef column = cg_mul_const(k, middle.index, t->width);
        tile_at(e, cg_min(k, column, cg_i64(k, t->columns - t->width)), ANYWHERE);
        cg_loop_end(k, &middle);
    }
    for (int64_t i = t->count - t->right; i < t->count; i++)
        tile_at(e, cg_i64(k, tile_start(t, i)), tile_start(t, i));
}

/* Tiles inside, border columns pixel by pixel. */
static void emit_columns(emitter *e)
{
    cg_kernel *k = e->k;
    const depthwise_plan *p = e->p;
    int64_t end = p->y.dims[2], inside = p->inside[1] - p->inside[0];
    e->pixels = 1;
    if (p->multiplier != 1 || inside == 0) {
        single_pixels(e, cg_i64(k, 0), cg_i64(k, end));
        return;
    }
    int64_t tiles = (inside + MAX_TILE - 1) / MAX_TILE;
    e->tile = (int)((inside + tiles - 1) / tiles);
    cg_loop columns = cg_loop_begin(k, cg_i64(k, p->inside[0]), cg_i64(k, p->inside[1]), e->tile);
    tile_at(e, cg_min(k, columns.index, cg_i64(k, p->inside[1] - e->tile)), ANYWHERE);
    cg_loop_end(k, &columns);
    if (inside == end)
        return;
    cg_loop side = cg_loop_begin(k, cg_i64(k, 0), cg_i64(k, 2), 1);
    LLVMValueRef right = LLVMBuildICmp(k->b, LLVMIntNE, side.index, cg_i64(k, 0), "");
    single_pixels(e, LLVMBuildSelect(k->b, right, cg_i64(k, p->inside[1]), cg_i64(k, 0), ""),
                  LLVMBuildSelect(k->b, right, cg_i64(k, end), cg_i64(k, p->inside[0]), ""));
    cg_loop_end(k, &side);
}

/* Channels innermost: neighbours in memory follow one another, and no power of two between columns hurts the cache. */
static void emit_row(emitter *e)
{
    const tiling t = tiling_of(e);
    if (e->p->multiplier == 1 && e->p->kernel[1] <= MAX_TILE && t.fits)
        emit_tiles(e, &t);
    else
        emit_columns(e);
}

/* How many pixels fill a vector: those of results and residuals have to lie one behind the other. */
static int pixels_of(const depthwise_plan *p, unsigned lanes, const cg_shape *r)
{
    const int64_t channels = p->y.dims[3];
    const int64_t pixels = lanes % channels == 0 ? lanes / channels : 1;
    const bool dense = p->y.stride[2] == channels && (!r || r->stride[2] == channels);
    return dense && p->multiplier == 1 && pixels <= p->y.dims[2] ? (int)pixels : 1;
}

static void emit_body(emitter *e, const cg_shape *r)
{
    cg_kernel *k = e->k;
    const depthwise_plan *p = e->p;
    cg_loop units = cg_loop_begin(k, k->begin, k->end, 1);
    LLVMValueRef rows = cg_i64(k, p->y.dims[1]);
    LLVMValueRef batch = LLVMBuildUDiv(k->b, units.index, rows, ""), row = LLVMBuildURem(k->b, units.index, rows, "");
    e->image = cg_at(k, k->arg[ARG_X], cg_mul_const(k, batch, p->x.stride[0] * 4));
    e->top = cg_add(k, cg_mul_const(k, row, p->stride[0]), cg_i64(k, -p->pad[0]));
    e->row_out =
        cg_at(k, k->arg[ARG_Y],
              cg_mul_const(k, cg_add(k, cg_mul_const(k, batch, p->y.stride[0]), cg_mul_const(k, row, p->y.stride[1])),
                           p->y.bytes));
    if (e->has_residual) {
        LLVMValueRef at = cg_add(k, cg_mul_const(k, batch, r->stride[0]), cg_mul_const(k, row, r->stride[1]));
        e->row_residual = cg_at(k, k->arg[ARG_RESIDUAL], cg_mul_const(k, at, 4));
        e->residual_pixel = r->stride[2] * 4;
    }
    emit_row(e);
    cg_loop_end(k, &units);
}

cg_fit cg_depthwise_f32_fits(const ir_op *op, const target_info *target)
{
    (void)target;
    const ir_dtype y = op->results[0]->type.dtype;
    if (op->operands[0].value->type.dtype != IR_F32 || op->operands[1].value->type.dtype != IR_F32 ||
        (y != IR_F32 && y != IR_U8))
        return cg_best_if(false, NULL);
    const ir_value *b = ir_operand_value(op, 2);
    return cg_best_if(!b || b->type.dtype == IR_F32, NULL);
}

bool cg_emit_depthwise_f32(cg_module *m, const ir_op *op)
{
    const depthwise_plan plan = depthwise_plan_of(op, m->target), *p = &plan;
    const ir_value *w = ir_operand_value(op, 1), *b = ir_operand_value(op, 2), *r = ir_operand_value(op, 3);
    emitter e = {
        .op = op, .p = p, .lanes = m->target->vector_bytes / 4, .has_bias = b != NULL, .has_residual = r != NULL};
    cg_shape residual = {0};
    if (p->y.elements == 0)
        return true;
    if (r)
        residual = cg_shape_of(r);
    e.pixels = pixels_of(p, e.lanes, r ? &residual : NULL);
    int64_t channels = p->y.dims[3];
    int64_t *table = ARENA_ARRAY(m->arena, int64_t, channels + 64);
    for (int64_t c = 0; c < channels; c++)
        table[c] = c / p->multiplier * 4;
    float *zeros = ARENA_ARRAY(m->arena, float, p->x.dims[3] + 64);
    cg_arg args[ARG_COUNT];
    args[ARG_X] = cg_arg_value(ir_operand_value(op, 0));
    args[ARG_Y] = cg_arg_value(op->results[0]);
    args[ARG_WEIGHTS] = cg_arg_value(w);
    args[ARG_BIAS] = cg_arg_value(b ? b : w);
    args[ARG_ZEROS] = cg_arg_constant(cg_constant(m, zeros, (size_t)(p->x.dims[3] + 64) * 4, "zeros"));
    args[ARG_CHANNELS] = p->multiplier == 1
                             ? args[ARG_ZEROS]
                             : cg_arg_constant(cg_constant(m, table, (size_t)(channels + 64) * 8, "channels"));
    args[ARG_RESIDUAL] = cg_arg_value(r ? r : ir_operand_value(op, 0));
    cg_key key = {.length = 0};
    cg_key_add(&key, "depthwise");
    depthwise_key(&key, p);
    if (quantizes(p)) {
        e.quantizer = cg_quantizer_of(op, (ir_enum_ACT)ir_int(op, r ? IR_ATTR_ADD_ACT : IR_ATTR_ACT));
        cg_key_add(&key, " q%s", cg_quantizer_key(m, &e.quantizer));
    }
    cg_key_add(&key, " b%d a%lld", e.has_bias, (long long)ir_int(op, IR_ATTR_ACT));
    if (r) {
        cg_key_add(&key, " r%lld.%lld", (long long)ir_int(op, IR_ATTR_ADD_FIRST),
                   (long long)ir_int(op, IR_ATTR_ADD_ACT));
        cg_key_shape(&key, &residual);
    }
    cg_kernel k;
    if (cg_kernel_begin(m, &k, key.text, op, ARG_COUNT)) {
        e.k = &k;
        e.vector = cg_vector(m->f32, e.lanes);
        emit_body(&e, &residual);
        cg_kernel_end(&k);
    }
    cg_step_info info = {.units = (uint32_t)(p->y.dims[0] * p->y.dims[1]),
                         .macs = (uint64_t)(p->y.elements * p->kernel[0] * p->kernel[1])};
    cg_step_add(m, &k, op, &info, ARG_COUNT, args);
    return true;
}
