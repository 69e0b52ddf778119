/* ops_index.c: operators with an index for each element, or whose result depends on where an element is: GatherElements,
 * the scatters, ReverseSequence, OneHot, Hardmax, Trilu.
 *
 * An element's own index is one into a row, once the dimension that it counts along is the last:
 *
 *     GatherElements    x [rows, extent], indices [rows, k] ──gather, a batch a row──▶ [rows, k]
 *     ScatterElements   tuples of row and index [rows * k, 2], updates [rows * k] ──scatter_nd──▶ [rows, extent] */
#include <string.h>

#include "frontends/node/node_index.h"
#include "frontends/onnx/import.h"

/* Exchanges `axis` and the last dimension; its own inverse. */
static ir_value *axis_last(ort_node *n, ir_value *v, int axis)
{
    int64_t perm[IR_MAX_RANK];
    if (!v)
        return NULL;
    for (int i = 0; i < v->type.rank; i++)
        perm[i] = i == axis ? v->type.rank - 1 : i == v->type.rank - 1 ? axis : i;
    return node_transposed(n, v, perm);
}

/* The elements at the start of each dimension. */
static ir_value *first_of(ort_node *n, ir_value *x, const int64_t dims[])
{
    int64_t begin[IR_MAX_RANK] = {0}, step[IR_MAX_RANK];
    ir_type type = ir_type_make(x->type.dtype, x->type.rank, dims);
    for (int i = 0; i < IR_MAX_RANK; i++)
        step[i] = 1;
    return ir_type_equal(&type, &x->type) ? x : ort_cut(n, x, begin, step, &type);
}

static int64_t rows_of(const ir_type *type)
{
    int64_t rows = 1;
    for (int i = 0; i < type->rank - 1; i++)
        rows *= type->dims[i];
    return rows;
}

/* One index for each element, along `axis` of x: of x's rank, and but for the axis no larger. */
static bool read_indices(ort_node *n, ir_value **x, ir_value **indices, int *out_axis)
{
    *x = ort_plain(n, 0);
    *indices = *x ? ort_plain(n, 1) : NULL;
    if (!*indices || !node_axis(n, ort_int(n, "axis", 0), (*x)->type.rank, out_axis))
        return false;
    const ir_type *whole = &(*x)->type, *t = &(*indices)->type;
    bool fits = t->rank == whole->rank;
    for (int i = 0; fits && i < t->rank; i++)
        fits = i == *out_axis || t->dims[i] <= whole->dims[i];
    return fits || node_misfit(n, "the indices do not fit the shape of the operand");
}

bool ort_op_gather_elements(ort_node *n)
{
    ir_value *x, *indices;
    int axis;
    if (!read_indices(n, &x, &indices, &axis))
        return false;
    x = axis_last(n, x, axis);
    indices = axis_last(n, indices, axis);
    if (!x || !indices)
        return false;
    ir_type picked = indices->type;
    const int last = picked.rank - 1;
    const int64_t rows = rows_of(&picked), count = picked.dims[last], extent = x->type.dims[last];
    picked.dims[last] = extent;
    x = first_of(n, x, picked.dims);
    picked.dims[last] = count;
    x = x ? node_reshaped(n, x, 2, (int64_t[]){rows, extent}) : NULL;
    indices = node_reshaped(n, indices, 2, (int64_t[]){rows, count});
    ir_op *op = x && indices ? node_gather(n, x, indices, 1, NEGATIVE_FROM_END) : NULL;
    if (!op)
        return false;
    ir_set_int(op, IR_ATTR_BATCH_DIMS, 1);
    return ort_put(n, 0, axis_last(n, node_reshaped(n, node_done(n, op), picked.rank, picked.dims), axis),
                   LAYOUT_PLAIN);
}

bool ort_op_reverse_sequence(ort_node *n)
{
    ir_value *x = ort_plain(n, 0), *lengths = x ? ort_plain(n, 1) : NULL;
    int batch, time;
    if (!lengths || !node_axis(n, ort_int(n, "batch_axis", 1), x->type.rank, &batch) ||
        !node_axis(n, ort_int(n, "time_axis", 0), x->type.rank, &time))
        return false;
    return ort_put(n, 0, node_reverse_sequences(n, x, lengths, batch, time), LAYOUT_PLAIN);
}

/* ---- Scatters ---- */

/* Indices that count from the start; extents: of what the last dimension's elements index. */
static ir_value *counted_from_start(ort_node *n, ir_value *indices, int length, const int64_t extents[])
{
    if (!indices)
        return NULL;
    const ir_dtype dtype = indices->type.dtype;
    ir_value *turned = node_binary(n, IR_ADD, indices, node_ints(n, dtype, 1, length, extents));
    ir_op *op = node_emit2(n, IR_LESS, indices, node_ints(n, dtype, 0, 1, (int64_t[]){0}));
    ir_value *negative = node_done_quant(n, op, IR_BOOL, NULL);
    return turned && negative
               ? node_done_quant(n, node_emit(n, IR_SELECT, 3, (ir_value *[]){negative, turned, indices}), dtype, NULL)
               : NULL;
}

