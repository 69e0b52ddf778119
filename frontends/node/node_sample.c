/* node_sample.c: see node_sample.h.
 *
 * For each spatial dimension the grid's coordinate becomes a place among the pixels, and that a few taps: pixels with weights.
 * The result sums over all combinations of taps:
 *
 *     image [N, pixels, C] ──gather [N, places]──▶ [N, places, C] ──times weights [N, places, 1]──▶ sum
 *
 * The pixels' numbers are integers computed from the places; where the grid is constant, all that is constant, too. */
#define FRONTEND_COMMON
#include "frontends/node/node_sample.h"

enum { MAX_TAPS = 4, MAX_SPATIAL = 3, MAX_COMBINED = 16 };

static const double CUBIC = -0.75; /* the sharpness of the cubic kernel */

/* Pixels along one dimension, or of all dimensions so far: their numbers (i32), and what each counts.  Of a single tap
 * there is no weight; `inside` (bool) says where it lies in the image, or is NULL. */
typedef struct taps {
    int count;
    ir_value *number[MAX_COMBINED], *weight[MAX_COMBINED], *inside;
} taps;

static ir_value *with(frontend_node *n, ir_opcode code, ir_value *x, double constant)
{
    return node_binary(n, code, x, node_real(n, (float)constant));
}

static ir_value *cast(frontend_node *n, ir_value *x, ir_dtype dtype)
{
    return x ? node_done_quant(n, node_emit1(n, IR_CAST, x), dtype, NULL) : NULL;
}

static ir_value *clamped(frontend_node *n, ir_value *x, double low, double high)
{
    return with(n, IR_MINIMUM, with(n, IR_MAXIMUM, x, low), high);
}

/* Among pixels of middles 0 … extent - 1. */
static ir_value *place_of(frontend_node *n, ir_value *coordinate, int64_t extent, bool corners)
{
    ir_value *x = with(n, IR_ADD, coordinate, 1);
    if (corners)
        return with(n, IR_MUL, with(n, IR_MUL, x, 0.5), (double)(extent - 1));
    return with(n, IR_MUL, with(n, IR_SUB, with(n, IR_MUL, x, (double)extent), 1), 0.5);
}

/* Thrown back at low and low + range until it is between them. */
static ir_value *mirrored(frontend_node *n, ir_value *x, double low, double range)
{
    if (range <= 0)
        return clamped(n, x, low, low);
    x = with(n, IR_FLOOR_MOD, with(n, IR_SUB, x, low), 2 * range);
    x = node_unary(n, IR_ABS, with(n, IR_SUB, x, range));
    return node_binary(n, IR_SUB, node_real(n, (float)(low + range)), x);
}

static ir_value *mirrored_in(frontend_node *n, ir_value *x, int64_t extent, bool corners)
{
    return corners ? mirrored(n, x, 0, (double)(extent - 1)) : mirrored(n, x, -0.5, (double)extent);
}

/* Where to sample: a place so far outside that no tap reaches the image is moved nearer, to where the same is around it. */
static ir_value *place_inside(frontend_node *n, ir_value *x, int64_t extent, const node_sampler *s)
{
    return s->around == AROUND_MIRRORED ? mirrored_in(n, x, extent, s->corners)
                                        : clamped(n, x, -MAX_TAPS, (double)extent + MAX_TAPS);
}

/* ((a t + b) t + c) t + d */
static ir_value *polynomial(frontend_node *n, ir_value *t, double a, double b, double c, double d)
{
    ir_value *y = with(n, IR_ADD, with(n, IR_MUL, t, a), b);
    y = node_binary(n, IR_MUL, y, t);
    y = c == 0 ? node_binary(n, IR_MUL, y, t) : node_binary(n, IR_MUL, with(n, IR_ADD, y, c), t);
    return with(n, IR_ADD, y, d);
}

/* Of the pixels around a place that is `t` behind the pixel of number `first`. */
static void weights_of(frontend_node *n, node_sampling sampling, ir_value *t, ir_value *out[])
{
    const double a = CUBIC;
    ir_value *rest = t ? node_binary(n, IR_SUB, node_real(n, 1), t) : NULL;
    if (sampling == SAMPLING_LINEAR) {
        out[0] = rest;
        out[1] = t;
        return;
    }
    out[0] = polynomial(n, with(n, IR_ADD, t, 1), a, -5 * a, 8 * a, -4 * a);
    out[1] = polynomial(n, t, a + 2, -(a + 3), 0, 1);
    out[2] = polynomial(n, rest, a + 2, -(a + 3), 0, 1);
    out[3] = polynomial(n, with(n, IR_ADD, rest, 1), a, -5 * a, 8 * a, -4 * a);
}

