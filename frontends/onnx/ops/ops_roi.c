/* ops_roi.c: RoiAlign: each region of an image as a small image.
 *
 *     regions [R, 4] ──▶ places y [R, rows], x [R, columns], of `ratio` samples along each bin
 *     images [N, H, W, C], one below the other ──sampled at the places of a region in its image──▶ [R, rows, columns, C]
 *                                              ──mean of each bin──▶ [R, output_height, output_width, C]
 *
 * A place within a pixel outside the image has the value at the edge, one farther away is 0. */
#include <string.h>

#include "frontends/node/node_sample.h"
#include "frontends/onnx/import.h"

enum { MOST_SAMPLES = 64, MOST_BINS = 1 << 12 };

typedef struct roi_align {
    int64_t regions, images, extent[2], bins[2], ratio; /* vertical, horizontal */
    float scale;
    bool half_pixel;
    ir_value *corners; /* [R, 4]: x, y, x, y, in pixels */
} roi_align;

static ir_value *with(ort_node *n, ir_opcode code, ir_value *x, float number)
{
    return node_binary(n, code, x, node_real(n, number));
}

static ir_value *column(ort_node *n, ir_value *x, int64_t index)
{
    const ir_type type = ir_type_make(x->type.dtype, 2, (int64_t[]){x->type.dims[0], 1});
    return ort_cut(n, x, (int64_t[]){0, index}, (int64_t[]){1, 1}, &type);
}

static bool read_roi(ort_node *n, const ir_value *x, const ir_value *regions, roi_align *r)
{
    const char *transformation = ort_text(n, "coordinate_transformation_mode", "half_pixel");
    r->half_pixel = n->since >= 16 && strcmp(transformation, "half_pixel") == 0;
    r->bins[0] = ort_int(n, "output_height", 1);
    r->bins[1] = ort_int(n, "output_width", 1);
    r->ratio = ort_int(n, "sampling_ratio", 0);
    r->scale = ort_float(n, "spatial_scale", 1);
    if (x->type.rank != 4 || regions->type.rank != 2 || regions->type.dims[1] != 4)
        return node_misfit(n, "the images must have four dimensions, and the regions be [regions, 4]");
    if (r->ratio < 1 || r->ratio > MOST_SAMPLES)
        return node_error(n, "a sampling_ratio of %lld is not supported: how many samples a bin has must be said",
                          (long long)r->ratio);
    if (r->bins[0] < 1 || r->bins[0] > MOST_BINS || r->bins[1] < 1 || r->bins[1] > MOST_BINS)
        return node_error(n, "an output of %lld x %lld bins", (long long)r->bins[0], (long long)r->bins[1]);
    r->images = x->type.dims[0];
    r->extent[0] = x->type.dims[1];
    r->extent[1] = x->type.dims[2];
    r->regions = regions->type.dims[0];
    return true;
}

/* Places [R, bins * ratio] along a dimension, 0 the vertical one, and where they are near enough to count (bool). */
static bool places_along(ort_node *n, const roi_align *r, int dimension, ir_value **places, ir_value **near)
{
    const int64_t count = r->bins[dimension] * r->ratio;
    float *at = ARENA_ARRAY(n->model->graph->arena, float, count + 1);
    for (int64_t i = 0; i < count; i++)
        at[i] = ((float)i + 0.5f) / (float)r->ratio;
    ir_value *start = column(n, r->corners, 1 - dimension), *end = column(n, r->corners, 3 - dimension);
    ir_value *size = node_binary(n, IR_SUB, end, start);
    if (!r->half_pixel)
        size = with(n, IR_MAXIMUM, size, 1);
    size = with(n, IR_MUL, size, 1 / (float)r->bins[dimension]);
    ir_value *x =
        node_binary(n, IR_ADD, node_binary(n, IR_MUL, size, node_reals(n, 2, (int64_t[]){1, count}, at)), start);
    if (!x)
        return false;
    ir_value *above = node_done_quant(n, node_emit2(n, IR_GREATER_EQUAL, x, node_real(n, -1)), IR_BOOL, NULL);
    ir_value *below =
        node_done_quant(n, node_emit2(n, IR_LESS_EQUAL, x, node_real(n, (float)r->extent[dimension])), IR_BOOL, NULL);
    *places = with(n, IR_MINIMUM, with(n, IR_MAXIMUM, x, 0), (float)(r->extent[dimension] - 1));
    *near = above && below ? node_done_quant(n, node_emit2(n, IR_LOGICAL_AND, above, below), IR_BOOL, NULL) : NULL;
    return *places && *near;
}

