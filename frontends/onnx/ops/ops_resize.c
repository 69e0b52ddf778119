/* ops_resize.c: Resize, Upsample and GridSample.
 *
 * What the IR's resize ops do is left to them: height and width, by nearest or bilinear.  Everything else goes one dimension at
 * a time: nearest is a gather by constant indices, and the rest a product with a constant matrix, whose row for a result's
 * element has the weights of the operand's elements:
 *
 *     [outer, extent, inner] ──matrix [result, extent]──▶ [outer, result, inner]
 *
 * Positions are computed in f32, as ONNX Runtime does, since a nearest pixel hangs on their last bit. */
#include <math.h>
#include <string.h>

#include "frontends/node/node_index.h"
#include "frontends/node/node_sample.h"
#include "frontends/onnx/import.h"

enum { MAX_EXTENT = 1 << 24, MAX_TAPS_EACH_WAY = 1 << 16 };

typedef enum filter { NEAREST, LINEAR, CUBIC } filter;

/* How elements of the result become positions in the operand. */
typedef enum transformation { HALF_PIXEL, SYMMETRIC, PYTORCH, CORNERS, ASYMMETRIC, CROP } transformation;

/* One dimension. */
typedef struct line {
    int64_t extent, result;
    float scale;      /* about result / extent; the file's number if it has one */
    float start, end; /* of the part that CROP takes, in parts of extent - 1 */
} line;

typedef struct resizing {
    filter filter;
    transformation transformation;
    const char *rounding; /* of nearest; NULL: floor when growing, when shrinking (as ONNX Runtime does) ceil */
    const char *policy;   /* keep_aspect_ratio_policy */
    bool antialias, exclude_outside;
    float coefficient, outside; /* of the cubic filter; value of what CROP has outside the operand */
    int rank;
    line lines[IR_MAX_RANK]; /* in ONNX's order */
} resizing;

/* ---- Reading ---- */

static bool read_filter(ort_node *n, resizing *r)
{
    static const char *const transformations[] = {"half_pixel",    "half_pixel_symmetric", "pytorch_half_pixel",
                                                  "align_corners", "asymmetric",           "tf_crop_and_resize"};
    const char *mode = ort_text(n, "mode", "nearest");
    r->filter = strcmp(mode, "nearest") == 0 ? NEAREST : strcmp(mode, "linear") == 0 ? LINEAR : CUBIC;
    r->transformation = ASYMMETRIC;
    r->policy = "stretch";
    if (n->since < 11)
        return true;
    const char *kind = ort_text(n, "coordinate_transformation_mode", "half_pixel");
    for (int i = 0; i < (int)(sizeof transformations / sizeof *transformations); i++)
        if (strcmp(kind, transformations[i]) == 0)
            r->transformation = (transformation)i;
    r->rounding = ort_text(n, "nearest_mode", "round_prefer_floor");
    r->antialias = ort_int(n, "antialias", 0) && r->filter != NEAREST;
    r->exclude_outside = ort_int(n, "exclude_outside", 0);
    r->coefficient = ort_float(n, "cubic_coeff_a", -0.75f);
    r->policy = ort_text(n, "keep_aspect_ratio_policy", "stretch"); /* of sizes; scales say it themselves */
    r->outside = ort_float(n, "extrapolation_value", 0);
    return true;
}

/* Dimensions that sizes and scales are for: those of the attribute axes, or all. */
static bool read_axes(ort_node *n, int rank, int axes[], int *out_count)
{
    int64_t given[IR_MAX_RANK];
    int count = 0;
    unsigned seen = 0;
    if (n->since >= 11 && !ort_ints(n, "axes", IR_MAX_RANK, given, &count))
        return false;
    for (int i = 0; i < count; i++) {
        if (!node_axis(n, given[i], rank, &axes[i]))
            return false;
        if (seen >> axes[i] & 1)
            return node_error(n, "dimension %d is named twice", axes[i]);
        seen |= 1u << axes[i];
    }
    for (int i = 0; i < rank && !count; i++)
        axes[i] = i;
    *out_count = count ? count : rank;
    return true;
}

