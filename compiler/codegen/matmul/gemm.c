/* gemm.c: emits the matrix product of gemm.h.
 *
 *     for panel in units                            blocks of 16 columns
 *         for each kind of tile, for tile of it     rows x blocks accumulators
 *             acc[r][c] = bias[c]
 *             for step in K
 *                 w[c] = weights[step][c]           one load a vector
 *                 x[r] = broadcast of 4 bytes       one load a row; all loads at constant distances from one pointer
 *                 acc[r][c] += x[r] . w[c]
 *             finish (gemm_finish.c) */
#include <assert.h>
#include <math.h>

#include "compiler/codegen/matmul/gemm_private.h"

enum { STREAM_AHEAD = 32768, LINE = 64 }; /* bytes; of the cache */
enum { RESIDUAL_COST = 1 };               /* a residual doubles what a result vector costs */
static const double SHARING_COST = 1.03;

static schedule_tiles search_tiles(const schedule_machine *machine, const cg_gemm *g, int blocks)
{
    return schedule_tile(machine, g->images, g->height, g->width, g->columns, g->steps, blocks);
}

/* How wide the panels of one op's weights have been, as a set of bits; those in pairs have an excess of their own (excess.h). */
typedef struct cg_panel_widths {
    uint64_t key; /* 0: no entry */
    uint8_t widths[2];
} cg_panel_widths;

/* Ops of one graph have numbers; of several graphs, those are the same that have equal constants. */
static uint64_t weights_key(const cg_module *m, const ir_op *op)
{
    uint64_t key = op->code;
    if (!m->options->further_count)
        return 1 + (uint64_t)op->id;
    for (int i = 0; i < op->operand_count; i++) {
        const ir_value *v = op->operands[i].value;
        if (v && ir_is_const(v))
            key = ir_hash_bytes(v->data, ir_type_bytes(&v->type), key);
    }
    return key | 1;
}

static uint8_t *widths_of(cg_module *m, const ir_op *op, bool in_pairs)
{
    const uint64_t key = weights_key(m, op);
    uint64_t most = 0, slots = 64;
    for (int i = 0; i <= m->options->further_count; i++)
        most += cg_graph_of(m, i)->next_id;
    while (slots < 2 * most)
        slots *= 2;
    if (!m->panel_widths)
        m->panel_widths = ARENA_ARRAY(m->arena, cg_panel_widths, slots);
    uint64_t at = key & (slots - 1);
    while (m->panel_widths[at].key && m->panel_widths[at].key != key)
        at = (at + 1) & (slots - 1);
    m->panel_widths[at].key = key;
    return &m->panel_widths[at].widths[in_pairs];
}

/* In an object of several targets: weights in panels as wide as those that a target before this one has read are equal
 * bytes, which are there once; that is worth a little time.  In one of several shapes it is worth any. */
static schedule_tiles share_panels(cg_module *m, const cg_gemm *g, const schedule_machine *machine, schedule_tiles best)
{
    const bool in_pairs = !g->is_float && target_in_pairs(m->target);
    uint8_t *widths = widths_of(m, g->op, in_pairs);
    double most = m->options->further_count ? INFINITY : SHARING_COST * best.cycles;
    for (int blocks = 1; blocks <= GEMM_MAX_BLOCKS; blocks *= 2) {
        const schedule_tiles t = *widths & blocks ? search_tiles(machine, g, blocks) : (schedule_tiles){0};
        if (!t.kinds || t.cycles > most)
            continue;
        best = t;
        most = t.cycles;
    }
    *widths |= (uint8_t)best.blocks;
    return best;
}

static schedule_machine machine_of(const target_info *target, const cg_gemm *g)
{
    return schedule_machine_of(target, g->is_float                ? SCHEDULE_FLOATS
                                       : g->form == CG_GEMM_WORDS ? SCHEDULE_WORDS
                                                                  : SCHEDULE_BYTES);
}

schedule_tiles cg_gemm_tiles(cg_module *m, const cg_gemm *g)
{
    schedule_machine machine = machine_of(m->target, g);
    if (cg_arg_is_bound(&g->residual.rows.arg))
        for (int i = 0; i < 2; i++)
            machine.epilogue[i] *= 1 + RESIDUAL_COST;
    const schedule_tiles best = search_tiles(&machine, g, 0);
    return cg_packs_once(m) ? best : share_panels(m, g, &machine, best);
}

