/* transpose_conv.c: transpose_conv2d on 8-bit values and floats, gathering: for each result pixel the operand pixels
 * that reach it.
 *
 *     result (oy, ox), phase (oy + top) mod stride: taps ky = phase, phase + stride, … meet operand rows (oy + top -
 * ky) / stride
 *
 * Neighbouring result pixels of a phase meet the same weights and neighbouring operand pixels: TILE of them at a time.
 * Operand pixels outside read zero points.  A group is 4 channels of 8-bit values or one float; packed weights are
 * [block set][ky][kx][part][group][BLOCKS][16 lanes][4 bytes].  Weights that do not fit 8 bits once centred are a sum
 * of parts. */
#include <assert.h>
#include <string.h>

#include "compiler/codegen/build/lanes.h"
#include "compiler/codegen/build/requant.h"
#include "compiler/codegen/build/shape.h"
#include "compiler/codegen/matmul/mac.h"
#include "ir/ref/interp.h"

enum { TILE = 4, MAX_BLOCKS = 4, FAR = 1 << 26 };
enum { ARG_X, ARG_Y, ARG_WEIGHTS, ARG_BIAS, ARG_REQUANT, ARG_ZEROS, ARG_COUNT };

typedef struct emitter {
    cg_kernel *k;
    const ir_op *op;
    cg_shape x, y;
    int64_t kernel[2], stride[2], pad[2];
    bool is_float;
    unsigned lanes;
    int blocks, sets, parts;          /* blocks of `lanes` channels in a set */
    int64_t groups, channels, padded; /* result channels; up to whole sets */
    cg_requant requant;
    LLVMTypeRef sum, bytes;
    LLVMValueRef image, set, row_out, column_start, row, row_phase, column_phase, first_column;
} emitter;

static int64_t set_bytes(const emitter *e)
{
    return e->kernel[0] * e->kernel[1] * e->parts * e->groups * e->blocks * e->lanes * 4;
}

/* Four bytes of an operand pixel; the last group of a pixel may be shorter, and nothing behind it is read. */
static LLVMValueRef load_group(emitter *e, LLVMValueRef pixel, LLVMValueRef group, int count)
{
    cg_kernel *k = e->k;
    LLVMValueRef at = cg_at(k, pixel, cg_mul_const(k, group, 4)), word = NULL;
    if (e->is_float)
        return cg_load(k, k->m->f32, at, 4);
    if (count == 4)
        return cg_load(k, k->m->i32, at, 1);
    for (int i = 0; i < count; i++) {
        LLVMValueRef byte = LLVMBuildZExt(k->b, cg_load(k, k->m->i8, cg_at_const(k, at, i), 1), k->m->i32, "");
        byte = LLVMBuildShl(k->b, byte, cg_i32(k, 8 * i), "");
        word = word ? LLVMBuildOr(k->b, word, byte, "") : byte;
    }
    return word;
}

static void add_group(emitter *e, int tile, LLVMValueRef const pixel[], LLVMValueRef weights, LLVMValueRef group,
                      int count, LLVMValueRef acc[])
{
    cg_kernel *k = e->k;
    LLVMValueRef w[MAX_BLOCKS], from = cg_at(k, weights, cg_mul_const(k, group, (int64_t)e->blocks * e->lanes * 4));
    for (int b = 0; b < e->blocks; b++)
        w[b] = cg_load(k, e->is_float ? e->sum : e->bytes, cg_at_const(k, from, (int64_t)b * e->lanes * 4), 16);
    for (int t = 0; t < tile; t++) {
        LLVMValueRef x = cg_splat(k, load_group(e, pixel[t], group, count), e->lanes);
        for (int b = 0; b < e->blocks; b++) {
            LLVMValueRef *a = &acc[t * e->blocks + b];
            *a = e->is_float ? cg_fma(k, x, w[b], *a) : cg_dot4(k, *a, cg_bitcast(k, x, e->bytes), w[b]);
        }
    }
}

