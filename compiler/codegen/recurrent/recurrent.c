/* recurrent.c: see recurrent.h. */
#include "compiler/codegen/recurrent/recurrent.h"

#include <string.h>

#include "compiler/codegen/move/copy.h"
#include "compiler/codegen/rows/dynamic.h"

void recurrent_init(cg_module *m, const ir_op *op, int gates, recurrent *out)
{
    const ir_type *y = &op->results[0]->type;
    const int axis = (int)ir_int(op, IR_ATTR_TIME_AXIS), results = ir_op_info_of(op->code)->results;
    *out = (recurrent){.op = op,
                       .steps = y->dims[axis],
                       .batch = y->dims[1 - axis],
                       .units = y->dims[2],
                       .gates = gates,
                       .time_first = axis == 0,
                       .lanes = m->target->vector_bytes / 4};
    out->reversed = ir_has_attr(op, IR_ATTR_REVERSED) && ir_int(op, IR_ATTR_REVERSED);
    out->h_bytes = (int64_t)ir_dtype_bytes(y->dtype);
    out->int8 = y->dtype == IR_F32 && ir_operand_value(op, 1)->type.dtype == IR_I8;
    out->c_bytes = results > 2 ? (int64_t)ir_dtype_bytes(op->results[2]->type.dtype) : 0;
}

cg_fit cg_recurrent_fits(const ir_op *op, const target_info *target)
{
    (void)target;
    return cg_best_if(ir_is_const(ir_operand_value(op, 1)), "recurrent weights that are not constant");
}

void recurrent_key(cg_key *key, const recurrent *r)
{
    cg_key_add(key, "%s %lldx%lldx%lld%s%s%s", ir_op_info_of(r->op->code)->text, (long long)r->steps,
               (long long)r->batch, (long long)r->units, r->time_first ? "t" : "", r->reversed ? "r" : "",
               r->int8 ? " int8" : "");
}

/* ---- Sequences and steps ---- */

static LLVMValueRef state_row(recurrent *r, int arg, int64_t element)
{
    return cg_at(r->k, r->k->arg[arg], cg_mul_const(r->k, r->sequence, r->units * element));
}

static void place_step(recurrent *r, LLVMValueRef index)
{
    cg_kernel *k = r->k;
    LLVMValueRef t = r->reversed ? LLVMBuildSub(k->b, cg_i64(k, r->steps - 1), index, "") : index;
    r->row = r->time_first ? cg_add(k, cg_mul_const(k, t, r->batch), r->sequence)
                           : cg_add(k, cg_mul_const(k, r->sequence, r->steps), t);
    r->y = cg_at(k, k->arg[RECURRENT_Y], cg_mul_const(k, r->row, r->units * r->h_bytes));
}

void recurrent_emit(recurrent *r, cg_kernel *k, recurrent_step *step)
{
    r->k = k;
    cg_loop sequences = cg_loop_begin(k, k->begin, k->end, 1);
    r->sequence = sequences.index;
    LLVMValueRef h = state_row(r, RECURRENT_H0, r->h_bytes),
                 c = r->c_bytes ? state_row(r, RECURRENT_C0, r->c_bytes) : NULL;
    r->c_next = c ? state_row(r, RECURRENT_C, r->c_bytes) : NULL;
    cg_loop steps = cg_loop_begin(k, cg_i64(k, 0), cg_i64(k, r->steps), 1);
    r->h = h = cg_loop_carry(k, &steps, h);
    r->c = c = c ? cg_loop_carry(k, &steps, c) : NULL;
    place_step(r, steps.index);
    LLVMValueRef y = r->y;
    step(r);
    cg_loop_update(k, &steps, 0, y);
    if (c)
        cg_loop_update(k, &steps, 1, r->c_next);
    cg_loop_hint_no_unroll(k, &steps);
    cg_loop_hint_vectorize(k, &steps, false);
    cg_loop_end(k, &steps);
    cg_copy_run(k, h, state_row(r, RECURRENT_H, r->h_bytes), r->units * r->h_bytes);
    if (c && r->steps == 0)
        cg_copy_run(k, c, state_row(r, RECURRENT_C, r->c_bytes), r->units * r->c_bytes);
    cg_loop_hint_vectorize(k, &sequences, false);
    cg_loop_end(k, &sequences);
}

