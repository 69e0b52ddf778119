/* space.c: pixels of a block to channels or batches, and back: boxes in which a dimension is split in two. */
#include "compiler/codegen/move/move.h"

/* The side with large pixels and few channels: [N, H*bh, W*bw, C]; the other one: [N, H, W, bh*bw*C]. */
static bool depth_space(cg_module *m, const ir_op *op, bool to_space)
{
    const ir_value *from = ir_operand_value(op, 0), *to = op->results[0];
    const cg_shape x = cg_shape_of(from), y = cg_shape_of(to);
    const cg_shape *deep = to_space ? &x : &y, *wide = to_space ? &y : &x;
    int64_t bh = ir_ints_at(op, IR_ATTR_BLOCK, 0), bw = ir_ints_at(op, IR_ATTR_BLOCK, 1), c = wide->dims[3];
    int64_t count[6] = {deep->dims[0], deep->dims[1], bh, deep->dims[2], bw, c};
    int64_t deep_stride[6] = {deep->stride[0], deep->stride[1],     bw * c * deep->stride[3],
                              deep->stride[2], c * deep->stride[3], deep->stride[3]};
    int64_t wide_stride[6] = {wide->stride[0],      bh * wide->stride[1], wide->stride[1],
                              bw * wide->stride[2], wide->stride[2],      wide->stride[3]};
    cg_piece p = {.from = from};
    for (int d = 0; d < 6; d++)
        cg_piece_dim(&p, count[d], to_space ? deep_stride[d] : wide_stride[d],
                     to_space ? wide_stride[d] : deep_stride[d]);
    return cg_move(m, op, to, 1, &p, false);
}

bool cg_emit_depth_to_space(cg_module *m, const ir_op *op) { return depth_space(m, op, true); }
bool cg_emit_space_to_depth(cg_module *m, const ir_op *op) { return depth_space(m, op, false); }

/* Indices i in 0..extent-1 with 0 <= i * block + offset < limit. */
static void covered(int64_t extent, int64_t block, int64_t offset, int64_t limit, int64_t *out_first,
                    int64_t *out_count)
{
    int64_t first = offset >= 0 ? 0 : (-offset + block - 1) / block;
    int64_t end = limit - offset <= 0 ? 0 : (limit - offset + block - 1) / block;
    end = end < extent ? end : extent;
    *out_first = first;
    *out_count = end > first ? end - first : 0;
}

/* Batch (by*bw + bx)*N + n of the batched side holds the pixels (h*bh + by - top, w*bw + bx - left) of the spatial one.
 */
static bool batch_space(cg_module *m, const ir_op *op, bool to_space)
{
    const ir_value *from = ir_operand_value(op, 0), *to = op->results[0];
    const cg_shape x = cg_shape_of(from), y = cg_shape_of(to);
    const cg_shape *many = to_space ? &x : &y, *wide = to_space ? &y : &x;
    ir_attr_id border = to_space ? IR_ATTR_CROPS : IR_ATTR_PAD;
    int64_t block[2] = {ir_ints_at(op, IR_ATTR_BLOCK, 0), ir_ints_at(op, IR_ATTR_BLOCK, 1)};
    int64_t n = wide->dims[0];
    cg_piece pieces[12];
    int count = 0;
    bool bordered = false;
    for (int i = 0; i < 4; i++)
        bordered = bordered || ir_ints_at(op, border, i) != 0;
    if (!to_space && bordered) {
        cg_piece all = {.fill = cg_element_bits(to, 0)};
        for (int d = 0; d < 4; d++)
            cg_piece_dim(&all, y.dims[d], 0, y.stride[d]);
        if (!cg_move(m, op, to, 1, &all, true))
            return false;
    }
    for (int64_t b = 0; b < block[0] * block[1]; b++) {
        int64_t in_block[2] = {b / block[1], b % block[1]};
        cg_piece p = {.from = from};
        int64_t many_offset = b * n * many->stride[0], wide_offset = 0;
        cg_piece_dim(&p, n, x.stride[0], y.stride[0]);
        bool empty = false;
        for (int d = 0; d < 2; d++) {
            int64_t offset = in_block[d] - ir_ints_at(op, border, d), first, extent;
            covered(many->dims[1 + d], block[d], offset, wide->dims[1 + d], &first, &extent);
            empty = empty || extent == 0;
            many_offset += first * many->stride[1 + d];
            wide_offset += (first * block[d] + offset) * wide->stride[1 + d];
            int64_t many_step = many->stride[1 + d], wide_step = block[d] * wide->stride[1 + d];
            cg_piece_dim(&p, extent, to_space ? many_step : wide_step, to_space ? wide_step : many_step);
        }
        cg_piece_dim(&p, wide->dims[3], x.stride[3], y.stride[3]);
        p.from_offset = to_space ? many_offset : wide_offset;
        p.to_offset = to_space ? wide_offset : many_offset;
        if (!empty)
            pieces[count++] = p;
        if (count == 12 || (count > 0 && b + 1 == block[0] * block[1])) {
            if (!cg_move(m, op, to, count, pieces, false))
                return false;
            count = 0;
        }
    }
    return true;
}

bool cg_emit_space_to_batch(cg_module *m, const ir_op *op) { return batch_space(m, op, false); }
bool cg_emit_batch_to_space(cg_module *m, const ir_op *op) { return batch_space(m, op, true); }
