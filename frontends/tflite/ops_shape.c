/* ops_shape.c: operators that only regroup elements or compute shapes: reshape and its relatives, SHAPE, RANK,
 * RANGE, FILL, broadcasts. */
#include <math.h>
#include <string.h>

#include "frontends/tflite/import.h"

enum { MAX_RANGE = 1 << 20 }; /* elements of a RANGE */

/* ---- RESHAPE and its relatives ---- */

/* New extents from the parameter, else the options, else the file's shape of the result. */
static bool requested_shape(tflite_node *n, int64_t dims[], int *out_rank)
{
    if (tflite_has_input(n, 1))
        return tflite_param_ints(n, 1, "new shape", IR_MAX_RANK, dims, out_rank);
    fb_vector shape = fb_vec(n->options, RESHAPE_NEW_SHAPE, 4);
    tflite_tensor t;
    if (shape.count > IR_MAX_RANK)
        return node_error(n, "the new shape has %u dimensions, more than %d", shape.count, IR_MAX_RANK);
    *out_rank = (int)shape.count;
    for (uint32_t i = 0; i < shape.count; i++)
        dims[i] = fb_vec_i32(shape, i);
    if (shape.count == 1 && dims[0] == 0) /* old files write a scalar so, since no entries mean no shape */
        *out_rank = 0;
    if (shape.count)
        return true;
    if (!tflite_output_tensor(n, 0, &t))
        return false;
    *out_rank = t.type.rank;
    memcpy(dims, t.type.dims, sizeof t.type.dims);
    return true;
}

/* Fills in an extent of -1.  When the inputs' shapes were changed, a new shape that was written for the old batch has
 * the wrong number of elements: then its leading extent follows that of the operand, if that makes it fit. */
static bool complete_shape(tflite_node *n, const ir_type *x, int64_t dims[], int rank)
{
    int64_t product = 1, elements = ir_type_elements(x);
    int open = -1;
    for (int i = 0; i < rank; i++) {
        if (dims[i] == -1 && open < 0) {
            open = i;
            continue;
        }
        if (dims[i] < 0 || (dims[i] > 0 && product > IR_MAX_BYTES / dims[i]))
            return node_error(n, "the new shape has an impossible extent");
        product *= dims[i];
    }
    if (open < 0 && product != elements && n->model->reshaped && rank > 0 && dims[0] > 0 && x->rank > 0 &&
        product / dims[0] * x->dims[0] == elements) {
        dims[0] = x->dims[0];
        return true;
    }
    if (open >= 0 && product > 0 && elements % product == 0) {
        dims[open] = elements / product;
        return true;
    }
    if (open >= 0 && product == 0 && elements == 0) {
        dims[open] = 0;
        return true;
    }
    return (open < 0 && product == elements) ||
           node_misfit(n, "%lld elements don't fit the new shape", (long long)elements);
}

bool tflite_op_reshape(tflite_node *n)
{
    ir_value *x = tflite_input(n, 0);
    int64_t dims[IR_MAX_RANK];
    int rank;
    return x && requested_shape(n, dims, &rank) && complete_shape(n, &x->type, dims, rank) &&
           tflite_bind(n, 0, node_emit1(n, IR_RESHAPE, x), rank, dims);
}

bool tflite_op_squeeze(tflite_node *n)
{
    ir_value *x = tflite_input(n, 0);
    if (!x)
        return false;
    fb_vector given = fb_vec(n->options, SQUEEZE_DIMS, 4);
    bool drop[IR_MAX_RANK] = {false};
    for (uint32_t i = 0; i < given.count; i++) {
        int axis;
        if (!node_axis(n, fb_vec_i32(given, i), x->type.rank, &axis))
            return false;
        if (x->type.dims[axis] != 1)
            return node_error(n, "dimension %d has extent %lld and can't be dropped", axis,
                              (long long)x->type.dims[axis]);
        drop[axis] = true;
    }
    int64_t dims[IR_MAX_RANK];
    int rank = 0;
    for (int i = 0; i < x->type.rank; i++)
        if (!(given.count ? drop[i] : x->type.dims[i] == 1))
            dims[rank++] = x->type.dims[i];
    return tflite_bind(n, 0, node_emit1(n, IR_RESHAPE, x), rank, dims);
}