/* One factor for all dimensions, so that none is larger (smaller) than asked for. */
static bool keep_aspect(ort_node *n, resizing *r, int count, const int axes[])
{
    const bool smaller = strcmp(r->policy, "not_larger") == 0;
    float factor = r->lines[axes[0]].scale;
    if (strcmp(r->policy, "stretch") == 0)
        return true;
    for (int i = 1; i < count; i++) {
        const float scale = r->lines[axes[i]].scale;
        factor = (smaller ? scale < factor : scale > factor) ? scale : factor;
    }
    for (int i = 0; i < count; i++) {
        line *l = &r->lines[axes[i]];
        const float extent = floorf(factor * (float)l->extent + 0.5f);
        if (!(extent >= 1 && extent <= MAX_EXTENT))
            return node_error(n, "the result has no pixels, or too many");
        l->scale = factor;
        l->result = (int64_t)extent;
    }
    return true;
}

static bool read_sizes(ort_node *n, resizing *r, int expected, const int axes[])
{
    int64_t sizes[IR_MAX_RANK];
    int count;
    ir_value *scales;
    if (!ort_optional(n, 2, &scales))
        return false;
    if (scales && ir_type_elements(&scales->type))
        return node_error(n, "both scales and sizes");
    if (!ort_param_ints(n, 3, "sizes", IR_MAX_RANK, sizes, &count))
        return false;
    if (count != expected || !count)
        return node_error(n, "%d sizes for %d dimensions", count, expected);
    for (int i = 0; i < count; i++) {
        line *l = &r->lines[axes[i]];
        if (sizes[i] < 1 || sizes[i] > MAX_EXTENT)
            return node_error(n, "the result has no pixels, or too many");
        l->result = sizes[i];
        l->scale = (float)l->result / (float)l->extent;
    }
    return keep_aspect(n, r, count, axes);
}

static bool read_scales(ort_node *n, resizing *r, int operand, int expected, const int axes[])
{
    ir_value *scales = NULL;
    if (!ort_has(n, operand) || !(scales = ort_param(n, operand, "scales")))
        return node_error(n, "neither scales nor sizes");
    if (ir_type_elements(&scales->type) != expected || scales->type.dtype != IR_F32)
        return node_error(n, "%lld scales for %d dimensions", (long long)ir_type_elements(&scales->type), expected);
    for (int i = 0; i < expected; i++) {
        line *l = &r->lines[axes[i]];
        l->scale = (float)ir_const_real(scales, i);
        const float extent = floorf((float)l->extent * l->scale);
        if (!(extent >= 1 && extent <= MAX_EXTENT))
            return node_error(n, "the result has no pixels, or too many");
        l->result = (int64_t)extent;
    }
    return true;
}

/* Starts, then ends, of the part of the operand that is taken. */
static bool read_part(ort_node *n, resizing *r, int count, const int axes[])
{
    if (r->transformation != CROP) {
        ort_ignore(n, 1);
        return true;
    }
    ir_value *part = ort_param(n, 1, "part");
    if (!part)
        return false;
    if (ir_type_elements(&part->type) != 2 * count || part->type.dtype != IR_F32)
        return node_error(n, "the part of the operand (operand 1) must be %d real numbers", 2 * count);
    for (int i = 0; i < count; i++) {
        line *l = &r->lines[axes[i]];
        l->start = (float)ir_const_real(part, i);
        l->end = (float)ir_const_real(part, count + i);
        if (!(fabsf(l->start) < MAX_EXTENT && fabsf(l->end) < MAX_EXTENT))
            return node_error(n, "the part of the operand (operand 1) is out of range");
    }
    return true;
}

/* scales: the operand that has them. */
static bool read_resizing(ort_node *n, int scales, resizing *r)
{
    ir_type shape;
    int axes[IR_MAX_RANK], count = 0;
    *r = (resizing){.rank = 0};
    if (!ort_shape(n, 0, &shape) || !read_filter(n, r) || !read_axes(n, shape.rank, axes, &count))
        return false;
    r->rank = shape.rank;
    for (int i = 0; i < shape.rank; i++) {
        r->lines[i] = (line){shape.dims[i], shape.dims[i], 1, 0, 1};
        if (shape.dims[i] < 1)
            return node_misfit(n, "the operand has no elements");
    }
    return (ort_has(n, 3) && n->since >= 11 ? read_sizes(n, r, count, axes) : read_scales(n, r, scales, count, axes)) &&
           read_part(n, r, count, axes);
}

/* ---- What the IR's ops do ---- */