/* ---- Blocks of units ---- */

int64_t recurrent_vectors(const recurrent *r) { return (r->units + r->lanes - 1) / r->lanes; }

void recurrent_blocks(recurrent *r, recurrent_body *body)
{
    cg_kernel *k = r->k;
    const int64_t wide = (int64_t)r->lanes * RECURRENT_BLOCKS, whole = r->units / wide * wide, rest = r->units - whole;
    if (whole) {
        cg_loop loop = cg_loop_begin(k, cg_i64(k, 0), cg_i64(k, whole), wide);
        body(r, loop.index, RECURRENT_BLOCKS, NULL);
        cg_loop_hint_no_unroll(k, &loop);
        cg_loop_hint_vectorize(k, &loop, false);
        cg_loop_end(k, &loop);
    }
    if (rest) {
        const int64_t last = rest % r->lanes;
        body(r, cg_i64(k, whole), (int)((rest + r->lanes - 1) / r->lanes),
             last ? cg_lane_mask(k, cg_i64(k, last), r->lanes) : NULL);
    }
}

/* ---- Weights ---- */

/* Vectors in the block that vector `at` belongs to, and that block's first one. */
static int64_t block_of(const recurrent *r, int64_t at, int64_t *out_first)
{
    const int64_t left = recurrent_vectors(r) - (*out_first = at - at % RECURRENT_BLOCKS);
    return left < RECURRENT_BLOCKS ? left : RECURRENT_BLOCKS;
}

const void *recurrent_pack(const recurrent *r, arena *a, const void *weights, int64_t depth, int k_width,
                           size_t *out_bytes)
{
    const int64_t k_steps = (depth + k_width - 1) / k_width;
    const size_t element = 4 / (size_t)k_width;
    *out_bytes = (size_t)(recurrent_vectors(r) * r->gates * k_steps * r->lanes) * 4;
    unsigned char *packed = arena_alloc(a, *out_bytes + 1);
    memset(packed, 0, *out_bytes);
    for (int64_t u = 0; u < r->units; u++) {
        int64_t first;
        const int64_t at = u / r->lanes, count = block_of(r, at, &first);
        for (int g = 0; g < r->gates; g++)
            for (int64_t d = 0; d < depth; d++) {
                const int64_t vector = first * k_steps * r->gates + (d / k_width * r->gates + g) * count + at - first;
                memcpy(packed + (size_t)(vector * r->lanes + u % r->lanes) * 4 + (size_t)(d % k_width) * element,
                       (const unsigned char *)weights + (size_t)((g * r->units + u) * depth + d) * element, element);
            }
    }
    return packed;
}

LLVMValueRef recurrent_weights_at(recurrent *r, LLVMValueRef packed, LLVMValueRef first, int64_t k_steps)
{
    return cg_at(r->k, packed, cg_mul_const(r->k, first, k_steps * r->gates * 4)); /* 4 bytes a unit, gate and step */
}

LLVMValueRef recurrent_constant_at(recurrent *r, LLVMValueRef first, int gate, int v)
{
    return cg_add(r->k, cg_mul_const(r->k, first, r->gates), cg_i64(r->k, (v * r->gates + gate) * (int)r->lanes));
}

/* ---- Bytes ---- */

