/* ops_detect.c: what networks that find objects make boxes with, as arithmetic on whole rows.
 *
 * Boxes are [..., 4], the last dimension's parts x and y of one corner and of the other; columns of it are slices [..., 1]. */
#include <math.h>
#include <string.h>

#include "frontends/node/node_recurrent.h"
#include "frontends/node/node_sample.h"
#include "frontends/paddle/import.h"

static ir_value *times(paddle_node *n, ir_value *a, ir_value *b) { return node_binary(n, IR_MUL, a, b); }
static ir_value *plus(paddle_node *n, ir_value *a, ir_value *b) { return node_binary(n, IR_ADD, a, b); }
static ir_value *minus(paddle_node *n, ir_value *a, ir_value *b) { return node_binary(n, IR_SUB, a, b); }

/* Columns from..from + count of the last dimension. */
static ir_value *columns(paddle_node *n, ir_value *v, int64_t from, int64_t count)
{
    int64_t begin[IR_MAX_RANK] = {0}, dims[IR_MAX_RANK];
    if (!v)
        return NULL;
    memcpy(dims, v->type.dims, sizeof dims);
    begin[v->type.rank - 1] = from;
    dims[v->type.rank - 1] = count;
    return paddle_sliced(n, v, begin, dims);
}

/* Corners, `less` of the second taken away, of boxes of these middles and sizes [..., 2]. */
static ir_value *corners(paddle_node *n, ir_value *middle, ir_value *size, float less, ir_value *out[2])
{
    ir_value *half = times(n, size, node_real(n, 0.5f));
    out[0] = minus(n, middle, half);
    out[1] = plus(n, middle, half);
    if (less != 0)
        out[1] = minus(n, out[1], node_real(n, less));
    return out[1];
}

/* ---- yolo_box ---- */

enum { MAX_ANCHORS = 64 };

typedef struct yolo {
    int64_t images, anchors, height, width, classes;
    int64_t sizes[2 * MAX_ANCHORS]; /* of anchors, in pixels: width, height */
    bool iou_aware;                 /* a channel for each anchor, its overlap, is in front of all others */
    ir_value *image;                /* [N, 1, 1, 1, 2]: width and height of images, real */
} yolo;

/* [N, 1, 1, 1, 2] of [N, 2], whose height comes first. */
static ir_value *image_sizes(paddle_node *n, const yolo *y)
{
    ir_value *sizes = paddle_plain(n, "ImgSize");
    if (!sizes)
        return NULL;
    if (sizes->type.rank != 2 || sizes->type.dims[0] != y->images || sizes->type.dims[1] != 2) {
        node_error(n, "operand ImgSize must be two numbers for each image");
        return NULL;
    }
    if (!(sizes = paddle_cast(n, sizes, IR_F32)))
        return NULL;
    ir_value *parts[] = {columns(n, sizes, 1, 1), columns(n, sizes, 0, 1)};
    return node_reshaped(n, parts[0] && parts[1] ? node_joined(n, 2, parts, 1) : NULL, 5,
                         (int64_t[]){y->images, 1, 1, 1, 2});
}

static bool read_yolo(paddle_node *n, const ir_value *x, yolo *y)
{
    int count;
    if (!paddle_ints(n, "anchors", 2 * MAX_ANCHORS, y->sizes, &count))
        return false;
    y->classes = paddle_int(n, "class_num", 0);
    y->anchors = count / 2;
    y->iou_aware = paddle_int(n, "iou_aware", 0);
    if (x->type.rank != 4 || count < 2 || count % 2 || y->classes < 1 || y->classes > 1 << 20 ||
        x->type.dims[1] != y->anchors * (5 + y->classes + y->iou_aware))
        return node_error(n, "%d numbers of anchors and %lld classes don't fit the operand", count,
                          (long long)y->classes);
    y->images = x->type.dims[0];
    y->height = x->type.dims[2];
    y->width = x->type.dims[3];
    return (y->image = image_sizes(n, y)) != NULL;
}

/* Where each cell begins, [1, 1, H, W, 2], `shift` added. */
static ir_value *cells(paddle_node *n, const yolo *y, float shift)
{
    const int64_t dims[] = {1, 1, y->height, y->width, 2};
    float *at = ARENA_ARRAY(n->model->graph->arena, float, y->height * y->width * 2 + 1);
    for (int64_t i = 0; i < y->height * y->width; i++) {
        at[2 * i] = (float)(i % y->width) + shift;
        at[2 * i + 1] = (float)(i / y->width) + shift;
    }
    return node_reals(n, 5, dims, at);
}

