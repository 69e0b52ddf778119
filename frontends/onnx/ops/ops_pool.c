/* ops_pool.c: pools that the IR has no op for, one dimension at a time: over three and more dimensions, with taps apart
 * (dilation), and of norms (LpPool).
 *
 *     [outer, extent, inner] ──pad──▶ ──slice, once for each tap──▶ the sum or the largest [outer, windows, inner]
 *
 * The largest of a box is the largest of the lines' largest; a mean is the sum of the lines' sums over how many taps count,
 * which is a product of numbers for each dimension. */
#include <math.h>
#include <string.h>

#include "frontends/onnx/import.h"

enum { MAX_TAPS = 64, MAX_SPATIAL = IR_MAX_RANK - 2 };

/* Windows along one dimension. */
typedef struct line {
    int64_t extent, taps, stride, dilation, before, after;
    int64_t windows;
    int64_t last; /* elements added behind, for windows that reach further than `after` */
} line;

typedef enum pool { LARGEST, AVERAGE, NORM } pool;

/* With ceil_mode one more window, unless it would start behind the image. */
static bool count_windows(ort_node *n, line *l, bool up)
{
    const int64_t covered = (l->taps - 1) * l->dilation + 1, room = l->extent + l->before + l->after - covered;
    if (l->before < 0 || l->after < 0 || l->before > 1 << 20 || l->after > 1 << 20 || room < 0)
        return node_misfit(n, "the window does not fit the image");
    l->windows = room / l->stride + 1;
    if (up && room % l->stride && l->windows * l->stride < l->extent + l->before)
        l->windows++;
    const int64_t reach = (l->windows - 1) * l->stride + covered - l->before - l->extent;
    l->last = reach > 0 ? reach : 0;
    return true;
}

static bool read_lines(ort_node *n, const ir_type *shape, line lines[])
{
    const int spatial = shape->rank - 2;
    int64_t taps[MAX_SPATIAL], strides[MAX_SPATIAL], dilations[MAX_SPATIAL], pads[2 * MAX_SPATIAL] = {0};
    int count = 0;
    if (!ort_counts(n, "kernel_shape", spatial, MAX_TAPS, taps) ||
        !ort_counts(n, "strides", spatial, 1 << 20, strides) ||
        !ort_counts(n, "dilations", spatial, 1 << 20, dilations) || !ort_ints(n, "pads", 2 * spatial, pads, &count))
        return false;
    if (count && count != 2 * spatial)
        return node_error(n, "attribute pads has %d numbers, expected %d", count, 2 * spatial);
    const bool up = ort_int(n, "ceil_mode", 0);
    for (int i = 0; i < spatial; i++) {
        line *l = &lines[i];
        *l = (line){.extent = shape->dims[2 + i], .taps = taps[i], .stride = strides[i], .dilation = dilations[i]};
        l->before = count ? pads[i] : 0;
        l->after = count ? pads[spatial + i] : 0;
        if (!ort_auto_pad(n, l->extent, (l->taps - 1) * l->dilation + 1, l->stride, &l->before, &l->after) ||
            !count_windows(n, l, up))
            return false;
    }
    return true;
}

/* The elements with those around them that windows reach; x [outer, extent, inner]. */
static ir_value *surrounded(ort_node *n, ir_value *x, const line *l, float fill)
{
    if (!x || (!l->before && !l->last))
        return x;
    ir_op *op = node_emit1(n, IR_PAD, x);
    ir_set_ints(op, IR_ATTR_BEFORE, 3, (int64_t[]){0, l->before, 0});
    ir_set_ints(op, IR_ATTR_AFTER, 3, (int64_t[]){0, l->last, 0});
    ir_set_float(op, IR_ATTR_VALUE, fill);
    return node_done(n, op);
}

static ir_value *pooled_line(ort_node *n, ir_value *x, const line *l, bool largest)
{
    ir_value *y = NULL;
    x = surrounded(n, x, l, largest ? -HUGE_VALF : 0);
    for (int64_t tap = 0; x && tap < l->taps; tap++) {
        const int64_t begin[] = {0, tap * l->dilation, 0}, step[] = {1, l->stride, 1};
        ir_type type = x->type;
        type.dims[1] = l->windows;
        ir_value *of_tap = ort_cut(n, x, begin, step, &type);
        y = !y ? of_tap : node_binary(n, largest ? IR_MAXIMUM : IR_ADD, y, of_tap);
        if (!y)
            return NULL;
    }
    return y;
}

/* Along dimension 1 + i of x, whose channels are last. */
static ir_value *pooled_along(ort_node *n, ir_value *x, int i, const line *l, bool largest)
{
    if (!x)
        return NULL;
    ir_type type = x->type;
    int64_t outer = 1, inner = 1;
    for (int d = 0; d < type.rank; d++)
        if (d != 1 + i)
            *(d < 1 + i ? &outer : &inner) *= type.dims[d];
    x = pooled_line(n, node_reshaped(n, x, 3, (int64_t[]){outer, type.dims[1 + i], inner}), l, largest);
    type.dims[1 + i] = l->windows;
    return node_reshaped(n, x, type.rank, type.dims);
}

