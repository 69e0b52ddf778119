/* ops_move.c: operators that move elements to other places: borders, permutations, blocks. */
#include "frontends/node/node_index.h"
#include "frontends/tflite/import.h"

/* ---- Borders ---- */

/* The [rank, 2] table of borders. */
static bool read_borders(tflite_node *n, const ir_value *x, int index, int64_t before[], int64_t after[], ir_type *out)
{
    int64_t pairs[2 * IR_MAX_RANK];
    int count;
    if (!tflite_param_ints(n, index, "table of borders", 2 * IR_MAX_RANK, pairs, &count))
        return false;
    if (count != 2 * x->type.rank)
        return node_error(n, "borders for %d dimensions, the operand has %d", count / 2, x->type.rank);
    *out = x->type;
    for (int i = 0; i < x->type.rank; i++) {
        before[i] = pairs[2 * i];
        after[i] = pairs[2 * i + 1];
        if (before[i] < 0 || after[i] < 0 || before[i] > IR_MAX_BYTES || after[i] > IR_MAX_BYTES)
            return node_error(n, "borders of %lld and %lld", (long long)before[i], (long long)after[i]);
        out->dims[i] += before[i] + after[i];
    }
    return true;
}

bool tflite_op_pad(tflite_node *n)
{
    ir_value *x = tflite_input(n, 0), *value = NULL;
    int64_t before[IR_MAX_RANK], after[IR_MAX_RANK];
    ir_type shape;
    if (!x || !read_borders(n, x, 1, before, after, &shape))
        return false;
    if (tflite_input_count(n) > 2 && !(value = tflite_param(n, 2, "border's value")))
        return false;
    ir_op *op = node_emit1(n, IR_PAD, x);
    ir_set_ints(op, IR_ATTR_BEFORE, x->type.rank, before);
    ir_set_ints(op, IR_ATTR_AFTER, x->type.rank, after);
    if (value) {
        if (ir_type_elements(&value->type) != 1 || value->type.dtype != x->type.dtype || !value->quant != !x->quant)
            return node_error(n, "the border's value must be a single number of the operand's type");
        double real = ir_const_real(value, 0);
        if (!x->quant && !ir_dtype_is_float(x->type.dtype) && (double)(float)real != real)
            return node_error(n, "a border of %.17g is not supported", real);
        ir_set_float(op, IR_ATTR_VALUE, (float)real);
    }
    return tflite_bind_like(n, 0, op, &shape);
}

bool tflite_op_mirror_pad(tflite_node *n)
{
    ir_value *x = tflite_input(n, 0);
    int64_t before[IR_MAX_RANK], after[IR_MAX_RANK];
    ir_type shape;
    int mode = fb_i8(n->options, MIRROR_PAD_MODE, MIRROR_REFLECT);
    if (!x || !read_borders(n, x, 1, before, after, &shape))
        return false;
    if (mode != MIRROR_REFLECT && mode != MIRROR_SYMMETRIC)
        return node_error(n, "mode %d is not known", mode);
    for (int i = 0; i < x->type.rank; i++) {
        int64_t most = x->type.dims[i] - (mode == MIRROR_REFLECT);
        if (before[i] > most || after[i] > most)
            return node_error(n, "a border of dimension %d is longer than what it mirrors", i);
    }
    ir_op *op = node_emit1(n, IR_MIRROR_PAD, x);
    ir_set_ints(op, IR_ATTR_BEFORE, x->type.rank, before);
    ir_set_ints(op, IR_ATTR_AFTER, x->type.rank, after);
    ir_set_int(op, IR_ATTR_MIRROR, mode == MIRROR_REFLECT ? IR_MIRROR_REFLECT : IR_MIRROR_SYMMETRIC);
    return tflite_bind_like(n, 0, op, &shape);
}

/* ---- Permutations ---- */

