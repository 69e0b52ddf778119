/* conv.c: conv2d as a matrix product with direct addressing.
 *
 *     x ──[copy into a padded image]──▶ rows are windows, K is the bytes of a window, as runs of neighbouring bytes:
 *                                       a kernel line (KW * C) when taps touch, otherwise a tap (C of the group)
 *
 * The copy is made when there is padding, or when a run is so short that the last window would read behind the image.
 *
 * Weights of reals that are known only at run time are packed by a step in front (conv_open). */
#include <assert.h>
#include <string.h>

#include "compiler/codegen/matmul/conv.h"
#include "compiler/codegen/matmul/pack.h"
#include "compiler/codegen/matmul/wide.h"
#include "compiler/codegen/move/copy.h"
#include "ir/ref/interp.h"

void cg_conv_needs(cg_conv *c, int64_t height, int64_t width)
{
    c->need_h = height;
    c->need_w = width;
    c->copies = c->pad_top > 0 || c->pad_left > 0 || height > c->in_h || width > c->in_w;
    const int64_t run = c->joined ? c->k_w * c->depth : c->depth;
    c->copies = c->copies || (c->element == 1 && run < 4);
    if (c->copies)
        c->copy_bytes = cg_scratch_part((size_t)(c->images * height * width * c->in_c * c->element) + CG_OVERREAD);
}

cg_conv cg_conv_of(const ir_op *op)
{
    const ir_value *x = op->operands[0].value, *w = op->operands[1].value, *y = op->results[0];
    const int64_t *xd = x->type.dims, *wd = w->type.dims, *yd = y->type.dims;
    const bool depthwise = op->code == IR_DEPTHWISE_CONV2D;
    cg_conv c = {.images = xd[0],
                 .in_h = xd[1],
                 .in_w = xd[2],
                 .in_c = xd[3],
                 .out_h = yd[1],
                 .out_w = yd[2],
                 .out_c = yd[3],
                 .k_h = wd[1],
                 .k_w = wd[2],
                 .depth = depthwise ? 1 : wd[3],
                 .groups = depthwise ? xd[3] : ir_int(op, IR_ATTR_GROUPS),
                 .stride_y = ir_ints_at(op, IR_ATTR_STRIDE, 0),
                 .stride_x = ir_ints_at(op, IR_ATTR_STRIDE, 1),
                 .dilation_y = ir_ints_at(op, IR_ATTR_DILATION, 0),
                 .dilation_x = ir_ints_at(op, IR_ATTR_DILATION, 1),
                 .pad_top = ir_ints_at(op, IR_ATTR_PAD, 0),
                 .pad_left = ir_ints_at(op, IR_ATTR_PAD, 1)};
    c.element = (int64_t)ir_dtype_bytes(x->type.dtype);
    c.joined = c.groups == 1 && (c.k_w == 1 || c.dilation_x == 1);
    cg_conv_needs(&c, (c.out_h - 1) * c.stride_y + (c.k_h - 1) * c.dilation_y + 1,
                  (c.out_w - 1) * c.stride_x + (c.k_w - 1) * c.dilation_x + 1);
    if (c.element == 1 && cg_mac_weight_zero(op) != 0)
        c.sums_bytes = cg_mac_row_sums_bytes(c.images * c.out_h * c.out_w, c.groups);
    return c;
}

/* A depthwise convolution has as many groups as channels; where window/ has a kernel for it, that is the faster
 * one, and weights that are real have not been put in order for a product (mac.c). */
cg_fit cg_conv_fits(const ir_op *op, const target_info *target)
{
    const ir_dtype x = op->operands[0].value->type.dtype;
    cg_fit fit = cg_mac_fits(op);
    (void)target;
    if (fit.how == CG_BEST && op->code == IR_DEPTHWISE_CONV2D && (x == IR_F32 || x == op->results[0]->type.dtype))
        fit.how = x == IR_F32 ? CG_CANNOT : CG_CAN;
    return fit;
}

cg_fit cg_conv_i16_fits(const ir_op *op, const target_info *target)
{
    (void)target;
    return cg_mac_i16_fits(op);
}

