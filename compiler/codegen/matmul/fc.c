/* fc.c: fully_connected, [rows, I] x [O, I]: a matrix product whose rows are all but the last dimension.
 *
 * With fewer than 4 inputs a step would read behind the last row: then x is copied into scratch with slack.  Rows that lie
 * a multiple of 4096 bytes apart compete for one set of the first-level cache, which holds fewer lines than a tile has
 * rows: these are copied, too, a line further apart. */
#include "compiler/codegen/matmul/mac.h"
#include "compiler/codegen/matmul/matmul.h"
#include "compiler/codegen/matmul/wide.h"
#include "compiler/codegen/move/copy.h"
#include "ir/interp.h"

enum { SLACK = 64, LINE = 64, SAME_SET = 4096 };

static int64_t rows_of(const ir_op *op)
{
    const int64_t inputs = op->operands[1].value->type.dims[1];
    return inputs ? ir_type_elements(&op->operands[0].value->type) / inputs : 0;
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

static bool is_short(const ir_op *op) { return ir_dtype_bytes(op->operands[0].value->type.dtype) == 1 && row_bytes(op) < 4; }
static bool copies(const ir_op *op) { return is_short(op) || rows_collide(op); }
static int64_t copied_row_bytes(const ir_op *op) { return row_bytes(op) + (rows_collide(op) ? LINE : 0); }

static size_t copy_bytes(const ir_op *op)
{
    return copies(op) ? (size_t)(rows_of(op) * copied_row_bytes(op) + SLACK + 63) / 64 * 64 : 0;
}

size_t cg_fully_connected_scratch(const ir_op *op, const target_info *target)
{
    (void)target;
    if (!ir_is_const(op->operands[1].value))
        return cg_product_scratch(op);
    const bool sums = ir_dtype_bytes(op->operands[0].value->type.dtype) == 1 && cg_mac_weight_zero(op) != 0;
    return copy_bytes(op) + (sums ? cg_mac_row_sums_bytes(rows_of(op), 1) : 0);
}

/* The rows of a dense value: one run of `width` elements after the other. */
static cg_gemm_rows dense_rows(const cg_gemm *g, const ir_value *v, int64_t width)
{
    const int64_t bytes = width * (int64_t)ir_dtype_bytes(v->type.dtype);
    return (cg_gemm_rows){cg_arg_value(v), 0, g->width * bytes, bytes};
}

static bool is_dense(const ir_value *v) { return ir_place_is_dense(&v->place, &v->type); }

/* Leading dimensions [.., images, height, width] of x and the result when they are views. */
static bool set_rows(cg_module *m, cg_gemm *g, int64_t inputs, int64_t outputs)
{
    const ir_op *op = g->op;
    const ir_value *x = op->operands[0].value, *y = op->results[0], *r = ir_operand_value(op, 3);
    g->images = g->height = 1;
    g->width = rows_of(op);
    if (is_dense(x) && is_dense(y) && (!r || is_dense(r))) {
        const ir_value *p = ir_operand_value(op, IR_MAC_SCALE) ? op->operands[IR_MAC_SCALE].value : ir_operand_value(op, IR_MAC_ZERO);
        const int64_t lines = p ? ir_type_elements(&p->type) : 1;
        if (lines > 1 && lines < g->width) { /* rows that share a scale */
            g->height = lines;
            g->width /= lines;
        }
        g->x = dense_rows(g, x, inputs);
        g->out = dense_rows(g, y, outputs);
        if (r)
            g->residual.rows = dense_rows(g, r, outputs);
        return true;
    }
    if (x->type.rank != y->type.rank || x->type.rank > 4 || x->type.rank < 1 || x->type.dims[x->type.rank - 1] != inputs)
        return diag_error(m->diag, &op->loc, "fully_connected on this strided view is not supported by code generation");
    int64_t *extent[3] = {&g->width, &g->height, &g->images};
    g->width = 1;
    for (int i = 0; i < 3 && x->type.rank - 2 - i >= 0; i++)
        *extent[i] = x->type.dims[x->type.rank - 2 - i];
    g->x = cg_mac_rows(x);
    g->out = cg_mac_rows(y);
    if (r)
        g->residual.rows = cg_mac_rows(r);
    return true;
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
    const int64_t lines = g->images * g->height;
    cg_pad_copy copy = {.op = g->op, .from = from, .to = line, .images = lines, .in_h = g->width, .in_w = 1, .out_h = g->width,
                        .out_w = 1, .pixel_bytes = row_bytes(g->op)};
    if (g->images > 1 && g->x.image != g->height * g->x.y) { /* images apart: lines of pixels */
        copy.from = g->x;
        copy.to = to;
        copy.images = g->images;
        copy.in_h = copy.out_h = g->height;
        copy.in_w = copy.out_w = g->width;
    }
    cg_pad_copy_emit(m, &copy);
    g->x = to;
}

bool cg_emit_fully_connected(cg_module *m, const ir_op *op)
{
    if (!ir_is_const(op->operands[1].value) && !ir_mac_is_dynamic(op) && is_dense(op->operands[0].value) && is_dense(op->operands[1].value) &&
        is_dense(op->results[0]))
        return cg_emit_product(m, op);
    if (!cg_mac_check(m, op))
        return false;
    const ir_value *w = op->operands[1].value;
    const int64_t inputs = w->type.dims[1], outputs = w->type.dims[0], rows = rows_of(op), none = 0;
    if (ir_type_elements(&op->results[0]->type) == 0)
        return true;
    cg_gemm g = {.op = op, .is_float = cg_mac_is_float(op), .columns = outputs, .groups = 1,
                 .out_type = op->results[0]->type.dtype, .macs = (uint64_t)(rows * outputs * inputs)};
    if (!set_rows(m, &g, inputs, outputs))
        return false;
    if (copies(op))
        copy_rows(m, &g);
    const cg_steps steps = cg_steps_of_runs(m->arena, 1, &none, inputs, (int64_t)ir_dtype_bytes(op->operands[0].value->type.dtype));
    g.steps = steps.count;
    if (!cg_mac_bind_dynamic(m, &g))
        return false;
    cg_gemm_flatten(&g);
    if (op->operands[0].value->type.dtype == IR_I16)
        return cg_wide_emit(m, &g, &steps, inputs);
    const schedule_tiles tiles = cg_gemm_tiles(m, &g);
    cg_mac_bind(m, &g, &steps, &tiles, inputs);
    if (!g.is_float && cg_mac_weight_zero(op) != 0) {
        const cg_arg sums = cg_arg_part(cg_arg_scratch(m, op), (int64_t)copy_bytes(op), (int64_t)cg_mac_row_sums_bytes(rows, 1));
        if (!cg_mac_row_sums(m, &g, &steps, cg_mac_weight_zero(op), sums))
            return false;
    }
    return cg_gemm_emit(m, &g, &tiles);
}
