/* gru.c: gru and rnn in floats, with recurrent weights in floats or int8; what those multiply is quantized before.
 *
 *     gru with a bias, reset behind the product        without: the state is reset before it, so r h must be complete
 *         for block of units                               for block: z r = logistic(xw + R h); scratch: z, r * h
 *             z r = logistic(xw + R h)                     for block: n = tanh(xw + R (r * h)); y = n + z (h - n)
 *             n = tanh(xw + r * (R h + b))
 *             y = n + z (h - n)
 *     rnn     y = tanh(xw + R h) */
#include "compiler/codegen/build/elementary.h"
#include "compiler/codegen/recurrent/recurrent.h"

enum { ARG_XW = RECURRENT_MORE, ARG_R, ARG_MORE, ARGS }; /* MORE: gru: the bias, or the candidate's weights */
enum { ARG_SCRATCH = ARGS };
enum { UPDATE, RESET, CANDIDATE };

static LLVMValueRef xw_row(recurrent *r, int gates, int gate)
{
    cg_kernel *k = r->k;
    return cg_at_const(k, cg_at(k, k->arg[ARG_XW], cg_mul_const(k, r->row, gates * r->units * 4)), gate * r->units * 4);
}

static void store(recurrent *r, LLVMValueRef value, LLVMValueRef row, LLVMValueRef first, int v, int count,
                  LLVMValueRef mask)
{
    cg_kernel *k = r->k;
    LLVMValueRef at = cg_mul_const(k, cg_add(k, first, cg_i64(k, v * (int)r->lanes)), 4);
    cg_store_lanes(k, value, cg_at(k, row, at), v == count - 1 ? mask : NULL);
}

/* n + z (h - n) for each vector, with n = tanh(x). */
static void blend(recurrent *r, LLVMValueRef first, int count, LLVMValueRef mask, LLVMValueRef const x[],
                  LLVMValueRef const z[])
{
    cg_kernel *k = r->k;
    LLVMValueRef h[RECURRENT_BLOCKS];
    recurrent_load_f32(r, r->h, first, count, mask, h);
    for (int v = 0; v < count; v++) {
        LLVMValueRef n = cg_math_tanh(k, x[v]);
        store(r, cg_fma(k, z[v], LLVMBuildFSub(k->b, h[v], n, ""), n), r->y, first, v, count, mask);
    }
}

static void gru_block(recurrent *r, LLVMValueRef first, int count, LLVMValueRef mask)
{
    cg_kernel *k = r->k;
    LLVMValueRef sums[3 * RECURRENT_BLOCKS], x[RECURRENT_BLOCKS];
    recurrent_load_f32(r, xw_row(r, 3, UPDATE), first, count, mask, sums);
    recurrent_load_f32(r, xw_row(r, 3, RESET), first, count, mask, sums + count);
    recurrent_load_f32(r, xw_row(r, 3, CANDIDATE), first, count, mask, x);
    recurrent_load_f32(r, k->arg[ARG_MORE], first, count, mask, sums + 2 * count);
    recurrent_multiply(r, ARG_R, first, count, sums);
    for (int v = 0; v < count; v++) {
        sums[v] = cg_math_logistic(k, sums[v]);
        x[v] = cg_fma(k, cg_math_logistic(k, sums[count + v]), sums[2 * count + v], x[v]);
    }
    blend(r, first, count, mask, x, sums);
}

/* ---- The state reset before the product: scratch memory has z and r * h of a sequence ---- */

static LLVMValueRef scratch_row(recurrent *r, int row)
{
    cg_kernel *k = r->k;
    return cg_at_const(k, cg_at(k, k->arg[ARG_SCRATCH], cg_mul_const(k, r->sequence, 2 * r->units * 4)),
                       row * r->units * 4);
}

/* Of all sequences; behind it are the bytes that int8 weights multiply. */
static size_t reset_bytes(const ir_op *op)
{
    const bool before = op->code == IR_GRU && !ir_operand_value(op, 3);
    return before ? cg_scratch_part(2 * ir_type_bytes(&ir_operand_value(op, 2)->type)) : 0;
}

size_t cg_gru_scratch(const ir_op *op, const target_info *target)
{
    (void)target;
    return reset_bytes(op) + recurrent_factor_bytes(op);
}

static void factor(recurrent *r, LLVMValueRef row)
{
    recurrent_factor(r, row, ARG_SCRATCH, (int64_t)reset_bytes(r->op));
}