/* rows: [N, A, H, W, 5 + classes]. */
static bool yolo_corners(paddle_node *n, const yolo *y, ir_value *rows, ir_value *out[2])
{
    const float scale = paddle_float(n, "scale_x_y", 1), ratio = (float)paddle_int(n, "downsample_ratio", 32);
    const int64_t anchor_dims[] = {1, y->anchors, 1, 1, 2};
    float grid[2] = {1 / (float)y->width, 1 / (float)y->height}, anchors[2 * MAX_ANCHORS];
    if (!(ratio >= 1))
        return node_error(n, "downsample_ratio %g is out of range", (double)ratio);
    for (int64_t i = 0; i < 2 * y->anchors; i++)
        anchors[i] = (float)y->sizes[i] * grid[i % 2] / ratio;
    ir_value *middle = columns(n, rows, 0, 2), *size = columns(n, rows, 2, 2);
    middle = times(n, node_unary(n, IR_LOGISTIC, middle), node_real(n, scale));
    middle = times(n, plus(n, middle, cells(n, y, -0.5f * (scale - 1))),
                   times(n, y->image, node_reals(n, 1, (int64_t[]){2}, grid)));
    size = times(n, node_unary(n, IR_EXP, size), times(n, y->image, node_reals(n, 5, anchor_dims, anchors)));
    if (!corners(n, middle, size, 0, out) || !out[0])
        return false;
    if (paddle_int(n, "clip_bbox", 1)) {
        out[0] = node_binary(n, IR_MAXIMUM, out[0], node_real(n, 0));
        out[1] = node_binary(n, IR_MINIMUM, out[1], minus(n, y->image, node_real(n, 1)));
    }
    return out[0] && out[1];
}

/* 0 where the object is less likely than the threshold: Paddle leaves such rows out. */
static ir_value *where_likely(paddle_node *n, ir_value *unlikely, ir_value *v)
{
    if (!unlikely || !v)
        return NULL;
    return node_done_quant(n, node_emit(n, IR_SELECT, 3, (ir_value *[]){unlikely, node_real(n, 0), v}), IR_F32, NULL);
}

/* Channels from..from + count of x [N, C, H, W] as [N, A, H, W, count / A]. */
static ir_value *rows_of(paddle_node *n, const yolo *y, ir_value *x, int64_t from, int64_t count)
{
    const int64_t begin[] = {0, from, 0, 0}, dims[] = {y->images, count, y->height, y->width};
    ir_value *part = count == x->type.dims[1] ? x : paddle_sliced(n, x, begin, dims);
    part = node_reshaped(n, part, 5, (int64_t[]){y->images, y->anchors, count / y->anchors, y->height, y->width});
    return node_transposed(n, part, (int64_t[]){0, 1, 3, 4, 2});
}

/* How likely there is an object, [N, A, H, W, 1]: with overlaps object^(1 - factor) * overlap^factor. */
static ir_value *likelihood(paddle_node *n, const yolo *y, ir_value *x, ir_value *rows)
{
    const float factor = paddle_float(n, "iou_aware_factor", 0.5f);
    ir_value *object = node_unary(n, IR_LOGISTIC, columns(n, rows, 4, 1));
    if (!y->iou_aware || !object)
        return object;
    ir_value *overlap = node_unary(n, IR_LOGISTIC, rows_of(n, y, x, 0, y->anchors));
    return times(n, node_binary(n, IR_POW, object, node_real(n, 1 - factor)),
                 node_binary(n, IR_POW, overlap, node_real(n, factor)));
}