void recurrent_multiply_bytes(recurrent *r, int packed, LLVMValueRef row, int64_t depth, LLVMValueRef first, int count,
                              LLVMValueRef sums[])
{
    cg_kernel *k = r->k;
    const int n = r->gates * count;
    const int64_t k_steps = (depth + 3) / 4;
    LLVMValueRef weights = recurrent_weights_at(r, k->arg[packed], first, k_steps);
    cg_loop loop = cg_loop_begin(k, cg_i64(k, 0), cg_i64(k, k_steps), 1);
    for (int i = 0; i < n; i++)
        sums[i] = cg_loop_carry(k, &loop, sums[i]);
    LLVMValueRef x = cg_splat(k, cg_load(k, k->m->i32, cg_at(k, row, cg_mul_const(k, loop.index, 4)), 4), r->lanes);
    LLVMValueRef at = cg_at(k, weights, cg_mul_const(k, loop.index, n * (int)r->lanes * 4));
    for (int i = 0; i < n; i++) {
        LLVMValueRef w =
            cg_load(k, cg_vector(k->m->i32, r->lanes), cg_at_const(k, at, i * (int)r->lanes * 4), r->lanes * 4);
        cg_loop_update(k, &loop, i, cg_dot4(k, sums[i], x, w));
    }
    cg_loop_hint_vectorize(k, &loop, false);
    cg_loop_end(k, &loop);
}

/* ---- Floats ---- */

static void multiply_floats(recurrent *r, int packed, LLVMValueRef first, int count, LLVMValueRef sums[])
{
    cg_kernel *k = r->k;
    const int n = r->gates * count;
    LLVMTypeRef vector = cg_vector(k->m->f32, r->lanes);
    LLVMValueRef weights = recurrent_weights_at(r, k->arg[packed], first, r->units);
    cg_loop loop = cg_loop_begin(k, cg_i64(k, 0), cg_i64(k, r->units), 1);
    for (int i = 0; i < n; i++)
        sums[i] = cg_loop_carry(k, &loop, sums[i]);
    LLVMValueRef x =
        cg_splat(k, cg_load(k, k->m->f32, cg_at(k, r->factor, cg_mul_const(k, loop.index, 4)), 1), r->lanes);
    LLVMValueRef at = cg_at(k, weights, cg_mul_const(k, loop.index, n * (int)r->lanes * 4));
    for (int i = 0; i < n; i++) {
        LLVMValueRef w = cg_load(k, vector, cg_at_const(k, at, i * (int)r->lanes * 4), r->lanes * 4);
        cg_loop_update(k, &loop, i, cg_fma(k, x, w, sums[i]));
    }
    cg_loop_hint_vectorize(k, &loop, false);
    cg_loop_end(k, &loop);
}

/* ---- Floats by int8 weights ----
 *
 * Behind the packed weights, for each gate and unit as recurrent_constant_index has them: what sums begin with, since
 * the bytes are 128 too large, -128 * the sum of the row's weights, i32; and the row's scale, f32. */

static size_t packed_bytes(const recurrent *r)
{
    return (size_t)(recurrent_vectors(r) * r->gates * ((r->units + 3) / 4) * r->lanes) * 4;
}

static size_t constant_bytes(const recurrent *r) { return (size_t)(recurrent_vectors(r) * r->gates * r->lanes) * 4; }

static const void *pack_int8(const recurrent *r, arena *a, const int8_t *weights, int first_gate, size_t *out_bytes)
{
    const ir_quant *quant = ir_operand_value(r->op, 1)->quant;
    size_t size;
    const void *packed = recurrent_pack(r, a, weights, r->units, 4, &size);
    *out_bytes = size + 2 * constant_bytes(r);
    unsigned char *all = arena_alloc(a, *out_bytes + 1);
    int32_t *starts = (int32_t *)(void *)(all + size);
    float *scales = (float *)(void *)(all + size + constant_bytes(r));
    memcpy(all, packed, size);
    memset(all + size, 0, 2 * constant_bytes(r));
    for (int g = 0; g < r->gates; g++)
        for (int64_t u = 0; u < r->units; u++) {
            const int64_t at = recurrent_constant_index(r, g, u), row = g * r->units + u;
            for (int64_t d = 0; d < r->units; d++)
                starts[at] -= 128 * weights[row * r->units + d];
            scales[at] = quant->scale[quant->axis < 0 ? 0 : first_gate * r->units + row];
        }
    return all;
}