/* What indexes `length` dimensions of x from `first` on, counted from the start. */
static ir_value *places_in(ort_node *n, ir_value *indices, const ir_type *x, int first, int length)
{
    indices = indices ? node_indices(n, indices, x, first, length, NEGATIVE_FROM_END) : NULL;
    return indices && ir_is_const(indices) ? indices : counted_from_start(n, indices, length, x->dims + first);
}

/* x with the updates brought in as the attribute reduction says. */
static ir_value *scattered(ort_node *n, ir_value *indices, ir_value *updates, ir_value *x)
{
    static const struct {
        const char *text;
        ir_enum_COMBINE combine;
    } kinds[] = {{"none", IR_COMBINE_REPLACE},
                 {"add", IR_COMBINE_ADD},
                 {"mul", IR_COMBINE_MUL},
                 {"min", IR_COMBINE_MINIMUM},
                 {"max", IR_COMBINE_MAXIMUM}};
    const bool says = node_attribute_is_declared(n, "reduction"); /* Scatter, the first form, doesn't */
    const char *reduction = says ? ort_text(n, "reduction", "none") : "none";
    if (!indices || !updates || !x)
        return NULL;
    ir_op *op = node_emit(n, IR_SCATTER_ND, 3, (ir_value *[]){indices, updates, x});
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].text, reduction) == 0)
            ir_set_int(op, IR_ATTR_COMBINE, kinds[i].combine);
    return node_typed(n, op, x->type, NULL);
}

bool ort_op_scatter_nd(ort_node *n)
{
    ir_value *x = ort_plain(n, 0), *indices = x ? ort_plain(n, 1) : NULL, *updates = indices ? ort_plain(n, 2) : NULL;
    int length;
    if (!updates || !node_tuple_length(n, indices, &x->type, &length))
        return false;
    indices = places_in(n, indices, &x->type, 0, length);
    return ort_put(n, 0, scattered(n, indices, updates, x), LAYOUT_PLAIN);
}

/* The rows of x that the rows of the indices belong to, once for each index: [rows * k, 1]. */
static ir_value *row_numbers(ort_node *n, ir_dtype dtype, const ir_type *x, const ir_type *indices)
{
    const int last = indices->rank - 1;
    const int64_t rows = rows_of(indices), count = indices->dims[last];
    if (!model_charge(n->model, &n->loc, rows * 16))
        return NULL;
    int64_t *numbers = ARENA_ARRAY(n->model->graph->arena, int64_t, rows + 1);
    for (int64_t r = 0; r < rows; r++) {
        int64_t rest = r, stride = 1;
        for (int d = last - 1; d >= 0; d--) {
            numbers[r] += rest % indices->dims[d] * stride;
            rest /= indices->dims[d];
            stride *= x->dims[d];
        }
    }
    ir_value *v = node_reshaped(n, node_ints(n, dtype, 1, rows, numbers), 2, (int64_t[]){rows, 1});
    const ir_type all = ir_type_make(dtype, 2, (int64_t[]){rows, count});
    if (v && count != 1)
        v = node_typed(n, node_emit1(n, IR_BROADCAST, v), all, NULL);
    return node_reshaped(n, v, 2, (int64_t[]){rows * count, 1});
}

bool ort_op_scatter_elements(ort_node *n)
{
    ir_value *x, *indices, *updates = NULL;
    int axis;
    if (!read_indices(n, &x, &indices, &axis) || !(updates = ort_plain(n, 2)))
        return false;
    if (updates->type.rank != indices->type.rank ||
        memcmp(updates->type.dims, indices->type.dims, (size_t)updates->type.rank * sizeof *updates->type.dims) != 0)
        return node_misfit(n, "the updates have another shape than the indices");
    x = axis_last(n, x, axis);
    indices = axis_last(n, indices, axis);
    updates = axis_last(n, updates, axis);
    if (!x || !indices || !updates)
        return false;
    const ir_type whole = x->type;
    const int last = whole.rank - 1;
    const int64_t count = ir_type_elements(&indices->type);
    ir_value *rows = row_numbers(n, indices->type.dtype, &whole, &indices->type);
    indices = places_in(n, node_reshaped(n, indices, 2, (int64_t[]){count, 1}), &whole, last, 1);
    if (!rows || !indices)
        return false;
    ir_op *op = node_emit2(n, IR_CONCAT, rows, indices);
    ir_set_int(op, IR_ATTR_AXIS, 1);
    ir_value *y = scattered(n, node_done(n, op), node_reshaped(n, updates, 1, &count),
                            node_reshaped(n, x, 2, (int64_t[]){rows_of(&whole), whole.dims[last]}));
    return ort_put(n, 0, axis_last(n, node_reshaped(n, y, whole.rank, whole.dims), axis), LAYOUT_PLAIN);
}

/* ---- Places of elements ---- */

