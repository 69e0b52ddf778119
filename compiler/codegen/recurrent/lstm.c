/* lstm.c: lstm in floats, with recurrent weights in floats or int8.
 *
 *     for sequence in units, for step
 *         int8: h quantized
 *         for block of 32 units                      4 gates x 2 vectors of sums
 *             i f g o = xw[step]
 *             for k: i f g o += h[k] * R[k]          one broadcast, 8 loads, 8 multiply-adds
 *             c = logistic(f) * c + logistic(i) * tanh(g), clipped
 *             y = logistic(o) * tanh(c) */
#include "compiler/codegen/build/elementary.h"
#include "compiler/codegen/recurrent/recurrent.h"

enum { ARG_XW = RECURRENT_MORE, ARG_R, ARGS };
enum { ARG_SCRATCH = ARGS }; /* int8 weights alone */
enum { IN, FORGET, CELL, OUT };

static void block(recurrent *r, LLVMValueRef first, int count, LLVMValueRef mask)
{
    cg_kernel *k = r->k;
    const float clip = ir_float(r->op, IR_ATTR_CELL_CLIP);
    LLVMTypeRef vector = cg_vector(k->m->f32, r->lanes);
    LLVMValueRef sums[RECURRENT_GATES * RECURRENT_BLOCKS];
    LLVMValueRef xw = cg_at(k, k->arg[ARG_XW], cg_mul_const(k, r->row, RECURRENT_GATES * r->units * 4));
    for (int g = 0; g < RECURRENT_GATES; g++)
        recurrent_load_f32(r, cg_at_const(k, xw, g * r->units * 4), first, count, mask, sums + g * count);
    recurrent_multiply(r, ARG_R, first, count, sums);
    for (int v = 0; v < count; v++) {
        LLVMValueRef at = cg_mul_const(k, cg_add(k, first, cg_i64(k, v * (int)r->lanes)), 4),
                     in_mask = v == count - 1 ? mask : NULL;
        LLVMValueRef c = cg_load_lanes(k, vector, cg_at(k, r->c, at), in_mask);
        c = LLVMBuildFMul(k->b, cg_math_logistic(k, sums[FORGET * count + v]), c, "");
        c = cg_fma(k, cg_math_logistic(k, sums[IN * count + v]), cg_math_tanh(k, sums[CELL * count + v]), c);
        if (clip > 0)
            c = cg_clamp_f32(k, c, -clip, clip);
        cg_store_lanes(k, c, cg_at(k, r->c_next, at), in_mask);
        LLVMValueRef h = LLVMBuildFMul(k->b, cg_math_logistic(k, sums[OUT * count + v]), cg_math_tanh(k, c), "");
        cg_store_lanes(k, h, cg_at(k, r->y, at), in_mask);
    }
}

static void step(recurrent *r)
{
    recurrent_factor(r, r->h, ARG_SCRATCH, 0);
    recurrent_blocks(r, block);
}

bool cg_emit_lstm(cg_module *m, const ir_op *op)
{
    recurrent r;
    recurrent_init(m, op, RECURRENT_GATES, &r);
    if (!r.batch || !r.units)
        return true;
    cg_key key = {.length = 0};
    recurrent_key(&key, &r);
    cg_key_add(&key, " clip%a", (double)ir_float(op, IR_ATTR_CELL_CLIP));
    cg_arg args[ARGS + 1] = {
        [RECURRENT_H0] = cg_arg_value(ir_operand_value(op, 2)), [RECURRENT_C0] = cg_arg_value(ir_operand_value(op, 3)),
        [RECURRENT_Y] = cg_arg_value(op->results[0]),           [RECURRENT_H] = cg_arg_value(op->results[1]),
        [RECURRENT_C] = cg_arg_value(op->results[2]),           [ARG_XW] = cg_arg_value(ir_operand_value(op, 0)),
        [ARG_R] = recurrent_weights(m, &r, 0, RECURRENT_GATES)};
    if (r.int8)
        args[ARG_SCRATCH] = cg_arg_scratch(m, op);
    const int arg_count = ARGS + r.int8;
    cg_kernel k;
    if (cg_kernel_begin(m, &k, key.text, op, arg_count)) {
        recurrent_emit(&r, &k, step);
        cg_kernel_end(&k);
    }
    const cg_step_info info = {.units = (uint32_t)r.batch,
                               .is_int8 = r.int8,
                               .macs = (uint64_t)(r.steps * r.batch * RECURRENT_GATES * r.units * r.units)};
    cg_step_add(m, &k, op, &info, arg_count, args);
    return true;
}