/* acc += all channels of the tile's pixels times one tap's weights. */
static void add_tap(emitter *e, int tile, LLVMValueRef const pixel[], LLVMValueRef weights, LLVMValueRef acc[])
{
    cg_kernel *k = e->k;
    int n = tile * e->blocks, rest = e->is_float ? 0 : (int)(e->x.dims[3] % 4);
    int64_t whole = e->groups - (rest ? 1 : 0);
    cg_loop parts = cg_loop_begin(k, cg_i64(k, 0), cg_i64(k, e->parts), 1);
    for (int i = 0; i < n; i++)
        acc[i] = cg_loop_carry(k, &parts, acc[i]);
    LLVMValueRef inner[TILE * MAX_BLOCKS];
    LLVMValueRef from = cg_at(k, weights, cg_mul_const(k, parts.index, e->groups * e->blocks * e->lanes * 4));
    cg_loop groups = cg_loop_begin(k, cg_i64(k, 0), cg_i64(k, whole), 1);
    LLVMValueRef next[TILE * MAX_BLOCKS];
    for (int i = 0; i < n; i++)
        next[i] = inner[i] = cg_loop_carry(k, &groups, acc[i]);
    add_group(e, tile, pixel, from, groups.index, 4, next);
    for (int i = 0; i < n; i++)
        cg_loop_update(k, &groups, i, next[i]);
    cg_loop_end(k, &groups);
    if (rest)
        add_group(e, tile, pixel, from, cg_i64(k, whole), rest, inner);
    for (int i = 0; i < n; i++)
        cg_loop_update(k, &parts, i, inner[i]);
    cg_loop_end(k, &parts);
}

static LLVMValueRef pixel_address(emitter *e, LLVMValueRef row, LLVMValueRef column)
{
    cg_kernel *k = e->k;
    LLVMValueRef inside = LLVMBuildAnd(k->b, LLVMBuildICmp(k->b, LLVMIntULT, row, cg_i64(k, e->x.dims[1]), ""),
                                       LLVMBuildICmp(k->b, LLVMIntULT, column, cg_i64(k, e->x.dims[2]), ""), "");
    LLVMValueRef offset = cg_mul_const(
        k, cg_add(k, cg_mul_const(k, row, e->x.stride[1]), cg_mul_const(k, column, e->x.stride[2])), e->x.bytes);
    LLVMValueRef there = LLVMBuildGEP2(k->b, k->m->i8, e->image, &offset, 1, "");
    return LLVMBuildSelect(k->b, inside, there, k->arg[ARG_ZEROS], "");
}

static void finish(emitter *e, LLVMValueRef acc, LLVMValueRef to, int block)
{
    cg_kernel *k = e->k;
    LLVMValueRef first =
        cg_add(k, cg_mul_const(k, e->set, (int64_t)e->blocks * e->lanes), cg_i64(k, (int64_t)block * e->lanes));
    LLVMValueRef v, mask = cg_lane_mask(k, LLVMBuildSub(k->b, cg_i64(k, e->channels), first, ""), e->lanes);
    if (e->is_float)
        v = cg_act_f32(k, (ir_enum_ACT)ir_int(e->op, IR_ATTR_ACT), acc);
    else
        v = cg_narrow_to_bytes(k, cg_requant_apply(k, &e->requant, k->arg[ARG_REQUANT], first, acc));
    if (e->padded == e->channels)
        mask = NULL;
    cg_store_lanes(k, v, cg_at(k, to, cg_mul_const(k, first, e->y.bytes)), mask);
}

