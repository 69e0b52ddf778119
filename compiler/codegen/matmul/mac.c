/* mac.c: weights, biases and the epilogue of multiply-accumulate ops, from operands and attributes.
 *
 * With centred integers the sum is sum (x - zx)(w - zw) + bias.  Kernels multiply the raw bytes, so
 *
 *     bias' = bias - zx * sum w + K * zx * zw        a column, at compile time
 *     (a real bias is added to the requantized sum: requant.h)
 *     rows  = -zw * sum x                            a row, at run time, only with zw != 0
 *
 * With zx from run time, bias' is what zx is multiplied with, K * zw - sum w, and the bias is real. */
#include <math.h>
#include <string.h>

#include "compiler/codegen/matmul/excess.h"
#include "compiler/codegen/matmul/flip.h"
#include "compiler/codegen/matmul/mac.h"
#include "ir/ref/interp.h"

cg_gemm_rows cg_mac_rows(const ir_value *v)
{
    const int rank = v->type.rank;
    const int64_t bytes = (int64_t)ir_dtype_bytes(v->type.dtype);
    cg_gemm_rows r = {.arg = cg_arg_value(v)};
    int64_t *all[3] = {&r.x, &r.y, &r.image};
    for (int i = 0; i < 3 && rank - 2 - i >= 0; i++)
        *all[i] = v->place.stride[rank - 2 - i] * bytes;
    return r;
}

bool cg_mac_is_float(const ir_op *op) { return op->operands[0].value->type.dtype == IR_F32; }

static int32_t zero_of_column(const ir_op *op, int64_t column)
{
    const ir_value *w = op->operands[1].value;
    const ir_quant *q = w->quant;
    return q ? q->zero[q->axis < 0 ? 0 : column] - (w->type.dtype == IR_U8 ? 128 : 0) : 0;
}

static bool zeros_differ(const ir_op *op)
{
    const ir_quant *q = op->operands[1].value->quant;
    for (int32_t i = 1; q && i < q->count; i++)
        if (q->zero[i] != q->zero[0])
            return true;
    return false;
}

int32_t cg_mac_weight_zero(const ir_op *op) { return zeros_differ(op) ? -1 : zero_of_column(op, 0); }

bool cg_mac_is_open(const ir_op *op)
{
    const ir_value *b = ir_operand_value(op, 2);
    return !ir_is_const(op->operands[1].value) || (b && !ir_is_const(b));
}

cg_fit cg_mac_i16_fits(const ir_op *op)
{
    const ir_dtype x = op->operands[0].value->type.dtype, w = op->operands[1].value->type.dtype;
    const ir_dtype y = op->results[0]->type.dtype;
    if (x != IR_I16 || w != IR_I8 || (y != IR_I16 && y != IR_F32))
        return cg_best_if(false, NULL);
    if (ir_operand_value(op, 3))
        return cg_best_if(false, "a residual of 16 bits");
    return cg_best_if(!cg_mac_is_open(op), CG_MAC_OPEN);
}

cg_fit cg_mac_fits(const ir_op *op)
{
    const ir_dtype x = op->operands[0].value->type.dtype, w = op->operands[1].value->type.dtype;
    const ir_dtype y = op->results[0]->type.dtype;
    const bool reals = x == IR_F32 && w == IR_F32 && (y == IR_F32 || y == IR_U8);
    const bool bytes =
        x == IR_U8 && (w == IR_I8 || w == IR_U8) && (y == IR_F32 || y == (ir_mac_is_dynamic(op) ? IR_I32 : IR_U8));
    return cg_best_if((reals || bytes) && !cg_mac_is_open(op), cg_mac_is_open(op) ? CG_MAC_OPEN : NULL);
}

cg_fit cg_mac_open_fits(const ir_op *op)
{
    const ir_value *b = ir_operand_value(op, 2);
    if (op->operands[0].value->type.dtype != IR_F32 || op->operands[1].value->type.dtype != IR_F32 ||
        op->results[0]->type.dtype != IR_F32 || (b && b->type.dtype != IR_F32))
        return cg_best_if(false, cg_mac_is_open(op) ? CG_MAC_OPEN : NULL);
    return (cg_fit){.how = cg_mac_is_open(op) ? CG_BEST : CG_CAN};
}

