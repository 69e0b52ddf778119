/* ops_index.c: operators with indices among their operands: gathers, scatter, one-hot, updates of slices; and those of
 * diagonals, whose indices are known.
 *
 * TFLite's kernels know no negative indices, and fail at run time on one that is outside. */
#include "frontends/node/node_index.h"
#include "frontends/tflite/import.h"

/* ---- Gathers ---- */

static bool check_gather(tflite_node *n, const ir_type *x, const ir_type *indices, int axis, int batch_dims)
{
    if (batch_dims < 0 || batch_dims > axis || batch_dims > indices->rank)
        return node_error(n, "%d batch dimensions", batch_dims);
    for (int i = 0; i < batch_dims; i++)
        if (x->dims[i] != indices->dims[i])
            return node_error(n, "operand and indices have different batch extents");
    if (x->rank - 1 + indices->rank - batch_dims > IR_MAX_RANK)
        return node_error(n, "the result has more than %d dimensions", IR_MAX_RANK);
    if (x->dims[axis] == 0 && ir_type_elements(indices) > 0)
        return node_error(n, "the dimension has no elements");
    return true;
}

/* The op and its result's type; NULL after a diagnostic. */
static ir_op *gather(tflite_node *n, ir_value *x, ir_value *indices, int axis, int batch_dims, ir_type *out_type)
{
    if (!check_gather(n, &x->type, &indices->type, axis, batch_dims))
        return NULL;
    ir_op *op = node_gather(n, x, indices, axis, NEGATIVE_OUTSIDE);
    if (!op)
        return NULL;
    ir_set_int(op, IR_ATTR_BATCH_DIMS, batch_dims);
    *out_type = x->type;
    out_type->rank = axis;
    for (int i = batch_dims; i < indices->type.rank; i++)
        out_type->dims[out_type->rank++] = indices->type.dims[i];
    for (int i = axis + 1; i < x->type.rank; i++)
        out_type->dims[out_type->rank++] = x->type.dims[i];
    return op;
}

/* TFLite's kernels move bytes: they begin a row with the byte that it begins in the middle of. */
static bool check_int4_table(tflite_node *n, const ir_value *x, bool rows)
{
    const int64_t count = x->type.rank ? x->type.dims[0] : 0;
    if (!rows || !count || ir_type_elements(&x->type) / count % 2)
        return node_error(n,
                          "of a table of INT4 anything but whole rows of an even number of elements is not supported");
    return true;
}

bool tflite_op_gather(tflite_node *n)
{
    ir_value *x = tflite_input(n, 0), *indices = x ? tflite_input(n, 1) : NULL;
    int axis;
    if (!indices || !node_axis(n, fb_i32(n->options, GATHER_AXIS, 0), x->type.rank, &axis))
        return false;
    int batch_dims = fb_i32(n->options, GATHER_BATCH_DIMS, 0);
    ir_type type;
    if (tflite_input_is_int4(n, 0) && !check_int4_table(n, x, axis == 0))
        return false;
    ir_op *op =
        gather(n, x, indices, axis,
               batch_dims < 0 && batch_dims >= -IR_MAX_RANK ? batch_dims + indices->type.rank : batch_dims, &type);
    return op && tflite_bind_like(n, 0, op, &type);
}

static ir_op *real_numbers(tflite_node *n, ir_value *x)
{
    ir_op *op = node_emit1(n, IR_DEQUANTIZE, x);
    ir_set_int(op, IR_ATTR_REAL, 1);
    return op;
}

/* Rows of an int8 table as floats: those that were chosen are dequantized, or, as a row's scale goes with its index, the
 * whole table. */
static bool embedding_hybrid(tflite_node *n, ir_value *x, ir_value *indices)
{
    x = tflite_signed_weights(n, x);
    if (x->type.dtype != IR_I8 || !x->quant)
        return node_error(n, "a table of type %s with results of type f32", ir_dtype_text(x->type.dtype));
    for (int32_t i = 0; i < x->quant->count; i++)
        if (x->quant->zero[i] != 0)
            return node_error(n, "hybrid (dynamic-range) quantization with zero points of weights is not supported");
    ir_type real = x->type, type;
    real.dtype = IR_F32;
    const bool each = x->quant->axis >= 0;
    if (each && !(x = node_typed(n, real_numbers(n, x), real, NULL)))
        return false;
    ir_op *op = gather(n, x, indices, 0, 0, &type);
    if (op && !each)
        op = (x = node_typed(n, op, type, x->quant)) ? real_numbers(n, x) : NULL;
    return op && tflite_bind_like(n, 0, op, &type);
}

