/* lstm_quant.c: the LSTM on integers, as docs/quantization.md derives it.
 *
 *     for sequence in units, for step
 *         x[step], h into scratch memory, filled up to a multiple of 4 bytes
 *         for block of 32 units                      4 gates x 2 vectors of 32-bit sums
 *             gates = requantized(W x + b) + requantized(R h), 16 bits, saturated
 *             c, y                                   16-bit fixed point (fixed16.c), in 32-bit lanes */
#include <string.h>

#include "compiler/codegen/build/fixed16.h"
#include "compiler/codegen/build/requant.h"
#include "compiler/codegen/move/copy.h"
#include "compiler/codegen/recurrent/recurrent.h"
#include "ir/ref/interp.h"

enum {
    ARG_X = RECURRENT_MORE,
    ARG_W,
    ARG_R,
    ARG_BIAS_X,
    ARG_BIAS_H,
    ARG_SCALE_X,
    ARG_SCALE_H,
    ARG_SCALE_OUT,
    ARG_SCRATCH,
    ARGS
};
enum { IN, FORGET, CELL, OUT, GATE_BITS = 3 };
enum { BEYOND = 1 << 17 }; /* that far outside 16 bits a sum with 16 bits is saturated whatever they are */

typedef struct lstm_quant {
    ir_lstm_quant q;
    int64_t inputs;
    cg_requant x, h, out;
    LLVMValueRef x_row, h_row; /* in scratch memory */
} lstm_quant;

size_t cg_lstm_quant_scratch(const ir_op *op, const target_info *target)
{
    const ir_type *x = &ir_operand_value(op, 0)->type, *h = &ir_operand_value(op, 4)->type;
    (void)target;
    return (size_t)(h->dims[0] * (recurrent_padded(x->dims[2]) + recurrent_padded(h->dims[1])));
}

static void load_biases(recurrent *r, int arg, LLVMValueRef first, int count, LLVMValueRef sums[])
{
    cg_kernel *k = r->k;
    for (int g = 0; g < RECURRENT_GATES; g++)
        for (int v = 0; v < count; v++)
            sums[g * count + v] =
                cg_load(k, cg_vector(k->m->i32, r->lanes),
                        cg_at(k, k->arg[arg], cg_mul_const(k, recurrent_constant_at(r, first, g, v), 4)), r->lanes * 4);
}

static void gate_sums(recurrent *r, LLVMValueRef first, int count, LLVMValueRef sums[])
{
    const lstm_quant *l = r->context;
    cg_kernel *k = r->k;
    LLVMValueRef h[RECURRENT_GATES * RECURRENT_BLOCKS];
    load_biases(r, ARG_BIAS_X, first, count, sums);
    load_biases(r, ARG_BIAS_H, first, count, h);
    recurrent_multiply_bytes(r, ARG_W, l->x_row, l->inputs, first, count, sums);
    recurrent_multiply_bytes(r, ARG_R, l->h_row, r->units, first, count, h);
    for (int g = 0; g < RECURRENT_GATES; g++)
        for (int v = 0; v < count; v++) {
            const int i = g * count + v;
            LLVMValueRef index = recurrent_constant_at(r, first, g, v);
            sums[i] = cg_requant_apply(k, &l->x, k->arg[ARG_SCALE_X], index, sums[i]);
            h[i] = cg_requant_apply(k, &l->h, k->arg[ARG_SCALE_H], index, h[i]);
            sums[i] = cg_saturate16(k, LLVMBuildAdd(k->b, sums[i], h[i], ""));
        }
}

static LLVMValueRef scaled_product(cg_kernel *k, LLVMValueRef a, LLVMValueRef b, int by)
{
    return cg_fixed16_shift_right(k, LLVMBuildMul(k->b, a, b, ""), by);
}