/* Vertical [R, rows] and horizontal [R, columns] as [R, rows, columns, 1], each the same along the other dimension. */
static bool spread(ort_node *n, const roi_align *r, ir_value *both[2])
{
    const int64_t rows = r->bins[0] * r->ratio, columns = r->bins[1] * r->ratio;
    const int64_t shape[2][4] = {{r->regions, rows, 1, 1}, {r->regions, 1, columns, 1}};
    for (int i = 0; i < 2; i++) {
        ir_value *v = node_reshaped(n, both[i], 4, shape[i]);
        const ir_type all = ir_type_make(both[i]->type.dtype, 4, (int64_t[]){r->regions, rows, columns, 1});
        both[i] = v ? node_typed(n, node_emit1(n, IR_BROADCAST, v), all, NULL) : NULL;
        if (!both[i])
            return false;
    }
    return true;
}

/* [1, R * rows, columns, 2]: x and y of the samples among the images one below the other; *counts [R, rows, columns, 1]. */
static ir_value *places_of(ort_node *n, const roi_align *r, ir_value *image, ir_value **counts)
{
    ir_value *places[2], *near[2];
    if (!places_along(n, r, 0, &places[0], &near[0]) || !places_along(n, r, 1, &places[1], &near[1]))
        return NULL;
    if (r->images > 1) { /* else every region is of the one image */
        image = node_reshaped(n, image, 2, (int64_t[]){r->regions, 1});
        image = image ? node_done_quant(n, node_emit1(n, IR_CAST, image), IR_F32, NULL) : NULL;
        places[0] = node_binary(n, IR_ADD, places[0], with(n, IR_MUL, image, (float)r->extent[0]));
    }
    if (!places[0] || !spread(n, r, places) || !spread(n, r, near))
        return NULL;
    ir_op *op = node_emit2(n, IR_LOGICAL_AND, near[0], near[1]);
    ir_value *both = node_done_quant(n, op, IR_BOOL, NULL);
    *counts = both ? node_done_quant(n, node_emit1(n, IR_CAST, both), IR_F32, NULL) : NULL;
    op = node_emit2(n, IR_CONCAT, places[1], places[0]);
    ir_set_int(op, IR_ATTR_AXIS, 3);
    ir_value *grid = node_done(n, op);
    return *counts && grid
               ? node_reshaped(n, grid, 4, (int64_t[]){1, r->regions * r->bins[0] * r->ratio, r->bins[1] * r->ratio, 2})
               : NULL;
}

bool ort_op_roi_align(ort_node *n)
{
    static const node_sampler sampler = {SAMPLING_LINEAR, AROUND_EDGE, .pixels = true};
    roi_align r = {0};
    ir_value *x = ort_in(n, 0, LAYOUT_LAST), *regions = x ? ort_plain(n, 1) : NULL,
             *image = regions ? ort_plain(n, 2) : NULL;
    ir_value *counts;
    if (!image || !read_roi(n, x, regions, &r))
        return false;
    if (ir_type_elements(&image->type) != r.regions)
        return node_misfit(n, "%lld numbers of images for %lld regions", (long long)ir_type_elements(&image->type),
                           (long long)r.regions);
    r.corners = with(n, IR_MUL, regions, r.scale);
    r.corners = r.half_pixel ? with(n, IR_SUB, r.corners, 0.5f) : r.corners;
    const int64_t depth = x->type.dims[3];
    ir_value *grid = r.corners ? places_of(n, &r, image, &counts) : NULL;
    x = node_reshaped(n, x, 4, (int64_t[]){1, r.images * r.extent[0], r.extent[1], depth});
    ir_value *y = grid && x ? node_sampled(n, x, grid, &sampler) : NULL;
    if (!y)
        return false;
    y = node_reshaped(n, y, 4, (int64_t[]){r.regions, r.bins[0] * r.ratio, r.bins[1] * r.ratio, depth});
    y = node_binary(n, IR_MUL, y, counts);
    const int64_t split[] = {r.regions * r.bins[0], r.ratio, r.bins[1], r.ratio * depth};
    y = node_reshaped(n, y, 4, split);
    y = y ? ort_reduced(n, IR_MEAN, y, 1, (int64_t[]){1}, false) : NULL;
    y = node_reshaped(n, y, 4, (int64_t[]){r.regions * r.bins[0], r.bins[1], r.ratio, depth});
    y = y ? ort_reduced(n, IR_MEAN, y, 1, (int64_t[]){2}, false) : NULL;
    return y && ort_put(n, 0, node_reshaped(n, y, 4, (int64_t[]){r.regions, r.bins[0], r.bins[1], depth}), LAYOUT_LAST);
}
