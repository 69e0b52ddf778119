/* depthwise_rows.c: the fast depthwise kernel for 8-bit values: multiplier 1, no dilation.
 *
 * Groups of four operand rows interleave by byte once a column (lanes.h), and serve R result rows, each with the
 * window's weights moved to its place:
 *
 *     rows y … y+3 of column x   a0 b0 c0 d0 a1 b1 c1 d1 …      result row y: w0 w1 w2 0    result row y+1: 0 w0 w1 w2
 *
 * U result columns at once share the loads of weights, which are memory operands otherwise.  Columns that the next
 * window needs again stay in registers; J of the four vectors of a block at a time, so that they fit.  V: bytes of a
 * vector.
 *
 * A vector holds F slots of V/F channels, each slot with result rows of its own (slot f: rows f*R … f*R + R-1 of the
 * unit): whole blocks of V channels have F = 1, few channels, or the last few of many, F = 2 or 4.  Blocks outermost,
 * units (rows) inside: a block's weights stay in the first cache. */
#include "compiler/codegen/window/depthwise_rows.h"

#include <string.h>

#include "ir/ref/interp.h"

enum {
    ARG_X,
    ARG_Y,
    ARG_WEIGHTS,
    ARG_BIAS,
    ARG_REQUANT,
    ARG_ZERO_ROW,
    ARG_RESIDUAL,
    ARG_ADD,
    ARG_COUNT,
    ARG_BLOCKS = ARG_COUNT
};

/* Results whose sums are done, until there are enough for a vector of bytes. */
typedef struct results {
    LLVMValueRef sums[4]; /* then integers of the result */
    int vectors, count;
    int row[4];
    LLVMValueRef column[4];
    LLVMValueRef bytes;
} results;

typedef struct emitter {
    cg_kernel *k;
    const depthwise_plan *p;
    depthwise_rows plan;
    depthwise_work s;
    int v, lanes; /* bytes of a vector (V); i32 elements */
    const depthwise_params *params;
    const cg_residual *residual;
    const depthwise_part *part;
    uint8_t zero; /* of the operand */
    LLVMTypeRef bytes, sums;
    LLVMValueRef mask; /* of a slot's bytes, or NULL */
    LLVMValueRef row[DEPTHWISE_MAX_SLOTS][DEPTHWISE_MAX_ROWS], out[DEPTHWISE_MAX_SLOTS][DEPTHWISE_MAX_AT_ONCE],
        other[DEPTHWISE_MAX_SLOTS][DEPTHWISE_MAX_AT_ONCE];
    LLVMValueRef first, weights, bias, slot; /* of the block */
    LLVMValueRef scales;
    int pass;
} emitter;

/* ---- Columns ---- */

/* V bytes: a slot of each address. */
static LLVMValueRef load_slots(emitter *e, LLVMValueRef const address[DEPTHWISE_MAX_SLOTS])
{
    cg_kernel *k = e->k;
    int slots = e->part->slots, size = e->v / slots;
    LLVMValueRef v[DEPTHWISE_MAX_SLOTS];
    for (int f = 0; f < slots; f++)
        v[f] = cg_load_lanes(k, cg_vector(k->m->i8, (unsigned)size), address[f], e->mask);
    for (; slots > 1; slots /= 2, size *= 2)
        for (int f = 0; f < slots / 2; f++) {
            int join[DEPTHWISE_MAX_VECTOR];
            for (int i = 0; i < 2 * size; i++)
                join[i] = i;
            v[f] = cg_shuffle(k, v[2 * f], v[2 * f + 1], join, (unsigned)(2 * size));
        }
    return v[0];
}