static ir_value *one_hot(ort_node *n, ir_value *indices, int axis, int64_t depth, ir_value *on, ir_value *off)
{
    if (!indices || !on || !off)
        return NULL;
    ir_type type = {.dtype = on->type.dtype, .rank = indices->type.rank + 1};
    for (int i = 0; i < type.rank; i++)
        type.dims[i] = i == axis ? depth : indices->type.dims[i - (i > axis)];
    ir_op *op = node_emit(n, IR_ONE_HOT, 3, (ir_value *[]){indices, on, off});
    ir_set_int(op, IR_ATTR_AXIS, axis);
    return node_typed(n, op, type, NULL);
}

/* Operands: places (real ones lose their fraction), how many there are, what is elsewhere and what is there. */
bool ort_op_one_hot(ort_node *n)
{
    ir_value *indices = ort_plain(n, 0), *values = indices ? ort_plain(n, 2) : NULL, *value[2];
    float depth;
    int axis;
    if (!values || !ort_param_real(n, 1, "depth", &depth) || indices->type.rank >= IR_MAX_RANK ||
        !node_axis(n, ort_int(n, "axis", -1), indices->type.rank + 1, &axis))
        return false;
    if (!(depth >= 1 && depth < 0x1p24f) || values->type.rank != 1 || values->type.dims[0] != 2 || indices->quant)
        return node_error(n, "a depth of %g, and values that are not two", (double)depth);
    const int64_t extent = (int64_t)depth;
    if (indices->type.dtype != IR_I32 && indices->type.dtype != IR_I64)
        indices = node_done_quant(n, node_emit1(n, IR_CAST, indices), IR_I64, NULL);
    indices = counted_from_start(n, indices, 1, &extent);
    const ir_type one = ir_type_make(values->type.dtype, 1, (int64_t[]){1});
    for (int64_t i = 0; i < 2; i++)
        value[i] = ort_cut(n, values, &i, (int64_t[]){1}, &one);
    return ort_put(n, 0, one_hot(n, indices, axis, extent, value[1], value[0]), LAYOUT_PLAIN);
}

/* 1 where the first of the largest is, 0 elsewhere.  Before operator set 13 the operand counted as a matrix, whose
 * columns start at the axis. */
bool ort_op_hardmax(ort_node *n)
{
    ir_value *x = ort_plain(n, 0);
    const bool flat = n->since < 13;
    int axis;
    if (!x || !node_axis(n, ort_int(n, "axis", flat ? 1 : -1), x->type.rank, &axis))
        return false;
    const ir_type type = x->type;
    if (flat) {
        int64_t rows = 1, all = ir_type_elements(&type);
        for (int i = 0; i < axis; i++)
            rows *= type.dims[i];
        x = node_reshaped(n, x, 2, (int64_t[]){rows, rows ? all / rows : 0});
        axis = 1;
    }
    if (!x)
        return false;
    ir_op *op = node_emit1(n, IR_ARG_MAX, x);
    ir_set_int(op, IR_ATTR_AXIS, axis);
    ir_value *y =
        one_hot(n, node_done_quant(n, op, IR_I64, NULL), axis, x->type.dims[axis], node_real(n, 1), node_real(n, 0));
    return ort_put(n, 0, node_reshaped(n, y, type.rank, type.dims), LAYOUT_PLAIN);
}

ir_value *ort_places(ort_node *n, int64_t count, int axis)
{
    if (!model_charge(n->model, &n->loc, count * 16))
        return NULL;
    int64_t *numbers = ARENA_ARRAY(n->model->graph->arena, int64_t, count + 1);
    for (int64_t i = 0; i < count; i++)
        numbers[i] = i;
    return node_reshaped(n, node_ints(n, IR_I64, 1, count, numbers), 2,
                         axis ? (int64_t[]){1, count} : (int64_t[]){count, 1});
}

/* What lies on one side of a diagonal, which is k columns to the right of the main one, and on it; 0 elsewhere. */
bool ort_op_trilu(ort_node *n)
{
    ir_value *x = ort_plain(n, 0), *k;
    if (!x || !ort_optional(n, 1, &k))
        return false;
    if (x->type.rank < 2 || (k && (ir_type_elements(&k->type) != 1 || k->type.dtype != IR_I64)))
        return node_error(n, "an operand of rank %d, or a diagonal that is no single i64", x->type.rank);
    ir_value *rows = ort_places(n, x->type.dims[x->type.rank - 2], 0),
             *columns = ort_places(n, x->type.dims[x->type.rank - 1], 1);
    if (k && rows)
        rows = node_binary(n, IR_ADD, rows, node_reshaped(n, k, 0, NULL));
    if (!rows || !columns)
        return false;
    ir_op *op = node_emit2(n, ort_int(n, "upper", 1) ? IR_GREATER_EQUAL : IR_LESS_EQUAL, columns, rows);
    ir_value *kept = node_done_quant(n, op, IR_BOOL, NULL), *zero = ort_zero(n, x);
    if (!kept || !zero)
        return false;
    op = node_emit(n, IR_SELECT, 3, (ir_value *[]){kept, x, zero});
    return ort_put(n, 0, node_done_quant(n, op, x->type.dtype, x->quant), LAYOUT_PLAIN);
}
