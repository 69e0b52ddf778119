/* ops_move.c: ops that move data.
 *
 *     slice %x {begin = [1, 0], step = [2, 1]}   ──▶   STRIDED_SLICE [1, 0], [5, 8], [2, 1] */
#include "exporters/tflite/write.h"
#include "ir/ref/ref_move.h"

static export_operator *emit_with(export_node *n, int32_t parameter)
{
    return export_emit(n, n->entry->builtin, 2, (int32_t[]){export_operand(n, 0), parameter}, export_result(n, 0));
}

bool export_reshape(export_node *n)
{
    const ir_type *to = &n->op->results[0]->type;
    export_operator *o =
        export_emit(n, BUILTIN_RESHAPE, 2, (int32_t[]){export_operand(n, 0), export_list(n, to->rank, to->dims)},
                    export_result(n, 0));
    export_set_list(n, o, RESHAPE_NEW_SHAPE, to->rank, to->dims);
    return true;
}

/* A cast between equal types says that the bytes are read otherwise: they move. */
bool export_cast(export_node *n)
{
    const ir_value *x = n->op->operands[0].value, *y = n->op->results[0];
    if (x->type.dtype == y->type.dtype)
        return export_reshape(n);
    const int32_t from = export_operand(n, 0);
    export_operator *o = export_emit(n, BUILTIN_CAST, 1, &from, export_result(n, 0));
    export_set_byte(o, CAST_FROM, export_type_number(x->type.dtype));
    export_set_byte(o, CAST_TO, export_type_number(y->type.dtype));
    return true;
}

bool export_transpose(export_node *n)
{
    const int64_t *perm;
    const int rank = ir_ints(n->op, IR_ATTR_PERM, &perm);
    emit_with(n, export_list(n, rank, perm));
    return true;
}

/* TFLite's kernel rescales bytes itself: what the importer has put in front of it for that. */
static bool is_part_of_concat(const ir_op *op)
{
    return op && op->code == IR_REQUANTIZE && ir_int(op, IR_ATTR_ROUNDING) == IR_ROUNDING_AWAY_F32;
}

bool export_requantize(export_node *n)
{
    const ir_value *y = n->op->results[0];
    bool wanted = !is_part_of_concat(n->op) || ir_value_is_output(y);
    for (const ir_operand *slot = y->uses; slot; slot = slot->next_use)
        wanted |= slot->user->code != IR_CONCAT;
    return !wanted || export_plain(n);
}

bool export_concat(export_node *n)
{
    const int count = n->op->operand_count;
    int32_t *inputs = ARENA_ARRAY(n->model->memory, int32_t, count);
    for (int i = 0; i < count; i++)
        inputs[i] = is_part_of_concat(n->op->operands[i].value->def)
                        ? export_value(n->model, n->op->operands[i].value->def->operands[0].value)
                        : export_operand(n, i);
    export_operator *o = export_emit(n, BUILTIN_CONCATENATION, count, inputs, export_result(n, 0));
    export_set_int(o, CONCAT_AXIS, ir_int(n->op, IR_ATTR_AXIS), 0);
    return true;
}

/* An end in front of the first element can be said by a mask only. */
bool export_slice(export_node *n)
{
    const ir_type *to = &n->op->results[0]->type;
    const int64_t *begin, *step;
    int64_t end[IR_MAX_RANK], mask = 0;
    ir_ints(n->op, IR_ATTR_BEGIN, &begin);
    ir_ints(n->op, IR_ATTR_STEP, &step);
    for (int i = 0; i < to->rank; i++) {
        end[i] = begin[i] + to->dims[i] * step[i] - (step[i] > 0 ? step[i] - 1 : step[i] + 1);
        if (to->dims[i] == 0)
            end[i] = begin[i];
        else if (end[i] < 0)
            mask |= 1 << i;
    }
    export_operator *o = export_emit(n, BUILTIN_STRIDED_SLICE, 4,
                                     (int32_t[]){export_operand(n, 0), export_list(n, to->rank, begin),
                                                 export_list(n, to->rank, end), export_list(n, to->rank, step)},
                                     export_result(n, 0));
    export_set_int(o, SLICE_END_MASK, mask, 0);
    return true;
}

static int32_t borders(export_node *n)
{
    const int64_t *before, *after, dims[2] = {n->op->results[0]->type.rank, 2};
    int64_t both[2 * IR_MAX_RANK];
    ir_ints(n->op, IR_ATTR_BEFORE, &before);
    ir_ints(n->op, IR_ATTR_AFTER, &after);
    for (int i = 0; i < (int)dims[0]; i++) {
        both[2 * i] = before[i];
        both[2 * i + 1] = after[i];
    }
    return export_ints(n, 2, dims, both);
}

/* A constant of one element, with the operand's type and scale. */
static int32_t number(export_node *n, const ir_value *like, float real)
{
    void *bytes = arena_alloc(n->model->memory, 8);
    ir_element_of(like->type.dtype, like->quant, real, bytes);
    return export_const(n, ir_type_make(like->type.dtype, 0, NULL), like->quant, bytes, NULL);
}

bool export_pad(export_node *n)
{
    const ir_value *x = n->op->operands[0].value;
    const float value = ir_float(n->op, IR_ATTR_VALUE);
    if (value == 0) {
        export_emit(n, BUILTIN_PAD, 2, (int32_t[]){export_operand(n, 0), borders(n)}, export_result(n, 0));
        return true;
    }
    export_emit(n, BUILTIN_PADV2, 3, (int32_t[]){export_operand(n, 0), borders(n), number(n, x, value)},
                export_result(n, 0));
    return true;
}