/* The J vectors of each group for the operand column at byte offset `offset` (NULL: outside the image). */
static void load_column(emitter *e, LLVMValueRef offset, LLVMValueRef out[])
{
    cg_kernel *k = e->k;
    int j = e->s.vectors;
    if (!offset) {
        LLVMValueRef zero = cg_splat(k, cg_i8(k, e->zero), (unsigned)e->v);
        for (int i = 0; i < e->s.groups * j; i++)
            out[i] = zero;
        return;
    }
    for (int g = 0; g < e->s.groups; g++) {
        LLVMValueRef rows[4], all[4];
        for (int i = 0; i < 4; i++) {
            LLVMValueRef address[DEPTHWISE_MAX_SLOTS], *row = &rows[depthwise_row_byte(&e->plan, i)];
            if (4 * g + i >= e->s.rows) {
                *row = rows[0]; /* their weights are zero */
                continue;
            }
            for (int f = 0; f < e->part->slots; f++)
                address[f] = cg_at(k, e->row[f][4 * g + i], offset);
            *row = load_slots(e, address);
        }
        cg_interleave(k, rows, all);
        memcpy(out + g * j, all + e->pass * j, (size_t)j * sizeof all[0]);
    }
}

/* ---- The end of a block ---- */

static LLVMValueRef clamp_bytes(emitter *e, LLVMValueRef v)
{
    cg_kernel *k = e->k;
    const cg_requant *q = &e->params->requant;
    LLVMValueRef low = cg_splat(k, cg_i8(k, q->min), (unsigned)e->v),
                 high = cg_splat(k, cg_i8(k, q->max), (unsigned)e->v);
    if (q->min > 0)
        v = LLVMBuildSelect(k->b, LLVMBuildICmp(k->b, LLVMIntUGT, v, low, ""), v, low, "");
    if (q->max < 255)
        v = LLVMBuildSelect(k->b, LLVMBuildICmp(k->b, LLVMIntULT, v, high, ""), v, high, "");
    return v;
}

/* In floats without intermediate clamps: the packs saturate, the zero point is added to 16-bit words. */
static bool ends_in_words(const emitter *e)
{
    const cg_requant *q = &e->params->requant;
    return !e->residual && ir_rounding_is_real(q->rounding) && q->below_one;
}

static void load_residual(emitter *e, int r, LLVMValueRef column, LLVMValueRef order[4])
{
    cg_kernel *k = e->k;
    LLVMValueRef address[DEPTHWISE_MAX_SLOTS], rows[4];
    for (int f = 0; f < e->part->slots; f++)
        address[f] = cg_at(k, e->other[f][r], cg_mul_const(k, column, e->residual->pixel_stride));
    rows[0] = load_slots(e, address);
    rows[1] = rows[2] = rows[3] = LLVMConstNull(e->bytes);
    cg_interleave(k, rows, order);
}

/* Sums to integers of the result, but for what the words still have added. */
static void requantize(emitter *e, LLVMValueRef acc[4], int r, LLVMValueRef column)
{
    cg_kernel *k = e->k;
    const cg_requant *q = &e->params->requant;
    LLVMValueRef other[4];
    if (e->residual)
        load_residual(e, r, column, other);
    for (int i = 0; i < e->s.vectors; i++) {
        LLVMValueRef first = cg_add(k, e->slot, cg_i64(k, (e->pass * e->s.vectors + i) * (int64_t)e->lanes));
        if (ends_in_words(e)) {
            const cg_requant_factors factors = cg_requant_load(k, q, e->scales, first, (unsigned)e->lanes);
            acc[i] = cg_requant_round(k, q, cg_requant_real(k, &factors, acc[i]));
            continue;
        }
        acc[i] = cg_requant_apply(k, q, e->scales, first, acc[i]);
        if (e->residual)
            acc[i] = cg_residual_apply(k, e->residual, k->arg[ARG_ADD], acc[i],
                                       cg_bitcast(k, other[e->pass * e->s.vectors + i], e->sums));
    }
}

