/* depthwise.c: depthwise convolution of any window, stride, dilation and multiplier on 8-bit values.
 *
 * For each result pixel and block of V channels, taps go in groups of four: their V bytes interleave (lanes.h), so that
 * one dot product of 4 per vector sums a group.  Taps above or below the image read from a constant row of zero points;
 * beside the image, in the few border columns, every tap chooses its address. */
#include "compiler/codegen/window/depthwise_rows.h"

#include <assert.h>
#include <string.h>

#include "compiler/codegen/matmul/mac.h"

enum { MAX_UNROLLED_TAPS = 49 };
enum {
    ARG_X,
    ARG_Y,
    ARG_WEIGHTS,
    ARG_BIAS,
    ARG_REQUANT,
    ARG_ZERO_ROW,
    ARG_BLOCKS,
    ARG_TAPS,
    ARG_WEIGHT_ZERO,
    ARG_RESIDUAL,
    ARG_ADD,
    ARG_COUNT
};

typedef struct emitter {
    cg_kernel *k;
    const depthwise_plan *p;
    const depthwise_params *params;
    const cg_residual *residual;
    int taps, groups;
    LLVMTypeRef bytes, sums;     /* <V x i8>, <V/4 x i32> */
    LLVMValueRef image, row_out; /* operand's image of this batch; result's row */
    LLVMValueRef residual_row;
    LLVMValueRef top; /* operand row of the window's first tap, may be negative */
    LLVMValueRef block, in_first, out_first, mask, in_mask;
} emitter;

static const void *pack_weights(cg_module *m, const depthwise_plan *p, const int16_t *weights, size_t *out_size)
{
    int64_t taps = p->kernel[0] * p->kernel[1], groups = (taps + 3) / 4, channels = p->y.dims[3];
    *out_size = (size_t)(p->blocks * groups * 4 * p->v);
    int8_t *packed = arena_alloc(m->arena, *out_size);
    for (int block = 0; block < p->blocks; block++) {
        int64_t first, count;
        depthwise_block(p, block, &first, &count);
        for (int64_t t = 0; t < taps; t++)
            for (int at = 0; at < p->v; at++) {
                int64_t c = cg_interleaved_channel(p->v, at);
                int64_t to = ((block * groups + t / 4) * p->v + at) * 4 + t % 4;
                packed[to] = c < count ? (int8_t)weights[t * channels + first + c] : 0;
            }
    }
    return packed;
}

/* Per block: first operand channel, first result channel, result channels. */
static LLVMValueRef block_table(cg_module *m, const depthwise_plan *p)
{
    int64_t *table = arena_alloc(m->arena, sizeof(int64_t) * 3 * (size_t)p->blocks);
    for (int b = 0; b < p->blocks; b++) {
        depthwise_block(p, b, &table[3 * b + 1], &table[3 * b + 2]);
        table[3 * b] = table[3 * b + 1] / p->multiplier;
    }
    return cg_constant(m, table, sizeof(int64_t) * 3 * (size_t)p->blocks, "blocks");
}

/* Per tap, groups filled up: vertical and horizontal distance from the window's first. */
static LLVMValueRef tap_table(cg_module *m, const depthwise_plan *p)
{
    int64_t taps = p->kernel[0] * p->kernel[1], padded = (taps + 3) / 4 * 4;
    int64_t *table = arena_alloc(m->arena, sizeof(int64_t) * 2 * (size_t)padded);
    for (int64_t t = 0; t < taps; t++) {
        table[2 * t] = t / p->kernel[1] * p->dilation[0];
        table[2 * t + 1] = t % p->kernel[1] * p->dilation[1];
    }
    return cg_constant(m, table, sizeof(int64_t) * 2 * (size_t)padded, "taps");
}

static LLVMValueRef in_range(cg_kernel *k, LLVMValueRef index, int64_t limit)
{
    return LLVMBuildICmp(k->b, LLVMIntULT, index, cg_i64(k, limit), "");
}