int64_t cg_mac_weight_index(const ir_op *op, int64_t column, int64_t column_size, int64_t index)
{
    const ir_type *w = &op->operands[1].value->type;
    return op->code == IR_DEPTHWISE_CONV2D ? index * w->dims[3] + column : column * column_size + index;
}

/* u8 weights as s8; depthwise ones column by column; others as they are. */
const void *cg_mac_signed_weights(cg_module *m, const ir_op *op, int64_t column_size)
{
    const ir_value *w = op->operands[1].value;
    const uint8_t *from = w->data, flip = w->type.dtype == IR_U8 ? 0x80 : 0;
    if (op->code != IR_DEPTHWISE_CONV2D && !flip)
        return from;
    const int64_t n = (int64_t)ir_type_bytes(&w->type);
    uint8_t *out = arena_alloc(m->arena, (size_t)n + 1);
    for (int64_t i = 0; i < n; i++)
        out[i] = from[cg_mac_weight_index(op, i / column_size, column_size, i % column_size)] ^ flip;
    return out;
}

int32_t *cg_mac_folded_bias(cg_module *m, const cg_gemm *g, int64_t column_size, const int32_t column_sums[])
{
    int32_t *bias = ARENA_ARRAY(m->arena, int32_t, g->groups * g->columns + 1);
    const ir_op *op = g->op;
    const ir_value *b = ir_operand_value(op, 2);
    const uint32_t zx = ir_mac_is_dynamic(op) ? 1 : (uint32_t)op->operands[0].value->quant->zero[0];
    for (int64_t c = 0; c < g->groups * g->columns; c++) {
        const uint32_t zw = (uint32_t)zero_of_column(op, c);
        const uint32_t own = b && b->type.dtype != IR_F32 ? (uint32_t)ir_const_int(b, c) : 0;
        bias[c] = (int32_t)(own - zx * (uint32_t)column_sums[c] + (uint32_t)column_size * zx * zw);
    }
    return bias;
}

/* Zero points that differ between columns, negative: they multiply the row sums. */
static cg_arg column_zeros(cg_module *m, const cg_gemm *g)
{
    const int64_t all = g->groups * g->columns, padded = g->groups * cg_prepacked_columns(g->columns);
    int32_t *zeros = ARENA_ARRAY(m->arena, int32_t, all + 1);
    for (int64_t c = 0; c < all; c++)
        zeros[c] = -zero_of_column(g->op, c);
    const void *bytes = cg_pad_columns(m->arena, zeros, g->groups, g->columns);
    return cg_arg_constant(cg_constant(m, bytes, 4 * (size_t)padded, "weight_zeros"));
}

static const void *float_bias(cg_module *m, const cg_gemm *g)
{
    const ir_value *b = ir_operand_value(g->op, 2);
    float *values = ARENA_ARRAY(m->arena, float, g->groups * g->columns + 1);
    for (int64_t c = 0; b && c < g->groups * g->columns; c++)
        values[c] = (float)ir_const_real(b, c);
    return values;
}

void cg_mac_bind_residual(cg_module *m, cg_gemm *g)
{
    const ir_value *r = ir_operand_value(g->op, 3);
    if (!r)
        return;
    g->residual.present = true;
    g->residual.first = ir_int(g->op, IR_ATTR_ADD_FIRST) != 0;
    ir_act_bounds_f32((ir_enum_ACT)ir_int(g->op, IR_ATTR_ADD_ACT), &g->add_min, &g->add_max);
    if (!g->is_float && g->op->results[0]->type.dtype != IR_F32)
        g->residual.add = cg_residual_arithmetic(m, g->op, r);
}