/* Fewer than four vectors repeat. */
static void pack(emitter *e, results *done)
{
    cg_kernel *k = e->k;
    const int32_t zero = e->params->requant.zero;
    const unsigned words = 2 * (unsigned)e->lanes;
    LLVMTypeRef type = cg_vector(k->m->i16, words);
    LLVMValueRef half[2];
    for (int h = 0; h < 2; h++) {
        LLVMValueRef args[2] = {
            cg_pack_words(k, done->sums[2 * h % done->vectors], done->sums[(2 * h + 1) % done->vectors]),
            cg_splat(k, LLVMConstInt(k->m->i16, (uint64_t)zero, 0), words)};
        half[h] = zero && ends_in_words(e) ? cg_intrinsic(k, "llvm.sadd.sat", &type, 1, args, 2) : args[0];
    }
    done->bytes = cg_pack_bytes(k, half[0], half[1]);
    if (ends_in_words(e))
        done->bytes = clamp_bytes(e, done->bytes);
}

/* The bytes that a pass has made, when it makes only some of each 16. */
static LLVMValueRef pass_mask(emitter *e)
{
    cg_kernel *k = e->k;
    LLVMValueRef bits[DEPTHWISE_MAX_VECTOR];
    int run = 4 * e->s.vectors;
    for (int i = 0; i < e->v; i++)
        bits[i] = LLVMConstInt(k->m->i1, i % 16 / run == e->pass && i < e->part->count, 0);
    return LLVMConstVector(bits, (unsigned)e->v);
}

static LLVMValueRef bytes_of(emitter *e, LLVMValueRef v, int first, int count)
{
    return count < e->v ? cg_take(e->k, v, (unsigned)first, 1, (unsigned)count) : v;
}

/* A pass's part of each 16 channels of result number i, as far as they are slot f's. */
static void store_runs(emitter *e, const results *done, int i, int f, LLVMValueRef to)
{
    cg_kernel *k = e->k;
    const int run = 4 * e->s.vectors, size = e->v / e->part->slots;
    for (int lane = 0; lane < e->v; lane += 16) {
        const int first = lane + run * e->pass - f * size, left = (int)e->part->count - first;
        if (first >= 0 && first < size && left > 0)
            cg_store_first(k, bytes_of(e, done->bytes, lane + i * run, run), cg_at_const(k, to, first),
                           (unsigned)(left < run ? left : run));
    }
}

static void store_result(emitter *e, const results *done, int i)
{
    cg_kernel *k = e->k;
    int size = e->v / e->part->slots;
    LLVMValueRef offset = cg_mul_const(k, done->column[i], e->p->y.stride[2]);
    for (int f = 0; f < e->part->slots; f++) {
        LLVMValueRef to = cg_at(k, e->out[f][done->row[i]], offset);
        if (e->s.vectors == 4)
            cg_store_lanes(k, bytes_of(e, done->bytes, f * size, size), to, e->mask);
        else if (e->plan.joins)
            store_runs(e, done, i, f, to);
        else
            cg_store_lanes(k, done->bytes, to, pass_mask(e));
    }
}

/* ---- Result columns ---- */

/* The same pointer, but LLVM no longer knows it: what is loaded through it stays a memory operand where it is used,
 * instead of being loaded once before the loop and spilled there. */
static LLVMValueRef forget(emitter *e, LLVMValueRef pointer)
{
    cg_kernel *k = e->k;
    LLVMTypeRef type = LLVMFunctionType(k->m->ptr, &k->m->ptr, 1, 0);
    LLVMValueRef barrier = LLVMGetInlineAsm(type, "", 0, "=r,0", 4, 1, 0, LLVMInlineAsmDialectATT, 0);
    return LLVMBuildCall2(k->b, type, barrier, &pointer, 1, "");
}

/* What lies in a place of the packed weights. */
typedef struct packed_weights {
    LLVMValueRef w, mask, half;
} packed_weights;