bool tflite_op_embedding(tflite_node *n)
{
    ir_value *indices = tflite_input(n, 0), *x = indices ? tflite_input(n, 1) : NULL;
    tflite_tensor t;
    if (!x || !tflite_output_tensor(n, 0, &t))
        return false;
    if (x->type.rank < 1 || indices->type.rank != 1)
        return node_error(n, "a table of %d dimensions and indices of %d", x->type.rank, indices->type.rank);
    if (tflite_input_is_int4(n, 1) && !check_int4_table(n, x, t.type.dtype == IR_F32))
        return false;
    if (t.type.dtype == IR_F32 && !ir_dtype_is_float(x->type.dtype))
        return embedding_hybrid(n, x, indices);
    ir_type type;
    ir_op *op = gather(n, x, indices, 0, 0, &type);
    return op && tflite_bind_like(n, 0, op, &type);
}

bool tflite_op_gather_nd(tflite_node *n)
{
    ir_value *x = tflite_input(n, 0), *indices = x ? tflite_input(n, 1) : NULL;
    int length;
    if (!indices || !node_tuple_length(n, indices, &x->type, &length))
        return false;
    if (indices->type.rank - 1 + x->type.rank - length > IR_MAX_RANK)
        return node_error(n, "the result has more than %d dimensions", IR_MAX_RANK);
    if (ir_type_elements(&x->type) == 0)
        return node_error(n, "the operand has no elements");
    ir_type shape = indices->type;
    shape.rank--;
    for (int i = length; i < x->type.rank; i++)
        shape.dims[shape.rank++] = x->type.dims[i];
    ir_op *op = node_gather_nd(n, x, indices, NEGATIVE_OUTSIDE);
    return op && tflite_bind_like(n, 0, op, &shape);
}

bool tflite_op_scatter_nd(tflite_node *n)
{
    ir_value *indices = tflite_input(n, 0), *updates = indices ? tflite_input(n, 1) : NULL;
    ir_type to = {0};
    int length;
    if (!updates || !tflite_param_ints(n, 2, "shape", IR_MAX_RANK, to.dims, &to.rank))
        return false;
    to.dtype = updates->type.dtype;
    if (!ir_type_valid(&to))
        return node_error(n, "the result's shape is impossible");
    if (!node_tuples_computed(n, indices, 0))
        return false;
    if (!node_tuple_length(n, indices, &to, &length) ||
        !(indices = node_indices(n, indices, &to, 0, length, NEGATIVE_OUTSIDE)))
        return false;
    const int outer = indices->type.rank - 1;
    bool fits = updates->type.rank == outer + to.rank - length;
    for (int i = 0; fits && i < updates->type.rank; i++)
        fits = updates->type.dims[i] == (i < outer ? indices->type.dims[i] : to.dims[length + i - outer]);
    if (!fits)
        return node_error(n, "the updates' shape does not fit the indices and the result's shape");
    return tflite_bind_like(n, 0, node_emit2(n, IR_SCATTER_ND, indices, updates), &to);
}

bool tflite_op_one_hot(tflite_node *n)
{
    ir_value *indices = tflite_input(n, 0), *on = indices ? tflite_input(n, 2) : NULL,
             *off = on ? tflite_input(n, 3) : NULL;
    int64_t depth;
    int axis;
    if (!off || !tflite_param_int(n, 1, "depth", &depth))
        return false;
    ir_type shape = indices->type;
    if (depth < 0 || depth > IR_MAX_BYTES || shape.rank == IR_MAX_RANK || ir_type_elements(&on->type) != 1 ||
        ir_type_elements(&off->type) != 1)
        return node_error(n, "impossible depth, rank or values");
    if (!node_axis(n, fb_i32(n->options, ONE_HOT_AXIS, 0), shape.rank + 1, &axis))
        return false;
    for (int i = shape.rank++; i > axis; i--)
        shape.dims[i] = shape.dims[i - 1];
    shape.dims[axis] = depth;
    ir_op *op = node_emit(n, IR_ONE_HOT, 3, (ir_value *[]){indices, on, off});
    ir_set_int(op, IR_ATTR_AXIS, axis);
    return tflite_bind_like(n, 0, op, &shape);
}