bool tflite_op_expand_dims(tflite_node *n)
{
    ir_value *x = tflite_input(n, 0);
    int64_t given, dims[IR_MAX_RANK];
    int axis;
    if (!x || !tflite_param_int(n, 1, "axis", &given))
        return false;
    int rank = x->type.rank + 1;
    if (rank > IR_MAX_RANK)
        return node_error(n, "the result has more than %d dimensions", IR_MAX_RANK);
    if (!node_axis(n, given, rank, &axis))
        return false;
    for (int i = 0; i < rank; i++)
        dims[i] = i < axis ? x->type.dims[i] : i == axis ? 1 : x->type.dims[i - 1];
    return tflite_bind(n, 0, node_emit1(n, IR_RESHAPE, x), rank, dims);
}

/* The constant was expanded when it was read. */
bool tflite_op_densify(tflite_node *n)
{
    ir_value *x = tflite_param(n, 0, "sparse tensor");
    return x && tflite_bind_value(n, 0, x);
}

/* ---- Shapes as values ---- */

static bool bind_integers(tflite_node *n, int rank, int64_t count, const int64_t values[])
{
    tflite_tensor t;
    if (!tflite_output_tensor(n, 0, &t))
        return false;
    if (t.type.dtype != IR_I32 && t.type.dtype != IR_I64)
        return node_error(n, "the result has type %s, expected integers", ir_dtype_text(t.type.dtype));
    return tflite_bind_value(n, 0, node_ints(n, t.type.dtype, rank, count, values));
}

bool tflite_op_shape(tflite_node *n)
{
    ir_value *x = tflite_input(n, 0);
    return x && bind_integers(n, 1, x->type.rank, x->type.dims);
}

bool tflite_op_rank(tflite_node *n)
{
    ir_value *x = tflite_input(n, 0);
    const int64_t rank = x ? x->type.rank : 0;
    return x && bind_integers(n, 0, 1, &rank);
}

bool tflite_op_range(tflite_node *n)
{
    ir_value *p[3];
    static const char *const what[3] = {"start", "limit", "step"};
    for (int i = 0; i < 3; i++) {
        if (!(p[i] = tflite_param(n, i, what[i])))
            return false;
        if (ir_type_elements(&p[i]->type) != 1 || p[i]->quant || p[i]->type.dtype != p[0]->type.dtype)
            return node_error(n, "start, limit and step must be single numbers of one type");
    }
    if (p[0]->type.dtype == IR_F32) {
        double start = ir_const_real(p[0], 0), limit = ir_const_real(p[1], 0), step = ir_const_real(p[2], 0);
        double count = ceil((limit - start) / step);
        if (!isfinite(start) || !isfinite(limit) || !isfinite(step) || step == 0 || !(count <= MAX_RANGE))
            return node_error(n, "the range from %g to %g by %g has no sensible length", start, limit, step);
        int64_t length = count > 0 ? (int64_t)count : 0;
        if (!model_charge(n->model, &n->loc, length * 4))
            return false;
        float *data = arena_alloc(n->model->graph->arena, (size_t)length * sizeof *data + 1);
        float at = (float)start;
        for (int64_t i = 0; i < length; i++, at += (float)step)
            data[i] = at;
        return tflite_bind_value(n, 0, ir_const_new(n->model->graph, ir_type_make(IR_F32, 1, &length), NULL, data));
    }
    if (p[0]->type.dtype != IR_I32 && p[0]->type.dtype != IR_I64)
        return node_error(n, "a range of %s is not supported", ir_dtype_text(p[0]->type.dtype));
    int64_t start = ir_const_int(p[0], 0), limit = ir_const_int(p[1], 0), step = ir_const_int(p[2], 0);
    const int64_t bound = (int64_t)1 << 40;
    if (step == 0 || start > bound || start < -bound || limit > bound || limit < -bound || step > bound ||
        step < -bound)
        return node_error(n, "the range has no sensible length");
    int64_t count = step > 0 ? (limit - start + step - 1) / step : (start - limit - step - 1) / -step;
    if (count > MAX_RANGE)
        return node_error(n, "the range has more than %d elements", MAX_RANGE);
    count = count > 0 ? count : 0;
    if (!model_charge(n->model, &n->loc, count * 16))
        return false;
    int64_t *values = ARENA_ARRAY(n->model->graph->arena, int64_t, count + 1);
    for (int64_t i = 0; i < count; i++)
        values[i] = start + i * step;
    return bind_integers(n, 1, count, values);
}