/* They take the pixel at floor((i + offset) * in / out); ONNX's rounding agrees where no position lies halfway. */
static bool nearest_agrees(const resizing *r, const line *l)
{
    const int64_t in = l->extent, factor = l->result % in == 0 ? l->result / in : 0;
    if (!r->rounding)
        return l->result >= in || in % l->result == 0;
    if (r->transformation != ASYMMETRIC)
        return factor && strncmp(r->rounding, "round", 5) == 0;
    return strcmp(r->rounding, "floor") == 0 || factor == 1 ||
           (factor == 2 && strcmp(r->rounding, "round_prefer_floor") == 0);
}

static bool line_agrees(const resizing *r, const line *l)
{
    if (l->scale * (float)l->extent != (float)l->result && l->scale != (float)l->result / (float)l->extent)
        return false;
    if ((r->transformation == PYTORCH && l->result < 2) || (r->transformation == CORNERS && r->filter == NEAREST))
        return false;
    return r->filter != NEAREST || nearest_agrees(r, l);
}

/* *first: the first of two dimensions that may change, 2, or 1 of an image whose channels the file has last. */
static bool is_of_images(const resizing *r, int *first)
{
    const line *l = r->lines;
    if (r->rank != 4 || r->filter == CUBIC || r->transformation == CROP || r->antialias || l[0].result != l[0].extent)
        return false;
    *first = l[1].result == l[1].extent ? 2 : 1;
    return (*first == 2 || l[3].result == l[3].extent) && line_agrees(r, &l[*first]) && line_agrees(r, &l[*first + 1]);
}

static bool resize_images(ort_node *n, const resizing *r, int first)
{
    const node_layout layout = first == 2 ? LAYOUT_LAST : LAYOUT_PLAIN;
    ir_value *x = ort_in(n, 0, layout);
    if (!x)
        return false;
    ir_op *op = node_emit1(n, r->filter == NEAREST ? IR_RESIZE_NEAREST : IR_RESIZE_BILINEAR, x);
    ir_set_int(op, IR_ATTR_HALF_PIXEL, r->transformation < CORNERS);
    ir_set_int(op, IR_ATTR_ALIGN, r->transformation == CORNERS);
    ir_type type = x->type;
    type.dims[1] = r->lines[first].result;
    type.dims[2] = r->lines[first + 1].result;
    return ort_put(n, 0, node_typed(n, op, type, x->quant), layout);
}

/* ---- A dimension at a time ---- */

static float position(const resizing *r, const line *l, int64_t i)
{
    const float at = (float)i, extent = (float)l->extent, result = (float)l->result;
    const float half = (at + 0.5f) / l->scale - 0.5f;
    switch (r->transformation) {
    case HALF_PIXEL: return half;
    case SYMMETRIC: return extent / 2 * (1 - result / (l->scale * extent)) + (at + 0.5f) / l->scale - 0.5f;
    case PYTORCH: return l->result > 1 ? half : 0;
    case CORNERS: return l->result > 1 ? at * (extent - 1) / (result - 1) : 0;
    case ASYMMETRIC: return at / l->scale;
    default:
        return l->result > 1 ? l->start * (extent - 1) + at * (l->end - l->start) * (extent - 1) / (result - 1)
                             : 0.5f * (l->start + l->end) * (extent - 1);
    }
}

static int64_t within(float x, int64_t extent) { return x > 0 ? x < (float)(extent - 1) ? (int64_t)x : extent - 1 : 0; }

static float rounded(const resizing *r, const line *l, float x)
{
    if (!r->rounding)
        return l->scale >= 1 ? floorf(x) : ceilf(x);
    if (strncmp(r->rounding, "round", 5) == 0)
        return strcmp(r->rounding, "round_prefer_floor") == 0 && x == truncf(x) + 0.5f ? floorf(x) : roundf(x);
    return strcmp(r->rounding, "floor") == 0 ? floorf(x) : ceilf(x);
}

/* The nearest elements along dimension `at` of x. */
static ir_value *nearest(ort_node *n, const resizing *r, const line *l, ir_value *x, int at)
{
    if (!model_charge(n->model, &n->loc, l->result * 16))
        return NULL;
    int64_t *places = ARENA_ARRAY(n->model->graph->arena, int64_t, l->result);
    for (int64_t i = 0; i < l->result; i++) {
        const float place = position(r, l, i), slack = 1e-6f * (fabsf(place) + 1);
        const bool exact = 2 * place == truncf(2 * place) && r->transformation != SYMMETRIC;
        places[i] = within(rounded(r, l, place), l->extent);
        if (!exact &&
            within(rounded(r, l, place - slack), l->extent) != within(rounded(r, l, place + slack), l->extent)) {
            node_error(n, "which element is nearest hangs on the last bit of a position, and is not defined");
            return NULL;
        }
    }
    ir_op *op = node_gather(n, x, node_ints(n, IR_I32, 1, l->result, places), at, NEGATIVE_OUTSIDE);
    return op ? node_done(n, op) : NULL;
}