/* Address of the first operand channel of this block at a pixel that may lie outside; then: of zero points. */
static LLVMValueRef tap_address(emitter *e, LLVMValueRef row, LLVMValueRef column, bool check_column)
{
    cg_kernel *k = e->k;
    LLVMValueRef inside = in_range(k, row, e->p->x.dims[1]);
    if (check_column)
        inside = LLVMBuildAnd(k->b, inside, in_range(k, column, e->p->x.dims[2]), "");
    LLVMValueRef offset =
        cg_add(k, cg_mul_const(k, row, e->p->x.stride[1]), cg_mul_const(k, column, e->p->x.stride[2]));
    LLVMValueRef there = LLVMBuildGEP2(k->b, k->m->i8, e->image, &offset, 1, "");
    return cg_at(k, LLVMBuildSelect(k->b, inside, there, k->arg[ARG_ZERO_ROW], ""), e->in_first);
}

/* The V bytes that meet a block's weights at one tap. */
static LLVMValueRef load_tap(emitter *e, LLVMValueRef address)
{
    cg_kernel *k = e->k;
    const depthwise_plan *p = e->p;
    if (p->mode == DEPTHWISE_DIRECT)
        return cg_load_lanes(k, e->bytes, address, e->mask);
    assert(p->mode == DEPTHWISE_PATTERN);
    int lanes[64];
    unsigned in = (unsigned)(p->v / p->multiplier);
    for (int i = 0; i < p->v; i++)
        lanes[i] = i / (int)p->multiplier;
    if (in == 1)
        return cg_splat(k, cg_load(k, k->m->i8, address, 1), (unsigned)p->v);
    LLVMValueRef some = cg_load_lanes(k, cg_vector(k->m->i8, in), address, e->in_mask);
    return cg_shuffle(k, some, NULL, lanes, (unsigned)p->v);
}

/* Four interleaved vectors of a group of taps.  One operand channel: four bytes, repeated. */
static void load_group(emitter *e, LLVMValueRef const address[4], int taps, LLVMValueRef out[4])
{
    cg_kernel *k = e->k;
    bool single = e->p->mode == DEPTHWISE_SPLAT || e->p->multiplier == e->p->v;
    LLVMValueRef rows[4], word = NULL;
    for (int t = 0; t < taps; t++) {
        if (!single) {
            rows[t] = load_tap(e, address[t]);
            continue;
        }
        LLVMValueRef byte = LLVMBuildZExt(k->b, cg_load(k, k->m->i8, address[t], 1), k->m->i32, "");
        byte = LLVMBuildShl(k->b, byte, cg_i32(k, 8 * t), "");
        word = word ? LLVMBuildOr(k->b, word, byte, "") : byte;
    }
    if (single) {
        for (int j = 0; j < 4; j++)
            out[j] = cg_splat(k, word, (unsigned)e->p->v / 4);
        return;
    }
    for (int t = taps; t < 4; t++)
        rows[t] = rows[0];
    cg_interleave(k, rows, out);
}

/* acc: four sums; with weight zero points four more, of the operand alone. */
static void add_group(emitter *e, LLVMValueRef acc[8], LLVMValueRef group, LLVMValueRef const address[4], int taps)
{
    cg_kernel *k = e->k;
    int v = e->p->v;
    LLVMValueRef x[4];
    load_group(e, address, taps, x);
    LLVMValueRef at = cg_add(k, cg_mul_const(k, e->block, (int64_t)e->groups * 4 * v), cg_mul_const(k, group, 4 * v));
    LLVMValueRef weights = cg_at(k, k->arg[ARG_WEIGHTS], at);
    for (int j = 0; j < 4; j++) {
        LLVMValueRef bytes = cg_bitcast(k, x[j], e->bytes);
        acc[j] = cg_dot4(k, acc[j], bytes, cg_load(k, e->bytes, cg_at_const(k, weights, (int64_t)j * v), 16));
        if (!e->params->weight_zero)
            continue;
        LLVMValueRef ones[64];
        for (int i = 0; i < v; i++)
            ones[i] = cg_i8(k, i % 4 < taps);
        acc[4 + j] = cg_dot4(k, acc[4 + j], bytes, LLVMConstVector(ones, (unsigned)v));
    }
}

static void unrolled_taps(emitter *e, LLVMValueRef acc[8], LLVMValueRef left, bool check)
{
    cg_kernel *k = e->k;
    for (int g = 0; g < e->groups; g++) {
        LLVMValueRef address[4] = {NULL};
        int count = e->taps - 4 * g < 4 ? e->taps - 4 * g : 4;
        for (int t = 0; t < count; t++) {
            int64_t ky = (4 * g + t) / e->p->kernel[1] * e->p->dilation[0],
                    kx = (4 * g + t) % e->p->kernel[1] * e->p->dilation[1];
            address[t] = tap_address(e, cg_add(k, e->top, cg_i64(k, ky)), cg_add(k, left, cg_i64(k, kx)), check);
        }
        add_group(e, acc, cg_i64(k, g), address, count);
    }
}