static packed_weights load_weights(emitter *e, LLVMValueRef pointer, int64_t at)
{
    cg_kernel *k = e->k;
    const depthwise_form form = e->part->form;
    packed_weights q = {.w = cg_load(k, e->bytes, cg_at_const(k, pointer, at), (unsigned)e->v)};
    if (form >= DEPTHWISE_FLIPPED)
        q.mask = cg_load(k, e->bytes, cg_at_const(k, pointer, at + e->v), (unsigned)e->v);
    if (form == DEPTHWISE_SPLIT)
        q.half = cg_load(k, e->bytes, cg_at_const(k, pointer, at + 2 * e->v), (unsigned)e->v);
    return q;
}

static LLVMValueRef add_products(emitter *e, LLVMValueRef acc, LLVMValueRef x, const packed_weights *q)
{
    cg_kernel *k = e->k;
    if (e->part->form == DEPTHWISE_EXACT)
        return cg_dot4(k, acc, x, q->w);
    if (e->part->form == DEPTHWISE_NARROW)
        return cg_dot4_narrow(k, acc, x, q->w);
    LLVMValueRef flipped = LLVMBuildXor(k->b, cg_bitcast(k, x, e->bytes), q->mask, "");
    acc = cg_dot4_narrow(k, acc, q->w, flipped);
    return q->half ? cg_dot4_narrow(k, acc, q->half, flipped) : acc;
}

/* Row r of `count` result columns whose windows begin at span[0], span[stride], …; a weight serves them all. */
static void emit_sums(emitter *e, LLVMValueRef span[DEPTHWISE_MAX_SPAN][32], int r, int count, LLVMValueRef pointer,
                      LLVMValueRef bias, LLVMValueRef acc[DEPTHWISE_MAX_UNROLL][4])
{
    cg_kernel *k = e->k;
    const int j = e->s.vectors;
    for (int i = 0; i < j; i++) {
        const int64_t first = (e->pass * j + i) * (int64_t)e->lanes;
        acc[0][i] = cg_load(k, e->sums, cg_at_const(k, bias, first * 4), (unsigned)e->v);
        for (int u = 1; u < count; u++)
            acc[u][i] = acc[0][i];
    }
    for (int64_t kx = 0; kx < e->p->kernel[1]; kx++)
        for (int g = 0; g < e->s.groups; g++)
            for (int i = 0; i < j && depthwise_touches(&e->plan, r, g); i++) {
                const int64_t at = depthwise_weights_at(&e->plan, e->part, e->pass * j + i, kx, g, r);
                const packed_weights q = load_weights(e, pointer, at);
                for (int u = 0; u < count; u++)
                    acc[u][i] = add_products(e, acc[u][i], span[kx + u * e->p->stride[1]][g * j + i], &q);
            }
}

/* `count` result columns from `column` on.  Where vectors of fewer than 16 channels each are left, several results
 * share one. */
static void emit_results(emitter *e, LLVMValueRef span[DEPTHWISE_MAX_SPAN][32], LLVMValueRef column, int count)
{
    cg_kernel *k = e->k;
    int j = e->s.vectors, n = 0, total = e->s.rows_at_once * count, most = e->plan.joins ? 4 / j : 1;
    LLVMValueRef weights = forget(e, e->weights), bias = forget(e, e->bias), at[DEPTHWISE_MAX_UNROLL];
    results done[DEPTHWISE_MAX_AT_ONCE * DEPTHWISE_MAX_UNROLL] = {{.vectors = 0}};
    e->scales = forget(e, k->arg[ARG_REQUANT]);
    for (int r = 0; r < e->s.rows_at_once; r++) {
        LLVMValueRef acc[DEPTHWISE_MAX_UNROLL][4];
        emit_sums(e, span, r, count, weights, bias, acc);
        int stored = n / most;
        for (int u = 0; u < count; u++, n++) {
            results *to = &done[n / most];
            at[u] = cg_add(k, column, cg_i64(k, u));
            requantize(e, acc[u], r, at[u]);
            memcpy(to->sums + to->vectors, acc[u], (size_t)j * sizeof acc[u][0]);
            to->vectors += j;
            to->row[to->count] = r;
            to->column[to->count++] = at[u];
            if (to->count == most || n == total - 1)
                pack(e, to);
        }
        for (; stored * most < n && done[stored].bytes; stored++)
            for (int i = 0; i < done[stored].count; i++)
                store_result(e, &done[stored], i);
    }
}

