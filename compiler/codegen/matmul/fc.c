/* fc.c: fully_connected, [rows, I] x [O, I]: a matrix product whose rows are all but the last dimension.
 *
 * With fewer than 4 inputs a step would read behind the last row: then x is copied into scratch with slack.  Rows that
 * lie a multiple of 4096 bytes apart compete for one set of the first-level cache, which holds fewer lines than a tile
 * has rows: these are copied, too, a line further apart. */
#include "compiler/codegen/matmul/mac.h"
#include "compiler/codegen/matmul/wide.h"
#include "compiler/codegen/move/copy.h"
#include "ir/ref/interp.h"

enum { LINE = 64, SAME_SET = 4096 };

/* By the result: without inputs there are rows all the same, of nothing but the bias. */
static int64_t rows_of(const ir_op *op)
{
    const int64_t outputs = op->operands[1].value->type.dims[0];
    return outputs ? ir_type_elements(&op->results[0]->type) / outputs : 0;
}

static int64_t row_bytes(const ir_op *op)
{
    return op->operands[1].value->type.dims[1] * (int64_t)ir_dtype_bytes(op->operands[0].value->type.dtype);
}

/* Enough rows to collide, and enough columns to read them often. */
static bool rows_collide(const ir_op *op)
{
    enum { LEAST_ROWS = 8, LEAST_COLUMNS = 256 };
    return row_bytes(op) > 0 && row_bytes(op) % SAME_SET == 0 && rows_of(op) >= LEAST_ROWS &&
           op->operands[1].value->type.dims[0] >= LEAST_COLUMNS;
}

static bool is_short(const ir_op *op)
{
    return ir_dtype_bytes(op->operands[0].value->type.dtype) == 1 && row_bytes(op) > 0 && row_bytes(op) < 4;
}
static bool copies(const ir_op *op) { return is_short(op) || rows_collide(op); }
static int64_t copied_row_bytes(const ir_op *op) { return row_bytes(op) + (rows_collide(op) ? LINE : 0); }

static size_t copy_bytes(const ir_op *op)
{
    return copies(op) ? cg_scratch_part((size_t)(rows_of(op) * copied_row_bytes(op)) + CG_OVERREAD) : 0;
}

cg_fit cg_fc_fits(const ir_op *op, const target_info *target)
{
    (void)target;
    return cg_mac_fits(op);
}

cg_fit cg_fc_i16_fits(const ir_op *op, const target_info *target)
{
    (void)target;
    return cg_mac_i16_fits(op);
}

static size_t sums_bytes(const ir_op *op)
{
    const bool sums = ir_dtype_bytes(op->operands[0].value->type.dtype) == 1 && cg_mac_weight_zero(op) != 0;
    return sums ? cg_mac_row_sums_bytes(rows_of(op), 1) : 0;
}

size_t cg_fully_connected_scratch(const ir_op *op, const target_info *target)
{
    (void)target;
    return copy_bytes(op) + sums_bytes(op);
}

/* The rows of a dense value: one run of `width` elements after the other. */
static cg_gemm_rows dense_rows(const cg_gemm *g, const ir_value *v, int64_t width)
{
    const int64_t bytes = width * (int64_t)ir_dtype_bytes(v->type.dtype);
    return (cg_gemm_rows){cg_arg_value(v), 0, g->width * bytes, bytes};
}

static void set_rows(cg_gemm *g, int64_t inputs, int64_t outputs)
{
    const ir_op *op = g->op;
    const ir_value *x = op->operands[0].value, *y = op->results[0], *r = ir_operand_value(op, 3);
    const ir_value *s = ir_operand_value(op, IR_MAC_SCALE), *p = s ? s : ir_operand_value(op, IR_MAC_ZERO);
    const int64_t lines = p ? ir_type_elements(&p->type) : 1;
    g->images = g->height = 1;
    g->width = rows_of(op);
    if (lines > 1 && lines < g->width) { /* rows that share a scale */
        g->height = lines;
        g->width /= lines;
    }
    g->x = dense_rows(g, x, inputs);
    g->out = dense_rows(g, y, outputs);
    if (r)
        g->residual.rows = dense_rows(g, r, outputs);
}

/* A row is a line of the copy, so that threads share it. */
static void copy_rows(cg_module *m, cg_gemm *g)
{
    const int64_t bytes = copied_row_bytes(g->op);
    cg_gemm_rows to = {.x = bytes, .y = g->width * bytes, .image = g->height * g->width * bytes};
    to.arg = cg_arg_part(cg_arg_scratch(m, g->op), 0, (int64_t)copy_bytes(g->op));
    cg_gemm_rows from = g->x, line = to;
    from.image = g->x.y;
    from.y = g->x.x;
    line.image = to.y;
    line.y = to.x;
    const cg_pad_copy copy = {.op = g->op,
                              .from = from,
                              .to = line,
                              .images = g->height,
                              .in_h = g->width,
                              .in_w = 1,
                              .out_h = g->width,
                              .out_w = 1,
                              .pixel_bytes = row_bytes(g->op)};
    cg_pad_copy_emit(m, &copy);
    g->x = to;
}

/* Up to where the width of the activations matters. */
static bool begin(cg_module *m, const ir_op *op, cg_gemm *g, cg_steps *steps)
{
    const ir_value *x = op->operands[0].value, *w = op->operands[1].value;
    const int64_t inputs = w->type.dims[1], outputs = w->type.dims[0], none = 0;
    *g = (cg_gemm){.op = op,
                   .is_float = cg_mac_is_float(op),
                   .columns = outputs,
                   .groups = 1,
                   .out_type = op->results[0]->type.dtype,
                   .macs = (uint64_t)(rows_of(op) * outputs * inputs)};
    set_rows(g, inputs, outputs);
    if (copies(op))
        copy_rows(m, g);
    *steps = cg_steps_of_runs(m->arena, 1, &none, inputs, (int64_t)ir_dtype_bytes(x->type.dtype));
    g->steps = steps->count;
    if (!cg_mac_bind_dynamic(m, g))
        return false;
    cg_gemm_flatten(g);
    return true;
}

bool cg_emit_fc_i16(cg_module *m, const ir_op *op)
{
    cg_gemm g;
    cg_steps steps;
    if (ir_type_elements(&op->results[0]->type) == 0)
        return true;
    return begin(m, op, &g, &steps) && cg_wide_emit(m, &g, &steps, op->operands[1].value->type.dims[1]);
}

bool cg_emit_fully_connected(cg_module *m, const ir_op *op)
{
    cg_gemm g;
    cg_steps steps;
    if (ir_type_elements(&op->results[0]->type) == 0)
        return true;
    if (!begin(m, op, &g, &steps))
        return false;
    const schedule_tiles tiles = cg_gemm_tiles(m, &g);
    cg_mac_bind(m, &g, &steps, &tiles, op->operands[1].value->type.dims[1]);
    if (sums_bytes(op)) {
        const cg_arg sums = cg_arg_part(cg_arg_scratch(m, op), (int64_t)copy_bytes(op), (int64_t)sums_bytes(op));
        if (!cg_mac_row_sums(m, &g, &steps, cg_mac_weight_zero(op), sums))
            return false;
    }
    return cg_gemm_emit(m, &g, &tiles);
}
