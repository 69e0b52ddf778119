/* node_index.c: see node_index.h. */
#define FRONTEND_COMMON
#include "frontends/node/node_index.h"

/* ---- Indices ---- */

bool node_tuple_length(frontend_node *n, const ir_value *indices, const ir_type *whole, int *out)
{
    const int64_t length = indices->type.rank ? indices->type.dims[indices->type.rank - 1] : 0;
    if (length < 1 || length > whole->rank)
        return node_error(n, "index tuples of length %lld for %d dimensions", (long long)length, whole->rank);
    *out = (int)length;
    return true;
}

bool node_tuples_computed(frontend_node *n, const ir_value *indices, int index)
{
    return !indices->is_input ||
           node_error(n, "the indices (operand %d) are an input of the model, and could be outside", index);
}

/* Constant indices, each of which counts from the start. */
static ir_value *from_start(frontend_node *n, ir_value *indices, int length, const int64_t extents[])
{
    const int64_t count = ir_type_elements(&indices->type);
    if (!model_charge(n->model, &n->loc, count * 16))
        return NULL;
    int64_t *places = ARENA_ARRAY(n->model->graph->arena, int64_t, count);
    for (int64_t i = 0; i < count; i++) {
        places[i] = ir_const_int(indices, i);
        places[i] += places[i] < 0 ? extents[i % length] : 0;
    }
    ir_value *flat = node_ints(n, indices->type.dtype, 1, count, places);
    return node_reshaped(n, flat, indices->type.rank, indices->type.dims);
}

ir_value *node_indices(frontend_node *n, ir_value *indices, const ir_type *whole, int first, int length,
                       node_negative negative)
{
    const int64_t *extents = whole->dims + first;
    const ir_dtype dtype = indices->type.dtype;
    bool turned = false;
    if (dtype != IR_I16 && dtype != IR_I32 && dtype != IR_I64) {
        node_error(n, "indices of type %s", ir_dtype_text(dtype));
        return NULL;
    }
    if (!ir_is_const(indices))
        return indices;
    for (int64_t i = 0, count = ir_type_elements(&indices->type); i < count; i++) {
        const int64_t at = ir_const_int(indices, i), extent = extents[i % length];
        if (at >= extent || at < (negative == NEGATIVE_FROM_END ? -extent : 0)) {
            node_error(n, "constant index %lld is outside dimension %lld, which has %lld", (long long)at,
                       (long long)(first + i % length), (long long)extent);
            return NULL;
        }
        turned |= at < 0;
    }
    return turned ? from_start(n, indices, length, extents) : indices;
}

/* ---- Gathers ---- */

static ir_op *gather(frontend_node *n, ir_opcode code, ir_value *x, ir_value *indices, node_negative negative)
{
    ir_op *op = node_emit2(n, code, x, indices);
    ir_set_int(op, IR_ATTR_FROM_END, negative == NEGATIVE_FROM_END && !ir_is_const(indices));
    return op;
}

ir_op *node_gather(frontend_node *n, ir_value *x, ir_value *indices, int axis, node_negative negative)
{
    if (!(indices = node_indices(n, indices, &x->type, axis, 1, negative)))
        return NULL;
    ir_op *op = gather(n, IR_GATHER, x, indices, negative);
    ir_set_int(op, IR_ATTR_AXIS, axis);
    return op;
}

ir_op *node_gather_nd(frontend_node *n, ir_value *x, ir_value *indices, node_negative negative)
{
    int length;
    if (!node_tuple_length(n, indices, &x->type, &length) ||
        !(indices = node_indices(n, indices, &x->type, 0, length, negative)))
        return NULL;
    return gather(n, IR_GATHER_ND, x, indices, negative);
}

/* ---- Slices ---- */

/* begin, within [0, last], + [0 … count) */
static ir_value *run_of(frontend_node *n, ir_value *begin, int64_t last, int64_t count)
{
    const ir_dtype dtype = begin->type.dtype;
    if (!model_charge(n->model, &n->loc, count * 16))
        return NULL;
    int64_t *steps = ARENA_ARRAY(n->model->graph->arena, int64_t, count);
    for (int64_t i = 0; i < count; i++)
        steps[i] = i;
    ir_value *low = node_binary(n, IR_MINIMUM, begin, node_ints(n, dtype, 1, 1, &last));
    ir_value *fits = node_binary(n, IR_MAXIMUM, low, node_ints(n, dtype, 1, 1, &(int64_t){0}));
    return node_binary(n, IR_ADD, fits, node_ints(n, dtype, 1, count, steps));
}