schedule_tiles cg_gemm_tiles_like(cg_module *m, const cg_gemm *g, int64_t width, int blocks)
{
    const schedule_machine machine = machine_of(m->target, g);
    return schedule_tile(&machine, g->images, g->height, width, g->columns, g->steps, blocks);
}

/* ---- Rows ---- */

enum { ROWS = 6 };

/* Whether images, or lines, follow one another at the distance of their parts, in all operands. */
static bool images_join(cg_gemm_rows *const all[ROWS], int64_t height)
{
    for (int i = 0; i < ROWS; i++)
        if (cg_arg_is_bound(&all[i]->arg) && all[i]->image != height * all[i]->y)
            return false;
    return true;
}

static bool lines_join(cg_gemm_rows *const all[ROWS], int64_t width)
{
    for (int i = 0; i < ROWS; i++)
        if (cg_arg_is_bound(&all[i]->arg) && all[i]->y != width * all[i]->x)
            return false;
    return true;
}

/* Each question is asked of the shape that the step before it left: an image of one line makes no demand on the
 * distance of lines, but images folded into lines do. */
void cg_gemm_flatten(cg_gemm *g)
{
    cg_gemm_rows *const all[ROWS] = {&g->x, &g->out, &g->sums, &g->residual.rows, &g->scales, &g->zeros};
    if (g->images > 1 && images_join(all, g->height)) {
        g->height *= g->images;
        g->images = 1;
    }
    if (g->images == 1 && g->height > 1 && lines_join(all, g->width)) {
        g->width *= g->height;
        g->height = 1;
    }
}

/* ---- The kernel ---- */

static int64_t blocks_of(const cg_gemm *g) { return cg_prepacked_blocks(g->columns); }
static int64_t tiles_of(const cg_gemm *g, const schedule_kind *kind)
{
    return g->images * kind->count_y * kind->count_x;
}

int64_t cg_gemm_tile_count(const cg_gemm *g, const schedule_tiles *t)
{
    int64_t count = 0;
    for (int i = 0; i < t->kinds; i++)
        count += tiles_of(g, &t->kind[i]);
    return count;
}

LLVMValueRef gemm_rows_at(gemm_kernel *e, LLVMValueRef pointer, const cg_gemm_rows *rows)
{
    cg_kernel *k = &e->k;
    LLVMValueRef at = cg_add(k, cg_mul_const(k, e->image, rows->image), cg_mul_const(k, e->y, rows->y));
    return cg_at(k, pointer, cg_add(k, at, cg_mul_const(k, e->x, rows->x)));
}

int64_t gemm_row_distance(const gemm_kernel *e, const cg_gemm_rows *rows, int row)
{
    return row / e->kind->cols * rows->y + row % e->kind->cols * rows->x;
}

LLVMValueRef gemm_row_number(gemm_kernel *e, LLVMTypeRef type, LLVMValueRef pointer, const cg_gemm_rows *rows, int row)
{
    cg_kernel *k = &e->k;
    LLVMValueRef at = cg_at_const(k, gemm_rows_at(e, pointer, rows), gemm_row_distance(e, rows, row));
    return cg_splat(k, cg_load(k, type, at, 1), CG_BLOCK_COLUMNS);
}