static void bind_requant(cg_module *m, cg_gemm *g)
{
    const ir_op *op = g->op;
    const ir_value *y = op->results[0];
    const int64_t padded = cg_prepacked_columns(g->columns), channels = g->groups * padded;
    const bool act = ir_has_attr(op, IR_ATTR_ACT);
    double *multipliers = ARENA_ARRAY(m->arena, double, channels + 1);
    float *real_bias = ARENA_ARRAY(m->arena, float, channels + 1), *gate = ARENA_ARRAY(m->arena, float, channels + 1);
    for (int64_t c = 0; c < channels; c++) {
        const int64_t in_group = c % padded < g->columns ? c % padded : 0;
        multipliers[c] = ir_mac_multiplier(op, c / padded * g->columns + in_group);
        real_bias[c] = ir_mac_real_bias(op, c / padded * g->columns + in_group);
        gate[c] = ir_mac_gate(op, c / padded * g->columns + in_group);
    }
    const bool mid = g->residual.present && !ir_mac_adds_real(op);
    const float scale = mid ? ir_float(op, IR_ATTR_MID_SCALE) : y->quant ? y->quant->scale[0] : 1.0f;
    const int32_t zero = mid ? (int32_t)ir_int(op, IR_ATTR_MID_ZERO) : y->quant ? y->quant->zero[0] : 0;
    const ir_unused unused = mid ? ir_mac_mid_unused(op) : y->quant ? y->quant->unused : (ir_unused){0, 0};
    const bool real = y->type.dtype == IR_F32;
    g->requant = cg_requant_make_for(m, real ? IR_ROUNDING_EVEN_F32 : (ir_enum_ROUNDING)ir_int(op, IR_ATTR_ROUNDING),
                                     (int)channels, multipliers, real ? IR_U8 : y->type.dtype, scale, zero, unused,
                                     act ? (ir_enum_ACT)ir_int(op, IR_ATTR_ACT) : IR_ACT_NONE);
    cg_requant_add_gate(m, &g->requant, real_bias, gate);
}

/* What a step costs in each form, and what an entry of its excess adds: docs/performance.md, "Without VNNI". */
static const struct {
    double step, entry;
} form_cost[] = {[CG_GEMM_ANY] = {2.65, 0},
                 [CG_GEMM_PAIRS] = {1.8, 1.7},
                 [CG_GEMM_QUADS] = {1.5, 1.8},
                 [CG_GEMM_FLIPPED] = {2.4, 0},
                 [CG_GEMM_FLIPPED_APART] = {2.15, 0}};

static void bind_excess(cg_module *m, cg_gemm *g, const cg_excess *e)
{
    if (!e->count)
        return;
    g->excess_first =
        cg_arg_constant(cg_constant_in_place(m, e->first, 4 * (size_t)(2 * e->blocks + 1), "excess_first"));
    g->excess_offsets = cg_arg_constant(cg_constant_in_place(m, e->offset, 4 * (size_t)e->count, "excess_offsets"));
    g->excess_weights =
        cg_arg_constant(cg_constant_in_place(m, e->weights, CG_BLOCK_BYTES * (size_t)e->count, "excess_weights"));
}

/* The cheapest form for these weights.  A bias that a zero point from run time multiplies can't hold what flipping
 * leaves. */
static void choose_form(cg_module *m, cg_gemm *g, const cg_steps *steps, const schedule_tiles *tiles, void *packed)
{
    const int64_t all = g->groups * cg_prepacked_blocks(g->columns) * steps->count;
    g->form = ir_mac_is_dynamic(g->op)     ? CG_GEMM_ANY
              : cg_flip_gains(m, g, tiles) ? CG_GEMM_FLIPPED_APART
                                           : CG_GEMM_FLIPPED;
    double least = form_cost[g->form].step * (double)all;
    cg_excess chosen = {0};
    for (int form = CG_GEMM_PAIRS; form <= CG_GEMM_QUADS; form++) {
        const cg_excess e = cg_excess_find(m->arena, steps, packed, g->groups, g->columns, tiles->blocks,
                                           form == CG_GEMM_QUADS ? 2 : 1);
        const double cost = form_cost[form].step * (double)all + form_cost[form].entry * (double)e.count;
        if (cost >= least)
            continue;
        least = cost;
        g->form = (cg_gemm_form)form;
        chosen = e;
    }
    if (g->form != CG_GEMM_PAIRS && g->form != CG_GEMM_QUADS)
        return;
    cg_excess_take(m->arena, steps, packed, g->columns, tiles->blocks, &chosen);
    bind_excess(m, g, &chosen);
}

