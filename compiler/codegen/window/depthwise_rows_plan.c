/* depthwise_rows_plan.c: how many rows and vectors the fast depthwise kernel does at once, which blocks of channels are
 * done alike, and their weights, see depthwise_rows.h. */
#include "compiler/codegen/window/depthwise_rows.h"

#include <stdlib.h>
#include <string.h>

#include "ir/ref/interp.h"

/* ---- Choosing R and J ---- */

#define IMPOSSIBLE 1e30

bool depthwise_touches(const depthwise_rows *e, int r, int g)
{
    int64_t first = r * e->p->stride[0], last = first + e->p->kernel[0] - 1;
    return first <= 4 * g + 3 && last >= 4 * g;
}

/* In instructions on vectors for V results; 18 stand for the end of a block. */
static depthwise_work work_of(const depthwise_rows *e, int r, int j)
{
    const depthwise_plan *p = e->p;
    depthwise_work s = {
        .rows_at_once = r, .vectors = j, .rows = (int)(p->kernel[0] + p->stride[0] * (r - 1)), .cost = IMPOSSIBLE};
    s.groups = (s.rows + 3) / 4;
    int64_t fresh = p->stride[1] < p->kernel[1] ? p->stride[1] : p->kernel[1];
    int64_t registers = p->kernel[1] * s.groups * j + j;
    if (s.rows > DEPTHWISE_MAX_ROWS || p->kernel[1] > DEPTHWISE_MAX_WINDOW || p->stride[1] > DEPTHWISE_MAX_WINDOW ||
        registers > e->registers || p->y.dims[1] < r)
        return s;
    int dots = 0;
    for (int i = 0; i < r; i++)
        for (int g = 0; g < s.groups; g++)
            dots += depthwise_touches(e, i, g);
    int64_t passes = 4 / j; /* each loads its rows again, and stores */
    double again = (double)((passes - 1) * (s.rows * fresh + r)) / r;
    double waste = (double)((p->y.dims[1] + r - 1) / r * r) / (double)p->y.dims[1];
    s.cost = waste * ((double)(4 * p->kernel[1] * dots * e->dot + 8 * fresh * s.groups) / r + 18 + again);
    s.unroll = registers + p->stride[1] * s.groups * j + j <= e->unrolled_registers && p->y.dims[2] > 3
                   ? DEPTHWISE_MAX_UNROLL
                   : 1;
    return s;
}