bool tflite_op_transpose(tflite_node *n)
{
    ir_value *x = tflite_input(n, 0);
    int64_t perm[IR_MAX_RANK], dims[IR_MAX_RANK];
    unsigned seen = 0;
    int count;
    if (!x || !tflite_param_ints(n, 1, "permutation", IR_MAX_RANK, perm, &count))
        return false;
    if (count != x->type.rank)
        return node_error(n, "a permutation of %d dimensions, the operand has %d", count, x->type.rank);
    for (int i = 0; i < count; i++) {
        int axis;
        if (!node_axis(n, perm[i], count, &axis))
            return false;
        if (seen >> axis & 1)
            return node_error(n, "dimension %d occurs twice in the permutation", axis);
        seen |= 1u << axis;
        perm[i] = axis;
        dims[i] = x->type.dims[axis];
    }
    ir_op *op = node_emit1(n, IR_TRANSPOSE, x);
    ir_set_ints(op, IR_ATTR_PERM, count, perm);
    return tflite_bind(n, 0, op, count, dims);
}

bool tflite_op_reverse(tflite_node *n)
{
    ir_value *x = tflite_input(n, 0);
    int64_t given[IR_MAX_RANK], axes[IR_MAX_RANK];
    unsigned mask = 0;
    int count, used = 0;
    if (!x || !tflite_param_ints(n, 1, "axes", IR_MAX_RANK, given, &count))
        return false;
    for (int i = 0; i < count; i++) {
        int axis;
        if (!node_axis(n, given[i], x->type.rank, &axis))
            return false;
        mask |= 1u << axis;
    }
    for (int i = 0; i < x->type.rank; i++)
        if (mask >> i & 1)
            axes[used++] = i;
    ir_op *op = node_emit1(n, IR_REVERSE, x);
    ir_set_ints(op, IR_ATTR_AXES, used, axes);
    return tflite_bind_like(n, 0, op, &x->type);
}

bool tflite_op_depth_space(tflite_node *n)
{
    ir_value *x = tflite_input(n, 0);
    if (!x)
        return false;
    const int64_t block = fb_i32(n->options, BLOCK_SIZE, 0), both[2] = {block, block};
    const int64_t *d = x->type.dims;
    if (x->type.rank != 4)
        return node_error(n, "the image has %d dimensions, expected 4", x->type.rank);
    if (block < 1 || block > 1 << 15)
        return node_error(n, "a block size of %lld", (long long)block);
    ir_op *op = node_emit1(n, n->entry->code, x);
    ir_set_ints(op, IR_ATTR_BLOCK, 2, both);
    if (n->entry->code == IR_DEPTH_TO_SPACE) {
        if (d[3] % (block * block))
            return node_error(n, "%lld channels can't fill blocks of %lld", (long long)d[3], (long long)block);
        return tflite_bind(n, 0, op, 4, (int64_t[]){d[0], d[1] * block, d[2] * block, d[3] / (block * block)});
    }
    if (d[1] % block || d[2] % block)
        return node_error(n, "an image of %lld x %lld can't be cut into blocks of %lld", (long long)d[1],
                          (long long)d[2], (long long)block);
    return tflite_bind(n, 0, op, 4, (int64_t[]){d[0], d[1] / block, d[2] / block, d[3] * block * block});
}

/* The block and border parameters of the two batch moves; a rank 3 operand [N, H, C] is one of width 1. */
static bool read_blocks(tflite_node *n, ir_value **x, int64_t block[2], int64_t border[4], bool *out_flat)
{
    int64_t blocks[2], borders[4];
    int count, borders_count, spatial = (*x)->type.rank - 2;
    *out_flat = spatial == 1;
    if (spatial < 1 || spatial > 2)
        return node_error(n, "the image has %d dimensions, expected 3 or 4", (*x)->type.rank);
    if (!tflite_param_ints(n, 1, "block shape", 2, blocks, &count) ||
        !tflite_param_ints(n, 2, "table of borders", 4, borders, &borders_count))
        return false;
    if (count != spatial || borders_count != 2 * spatial)
        return node_error(n, "%d block sizes and %d borders for %d dimensions", count, borders_count, spatial);
    for (int i = 0; i < 2; i++) {
        block[i] = i < spatial ? blocks[i] : 1;
        border[i] = i < spatial ? borders[2 * i] : 0;
        border[2 + i] = i < spatial ? borders[2 * i + 1] : 0;
        if (block[i] < 1 || block[i] > 1 << 15 || border[i] < 0 || border[2 + i] < 0 || border[i] > IR_MAX_BYTES ||
            border[2 + i] > IR_MAX_BYTES)
            return node_error(n, "impossible block size or border");
    }
    if (*out_flat)
        *x = node_reshaped(n, *x, 4, (int64_t[]){(*x)->type.dims[0], (*x)->type.dims[1], 1, (*x)->type.dims[2]});
    return *x != NULL;
}