static void start_accumulators(gemm_kernel *e, LLVMValueRef acc[])
{
    cg_kernel *k = &e->k;
    LLVMTypeRef type = cg_vector(e->g->is_float ? k->m->f32 : k->m->i32, CG_BLOCK_COLUMNS);
    LLVMValueRef bias = e->slot[GEMM_BIAS], start[GEMM_MAX_BLOCKS];
    if (bias)
        bias = cg_at(k, bias, cg_mul_const(k, e->channel, 4));
    for (int c = 0; c < e->blocks; c++)
        start[c] =
            bias ? cg_load(k, type, cg_at_const(k, bias, CG_BLOCK_SUMS * c), CG_BLOCK_SUMS) : LLVMConstNull(type);
    LLVMValueRef sums = NULL, factor[GEMM_MAX_BLOCKS] = {0};
    for (int c = 0; c < e->blocks && e->slot[GEMM_COLUMN_ZEROS]; c++)
        factor[c] = cg_load(
            k, type,
            cg_at_const(k, cg_at(k, e->slot[GEMM_COLUMN_ZEROS], cg_mul_const(k, e->channel, 4)), CG_BLOCK_SUMS * c),
            CG_BLOCK_SUMS);
    if (e->g->weight_zero)
        sums = cg_at(k, gemm_rows_at(e, e->slot[GEMM_SUMS], &e->g->sums), cg_mul_const(k, e->group, e->g->sums_group));
    for (int r = 0; r < e->rows; r++) {
        LLVMValueRef sum = NULL;
        if (sums) {
            LLVMValueRef at = cg_at_const(k, sums, gemm_row_distance(e, &e->g->sums, r));
            sum = cg_splat(k, cg_load(k, k->m->i32, at, 4), CG_BLOCK_COLUMNS);
        }
        LLVMValueRef zero = NULL;
        if (e->slot[GEMM_ZEROS])
            zero = LLVMBuildZExt(k->b, gemm_row_number(e, k->m->i8, e->slot[GEMM_ZEROS], &e->g->zeros, r), type, "");
        for (int c = 0; c < e->blocks; c++) {
            LLVMValueRef from = zero ? LLVMBuildMul(k->b, start[c], zero, "") : start[c];
            LLVMValueRef term = sum && factor[c] ? LLVMBuildMul(k->b, sum, factor[c], "") : sum;
            acc[r * e->blocks + c] = term ? LLVMBuildAdd(k->b, from, term, "") : from;
        }
    }
    for (int i = e->rows * e->blocks; i < e->rows * e->blocks * e->splits; i++)
        acc[i] = LLVMConstNull(type);
}

/* The first tiles of a panel fetch the next panel into the cache, each line once, a line or a few a step.  Behind the
 * last panel lie the constants of the layers that follow: fetching on is what they need.  With one tile a panel weights
 * are used once, and are fetched a fixed distance ahead of their use. */
static void plan_prefetch(gemm_kernel *e, LLVMValueRef panel, LLVMValueRef tile)
{
    cg_kernel *k = &e->k;
    const int64_t lines = cg_gemm_step_bytes(e->g->form) / LINE * e->blocks; /* a step */
    const int64_t bytes = LINE * e->g->steps, tiles = e->panel_tiles;
    LLVMValueRef offset;
    e->lines_ahead = (int)((lines + tiles - 1) / tiles);
    if (tiles == 1) {
        offset = cg_i64(k, STREAM_AHEAD);
        e->ahead = LLVMBuildGEP2(k->b, k->m->i8, panel, &offset, 1, "");
        e->ahead_step = cg_i64(k, LINE);
        return;
    }
    offset = cg_add(k, cg_i64(k, bytes * lines), cg_mul_const(k, tile, bytes * e->lines_ahead));
    LLVMValueRef next = LLVMBuildGEP2(k->b, k->m->i8, panel, &offset, 1, "");
    LLVMValueRef fetches = LLVMBuildICmp(k->b, LLVMIntSLT, cg_mul_const(k, tile, e->lines_ahead), cg_i64(k, lines), "");
    e->ahead = LLVMBuildSelect(k->b, fetches, next, panel, "");
    e->ahead_step = LLVMBuildSelect(k->b, fetches, cg_i64(k, LINE), cg_i64(k, 0), "");
}

static void emit_tile(gemm_kernel *e, LLVMValueRef panel, LLVMValueRef x)
{
    LLVMValueRef acc[GEMM_MAX_SUMS];
    gemm_prefetch_residual(e);
    start_accumulators(e, acc);
    if (e->g->form == CG_GEMM_TILES)
        gemm_untransform(e, gemm_rows_at(e, x, &e->g->x), acc);
    else
        gemm_multiply(e, gemm_rows_at(e, x, &e->g->x), panel, acc);
    gemm_finish(e, acc);
}