/* `tile` result pixels of the phase, numbers index… . */
static void emit_tile(emitter *e, LLVMValueRef index, int tile)
{
    cg_kernel *k = e->k;
    int n = tile * e->blocks;
    LLVMValueRef acc[TILE * MAX_BLOCKS];
    LLVMValueRef phase = cg_add(k, cg_mul_const(k, e->row_phase, e->stride[1]), e->column_phase);
    for (int b = 0; b < e->blocks; b++) {
        LLVMValueRef at =
            cg_add(k, cg_mul_const(k, phase, e->padded), cg_mul_const(k, e->set, (int64_t)e->blocks * e->lanes));
        at = cg_mul_const(k, cg_add(k, at, cg_i64(k, (int64_t)b * e->lanes)), 4);
        LLVMValueRef bias = cg_load(k, e->sum, cg_at(k, k->arg[ARG_BIAS], at), 16);
        for (int t = 0; t < tile; t++)
            acc[t * e->blocks + b] = bias;
    }
    LLVMValueRef set_weights = cg_at(k, k->arg[ARG_WEIGHTS], cg_mul_const(k, e->set, set_bytes(e)));
    cg_loop rows = cg_loop_begin(k, e->row_phase, cg_i64(k, e->kernel[0]), e->stride[0]);
    LLVMValueRef outer[TILE * MAX_BLOCKS], inner[TILE * MAX_BLOCKS], next[TILE * MAX_BLOCKS];
    for (int i = 0; i < n; i++)
        outer[i] = cg_loop_carry(k, &rows, acc[i]);
    LLVMValueRef up =
        LLVMBuildSDiv(k->b, LLVMBuildSub(k->b, rows.index, e->row_phase, ""), cg_i64(k, e->stride[0]), "");
    LLVMValueRef row = LLVMBuildSub(k->b, e->row, up, "");
    cg_loop columns = cg_loop_begin(k, e->column_phase, cg_i64(k, e->kernel[1]), e->stride[1]);
    for (int i = 0; i < n; i++)
        next[i] = inner[i] = cg_loop_carry(k, &columns, outer[i]);
    LLVMValueRef left =
        LLVMBuildSDiv(k->b, LLVMBuildSub(k->b, columns.index, e->column_phase, ""), cg_i64(k, e->stride[1]), "");
    LLVMValueRef column = LLVMBuildSub(k->b, cg_add(k, e->first_column, index), left, "");
    LLVMValueRef pixel[TILE];
    for (int t = 0; t < tile; t++)
        pixel[t] = pixel_address(e, row, cg_add(k, column, cg_i64(k, t)));
    LLVMValueRef tap = cg_add(k, cg_mul_const(k, rows.index, e->kernel[1]), columns.index);
    add_tap(e, tile, pixel,
            cg_at(k, set_weights, cg_mul_const(k, tap, e->parts * e->groups * e->blocks * e->lanes * 4)), next);
    for (int i = 0; i < n; i++)
        cg_loop_update(k, &columns, i, next[i]);
    cg_loop_end(k, &columns);
    for (int i = 0; i < n; i++)
        cg_loop_update(k, &rows, i, inner[i]);
    cg_loop_end(k, &rows);
    for (int t = 0; t < tile; t++) {
        LLVMValueRef result_column =
            cg_add(k, e->column_start, cg_mul_const(k, cg_add(k, index, cg_i64(k, t)), e->stride[1]));
        LLVMValueRef to = cg_at(k, e->row_out, cg_mul_const(k, result_column, e->y.stride[2] * e->y.bytes));
        for (int b = 0; b < e->blocks; b++)
            finish(e, outer[t * e->blocks + b], to, b);
    }
}

/* quotient and remainder of (index + pad), which may be negative */
static void phase_of(emitter *e, LLVMValueRef index, int d, LLVMValueRef *out_quotient, LLVMValueRef *out_phase)
{
    cg_kernel *k = e->k;
    LLVMValueRef moved = cg_add(k, index, cg_i64(k, e->pad[d] + (int64_t)FAR * e->stride[d]));
    *out_quotient = LLVMBuildSub(k->b, LLVMBuildUDiv(k->b, moved, cg_i64(k, e->stride[d]), ""), cg_i64(k, FAR), "");
    *out_phase = LLVMBuildURem(k->b, moved, cg_i64(k, e->stride[d]), "");
}