/* Of an element at distance t. */
static double weight(const resizing *r, double t)
{
    const double a = (double)r->coefficient;
    t = fabs(t);
    if (r->filter == LINEAR)
        return t < 1 ? 1 - t : 0;
    return t <= 1 ? ((a + 2) * t - (a + 3)) * t * t + 1 : t < 2 ? ((a * t - 5 * a) * t + 8 * a) * t - 4 * a : 0;
}

/* The weights of one result's element, at x; those of elements outside count for the outermost, or not. */
static bool weigh(ort_node *n, const resizing *r, const line *l, double x, float row[])
{
    const double narrow = r->antialias && l->scale < 1 ? (double)l->scale : 1;
    const double reach = (r->filter == LINEAR ? 1 : 2) / narrow, last = (double)(l->extent - 1);
    double total = 0;
    if (reach > MAX_TAPS_EACH_WAY || fabs(x) > 2 * MAX_EXTENT)
        return node_error(n, "a scale of %g is not supported", (double)l->scale);
    for (double i = ceil(x - reach); i <= floor(x + reach); i++) {
        const double w = weight(r, (i - x) * narrow);
        if (r->exclude_outside && (i < 0 || i > last))
            continue;
        row[(int64_t)(i < 0 ? 0 : i > last ? last : i)] += (float)w;
        total += w;
    }
    for (int64_t i = 0; i < l->extent && (r->antialias || r->exclude_outside) && total != 0; i++)
        row[i] = (float)((double)row[i] / total);
    return true;
}

static ir_value *weighted(ort_node *n, const resizing *r, const line *l, ir_value *x, int at)
{
    ir_type type = x->type;
    int64_t outer = 1, inner = 1, dims[2] = {l->result, l->extent};
    for (int i = 0; i < type.rank; i++)
        if (i != at)
            *(i < at ? &outer : &inner) *= type.dims[i];
    if (l->result > IR_MAX_BYTES / 4 / l->extent) {
        node_error(n, "%lld elements from %lld are not supported in this mode", (long long)l->result,
                   (long long)l->extent);
        return NULL;
    }
    if (!model_charge(n->model, &n->loc, 8 * l->result * l->extent))
        return NULL;
    float *rows = ARENA_ARRAY(n->model->graph->arena, float, l->result * l->extent);
    for (int64_t i = 0; i < l->result; i++)
        if (!weigh(n, r, l, (double)position(r, l, i), rows + i * l->extent))
            return NULL;
    ir_value *matrix = node_reals(n, 2, dims, rows);
    if (!matrix)
        return NULL;
    if (inner == 1) {
        x = node_reshaped(n, x, 2, (int64_t[]){outer, l->extent});
        x = x ? node_done(n, node_emit2(n, IR_FULLY_CONNECTED, x, matrix)) : NULL;
    } else {
        x = node_reshaped(n, x, 3, (int64_t[]){outer, l->extent, inner});
        x = x ? node_done(n, node_emit2(n, IR_BATCH_MATMUL, matrix, x)) : NULL;
    }
    type.dims[at] = l->result;
    return x ? node_reshaped(n, x, type.rank, type.dims) : NULL;
}

/* ONNX Runtime leaves an operand as it is whose extents stay, the standard does not. */
static bool extents_agree(ort_node *n, const resizing *r)
{
    bool same = r->transformation != CROP, scaled = false;
    for (int i = 0; i < r->rank; i++) {
        same = same && r->lines[i].result == r->lines[i].extent;
        scaled = scaled || r->lines[i].scale != 1;
    }
    return !same || !scaled || node_error(n, "scales that change no extent are not supported");
}

/* Where scales give no whole extents, corners are where the standard has them, or elsewhere, where ONNX Runtime does. */
static bool corners_agree(ort_node *n, const resizing *r)
{
    for (int i = 0; i < r->rank && r->transformation == CORNERS; i++) {
        const line *l = &r->lines[i];
        if (l->scale * (float)l->extent != (float)l->result && l->scale != (float)l->result / (float)l->extent)
            return node_error(
                n, "positions by align_corners with scales that do not give whole extents are not supported");
    }
    return true;
}

