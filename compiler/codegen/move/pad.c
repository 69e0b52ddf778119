/* pad.c: pad and mirror_pad.  A pad is the operand's box and, for each padded side, one slab of fill:
 *
 *     +-----------+     dimension 0 first (whole rows), then dimension 1 within the
 *     |    0a     |     rows that are left, and so on: the slabs do not overlap
 *     |1a|  x  |1b|
 *     |    0b     |
 *     +-----------+  */
#include "compiler/codegen/move/move.h"

bool cg_emit_pad(cg_module *m, const ir_op *op)
{
    const ir_value *from = ir_operand_value(op, 0), *to = op->results[0];
    cg_shape x = cg_shape_of(from), y = cg_shape_of(to);
    uint64_t fill = cg_element_bits(to, ir_float(op, IR_ATTR_VALUE));
    cg_piece pieces[2 * IR_MAX_RANK + 1] = {{.from = from}};
    for (int d = 0; d < y.rank; d++) {
        pieces[0].to_offset += ir_ints_at(op, IR_ATTR_BEFORE, d) * y.stride[d];
        cg_piece_dim(&pieces[0], x.dims[d], x.stride[d], y.stride[d]);
    }
    int n = 1;
    for (int slab = 0; slab < y.rank; slab++) {
        int64_t before = ir_ints_at(op, IR_ATTR_BEFORE, slab), after = ir_ints_at(op, IR_ATTR_AFTER, slab);
        for (int side = 0; side < 2; side++) {
            cg_piece p = {.fill = fill};
            for (int d = 0; d < y.rank; d++) {
                int64_t begin = d < slab ? ir_ints_at(op, IR_ATTR_BEFORE, d) : 0;
                int64_t count = d < slab ? x.dims[d] : y.dims[d];
                if (d == slab) {
                    begin = side ? before + x.dims[d] : 0;
                    count = side ? after : before;
                }
                p.to_offset += begin * y.stride[d];
                cg_piece_dim(&p, count, 0, y.stride[d]);
            }
            if ((side ? after : before) > 0)
                pieces[n++] = p;
        }
    }
    return cg_move(m, op, to, n, pieces, false);
}

/* Of one dimension, the three parts of a mirrored border: before, the operand itself, after. */
typedef struct part {
    int64_t count, from, step, to;
} part;

static part mirror_part(int64_t extent, int64_t before, int64_t after, bool symmetric, int which)
{
    int64_t edge = symmetric ? 0 : 1;
    switch (which) {
    case 0: return (part){before, before - 1 + edge, -1, 0};
    case 1: return (part){extent, 0, 1, before};
    default: return (part){after, extent - 1 - edge, -1, before + extent};
    }
}

bool cg_emit_mirror_pad(cg_module *m, const ir_op *op)
{
    const ir_value *from = ir_operand_value(op, 0), *to = op->results[0];
    cg_shape x = cg_shape_of(from), y = cg_shape_of(to);
    bool symmetric = ir_int(op, IR_ATTR_MIRROR) == IR_MIRROR_SYMMETRIC;
    int combinations = 1;
    for (int d = 0; d < y.rank; d++)
        combinations *= 3;
    enum { CHUNK = 12 };
    cg_piece pieces[CHUNK];
    int n = 0;
    for (int c = 0; c < combinations; c++) {
        cg_piece p = {.from = from};
        bool empty = false;
        for (int d = 0, rest = c; d < y.rank; d++, rest /= 3) {
            part s = mirror_part(x.dims[d], ir_ints_at(op, IR_ATTR_BEFORE, d), ir_ints_at(op, IR_ATTR_AFTER, d),
                                 symmetric, rest % 3);
            empty = empty || s.count == 0;
            p.from_offset += s.from * x.stride[d];
            p.to_offset += s.to * y.stride[d];
            cg_piece_dim(&p, s.count, s.step * x.stride[d], y.stride[d]);
        }
        if (!empty)
            pieces[n++] = p;
        if (n == CHUNK || (n > 0 && c + 1 == combinations)) {
            if (!cg_move(m, op, to, n, pieces, false))
                return false;
            n = 0;
        }
    }
    return true;
}