/* Tiles first…last of the numbering that all kinds share, as far as they are of this kind. */
static void emit_kind(gemm_kernel *e, const schedule_kind *kind, int64_t number, LLVMValueRef first, LLVMValueRef last,
                      LLVMValueRef panel, LLVMValueRef x)
{
    cg_kernel *k = &e->k;
    const int64_t count = tiles_of(e->g, kind);
    first = cg_max(k, cg_add(k, first, cg_i64(k, -number)), cg_i64(k, 0));
    last = cg_min(k, cg_add(k, last, cg_i64(k, -number)), cg_i64(k, count));
    e->kind = kind;
    e->rows = (int)(kind->rows * kind->cols);
    const schedule_machine machine = machine_of(k->m->target, e->g);
    e->splits = schedule_splits(&machine, e->rows * e->blocks, e->g->steps);
    assert(e->rows * e->blocks * e->splits <= GEMM_MAX_SUMS);
    cg_loop tile = cg_loop_begin(k, first, last, 1);
    LLVMValueRef line = LLVMBuildUDiv(k->b, tile.index, cg_i64(k, kind->count_x), "");
    LLVMValueRef column = LLVMBuildURem(k->b, tile.index, cg_i64(k, kind->count_x), "");
    e->image = LLVMBuildUDiv(k->b, line, cg_i64(k, kind->count_y), "");
    line = LLVMBuildURem(k->b, line, cg_i64(k, kind->count_y), "");
    e->y = cg_add(k, cg_mul_const(k, line, kind->rows), cg_i64(k, kind->first_y));
    e->x = cg_add(k, cg_mul_const(k, column, kind->cols), cg_i64(k, kind->first_x));
    if (panel)
        plan_prefetch(e, panel, cg_add(k, tile.index, cg_i64(k, number)));
    emit_tile(e, panel, x);
    cg_loop_hint_no_unroll(k, &tile);
    cg_loop_hint_vectorize(k, &tile, false);
    cg_loop_end(k, &tile);
}

/* Panels of `blocks` vectors; is_last: the last of its group, which may have a part of a vector. */
static void emit_panel(gemm_kernel *e, int blocks, bool is_last, LLVMValueRef first, LLVMValueRef last,
                       LLVMValueRef panel, LLVMValueRef x)
{
    int64_t number = 0;
    e->blocks = blocks;
    e->panel_tiles = cg_gemm_tile_count(e->g, e->tiles);
    e->columns =
        is_last ? (int)(e->g->columns - (blocks_of(e->g) - blocks) * CG_BLOCK_COLUMNS) : blocks * CG_BLOCK_COLUMNS;
    for (int i = 0; i < e->tiles->kinds; i++) {
        emit_kind(e, &e->tiles->kind[i], number, first, last, panel, x);
        number += tiles_of(e->g, &e->tiles->kind[i]);
    }
}

