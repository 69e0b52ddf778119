/* matmul.c: products of two matrices that are both known only at run time: batch_matmul, and fully_connected with
 * computed weights.
 *
 *     b ──pack──▶ panels, biases                  (pack.h; a step)
 *     a ──[rows gathered: transposed, short]──▶   (a step)
 *     a ──[row sums, for b's zero point]──▶       (a step)
 *     product                                     (gemm.h)
 *
 * Batches are groups of the product; with one b for all they are rows.  16-bit values are multiplied where they are. */
#include "compiler/codegen/matmul/mac.h"
#include "compiler/codegen/matmul/pack.h"
#include "ir/ref/interp.h"

#define STRETCHED "matrices along leading dimensions of which some are stretched"

typedef struct product {
    const ir_op *op;
    const ir_value *a, *b, *y;
    int64_t rows, depth, columns, batches;
    int64_t a_row, a_column, b_row, b_column, y_row; /* byte strides of a[m][k], b[k][n], y[m][n] */
    cg_group_offsets a_offsets, b_offsets, y_offsets;
    int64_t element, y_element;
    bool is_float, gathers;
    int32_t b_zero; /* as int8 */
    cg_steps steps;
    /* scratch: parts, each a multiple of 64 bytes */
    size_t packed_bytes, bias_bytes, rows_bytes, sums_bytes;
} product;

static int64_t leading(const ir_value *v, int from_end, int leading_rank)
{
    const int i = v->type.rank - 2 - leading_rank + from_end;
    return i < 0 ? 1 : v->type.dims[i];
}

/* Byte stride of leading dimension i of leading_rank: 0 where it is broadcast.  Before the memory plan, dense. */
static int64_t leading_stride(const ir_value *v, int i, int leading_rank, const int64_t stride[])
{
    const int at = v->type.rank - 2 - leading_rank + i;
    return at < 0 || v->type.dims[at] == 1 ? 0 : stride[at];
}

static cg_group_offsets offsets_of(arena *a, const ir_value *v, const ir_value *y, const int64_t stride[],
                                   int64_t batches)
{
    const int rank = y->type.rank - 2;
    int64_t *offsets = ARENA_ARRAY(a, int64_t, batches + 1);
    for (int64_t g = 0; g < batches; g++) {
        int64_t rest = g;
        for (int i = rank - 1; i >= 0; i--) {
            const int64_t extent = leading(y, i, rank);
            offsets[g] += rest % extent * leading_stride(v, i, rank, stride) * (int64_t)ir_dtype_bytes(v->type.dtype);
            rest /= extent;
        }
    }
    return cg_group_offsets_of(offsets, batches);
}

/* Strides as planned, or dense ones before the plan. */
static void strides_of(const ir_value *v, int64_t stride[IR_MAX_RANK])
{
    int64_t dense = 1;
    for (int i = v->type.rank - 1; i >= 0; i--) {
        stride[i] = v->place.space == IR_SPACE_NONE || ir_is_const(v) ? dense : v->place.stride[i];
        dense *= v->type.dims[i];
    }
}

static bool linear(const cg_group_offsets *o) { return o->table == NULL; }

static void geometry_matmul(arena *arena_, product *p)
{
    int64_t sa[IR_MAX_RANK], sb[IR_MAX_RANK], sy[IR_MAX_RANK];
    const bool adj_a = ir_int(p->op, IR_ATTR_ADJ_A) != 0, adj_b = ir_int(p->op, IR_ATTR_ADJ_B) != 0;
    const int ra = p->a->type.rank, rb = p->b->type.rank, ry = p->y->type.rank;
    strides_of(p->a, sa);
    strides_of(p->b, sb);
    strides_of(p->y, sy);
    p->rows = p->y->type.dims[ry - 2];
    p->columns = p->y->type.dims[ry - 1];
    p->depth = p->a->type.dims[adj_a ? ra - 2 : ra - 1];
    p->batches = 1;
    for (int i = 0; i < ry - 2; i++)
        p->batches *= p->y->type.dims[i];
    p->a_row = sa[adj_a ? ra - 1 : ra - 2] * p->element;
    p->a_column = sa[adj_a ? ra - 2 : ra - 1] * p->element;
    p->b_row = sb[adj_b ? rb - 1 : rb - 2] * p->element;
    p->b_column = sb[adj_b ? rb - 2 : rb - 1] * p->element;
    p->y_row = sy[ry - 2] * p->y_element;
    p->a_offsets = offsets_of(arena_, p->a, p->y, sa, p->batches);
    p->b_offsets = offsets_of(arena_, p->b, p->y, sb, p->batches);
    p->y_offsets = offsets_of(arena_, p->y, p->y, sy, p->batches);
}