static void block(recurrent *r, LLVMValueRef first, int count, LLVMValueRef mask)
{
    const lstm_quant *l = r->context;
    cg_kernel *k = r->k;
    LLVMTypeRef shorts = cg_vector(k->m->i16, r->lanes), words = cg_vector(k->m->i32, r->lanes);
    LLVMValueRef sums[RECURRENT_GATES * RECURRENT_BLOCKS];
    gate_sums(r, first, count, sums);
    for (int v = 0; v < count; v++) {
        LLVMValueRef at = cg_add(k, first, cg_i64(k, v * (int)r->lanes)), in_mask = v == count - 1 ? mask : NULL;
        LLVMValueRef c = cg_load_lanes(k, shorts, cg_at(k, r->c, cg_mul_const(k, at, 2)), in_mask);
        LLVMValueRef in = cg_fixed16_logistic(k, sums[IN * count + v], GATE_BITS);
        LLVMValueRef cell = cg_fixed16_tanh(k, sums[CELL * count + v], GATE_BITS);
        c = scaled_product(k, LLVMBuildSExt(k->b, c, words, ""),
                           cg_fixed16_logistic(k, sums[FORGET * count + v], GATE_BITS), 15);
        c = cg_saturate16(k, LLVMBuildAdd(k->b, c, scaled_product(k, in, cell, 15 + l->q.cell_bits), ""));
        if (l->q.clip)
            c = cg_max(k, cg_min(k, c, cg_splat_i32(k, l->q.clip, r->lanes)), cg_splat_i32(k, -l->q.clip, r->lanes));
        cg_store_lanes(k, LLVMBuildTrunc(k->b, c, shorts, ""), cg_at(k, r->c_next, cg_mul_const(k, at, 2)), in_mask);
        LLVMValueRef h = LLVMBuildMul(k->b, cg_fixed16_logistic(k, sums[OUT * count + v], GATE_BITS),
                                      cg_fixed16_tanh(k, c, l->q.cell_bits), "");
        h = cg_requant_apply(k, &l->out, k->arg[ARG_SCALE_OUT], cg_i64(k, 0), h);
        cg_store_lanes(k, cg_narrow_to_bytes(k, h), cg_at(k, r->y, at), in_mask);
    }
}

static void step(recurrent *r)
{
    lstm_quant *l = r->context;
    cg_kernel *k = r->k;
    const int64_t x_bytes = recurrent_padded(l->inputs), h_bytes = recurrent_padded(r->units);
    l->x_row = cg_at(k, k->arg[ARG_SCRATCH], cg_mul_const(k, r->sequence, x_bytes + h_bytes));
    l->h_row = cg_at_const(k, l->x_row, x_bytes);
    cg_copy_run(k, cg_at(k, k->arg[ARG_X], cg_mul_const(k, r->row, l->inputs)), l->x_row, l->inputs);
    cg_copy_run(k, r->h, l->h_row, r->units);
    recurrent_blocks(r, block);
}

/* ---- Constants ---- */

/* bias - zero * sum of the row's weights, in the kernel's order; no bias: 0. */
static cg_arg biases(cg_module *m, const recurrent *r, const ir_value *w, const ir_value *b, int32_t zero)
{
    const int64_t depth = w->type.dims[1], count = recurrent_vectors(r) * RECURRENT_GATES * r->lanes;
    int32_t *out = ARENA_ARRAY(m->arena, int32_t, count);
    for (int g = 0; g < RECURRENT_GATES; g++)
        for (int64_t u = 0; u < r->units; u++) {
            const int64_t row = g * r->units + u;
            uint32_t sum = b ? (uint32_t)ir_const_int(b, row) : 0;
            for (int64_t d = 0; d < depth; d++)
                sum -= (uint32_t)zero * (uint32_t)((const int8_t *)w->data)[row * depth + d];
            out[recurrent_constant_index(r, g, u)] = (int32_t)sum;
        }
    return cg_arg_constant(cg_constant(m, out, (size_t)count * sizeof *out, "bias"));
}

static cg_requant gate_requant(cg_module *m, const recurrent *r, int weights, int32_t bound)
{
    const int64_t count = recurrent_vectors(r) * RECURRENT_GATES * r->lanes;
    double *multiplier = ARENA_ARRAY(m->arena, double, count);
    for (int64_t i = 0; i < count; i++)
        multiplier[i] = ir_lstm_quant_multiplier(r->op, weights, 0);
    for (int g = 0; g < RECURRENT_GATES; g++)
        for (int64_t u = 0; u < r->units; u++)
            multiplier[recurrent_constant_index(r, g, u)] = ir_lstm_quant_multiplier(r->op, weights, g * r->units + u);
    cg_requant q = cg_requant_make_for(m, IR_ROUNDING_FIXED_TWICE, (int)count, multiplier, IR_I32, 1, 0,
                                       (ir_unused){0, 0}, IR_ACT_NONE);
    q.min = -bound;
    q.max = bound - 1;
    return q;
}