static void emit_body(emitter *e)
{
    cg_kernel *k = e->k;
    cg_loop units = cg_loop_begin(k, k->begin, k->end, 1);
    LLVMValueRef rows = cg_i64(k, e->y.dims[1]);
    LLVMValueRef batch = LLVMBuildUDiv(k->b, units.index, rows, ""), row = LLVMBuildURem(k->b, units.index, rows, "");
    e->image = cg_at(k, k->arg[ARG_X], cg_mul_const(k, batch, e->x.stride[0] * e->x.bytes));
    e->row_out =
        cg_at(k, k->arg[ARG_Y],
              cg_mul_const(k, cg_add(k, cg_mul_const(k, batch, e->y.stride[0]), cg_mul_const(k, row, e->y.stride[1])),
                           e->y.bytes));
    phase_of(e, row, 0, &e->row, &e->row_phase);
    cg_loop sets = cg_loop_begin(k, cg_i64(k, 0), cg_i64(k, e->sets), 1);
    e->set = e->sets == 1 ? cg_i64(k, 0) : sets.index; /* known, so that masks are */
    int64_t starts = e->stride[1] < e->y.dims[2] ? e->stride[1] : e->y.dims[2];
    cg_loop start = cg_loop_begin(k, cg_i64(k, 0), cg_i64(k, starts), 1);
    e->column_start = start.index;
    phase_of(e, start.index, 1, &e->first_column, &e->column_phase);
    LLVMValueRef count =
        cg_add(k, LLVMBuildSub(k->b, cg_i64(k, e->y.dims[2] - 1), start.index, ""), cg_i64(k, e->stride[1]));
    count = LLVMBuildUDiv(k->b, count, cg_i64(k, e->stride[1]), "");
    LLVMValueRef tiled = LLVMBuildAnd(k->b, count, cg_i64(k, -TILE), "");
    cg_loop tiles = cg_loop_begin(k, cg_i64(k, 0), tiled, TILE);
    emit_tile(e, tiles.index, TILE);
    cg_loop_end(k, &tiles);
    cg_loop rest = cg_loop_begin(k, tiled, count, 1);
    emit_tile(e, rest.index, 1);
    cg_loop_end(k, &rest);
    cg_loop_end(k, &start);
    cg_loop_end(k, &sets);
    cg_loop_end(k, &units);
}

/* ---- Constants ---- */

static int32_t weight_zero(const ir_value *w, int64_t o)
{
    return w->quant ? w->quant->zero[w->quant->axis >= 0 ? o : 0] : 0;
}

/* Part number `part` of a centred weight: as much as fits 8 bits of what the parts before it left. */
static int8_t part_of(int32_t centred, int part)
{
    for (;;) {
        int32_t now = centred < -128 ? -128 : centred > 127 ? 127 : centred;
        if (part-- == 0)
            return (int8_t)now;
        centred -= now;
    }
}

static int parts_needed(const ir_value *w, int64_t per_channel)
{
    int parts = 1;
    for (int64_t i = 0; i < ir_type_elements(&w->type); i++) {
        int32_t centred = (int32_t)ir_const_int(w, i) - weight_zero(w, i / per_channel);
        while (centred > parts * 127 || centred < parts * -128)
            parts++;
    }
    return parts;
}

/* Where the 4 bytes (or the float) of a result channel, tap, part and group lie. */
static int64_t packed_at(const emitter *e, int64_t o, int64_t tap, int part, int64_t group)
{
    int64_t per_set = (int64_t)e->blocks * e->lanes, set = o / per_set, in_set = o % per_set;
    return set * set_bytes(e) + (((tap * e->parts + part) * e->groups + group) * per_set + in_set) * 4;
}

static const void *pack(cg_module *m, const emitter *e, const ir_value *w)
{
    unsigned char *packed = arena_alloc(m->arena, (size_t)(e->sets * set_bytes(e)));
    int64_t in = e->x.dims[3], taps = e->kernel[0] * e->kernel[1];
    for (int64_t o = 0; o < e->channels; o++)
        for (int64_t t = 0; t < taps; t++)
            for (int64_t i = 0; i < in; i++) {
                int64_t at = (o * taps + t) * in + i;
                if (e->is_float) {
                    memcpy(packed + packed_at(e, o, t, 0, i), (const char *)w->data + 4 * at, 4);
                    continue;
                }
                int32_t centred = (int32_t)ir_const_int(w, at) - weight_zero(w, o);
                for (int part = 0; part < e->parts; part++)
                    packed[packed_at(e, o, t, part, i / 4) + i % 4] = (unsigned char)part_of(centred, part);
            }
    return packed;
}