/* x[rows, I] times w[O, I] transposed, dense. */
static void geometry_fully_connected(product *p)
{
    const int64_t *wd = p->b->type.dims;
    p->columns = wd[0];
    p->depth = wd[1];
    p->rows = p->columns ? ir_type_elements(&p->y->type) / p->columns : 0;
    p->batches = 1;
    p->a_row = p->depth * p->element;
    p->b_row = p->a_column = p->element;
    p->b_column = p->depth * p->element;
    p->y_row = p->columns * p->y_element;
    p->a_offsets = p->b_offsets = p->y_offsets = (cg_group_offsets){.count = 1};
}

/* joins: one b for all batches of a dense a and a dense result is one matrix with more rows. */
static product product_of(arena *arena_, const ir_op *op, bool joins)
{
    product p = {.op = op, .a = op->operands[0].value, .b = op->operands[1].value, .y = op->results[0]};
    p.is_float = p.a->type.dtype == IR_F32;
    p.element = (int64_t)ir_dtype_bytes(p.a->type.dtype);
    p.y_element = (int64_t)ir_dtype_bytes(p.y->type.dtype);
    if (op->code == IR_BATCH_MATMUL)
        geometry_matmul(arena_, &p);
    else
        geometry_fully_connected(&p);
    if (!p.is_float)
        p.b_zero = p.b->quant->zero[0] - (p.b->type.dtype == IR_U8 ? 128 : 0);
    if (joins && p.batches > 1 && linear(&p.b_offsets) && p.b_offsets.step == 0 && linear(&p.a_offsets) &&
        linear(&p.y_offsets) && p.a_offsets.step == p.rows * p.a_row && p.y_offsets.step == p.rows * p.y_row) {
        p.rows *= p.batches;
        p.batches = 1;
        p.a_offsets = p.b_offsets = p.y_offsets = (cg_group_offsets){.count = 1};
    }
    const int64_t none = 0;
    p.steps = cg_steps_of_runs(arena_, 1, &none, p.depth, p.element);
    p.gathers = p.a_column != p.element || !linear(&p.a_offsets) || p.steps.overreads;
    p.packed_bytes = cg_scratch_part(cg_prepacked_bytes(&p.steps, p.batches, p.columns));
    p.bias_bytes = cg_scratch_part((size_t)(p.batches * cg_prepacked_columns(p.columns) * 4));
    /* Whether rows are gathered can depend on the plan, so room for it is kept. */
    p.rows_bytes = cg_scratch_part((size_t)(p.batches * p.rows * p.depth * p.element) + CG_OVERREAD);
    p.sums_bytes = p.is_float || !p.b_zero ? 0 : cg_scratch_part(cg_mac_row_sums_bytes(p.rows, p.batches));
    return p;
}

cg_fit cg_matmul_i16_fits(const ir_op *op, const target_info *target)
{
    const ir_dtype y = op->results[0]->type.dtype;
    (void)target;
    if (op->operands[0].value->type.dtype != IR_I16 || op->operands[1].value->type.dtype != IR_I16 ||
        (y != IR_I16 && y != IR_F32))
        return cg_best_if(false, NULL);
    arena *a = arena_new();
    const product p = product_of(a, op, false);
    const bool even = linear(&p.a_offsets) && linear(&p.b_offsets) && linear(&p.y_offsets);
    arena_free(a);
    return cg_best_if(even, STRETCHED);
}