/* The number of a pixel that may lie outside, and whether it does where that matters. */
static ir_value *number_of(frontend_node *n, ir_value *pixel, int64_t extent, const node_sampler *s,
                           ir_value **out_inside)
{
    *out_inside = NULL;
    if (s->around == AROUND_MIRRORED)
        pixel = mirrored_in(n, pixel, extent, s->corners);
    ir_value *near = clamped(n, pixel, 0, (double)(extent - 1));
    if (s->around == AROUND_ZEROS && near)
        *out_inside = node_done_quant(n, node_emit2(n, IR_EQUAL, pixel, near), IR_BOOL, NULL);
    return cast(n, near, IR_I32);
}

/* Along one dimension; x: coordinates [N, places, 1]. */
static bool taps_along(frontend_node *n, ir_value *x, int64_t extent, const node_sampler *s, taps *out)
{
    ir_value *inside;
    x = s->pixels ? x : place_of(n, x, extent, s->corners);
    out->count = s->sampling == SAMPLING_NEAREST ? 1 : s->sampling == SAMPLING_LINEAR ? 2 : 4;
    if (out->count == 1) {
        x = place_inside(n, node_unary(n, IR_ROUND, x), extent, s);
        out->weight[0] = NULL;
        out->number[0] = number_of(n, x, extent, s, &out->inside);
        return out->number[0];
    }
    x = place_inside(n, x, extent, s);
    ir_value *first = node_unary(n, IR_FLOOR, x);
    out->inside = NULL;
    weights_of(n, s->sampling, node_binary(n, IR_SUB, x, first), out->weight);
    for (int i = 0; i < out->count; i++) {
        const int offset = out->count == 2 ? i : i - 1;
        ir_value *pixel = offset ? with(n, IR_ADD, first, offset) : first;
        out->number[i] = number_of(n, pixel, extent, s, &inside);
        if (inside)
            out->weight[i] = node_binary(n, IR_MUL, out->weight[i], cast(n, inside, IR_F32));
        if (!out->number[i] || !out->weight[i])
            return false;
    }
    return true;
}

/* All combinations of the taps so far with those of one more dimension. */
static bool combine(frontend_node *n, taps *all, const taps *more, int64_t extent)
{
    taps out = {.count = 0, .inside = all->inside};
    if (more->inside)
        out.inside = !all->inside
                         ? more->inside
                         : node_done_quant(n, node_emit2(n, IR_LOGICAL_AND, all->inside, more->inside), IR_BOOL, NULL);
    for (int a = 0; a < all->count; a++)
        for (int b = 0; b < more->count; b++, out.count++) {
            ir_value *row = node_binary(n, IR_MUL, all->number[a], node_ints(n, IR_I32, 0, 1, &extent));
            out.number[out.count] = node_binary(n, IR_ADD, row, more->number[b]);
            out.weight[out.count] = more->weight[b] ? node_binary(n, IR_MUL, all->weight[a], more->weight[b]) : NULL;
            if (!out.number[out.count] || (more->weight[b] && !out.weight[out.count]))
                return false;
        }
    *all = out;
    return true;
}

/* Coordinate `index` of the grid [N, places, spatial]. */
static ir_value *coordinate(frontend_node *n, ir_value *grid, int index)
{
    ir_type type = grid->type;
    type.dims[2] = 1;
    ir_op *op = node_emit1(n, IR_SLICE, grid);
    ir_set_ints(op, IR_ATTR_BEGIN, 3, (int64_t[]){0, 0, index});
    ir_set_ints(op, IR_ATTR_STEP, 3, (int64_t[]){1, 1, 1});
    return node_typed(n, op, type, NULL);
}

/* x: [N, pixels, C]; numbers: [N, places, 1]. */
static ir_value *pixels_at(frontend_node *n, ir_value *x, ir_value *numbers)
{
    ir_value *flat = node_reshaped(n, numbers, 2, numbers->type.dims);
    if (!flat)
        return NULL;
    ir_op *op = node_emit2(n, IR_GATHER, x, flat);
    ir_set_int(op, IR_ATTR_AXIS, 1);
    ir_set_int(op, IR_ATTR_BATCH_DIMS, 1);
    return node_done(n, op);
}

static ir_value *sum_over(frontend_node *n, ir_value *x, const taps *t)
{
    ir_value *sum = NULL;
    for (int i = 0; i < t->count; i++) {
        ir_value *part = pixels_at(n, x, t->number[i]);
        part = t->weight[i] ? node_binary(n, IR_MUL, part, t->weight[i]) : part;
        sum = i ? node_binary(n, IR_ADD, sum, part) : part;
        if (!sum)
            return NULL;
    }
    if (!t->inside)
        return sum;
    ir_value *zero = cast(n, node_real(n, 0), sum->type.dtype);
    return zero ? node_done_quant(n, node_emit(n, IR_SELECT, 3, (ir_value *[]){t->inside, sum, zero}), sum->type.dtype,
                                  NULL)
                : NULL;
}