/* ---- Repetition ---- */

static bool extents_param(tflite_node *n, int index, const char *what, int64_t dims[], int *out_rank)
{
    if (!tflite_param_ints(n, index, what, IR_MAX_RANK, dims, out_rank))
        return false;
    for (int i = 0; i < *out_rank; i++)
        if (dims[i] < 0 || dims[i] > IR_MAX_BYTES)
            return node_error(n, "the %s has extent %lld", what, (long long)dims[i]);
    return true;
}

bool tflite_op_fill(tflite_node *n)
{
    int64_t dims[IR_MAX_RANK];
    int rank;
    ir_value *x = tflite_input(n, 1);
    if (!x || !extents_param(n, 0, "shape", dims, &rank))
        return false;
    if (ir_type_elements(&x->type) != 1)
        return node_error(n, "the value to fill with has more than one element");
    x = node_reshaped(n, x, 0, NULL);
    return x && tflite_bind(n, 0, node_emit1(n, IR_BROADCAST, x), rank, dims);
}

bool tflite_op_zeros_like(tflite_node *n)
{
    ir_value *x = tflite_input(n, 0);
    static const uint8_t zero[8];
    if (!x)
        return false;
    if (x->quant)
        return node_error(n, "quantized operands are not supported");
    ir_value *z = ir_const_new(n->model->graph, ir_type_make(x->type.dtype, 0, NULL), NULL, zero);
    return tflite_bind_like(n, 0, node_emit1(n, IR_BROADCAST, z), &x->type);
}

bool tflite_op_broadcast_to(tflite_node *n)
{
    ir_value *x = tflite_input(n, 0);
    ir_type to = {0}, shape;
    if (!x || !extents_param(n, 1, "shape", to.dims, &to.rank))
        return false;
    to.dtype = x->type.dtype;
    if (!tflite_broadcast(n, &x->type, &to, &shape))
        return false;
    if (!ir_type_equal(&shape, &to))
        return node_misfit(n, "the operand does not broadcast to the shape");
    return tflite_bind_like(n, 0, node_emit1(n, IR_BROADCAST, x), &shape);
}

bool tflite_op_broadcast_args(tflite_node *n)
{
    ir_type a = {.dtype = IR_I8}, b = {.dtype = IR_I8}, shape;
    return extents_param(n, 0, "first shape", a.dims, &a.rank) &&
           extents_param(n, 1, "second shape", b.dims, &b.rank) && tflite_broadcast(n, &a, &b, &shape) &&
           bind_integers(n, 1, shape.rank, shape.dims);
}

bool tflite_op_tile(tflite_node *n)
{
    ir_value *x = tflite_input(n, 0);
    int64_t times[IR_MAX_RANK], dims[IR_MAX_RANK];
    int count;
    if (!x || !extents_param(n, 1, "multiples", times, &count))
        return false;
    if (count != x->type.rank)
        return node_error(n, "%d multiples for %d dimensions", count, x->type.rank);
    for (int i = 0; i < count; i++) {
        if (times[i] > 0 && x->type.dims[i] > IR_MAX_BYTES / times[i])
            return node_error(n, "the result is larger than 2 GiB");
        dims[i] = x->type.dims[i] * times[i];
    }
    return tflite_bind(n, 0, node_emit1(n, IR_TILE, x), count, dims);
}