/* With weights that are constant, fc packs them ahead. */
cg_fit cg_product_fits(const ir_op *op, const target_info *target)
{
    const bool connected = op->code == IR_FULLY_CONNECTED;
    const ir_value *w = op->operands[1].value, *bias = connected ? ir_operand_value(op, 2) : NULL;
    const ir_dtype a = op->operands[0].value->type.dtype, b = w->type.dtype, y = op->results[0]->type.dtype;
    const bool reals = a == IR_F32 && b == IR_F32 && y == IR_F32;
    const bool bytes =
        a == IR_U8 && (b == IR_U8 || b == IR_I8) && (y == IR_U8 || y == IR_F32 || (y == IR_I32 && !connected));
    (void)target;
    if ((!reals && !bytes) || (connected && ir_mac_is_dynamic(op)))
        return cg_best_if(false, connected && cg_mac_is_open(op) ? CG_MAC_OPEN : NULL);
    if (ir_operand_value(op, 3) || (bias && bias->type.dtype != (reals ? IR_F32 : IR_I32)) ||
        (w->quant && w->quant->count != 1))
        return cg_best_if(false, "operands in this form");
    return (cg_fit){.how = !connected || !ir_is_const(w) ? CG_BEST : CG_CAN};
}

size_t cg_product_scratch(const ir_op *op, const target_info *target)
{
    arena *a = arena_new();
    const product p = product_of(a, op, false); /* needs no less than the joined form, which the plan may rule out */
    (void)target;
    arena_free(a);
    return p.packed_bytes + p.bias_bytes + p.rows_bytes + p.sums_bytes;
}

static cg_arg scratch_part(cg_module *m, const product *p, int which)
{
    const size_t sizes[4] = {p->packed_bytes, p->bias_bytes, p->rows_bytes, p->sums_bytes};
    size_t offset = 0;
    for (int i = 0; i < which; i++)
        offset += sizes[i];
    return cg_arg_part(cg_arg_scratch(m, p->op), (int64_t)offset, (int64_t)sizes[which]);
}

static void emit_pack(cg_module *m, const product *p, cg_gemm *g, int blocks)
{
    cg_pack pack = {.op = p->op,
                    .steps = &p->steps,
                    .source = cg_arg_value(p->b),
                    .offsets = p->b_offsets,
                    .k_stride = p->b_row,
                    .n_stride = p->b_column,
                    .depth = p->depth,
                    .columns = p->columns,
                    .blocks = blocks,
                    .is_float = p->is_float,
                    .is_unsigned = p->b->type.dtype == IR_U8};
    const ir_value *bias = p->op->code == IR_FULLY_CONNECTED ? ir_operand_value(p->op, 2) : NULL;
    if (bias)
        pack.base = cg_arg_value(bias);
    if (!p->is_float) {
        pack.x_zero = p->a->quant->zero[0];
        pack.zero = p->b_zero;
        pack.flipped = target_in_pairs(m->target);
        g->form = pack.flipped ? CG_GEMM_FLIPPED : CG_GEMM_ANY;
    }
    pack.packed = g->weights = scratch_part(m, p, 0);
    pack.bias = g->bias = scratch_part(m, p, 1);
    cg_pack_emit(m, &pack);
}

static void emit_gather(cg_module *m, const product *p, cg_gemm *g)
{
    g->x = (cg_gemm_rows){cg_arg_value(p->a), 0, 0, p->a_row};
    g->x_group = p->a_offsets.step;
    if (!p->gathers)
        return;
    const cg_gather_rows rows = {.op = p->op,
                                 .from = g->x.arg,
                                 .to = scratch_part(m, p, 2),
                                 .offsets = p->a_offsets,
                                 .rows = p->rows,
                                 .width = p->depth,
                                 .row_stride = p->a_row,
                                 .element_stride = p->a_column,
                                 .element = p->element};
    cg_gather_rows_emit(m, &rows);
    g->x = (cg_gemm_rows){rows.to, 0, 0, p->depth * p->element};
    g->x_group = p->rows * p->depth * p->element;
}

static void bind_requant(cg_module *m, const product *p, cg_gemm *g)
{
    const bool real = p->y->type.dtype == IR_F32;
    const ir_enum_ACT act = p->op->code == IR_FULLY_CONNECTED ? (ir_enum_ACT)ir_int(p->op, IR_ATTR_ACT) : IR_ACT_NONE;
    ir_act_bounds_f32(act, &g->min, &g->max);
    if (p->is_float || p->y->type.dtype == IR_I32)
        return;
    const double multiplier = ir_mac_multiplier(p->op, 0);
    g->requant =
        cg_requant_make_for(m, real ? IR_ROUNDING_EVEN_F32 : (ir_enum_ROUNDING)ir_int(p->op, IR_ATTR_ROUNDING), 1,
                            &multiplier, real ? IR_U8 : p->y->type.dtype, real ? 1 : p->y->quant->scale[0],
                            real ? 0 : p->y->quant->zero[0], real ? (ir_unused){0, 0} : p->y->quant->unused, act);
}