static int64_t kept_columns(const depthwise_plan *p)
{
    return p->kernel[1] > p->stride[1] ? p->kernel[1] - p->stride[1] : 0;
}

/* Fills the span of `count` result columns behind the kept operand columns.  `base`: the first window's first operand
 * column when that is known (`known`), for what lies outside. */
static void load_span(emitter *e, LLVMValueRef span[DEPTHWISE_MAX_SPAN][32], LLVMValueRef column, int count, bool known,
                      int64_t base)
{
    cg_kernel *k = e->k;
    const depthwise_plan *p = e->p;
    for (int64_t i = kept_columns(p); i < p->kernel[1] + (count - 1) * p->stride[1]; i++) {
        LLVMValueRef offset;
        if (known)
            offset = base + i < 0 || base + i >= p->x.dims[2] ? NULL : cg_i64(k, (base + i) * p->x.stride[2]);
        else
            offset = cg_mul_const(k, cg_add(k, cg_mul_const(k, column, p->stride[1]), cg_i64(k, i - p->pad[1])),
                                  p->x.stride[2]);
        load_column(e, offset, span[i]);
    }
}

/* What the window behind `count` result columns keeps becomes the span's beginning. */
static void keep_columns(emitter *e, LLVMValueRef span[DEPTHWISE_MAX_SPAN][32], int count)
{
    for (int64_t i = 0; i < kept_columns(e->p); i++)
        memcpy(span[i], span[i + count * e->p->stride[1]], sizeof span[i]);
}

static void emit_pass(emitter *e)
{
    cg_kernel *k = e->k;
    const depthwise_plan *p = e->p;
    int vectors = e->s.groups * e->s.vectors, u = e->s.unroll;
    int64_t kept = kept_columns(p), looped = e->plan.prefix / u * u;
    LLVMValueRef span[DEPTHWISE_MAX_SPAN][32];
    for (int64_t i = 0; i < kept; i++) {
        int64_t at = i - p->pad[1];
        load_column(e, at < 0 || at >= p->x.dims[2] ? NULL : cg_i64(k, at * p->x.stride[2]), span[i]);
    }
    if (looped > 0) {
        cg_loop loop = cg_loop_begin(k, cg_i64(k, 0), cg_i64(k, looped), u);
        cg_loop_hint_no_unroll(k, &loop);
        LLVMValueRef carried[DEPTHWISE_MAX_SPAN][32];
        for (int64_t i = 0; i < kept; i++)
            for (int v = 0; v < vectors; v++)
                carried[i][v] = span[i][v] = cg_loop_carry(k, &loop, span[i][v]);
        load_span(e, span, loop.index, u, false, 0);
        emit_results(e, span, loop.index, u);
        keep_columns(e, span, u);
        for (int64_t i = 0; i < kept; i++)
            for (int v = 0; v < vectors; v++)
                cg_loop_update(k, &loop, (int)(i * vectors + v), span[i][v]);
        cg_loop_end(k, &loop);
        for (int64_t i = 0; i < kept; i++)
            memcpy(span[i], carried[i], sizeof carried[i]);
    }
    for (int64_t column = looped; column < p->y.dims[2]; column++) {
        load_span(e, span, NULL, 1, true, column * p->stride[1] - p->pad[1]);
        emit_results(e, span, cg_i64(k, column), 1);
        keep_columns(e, span, 1);
    }
}

/* ---- Units and blocks ---- */