/* x, with the value that the file names where positions along dimension `at` lie outside the operand. */
static ir_value *with_outside(ort_node *n, const resizing *r, const line *l, ir_value *x, int at)
{
    int64_t *inside, dims[IR_MAX_RANK], count = 0;
    if (!x || r->transformation != CROP)
        return x;
    if (!model_charge(n->model, &n->loc, l->result * 16))
        return NULL;
    inside = ARENA_ARRAY(n->model->graph->arena, int64_t, l->result);
    for (int64_t i = 0; i < l->result; i++) {
        const float place = position(r, l, i);
        inside[i] = place >= 0 && place <= (float)(l->extent - 1);
        count += inside[i];
    }
    if (count == l->result)
        return x;
    for (int i = 0; i < x->type.rank; i++)
        dims[i] = i == at ? l->result : 1;
    ir_value *where = node_reshaped(n, node_ints(n, IR_BOOL, 1, l->result, inside), x->type.rank, dims);
    ir_op *op = node_emit(n, IR_SELECT, 3, (ir_value *[]){where, x, node_real(n, r->outside)});
    return node_done_quant(n, op, x->type.dtype, x->quant);
}

/* Does it leave every element where it is? */
static bool changes(const resizing *r, const line *l)
{
    return l->result != l->extent || l->scale != 1 || (r->transformation == CROP && (l->start != 0 || l->end != 1));
}

static bool resize_lines(ort_node *n, const resizing *r)
{
    const node_layout layout = ort_layout_of(n, 0);
    ir_value *x = ort_in(n, 0, layout);
    if (!x || !corners_agree(n, r) || !extents_agree(n, r))
        return false;
    if (x->type.dtype != IR_F32 && (r->filter != NEAREST || r->transformation == CROP))
        return node_error(n, "values of type %s are not resized in this mode", ir_dtype_text(x->type.dtype));
    for (int axis = 0; axis < r->rank; axis++) {
        const line *l = &r->lines[axis];
        const int at = node_dim(layout, r->rank, axis);
        if (!changes(r, l))
            continue;
        x = r->filter == NEAREST ? nearest(n, r, l, x, at) : weighted(n, r, l, x, at);
        if (!(x = with_outside(n, r, l, x, at)))
            return false;
    }
    return ort_put(n, 0, x, layout);
}

static bool resize(ort_node *n, int scales)
{
    resizing r;
    int first;
    if (!read_resizing(n, scales, &r))
        return false;
    return is_of_images(&r, &first) ? resize_images(n, &r, first) : resize_lines(n, &r);
}

/* Before operator set 11 scales were operand 1. */
bool ort_op_resize(ort_node *n) { return resize(n, n->since < 11 ? 1 : 2); }
bool ort_op_upsample(ort_node *n) { return resize(n, 1); }

/* ---- GridSample ---- */

bool ort_op_grid_sample(ort_node *n)
{
    const char *mode = ort_text(n, "mode", "linear"), *around = ort_text(n, "padding_mode", "zeros");
    const node_sampler s = {
        .sampling = strcmp(mode, "nearest") == 0 ? SAMPLING_NEAREST
                    : strstr(mode, "cubic")      ? SAMPLING_CUBIC
                                                 : SAMPLING_LINEAR,
        .around = strcmp(around, "zeros") == 0    ? AROUND_ZEROS
                  : strcmp(around, "border") == 0 ? AROUND_EDGE
                                                  : AROUND_MIRRORED,
        .corners = ort_int(n, "align_corners", 0),
    };
    ir_value *x = ort_in(n, 0, LAYOUT_LAST), *grid = x ? ort_plain(n, 1) : NULL;
    return grid && ort_put(n, 0, node_sampled(n, x, grid, &s), LAYOUT_LAST);
}

bool ort_op_affine_grid(ort_node *n)
{
    ir_value *theta = ort_plain(n, 0);
    int64_t size[5];
    int count;
    if (!theta || !ort_param_ints(n, 1, "size", 5, size, &count))
        return false;
    if (count < 4 || size[0] != theta->type.dims[0])
        return node_error(n, "a size of %d extents for the matrices given", count);
    return ort_put(n, 0, node_affine_grid(n, theta, count - 2, size + 2, ort_int(n, "align_corners", 0)), LAYOUT_PLAIN);
}
