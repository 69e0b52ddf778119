/* rule_moves.c: data movement: what becomes a view in the memory plan, and what is copied. */
#include "tests/random/rules.h"

static ir_value *draw_any(draw *d, ir_dtype t, int least_rank)
{
    return draw_take(
        d, &(draw_want){.dtype = t, .kind = DRAW_ANY, .least_rank = least_rank, .most_rank = 6, .constant_percent = 5});
}

/* An image with extents that the op can divide: one that is there is seldom so. */
static ir_value *draw_fitting(draw *d, const ir_type *t)
{
    return draw_take(d, &(draw_want){.dtype = t->dtype, .kind = DRAW_ANY, .type = t});
}

/* ---- Shapes ---- */

bool rule_reshape(draw *d, ir_opcode code, const draw_types *t)
{
    ir_value *x = draw_any(d, t->operand[0], 0);
    ir_type y = {.dtype = t->result[0]};
    int64_t rest = ir_type_elements(&x->type);

    if (draw_chance(d, 30)) { /* only extents of 1 come or go */
        for (int i = 0; i < x->type.rank; i++)
            if (x->type.dims[i] != 1 || draw_chance(d, 50))
                y.dims[y.rank++] = x->type.dims[i];
        if (y.rank < 5 && draw_chance(d, 50))
            y.dims[y.rank++] = 1;
    } else {
        for (const int most = (int)draw_between(d, 1, 4); y.rank < most - 1;) {
            int64_t factor = draw_between(d, 1, 8);
            while (factor > 1 && rest % factor != 0)
                factor--;
            y.dims[y.rank++] = factor;
            rest = factor ? rest / factor : 0;
        }
        y.dims[y.rank++] = rest;
    }
    draw_op(d, code, 1, &x);
    return draw_result_as(d, 0, &y, x->quant);
}

bool rule_transpose(draw *d, ir_opcode code, const draw_types *t)
{
    ir_value *x = draw_any(d, t->operand[0], 1);
    int64_t perm[IR_MAX_RANK];

    for (int i = 0; i < x->type.rank; i++) {
        const int64_t j = draw_below(d, i + 1);
        perm[i] = perm[j];
        perm[j] = i;
    }
    if (x->type.rank == 4 && draw_chance(d, 30))
        for (int i = 0; i < 4; i++)
            perm[i] = (int64_t[]){0, 3, 1, 2}[i];
    draw_op(d, code, 1, &x);
    draw_ints(d, IR_ATTR_PERM, x->type.rank, perm);
    return draw_result(d, 0, t->result[0], x->quant);
}

bool rule_concat(draw *d, ir_opcode code, const draw_types *t)
{
    ir_value *operands[5] = {draw_any(d, t->operand[0], 1)};
    const ir_value *first = operands[0];
    const int64_t axis = draw_chance(d, 60) ? first->type.rank - 1 : draw_below(d, first->type.rank);
    const int count = (int)draw_between(d, 1, 5);

    for (int i = 1; i < count; i++) {
        ir_type type = first->type;
        if (draw_chance(d, 60))
            type.dims[axis] = draw_channels(d);
        while (!draw_fits(&type))
            type.dims[axis] = (type.dims[axis] + 1) / 2;
        operands[i] = draw_take(
            d,
            &(draw_want){
                .dtype = type.dtype, .kind = DRAW_PLAIN, .type = &type, .quant = first->quant, .constant_percent = 10});
    }
    draw_op(d, code, count, operands);
    ir_set_int(d->op, IR_ATTR_AXIS, axis);
    return draw_result(d, 0, t->result[0], first->quant);
}

bool rule_slice(draw *d, ir_opcode code, const draw_types *t)
{
    ir_value *x = draw_any(d, t->operand[0], 1);
    int64_t begin[IR_MAX_RANK], step[IR_MAX_RANK];
    ir_type y = ir_type_make(t->result[0], x->type.rank, x->type.dims);

    for (int i = 0; i < y.rank; i++) {
        const int64_t extent = x->type.dims[i];
        step[i] = draw_chance(d, 15) ? draw_between(d, 2, 3) : draw_chance(d, 5) ? -draw_between(d, 1, 2) : 1;
        begin[i] = draw_chance(d, 50) ? (step[i] < 0 ? extent - 1 : 0) : draw_below(d, extent);
        const int64_t most = step[i] > 0 ? (extent - begin[i] - 1) / step[i] + 1 : begin[i] / -step[i] + 1;
        y.dims[i] = draw_chance(d, 60) ? most : draw_between(d, 1, most);
    }
    draw_op(d, code, 1, &x);
    draw_ints(d, IR_ATTR_BEGIN, y.rank, begin);
    draw_ints(d, IR_ATTR_STEP, y.rank, step);
    return draw_result_as(d, 0, &y, x->quant);
}

bool rule_pad(draw *d, ir_opcode code, const draw_types *t)
{
    ir_value *x = draw_any(d, t->operand[0], 1);
    const bool mirror = code == IR_MIRROR_PAD;
    const int64_t kind = draw_below(d, IR_MIRROR_COUNT), edge = kind == IR_MIRROR_REFLECT;
    int64_t before[IR_MAX_RANK] = {0}, after[IR_MAX_RANK] = {0};

    for (int i = 0; i < x->type.rank; i++) {
        const int64_t most = mirror ? x->type.dims[i] - edge : 4;
        if (most > 0 && draw_chance(d, 40))
            before[i] = draw_between(d, 0, most), after[i] = draw_between(d, 0, most);
    }
    draw_op(d, code, 1, &x);
    draw_ints(d, IR_ATTR_BEFORE, x->type.rank, before);
    draw_ints(d, IR_ATTR_AFTER, x->type.rank, after);
    if (mirror)
        ir_set_int(d->op, IR_ATTR_MIRROR, kind);
    else if (draw_chance(d, 30))
        ir_set_float(d->op, IR_ATTR_VALUE, (float)draw_between(d, -300, 300) / 100);
    return draw_result(d, 0, t->result[0], x->quant);
}