/* ---- 16-bit values: plain sums in 64 bits, 16 columns at a time ---- */

enum { WIDE_LANES = CG_BLOCK_COLUMNS };

/* b[k][first…]: neighbours, or one by one where columns lie apart; what does not exist is 0. */
static LLVMValueRef load_columns(cg_kernel *k, const product *p, LLVMValueRef row, LLVMValueRef first, int count)
{
    LLVMTypeRef shorts = cg_vector(k->m->i16, WIDE_LANES);
    LLVMValueRef at = cg_at(k, row, cg_mul_const(k, first, p->b_column)), v = LLVMConstNull(shorts);
    if (p->b_column == 2)
        return count == WIDE_LANES ? cg_load(k, shorts, at, 1)
                                   : cg_load_masked(k, shorts, at, cg_lane_mask(k, cg_i64(k, count), WIDE_LANES));
    for (int i = 0; i < count; i++)
        v = LLVMBuildInsertElement(k->b, v, cg_load(k, k->m->i16, cg_at_const(k, at, i * p->b_column), 1), cg_i32(k, i),
                                   "");
    return v;
}

static void wide_columns(cg_kernel *k, const product *p, const cg_requant *requant, LLVMValueRef a, LLVMValueRef b,
                         LLVMValueRef y, LLVMValueRef first, int count)
{
    LLVMTypeRef ints = cg_vector(k->m->i32, WIDE_LANES), longs = cg_vector(k->m->i64, WIDE_LANES);
    cg_loop step = cg_loop_begin(k, cg_i64(k, 0), cg_i64(k, p->depth), 1);
    LLVMValueRef sum = cg_loop_carry(k, &step, LLVMConstNull(longs));
    LLVMValueRef x = cg_load(k, k->m->i16, cg_at(k, a, cg_mul_const(k, step.index, p->a_column)), 1);
    LLVMValueRef w = load_columns(k, p, cg_at(k, b, cg_mul_const(k, step.index, p->b_row)), first, count);
    x = cg_splat(k, LLVMBuildSExt(k->b, x, k->m->i32, ""), WIDE_LANES);
    LLVMValueRef products = LLVMBuildMul(k->b, x, LLVMBuildSExt(k->b, w, ints, ""), "");
    cg_loop_update(k, &step, 0, LLVMBuildAdd(k->b, sum, LLVMBuildSExt(k->b, products, longs, ""), ""));
    cg_loop_hint_vectorize(k, &step, false);
    cg_loop_end(k, &step);
    LLVMValueRef v, to = cg_at(k, y, cg_mul_const(k, first, p->y_element));
    if (p->y->type.dtype == IR_F32) {
        v = LLVMBuildSIToFP(k->b, sum, cg_vector(k->m->f32, WIDE_LANES), "");
        v = LLVMBuildFMul(k->b, v, cg_requant_load(k, requant, k->arg[3], cg_i64(k, 0), WIDE_LANES).scale, "");
    } else {
        v = cg_requant_apply_i64(k, requant, k->arg[3], cg_i64(k, 0), sum);
        v = LLVMBuildTrunc(k->b, v, cg_vector(k->m->i16, WIDE_LANES), "");
    }
    cg_store_masked(k, v, to, cg_lane_mask(k, cg_i64(k, count), WIDE_LANES));
}