bool tflite_op_dynamic_update_slice(tflite_node *n)
{
    ir_value *x = tflite_input(n, 0), *update = x ? tflite_input(n, 1) : NULL,
             *begin = update ? tflite_input(n, 2) : NULL;
    if (!begin)
        return false;
    bool fits = update->type.rank == x->type.rank && update->type.dtype == x->type.dtype;
    for (int i = 0; fits && i < x->type.rank; i++)
        fits = update->type.dims[i] <= x->type.dims[i];
    if (!fits || ir_type_elements(&begin->type) != x->type.rank)
        return node_error(n, "the update or its place does not fit the operand");
    if (!ir_quant_equal(update->quant, x->quant))
        return node_error(n, "operand and update are quantized differently");
    return tflite_bind_like(n, 0, node_emit(n, IR_DYNAMIC_UPDATE_SLICE, 3, (ir_value *[]){x, update, begin}), &x->type);
}

/* ---- Diagonals ---- */

/* `diagonal` [..., k] where row and column are equal, else `other`, for matrices [..., rows, columns] of `type`. */
static bool with_diagonal(tflite_node *n, ir_value *diagonal, ir_value *other, ir_type type)
{
    const int rank = type.rank;
    const int64_t rows = type.dims[rank - 2], columns = type.dims[rank - 1], k = rows < columns ? rows : columns;
    ir_type along = type;
    along.dims[rank - 2] = columns <= rows ? 1 : rows;
    along.dims[rank - 1] = columns <= rows ? columns : 1;
    const ir_type square = ir_type_make(IR_BOOL, 2, (int64_t[]){rows, columns});
    if (!ir_type_valid(&type) || !ir_type_valid(&square))
        return node_error(n, "the result is too large");
    if (!model_charge(n->model, &n->loc, rows * columns))
        return false;
    uint8_t *here = ARENA_ARRAY(n->model->graph->arena, uint8_t, rows * columns);
    for (int64_t i = 0; i < k; i++)
        here[i * columns + i] = 1;
    ir_value *mask = ir_const_new(n->model->graph, square, NULL, here);
    diagonal = node_reshaped(n, diagonal, rank, along.dims);
    if (!diagonal)
        return false;
    ir_op *op = node_emit(n, IR_SELECT, 3, (ir_value *[]){mask, diagonal, other});
    ir_value *y = node_typed(n, op, type, other->quant);
    return y && tflite_bind_value(n, 0, y);
}

/* Zeros beside it: the bytes, whatever they stand for. */
bool tflite_op_matrix_diag(tflite_node *n)
{
    static const uint8_t zeros[8];
    ir_value *x = tflite_input(n, 0);
    if (!x)
        return false;
    if (x->type.rank < 1 || x->type.rank == IR_MAX_RANK)
        return node_error(n, "a diagonal of %d dimensions", x->type.rank);
    ir_type type = x->type;
    type.dims[type.rank++] = x->type.dims[x->type.rank - 1];
    if (x->quant && x->quant->axis >= 0)
        return node_error(n, "a scale for each channel is not supported");
    ir_value *zero = ir_const_new(n->model->graph, ir_type_make(x->type.dtype, 0, NULL), x->quant, zeros);
    return with_diagonal(n, x, zero, type);
}

bool tflite_op_matrix_set_diag(tflite_node *n)
{
    ir_value *x = tflite_input(n, 0), *diagonal = x ? tflite_input(n, 1) : NULL;
    if (!diagonal)
        return false;
    const int rank = x->type.rank;
    bool fits = rank >= 2 && diagonal->type.rank == rank - 1 && diagonal->type.dtype == x->type.dtype;
    for (int i = 0; fits && i < rank - 2; i++)
        fits = diagonal->type.dims[i] == x->type.dims[i];
    if (fits) {
        const int64_t rows = x->type.dims[rank - 2], columns = x->type.dims[rank - 1];
        fits = diagonal->type.dims[rank - 2] == (rows < columns ? rows : columns);
    }
    if (!fits)
        return node_error(n, "the diagonal's type or shape does not fit the matrices");
    if (!ir_quant_equal(diagonal->quant, x->quant))
        return node_error(n, "matrices and diagonal are quantized differently");
    return with_diagonal(n, diagonal, x, x->type);
}