bool paddle_op_yolo_box(paddle_node *n)
{
    yolo y;
    ir_value *x = paddle_plain(n, "X"), *both[2];
    if (!x || !read_yolo(n, x, &y))
        return false;
    const int64_t boxes = y.anchors * y.height * y.width;
    ir_value *rows = rows_of(n, &y, x, y.iou_aware ? y.anchors : 0, y.anchors * (5 + y.classes));
    if (!rows || !yolo_corners(n, &y, rows, both))
        return false;
    ir_value *object = likelihood(n, &y, x, rows), *classes = columns(n, rows, 5, y.classes);
    if (!object || !classes)
        return false;
    ir_value *unlikely = node_done_quant(
        n, node_emit2(n, IR_LESS, object, node_real(n, paddle_float(n, "conf_thresh", 0.01f))), IR_BOOL, NULL);
    ir_value *found = where_likely(n, unlikely, node_joined(n, 2, both, 4));
    ir_value *scores = where_likely(n, unlikely, times(n, object, node_unary(n, IR_LOGISTIC, classes)));
    if (!found || !scores)
        return false;
    return paddle_put(n, "Boxes", node_reshaped(n, found, 3, (int64_t[]){y.images, boxes, 4}), LAYOUT_PLAIN) &&
           paddle_put(n, "Scores", node_reshaped(n, scores, 3, (int64_t[]){y.images, boxes, y.classes}), LAYOUT_PLAIN);
}

/* ---- box_coder ---- */

/* [M, 4] or 4 numbers as [1, M, 4], with axis 1 as [M, 1, 4]. */
static ir_value *facing(paddle_node *n, ir_value *v, int64_t axis)
{
    if (!v)
        return NULL;
    if (v->type.rank != 2 || v->type.dims[1] != 4) {
        node_error(n, "boxes and their variances must be [boxes, 4]");
        return NULL;
    }
    return node_reshaped(n, v, 3, (int64_t[]){axis ? v->type.dims[0] : 1, axis ? 1 : v->type.dims[0], 4});
}

/* What deltas are multiplied by: an operand, an attribute, or 1. */
static bool variances(paddle_node *n, int64_t axis, ir_value **out)
{
    float given[4] = {1, 1, 1, 1};
    int64_t count = 0;
    if (!paddle_floats(n, "variance", 4, given, &count))
        return false;
    if (paddle_count(n, "PriorBoxVar"))
        return (*out = facing(n, paddle_plain(n, "PriorBoxVar"), axis)) != NULL;
    if (count != 0 && count != 4)
        return node_error(n, "attribute variance has %lld numbers, expected 4", (long long)count);
    return (*out = node_reals(n, 1, (int64_t[]){4}, given)) != NULL;
}

/* Sizes [..., 2] of boxes [..., 4]. */
static ir_value *sizes_of(paddle_node *n, ir_value *boxes, float wider)
{
    ir_value *size = minus(n, columns(n, boxes, 2, 2), columns(n, boxes, 0, 2));
    return wider != 0 ? plus(n, size, node_real(n, wider)) : size;
}

static ir_value *middles_of(paddle_node *n, ir_value *boxes, ir_value *size)
{
    return plus(n, columns(n, boxes, 0, 2), times(n, size, node_real(n, 0.5f)));
}

/* target [N, 4] and prior [1, M, 4] -> [N, M, 4]: how far apart middles are, in sizes of the prior, and the logarithm of the
 * ratio of sizes.  Where the last pixel counts, it does not for middles of targets. */
static ir_value *encoded(paddle_node *n, ir_value *target, ir_value *prior, float wider)
{
    ir_value *boxes = node_reshaped(n, target, 3, (int64_t[]){target->type.dims[0], 1, 4});
    ir_value *size = sizes_of(n, boxes, wider), *prior_size = sizes_of(n, prior, wider);
    ir_value *middle = times(n, plus(n, columns(n, boxes, 2, 2), columns(n, boxes, 0, 2)), node_real(n, 0.5f));
    ir_value *both[] = {
        node_binary(n, IR_DIV, minus(n, middle, middles_of(n, prior, prior_size)), prior_size),
        node_unary(n, IR_LOG, node_unary(n, IR_ABS, node_binary(n, IR_DIV, size, prior_size))),
    };
    return both[0] && both[1] ? node_joined(n, 2, both, 2) : NULL;
}

static bool encode(paddle_node *n, ir_value *target, float wider)
{
    ir_value *scale;
    if (target->type.rank != 2 || target->type.dims[1] != 4)
        return node_error(n, "boxes to encode must be [N, 4]");
    ir_value *prior = facing(n, paddle_plain(n, "PriorBox"), 0);
    if (!prior || !variances(n, 0, &scale))
        return false;
    return paddle_put(n, "OutputBox", node_binary(n, IR_DIV, encoded(n, target, prior, wider), scale), LAYOUT_PLAIN);
}