void cg_mac_bind_steps(cg_module *m, cg_gemm *g, const cg_steps *steps)
{
    g->steps = steps->count;
    g->linear = steps->linear;
    if (!steps->linear)
        g->offsets = cg_arg_constant(cg_constant(m, steps->offset, 4 * (size_t)steps->count, "offsets"));
}

void cg_mac_bind_results(cg_module *m, cg_gemm *g, const void *bias)
{
    const int64_t padded = g->groups * cg_prepacked_columns(g->columns);
    g->bias = cg_arg_constant(
        cg_constant(m, cg_pad_columns(m->arena, bias, g->groups, g->columns), 4 * (size_t)padded, "bias"));
    ir_act_bounds_f32(ir_has_attr(g->op, IR_ATTR_ACT) ? (ir_enum_ACT)ir_int(g->op, IR_ATTR_ACT) : IR_ACT_NONE, &g->min,
                      &g->max);
    cg_mac_bind_residual(m, g);
    g->sum_factor = 1;
    if (!g->is_float && g->out_type != IR_I32)
        bind_requant(m, g);
}

void cg_mac_bind(cg_module *m, cg_gemm *g, const cg_steps *steps, const schedule_tiles *tiles, int64_t column_size)
{
    int32_t *sums = g->is_float ? NULL : ARENA_ARRAY(m->arena, int32_t, g->groups * g->columns + 1);
    const void *weights = cg_mac_signed_weights(m, g->op, column_size);
    void *packed = cg_prepack(m->arena, steps, weights, g->groups, g->columns, column_size, tiles->blocks, sums);
    const void *bias;
    if (g->is_float) {
        bias = float_bias(m, g);
    } else {
        int32_t *folded = cg_mac_folded_bias(m, g, column_size, sums);
        bias = folded;
        if (target_in_pairs(m->target))
            choose_form(m, g, steps, tiles, packed);
        if (cg_gemm_is_flipped(g->form))
            cg_flip_bias(g, weights, column_size, folded);
        if (zeros_differ(g->op))
            g->column_zeros = column_zeros(m, g);
    }
    size_t bytes = cg_prepacked_bytes(steps, g->groups, g->columns);
    if (g->form == CG_GEMM_FLIPPED_APART) {
        packed = cg_flip_apart(m->arena, packed, bytes);
        bytes *= 2;
    }
    g->weights = cg_arg_constant(cg_constant_in_place(m, packed, bytes, "weights"));
    cg_mac_bind_results(m, g, bias);
    cg_mac_bind_steps(m, g, steps);
}

static bool bind_rows(cg_module *m, cg_gemm *g, const ir_value *v, cg_gemm_rows *out)
{
    const int64_t count = ir_type_elements(&v->type), bytes = (int64_t)ir_dtype_bytes(v->type.dtype);
    *out = (cg_gemm_rows){.arg = cg_arg_value(v)};
    if (!ir_place_is_dense(&v->place, &v->type))
        return diag_error(m->diag, &g->op->loc,
                          "scales or zero points that lie apart are not supported by code generation");
    if (count == 1)
        return true;
    if (count == g->images)
        out->image = bytes;
    else if (count == g->height && g->images == 1)
        out->y = bytes;
    else if (count == g->width && g->images * g->height == 1)
        out->x = bytes;
    else
        return diag_error(m->diag, &g->op->loc, "%lld scales or zero points are not supported by code generation",
                          (long long)count);
    return true;
}

bool cg_mac_bind_dynamic(cg_module *m, cg_gemm *g)
{
    const ir_value *s = ir_operand_value(g->op, IR_MAC_SCALE), *z = ir_operand_value(g->op, IR_MAC_ZERO);
    return !z || ((!s || bind_rows(m, g, s, &g->scales)) && bind_rows(m, g, z, &g->zeros));
}
