/* wide.c: see wide.h.  A unit of work is one row times up to 4 blocks of 16 columns.
 *
 *     acc64[block] = bias
 *     for chunk of 256 steps                    products below 2^23: 256 of them fit 32 bits
 *         acc32[block] = sum over steps of x * weights[group][panel][step][block][16]
 *         acc64[block] += acc32[block]
 *     requantize, store the columns that exist */
#include "compiler/codegen/matmul/wide.h"

#include <math.h>
#include <string.h>

#include "compiler/codegen/matmul/mac.h"
#include "ir/ref/interp.h"

enum { COLUMNS = CG_BLOCK_COLUMNS, CHUNK = 256, MAX_BLOCKS = 4 };
enum { ARG_X, ARG_WEIGHTS, ARG_BIAS, ARG_PARAMS, ARG_OFFSETS, ARG_OUT, ARG_COUNT };

typedef struct wide {
    cg_kernel k;
    const cg_gemm *g;
    int blocks;           /* a panel's */
    int64_t panels;       /* a group's */
    LLVMValueRef channel; /* first of the panel in padded parameters */
    LLVMValueRef left;    /* columns of the group from the panel's first on */
} wide;

static int64_t padded_columns(const wide *w) { return w->panels * w->blocks * COLUMNS; }

/* [group][panel][step][block][column] of int16, zero points taken off. */
static const void *pack(cg_module *m, const wide *w, const cg_steps *steps, int64_t column_size, size_t *out_bytes)
{
    const cg_gemm *g = w->g;
    const ir_value *v = g->op->operands[1].value;
    const int64_t padded = padded_columns(w);
    int16_t *packed = arena_alloc(m->arena, *out_bytes = (size_t)(g->groups * padded * steps->count) * 2);
    for (int64_t c = 0; c < g->groups * g->columns; c++) {
        const int64_t group = c / g->columns, in_group = c % g->columns, panel = in_group / (COLUMNS * w->blocks);
        const int32_t zero = v->quant->zero[v->quant->axis >= 0 ? c : 0];
        int16_t *to =
            packed + (group * padded + panel * COLUMNS * w->blocks) * steps->count + in_group % (COLUMNS * w->blocks);
        for (int64_t s = 0; s < steps->count && steps->weight[s] >= 0; s++)
            to[s * COLUMNS * w->blocks] =
                (int16_t)(ir_const_int(v, cg_mac_weight_index(g->op, c, column_size, steps->weight[s])) - zero);
    }
    return packed;
}

static const void *biases(cg_module *m, const wide *w, size_t *out_bytes)
{
    const cg_gemm *g = w->g;
    const ir_value *b = ir_operand_value(g->op, 2);
    int64_t *out = arena_alloc(m->arena, *out_bytes = (size_t)(g->groups * padded_columns(w)) * 8);
    for (int64_t c = 0; b && c < g->groups * g->columns; c++)
        out[c / g->columns * padded_columns(w) + c % g->columns] = ir_const_int(b, c);
    return out;
}

static cg_requant requant_of(cg_module *m, const wide *w)
{
    const cg_gemm *g = w->g;
    const ir_value *y = g->op->results[0];
    const int64_t padded = padded_columns(w), all = g->groups * padded;
    double *multipliers = ARENA_ARRAY(m->arena, double, all);
    for (int64_t c = 0; c < all; c++)
        multipliers[c] = ir_mac_multiplier(g->op, c / padded * g->columns + (c % padded < g->columns ? c % padded : 0));
    const bool real = y->type.dtype == IR_F32;
    return cg_requant_make_for(m, real ? IR_ROUNDING_EVEN_F32 : (ir_enum_ROUNDING)ir_int(g->op, IR_ATTR_ROUNDING),
                               (int)all, multipliers, IR_I16, real ? 1 : y->quant->scale[0],
                               real ? 0 : y->quant->zero[0], (ir_unused){0, 0},
                               real ? IR_ACT_NONE : (ir_enum_ACT)ir_int(g->op, IR_ATTR_ACT));
}