size_t cg_conv2d_scratch(const ir_op *op, const target_info *target)
{
    (void)target;
    const cg_conv c = cg_conv_of(op);
    return c.copy_bytes + c.sums_bytes;
}

/* The runs of a window in an image with these byte strides. */
static cg_steps steps_of(cg_module *m, const cg_conv *c, const cg_gemm_rows *x)
{
    const bool joined = c->joined && (c->k_w == 1 || x->x == c->in_c * c->element);
    const int per_line = joined ? 1 : (int)c->k_w;
    int64_t *offset = ARENA_ARRAY(m->arena, int64_t, c->k_h * per_line + 1);
    for (int64_t ky = 0; ky < c->k_h; ky++)
        for (int64_t kx = 0; kx < per_line; kx++)
            offset[ky * per_line + kx] = ky * c->dilation_y * x->y + kx * c->dilation_x * x->x;
    return cg_steps_of_runs(m->arena, (int)c->k_h * per_line, offset, joined ? c->k_w * c->depth : c->depth,
                            c->element);
}

static cg_gemm_rows padded_copy(cg_module *m, const ir_op *op, const cg_conv *c)
{
    const ir_value *x = op->operands[0].value, *z = ir_operand_value(op, IR_MAC_ZERO);
    const cg_gemm_rows from = cg_mac_rows(x);
    const int64_t pixel = c->in_c * c->element;
    cg_gemm_rows to = {.x = pixel, .y = c->need_w * pixel, .image = c->need_h * c->need_w * pixel};
    to.arg = cg_arg_part(cg_arg_scratch(m, op), 0, (int64_t)c->copy_bytes);
    const cg_pad_copy copy = {.op = op,
                              .from = from,
                              .to = to,
                              .images = c->images,
                              .in_h = c->in_h,
                              .in_w = c->in_w,
                              .out_h = c->need_h,
                              .out_w = c->need_w,
                              .top = c->pad_top,
                              .left = c->pad_left,
                              .pixel_bytes = pixel,
                              .fill = x->quant ? x->quant->zero[0] : 0,
                              .fills = z ? cg_arg_value(z) : (cg_arg){0},
                              .fill_step = z && ir_type_elements(&z->type) > 1};
    cg_pad_copy_emit(m, &copy);
    return to;
}

cg_gemm_rows cg_conv_rows(cg_module *m, const ir_op *op, const cg_conv *c)
{
    return c->copies ? padded_copy(m, op, c) : cg_mac_rows(op->operands[0].value);
}

/* The padded copy, and the product of a conv2d or depthwise_conv2d up to where the activations' width matters. */
static bool begin(cg_module *m, const ir_op *op, const cg_conv *c, cg_gemm *g, cg_steps *steps)
{
    const cg_gemm_rows x = cg_conv_rows(m, op, c);
    *steps = steps_of(m, c, &x);
    assert(!steps->overreads || c->copies);
    *g = (cg_gemm){.op = op,
                   .is_float = cg_mac_is_float(op),
                   .images = c->images,
                   .height = c->out_h,
                   .width = c->out_w,
                   .columns = c->out_c / c->groups,
                   .groups = c->groups,
                   .x = x,
                   .out = cg_mac_rows(op->results[0]),
                   .x_group = c->depth * c->element,
                   .out_type = op->results[0]->type.dtype,
                   .steps = steps->count,
                   .macs = (uint64_t)(c->images * c->out_h * c->out_w * c->out_c * c->k_h * c->k_w * c->depth)};
    g->out_group = g->columns * (int64_t)ir_dtype_bytes(g->out_type);
    g->x.y = c->stride_y * x.y;
    g->x.x = c->stride_x * x.x;
    const ir_value *r = ir_operand_value(op, 3);
    if (r)
        g->residual.rows = cg_mac_rows(r);
    if (!cg_mac_bind_dynamic(m, g))
        return false;
    cg_gemm_flatten(g);
    return true;
}

bool cg_emit_conv_i16(cg_module *m, const ir_op *op)
{
    const cg_conv c = cg_conv_of(op);
    cg_gemm g;
    cg_steps steps;
    if (ir_type_elements(&op->results[0]->type) == 0)
        return true;
    return begin(m, op, &c, &g, &steps) && cg_wide_emit(m, &g, &steps, c.k_h * c.k_w * c.depth);
}