/* The last group is filled up with taps at the window's first position: their weights are zero. */
static void looped_taps(emitter *e, LLVMValueRef acc[8], LLVMValueRef left)
{
    cg_kernel *k = e->k;
    int sums = e->params->weight_zero ? 8 : 4;
    int whole = e->taps / 4;
    cg_loop loop = cg_loop_begin(k, cg_i64(k, 0), cg_i64(k, whole), 1);
    cg_loop_hint_no_unroll(k, &loop);
    for (int j = 0; j < sums; j++)
        acc[j] = cg_loop_carry(k, &loop, acc[j]);
    LLVMValueRef address[4], next[8];
    memcpy(next, acc, sizeof next);
    for (int part = 0; part < 2; part++) {
        int count = part ? e->taps % 4 : 4;
        LLVMValueRef group = part ? cg_i64(k, whole) : loop.index;
        LLVMValueRef table = cg_at(k, k->arg[ARG_TAPS], cg_mul_const(k, group, 64));
        for (int t = 0; t < count; t++) {
            LLVMValueRef ky = cg_load(k, k->m->i64, cg_at_const(k, table, 16 * t), 8);
            LLVMValueRef kx = cg_load(k, k->m->i64, cg_at_const(k, table, 16 * t + 8), 8);
            address[t] = tap_address(e, cg_add(k, e->top, ky), cg_add(k, left, kx), true);
        }
        if (count)
            add_group(e, part ? acc : next, group, address, count);
        if (part)
            break;
        for (int j = 0; j < sums; j++)
            cg_loop_update(k, &loop, j, next[j]);
        cg_loop_end(k, &loop);
    }
}

static void emit_pixel(emitter *e, LLVMValueRef column, bool check)
{
    cg_kernel *k = e->k;
    const depthwise_plan *p = e->p;
    unsigned quarter = (unsigned)p->v / 4;
    LLVMValueRef acc[8], slot = cg_mul_const(k, e->block, p->v);
    for (int j = 0; j < 4; j++) {
        LLVMValueRef at = cg_mul_const(k, cg_add(k, slot, cg_i64(k, j * (int64_t)quarter)), 4);
        acc[j] = cg_load(k, e->sums, cg_at(k, k->arg[ARG_BIAS], at), 16);
        acc[4 + j] = LLVMConstNull(e->sums);
    }
    LLVMValueRef left = cg_add(k, cg_mul_const(k, column, p->stride[1]), cg_i64(k, -p->pad[1]));
    if (e->taps <= MAX_UNROLLED_TAPS)
        unrolled_taps(e, acc, left, check);
    else
        looped_taps(e, acc, left);
    for (int j = 0; j < 4; j++) {
        LLVMValueRef at = cg_add(k, slot, cg_i64(k, j * (int64_t)quarter));
        if (e->params->weight_zero) {
            LLVMValueRef zero = cg_load(k, e->sums, cg_at(k, k->arg[ARG_WEIGHT_ZERO], cg_mul_const(k, at, 4)), 16);
            acc[j] = LLVMBuildSub(k->b, acc[j], LLVMBuildMul(k->b, acc[4 + j], zero, ""), "");
        }
        acc[j] = cg_requant_apply(k, &e->params->requant, k->arg[ARG_REQUANT], at, acc[j]);
    }
    if (e->residual) {
        LLVMValueRef rows[4], from = cg_at(k, e->residual_row,
                                           cg_add(k, cg_mul_const(k, column, e->residual->pixel_stride), e->out_first));
        LLVMValueRef r = cg_load_lanes(k, e->bytes, from, e->mask);
        LLVMValueRef order[4];
        rows[0] = r;
        rows[1] = rows[2] = rows[3] = LLVMConstNull(e->bytes);
        cg_interleave(k, rows, order);
        for (int j = 0; j < 4; j++)
            acc[j] = cg_residual_apply(k, e->residual, k->arg[ARG_ADD], acc[j], cg_bitcast(k, order[j], e->sums));
    }
    LLVMValueRef to = cg_at(k, e->row_out, cg_add(k, cg_mul_const(k, column, p->y.stride[2]), e->out_first));
    cg_store_lanes(k, cg_pack_interleaved(k, acc), to, e->mask);
}