static void sum_steps(wide *w, LLVMValueRef from, LLVMValueRef to, LLVMValueRef x, LLVMValueRef panel,
                      LLVMValueRef sum[])
{
    cg_kernel *k = &w->k;
    LLVMTypeRef ints = cg_vector(k->m->i32, COLUMNS), shorts = cg_vector(k->m->i16, COLUMNS);
    cg_loop step = cg_loop_begin(k, from, to, 1);
    for (int b = 0; b < w->blocks; b++)
        sum[b] = cg_loop_carry(k, &step, LLVMConstNull(ints));
    LLVMValueRef offset = cg_load(k, k->m->i32, cg_at(k, k->arg[ARG_OFFSETS], cg_mul_const(k, step.index, 4)), 4);
    LLVMValueRef at = cg_at(k, x, LLVMBuildSExt(k->b, offset, k->m->i64, ""));
    LLVMValueRef v = cg_splat(k, LLVMBuildSExt(k->b, cg_load(k, k->m->i16, at, 1), k->m->i32, ""), COLUMNS);
    LLVMValueRef row = cg_at(k, panel, cg_mul_const(k, step.index, 2 * COLUMNS * w->blocks));
    for (int b = 0; b < w->blocks; b++) {
        LLVMValueRef weights =
            LLVMBuildSExt(k->b, cg_load(k, shorts, cg_at_const(k, row, 2 * COLUMNS * b), 2 * COLUMNS), ints, "");
        cg_loop_update(k, &step, b, LLVMBuildAdd(k->b, sum[b], LLVMBuildMul(k->b, v, weights, ""), ""));
    }
    cg_loop_hint_vectorize(k, &step, false);
    cg_loop_end(k, &step);
}

static void multiply(wide *w, LLVMValueRef x, LLVMValueRef panel, LLVMValueRef acc[])
{
    cg_kernel *k = &w->k;
    LLVMTypeRef longs = cg_vector(k->m->i64, COLUMNS);
    LLVMValueRef bias = cg_at(k, k->arg[ARG_BIAS], cg_mul_const(k, w->channel, 8)), sum[MAX_BLOCKS];
    cg_loop chunk = cg_loop_begin(k, cg_i64(k, 0), cg_i64(k, w->g->steps), CHUNK);
    for (int b = 0; b < w->blocks; b++)
        acc[b] = cg_loop_carry(k, &chunk, LLVMConstNull(longs));
    LLVMValueRef end = cg_min(k, cg_add(k, chunk.index, cg_i64(k, CHUNK)), cg_i64(k, w->g->steps));
    sum_steps(w, chunk.index, end, x, panel, sum);
    for (int b = 0; b < w->blocks; b++)
        cg_loop_update(k, &chunk, b, LLVMBuildAdd(k->b, acc[b], LLVMBuildSExt(k->b, sum[b], longs, ""), ""));
    cg_loop_end(k, &chunk);
    for (int b = 0; b < w->blocks; b++)
        acc[b] =
            LLVMBuildAdd(k->b, acc[b], cg_load(k, longs, cg_at_const(k, bias, 8 * COLUMNS * b), CG_BLOCK_BYTES), "");
}

static void finish(wide *w, LLVMValueRef acc[], LLVMValueRef out)
{
    cg_kernel *k = &w->k;
    const cg_gemm *g = w->g;
    const bool real = g->out_type == IR_F32;
    for (int b = 0; b < w->blocks; b++) {
        LLVMValueRef channel = cg_add(k, w->channel, cg_i64(k, COLUMNS * b)), v;
        if (real) {
            v = LLVMBuildSIToFP(k->b, acc[b], cg_vector(k->m->f32, COLUMNS), "");
            v = LLVMBuildFMul(k->b, v, cg_requant_load(k, &g->requant, k->arg[ARG_PARAMS], channel, COLUMNS).scale, "");
            v = cg_clamp_f32(k, v, g->min, g->max);
        } else {
            v = cg_requant_apply_i64(k, &g->requant, k->arg[ARG_PARAMS], channel, acc[b]);
            v = LLVMBuildTrunc(k->b, v, cg_vector(k->m->i16, COLUMNS), "");
        }
        LLVMValueRef mask =
            cg_lane_mask(k, cg_max(k, cg_add(k, w->left, cg_i64(k, -COLUMNS * b)), cg_i64(k, 0)), COLUMNS);
        cg_store_masked(k, v, cg_at_const(k, out, COLUMNS * b * (real ? 4 : 2)), mask);
    }
}