/* A unit is a row of the result. */
static void wide_rows(cg_kernel *k, const product *p, const cg_requant *requant)
{
    cg_loop unit = cg_loop_begin(k, k->begin, k->end, 1);
    LLVMValueRef batch = LLVMBuildUDiv(k->b, unit.index, cg_i64(k, p->rows), "");
    LLVMValueRef row = LLVMBuildURem(k->b, unit.index, cg_i64(k, p->rows), "");
    LLVMValueRef a =
        cg_at(k, k->arg[0], cg_add(k, cg_mul_const(k, batch, p->a_offsets.step), cg_mul_const(k, row, p->a_row)));
    LLVMValueRef b = cg_at(k, k->arg[1], cg_mul_const(k, batch, p->b_offsets.step));
    LLVMValueRef y =
        cg_at(k, k->arg[2], cg_add(k, cg_mul_const(k, batch, p->y_offsets.step), cg_mul_const(k, row, p->y_row)));
    const int64_t whole = p->columns - p->columns % WIDE_LANES;
    cg_loop block = cg_loop_begin(k, cg_i64(k, 0), cg_i64(k, whole), WIDE_LANES);
    wide_columns(k, p, requant, a, b, y, block.index, WIDE_LANES);
    cg_loop_hint_vectorize(k, &block, false);
    cg_loop_end(k, &block);
    if (whole < p->columns)
        wide_columns(k, p, requant, a, b, y, cg_i64(k, whole), (int)(p->columns - whole));
    cg_loop_hint_vectorize(k, &unit, false);
    cg_loop_end(k, &unit);
}

static void emit_wide(cg_module *m, const product *p)
{
    const bool real = p->y->type.dtype == IR_F32;
    const double multiplier = ir_mac_multiplier(p->op, 0);
    const cg_requant requant = cg_requant_make_for(
        m, real ? IR_ROUNDING_EVEN_F32 : (ir_enum_ROUNDING)ir_int(p->op, IR_ATTR_ROUNDING), 1, &multiplier, IR_I16,
        real ? 1 : p->y->quant->scale[0], real ? 0 : p->y->quant->zero[0], (ir_unused){0, 0}, IR_ACT_NONE);
    const int64_t numbers[] = {p->rows,     p->depth, p->columns,        p->a_row,          p->a_column,      p->b_row,
                               p->b_column, p->y_row, p->a_offsets.step, p->b_offsets.step, p->y_offsets.step};
    const char *key =
        arena_format(m->arena, "matmul_wide %s %s", ir_dtype_text(p->y->type.dtype), cg_requant_key(m, &requant));
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        key = arena_format(m->arena, "%s %lld", key, (long long)numbers[i]);
    cg_kernel k;
    const cg_arg args[4] = {cg_arg_value(p->a), cg_arg_value(p->b), cg_arg_value(p->y),
                            cg_arg_constant(cg_constant(m, requant.bytes, requant.size, "requant"))};
    if (cg_kernel_begin(m, &k, key, p->op, 4)) {
        wide_rows(&k, p, &requant);
        cg_kernel_end(&k);
    }
    const cg_step_info info = {.units = (uint32_t)(p->batches * p->rows),
                               .macs = (uint64_t)(p->batches * p->rows * p->depth * p->columns)};
    cg_step_add(m, &k, p->op, &info, 4, args);
}

bool cg_emit_product(cg_module *m, const ir_op *op)
{
    const product p = product_of(m->arena, op, true);
    if (ir_type_elements(&p.y->type) == 0)
        return true;
    cg_gemm g = {.op = op,
                 .is_float = p.is_float,
                 .images = 1,
                 .height = 1,
                 .width = p.rows,
                 .columns = p.columns,
                 .groups = p.batches,
                 .steps = p.steps.count,
                 .out_type = p.y->type.dtype,
                 .sum_factor = 1,
                 .out = {cg_arg_value(p.y), 0, 0, p.y_row},
                 .out_group = p.y_offsets.step,
                 .macs = (uint64_t)(p.batches * p.rows * p.depth * p.columns)};
    const schedule_tiles tiles = cg_gemm_tiles(m, &g);
    emit_pack(m, &p, &g, tiles.blocks);
    emit_gather(m, &p, &g);
    cg_mac_bind_steps(m, &g, &p.steps);
    bind_requant(m, &p, &g);
    if (p.sums_bytes && !cg_mac_row_sums(m, &g, &p.steps, p.b_zero, scratch_part(m, &p, 3)))
        return false;
    return cg_gemm_emit(m, &g, &tiles);
}

bool cg_emit_matmul_i16(cg_module *m, const ir_op *op)
{
    const product p = product_of(m->arena, op, true);
    if (ir_type_elements(&p.y->type) > 0)
        emit_wide(m, &p);
    return true;
}