bool cg_emit_conv2d(cg_module *m, const ir_op *op)
{
    const cg_conv c = cg_conv_of(op);
    cg_gemm g;
    cg_steps steps;
    if (ir_type_elements(&op->results[0]->type) == 0)
        return true;
    if (!begin(m, op, &c, &g, &steps))
        return false;
    const schedule_tiles tiles = cg_gemm_tiles(m, &g);
    cg_mac_bind(m, &g, &steps, &tiles, c.k_h * c.k_w * c.depth);
    const cg_arg sums = cg_arg_part(cg_arg_scratch(m, op), (int64_t)c.copy_bytes, (int64_t)c.sums_bytes);
    if (c.sums_bytes && !cg_mac_row_sums(m, &g, &steps, cg_mac_weight_zero(op), sums))
        return false;
    return cg_gemm_emit(m, &g, &tiles);
}

/* ---- Weights from run time ---- */

cg_fit cg_conv_open_fits(const ir_op *op, const target_info *target)
{
    (void)target;
    return cg_mac_open_fits(op);
}

/* Parts of the scratch, behind the padded copy. */
typedef struct open_parts {
    size_t copy, weights, bias;
} open_parts;

static open_parts open_parts_of(const cg_conv *c, const cg_steps *steps)
{
    const int64_t columns = c->out_c / c->groups;
    return (open_parts){c->copy_bytes, cg_scratch_part(cg_prepacked_bytes(steps, c->groups, columns)),
                        cg_scratch_part((size_t)(c->groups * cg_prepacked_columns(columns)) * 4)};
}

size_t cg_conv_open_scratch(const ir_op *op, const target_info *target)
{
    arena *a = arena_new();
    const cg_conv c = cg_conv_of(op);
    const int64_t none = 0;
    const cg_steps steps = cg_steps_of_runs(a, 1, &none, c.k_h * c.k_w * c.depth, c.element);
    const open_parts parts = open_parts_of(&c, &steps);
    (void)target;
    arena_free(a);
    return parts.copy + parts.weights + parts.bias;
}

static void pack_weights(cg_module *m, const cg_conv *c, cg_gemm *g, const cg_steps *steps, int blocks)
{
    const ir_op *op = g->op;
    const ir_value *b = ir_operand_value(op, 2);
    const open_parts parts = open_parts_of(c, steps);
    const cg_arg scratch = cg_arg_scratch(m, op);
    cg_pack pack = {.op = op,
                    .steps = steps,
                    .source = cg_arg_value(op->operands[1].value),
                    .k_stride = c->element,
                    .depth = c->k_h * c->k_w * c->depth,
                    .columns = g->columns,
                    .blocks = blocks,
                    .is_float = true};
    pack.n_stride = pack.depth * c->element;
    pack.offsets = (cg_group_offsets){.count = c->groups, .step = g->columns * pack.n_stride};
    if (b)
        pack.base = cg_arg_value(b);
    pack.packed = g->weights = cg_arg_part(scratch, (int64_t)parts.copy, (int64_t)parts.weights);
    pack.bias = g->bias = cg_arg_part(scratch, (int64_t)(parts.copy + parts.weights), (int64_t)parts.bias);
    cg_pack_emit(m, &pack);
}

bool cg_emit_conv_open(cg_module *m, const ir_op *op)
{
    const cg_conv c = cg_conv_of(op);
    cg_gemm g;
    cg_steps steps;
    if (ir_type_elements(&op->results[0]->type) == 0)
        return true;
    if (!begin(m, op, &c, &g, &steps))
        return false;
    const schedule_tiles tiles = cg_gemm_tiles(m, &g);
    pack_weights(m, &c, &g, &steps, tiles.blocks);
    cg_mac_bind_steps(m, &g, &steps);
    ir_act_bounds_f32((ir_enum_ACT)ir_int(op, IR_ATTR_ACT), &g.min, &g.max);
    cg_mac_bind_residual(m, &g);
    g.sum_factor = 1;
    return cg_gemm_emit(m, &g, &tiles);
}