static void multiply_int8(recurrent *r, int packed, LLVMValueRef first, int count, LLVMValueRef sums[])
{
    cg_kernel *k = r->k;
    LLVMTypeRef reals = cg_vector(k->m->f32, r->lanes), ints = cg_vector(k->m->i32, r->lanes);
    LLVMValueRef products[RECURRENT_GATES * RECURRENT_BLOCKS], at[RECURRENT_GATES * RECURRENT_BLOCKS];
    LLVMValueRef starts = cg_at_const(k, k->arg[packed], (int64_t)packed_bytes(r));
    for (int i = 0; i < r->gates * count; i++) {
        at[i] = cg_mul_const(k, recurrent_constant_at(r, first, i / count, i % count), 4);
        products[i] = cg_load(k, ints, cg_at(k, starts, at[i]), r->lanes * 4);
    }
    recurrent_multiply_bytes(r, packed, r->factor, r->units, first, count, products);
    LLVMValueRef scales = cg_at_const(k, starts, (int64_t)constant_bytes(r)),
                 by = cg_splat(k, r->factor_scale, r->lanes);
    for (int i = 0; i < r->gates * count; i++) {
        LLVMValueRef scale = LLVMBuildFMul(k->b, by, cg_load(k, reals, cg_at(k, scales, at[i]), r->lanes * 4), "");
        sums[i] = cg_fma(k, LLVMBuildSIToFP(k->b, products[i], reals, ""), scale, sums[i]);
    }
}

/* ---- Either ---- */

cg_arg recurrent_weights(cg_module *m, recurrent *r, int first_gate, int gates)
{
    const ir_value *w = ir_operand_value(r->op, 1);
    const size_t skipped = (size_t)(first_gate * r->units * r->units) * ir_dtype_bytes(w->type.dtype);
    const void *from = (const unsigned char *)w->data + skipped;
    size_t size;
    r->gates = gates;
    const void *packed = r->int8 ? pack_int8(r, m->arena, from, first_gate, &size)
                                 : recurrent_pack(r, m->arena, from, r->units, 1, &size);
    return cg_arg_constant(cg_constant(m, packed, size, "weights"));
}

size_t recurrent_factor_bytes(const ir_op *op)
{
    const ir_type *h = &ir_operand_value(op, 2)->type;
    return ir_operand_value(op, 1)->type.dtype == IR_I8 ? (size_t)(h->dims[0] * recurrent_padded(h->dims[1])) : 0;
}

size_t cg_recurrent_scratch(const ir_op *op, const target_info *target)
{
    (void)target;
    return recurrent_factor_bytes(op);
}

void recurrent_factor(recurrent *r, LLVMValueRef row, int scratch, int64_t offset)
{
    cg_kernel *k = r->k;
    r->factor = row;
    if (!r->int8)
        return;
    LLVMValueRef own = cg_mul_const(k, r->sequence, recurrent_padded(r->units));
    r->factor = cg_at(k, cg_at_const(k, k->arg[scratch], offset), own);
    r->factor_scale = cg_quantize_row(k, IR_METHOD_SYMMETRIC_AWAY, r->units, row, r->factor).scale;
}

void recurrent_multiply(recurrent *r, int packed, LLVMValueRef first, int count, LLVMValueRef sums[])
{
    (r->int8 ? multiply_int8 : multiply_floats)(r, packed, first, count, sums);
}

void recurrent_load_f32(recurrent *r, LLVMValueRef row, LLVMValueRef first, int count, LLVMValueRef mask,
                        LLVMValueRef out[])
{
    cg_kernel *k = r->k;
    LLVMValueRef at = cg_at(k, row, cg_mul_const(k, first, 4));
    for (int v = 0; v < count; v++)
        out[v] = cg_load_lanes(k, cg_vector(k->m->f32, r->lanes), cg_at_const(k, at, v * (int)r->lanes * 4),
                               v == count - 1 ? mask : NULL);
}