static bool decode(paddle_node *n, ir_value *target, float wider)
{
    const int64_t axis = paddle_int(n, "axis", 0);
    ir_value *scale = NULL, *both[2];
    if (target->type.rank != 3 || target->type.dims[2] != 4 || (axis != 0 && axis != 1))
        return node_error(n, "deltas must be [N, boxes, 4], and the axis of boxes 0 or 1");
    ir_value *prior = facing(n, paddle_plain(n, "PriorBox"), axis);
    if (!prior || !variances(n, axis, &scale))
        return false;
    ir_value *deltas = times(n, target, scale), *growth = columns(n, deltas, 2, 2), *size = sizes_of(n, prior, wider);
    ir_value *middle = plus(n, times(n, columns(n, deltas, 0, 2), size), middles_of(n, prior, size));
    size = times(n, node_unary(n, IR_EXP, growth), size);
    return corners(n, middle, size, wider, both) &&
           paddle_put(n, "OutputBox", node_joined(n, 2, both, 2), LAYOUT_PLAIN);
}

bool paddle_op_box_coder(paddle_node *n)
{
    const float wider = paddle_int(n, "box_normalized", 1) ? 0 : 1;
    const char *type = paddle_text(n, "code_type", "encode_center_size");
    ir_value *target = paddle_plain(n, "TargetBox");
    if (!target)
        return false;
    if (strcmp(type, "decode_center_size") == 0)
        return decode(n, target, wider);
    return strcmp(type, "encode_center_size") == 0 ? encode(n, target, wider)
                                                   : node_error(n, "a code_type '%s' is not supported", type);
}

/* ---- prior_box: constants that follow from extents ---- */

enum { MAX_SIZES = 64 };

typedef struct priors {
    float least[MAX_SIZES], most[MAX_SIZES], given[MAX_SIZES], ratio[2 * MAX_SIZES + 1], variance[4];
    int64_t least_count, most_count, given_count, ratio_count, variance_count;
    float half[MAX_SIZES * (2 * MAX_SIZES + 2)][2]; /* of each box of a cell: half its width and height */
    int64_t count;
} priors;

/* 1, then what is given and is not there yet, and turned round. */
static void expand_ratios(priors *p, bool flip)
{
    p->ratio[p->ratio_count++] = 1;
    for (int64_t i = 0; i < p->given_count; i++) {
        bool there = false;
        for (int64_t k = 0; k < p->ratio_count; k++)
            there |= fabsf(p->given[i] - p->ratio[k]) < 1e-6f;
        if (there)
            continue;
        p->ratio[p->ratio_count++] = p->given[i];
        if (flip)
            p->ratio[p->ratio_count++] = 1 / p->given[i];
    }
}

static void add_prior(priors *p, float width, float height)
{
    p->half[p->count][0] = width / 2;
    p->half[p->count++][1] = height / 2;
}

/* All boxes of a cell; size by size, in one order or the other. */
static void add_priors(priors *p, bool extremes_first)
{
    for (int64_t i = 0; i < p->least_count; i++) {
        const float size = p->least[i], between = i < p->most_count ? sqrtf(size * p->most[i]) : 0;
        if (extremes_first) {
            add_prior(p, size, size);
            if (p->most_count)
                add_prior(p, between, between);
        }
        for (int64_t k = 0; k < p->ratio_count; k++)
            if (!extremes_first || fabsf(p->ratio[k] - 1) >= 1e-6f)
                add_prior(p, size * sqrtf(p->ratio[k]), size / sqrtf(p->ratio[k]));
        if (!extremes_first && p->most_count)
            add_prior(p, between, between);
    }
}

static bool read_priors(paddle_node *n, priors *p)
{
    if (!paddle_floats(n, "min_sizes", MAX_SIZES, p->least, &p->least_count) ||
        !paddle_floats(n, "max_sizes", MAX_SIZES, p->most, &p->most_count) ||
        !paddle_floats(n, "aspect_ratios", MAX_SIZES, p->given, &p->given_count) ||
        !paddle_floats(n, "variances", 4, p->variance, &p->variance_count))
        return false;
    bool sound = p->least_count && (!p->most_count || p->most_count == p->least_count) && p->variance_count == 4;
    for (int64_t i = 0; i < p->given_count; i++)
        sound &= p->given[i] > 0;
    if (!sound)
        return node_error(n, "%lld smallest and %lld largest sizes with %lld variances are not supported",
                          (long long)p->least_count, (long long)p->most_count, (long long)p->variance_count);
    expand_ratios(p, paddle_int(n, "flip", 0));
    add_priors(p, paddle_int(n, "min_max_aspect_ratios_order", 0));
    return true;
}