/* [phases][padded]: each phase has its own taps, and so its own share of the zero point. */
static const void *biases(cg_module *m, const emitter *e, const ir_value *w, const ir_value *b)
{
    unsigned char *out = arena_alloc(m->arena, (size_t)(e->stride[0] * e->stride[1] * e->padded) * 4);
    int64_t in = e->x.dims[3];
    for (int64_t phase = 0; phase < e->stride[0] * e->stride[1]; phase++)
        for (int64_t o = 0; o < e->channels; o++) {
            unsigned char *to = out + (phase * e->padded + o) * 4;
            if (e->is_float) {
                if (b)
                    memcpy(to, (const char *)b->data + 4 * o, 4);
                continue;
            }
            int64_t sum = 0;
            for (int64_t ky = phase / e->stride[1]; ky < e->kernel[0]; ky += e->stride[0])
                for (int64_t kx = phase % e->stride[1]; kx < e->kernel[1]; kx += e->stride[1])
                    for (int64_t i = 0; i < in; i++)
                        sum +=
                            ir_const_int(w, ((o * e->kernel[0] + ky) * e->kernel[1] + kx) * in + i) - weight_zero(w, o);
            int32_t start = (int32_t)(uint32_t)(uint64_t)((b && b->type.dtype != IR_F32 ? ir_const_int(b, o) : 0) -
                                                          ir_operand_value(e->op, 0)->quant->zero[0] * sum);
            memcpy(to, &start, 4);
        }
    return out;
}

static void make_requant(cg_module *m, emitter *e, const ir_value *y)
{
    double *multipliers = ARENA_ARRAY(m->arena, double, e->padded);
    float *real_bias = ARENA_ARRAY(m->arena, float, e->padded);
    for (int64_t o = 0; o < e->padded; o++) {
        int64_t c = o < e->channels ? o : 0;
        multipliers[o] = ir_mac_multiplier(e->op, c);
        real_bias[o] = ir_mac_real_bias(e->op, c);
    }
    e->requant = cg_requant_make(m, (ir_enum_ROUNDING)ir_int(e->op, IR_ATTR_ROUNDING), (int)e->padded, multipliers, y,
                                 (ir_enum_ACT)ir_int(e->op, IR_ATTR_ACT));
    cg_requant_add_bias(m, &e->requant, real_bias);
}

/* Result channels in sets of blocks of lanes. */
typedef struct tiling {
    int64_t lanes, padded;
    int blocks, sets;
} tiling;

static tiling tiling_of(const ir_op *op, const target_info *target)
{
    tiling t = {.lanes = target->vector_bytes / 4};
    const int64_t blocks = (op->results[0]->type.dims[3] + t.lanes - 1) / t.lanes;
    t.blocks = blocks < MAX_BLOCKS ? (int)blocks : MAX_BLOCKS;
    t.sets = t.blocks ? (int)((blocks + t.blocks - 1) / t.blocks) : 0;
    t.padded = (int64_t)t.sets * t.blocks * t.lanes;
    return t;
}

cg_fit cg_transpose_conv_fits(const ir_op *op, const target_info *target)
{
    const ir_dtype x = op->operands[0].value->type.dtype, w = op->operands[1].value->type.dtype;
    const ir_dtype y = op->results[0]->type.dtype;
    const int64_t phases = ir_ints_at(op, IR_ATTR_STRIDE, 0) * ir_ints_at(op, IR_ATTR_STRIDE, 1);
    if (x == IR_F32 ? w != IR_F32 || y != IR_F32 : x != IR_U8 || y != IR_U8)
        return cg_best_if(false, NULL);
    if (cg_mac_is_open(op))
        return cg_best_if(false, CG_MAC_OPEN);
    return cg_best_if(phases * tiling_of(op, target).padded <= 1 << 24, "a stride that is too large");
}