static void find_rows(emitter *e, LLVMValueRef unit, LLVMValueRef first)
{
    cg_kernel *k = e->k;
    const depthwise_plan *p = e->p;
    int r = e->s.rows_at_once, slots = e->part->slots;
    int64_t per_image = (p->y.dims[1] + slots * r - 1) / (slots * r);
    LLVMValueRef batch = LLVMBuildUDiv(k->b, unit, cg_i64(k, per_image), "");
    LLVMValueRef top = cg_mul_const(k, LLVMBuildURem(k->b, unit, cg_i64(k, per_image), ""), slots * r);
    top = cg_min(k, top, cg_i64(k, p->y.dims[1] - slots * r));
    LLVMValueRef image = cg_at(k, k->arg[ARG_X], cg_mul_const(k, batch, p->x.stride[0]));
    for (int f = 0; f < slots; f++) {
        LLVMValueRef result_row = cg_add(k, top, cg_i64(k, f * r));
        for (int i = 0; i < e->s.rows; i++) {
            LLVMValueRef row = cg_add(k, cg_mul_const(k, result_row, p->stride[0]), cg_i64(k, i - p->pad[0]));
            LLVMValueRef inside = LLVMBuildICmp(k->b, LLVMIntULT, row, cg_i64(k, p->x.dims[1]), "");
            LLVMValueRef offset = cg_mul_const(k, row, p->x.stride[1]);
            LLVMValueRef there = LLVMBuildGEP2(k->b, k->m->i8, image, &offset, 1, "");
            e->row[f][i] = cg_at(k, LLVMBuildSelect(k->b, inside, there, k->arg[ARG_ZERO_ROW], ""), first);
        }
        for (int i = 0; i < r; i++) {
            LLVMValueRef row = cg_add(k, result_row, cg_i64(k, i));
            LLVMValueRef at = cg_add(k, cg_mul_const(k, batch, p->y.stride[0]), cg_mul_const(k, row, p->y.stride[1]));
            e->out[f][i] = cg_at(k, k->arg[ARG_Y], cg_add(k, at, first));
            if (!e->residual)
                continue;
            at = cg_add(k, cg_mul_const(k, batch, e->residual->batch_stride),
                        cg_mul_const(k, row, e->residual->row_stride));
            e->other[f][i] = cg_at(k, k->arg[ARG_RESIDUAL], cg_add(k, at, first));
        }
    }
}

/* Numbers of the parts, then the first channel of each block: where the weights decide which block is in which part,
 * and the code is not to depend on them. */
static LLVMValueRef block_table(cg_module *m, const depthwise_rows *plan)
{
    const int numbers = 3 * plan->part_count, count = numbers + depthwise_block_count(plan);
    int64_t *table = ARENA_ARRAY(m->arena, int64_t, count);
    for (int i = 0; i < plan->part_count; i++) {
        const depthwise_part *q = &plan->parts[i];
        const int64_t of_part[3] = {q->blocks, q->block_base, q->weights_base};
        memcpy(table + (size_t)(3 * i), of_part, sizeof of_part);
    }
    memcpy(table + numbers, plan->firsts, (size_t)depthwise_block_count(plan) * sizeof *table);
    return cg_constant(m, table, (size_t)count * sizeof *table, "blocks");
}

typedef struct part_numbers {
    LLVMValueRef blocks, block_base, weights_base;
} part_numbers;

static part_numbers numbers_of(emitter *e, int part)
{
    cg_kernel *k = e->k;
    const depthwise_part *q = &e->plan.parts[part];
    LLVMValueRef v[3];
    if (!e->plan.firsts)
        return (part_numbers){cg_i64(k, q->blocks), cg_i64(k, q->block_base), cg_i64(k, q->weights_base)};
    for (int i = 0; i < 3; i++)
        v[i] = cg_load(k, k->m->i64, cg_at_const(k, k->arg[ARG_BLOCKS], (3 * part + i) * 8), 8);
    return (part_numbers){v[0], v[1], v[2]};
}

