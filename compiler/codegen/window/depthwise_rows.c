/* depthwise_rows.c: the fast depthwise kernel for 8-bit values: multiplier 1, no dilation, 64-byte vectors.
 *
 * Groups of four operand rows interleave by byte once a column (lanes.h), and serve R result rows, each with the window's
 * weights moved to its place:
 *
 *     rows y … y+3 of column x   a0 b0 c0 d0 a1 b1 c1 d1 …      result row y: w0 w1 w2 0    result row y+1: 0 w0 w1 w2
 *
 * U result columns at once share the loads of weights, which are memory operands otherwise.  Columns that the next window needs
 * again stay in registers; J of the four vectors of a block at a time, so that they fit.
 *
 * A vector holds F slots of V/F channels, each slot with result rows of its own (slot f: rows f*R … f*R + R-1 of the unit): whole
 * blocks of 64 channels have F = 1, few channels, or the last few of many, F = 2 or 4.  Blocks outermost, units (rows) inside: a
 * block's weights stay in the first cache. */
#include "compiler/codegen/window/depthwise.h"
#include "ir/interp.h"

#include <string.h>

enum { V = 64, LANES = V / 4, MAX_WINDOW = 16, MAX_ROWS = 16, MAX_R = 4, MAX_SLOTS = 4, MAX_UNROLL = 2, REGISTERS = 28,
       MAX_SPAN = 2 * MAX_WINDOW };
enum { ARG_X, ARG_Y, ARG_WEIGHTS, ARG_BIAS, ARG_REQUANT, ARG_ZERO_ROW, ARG_RESIDUAL, ARG_ADD, ARG_COUNT };

/* Channels that are done with the same number of slots. */
typedef struct part {
    int slots, blocks;
    int64_t first;               /* block b begins at channel min(first + 64 * b, last) */
    int64_t last;
    int64_t count;               /* channels of a slot, at most V / slots; fewer: masked */
    int block_base;              /* number of the first block among all parts' */
} part;

typedef struct shape_of_work {
    int rows_at_once, vectors;   /* R, J */
    int rows, groups;            /* operand rows of a slot, groups of four of them */
    int unroll;                  /* result columns at once (U), which share the loads of weights */
    double cost;
} shape_of_work;

typedef struct emitter {
    cg_kernel *k;
    const depthwise_plan *p;
    const depthwise_params *params;
    const cg_residual *residual;
    shape_of_work s;
    part parts[2];
    int part_count;
    const part *part;
    uint8_t zero;                /* of the operand */
    int64_t prefix;              /* result columns 0…prefix-1 meet no column right of the image beyond the kept ones */
    LLVMTypeRef bytes, sums;
    LLVMValueRef mask;           /* of a slot's bytes, or NULL */
    LLVMValueRef row[MAX_SLOTS][MAX_ROWS], out[MAX_SLOTS][MAX_R], other[MAX_SLOTS][MAX_R];
    LLVMValueRef weights, bias, slot; /* of the block */
    LLVMValueRef scales;
    int pass;
} emitter;

/* ---- Choosing R and J ---- */

static bool touches(const depthwise_plan *p, int r, int g)
{
    int64_t first = r * p->stride[0], last = first + p->kernel[0] - 1;
    return first <= 4 * g + 3 && last >= 4 * g;
}

/* In instructions on vectors for 64 results; 18 stand for the end of a block. */
static shape_of_work work_of(const depthwise_plan *p, int r, int j)
{
    shape_of_work s = {.rows_at_once = r, .vectors = j, .rows = (int)(p->kernel[0] + p->stride[0] * (r - 1)), .cost = 1e30};
    s.groups = (s.rows + 3) / 4;
    int64_t fresh = p->stride[1] < p->kernel[1] ? p->stride[1] : p->kernel[1];
    int64_t registers = p->kernel[1] * s.groups * j + j;
    if (s.rows > MAX_ROWS || p->kernel[1] > MAX_WINDOW || p->stride[1] > MAX_WINDOW || registers > REGISTERS - 2 || p->y.dims[1] < r)
        return s;
    int dots = 0;
    for (int i = 0; i < r; i++)
        for (int g = 0; g < s.groups; g++)
            dots += touches(p, i, g);
    int64_t passes = 4 / j; /* each loads its rows again, and stores */
    double again = (double)((passes - 1) * (s.rows * fresh + r)) / r;
    double waste = (double)((p->y.dims[1] + r - 1) / r * r) / (double)p->y.dims[1];
    s.cost = waste * ((double)(4 * p->kernel[1] * dots + 8 * fresh * s.groups) / r + 18 + again);
    s.unroll = registers + p->stride[1] * s.groups * j + j <= REGISTERS && p->y.dims[2] > 3 ? MAX_UNROLL : 1;
    return s;
}