static void plan(cg_module *m, emitter *e)
{
    const ir_op *op = e->op;
    const ir_value *x = ir_operand_value(op, 0), *w = ir_operand_value(op, 1), *y = op->results[0];
    e->x = cg_shape_of(x);
    e->y = cg_shape_of(y);
    e->is_float = x->type.dtype == IR_F32;
    for (int d = 0; d < 2; d++) {
        e->kernel[d] = w->type.dims[1 + d];
        e->stride[d] = ir_ints_at(op, IR_ATTR_STRIDE, d);
        e->pad[d] = ir_ints_at(op, IR_ATTR_PAD, d);
    }
    const tiling t = tiling_of(op, m->target);
    e->lanes = (unsigned)t.lanes;
    e->channels = e->y.dims[3];
    e->blocks = t.blocks;
    e->sets = t.sets;
    e->padded = t.padded;
    e->groups = e->is_float ? e->x.dims[3] : (e->x.dims[3] + 3) / 4;
    e->parts = e->is_float ? 1 : parts_needed(w, e->kernel[0] * e->kernel[1] * e->x.dims[3]);
}

bool cg_emit_transpose_conv2d(cg_module *m, const ir_op *op)
{
    emitter e = {.op = op};
    const ir_value *x = ir_operand_value(op, 0), *w = ir_operand_value(op, 1), *y = op->results[0];
    plan(m, &e);
    if (e.y.elements == 0)
        return true;
    if (!e.is_float)
        make_requant(m, &e, y);
    size_t zero_bytes = (size_t)(e.x.dims[3] * e.x.bytes) + 64;
    unsigned char *zeros = arena_alloc(m->arena, zero_bytes);
    memset(zeros, e.is_float ? 0 : x->quant->zero[0], zero_bytes);
    cg_arg args[ARG_COUNT];
    args[ARG_X] = cg_arg_value(x);
    args[ARG_Y] = cg_arg_value(y);
    args[ARG_WEIGHTS] = cg_arg_constant(cg_constant(m, pack(m, &e, w), (size_t)(e.sets * set_bytes(&e)), "weights"));
    args[ARG_BIAS] = cg_arg_constant(cg_constant(m, biases(m, &e, w, ir_operand_value(op, 2)),
                                                 (size_t)(e.stride[0] * e.stride[1] * e.padded) * 4, "bias"));
    args[ARG_ZEROS] = cg_arg_constant(cg_constant(m, zeros, zero_bytes, "zeros"));
    args[ARG_REQUANT] =
        e.is_float ? args[ARG_ZEROS] : cg_arg_constant(cg_constant(m, e.requant.bytes, e.requant.size, "scales"));
    cg_key key = {.length = 0};
    cg_key_add(&key, "transpose_conv");
    cg_key_shape(&key, &e.x);
    cg_key_shape(&key, &e.y);
    for (int d = 0; d < 2; d++)
        cg_key_add(&key, " k%lld s%lld p%lld", (long long)e.kernel[d], (long long)e.stride[d], (long long)e.pad[d]);
    cg_key_add(&key, " parts%d a%lld %s", e.parts, (long long)ir_int(op, IR_ATTR_ACT),
               e.is_float ? "" : cg_requant_key(m, &e.requant));
    cg_kernel k;
    if (cg_kernel_begin(m, &k, key.text, op, ARG_COUNT)) {
        e.k = &k;
        e.sum = cg_vector(e.is_float ? m->f32 : m->i32, e.lanes);
        e.bytes = cg_vector(m->i8, 4 * e.lanes);
        emit_body(&e);
        cg_kernel_end(&k);
    }
    cg_step_info info = {.units = (uint32_t)(e.y.dims[0] * e.y.dims[1]),
                         .is_int8 = !e.is_float,
                         .macs = (uint64_t)(e.x.elements * e.kernel[0] * e.kernel[1] * e.channels)};
    cg_step_add(m, &k, op, &info, ARG_COUNT, args);
    return true;
}
