/* transpose.c: transpose, broadcast and tile: one box whose source strides are permuted, or zero. */
#include "compiler/codegen/move/move.h"

bool cg_emit_transpose(cg_module *m, const ir_op *op)
{
    const ir_value *from = ir_operand_value(op, 0), *to = op->results[0];
    cg_shape x = cg_shape_of(from), y = cg_shape_of(to);
    cg_piece p = {.from = from};
    for (int d = 0; d < y.rank; d++)
        cg_piece_dim(&p, y.dims[d], x.stride[ir_ints_at(op, IR_ATTR_PERM, d)], y.stride[d]);
    return cg_move(m, op, to, 1, &p, false);
}

bool cg_emit_broadcast(cg_module *m, const ir_op *op)
{
    const ir_value *from = ir_operand_value(op, 0), *to = op->results[0];
    cg_shape x = cg_shape_of(from), y = cg_shape_of(to);
    cg_piece p = {.from = from};
    for (int d = 0; d < y.rank; d++) {
        int s = d - (y.rank - x.rank);
        cg_piece_dim(&p, y.dims[d], s < 0 || x.dims[s] == 1 ? 0 : x.stride[s], y.stride[d]);
    }
    return cg_move(m, op, to, 1, &p, false);
}

bool cg_emit_tile(cg_module *m, const ir_op *op)
{
    const ir_value *from = ir_operand_value(op, 0), *to = op->results[0];
    cg_shape x = cg_shape_of(from), y = cg_shape_of(to);
    cg_piece p = {.from = from};
    if (x.elements == 0)
        return true;
    for (int d = 0; d < y.rank; d++) {
        cg_piece_dim(&p, y.dims[d] / x.dims[d], 0, y.stride[d] * x.dims[d]);
        cg_piece_dim(&p, x.dims[d], x.stride[d], y.stride[d]);
    }
    return cg_move(m, op, to, 1, &p, false);
}