static void emit_units(wide *w)
{
    cg_kernel *k = &w->k;
    const cg_gemm *g = w->g;
    const int64_t wide_columns = COLUMNS * w->blocks, element = g->out_type == IR_F32 ? 4 : 2;
    cg_loop unit = cg_loop_begin(k, k->begin, k->end, 1);
    LLVMValueRef rest = unit.index, index[5];
    const int64_t extents[5] = {w->panels, g->groups, g->width, g->height, g->images};
    for (int i = 0; i < 5; i++) {
        index[i] = LLVMBuildURem(k->b, rest, cg_i64(k, extents[i]), "");
        rest = LLVMBuildUDiv(k->b, rest, cg_i64(k, extents[i]), "");
    }
    LLVMValueRef pointers[2];
    const cg_gemm_rows *rows[2] = {&g->x, &g->out};
    for (int i = 0; i < 2; i++) {
        LLVMValueRef at = cg_add(k, cg_mul_const(k, index[4], rows[i]->image), cg_mul_const(k, index[3], rows[i]->y));
        at = cg_add(k, at, cg_mul_const(k, index[2], rows[i]->x));
        at = cg_add(k, at, cg_mul_const(k, index[1], i ? g->out_group : g->x_group));
        pointers[i] = cg_at(k, k->arg[i ? ARG_OUT : ARG_X], at);
    }
    LLVMValueRef column = cg_mul_const(k, index[0], wide_columns), acc[MAX_BLOCKS];
    w->channel = cg_add(k, cg_mul_const(k, index[1], padded_columns(w)), column);
    w->left = LLVMBuildNSWSub(k->b, cg_i64(k, g->columns), column, "");
    LLVMValueRef panel = cg_at(k, k->arg[ARG_WEIGHTS], cg_mul_const(k, w->channel, 2 * g->steps));
    multiply(w, pointers[0], panel, acc);
    finish(w, acc, cg_at(k, pointers[1], cg_mul_const(k, column, element)));
    cg_loop_hint_vectorize(k, &unit, false);
    cg_loop_end(k, &unit);
}

static const char *key_of(cg_module *m, const wide *w)
{
    const cg_gemm *g = w->g;
    const int64_t numbers[] = {g->images, g->height, g->width,     g->columns, g->groups, g->steps,   g->x.image,
                               g->x.y,    g->x.x,    g->out.image, g->out.y,   g->out.x,  g->x_group, g->out_group};
    const char *key = arena_format(m->arena, "wide %s %s %a,%a", ir_dtype_text(g->out_type),
                                   cg_requant_key(m, &g->requant), (double)g->min, (double)g->max);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        key = arena_format(m->arena, "%s %lld", key, (long long)numbers[i]);
    return key;
}

bool cg_wide_emit(cg_module *m, cg_gemm *g, const cg_steps *steps, int64_t column_size)
{
    const int64_t blocks = (g->columns + COLUMNS - 1) / COLUMNS;
    wide w = {.g = g, .blocks = blocks < MAX_BLOCKS ? (int)blocks : MAX_BLOCKS};
    w.panels = (blocks + w.blocks - 1) / w.blocks;
    g->steps = steps->count;
    g->requant = requant_of(m, &w);
    ir_act_bounds_f32((ir_enum_ACT)ir_int(g->op, IR_ATTR_ACT), &g->min, &g->max);
    size_t weight_bytes, bias_bytes;
    const void *weights = pack(m, &w, steps, column_size, &weight_bytes), *bias = biases(m, &w, &bias_bytes);
    const cg_arg args[ARG_COUNT] = {
        [ARG_X] = g->x.arg,
        [ARG_OUT] = g->out.arg,
        [ARG_WEIGHTS] = cg_arg_constant(cg_constant(m, weights, weight_bytes, "weights")),
        [ARG_BIAS] = cg_arg_constant(cg_constant(m, bias, bias_bytes, "bias")),
        [ARG_PARAMS] = cg_arg_constant(cg_constant(m, g->requant.bytes, g->requant.size, "requant")),
        [ARG_OFFSETS] = cg_arg_constant(cg_constant(m, steps->offset, 4 * (size_t)steps->count, "offsets"))};
    if (cg_kernel_begin(m, &w.k, key_of(m, &w), g->op, ARG_COUNT)) {
        emit_units(&w);
        cg_kernel_end(&w.k);
    }
    const int64_t units = w.panels * g->groups * g->width * g->height * g->images;
    const cg_step_info info = {.units = (uint32_t)units, .macs = g->macs, .is_int8 = true};
    cg_step_add(m, &w.k, g->op, &info, ARG_COUNT, args);
    return true;
}
