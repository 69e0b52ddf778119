/* concat.c: concat, reshape, observe, slice and reverse: boxes copied as they are, or not at all where the memory plan
 * has put the operand where the result wants it. */
#include "compiler/codegen/move/move.h"

bool cg_emit_reshape(cg_module *m, const ir_op *op)
{
    cg_piece p = {.from = ir_operand_value(op, 0)};
    cg_piece_dim(&p, ir_type_elements(&p.from->type), 1, 1);
    return cg_move(m, op, op->results[0], 1, &p, false);
}

bool cg_emit_observe(cg_module *m, const ir_op *op)
{
    const cg_shape x = cg_shape_of(ir_operand_value(op, 0)), y = cg_shape_of(op->results[0]);
    cg_piece p = {.from = ir_operand_value(op, 0)};
    for (int d = 0; d < y.rank; d++)
        cg_piece_dim(&p, y.dims[d], x.stride[d], y.stride[d]);
    return cg_move(m, op, op->results[0], 1, &p, false);
}

bool cg_emit_concat(cg_module *m, const ir_op *op)
{
    const ir_value *to = op->results[0];
    cg_shape y = cg_shape_of(to);
    int axis = (int)ir_int(op, IR_ATTR_AXIS);
    int64_t at = 0;
    enum { CHUNK = 12 };
    cg_piece pieces[CHUNK];
    int n = 0;
    for (int i = 0; i < op->operand_count; i++) {
        const ir_value *from = ir_operand_value(op, i);
        cg_shape x = cg_shape_of(from);
        cg_piece p = {.from = from, .to_offset = at * y.stride[axis]};
        for (int d = 0; d < y.rank; d++)
            cg_piece_dim(&p, x.dims[d], x.stride[d], y.stride[d]);
        at += x.dims[axis];
        pieces[n++] = p;
        if (n == CHUNK || i + 1 == op->operand_count) {
            if (!cg_move(m, op, to, n, pieces, false))
                return false;
            n = 0;
        }
    }
    return true;
}

bool cg_emit_slice(cg_module *m, const ir_op *op)
{
    const ir_value *from = ir_operand_value(op, 0), *to = op->results[0];
    cg_shape x = cg_shape_of(from), y = cg_shape_of(to);
    cg_piece p = {.from = from};
    for (int d = 0; d < y.rank; d++) {
        p.from_offset += ir_ints_at(op, IR_ATTR_BEGIN, d) * x.stride[d];
        cg_piece_dim(&p, y.dims[d], x.stride[d] * ir_ints_at(op, IR_ATTR_STEP, d), y.stride[d]);
    }
    return cg_move(m, op, to, 1, &p, false);
}

bool cg_emit_reverse(cg_module *m, const ir_op *op)
{
    const ir_value *from = ir_operand_value(op, 0), *to = op->results[0];
    cg_shape x = cg_shape_of(from), y = cg_shape_of(to);
    const int64_t *axes;
    int32_t axis_count = ir_ints(op, IR_ATTR_AXES, &axes);
    cg_piece p = {.from = from};
    for (int d = 0; d < y.rank; d++) {
        bool reversed = false;
        for (int32_t i = 0; i < axis_count; i++)
            reversed = reversed || axes[i] == d;
        if (reversed)
            p.from_offset += (x.dims[d] - 1) * x.stride[d];
        cg_piece_dim(&p, y.dims[d], reversed ? -x.stride[d] : x.stride[d], y.stride[d]);
    }
    return cg_move(m, op, to, 1, &p, false);
}