static void emit_columns(emitter *e, LLVMValueRef from, LLVMValueRef to, bool check)
{
    cg_loop columns = cg_loop_begin(e->k, from, to, 1);
    cg_loop_hint_no_unroll(e->k, &columns);
    emit_pixel(e, columns.index, check);
    cg_loop_end(e->k, &columns);
}

/* The columns inside without a check; left and right border in one piece of code. */
static void emit_row(emitter *e)
{
    cg_kernel *k = e->k;
    const depthwise_plan *p = e->p;
    int64_t end = p->y.dims[2];
    if (e->taps <= MAX_UNROLLED_TAPS && p->inside[1] > p->inside[0]) {
        emit_columns(e, cg_i64(k, p->inside[0]), cg_i64(k, p->inside[1]), false);
        if (p->inside[0] == 0 && p->inside[1] == end)
            return;
        cg_loop side = cg_loop_begin(k, cg_i64(k, 0), cg_i64(k, 2), 1);
        cg_loop_hint_no_unroll(k, &side);
        LLVMValueRef right = LLVMBuildICmp(k->b, LLVMIntNE, side.index, cg_i64(k, 0), "");
        emit_columns(e, LLVMBuildSelect(k->b, right, cg_i64(k, p->inside[1]), cg_i64(k, 0), ""),
                     LLVMBuildSelect(k->b, right, cg_i64(k, end), cg_i64(k, p->inside[0]), ""), true);
        cg_loop_end(k, &side);
        return;
    }
    emit_columns(e, cg_i64(k, 0), cg_i64(k, end), true);
}

static void begin_block(emitter *e)
{
    cg_kernel *k = e->k;
    const depthwise_plan *p = e->p;
    if (p->mode == DEPTHWISE_DIRECT) {
        e->in_first = cg_mul_const(k, e->block, p->v);
        if (!p->masked && p->x.dims[3] % p->v)
            e->in_first = cg_min(k, e->in_first, cg_i64(k, p->x.dims[3] - p->v));
        e->out_first = e->in_first;
        e->mask = p->masked ? cg_lane_mask(k, cg_i64(k, p->x.dims[3]), (unsigned)p->v) : NULL;
        return;
    }
    LLVMValueRef entry = cg_at(k, k->arg[ARG_BLOCKS], cg_mul_const(k, e->block, 24));
    e->in_first = cg_load(k, k->m->i64, entry, 8);
    e->out_first = cg_load(k, k->m->i64, cg_at_const(k, entry, 8), 8);
    LLVMValueRef count = cg_load(k, k->m->i64, cg_at_const(k, entry, 16), 8);
    e->mask = p->masked ? cg_lane_mask(k, count, (unsigned)p->v) : NULL;
    unsigned in = (unsigned)(p->v / p->multiplier);
    if (p->mode == DEPTHWISE_PATTERN && p->masked && in > 1)
        e->in_mask = cg_lane_mask(k, LLVMBuildUDiv(k->b, count, cg_i64(k, p->multiplier), ""), in);
}

static void emit_body(emitter *e)
{
    cg_kernel *k = e->k;
    const depthwise_plan *p = e->p;
    e->bytes = cg_vector(k->m->i8, (unsigned)p->v);
    e->sums = cg_vector(k->m->i32, (unsigned)p->v / 4);
    cg_loop units = cg_loop_begin(k, k->begin, k->end, 1);
    LLVMValueRef rows = cg_i64(k, p->y.dims[1]);
    LLVMValueRef batch = LLVMBuildUDiv(k->b, units.index, rows, ""), row = LLVMBuildURem(k->b, units.index, rows, "");
    e->image = cg_at(k, k->arg[ARG_X], cg_mul_const(k, batch, p->x.stride[0]));
    e->row_out = cg_at(k, k->arg[ARG_Y],
                       cg_add(k, cg_mul_const(k, batch, p->y.stride[0]), cg_mul_const(k, row, p->y.stride[1])));
    if (e->residual)
        e->residual_row = cg_at(k, k->arg[ARG_RESIDUAL],
                                cg_add(k, cg_mul_const(k, batch, e->residual->batch_stride),
                                       cg_mul_const(k, row, e->residual->row_stride)));
    e->top = cg_add(k, cg_mul_const(k, row, p->stride[0]), cg_i64(k, -p->pad[0]));
    cg_loop blocks = cg_loop_begin(k, cg_i64(k, 0), cg_i64(k, p->blocks), 1);
    cg_loop_hint_no_unroll(k, &blocks);
    e->block = blocks.index;
    begin_block(e);
    emit_row(e);
    cg_loop_end(k, &blocks);
    cg_loop_end(k, &units);
}