static LLVMValueRef first_channel(emitter *e, LLVMValueRef index, LLVMValueRef block)
{
    cg_kernel *k = e->k;
    const depthwise_part *q = e->part;
    if (!e->plan.firsts)
        return cg_min(k, cg_add(k, cg_mul_const(k, index, e->v), cg_i64(k, q->first)), cg_i64(k, q->last));
    LLVMValueRef entry = cg_add(k, block, cg_i64(k, 3 * e->plan.part_count));
    return cg_load(k, k->m->i64, cg_at(k, k->arg[ARG_BLOCKS], cg_mul_const(k, entry, 8)), 8);
}

static void emit_block(emitter *e, LLVMValueRef index, const part_numbers *numbers)
{
    cg_kernel *k = e->k;
    LLVMValueRef block = cg_add(k, index, numbers->block_base);
    LLVMValueRef offset = cg_mul_const(k, index, depthwise_block_weights(&e->plan, e->part));
    e->first = first_channel(e, index, block);
    e->weights = cg_at(k, k->arg[ARG_WEIGHTS], cg_add(k, offset, numbers->weights_base));
    e->slot = cg_mul_const(k, block, e->v);
    e->bias = cg_at(k, k->arg[ARG_BIAS], cg_mul_const(k, e->slot, 4));
}

static void emit_unit(emitter *e, LLVMValueRef unit)
{
    find_rows(e, unit, e->first);
    for (e->pass = 0; e->pass < 4 / e->s.vectors; e->pass++)
        emit_pass(e);
}

/* Units base… of the kernel are the part's. */
static void emit_part(emitter *e, int part, int64_t base)
{
    cg_kernel *k = e->k;
    const depthwise_part *q = e->part = &e->plan.parts[part];
    const part_numbers numbers = numbers_of(e, part);
    const unsigned size = (unsigned)(e->v / q->slots);
    LLVMValueRef end = cg_i64(k, depthwise_units(&e->plan, q));
    LLVMValueRef from = cg_max(k, LLVMBuildSub(k->b, k->begin, cg_i64(k, base), ""), cg_i64(k, 0));
    LLVMValueRef to = cg_min(k, LLVMBuildSub(k->b, k->end, cg_i64(k, base), ""), end);
    e->mask = q->count < (int64_t)size ? cg_lane_mask(k, cg_i64(k, q->count), size) : NULL;
    const bool rows_first = e->plan.rows_outermost;
    cg_loop outer = cg_loop_begin(k, rows_first ? from : cg_i64(k, 0), rows_first ? to : numbers.blocks, 1);
    if (!rows_first)
        emit_block(e, outer.index, &numbers);
    cg_loop inner = cg_loop_begin(k, rows_first ? cg_i64(k, 0) : from, rows_first ? numbers.blocks : to, 1);
    cg_loop_hint_no_unroll(k, &inner);
    if (rows_first)
        emit_block(e, inner.index, &numbers);
    emit_unit(e, rows_first ? outer.index : inner.index);
    cg_loop_end(k, &inner);
    cg_loop_end(k, &outer);
}

static void emit_parts(emitter *e)
{
    int64_t base = 0;
    e->bytes = cg_vector(e->k->m->i8, (unsigned)e->v);
    e->sums = cg_vector(e->k->m->i32, (unsigned)e->lanes);
    for (int i = 0; i < e->plan.part_count; i++) {
        emit_part(e, i, base);
        base += depthwise_units(&e->plan, &e->plan.parts[i]);
    }
}

