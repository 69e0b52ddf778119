/* resize.c: resize_nearest and resize_bilinear.  Where result rows and columns come from is a table made at compile
 * time, with the interpreter's arithmetic; kernels look up byte offsets and weights:
 *
 *     nearest    rows[out height], columns[out width]: byte offset of the source
 *     bilinear   per result row and column: offsets of the two sources, part (float or 1/1024) and 1 - part
 *
 * Bilinear on integers is exact: even_f32 computes float products in the interpreter's order on centred integers; fixed
 * roundings sum products with 20 fractional bits, in 32 bits for 8-bit values (exact modulo 2^32, and the sum fits), in
 * 64 bits for 16-bit ones. */
#include <stddef.h>
#include <string.h>

#include "compiler/codegen/build/elementary.h"
#include "compiler/codegen/build/lanes.h"
#include "compiler/codegen/build/shape.h"
#include "ir/ref/interp.h"

typedef struct tap {
    int64_t low, high;
    int32_t part, rest;
} tap; /* part, rest: bits of a float, or integers */
enum { TAP_BYTES = sizeof(tap) };
enum { ARG_X, ARG_Y, ARG_ROWS, ARG_COLUMNS, ARG_COUNT };

typedef enum blend_mode { BLEND_REAL, BLEND_EVEN, BLEND_FIXED, BLEND_UNSIGNED } blend_mode;

typedef struct resize {
    cg_kernel *k;
    const ir_op *op;
    cg_shape x, y;
    blend_mode mode;
    int32_t centre, min, max; /* min, max: of integer results */
    LLVMTypeRef stored;       /* type of an element */
    LLVMTypeRef sums;         /* integer that a fixed sum fits */
    unsigned lanes;
    LLVMValueRef corner[4], out;                               /* top left, bottom left, top right, bottom right */
    LLVMValueRef row_part, row_rest, column_part, column_rest; /* splats */
} resize;

static tap tap_of(const resize *r, int d, int64_t at)
{
    const ir_tap from = ir_resize_tap(r->op, r->mode == BLEND_FIXED, d, at);
    tap t = {.low = from.low * r->x.stride[d] * r->x.bytes, .high = from.high * r->x.stride[d] * r->x.bytes};
    if (r->mode == BLEND_FIXED) {
        t.part = from.fixed_part;
        t.rest = 1024 - t.part;
    } else {
        const float rest = 1 - from.part;
        memcpy(&t.part, &from.part, 4);
        memcpy(&t.rest, &rest, 4);
    }
    return t;
}

/* ---- Bilinear: one vector of channels ---- */

static LLVMValueRef splat_sum(const resize *r, int64_t v)
{
    return cg_splat(r->k, LLVMConstInt(r->sums, (uint64_t)v, 1), r->lanes);
}

static LLVMValueRef corner(resize *r, int i, LLVMValueRef first, LLVMValueRef mask)
{
    cg_kernel *k = r->k;
    LLVMValueRef at = cg_at(k, r->corner[i], cg_mul_const(k, first, r->x.bytes));
    LLVMValueRef v = cg_load_lanes(k, cg_vector(r->stored, r->lanes), at, mask);
    if (r->mode == BLEND_REAL)
        return v;
    v = (r->x.dtype == IR_U8 ? LLVMBuildZExt : LLVMBuildSExt)(k->b, v, cg_vector(r->sums, r->lanes), "");
    if (r->centre)
        v = LLVMBuildSub(k->b, v, splat_sum(r, r->centre), "");
    return r->mode == BLEND_FIXED ? v : LLVMBuildSIToFP(k->b, v, cg_vector(k->m->f32, r->lanes), "");
}

static LLVMValueRef times(resize *r, LLVMValueRef p, LLVMValueRef v, LLVMValueRef h)
{
    LLVMBuilderRef b = r->k->b;
    if (r->mode == BLEND_FIXED)
        return LLVMBuildMul(b, LLVMBuildMul(b, p, v, ""), h, "");
    return LLVMBuildFMul(b, LLVMBuildFMul(b, p, v, ""), h, "");
}

static LLVMValueRef finish(resize *r, LLVMValueRef sum)
{
    cg_kernel *k = r->k;
    LLVMTypeRef ints = cg_vector(r->sums, r->lanes);
    LLVMValueRef q;
    if (r->mode == BLEND_REAL)
        return sum;
    if (r->mode == BLEND_FIXED) {
        LLVMValueRef plus = LLVMBuildICmp(k->b, LLVMIntSGT, sum, LLVMConstNull(ints), "");
        LLVMValueRef half = LLVMBuildSelect(k->b, plus, splat_sum(r, 1 << 19), splat_sum(r, -(1 << 19)), "");
        q = LLVMBuildSDiv(k->b, LLVMBuildAdd(k->b, sum, half, ""), splat_sum(r, 1 << 20), "");
    } else {
        sum = cg_max(k, sum, cg_splat_f32(k, (float)(r->min - r->centre), r->lanes));
        sum = cg_min(k, sum, cg_splat_f32(k, (float)(r->max - r->centre), r->lanes));
        q = r->mode == BLEND_EVEN ? cg_round_to_i32(k, sum)
                                  : LLVMBuildFPToSI(k->b, cg_math_round_away(k, sum), ints, "");
    }
    q = LLVMBuildAdd(k->b, q, splat_sum(r, r->centre), "");
    q = cg_max(k, q, splat_sum(r, r->min));
    q = cg_min(k, q, splat_sum(r, r->max));
    return LLVMBuildTrunc(k->b, q, cg_vector(r->stored, r->lanes), "");
}