static shape_of_work best_work(const depthwise_plan *p)
{
    shape_of_work best = {.cost = 1e30};
    for (int r = 1; r <= MAX_R; r *= 2)
        for (int j = 4; j >= 1; j /= 2) {
            shape_of_work s = work_of(p, r, j);
            if (s.cost < best.cost)
                best = s;
        }
    return best;
}

/* Result columns from the left whose windows reach no column behind the image. */
static int64_t prefix_of(const depthwise_plan *p)
{
    int64_t room = p->x.dims[2] - p->kernel[1] + p->pad[1];
    int64_t n = room < 0 ? 0 : room / p->stride[1] + 1;
    return n < p->y.dims[2] ? n : p->y.dims[2];
}

bool depthwise_rows_fits(const cg_module *m, const ir_op *op, const depthwise_plan *p)
{
    const ir_value *w = ir_operand_value(op, 1);
    if (m->target->vector_bytes != V || p->multiplier != 1 || p->dilation[0] != 1 || p->dilation[1] != 1)
        return false;
    int64_t kept = p->kernel[1] - p->stride[1];
    if (p->pad[1] > (kept > 0 ? kept : 0) || p->y.dims[2] - prefix_of(p) > 4 || !ir_is_const(w))
        return false;
    for (int64_t i = 0, n = ir_type_elements(&w->type); i < n; i++) {
        int64_t c = ir_const_int(w, i) - (w->quant ? w->quant->zero[w->quant->axis >= 0 ? i % p->y.dims[3] : 0] : 0);
        if (c < -128 || c > 127)
            return false;
    }
    bool add = op->operand_count > 3 && ir_operand_value(op, 3);
    shape_of_work s = best_work(p);
    int64_t general = (p->kernel[0] * p->kernel[1] + 3) / 4 * 12 + 18;
    return s.cost < (double)general && (s.vectors == 4 || !add);
}

static void plan_parts(emitter *e)
{
    int64_t c = e->p->x.dims[3], rows = e->p->y.dims[1], rest = c % V;
    int slots = rest == 0 || rest > V / 2 || e->s.vectors != 4 ? 1 : rest > V / 4 ? 2 : 4;
    while (slots > 1 && rows < slots * e->s.rows_at_once)
        slots /= 2;
    int whole = (int)(c / V) + (slots == 1 && rest > 0);
    e->part_count = 0;
    if (whole > 0)
        e->parts[e->part_count++] = (part){.slots = 1, .blocks = whole, .last = c > V ? c - V : 0, .count = c < V ? c : V};
    if (slots > 1) {
        int64_t size = V / slots, first = c - size > 0 ? c - size : 0;
        e->parts[e->part_count++] = (part){.slots = slots, .blocks = 1, .first = first, .last = first,
                                           .count = c < size ? c : size, .block_base = whole};
    }
}

/* ---- Packing ---- */

static int64_t block_weights(const emitter *e)
{
    return (int64_t)e->p->kernel[1] * e->s.groups * e->s.rows_at_once * 4 * V;
}

/* Where vector j of a kernel column, group and result row lies in a block, in the order of use. */
static int64_t weights_at(const emitter *e, int j, int64_t kx, int g, int r)
{
    int pass = j / e->s.vectors, in_pass = j % e->s.vectors;
    return ((((pass * e->p->kernel[1] + kx) * e->s.groups + g) * e->s.rows_at_once + r) * e->s.vectors + in_pass) * V;
}

static int block_count(const emitter *e)
{
    const part *last = &e->parts[e->part_count - 1];
    return last->block_base + last->blocks;
}

static int32_t *channel_table(cg_module *m, const emitter *e)
{
    int32_t *table = ARENA_ARRAY(m->arena, int32_t, block_count(e) * V);
    for (int i = 0; i < e->part_count; i++) {
        const part *q = &e->parts[i];
        for (int b = 0; b < q->blocks; b++) {
            int64_t first = q->first + (int64_t)b * V < q->last ? q->first + (int64_t)b * V : q->last;
            for (int at = 0; at < V; at++) {
                int in_slot = cg_interleaved_channel(V, at) % (V / q->slots);
                table[(q->block_base + b) * V + at] = in_slot < q->count ? (int32_t)first + in_slot : -1;
            }
        }
    }
    return table;
}