static cg_arg scales(cg_module *m, const cg_requant *q)
{
    return cg_arg_constant(cg_constant(m, q->bytes, q->size, "scales"));
}

static cg_arg weights(cg_module *m, const recurrent *r, const ir_value *w)
{
    size_t size;
    const void *packed = recurrent_pack(r, m->arena, w->data, w->type.dims[1], 4, &size);
    return cg_arg_constant(cg_constant(m, packed, size, "weights"));
}

cg_fit cg_lstm_quant_fits(const ir_op *op, const target_info *target)
{
    (void)target;
    if (ir_operand_value(op, 0)->type.dtype != IR_U8 || op->results[0]->type.dtype != IR_U8)
        return cg_best_if(false, NULL);
    return cg_best_if(ir_is_const(ir_operand_value(op, 1)) && ir_is_const(ir_operand_value(op, 2)) &&
                          ir_is_const(ir_operand_value(op, 3)),
                      "weights or biases that are not constant");
}

bool cg_emit_lstm_quant(cg_module *m, const ir_op *op)
{
    const ir_value *x = ir_operand_value(op, 0), *w = ir_operand_value(op, 1), *rw = ir_operand_value(op, 2),
                   *y = op->results[0];
    lstm_quant l = {.inputs = x->type.dims[2]};
    recurrent r;
    recurrent_init(m, op, RECURRENT_GATES, &r);
    if (!r.batch || !r.units)
        return true;
    ir_lstm_quant_make(&l.q, op);
    l.x = gate_requant(m, &r, 1, 1 << 15);
    l.h = gate_requant(m, &r, 2, BEYOND);
    l.out = cg_requant_make(m, IR_ROUNDING_FIXED_TWICE, 1, &l.q.hidden, y, IR_ACT_NONE);
    r.context = &l;
    cg_key key = {.length = 0};
    recurrent_key(&key, &r);
    cg_key_add(&key, " i%lld c%d,%d %s %s %s", (long long)l.inputs, l.q.cell_bits, l.q.clip, cg_requant_key(m, &l.x),
               cg_requant_key(m, &l.h), cg_requant_key(m, &l.out));
    const cg_arg args[ARGS] = {[RECURRENT_H0] = cg_arg_value(ir_operand_value(op, 4)),
                               [RECURRENT_C0] = cg_arg_value(ir_operand_value(op, 5)),
                               [RECURRENT_Y] = cg_arg_value(y),
                               [RECURRENT_H] = cg_arg_value(op->results[1]),
                               [RECURRENT_C] = cg_arg_value(op->results[2]),
                               [ARG_X] = cg_arg_value(x),
                               [ARG_W] = weights(m, &r, w),
                               [ARG_R] = weights(m, &r, rw),
                               [ARG_BIAS_X] = biases(m, &r, w, ir_operand_value(op, 3), x->quant->zero[0]),
                               [ARG_BIAS_H] = biases(m, &r, rw, NULL, y->quant->zero[0]),
                               [ARG_SCALE_X] = scales(m, &l.x),
                               [ARG_SCALE_H] = scales(m, &l.h),
                               [ARG_SCALE_OUT] = scales(m, &l.out),
                               [ARG_SCRATCH] = cg_arg_scratch(m, op)};
    cg_kernel k;
    if (cg_kernel_begin(m, &k, key.text, op, ARGS)) {
        recurrent_emit(&r, &k, step);
        cg_kernel_end(&k);
    }
    const int64_t macs = r.steps * r.batch * RECURRENT_GATES * r.units * (r.units + l.inputs);
    const cg_step_info info = {.units = (uint32_t)r.batch, .is_int8 = true, .macs = (uint64_t)macs};
    cg_step_add(m, &k, op, &info, ARGS, args);
    return true;
}