bool export_mirror_pad(export_node *n)
{
    const bool symmetric = ir_int(n->op, IR_ATTR_MIRROR) == IR_MIRROR_SYMMETRIC;
    export_set_byte(emit_with(n, borders(n)), MIRROR_PAD_MODE, symmetric ? MIRROR_SYMMETRIC : MIRROR_REFLECT);
    return true;
}

bool export_broadcast(export_node *n)
{
    const ir_type *to = &n->op->results[0]->type;
    emit_with(n, export_list(n, to->rank, to->dims));
    return true;
}

bool export_tile(export_node *n)
{
    const ir_type *from = &n->op->operands[0].value->type, *to = &n->op->results[0]->type;
    int64_t times[IR_MAX_RANK];
    for (int i = 0; i < to->rank; i++)
        times[i] = from->dims[i] ? to->dims[i] / from->dims[i] : 1;
    emit_with(n, export_list(n, to->rank, times));
    return true;
}

/* An operator for each axis. */
bool export_reverse(export_node *n)
{
    const ir_value *y = n->op->results[0];
    const int64_t *axes;
    const int count = ir_ints(n->op, IR_ATTR_AXES, &axes);
    int32_t from = export_operand(n, 0);
    if (count == 0)
        return export_reshape(n);
    for (int i = 0; i < count; i++) {
        const int32_t to = i + 1 == count ? export_result(n, 0) : export_between(n, y->type, y->quant);
        export_emit(n, BUILTIN_REVERSE_V2, 2, (int32_t[]){from, export_list(n, 1, &axes[i])}, to);
        from = to;
    }
    return true;
}

/* TFLite's kernels know no negative indices. */
static bool check_indices(export_node *n, int operand)
{
    const ir_value *v = n->op->operands[operand].value;
    if (!ir_int(n->op, IR_ATTR_FROM_END))
        return true;
    for (int64_t i = 0, count = ir_is_const(v) ? ir_type_elements(&v->type) : 0; i < count; i++)
        if (ir_const_int(v, i) < 0)
            return export_refuse(n, "its indices count from the end");
    return ir_is_const(v) || export_refuse(n, "its indices may count from the end");
}

bool export_gather(export_node *n)
{
    if (!check_indices(n, 1))
        return false;
    export_operator *o = emit_with(n, export_operand(n, 1));
    export_set_int(o, GATHER_AXIS, ir_int(n->op, IR_ATTR_AXIS), 0);
    export_set_int(o, GATHER_BATCH_DIMS, ir_int(n->op, IR_ATTR_BATCH_DIMS), 0);
    return true;
}

bool export_gather_nd(export_node *n)
{
    if (!check_indices(n, 1))
        return false;
    emit_with(n, export_operand(n, 1));
    return true;
}

bool export_scatter_nd(export_node *n)
{
    const ir_type *to = &n->op->results[0]->type;
    export_emit(n, BUILTIN_SCATTER_ND, 3,
                (int32_t[]){export_operand(n, 0), export_operand(n, 1), export_list(n, to->rank, to->dims)},
                export_result(n, 0));
    return true;
}

bool export_one_hot(export_node *n)
{
    const int axis = (int)ir_int(n->op, IR_ATTR_AXIS);
    export_operator *o =
        export_emit(n, BUILTIN_ONE_HOT, 4,
                    (int32_t[]){export_operand(n, 0), export_int(n, n->op->results[0]->type.dims[axis]),
                                export_operand(n, 1), export_operand(n, 2)},
                    export_result(n, 0));
    export_set_int(o, ONE_HOT_AXIS, axis, 0);
    return true;
}

bool export_depth_space(export_node *n)
{
    const int64_t height = ir_ints_at(n->op, IR_ATTR_BLOCK, 0), width = ir_ints_at(n->op, IR_ATTR_BLOCK, 1);
    const int32_t from = export_operand(n, 0);
    if (height != width)
        return export_refuse(n, "its block is not square");
    export_set_int(export_emit(n, n->entry->builtin, 1, &from, export_result(n, 0)), BLOCK_SIZE, height, 0);
    return true;
}

bool export_space_batch(export_node *n)
{
    const bool to_batch = n->op->code == IR_SPACE_TO_BATCH;
    const int64_t *block, *edges, dims[2] = {2, 2};
    ir_ints(n->op, IR_ATTR_BLOCK, &block);
    ir_ints(n->op, to_batch ? IR_ATTR_PAD : IR_ATTR_CROPS, &edges);
    const int64_t pairs[4] = {edges[0], edges[2], edges[1], edges[3]};
    if (n->op->operands[0].value->type.rank != 4)
        return export_refuse(n, "its operand is no image");
    export_emit(n, n->entry->builtin, 3,
                (int32_t[]){export_operand(n, 0), export_list(n, 2, block), export_ints(n, 2, dims, pairs)},
                export_result(n, 0));
    return true;
}

bool export_resize(export_node *n)
{
    const bool nearest = n->op->code == IR_RESIZE_NEAREST;
    const float *ratio;
    ir_floats(n->op, IR_ATTR_RATIO, &ratio);
    const ir_type *x = &n->op->operands[0].value->type, *y = &n->op->results[0]->type;
    for (int i = 0; i < 2; i++)
        if (ratio[i] != 0 && ratio[i] != (float)x->dims[1 + i] / (float)y->dims[1 + i])
            return export_refuse(n, "its pixels lie otherwise than the extents say");
    export_operator *o = emit_with(n, export_list(n, 2, &y->dims[1]));
    export_set_byte(o, nearest ? RESIZE_NEAREST_ALIGN : RESIZE_BILINEAR_ALIGN, (int)ir_int(n->op, IR_ATTR_ALIGN));
    export_set_byte(o, nearest ? RESIZE_NEAREST_HALF : RESIZE_BILINEAR_HALF, (int)ir_int(n->op, IR_ATTR_HALF_PIXEL));
    return true;
}