/* How many taps of each window count, along dimension 1 + i of values of `rank` dimensions. */
static ir_value *counts_of(ort_node *n, const line *l, int i, int rank, bool with_padding)
{
    const int64_t first = with_padding ? -l->before : 0, end = l->extent + (with_padding ? l->after : 0);
    int64_t dims[IR_MAX_RANK];
    if (!model_charge(n->model, &n->loc, l->windows * 4))
        return NULL;
    float *counts = ARENA_ARRAY(n->model->graph->arena, float, l->windows + 1);
    for (int64_t w = 0; w < l->windows; w++)
        for (int64_t tap = 0; tap < l->taps; tap++) {
            const int64_t at = w * l->stride + tap * l->dilation - l->before;
            counts[w] += at >= first && at < end;
        }
    for (int d = 0; d < rank; d++)
        dims[d] = d == 1 + i ? l->windows : 1;
    return node_reals(n, rank, dims, counts);
}

static ir_value *raised(ort_node *n, ir_value *x, int64_t p)
{
    x = p % 2 ? node_unary(n, IR_ABS, x) : x;
    return p == 1 ? x : p == 2 ? node_binary(n, IR_MUL, x, x) : node_binary(n, IR_POW, x, node_real(n, (float)p));
}

static ir_value *root(ort_node *n, ir_value *x, int64_t p)
{
    return p == 1 ? x : p == 2 ? node_unary(n, IR_SQRT, x) : node_binary(n, IR_POW, x, node_real(n, 1 / (float)p));
}

static ir_value *pooled(ort_node *n, ir_value *x, pool kind, const line lines[])
{
    const int64_t p = kind == NORM ? ort_int(n, "p", 2) : 1;
    const bool with_padding = kind == AVERAGE && ort_int(n, "count_include_pad", 0);
    if (p < 1 || p > 1 << 10) {
        node_error(n, "a norm of order %lld", (long long)p);
        return NULL;
    }
    x = kind == NORM ? raised(n, x, p) : x;
    for (int i = 0; x && i < x->type.rank - 2; i++) {
        x = pooled_along(n, x, i, &lines[i], kind == LARGEST);
        if (x && kind == AVERAGE)
            x = node_binary(n, IR_DIV, x, counts_of(n, &lines[i], i, x->type.rank, with_padding));
    }
    return kind == NORM ? root(n, x, p) : x;
}

static bool pool_by_lines(ort_node *n, pool kind)
{
    ir_value *x = ort_in(n, 0, LAYOUT_LAST);
    line lines[MAX_SPATIAL];
    ir_type shape;
    if (!x || !ort_shape(n, 0, &shape))
        return false;
    if (shape.rank < 3 || x->type.dtype != IR_F32)
        return node_error(n, "pools over %d dimensions of type %s are not supported", shape.rank - 2,
                          ir_dtype_text(x->type.dtype));
    return read_lines(n, &shape, lines) && ort_put(n, 0, pooled(n, x, kind, lines), LAYOUT_LAST);
}

bool ort_op_lp_pool(ort_node *n) { return pool_by_lines(n, NORM); }

/* Whether the IR's pools have what a pool asks for. */
static bool is_plain(ort_node *n, const ir_type *shape)
{
    int64_t dilations[IR_MAX_RANK] = {1, 1};
    int count = 0;
    return !ort_ints(n, "dilations", IR_MAX_RANK, dilations, &count) ||
           (shape->rank < 5 && dilations[0] == 1 && dilations[1] == 1);
}

bool ort_op_pool(ort_node *n)
{
    ir_type shape;
    if (!ort_shape(n, 0, &shape))
        return false;
    return is_plain(n, &shape) ? ort_plain_pool(n)
                               : pool_by_lines(n, n->entry->code == IR_AVG_POOL2D ? AVERAGE : LARGEST);
}

/* The root of the sum of all pixels' powers. */
bool ort_op_global_lp_pool(ort_node *n)
{
    ir_value *x = ort_in(n, 0, LAYOUT_LAST);
    const int64_t p = ort_int(n, "p", 2);
    int64_t axes[IR_MAX_RANK];
    if (!x)
        return false;
    if (x->type.rank < 3 || p < 1 || p > 1 << 10)
        return node_error(n, "%d dimensions, a norm of order %lld", x->type.rank, (long long)p);
    for (int i = 1; i < x->type.rank - 1; i++)
        axes[i - 1] = i;
    x = ort_reduced(n, IR_SUM, raised(n, x, p), x->type.rank - 2, axes, true);
    return ort_put(n, 0, root(n, x, p), LAYOUT_LAST);
}