static void emit_body(gemm_kernel *e, int64_t tiles, int64_t panels)
{
    cg_kernel *k = &e->k;
    const cg_gemm *g = e->g;
    const int wide = e->tiles->blocks, wide_columns = wide * CG_BLOCK_COLUMNS;
    const int64_t all_blocks = blocks_of(g), tail = g->columns % wide_columns, whole = g->columns / wide_columns;
    const int64_t element = g->out_type == IR_F32 || g->out_type == IR_I32 ? 4 : 1;
    const int64_t block_bytes = g->steps * cg_gemm_step_bytes(g->form);
    LLVMValueRef first_panel = LLVMBuildUDiv(k->b, k->begin, cg_i64(k, tiles), "");
    LLVMValueRef end_panel = LLVMBuildUDiv(k->b, cg_add(k, k->end, cg_i64(k, tiles - 1)), cg_i64(k, tiles), "");
    cg_loop loop = cg_loop_begin(k, first_panel, end_panel, 1);
    LLVMValueRef start = cg_mul_const(k, loop.index, tiles), group = cg_i64(k, 0), in_group = loop.index;
    LLVMValueRef first = cg_max(k, LLVMBuildNSWSub(k->b, k->begin, start, ""), cg_i64(k, 0));
    LLVMValueRef last = cg_min(k, LLVMBuildNSWSub(k->b, k->end, start, ""), cg_i64(k, tiles));
    if (g->groups > 1) {
        group = LLVMBuildUDiv(k->b, loop.index, cg_i64(k, panels), "");
        in_group = LLVMBuildURem(k->b, loop.index, cg_i64(k, panels), "");
    }
    e->group = group;
    LLVMValueRef x = cg_at(k, e->slot[GEMM_X], cg_mul_const(k, group, g->x_group));
    LLVMValueRef panel = e->slot[GEMM_WEIGHTS];
    if (panel)
        panel = cg_at(
            k, panel,
            cg_add(k, cg_mul_const(k, group, all_blocks * block_bytes), cg_mul_const(k, in_group, wide * block_bytes)));
    e->channel =
        cg_add(k, cg_mul_const(k, group, all_blocks * CG_BLOCK_COLUMNS), cg_mul_const(k, in_group, wide_columns));
    e->column = cg_add(k, cg_mul_const(k, group, g->out_group), cg_mul_const(k, in_group, wide_columns * element));
    const int last_blocks = (int)(all_blocks - whole * wide);
    if (whole && tail) {
        cg_if full = cg_if_begin(k, LLVMBuildICmp(k->b, LLVMIntSLT, in_group, cg_i64(k, whole), ""));
        emit_panel(e, wide, false, first, last, panel, x);
        cg_if_else(k, &full);
        emit_panel(e, last_blocks, true, first, last, panel, x);
        cg_if_end(k, &full);
    } else {
        emit_panel(e, whole ? wide : last_blocks, !whole, first, last, panel, x);
    }
    cg_loop_hint_no_unroll(k, &loop);
    cg_loop_end(k, &loop);
}

/* ---- Arguments and the kernel's key ---- */

static int bind(const cg_gemm *g, cg_arg params, cg_arg add_params, cg_arg args[], int slot_argument[GEMM_SLOTS])
{
    const cg_arg all[GEMM_SLOTS] = {[GEMM_X] = g->x.arg,
                                    [GEMM_WEIGHTS] = g->weights,
                                    [GEMM_BIAS] = g->bias,
                                    [GEMM_PARAMS] = params,
                                    [GEMM_OUT] = g->out.arg,
                                    [GEMM_OFFSETS] = g->linear ? (cg_arg){0} : g->offsets,
                                    [GEMM_RESIDUAL] = g->residual.rows.arg,
                                    [GEMM_SUMS] = g->sums.arg,
                                    [GEMM_ADD_PARAMS] = add_params,
                                    [GEMM_SCALES] = g->scales.arg,
                                    [GEMM_ZEROS] = g->zeros.arg,
                                    [GEMM_COLUMN_ZEROS] = g->column_zeros,
                                    [GEMM_EXCESS_FIRST] = g->excess_first,
                                    [GEMM_EXCESS_OFFSETS] = g->excess_offsets,
                                    [GEMM_EXCESS_WEIGHTS] = g->excess_weights};
    int count = 0;
    for (int i = 0; i < GEMM_SLOTS; i++) {
        slot_argument[i] = cg_arg_is_bound(&all[i]) ? count : -1;
        if (cg_arg_is_bound(&all[i]))
            args[count++] = all[i];
    }
    return count;
}

static const char *rows_key(arena *a, const cg_gemm_rows *r)
{
    return cg_arg_is_bound(&r->arg)
               ? arena_format(a, "[%lld,%lld,%lld]", (long long)r->image, (long long)r->y, (long long)r->x)
               : "";
}