static void general_emit(cg_module *m, const ir_op *op, const depthwise_plan *p, const depthwise_params *params,
                         const cg_residual *residual)
{
    emitter e = {.p = p, .params = params, .residual = residual, .taps = (int)(p->kernel[0] * p->kernel[1])};
    e.groups = (e.taps + 3) / 4;
    size_t size, slots = (size_t)p->blocks * (size_t)p->v;
    const void *packed = pack_weights(m, p, params->weights, &size);
    cg_arg args[ARG_COUNT];
    args[ARG_X] = cg_arg_value(ir_operand_value(op, 0));
    args[ARG_Y] = cg_arg_value(op->results[0]);
    args[ARG_WEIGHTS] = cg_arg_constant(cg_constant(m, packed, size, "weights"));
    args[ARG_BIAS] = cg_arg_constant(cg_constant(m, params->bias, slots * 4, "bias"));
    args[ARG_REQUANT] = cg_arg_constant(cg_constant(m, params->requant.bytes, params->requant.size, "scales"));
    args[ARG_ZERO_ROW] = cg_arg_constant(depthwise_zero_row(m, op, p, 1));
    args[ARG_BLOCKS] = cg_arg_constant(block_table(m, p));
    args[ARG_TAPS] = cg_arg_constant(tap_table(m, p));
    args[ARG_WEIGHT_ZERO] = params->weight_zero
                                ? cg_arg_constant(cg_constant(m, params->weight_zero, slots * 4, "weight_zeros"))
                                : args[ARG_BIAS];
    args[ARG_RESIDUAL] = residual ? cg_arg_value(ir_operand_value(op, 3)) : args[ARG_X];
    args[ARG_ADD] = residual ? cg_arg_constant(cg_residual_constant(m, residual)) : args[ARG_BIAS];
    cg_key key = {.length = 0};
    cg_key_add(&key, "depthwise %s", cg_requant_key(m, &params->requant));
    depthwise_key(&key, p);
    cg_key_add(&key, " wz%d %s", params->weight_zero != NULL, residual ? cg_residual_key(m, residual) : "");
    cg_kernel k;
    if (cg_kernel_begin(m, &k, key.text, op, ARG_COUNT)) {
        e.k = &k;
        emit_body(&e);
        cg_kernel_end(&k);
    }
    cg_step_info info = {
        .units = (uint32_t)(p->y.dims[0] * p->y.dims[1]), .is_int8 = true, .macs = (uint64_t)(p->y.elements * e.taps)};
    cg_step_add(m, &k, op, &info, ARG_COUNT, args);
}

cg_fit cg_depthwise_fits(const ir_op *op, const target_info *target)
{
    const ir_value *x = op->operands[0].value, *r = ir_operand_value(op, 3);
    (void)target;
    if (x->type.dtype != IR_U8 || op->results[0]->type.dtype != IR_U8 || (r && r->type.dtype != IR_U8))
        return cg_best_if(false, NULL);
    return cg_best_if(!cg_mac_is_open(op), CG_MAC_OPEN);
}

bool cg_emit_depthwise(cg_module *m, const ir_op *op)
{
    const depthwise_plan plan = depthwise_plan_of(op, m->target);
    const ir_value *r = ir_operand_value(op, 3);
    depthwise_params params;
    cg_residual residual;
    if (plan.y.elements == 0)
        return true;
    if (r)
        residual = cg_residual_of(m, op, r);
    depthwise_params_make(m, op, &plan, depthwise_channels(m, &plan), plan.blocks * plan.v, &params);
    general_emit(m, op, &plan, &params, r ? &residual : NULL);
    return true;
}