static void bind_args(cg_module *m, const ir_op *op, const emitter *e, const int32_t channel_of[], cg_arg args[])
{
    const depthwise_rows *plan = &e->plan;
    const size_t slots = (size_t)depthwise_block_count(plan) * (size_t)e->v;
    int32_t *bias = ARENA_ARRAY(m->arena, int32_t, slots);
    memcpy(bias, e->params->bias, slots * sizeof *bias);
    size_t size;
    const void *packed = depthwise_rows_pack(m, plan, channel_of, bias, &size);
    args[ARG_X] = cg_arg_value(ir_operand_value(op, 0));
    args[ARG_Y] = cg_arg_value(op->results[0]);
    args[ARG_WEIGHTS] = cg_arg_constant(cg_constant(m, packed, size, "weights"));
    args[ARG_BIAS] = cg_arg_constant(cg_constant(m, bias, slots * sizeof *bias, "bias"));
    args[ARG_REQUANT] = cg_arg_constant(cg_constant(m, e->params->requant.bytes, e->params->requant.size, "scales"));
    args[ARG_ZERO_ROW] = cg_arg_constant(depthwise_zero_row(m, op, e->p, e->p->x.dims[2]));
    args[ARG_RESIDUAL] = cg_arg_value(ir_operand_value(op, e->residual ? 3 : 0));
    args[ARG_ADD] = e->residual ? cg_arg_constant(cg_residual_constant(m, e->residual)) : args[ARG_BIAS];
    if (plan->firsts)
        args[ARG_BLOCKS] = cg_arg_constant(block_table(m, plan));
}

static cg_key key_of(cg_module *m, const emitter *e)
{
    static const char form[] = {
        [DEPTHWISE_EXACT] = 'e', [DEPTHWISE_NARROW] = 'n', [DEPTHWISE_FLIPPED] = 'f', [DEPTHWISE_SPLIT] = 's'};
    cg_key key = {.length = 0};
    cg_key_add(&key, "depthwise_rows z%d %s", e->zero, cg_requant_key(m, &e->params->requant));
    depthwise_key(&key, e->p);
    cg_key_add(&key, " %s", e->residual ? cg_residual_key(m, e->residual) : "");
    for (int i = 0; i < e->plan.part_count; i++)
        cg_key_add(&key, "%c", form[e->plan.parts[i].form]);
    cg_key_add(&key, "%s", e->plan.rows_outermost ? "r" : "");
    return key;
}

bool cg_emit_depthwise_rows(cg_module *m, const ir_op *op)
{
    const depthwise_plan geometry = depthwise_plan_of(op, m->target), *p = &geometry;
    const ir_value *r = ir_operand_value(op, 3);
    depthwise_rows rows, *plan = &rows;
    depthwise_rows_plan(m, op, p, plan);
    const int32_t *channel_of = depthwise_rows_channels(m, plan);
    cg_residual residual;
    depthwise_params params;
    if (r)
        residual = cg_residual_of(m, op, r);
    depthwise_params_make(m, op, p, channel_of, depthwise_block_count(plan) * plan->v, &params);
    emitter e = {.p = p,
                 .plan = *plan,
                 .s = plan->s,
                 .v = plan->v,
                 .lanes = plan->lanes,
                 .params = &params,
                 .residual = r ? &residual : NULL,
                 .zero = (uint8_t)ir_operand_value(op, 0)->quant->zero[0]};
    const int arg_count = plan->firsts ? ARG_BLOCKS + 1 : ARG_COUNT;
    cg_arg args[ARG_BLOCKS + 1];
    bind_args(m, op, &e, channel_of, args);
    int64_t units = 0;
    for (int i = 0; i < plan->part_count; i++)
        units += depthwise_units(plan, &plan->parts[i]);
    const cg_key key = key_of(m, &e);
    cg_kernel k;
    if (cg_kernel_begin(m, &k, key.text, op, arg_count)) {
        e.k = &k;
        emit_parts(&e);
        cg_kernel_end(&k);
    }
    cg_step_info info = {
        .units = (uint32_t)units, .is_int8 = true, .macs = (uint64_t)(p->y.elements * p->kernel[0] * p->kernel[1])};
    cg_step_add(m, &k, op, &info, arg_count, args);
    return true;
}