ir_value *node_cut(frontend_node *n, ir_value *x, ir_value *begin, int axis, int64_t count, node_negative negative)
{
    ir_type type = x->type;
    ir_value *places = begin && count != 1 ? run_of(n, begin, type.dims[axis] - count, count) : begin;
    ir_op *op = places ? node_gather(n, x, places, axis, negative) : NULL;
    type.dims[axis] = count;
    return op ? node_typed(n, op, type, x->quant) : NULL;
}

/* ---- Sequences in reverse ----
 *
 *     lengths [B] ──▶ indices [B, T]: length - 1 - t in front of the length, else t
 *     x, batch and time in front, [B, T, …] ──gather, a batch for each b──▶ … ──▶ the dimensions where they were */

static bool check_lengths(frontend_node *n, const ir_value *x, const ir_value *lengths, int batch, int time)
{
    const ir_type *t = &lengths->type;
    const int64_t count = x->type.dims[batch], extent = x->type.dims[time];
    if (batch == time)
        return node_error(n, "dimension %d is the batch and the time", batch);
    if (t->dtype != IR_I32 && t->dtype != IR_I64)
        return node_error(n, "lengths of type %s", ir_dtype_text(t->dtype));
    if (t->rank != 1 || t->dims[0] != count)
        return node_misfit(n, "the lengths are not as many as the batch has elements, %lld", (long long)count);
    if (extent < 1)
        return node_error(n, "sequences without elements");
    for (int64_t i = 0; ir_is_const(lengths) && i < count; i++)
        if (ir_const_int(lengths, i) > extent)
            return node_error(n, "length %lld of a sequence of %lld", (long long)ir_const_int(lengths, i),
                              (long long)extent);
    return true;
}

static ir_value *reversed_places(frontend_node *n, ir_value *lengths, int64_t extent)
{
    const ir_dtype dtype = lengths->type.dtype;
    if (!model_charge(n->model, &n->loc, extent * 8))
        return NULL;
    int64_t *numbers = ARENA_ARRAY(n->model->graph->arena, int64_t, extent);
    for (int64_t i = 0; i < extent; i++)
        numbers[i] = i;
    ir_value *places = node_ints(n, dtype, 1, extent, numbers), *zero = node_ints(n, dtype, 0, 1, &(int64_t){0});
    ir_value *column = node_reshaped(n, lengths, 2, (int64_t[]){lengths->type.dims[0], 1});
    ir_value *last = node_binary(n, IR_SUB, column, node_ints(n, dtype, 0, 1, &(int64_t){1}));
    ir_value *turned = node_binary(n, IR_SUB, last, places);
    if (!turned)
        return NULL;
    ir_value *inside = node_done_quant(n, node_emit2(n, IR_GREATER_EQUAL, turned, zero), IR_BOOL, NULL);
    return inside ? node_done_quant(n, node_emit(n, IR_SELECT, 3, (ir_value *[]){inside, turned, places}), dtype, NULL)
                  : NULL;
}

ir_value *node_reverse_sequences(frontend_node *n, ir_value *x, ir_value *lengths, int batch, int time)
{
    int64_t perm[IR_MAX_RANK] = {batch, time}, back[IR_MAX_RANK];
    if (!check_lengths(n, x, lengths, batch, time))
        return NULL;
    for (int i = 0, to = 2; i < x->type.rank; i++)
        if (i != batch && i != time)
            perm[to++] = i;
    for (int i = 0; i < x->type.rank; i++)
        back[perm[i]] = i;
    ir_value *places = reversed_places(n, lengths, x->type.dims[time]);
    x = places ? node_transposed(n, x, perm) : NULL;
    ir_op *op = x ? node_gather(n, x, places, 1, NEGATIVE_OUTSIDE) : NULL;
    if (!op)
        return NULL;
    ir_set_int(op, IR_ATTR_BATCH_DIMS, 1);
    return node_transposed(n, node_typed(n, op, x->type, x->quant), back);
}