bool paddle_op_prior_box(paddle_node *n)
{
    ir_value *x = paddle_in(n, "Input", 0, LAYOUT_LAST), *image = x ? paddle_in(n, "Image", 0, LAYOUT_LAST) : NULL;
    arena *a = n->model->graph->arena;
    priors *p = ARENA_NEW(a, priors);
    if (!image || !read_priors(n, p))
        return false;
    if (x->type.rank != 4 || image->type.rank != 4)
        return node_error(n, "features and images must have four dimensions");
    const int64_t extent[2] = {x->type.dims[2], x->type.dims[1]}, dims[] = {extent[1], extent[0], p->count, 4};
    const ir_type type = ir_type_make(IR_F32, 4, dims);
    if (!ir_type_valid(&type) || !model_charge(n->model, &n->loc, 2 * (int64_t)ir_type_bytes(&type)))
        return n->model->diag->failed ? false : node_error(n, "the result is too large");
    const float steps[2] = {paddle_float(n, "step_w", 0), paddle_float(n, "step_h", 0)},
                offset = paddle_float(n, "offset", 0.5f);
    const bool clip = paddle_int(n, "clip", 0);
    float *boxes = ARENA_ARRAY(a, float, ir_type_elements(&type) + 1),
          *all = ARENA_ARRAY(a, float, ir_type_elements(&type) + 1);
    for (int64_t i = 0; i < ir_type_elements(&type); i++) {
        const int64_t prior = i / 4 % p->count, cell = i / 4 / p->count;
        const int side = (int)(i % 2); /* 0: x */
        const float pixels = (float)image->type.dims[side ? 1 : 2];
        const float step = steps[0] == 0 || steps[1] == 0 ? pixels / (float)extent[side] : steps[side];
        const float middle = ((float)(side ? cell / extent[0] : cell % extent[0]) + offset) * step;
        const float at = (i % 4 < 2 ? middle - p->half[prior][side] : middle + p->half[prior][side]) / pixels;
        boxes[i] = clip ? fminf(fmaxf(at, 0), 1) : at;
        all[i] = p->variance[i % 4];
    }
    return paddle_put(n, "Boxes", node_reals(n, 4, dims, boxes), LAYOUT_PLAIN) &&
           paddle_put(n, "Variances", node_reals(n, 4, dims, all), LAYOUT_PLAIN);
}

/* ---- Sampling ---- */

bool paddle_op_grid_sampler(paddle_node *n)
{
    const char *around = paddle_text(n, "padding_mode", "zeros");
    const node_sampler s = {
        .sampling = strcmp(paddle_text(n, "mode", "bilinear"), "nearest") == 0 ? SAMPLING_NEAREST : SAMPLING_LINEAR,
        .around = strcmp(around, "zeros") == 0    ? AROUND_ZEROS
                  : strcmp(around, "border") == 0 ? AROUND_EDGE
                                                  : AROUND_MIRRORED,
        .corners = paddle_int(n, "align_corners", 1),
    };
    ir_value *x = paddle_in(n, "X", 0, LAYOUT_LAST), *grid = x ? paddle_plain(n, "Grid") : NULL;
    return grid && paddle_put(n, "Output", node_sampled(n, x, grid, &s), LAYOUT_LAST);
}

bool paddle_op_affine_grid(paddle_node *n)
{
    ir_value *theta = paddle_plain(n, "Theta");
    int64_t size[IR_MAX_RANK];
    int count = 0;
    if (!theta || !paddle_numbers(n, "OutputShape", "output_shape", size, &count))
        return false;
    if (count < 4 || count > 5 || size[0] != theta->type.dims[0])
        return node_error(n, "an output_shape of %d extents for the matrices given", count);
    return paddle_put(n, "Output", node_affine_grid(n, theta, count - 2, size + 2, paddle_int(n, "align_corners", 1)),
                      LAYOUT_PLAIN);
}