static bool shapes_fit(frontend_node *n, const ir_type *x, const ir_type *grid, const node_sampler *s)
{
    const int spatial = x->rank - 2;
    if (spatial < 2 || spatial > MAX_SPATIAL || (s->sampling == SAMPLING_CUBIC && spatial != 2))
        return node_error(n, "sampling an image of %d dimensions in this mode is not supported", spatial);
    if (grid->rank != x->rank || grid->dims[grid->rank - 1] != spatial || grid->dims[0] != x->dims[0])
        return node_misfit(n, "the grid's shape does not fit the image");
    if (grid->dtype != IR_F32 || (x->dtype != IR_F32 && s->sampling != SAMPLING_NEAREST))
        return node_error(n, "sampling %s at places of type %s is not supported", ir_dtype_text(x->dtype),
                          ir_dtype_text(grid->dtype));
    for (int i = 0; i < spatial; i++)
        if (x->dims[1 + i] < 1)
            return node_misfit(n, "an image without pixels");
    return true;
}

ir_value *node_sampled(frontend_node *n, ir_value *x, ir_value *grid, const node_sampler *s)
{
    if (!shapes_fit(n, &x->type, &grid->type, s))
        return NULL;
    const ir_type type = x->type;
    const int spatial = type.rank - 2;
    const int64_t images = type.dims[0], channels = type.dims[1 + spatial];
    ir_type result = grid->type;
    int64_t places = 1, pixels = 1;
    taps all = {.count = 0}, more;
    for (int i = 0; i < spatial; i++) {
        places *= grid->type.dims[1 + i];
        pixels *= type.dims[1 + i];
    }
    x = node_reshaped(n, x, 3, (int64_t[]){images, pixels, channels});
    grid = node_reshaped(n, grid, 3, (int64_t[]){images, places, spatial});
    for (int i = 0; x && grid && i < spatial; i++)
        if (!taps_along(n, coordinate(n, grid, spatial - 1 - i), type.dims[1 + i], s, i ? &more : &all) ||
            (i && !combine(n, &all, &more, type.dims[1 + i])))
            return NULL;
    result.dims[1 + spatial] = channels;
    x = x && grid ? sum_over(n, x, &all) : NULL;
    return x ? node_reshaped(n, x, result.rank, result.dims) : NULL;
}

/* ---- Grids ---- */

/* Of each place its coordinates x, y, z, and 1. */
static ir_value *regular_grid(frontend_node *n, int spatial, const int64_t extents[], bool corners)
{
    int64_t places = 1;
    for (int i = 0; i < spatial; i++)
        places *= extents[i];
    if (!model_charge(n->model, &n->loc, 8 * places * (spatial + 1)))
        return NULL;
    float *grid = ARENA_ARRAY(n->model->graph->arena, float, places *(spatial + 1) + 1);
    for (int64_t i = 0; i < places; i++) {
        int64_t rest = i;
        grid[i * (spatial + 1) + spatial] = 1;
        for (int d = spatial - 1; d >= 0; d--, rest /= extents[d + 1]) {
            const double at = (double)(rest % extents[d]), extent = (double)extents[d];
            grid[i * (spatial + 1) + spatial - 1 - d] =
                (float)(corners ? 2 * at / (extent - 1) - 1 : (2 * at + 1) / extent - 1);
        }
    }
    return node_reals(n, 3, (int64_t[]){1, places, spatial + 1}, grid);
}

ir_value *node_affine_grid(frontend_node *n, ir_value *theta, int spatial, const int64_t extents[], bool corners)
{
    ir_type type = {.dtype = IR_F32, .rank = spatial + 2};
    bool fits = theta->type.rank == 3 && theta->type.dims[1] == spatial && theta->type.dims[2] == spatial + 1;
    type.dims[0] = theta->type.dims[0];
    type.dims[spatial + 1] = spatial;
    for (int i = 0; i < spatial; i++) {
        type.dims[1 + i] = extents[i];
        fits &= extents[i] > (corners ? 1 : 0);
    }
    if (!fits || !ir_type_valid(&type)) {
        node_error(n, "the matrices or the extents of the grid are not supported");
        return NULL;
    }
    ir_value *regular = regular_grid(n, spatial, extents, corners);
    ir_op *op = regular ? node_emit2(n, IR_BATCH_MATMUL, regular, theta) : NULL;
    if (!op)
        return NULL;
    ir_set_int(op, IR_ATTR_ADJ_B, 1);
    return node_reshaped(n, node_done(n, op), type.rank, type.dims);
}