static const void *pack_weights(cg_module *m, const emitter *e, const int32_t channel_of[], const int16_t *weights, size_t *out_size)
{
    const depthwise_plan *p = e->p;
    int64_t channels = p->y.dims[3];
    *out_size = (size_t)(block_count(e) * block_weights(e));
    int8_t *packed = arena_alloc(m->arena, *out_size);
    for (int b = 0; b < block_count(e); b++)
        for (int at = 0; at < V; at++)
            for (int r = 0; r < e->s.rows_at_once; r++)
                for (int64_t ky = 0; ky < p->kernel[0]; ky++)
                    for (int64_t kx = 0; kx < p->kernel[1]; kx++) {
                        int row = (int)(ky + r * p->stride[0]), c = channel_of[b * V + at];
                        int64_t to = b * block_weights(e) + weights_at(e, at / LANES, kx, row / 4, r) + at % LANES * 4 + row % 4;
                        packed[to] = c < 0 ? 0 : (int8_t)weights[(ky * p->kernel[1] + kx) * channels + c];
                    }
    return packed;
}

/* ---- Columns ---- */

/* V bytes: a slot of each address. */
static LLVMValueRef load_slots(emitter *e, LLVMValueRef const address[MAX_SLOTS])
{
    cg_kernel *k = e->k;
    int slots = e->part->slots, size = V / slots;
    LLVMValueRef v[MAX_SLOTS];
    for (int f = 0; f < slots; f++)
        v[f] = cg_load_lanes(k, cg_vector(k->m->i8, (unsigned)size), address[f], e->mask);
    for (; slots > 1; slots /= 2, size *= 2)
        for (int f = 0; f < slots / 2; f++) {
            int join[V];
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
        LLVMValueRef zero = cg_splat(k, cg_i8(k, e->zero), V);
        for (int i = 0; i < e->s.groups * j; i++)
            out[i] = zero;
        return;
    }
    for (int g = 0; g < e->s.groups; g++) {
        LLVMValueRef rows[4], all[4];
        for (int i = 0; i < 4; i++) {
            LLVMValueRef address[MAX_SLOTS];
            if (4 * g + i >= e->s.rows) {
                rows[i] = rows[0]; /* their weights are zero */
                continue;
            }
            for (int f = 0; f < e->part->slots; f++)
                address[f] = cg_at(k, e->row[f][4 * g + i], offset);
            rows[i] = load_slots(e, address);
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
    LLVMValueRef low = cg_splat(k, cg_i8(k, q->min), V), high = cg_splat(k, cg_i8(k, q->max), V);
    if (q->min > 0)
        v = LLVMBuildSelect(k->b, LLVMBuildICmp(k->b, LLVMIntUGT, v, low, ""), v, low, "");
    if (q->max < 255)
        v = LLVMBuildSelect(k->b, LLVMBuildICmp(k->b, LLVMIntULT, v, high, ""), v, high, "");
    return v;
}

/* In floats without intermediate clamps: the packs saturate, the zero point is added to 16-bit words. */
static LLVMValueRef requantize_packed(emitter *e, LLVMValueRef acc[4])
{
    cg_kernel *k = e->k;
    const cg_requant *q = &e->params->requant;
    int j = e->s.vectors;
    for (int i = 0; i < j; i++) {
        LLVMValueRef first = cg_add(k, e->slot, cg_i64(k, (e->pass * j + i) * (int64_t)LANES));
        const cg_requant_factors factors = cg_requant_load(k, q, e->scales, first, LANES);
        acc[i] = cg_requant_round(k, q, cg_requant_real(k, &factors, acc[i]));
    }
    LLVMValueRef words[2];
    LLVMTypeRef type = cg_vector(k->m->i16, 2 * LANES);
    for (int h = 0; h < 2; h++) {
        LLVMValueRef a = acc[2 * h < j ? 2 * h : 0], b = acc[2 * h + 1 < j ? 2 * h + 1 : j > 1];
        LLVMValueRef args[2] = {cg_pack_words(k, a, b), cg_splat(k, LLVMConstInt(k->m->i16, (uint64_t)q->zero, 0), 2 * LANES)};
        words[h] = q->zero ? cg_intrinsic(k, "llvm.sadd.sat", &type, 1, args, 2) : args[0];
    }
    return clamp_bytes(e, cg_pack_bytes(k, words[0], words[1]));
}

static LLVMValueRef requantize_any(emitter *e, LLVMValueRef acc[4], LLVMValueRef const other[4])
{
    cg_kernel *k = e->k;
    int j = e->s.vectors;
    for (int i = 0; i < j; i++) {
        LLVMValueRef first = cg_add(k, e->slot, cg_i64(k, (e->pass * j + i) * (int64_t)LANES));
        acc[i] = cg_requant_apply(k, &e->params->requant, e->scales, first, acc[i]);
        if (e->residual)
            acc[i] = cg_residual_apply(k, e->residual, k->arg[ARG_ADD], acc[i], cg_bitcast(k, other[i], e->sums));
    }
    LLVMValueRef low = cg_pack_words(k, acc[0], acc[j > 1]), high = j > 2 ? cg_pack_words(k, acc[2], acc[3]) : low;
    LLVMValueRef words[2] = {low, high};
    return cg_pack_bytes(k, words[0], words[1]);
}

/* The bytes that a pass has made, when it makes only some of each 16. */
static LLVMValueRef pass_mask(emitter *e)
{
    cg_kernel *k = e->k;
    LLVMValueRef bits[V];
    int run = 4 * e->s.vectors;
    for (int i = 0; i < V; i++)
        bits[i] = LLVMConstInt(k->m->i1, i % 16 / run == e->pass && i < e->part->count, 0);
    return LLVMConstVector(bits, V);
}

static void store_slots(emitter *e, LLVMValueRef v, int r, LLVMValueRef offset)
{
    cg_kernel *k = e->k;
    int size = V / e->part->slots;
    for (int f = 0; f < e->part->slots; f++) {
        LLVMValueRef to = cg_at(k, e->out[f][r], offset), bytes = v;
        int lanes[V];
        for (int i = 0; i < size; i++)
            lanes[i] = f * size + i;
        if (e->part->slots > 1)
            bytes = cg_shuffle(k, v, NULL, lanes, (unsigned)size);
        cg_store_lanes(k, bytes, to, e->s.vectors < 4 ? pass_mask(e) : e->mask);
    }
}

static LLVMValueRef finish_row(emitter *e, LLVMValueRef acc[4], int r, LLVMValueRef column)
{
    cg_kernel *k = e->k;
    const cg_requant *q = &e->params->requant;
    LLVMValueRef order[4];
    if (!e->residual && ir_rounding_is_real(q->rounding) && q->below_one)
        return requantize_packed(e, acc);
    if (e->residual) {
        LLVMValueRef address[MAX_SLOTS], rows[4];
        for (int f = 0; f < e->part->slots; f++)
            address[f] = cg_at(k, e->other[f][r], cg_mul_const(k, column, e->residual->pixel_stride));
        rows[0] = load_slots(e, address);
        rows[1] = rows[2] = rows[3] = LLVMConstNull(e->bytes);
        cg_interleave(k, rows, order);
    }
    return requantize_any(e, acc, order);
}

/* ---- Result columns ---- */

/* The same pointer, but LLVM no longer knows it: what is loaded through it stays a memory operand where it is used, instead
 * of being loaded once before the loop and spilled there. */
static LLVMValueRef forget(emitter *e, LLVMValueRef pointer)
{
    cg_kernel *k = e->k;
    LLVMTypeRef type = LLVMFunctionType(k->m->ptr, &k->m->ptr, 1, 0);
    LLVMValueRef barrier = LLVMGetInlineAsm(type, "", 0, "=r,0", 4, 1, 0, LLVMInlineAsmDialectATT, 0);
    return LLVMBuildCall2(k->b, type, barrier, &pointer, 1, "");
}

/* `count` result columns from `column` on, whose windows begin at span[0], span[stride], …; a weight serves them all. */
static void emit_results(emitter *e, LLVMValueRef span[MAX_SPAN][32], LLVMValueRef column, int count)
{
    cg_kernel *k = e->k;
    int j = e->s.vectors;
    LLVMValueRef weights = forget(e, e->weights), bias = forget(e, e->bias);
    e->scales = forget(e, k->arg[ARG_REQUANT]);
    for (int r = 0; r < e->s.rows_at_once; r++) {
        LLVMValueRef acc[MAX_UNROLL][4], v[MAX_UNROLL], at[MAX_UNROLL];
        for (int i = 0; i < j; i++) {
            acc[0][i] = cg_load(k, e->sums, cg_at_const(k, bias, (e->pass * j + i) * (int64_t)LANES * 4), 64);
            for (int u = 1; u < count; u++)
                acc[u][i] = acc[0][i];
        }
        for (int64_t kx = 0; kx < e->p->kernel[1]; kx++)
            for (int g = 0; g < e->s.groups; g++)
                for (int i = 0; i < j && touches(e->p, r, g); i++) {
                    LLVMValueRef w = cg_load(k, e->bytes, cg_at_const(k, weights, weights_at(e, e->pass * j + i, kx, g, r)), 64);
                    for (int u = 0; u < count; u++)
                        acc[u][i] = cg_dot4(k, acc[u][i], span[kx + u * e->p->stride[1]][g * j + i], w);
                }
        for (int u = 0; u < count; u++) {
            at[u] = cg_add(k, column, cg_i64(k, u));
            v[u] = finish_row(e, acc[u], r, at[u]);
        }
        for (int u = 0; u < count; u++)
            store_slots(e, v[u], r, cg_mul_const(k, at[u], e->p->y.stride[2]));
    }
}

static int64_t kept_columns(const depthwise_plan *p)
{
    return p->kernel[1] > p->stride[1] ? p->kernel[1] - p->stride[1] : 0;
}

/* Fills the span of `count` result columns behind the kept operand columns.  `base`: the first window's first operand column
 * when that is known (`known`), for what lies outside. */
static void load_span(emitter *e, LLVMValueRef span[MAX_SPAN][32], LLVMValueRef column, int count, bool known, int64_t base)
{
    cg_kernel *k = e->k;
    const depthwise_plan *p = e->p;
    for (int64_t i = kept_columns(p); i < p->kernel[1] + (count - 1) * p->stride[1]; i++) {
        LLVMValueRef offset;
        if (known)
            offset = base + i < 0 || base + i >= p->x.dims[2] ? NULL : cg_i64(k, (base + i) * p->x.stride[2]);
        else
            offset = cg_mul_const(k, cg_add(k, cg_mul_const(k, column, p->stride[1]), cg_i64(k, i - p->pad[1])), p->x.stride[2]);
        load_column(e, offset, span[i]);
    }
}

/* What the window behind `count` result columns keeps becomes the span's beginning. */
static void keep_columns(emitter *e, LLVMValueRef span[MAX_SPAN][32], int count)
{
    for (int64_t i = 0; i < kept_columns(e->p); i++)
        memcpy(span[i], span[i + count * e->p->stride[1]], sizeof span[i]);
}

static void emit_pass(emitter *e)
{
    cg_kernel *k = e->k;
    const depthwise_plan *p = e->p;
    int vectors = e->s.groups * e->s.vectors, u = e->s.unroll;
    int64_t kept = kept_columns(p), looped = e->prefix / u * u;
    LLVMValueRef span[MAX_SPAN][32];
    for (int64_t i = 0; i < kept; i++) {
        int64_t at = i - p->pad[1];
        load_column(e, at < 0 || at >= p->x.dims[2] ? NULL : cg_i64(k, at * p->x.stride[2]), span[i]);
    }
    if (looped > 0) {
        cg_loop loop = cg_loop_begin(k, cg_i64(k, 0), cg_i64(k, looped), u);
        cg_loop_hint_no_unroll(k, &loop);
        LLVMValueRef carried[MAX_SPAN][32];
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
            at = cg_add(k, cg_mul_const(k, batch, e->residual->batch_stride), cg_mul_const(k, row, e->residual->row_stride));
            e->other[f][i] = cg_at(k, k->arg[ARG_RESIDUAL], cg_add(k, at, first));
        }
    }
}

static int64_t units_of(const emitter *e, const part *q)
{
    int64_t at_once = q->slots * e->s.rows_at_once;
    return e->p->y.dims[0] * ((e->p->y.dims[1] + at_once - 1) / at_once);
}

/* Units base… of the kernel are the part's. */
static void emit_part(emitter *e, int64_t base)
{
    cg_kernel *k = e->k;
    const part *q = e->part;
    LLVMValueRef from = cg_max(k, LLVMBuildSub(k->b, k->begin, cg_i64(k, base), ""), cg_i64(k, 0));
    LLVMValueRef to = cg_min(k, LLVMBuildSub(k->b, k->end, cg_i64(k, base), ""), cg_i64(k, units_of(e, q)));
    e->mask = q->count < V / q->slots ? cg_lane_mask(k, cg_i64(k, q->count), (unsigned)(V / q->slots)) : NULL;
    cg_loop blocks = cg_loop_begin(k, cg_i64(k, 0), cg_i64(k, q->blocks), 1);
    LLVMValueRef first = cg_min(k, cg_add(k, cg_mul_const(k, blocks.index, V), cg_i64(k, q->first)), cg_i64(k, q->last));
    LLVMValueRef block = cg_add(k, blocks.index, cg_i64(k, q->block_base));
    e->weights = cg_at(k, k->arg[ARG_WEIGHTS], cg_mul_const(k, block, block_weights(e)));
    e->slot = cg_mul_const(k, block, V);
    e->bias = cg_at(k, k->arg[ARG_BIAS], cg_mul_const(k, e->slot, 4));
    cg_loop units = cg_loop_begin(k, from, to, 1);
    cg_loop_hint_no_unroll(k, &units);
    find_rows(e, units.index, first);
    for (e->pass = 0; e->pass < 4 / e->s.vectors; e->pass++)
        emit_pass(e);
    cg_loop_end(k, &units);
    cg_loop_end(k, &blocks);
}

bool depthwise_rows_emit(cg_module *m, const ir_op *op, const depthwise_plan *p, const cg_residual *residual)
{
    depthwise_params params;
    emitter e = {.p = p, .params = &params, .residual = residual, .s = best_work(p), .prefix = prefix_of(p),
                 .zero = (uint8_t)ir_operand_value(op, 0)->quant->zero[0]};
    plan_parts(&e);
    int slots = block_count(&e) * V;
    const int32_t *channel_of = channel_table(m, &e);
    if (!depthwise_params_make(m, op, p, channel_of, slots, &params))
        return false;
    size_t size;
    const void *packed = pack_weights(m, &e, channel_of, params.weights, &size);
    cg_arg args[ARG_COUNT];
    args[ARG_X] = cg_arg_value(ir_operand_value(op, 0));
    args[ARG_Y] = cg_arg_value(op->results[0]);
    args[ARG_WEIGHTS] = cg_arg_constant(cg_constant(m, packed, size, "weights"));
    args[ARG_BIAS] = cg_arg_constant(cg_constant(m, params.bias, (size_t)slots * 4, "bias"));
    args[ARG_REQUANT] = cg_arg_constant(cg_constant(m, params.requant.bytes, params.requant.size, "scales"));
    args[ARG_ZERO_ROW] = cg_arg_constant(depthwise_zero_row(m, op, p, p->x.dims[2]));
    args[ARG_RESIDUAL] = cg_arg_value(ir_operand_value(op, residual ? 3 : 0));
    args[ARG_ADD] = residual ? cg_arg_constant(cg_residual_constant(m, residual)) : args[ARG_BIAS];
    int64_t units = 0;
    cg_key key = {.length = 0};
    cg_key_add(&key, "depthwise_rows z%d %s", e.zero, cg_requant_key(m, &params.requant));
    depthwise_key(&key, p);
    cg_key_add(&key, " %s", residual ? cg_residual_key(m, residual) : "");
    for (int i = 0; i < e.part_count; i++)
        units += units_of(&e, &e.parts[i]);
    cg_kernel k;
    if (cg_kernel_begin(m, &k, key.text, op, ARG_COUNT)) {
        e.k = &k;
        e.bytes = cg_vector(m->i8, V);
        e.sums = cg_vector(m->i32, LANES);
        int64_t base = 0;
        for (int i = 0; i < e.part_count; i++) {
            e.part = &e.parts[i];
            emit_part(&e, base);
            base += units_of(&e, e.part);
        }
        cg_kernel_end(&k);
    }
    cg_step_info info = {.units = (uint32_t)units, .is_int8 = true, .macs = (uint64_t)(p->y.elements * p->kernel[0] * p->kernel[1])};
    cg_step_add(m, &k, op, &info, ARG_COUNT, args);
    return true;
}