static const char *key_of(const cg_module *m, const gemm_kernel *e)
{
    const cg_gemm *g = e->g;
    const schedule_tiles *t = e->tiles;
    arena *a = m->arena;
    const cg_gemm_residual *r = &g->residual;
    static const char *const form[] = {[CG_GEMM_ANY] = "",
                                       [CG_GEMM_PAIRS] = "pairs",
                                       [CG_GEMM_QUADS] = "quads",
                                       [CG_GEMM_FLIPPED] = "flipped",
                                       [CG_GEMM_FLIPPED_APART] = "flipped apart",
                                       [CG_GEMM_WORDS] = "words",
                                       [CG_GEMM_TILES] = "tiles"};
    const char *tiles = "", *residual = "", *end = "";
    for (int i = 0; i < t->kinds; i++) {
        const schedule_kind *s = &t->kind[i];
        tiles =
            arena_format(a, "%s %lldx%lld*%lldx%lld+%lld,%lld", tiles, (long long)s->rows, (long long)s->cols,
                         (long long)s->count_y, (long long)s->count_x, (long long)s->first_y, (long long)s->first_x);
    }
    if (r->present)
        residual =
            arena_format(a, "%d%s%s", r->first, rows_key(a, &r->rows), g->is_float ? "" : cg_residual_key(m, &r->add));
    if (gemm_quantizes(g))
        end = cg_quantizer_key(m, &e->quantizer);
    else if (!g->is_float && g->out_type != IR_I32)
        end = cg_requant_key(m, &g->requant);
    return arena_format(a,
                        "gemm %s%s%s%s>%s m%lldx%lldx%lld n%lldx%lld k%lld%s g%lld,%lld,%lld c%d%s x%s o%s s%s d%s%s%s "
                        "q{%s} r{%s} %a,%a,%a,%a,%d",
                        g->is_float ? "f32" : "u8s8", form[g->form], cg_arg_is_bound(&g->excess_first) ? "+" : "",
                        cg_arg_is_bound(&g->bias) ? "" : "0", ir_dtype_text(g->out_type), (long long)g->images,
                        (long long)g->height, (long long)g->width, (long long)g->groups, (long long)g->columns,
                        (long long)g->steps, g->linear ? "l" : "t", (long long)g->x_group, (long long)g->out_group,
                        (long long)g->sums_group, t->blocks, tiles, rows_key(a, &g->x), rows_key(a, &g->out),
                        rows_key(a, &g->sums), rows_key(a, &g->scales), cg_arg_is_bound(&g->column_zeros) ? "z" : "",
                        rows_key(a, &g->zeros), end, residual, (double)g->min, (double)g->max, (double)g->add_min,
                        (double)g->add_max, g->sum_factor);
}

/* What an op has behind its sums, and its residual. */
static ir_enum_ACT last_activation(const cg_gemm *g)
{
    const ir_attr_id id = g->residual.present ? IR_ATTR_ADD_ACT : IR_ATTR_ACT;
    return ir_has_attr(g->op, id) ? (ir_enum_ACT)ir_int(g->op, id) : IR_ACT_NONE;
}

bool cg_gemm_emit(cg_module *m, const cg_gemm *g, const schedule_tiles *tiles)
{
    const int64_t count = cg_gemm_tile_count(g, tiles), panels = (blocks_of(g) + tiles->blocks - 1) / tiles->blocks;
    if (!count || !panels || !g->groups)
        return true; /* an empty tensor */
    cg_arg params = {0}, add_params = {0}, args[GEMM_SLOTS];
    if (!g->is_float && g->out_type != IR_I32)
        params = cg_arg_constant(cg_constant(m, g->requant.bytes, g->requant.size, "requant"));
    if (g->residual.present && !g->is_float && g->residual.add.rounding != IR_ROUNDING_EVEN_F32)
        add_params = cg_arg_constant(cg_residual_constant(m, &g->residual.add));
    gemm_kernel e = {.g = g, .tiles = tiles};
    if (gemm_quantizes(g))
        e.quantizer = cg_quantizer_of(g->op, last_activation(g));
    int slot_argument[GEMM_SLOTS];
    const int arguments = bind(g, params, add_params, args, slot_argument);
    if (cg_kernel_begin(m, &e.k, key_of(m, &e), g->op, arguments)) {
        for (int i = 0; i < GEMM_SLOTS; i++)
            e.slot[i] = slot_argument[i] >= 0 ? e.k.arg[slot_argument[i]] : NULL;
        emit_body(&e, count, panels);
        cg_kernel_end(&e.k);
    }
    const cg_step_info info = {.units = (uint32_t)(count * panels * g->groups),
                               .macs = g->macs,
                               .is_int8 = !g->is_float,
                               .part = g->form == CG_GEMM_TILES ? QCC_STEP_RESULTS
                                       : g->sum_factor          ? QCC_STEP_SUMS
                                                                : QCC_STEP_ALL};
    cg_step_add(m, &e.k, g->op, &info, arguments, args);
    return true;
}