static void blend_block(cg_kernel *k, void *context, LLVMValueRef first, LLVMValueRef mask)
{
    resize *r = context;
    LLVMValueRef term[4] = {times(r, corner(r, 0, first, mask), r->row_rest, r->column_rest),
                            times(r, corner(r, 1, first, mask), r->row_part, r->column_rest),
                            times(r, corner(r, 2, first, mask), r->row_rest, r->column_part),
                            times(r, corner(r, 3, first, mask), r->row_part, r->column_part)};
    LLVMValueRef sum = term[0];
    for (int i = 1; i < 4; i++)
        sum = r->mode == BLEND_FIXED ? LLVMBuildAdd(k->b, sum, term[i], "") : LLVMBuildFAdd(k->b, sum, term[i], "");
    cg_store_lanes(k, finish(r, sum), cg_at(k, r->out, cg_mul_const(k, first, r->y.bytes)), mask);
}

/* ---- Loops over pixels ---- */

static LLVMValueRef load_i64(cg_kernel *k, LLVMValueRef table, int64_t offset)
{
    return cg_load(k, k->m->i64, cg_at_const(k, table, offset), 8);
}

static LLVMValueRef load_weight(resize *r, LLVMValueRef table, int64_t offset)
{
    cg_kernel *k = r->k;
    LLVMTypeRef type = r->mode == BLEND_FIXED ? k->m->i32 : k->m->f32;
    LLVMValueRef weight = cg_load(k, type, cg_at_const(k, table, offset), 4);
    if (r->mode == BLEND_FIXED && r->sums != type)
        weight = LLVMBuildSExt(k->b, weight, r->sums, "");
    return cg_splat(k, weight, r->lanes);
}

static void bilinear_row(resize *r, LLVMValueRef image, LLVMValueRef row, LLVMValueRef row_out)
{
    cg_kernel *k = r->k;
    LLVMValueRef entry = cg_at(k, k->arg[ARG_ROWS], cg_mul_const(k, row, TAP_BYTES));
    LLVMValueRef top = cg_at(k, image, load_i64(k, entry, offsetof(tap, low)));
    LLVMValueRef bottom = cg_at(k, image, load_i64(k, entry, offsetof(tap, high)));
    r->row_part = load_weight(r, entry, offsetof(tap, part));
    r->row_rest = load_weight(r, entry, offsetof(tap, rest));
    cg_loop columns = cg_loop_begin(k, cg_i64(k, 0), cg_i64(k, r->y.dims[2]), 1);
    entry = cg_at(k, k->arg[ARG_COLUMNS], cg_mul_const(k, columns.index, TAP_BYTES));
    LLVMValueRef left = load_i64(k, entry, offsetof(tap, low)), right = load_i64(k, entry, offsetof(tap, high));
    r->corner[0] = cg_at(k, top, left);
    r->corner[1] = cg_at(k, bottom, left);
    r->corner[2] = cg_at(k, top, right);
    r->corner[3] = cg_at(k, bottom, right);
    r->column_part = load_weight(r, entry, offsetof(tap, part));
    r->column_rest = load_weight(r, entry, offsetof(tap, rest));
    r->out = cg_at(k, row_out, cg_mul_const(k, columns.index, r->y.stride[2] * r->y.bytes));
    cg_for_lanes(k, r->y.dims[3], r->lanes, blend_block, r);
    cg_loop_end(k, &columns);
}

static void nearest_row(resize *r, LLVMValueRef image, LLVMValueRef row, LLVMValueRef row_out)
{
    cg_kernel *k = r->k;
    LLVMValueRef from = cg_at(k, image, load_i64(k, cg_at(k, k->arg[ARG_ROWS], cg_mul_const(k, row, 8)), 0));
    cg_loop columns = cg_loop_begin(k, cg_i64(k, 0), cg_i64(k, r->y.dims[2]), 1);
    LLVMValueRef pixel =
        cg_at(k, from, load_i64(k, cg_at(k, k->arg[ARG_COLUMNS], cg_mul_const(k, columns.index, 8)), 0));
    LLVMValueRef to = cg_at(k, row_out, cg_mul_const(k, columns.index, r->y.stride[2] * r->y.bytes));
    LLVMBuildMemCpy(k->b, to, 1, pixel, 1, cg_i64(k, r->y.dims[3] * r->y.bytes));
    cg_loop_end(k, &columns);
}