/* broadcast and tile */
bool rule_repeat(draw *d, ir_opcode code, const draw_types *t)
{
    ir_value *x = draw_any(d, t->operand[0], 0);
    ir_type y = ir_type_make(t->result[0], x->type.rank, x->type.dims);

    for (int i = 0; i < y.rank; i++) {
        if (code == IR_TILE)
            y.dims[i] *= draw_chance(d, 60) ? 1 : draw_between(d, 2, 3);
        else if (y.dims[i] == 1 && draw_chance(d, 70))
            y.dims[i] = draw_channels(d);
    }
    if (code == IR_BROADCAST && y.rank < 5 && draw_chance(d, 30)) {
        for (int i = y.rank++; i > 0; i--)
            y.dims[i] = y.dims[i - 1];
        y.dims[0] = draw_between(d, 1, 3);
    }
    if (!draw_fits(&y))
        return false;
    draw_op(d, code, 1, &x);
    return draw_result_as(d, 0, &y, x->quant);
}

bool rule_reverse(draw *d, ir_opcode code, const draw_types *t)
{
    ir_value *x = draw_any(d, t->operand[0], 1);
    int64_t axes[IR_MAX_RANK];
    int count = 0;

    for (int i = 0; i < x->type.rank; i++)
        if (draw_chance(d, 40))
            axes[count++] = i;
    draw_op(d, code, 1, &x);
    draw_ints(d, IR_ATTR_AXES, count, axes);
    return draw_result(d, 0, t->result[0], x->quant);
}

/* ---- Blocks of pixels ---- */

bool rule_depth_to_space(draw *d, ir_opcode code, const draw_types *t)
{
    const int64_t by = draw_between(d, 1, 3), bx = draw_chance(d, 70) ? by : draw_between(d, 1, 3);
    ir_type type = draw_image_shape(d, t->operand[0]);

    if (code == IR_DEPTH_TO_SPACE)
        type.dims[3] = by * bx * draw_between(d, 1, 9);
    else
        type.dims[1] = by * draw_between(d, 1, 4), type.dims[2] = bx * draw_between(d, 1, 4);
    if (!draw_fits(&type))
        return false;
    ir_value *x = draw_fitting(d, &type);
    draw_op(d, code, 1, &x);
    draw_ints(d, IR_ATTR_BLOCK, 2, (int64_t[]){by, bx});
    return draw_result(d, 0, t->result[0], x->quant);
}

bool rule_space_to_batch(draw *d, ir_opcode code, const draw_types *t)
{
    const int64_t by = draw_between(d, 1, 3), bx = draw_chance(d, 70) ? by : draw_between(d, 1, 3);
    const bool to_batch = code == IR_SPACE_TO_BATCH;
    ir_type type = draw_image_shape(d, t->operand[0]);
    int64_t border[4] = {draw_below(d, 3), draw_below(d, 3), draw_below(d, 3), draw_below(d, 3)};

    if (to_batch) { /* the border behind completes the last block */
        border[2] += (by - (type.dims[1] + border[0] + border[2]) % by) % by;
        border[3] += (bx - (type.dims[2] + border[1] + border[3]) % bx) % bx;
    } else {
        type.dims[0] = by * bx * draw_between(d, 1, 2);
        for (int i = 0; i < 4; i++)
            border[i] = draw_chance(d, 60) ? 0 : border[i];
        if (border[0] + border[2] >= type.dims[1] * by || border[1] + border[3] >= type.dims[2] * bx)
            return false;
    }
    if (!draw_fits(&type))
        return false;
    ir_value *x = draw_fitting(d, &type);
    draw_op(d, code, 1, &x);
    draw_ints(d, IR_ATTR_BLOCK, 2, (int64_t[]){by, bx});
    draw_ints(d, to_batch ? IR_ATTR_PAD : IR_ATTR_CROPS, 4, border);
    return draw_result(d, 0, t->result[0], x->quant);
}

bool rule_resize(draw *d, ir_opcode code, const draw_types *t)
{
    ir_value *x = draw_image(d, t->operand[0], code == IR_RESIZE_NEAREST ? DRAW_ANY : DRAW_QUANTIZED);
    ir_type y = ir_type_make(t->result[0], 4, x->type.dims);

    y.dims[1] = draw_chance(d, 40) ? 2 * y.dims[1] : draw_extent(d);
    y.dims[2] = draw_chance(d, 40) ? 2 * y.dims[2] : draw_extent(d);
    if (!draw_fits(&y))
        return false;
    draw_op(d, code, 1, &x);
    ir_set_int(d->op, IR_ATTR_ALIGN, draw_chance(d, 30));
    ir_set_int(d->op, IR_ATTR_HALF_PIXEL, draw_chance(d, 40) && !ir_int(d->op, IR_ATTR_ALIGN));
    if (code == IR_RESIZE_BILINEAR && t->operand[0] == IR_U8 && draw_chance(d, 30))
        ir_set_int(d->op, IR_ATTR_ORIGIN, 128);
    return draw_result_as(d, 0, &y, x->quant);
}