static void reset_block(recurrent *r, LLVMValueRef first, int count, LLVMValueRef mask)
{
    cg_kernel *k = r->k;
    LLVMValueRef sums[2 * RECURRENT_BLOCKS], h[RECURRENT_BLOCKS];
    recurrent_load_f32(r, xw_row(r, 3, UPDATE), first, count, mask, sums);
    recurrent_load_f32(r, xw_row(r, 3, RESET), first, count, mask, sums + count);
    recurrent_load_f32(r, r->h, first, count, mask, h);
    recurrent_multiply(r, ARG_R, first, count, sums);
    for (int v = 0; v < count; v++) {
        store(r, cg_math_logistic(k, sums[v]), scratch_row(r, UPDATE), first, v, count, mask);
        store(r, LLVMBuildFMul(k->b, cg_math_logistic(k, sums[count + v]), h[v], ""), scratch_row(r, RESET), first, v,
              count, mask);
    }
}

static void candidate_block(recurrent *r, LLVMValueRef first, int count, LLVMValueRef mask)
{
    LLVMValueRef x[RECURRENT_BLOCKS], z[RECURRENT_BLOCKS];
    recurrent_load_f32(r, xw_row(r, 3, CANDIDATE), first, count, mask, x);
    recurrent_load_f32(r, scratch_row(r, UPDATE), first, count, mask, z);
    recurrent_multiply(r, ARG_MORE, first, count, x);
    blend(r, first, count, mask, x, z);
}

static void rnn_block(recurrent *r, LLVMValueRef first, int count, LLVMValueRef mask)
{
    cg_kernel *k = r->k;
    LLVMValueRef x[RECURRENT_BLOCKS];
    recurrent_load_f32(r, xw_row(r, 1, 0), first, count, mask, x);
    recurrent_multiply(r, ARG_R, first, count, x);
    for (int v = 0; v < count; v++) {
        x[v] = ir_int(r->op, IR_ATTR_RECTIFIED) ? cg_act_f32(k, IR_ACT_RELU, x[v]) : cg_math_tanh(k, x[v]);
        store(r, x[v], r->y, first, v, count, mask);
    }
}

static void step(recurrent *r)
{
    factor(r, r->h);
    if (r->op->code == IR_RNN) {
        recurrent_blocks(r, rnn_block);
    } else if (ir_operand_value(r->op, 3)) {
        recurrent_blocks(r, gru_block);
    } else {
        r->gates = 2;
        recurrent_blocks(r, reset_block);
        factor(r, scratch_row(r, RESET));
        r->gates = 1;
        recurrent_blocks(r, candidate_block);
    }
}

/* ---- Arguments ---- */

static bool emit(cg_module *m, const ir_op *op, int gates)
{
    recurrent r;
    const ir_value *bias = ir_operand_value(op, 3);
    recurrent_init(m, op, gates, &r);
    if (!r.batch || !r.units)
        return true;
    const bool before = op->code == IR_GRU && !bias;
    cg_arg args[ARGS + 1] = {[RECURRENT_H0] = cg_arg_value(ir_operand_value(op, 2)),
                             [RECURRENT_Y] = cg_arg_value(op->results[0]),
                             [RECURRENT_H] = cg_arg_value(op->results[1]),
                             [ARG_XW] = cg_arg_value(ir_operand_value(op, 0)),
                             [ARG_R] = recurrent_weights(m, &r, 0, before ? 2 : gates)};
    args[RECURRENT_C0] = args[RECURRENT_C] = args[RECURRENT_H0]; /* not used */
    args[ARG_MORE] = bias ? cg_arg_value(bias) : before ? recurrent_weights(m, &r, 2, 1) : args[RECURRENT_H0];
    const bool scratch = before || r.int8;
    if (scratch)
        args[ARG_SCRATCH] = cg_arg_scratch(m, op);
    r.gates = gates;
    cg_key key = {.length = 0};
    recurrent_key(&key, &r);
    cg_key_add(&key, "%s%s", before ? " before" : "",
               op->code == IR_RNN && ir_int(op, IR_ATTR_RECTIFIED) ? " relu" : "");
    cg_kernel k;
    if (cg_kernel_begin(m, &k, key.text, op, ARGS + scratch)) {
        recurrent_emit(&r, &k, step);
        cg_kernel_end(&k);
    }
    const cg_step_info info = {.units = (uint32_t)r.batch,
                               .is_int8 = r.int8,
                               .macs = (uint64_t)(r.steps * r.batch * gates * r.units * r.units)};
    cg_step_add(m, &k, op, &info, ARGS + scratch, args);
    return true;
}

bool cg_emit_gru(cg_module *m, const ir_op *op) { return emit(m, op, 3); }
bool cg_emit_rnn(cg_module *m, const ir_op *op) { return emit(m, op, 1); }