static cg_arg nearest_table(cg_module *m, const resize *r, int d)
{
    int64_t *table = ARENA_ARRAY(m->arena, int64_t, r->y.dims[d]);
    for (int64_t i = 0; i < r->y.dims[d]; i++)
        table[i] = ir_resize_nearest(r->op, d, i) * r->x.stride[d] * r->x.bytes;
    return cg_arg_constant(cg_constant(m, table, (size_t)r->y.dims[d] * 8, "sources"));
}

static cg_arg tap_table(cg_module *m, const resize *r, int d)
{
    tap *table = ARENA_ARRAY(m->arena, tap, r->y.dims[d]);
    for (int64_t i = 0; i < r->y.dims[d]; i++)
        table[i] = tap_of(r, d, i);
    return cg_arg_constant(cg_constant(m, table, (size_t)r->y.dims[d] * TAP_BYTES, "sources"));
}

static bool emit(cg_module *m, resize *r, bool bilinear)
{
    const ir_op *op = r->op;
    cg_arg args[ARG_COUNT] = {cg_arg_value(ir_operand_value(op, 0)), cg_arg_value(op->results[0])};
    args[ARG_ROWS] = bilinear ? tap_table(m, r, 1) : nearest_table(m, r, 1);
    args[ARG_COLUMNS] = bilinear ? tap_table(m, r, 2) : nearest_table(m, r, 2);
    cg_key key = {.length = 0};
    cg_key_add(&key, "%s %d %d %d %d", ir_op_info_of(op->code)->text, (int)r->mode, r->centre, r->min, r->max);
    cg_key_shape(&key, &r->x);
    cg_key_shape(&key, &r->y);
    cg_kernel k;
    if (cg_kernel_begin(m, &k, key.text, op, ARG_COUNT)) {
        r->k = &k;
        cg_loop units = cg_loop_begin(&k, k.begin, k.end, 1);
        LLVMValueRef rows = cg_i64(&k, r->y.dims[1]);
        LLVMValueRef batch = LLVMBuildUDiv(k.b, units.index, rows, ""), row = LLVMBuildURem(k.b, units.index, rows, "");
        LLVMValueRef image = cg_at(&k, k.arg[ARG_X], cg_mul_const(&k, batch, r->x.stride[0] * r->x.bytes));
        LLVMValueRef out = cg_add(&k, cg_mul_const(&k, batch, r->y.stride[0]), cg_mul_const(&k, row, r->y.stride[1]));
        out = cg_at(&k, k.arg[ARG_Y], cg_mul_const(&k, out, r->y.bytes));
        (bilinear ? bilinear_row : nearest_row)(r, image, row, out);
        cg_loop_end(&k, &units);
        cg_kernel_end(&k);
    }
    cg_step_info info = {.units = (uint32_t)(r->y.dims[0] * r->y.dims[1]), .is_int8 = r->x.dtype == IR_U8};
    cg_step_add(m, &k, op, &info, ARG_COUNT, args);
    return true;
}

cg_fit cg_resize_fits(const ir_op *op, const target_info *target)
{
    const ir_dtype x = op->operands[0].value->type.dtype;
    (void)target;
    return cg_best_if(op->code == IR_RESIZE_NEAREST || x == IR_F32 || x == IR_U8 || x == IR_I16, NULL);
}

static void plan_blend(cg_module *m, resize *r)
{
    const ir_value *y = r->op->results[0];
    const int32_t origin = (int32_t)ir_int(r->op, IR_ATTR_ORIGIN);
    const bool even = ir_int(r->op, IR_ATTR_ROUNDING) == IR_ROUNDING_EVEN_F32, wide = r->x.dtype == IR_I16;
    r->mode = r->x.dtype == IR_F32 ? BLEND_REAL : even ? BLEND_EVEN : origin || wide ? BLEND_FIXED : BLEND_UNSIGNED;
    r->stored = r->x.dtype == IR_F32 ? m->f32 : wide ? m->i16 : m->i8;
    r->sums = wide && r->mode == BLEND_FIXED ? m->i64 : m->i32;
    if (r->mode == BLEND_EVEN)
        r->centre = y->quant ? y->quant->zero[0] : 0;
    else if (r->mode == BLEND_FIXED)
        r->centre = origin;
    if (r->mode != BLEND_REAL)
        ir_result_bounds(y, IR_ACT_NONE, &r->min, &r->max);
}

bool cg_emit_resize(cg_module *m, const ir_op *op)
{
    resize r = {.op = op,
                .lanes = m->target->vector_bytes / 4,
                .x = cg_shape_of(ir_operand_value(op, 0)),
                .y = cg_shape_of(op->results[0])};
    if (r.y.elements == 0)
        return true;
    if (op->code == IR_RESIZE_BILINEAR)
        plan_blend(m, &r);
    return emit(m, &r, op->code == IR_RESIZE_BILINEAR);
}
