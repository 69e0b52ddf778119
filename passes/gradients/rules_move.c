/* rules_move.c: moving data: the gradient moves back, and meets what went to several places in a sum. */
#include "passes/gradients/rule.h"

static int rank_of(const gradient *s) { return gradient_operand_type(s, 0)->rank; }

bool gradient_of_transpose(gradient *s)
{
    int64_t back[IR_MAX_RANK];
    for (int d = 0; d < rank_of(s); d++)
        back[ir_ints_at(s->op, IR_ATTR_PERM, d)] = d;
    gradient_give(s, 0, gradient_transpose(s, s->by_result, back));
    return true;
}

bool gradient_of_concat(gradient *s)
{
    const int64_t axis = ir_int(s->op, IR_ATTR_AXIS);
    int64_t begin[IR_MAX_RANK] = {0};
    for (int i = 0; i < s->op->operand_count; i++) {
        const ir_type *x = gradient_operand_type(s, i);
        if (gradient_wants(s, i))
            gradient_give(s, i, gradient_slice(s, s->by_result, begin, NULL, x->dims));
        begin[axis] += x->dims[axis];
    }
    return true;
}

/* Elements that were taken backwards are turned round, those in between are zeros. */
bool gradient_of_slice(gradient *s)
{
    const ir_type *x = gradient_operand_type(s, 0), *y = &gradient_result(s)->type;
    ir_value *by = s->by_result;
    int64_t before[IR_MAX_RANK], after[IR_MAX_RANK], reversed[IR_MAX_RANK], step[IR_MAX_RANK];
    int32_t turns = 0;
    if (ir_type_elements(y) == 0)
        return true;
    for (int d = 0; d < x->rank; d++) {
        const int64_t begin = ir_ints_at(s->op, IR_ATTR_BEGIN, d), by_step = ir_ints_at(s->op, IR_ATTR_STEP, d);
        const int64_t last = begin + (y->dims[d] - 1) * by_step;
        step[d] = by_step < 0 ? -by_step : by_step;
        before[d] = begin < last ? begin : last;
        after[d] = x->dims[d] - 1 - (begin < last ? last : begin);
        if (by_step < 0 && y->dims[d] > 1)
            reversed[turns++] = d;
        if (y->dims[d] == 1)
            step[d] = 1;
    }
    if (turns)
        by = gradient_reverse(s, by, turns, reversed);
    gradient_give(s, 0, gradient_pad(s, gradient_spread(s, by, step), before, after));
    return true;
}

bool gradient_of_pad(gradient *s)
{
    const int64_t *before;
    ir_ints(s->op, IR_ATTR_BEFORE, &before);
    gradient_give(s, 0, gradient_slice(s, s->by_result, before, NULL, gradient_operand_type(s, 0)->dims));
    return true;
}

/* The middle, and the mirrored borders folded back onto it, one dimension after the other. */
static ir_value *unmirrored(gradient *s, ir_value *by, int d, int64_t before, int64_t after, int64_t extent)
{
    const int64_t off = ir_int(s->op, IR_ATTR_MIRROR) == IR_MIRROR_REFLECT ? 1 : 0;
    const int64_t borders[2] = {before, after}, from[2] = {0, before + extent};
    const int64_t lands[2] = {off, extent - off - after};
    ir_type part = by->type;
    int64_t begin[IR_MAX_RANK] = {0};
    begin[d] = before;
    part.dims[d] = extent;
    ir_value *sum = gradient_slice(s, by, begin, NULL, part.dims);
    for (int side = 0; side < 2; side++) {
        if (borders[side] == 0)
            continue;
        int64_t in_front[IR_MAX_RANK] = {0}, behind[IR_MAX_RANK] = {0};
        const int64_t axis = d;
        begin[d] = from[side];
        part.dims[d] = borders[side];
        in_front[d] = lands[side];
        behind[d] = extent - lands[side] - borders[side];
        ir_value *border = gradient_reverse(s, gradient_slice(s, by, begin, NULL, part.dims), 1, &axis);
        sum = gradient_binary(s, IR_ADD, sum, gradient_pad(s, border, in_front, behind));
    }
    return sum;
}

bool gradient_of_mirror_pad(gradient *s)
{
    const ir_type *x = gradient_operand_type(s, 0);
    ir_value *by = s->by_result;
    for (int d = 0; d < x->rank; d++)
        by =
            unmirrored(s, by, d, ir_ints_at(s->op, IR_ATTR_BEFORE, d), ir_ints_at(s->op, IR_ATTR_AFTER, d), x->dims[d]);
    gradient_give(s, 0, by);
    return true;
}

/* [n * extent] → [n, extent], summed over n, one dimension after the other. */
bool gradient_of_tile(gradient *s)
{
    const ir_type *x = gradient_operand_type(s, 0);
    ir_value *by = s->by_result;
    for (int d = 0; d < x->rank; d++) {
        ir_type t = by->type;
        int64_t outer = 1, inner = 1;
        const int64_t times = x->dims[d] ? t.dims[d] / x->dims[d] : 1;
        if (times == 1)
            continue;
        for (int i = 0; i < t.rank; i++)
            *(i < d ? &outer : &inner) *= i == d ? 1 : t.dims[i];
        by = gradient_reshape(s, by, 3, (int64_t[]){outer, times, x->dims[d] * inner});
        by = gradient_reduce(s, IR_SUM, by, 1, (int64_t[]){1}, false);
        t.dims[d] = x->dims[d];
        by = gradient_reshape(s, by, t.rank, t.dims);
    }
    gradient_give(s, 0, by);
    return true;
}

bool gradient_of_reverse(gradient *s)
{
    const int64_t *axes;
    const int32_t count = ir_ints(s->op, IR_ATTR_AXES, &axes);
    gradient_give(s, 0, gradient_reverse(s, s->by_result, count, axes));
    return true;
}

/* ---- Blocks of pixels: each is another's inverse ---- */

static ir_op *blocks_back(gradient *s, ir_opcode code)
{
    const int64_t *block;
    ir_op *op = gradient_new(s, code, 1, &s->by_result);
    ir_ints(s->op, IR_ATTR_BLOCK, &block);
    ir_set_ints(op, IR_ATTR_BLOCK, 2, block);
    return op;
}

static bool give_blocks(gradient *s, ir_op *op)
{
    gradient_give(s, 0, gradient_end(s, op));
    return true;
}

bool gradient_of_depth_to_space(gradient *s) { return give_blocks(s, blocks_back(s, IR_SPACE_TO_DEPTH)); }
bool gradient_of_space_to_depth(gradient *s) { return give_blocks(s, blocks_back(s, IR_DEPTH_TO_SPACE)); }

bool gradient_of_space_to_batch(gradient *s)
{
    const int64_t *pad;
    ir_op *op = blocks_back(s, IR_BATCH_TO_SPACE);
    ir_ints(s->op, IR_ATTR_PAD, &pad);
    ir_set_ints(op, IR_ATTR_CROPS, 4, pad);
    return give_blocks(s, op);
}

bool gradient_of_batch_to_space(gradient *s)
{
    const int64_t *crops;
    ir_op *op = blocks_back(s, IR_SPACE_TO_BATCH);
    ir_ints(s->op, IR_ATTR_CROPS, &crops);
    ir_set_ints(op, IR_ATTR_PAD, 4, crops);
    return give_blocks(s, op);
}