static bool bind_blocks(tflite_node *n, ir_op *op, const int64_t dims[4], bool flat)
{
    if (!flat)
        return tflite_bind(n, 0, op, 4, dims);
    const ir_value *x = op->operands[0].value;
    ir_value *v = node_typed(n, op, ir_type_make(x->type.dtype, 4, dims), x->quant);
    return v && tflite_bind(n, 0, node_emit1(n, IR_RESHAPE, v), 3, (int64_t[]){dims[0], dims[1], dims[3]});
}

bool tflite_op_space_to_batch(tflite_node *n)
{
    ir_value *x = tflite_input(n, 0);
    int64_t block[2], pad[4], dims[4];
    bool flat;
    if (!x || !read_blocks(n, &x, block, pad, &flat))
        return false;
    dims[0] = x->type.dims[0] * block[0] * block[1];
    dims[3] = x->type.dims[3];
    for (int i = 0; i < 2; i++) {
        int64_t extent = x->type.dims[1 + i] + pad[i] + pad[2 + i];
        if (extent % block[i])
            return node_error(n, "%lld pixels can't be cut into blocks of %lld", (long long)extent,
                              (long long)block[i]);
        dims[1 + i] = extent / block[i];
    }
    ir_op *op = node_emit1(n, IR_SPACE_TO_BATCH, x);
    ir_set_ints(op, IR_ATTR_BLOCK, 2, block);
    ir_set_ints(op, IR_ATTR_PAD, 4, pad);
    return bind_blocks(n, op, dims, flat);
}

bool tflite_op_batch_to_space(tflite_node *n)
{
    ir_value *x = tflite_input(n, 0);
    int64_t block[2], crops[4], dims[4];
    bool flat;
    if (!x || !read_blocks(n, &x, block, crops, &flat))
        return false;
    if (x->type.dims[0] % (block[0] * block[1]))
        return node_error(n, "a batch of %lld can't fill blocks of %lld x %lld", (long long)x->type.dims[0],
                          (long long)block[0], (long long)block[1]);
    dims[0] = x->type.dims[0] / (block[0] * block[1]);
    dims[3] = x->type.dims[3];
    for (int i = 0; i < 2; i++) {
        dims[1 + i] = x->type.dims[1 + i] * block[i] - crops[i] - crops[2 + i];
        if (dims[1 + i] < 0)
            return node_error(n, "more is cropped than there is");
    }
    ir_op *op = node_emit1(n, IR_BATCH_TO_SPACE, x);
    ir_set_ints(op, IR_ATTR_BLOCK, 2, block);
    ir_set_ints(op, IR_ATTR_CROPS, 4, crops);
    return bind_blocks(n, op, dims, flat);
}

bool tflite_op_reverse_sequence(tflite_node *n)
{
    ir_value *x = tflite_input(n, 0), *lengths = x ? tflite_input(n, 1) : NULL;
    int batch, time;
    if (!lengths || !node_axis(n, fb_i32(n->options, REVERSE_BATCH, 0), x->type.rank, &batch) ||
        !node_axis(n, fb_i32(n->options, REVERSE_TIME, 0), x->type.rank, &time))
        return false;
    ir_value *y = node_reverse_sequences(n, x, lengths, batch, time);
    return y && tflite_bind_value(n, 0, y);
}