static depthwise_work best_work(const depthwise_rows *e)
{
    depthwise_work best = {.cost = IMPOSSIBLE};
    for (int r = 1; r <= DEPTHWISE_MAX_AT_ONCE; r *= 2)
        for (int j = 4; j >= 1; j /= 2) {
            depthwise_work s = work_of(e, r, j);
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

/* ---- Weights ---- */

static int weight_of(const depthwise_rows *e, int64_t i)
{
    const ir_quant *q = e->w->quant;
    return (int)(ir_const_int(e->w, i) - (q ? q->zero[q->axis >= 0 ? i % e->p->y.dims[3] : 0] : 0));
}

static bool is_byte(int w) { return w >= INT8_MIN && w <= INT8_MAX; }

/* The least and the largest weight; false when they aren't constant, or wider than 8 bits. */
static bool weight_range(const depthwise_rows *e, int range[2])
{
    if (!ir_is_const(e->w))
        return false;
    range[0] = range[1] = 0;
    for (int64_t i = 0, n = ir_type_elements(&e->w->type); i < n; i++) {
        const int w = weight_of(e, i);
        range[0] = w < range[0] ? w : range[0];
        range[1] = w > range[1] ? w : range[1];
    }
    return range[0] >= -255 && range[1] <= 255;
}

int depthwise_row_byte(const depthwise_rows *e, int i)
{
    static const int pairs[4] = {0, 2, 1, 3};
    return e->in_pairs ? pairs[i] : i;
}

/* A channel's weights by byte of a group, 0 where the window of result row r has none. */
static void group_weights(const depthwise_rows *e, int64_t channel, int64_t kx, int g, int r, int out[4])
{
    for (int i = 0; i < 4; i++) {
        int64_t ky = 4 * g + i - r * e->p->stride[0];
        bool inside = ky >= 0 && ky < e->p->kernel[0];
        out[depthwise_row_byte(e, i)] =
            inside ? weight_of(e, (ky * e->p->kernel[1] + kx) * e->p->y.dims[3] + channel) : 0;
    }
}

/* Do x * a + y * b, and either alone, fit for all bytes x and y? */
static bool pair_is_narrow(int a, int b)
{
    const int above = (a > 0 ? a : 0) + (b > 0 ? b : 0), below = (a < 0 ? a : 0) + (b < 0 ? b : 0);
    return 255 * above <= INT16_MAX && 255 * below >= INT16_MIN && is_byte(a) && is_byte(b);
}

static bool pair_flips(int a, int b) { return -128 * (abs(a) + abs(b)) >= INT16_MIN; }

static depthwise_form form_of_four(const depthwise_rows *e, const int w[4])
{
    if (!e->in_pairs)
        return is_byte(w[0]) && is_byte(w[1]) && is_byte(w[2]) && is_byte(w[3]) ? DEPTHWISE_EXACT : DEPTHWISE_FLIPPED;
    if (pair_is_narrow(w[0], w[1]) && pair_is_narrow(w[2], w[3]))
        return DEPTHWISE_NARROW;
    return pair_flips(w[0], w[1]) && pair_flips(w[2], w[3]) ? DEPTHWISE_FLIPPED : DEPTHWISE_SPLIT;
}

/* What serves all of a block's channels: a form does all that those before it do. */
static depthwise_form form_of(const depthwise_rows *e, int64_t first, int64_t count)
{
    depthwise_form form = e->in_pairs ? DEPTHWISE_NARROW : DEPTHWISE_EXACT;
    for (int64_t c = first; c < first + count; c++)
        for (int r = 0; r < e->s.rows_at_once; r++)
            for (int g = 0; g < e->s.groups; g++)
                for (int64_t kx = 0; kx < e->p->kernel[1]; kx++) {
                    int w[4];
                    group_weights(e, c, kx, g, r, w);
                    const depthwise_form here = form_of_four(e, w);
                    form = here > form ? here : form;
                }
    return form;
}

/* ---- Parts ---- */

int depthwise_block_count(const depthwise_rows *e)
{
    const depthwise_part *last = &e->parts[e->part_count - 1];
    return last->block_base + last->blocks;
}

int64_t depthwise_block_first(const depthwise_rows *e, const depthwise_part *q, int block)
{
    int64_t first = q->first + (int64_t)block * e->v;
    return e->firsts ? e->firsts[q->block_base + block] : first < q->last ? first : q->last;
}

int64_t depthwise_units(const depthwise_rows *e, const depthwise_part *q)
{
    int64_t at_once = q->slots * e->s.rows_at_once;
    return e->p->y.dims[0] * ((e->p->y.dims[1] + at_once - 1) / at_once);
}

/* Bytes of one vector's weights, mask included. */
static int64_t vector_weights(const depthwise_rows *e, const depthwise_part *q)
{
    static const int vectors[DEPTHWISE_FORMS] = {
        [DEPTHWISE_EXACT] = 1, [DEPTHWISE_NARROW] = 1, [DEPTHWISE_FLIPPED] = 2, [DEPTHWISE_SPLIT] = 3};
    return (int64_t)vectors[q->form] * e->v;
}

int64_t depthwise_block_weights(const depthwise_rows *e, const depthwise_part *q)
{
    return (int64_t)e->p->kernel[1] * e->s.groups * e->s.rows_at_once * 4 * vector_weights(e, q);
}

int64_t depthwise_weights_at(const depthwise_rows *e, const depthwise_part *q, int j, int64_t kx, int g, int r)
{
    int pass = j / e->s.vectors, in_pass = j % e->s.vectors;
    return ((((pass * e->p->kernel[1] + kx) * e->s.groups + g) * e->s.rows_at_once + r) * e->s.vectors + in_pass) *
           vector_weights(e, q);
}

static void add_part(depthwise_rows *e, depthwise_part q)
{
    if (e->part_count > 0) {
        const depthwise_part *before = &e->parts[e->part_count - 1];
        q.block_base = before->block_base + before->blocks;
        q.weights_base = before->weights_base + before->blocks * depthwise_block_weights(e, before);
    }
    e->parts[e->part_count++] = q;
}

/* Blocks of one form after those of another. */
static void add_by_form(cg_module *m, depthwise_rows *e, const depthwise_part *whole, int64_t extra)
{
    int64_t *firsts = ARENA_ARRAY(m->arena, int64_t, whole->blocks + 1);
    int n = 0;
    for (depthwise_form form = DEPTHWISE_EXACT; form < DEPTHWISE_FORMS; form++) {
        depthwise_part q = *whole;
        q.form = form;
        q.blocks = 0;
        for (int b = 0; b < whole->blocks; b++) {
            int64_t first = depthwise_block_first(e, whole, b);
            if (form_of(e, first, whole->count) != form)
                continue;
            firsts[n++] = first;
            q.blocks++;
        }
        if (q.blocks > 0)
            add_part(e, q);
    }
    firsts[n] = extra;
    e->firsts = firsts;
}

static void add_whole(cg_module *m, depthwise_rows *e, depthwise_part whole, int64_t extra)
{
    whole.form = form_of(e, 0, whole.count);
    for (int b = 1; b < whole.blocks; b++)
        if (form_of(e, depthwise_block_first(e, &whole, b), whole.count) != whole.form) {
            add_by_form(m, e, &whole, extra);
            return;
        }
    add_part(e, whole);
}

static void plan_parts(cg_module *m, depthwise_rows *e)
{
    int64_t c = e->p->x.dims[3], rows = e->p->y.dims[1], rest = c % e->v;
    int slots = rest == 0 || rest > e->v / 2 || (e->s.vectors != 4 && !e->joins) ? 1 : rest > e->v / 4 ? 2 : 4;
    while (slots > 1 && rows < slots * e->s.rows_at_once)
        slots /= 2;
    int whole = (int)(c / e->v) + (slots == 1 && rest > 0);
    int64_t size = e->v / slots, first = c - size > 0 ? c - size : 0;
    if (whole > 0)
        add_whole(m, e,
                  (depthwise_part){
                      .slots = 1, .blocks = whole, .last = c > e->v ? c - e->v : 0, .count = c < e->v ? c : e->v},
                  first);
    if (slots > 1) {
        const int64_t count = c < size ? c : size;
        add_part(e, (depthwise_part){.form = form_of(e, first, count),
                                     .slots = slots,
                                     .blocks = 1,
                                     .first = first,
                                     .last = first,
                                     .count = count});
    }
}

/* Vectors narrower than a line of the cache touch each line of an image again for the next block of channels.  Where
 * the image is beyond the second-level cache and all weights fit the first, rows with all their blocks come one after
 * the other instead. */
static bool rows_go_outermost(const depthwise_rows *e)
{
    enum { LINE = 64, FIRST_LEVEL = 16 << 10, SECOND_LEVEL = 256 << 10 };
    const depthwise_part *last = &e->parts[e->part_count - 1];
    const int64_t weights = last->weights_base + last->blocks * depthwise_block_weights(e, last);
    const int64_t image = e->p->x.dims[1] * e->p->x.dims[2] * e->p->x.dims[3];
    return e->v < LINE && weights <= FIRST_LEVEL && image > SECOND_LEVEL;
}

/* All but the parts; how the kernel fits. */
static cg_fit begin(const ir_op *op, const target_info *t, const depthwise_plan *p, depthwise_rows *e)
{
    *e = (depthwise_rows){.p = p,
                          .w = ir_operand_value(op, 1),
                          .v = (int)t->vector_bytes,
                          .lanes = (int)t->vector_bytes / 4,
                          .registers = (int)t->registers - (t->registers > 16 ? 6 : 5),
                          .unrolled_registers = (int)t->registers - (t->registers > 16 ? 4 : 2),
                          .in_pairs = !target_has(t, TARGET_DOT4),
                          .joins = !target_has(t, TARGET_MASKS),
                          .prefix = prefix_of(p)};
    const int64_t kept = p->kernel[1] > p->stride[1] ? p->kernel[1] - p->stride[1] : 0;
    int range[2];
    if ((e->in_pairs && !target_has(t, TARGET_BYTE_PAIRS)) || p->multiplier != 1 || p->dilation[0] != 1 ||
        p->dilation[1] != 1 || p->pad[1] > kept || p->y.dims[2] - e->prefix > 4 || !weight_range(e, range))
        return (cg_fit){.how = CG_CANNOT};
    e->dot = e->in_pairs ? 4 : is_byte(range[0]) && is_byte(range[1]) ? 1 : 2;
    e->s = best_work(e);
    const int general = e->in_pairs ? e->dot + 2 : e->dot; /* bytes to words */
    if (e->s.cost >= IMPOSSIBLE)
        return (cg_fit){.how = CG_CANNOT};
    const bool faster = e->s.cost < (double)((p->kernel[0] * p->kernel[1] + 3) / 4 * (8 + 4 * general) + 18);
    return (cg_fit){.how = faster ? CG_BEST : CG_CAN};
}

cg_fit cg_depthwise_rows_fits(const ir_op *op, const target_info *target)
{
    const cg_fit fit = cg_depthwise_fits(op, target);
    if (fit.how == CG_CANNOT || ir_type_elements(&op->results[0]->type) == 0)
        return (cg_fit){.how = CG_CANNOT};
    const depthwise_plan p = depthwise_plan_of(op, target);
    depthwise_rows e;
    return begin(op, target, &p, &e);
}

void depthwise_rows_plan(cg_module *m, const ir_op *op, const depthwise_plan *p, depthwise_rows *e)
{
    begin(op, m->target, p, e);
    plan_parts(m, e);
    e->rows_outermost = rows_go_outermost(e);
}

/* ---- Packing ---- */

int32_t *depthwise_rows_channels(cg_module *m, const depthwise_rows *e)
{
    int32_t *table = ARENA_ARRAY(m->arena, int32_t, depthwise_block_count(e) * e->v);
    for (int i = 0; i < e->part_count; i++) {
        const depthwise_part *q = &e->parts[i];
        for (int b = 0; b < q->blocks; b++)
            for (int at = 0; at < e->v; at++) {
                int in_slot = cg_interleaved_channel(e->v, at) % (e->v / q->slots);
                table[(q->block_base + b) * e->v + at] =
                    in_slot < q->count ? (int32_t)depthwise_block_first(e, q, b) + in_slot : -1;
            }
    }
    return table;
}

/* One weight's bytes, V apart.  x ^ 128 is x - 128, x ^ 127 is 127 - x, as signed bytes: returns the rest of w * x. */
static int pack_weight(const depthwise_rows *e, depthwise_form form, int w, uint8_t *to)
{
    const int half = form == DEPTHWISE_SPLIT ? abs(w) / 2 : 0, mask = w < 0 ? 127 : 128;
    if (form < DEPTHWISE_FLIPPED) {
        to[0] = (uint8_t)w;
        return 0;
    }
    to[0] = (uint8_t)(abs(w) - half);
    to[e->v] = (uint8_t)mask;
    if (form == DEPTHWISE_SPLIT)
        to[2 * e->v] = (uint8_t)half;
    return w * mask;
}

static int64_t pack_element(const depthwise_rows *e, const depthwise_part *q, uint8_t *block, int64_t channel, int at)
{
    int64_t rest = 0;
    for (int r = 0; r < e->s.rows_at_once; r++)
        for (int g = 0; g < e->s.groups; g++)
            for (int64_t kx = 0; kx < e->p->kernel[1]; kx++) {
                int w[4] = {0};
                uint8_t *to = block + depthwise_weights_at(e, q, at / e->lanes, kx, g, r) + at % e->lanes * 4;
                if (channel >= 0)
                    group_weights(e, channel, kx, g, r, w);
                for (int i = 0; i < 4; i++) {
                    const int of_weight = pack_weight(e, q->form, w[i], to + i);
                    rest += r == 0 ? of_weight : 0;
                }
            }
    return rest;
}

const void *depthwise_rows_pack(cg_module *m, const depthwise_rows *e, const int32_t channel_of[], int32_t bias[],
                                size_t *out_size)
{
    const depthwise_part *last = &e->parts[e->part_count - 1];
    *out_size = (size_t)(last->weights_base + last->blocks * depthwise_block_weights(e, last));
    uint8_t *packed = arena_alloc(m->arena, *out_size);
    for (int i = 0; i < e->part_count; i++) {
        const depthwise_part *q = &e->parts[i];
        for (int b = 0; b < q->blocks; b++)
            for (int at = 0; at < e->v; at++) {
                int slot = (q->block_base + b) * e->v + at;
                uint8_t *block = packed + q->weights_base + b * depthwise_block_weights(e, q);
                int64_t rest = pack_element(e, q, block, channel_of[slot], at);
                bias[slot] = (int32_t)((uint32_t)bias[slot] + (uint32_t)rest);
            }
    }
    return packed;
}
