/* conv_direct.c: conv2d and depthwise_conv2d on floats whose weights or bias are computed at run time.  Nothing can be
 * packed ahead, and such layers are small (correlation of two images, dynamic filters): plain loops over output pixels,
 * channels and taps, vectors along the input channels of conv2d. */
#include "compiler/codegen/build/lanes.h"
#include "compiler/codegen/build/shape.h"
#include "compiler/codegen/matmul/mac.h"

enum { ARG_X, ARG_W, ARG_Y, ARG_BIAS, ARG_RESIDUAL, ARG_COUNT };

typedef struct emitter {
    cg_kernel *k;
    const ir_op *op;
    cg_shape x, y, r;
    bool depthwise, has_bias, has_residual;
    unsigned lanes;
    int64_t kernel[2], stride[2], dilation[2], pad[2];
    int64_t depth, per_group; /* input channels of a group; output channels of one */
} emitter;

/* ---- One output element ---- */

static LLVMValueRef load_f32(const emitter *e, LLVMValueRef base, LLVMValueRef element)
{
    cg_kernel *k = e->k;
    return cg_load(k, k->m->f32, cg_at(k, base, cg_mul_const(k, element, 4)), 4);
}

/* The sum over the input channels of one tap; x and w: indices of the first elements. */
static LLVMValueRef channels_sum(const emitter *e, LLVMValueRef x, LLVMValueRef w)
{
    cg_kernel *k = e->k;
    if (e->depthwise)
        return LLVMBuildFMul(k->b, load_f32(e, k->arg[ARG_X], x), load_f32(e, k->arg[ARG_W], w), "");
    LLVMTypeRef vector = cg_vector(k->m->f32, e->lanes);
    cg_loop i = cg_loop_begin(k, cg_i64(k, 0), cg_i64(k, e->depth), e->lanes);
    LLVMValueRef sum = cg_loop_carry(k, &i, cg_splat_f32(k, 0, e->lanes));
    LLVMValueRef mask = cg_lane_mask(k, LLVMBuildSub(k->b, cg_i64(k, e->depth), i.index, ""), e->lanes);
    LLVMValueRef a =
        cg_load_masked(k, vector, cg_at(k, k->arg[ARG_X], cg_mul_const(k, cg_add(k, x, i.index), 4)), mask);
    LLVMValueRef b =
        cg_load_masked(k, vector, cg_at(k, k->arg[ARG_W], cg_mul_const(k, cg_add(k, w, i.index), 4)), mask);
    cg_loop_update(k, &i, 0, cg_fma(k, a, b, sum));
    cg_loop_end(k, &i);
    LLVMValueRef zero = cg_f32(k, 0), all[] = {zero, sum};
    LLVMValueRef total = cg_intrinsic(k, "llvm.vector.reduce.fadd", &vector, 1, all, 2);
    LLVMSetFastMathFlags(total, LLVMFastMathAllowReassoc);
    return total;
}

/* Where tap number `tap` of the window of output coordinate `out` lies in the input; *inside says whether it is there.
 * A place outside is moved inside: it is read, and its product dropped. */
static LLVMValueRef tap_coordinate(const emitter *e, int axis, LLVMValueRef out, LLVMValueRef tap, LLVMValueRef *inside)
{
    cg_kernel *k = e->k;
    LLVMValueRef at = cg_add(k, cg_mul_const(k, out, e->stride[axis]), cg_mul_const(k, tap, e->dilation[axis]));
    at = cg_add(k, at, cg_i64(k, -e->pad[axis]));
    LLVMValueRef there = LLVMBuildICmp(k->b, LLVMIntULT, at, cg_i64(k, e->x.dims[1 + axis]), "");
    *inside = *inside ? LLVMBuildAnd(k->b, *inside, there, "") : there;
    return LLVMBuildSelect(k->b, there, at, cg_i64(k, 0), "");
}

static LLVMValueRef window_sum(const emitter *e, LLVMValueRef image, LLVMValueRef oy, LLVMValueRef ox, LLVMValueRef oc)
{
    cg_kernel *k = e->k;
    LLVMValueRef start = e->has_bias ? load_f32(e, k->arg[ARG_BIAS], oc) : cg_f32(k, 0);
    LLVMValueRef group = LLVMBuildUDiv(k->b, oc, cg_i64(k, e->per_group), "");
    LLVMValueRef channel = cg_add(k, image, cg_mul_const(k, cg_mul_const(k, group, e->depth), e->x.stride[3]));
    cg_loop ky = cg_loop_begin(k, cg_i64(k, 0), cg_i64(k, e->kernel[0]), 1);
    LLVMValueRef lines = cg_loop_carry(k, &ky, start);
    cg_loop kx = cg_loop_begin(k, cg_i64(k, 0), cg_i64(k, e->kernel[1]), 1);
    LLVMValueRef sum = cg_loop_carry(k, &kx, lines), inside = NULL;
    LLVMValueRef iy = tap_coordinate(e, 0, oy, ky.index, &inside), ix = tap_coordinate(e, 1, ox, kx.index, &inside);
    LLVMValueRef x =
        cg_add(k, channel, cg_add(k, cg_mul_const(k, iy, e->x.stride[1]), cg_mul_const(k, ix, e->x.stride[2])));
    LLVMValueRef tap = cg_add(k, cg_mul_const(k, ky.index, e->kernel[1]), kx.index);
    LLVMValueRef w = e->depthwise
                         ? cg_add(k, cg_mul_const(k, tap, e->y.dims[3]), oc)
                         : cg_mul_const(k, cg_add(k, cg_mul_const(k, oc, e->kernel[0] * e->kernel[1]), tap), e->depth);
    LLVMValueRef more = LLVMBuildFAdd(k->b, sum, channels_sum(e, x, w), "");
    cg_loop_update(k, &kx, 0, LLVMBuildSelect(k->b, inside, more, sum, ""));
    cg_loop_end(k, &kx);
    cg_loop_update(k, &ky, 0, sum);
    cg_loop_end(k, &ky);
    return lines;
}

/* ---- The kernel ---- */

static void store_result(const emitter *e, LLVMValueRef sum, LLVMValueRef y, LLVMValueRef r)
{
    cg_kernel *k = e->k;
    LLVMValueRef v = cg_act_f32(k, (ir_enum_ACT)ir_int(e->op, IR_ATTR_ACT), sum);
    if (e->has_residual)
        v = cg_act_f32(k, (ir_enum_ACT)ir_int(e->op, IR_ATTR_ADD_ACT),
                       LLVMBuildFAdd(k->b, v, load_f32(e, k->arg[ARG_RESIDUAL], r), ""));
    cg_store(k, v, cg_at(k, k->arg[ARG_Y], cg_mul_const(k, y, 4)), 4);
}

/* A unit is a line of an output image. */
static void emit_body(const emitter *e)
{
    cg_kernel *k = e->k;
    cg_loop unit = cg_loop_begin(k, k->begin, k->end, 1);
    LLVMValueRef n = LLVMBuildUDiv(k->b, unit.index, cg_i64(k, e->y.dims[1]), "");
    LLVMValueRef oy = LLVMBuildURem(k->b, unit.index, cg_i64(k, e->y.dims[1]), "");
    cg_loop ox = cg_loop_begin(k, cg_i64(k, 0), cg_i64(k, e->y.dims[2]), 1);
    cg_loop oc = cg_loop_begin(k, cg_i64(k, 0), cg_i64(k, e->y.dims[3]), 1);
    LLVMValueRef at[2];
    const cg_shape *shapes[2] = {&e->y, e->has_residual ? &e->r : &e->y};
    for (int i = 0; i < 2; i++) {
        const int64_t *stride = shapes[i]->stride;
        at[i] = cg_add(k, cg_add(k, cg_mul_const(k, n, stride[0]), cg_mul_const(k, oy, stride[1])),
                       cg_add(k, cg_mul_const(k, ox.index, stride[2]), cg_mul_const(k, oc.index, stride[3])));
    }
    LLVMValueRef sum = window_sum(e, cg_mul_const(k, n, e->x.stride[0]), oy, ox.index, oc.index);
    store_result(e, sum, at[0], at[1]);
    cg_loop_end(k, &oc);
    cg_loop_end(k, &ox);
    cg_loop_end(k, &unit);
}

cg_fit cg_conv_direct_fits(const ir_op *op, const target_info *target)
{
    (void)target;
    return cg_mac_open_fits(op);
}

static void plan(emitter *e)
{
    const ir_op *op = e->op;
    const ir_value *w = op->operands[1].value, *b = ir_operand_value(op, 2), *r = ir_operand_value(op, 3);
    e->x = cg_shape_of(op->operands[0].value);
    e->y = cg_shape_of(op->results[0]);
    if (r)
        e->r = cg_shape_of(r);
    e->depthwise = op->code == IR_DEPTHWISE_CONV2D;
    e->has_bias = b != NULL;
    e->has_residual = r != NULL;
    const int64_t groups = e->depthwise ? e->x.dims[3] : ir_int(op, IR_ATTR_GROUPS);
    e->depth = e->depthwise ? 1 : w->type.dims[3];
    e->per_group = groups ? e->y.dims[3] / groups : 1;
    for (int d = 0; d < 2; d++) {
        e->kernel[d] = w->type.dims[1 + d];
        e->stride[d] = ir_ints_at(op, IR_ATTR_STRIDE, d);
        e->dilation[d] = ir_ints_at(op, IR_ATTR_DILATION, d);
        e->pad[d] = ir_ints_at(op, IR_ATTR_PAD, d);
    }
}

bool cg_emit_conv_direct(cg_module *m, const ir_op *op)
{
    emitter e = {.op = op, .lanes = m->target->vector_bytes / 4};
    plan(&e);
    if (e.y.elements == 0)
        return true;
    cg_key key = {.length = 0};
    cg_key_add(&key, "conv_direct%d%d%d", e.depthwise, e.has_bias, e.has_residual);
    cg_key_shape(&key, &e.x);
    cg_key_shape(&key, &e.y);
    if (e.has_residual)
        cg_key_shape(&key, &e.r);
    for (int d = 0; d < 2; d++)
        cg_key_add(&key, " k%lld s%lld d%lld p%lld", (long long)e.kernel[d], (long long)e.stride[d],
                   (long long)e.dilation[d], (long long)e.pad[d]);
    cg_key_add(&key, " g%lld a%lld %lld", (long long)e.per_group, (long long)ir_int(op, IR_ATTR_ACT),
               (long long)ir_int(op, IR_ATTR_ADD_ACT));
    const cg_arg y = cg_arg_value(op->results[0]);
    const cg_arg args[ARG_COUNT] = {cg_arg_value(op->operands[0].value), cg_arg_value(op->operands[1].value), y,
                                    e.has_bias ? cg_arg_value(ir_operand_value(op, 2)) : y,
                                    e.has_residual ? cg_arg_value(ir_operand_value(op, 3)) : y};
    cg_kernel k;
    if (cg_kernel_begin(m, &k, key.text, op, ARG_COUNT)) {
        e.k = &k;
        emit_body(&e);
        cg_kernel_end(&k);
    }
    const cg_step_info info = {.units = (uint32_t)(e.y.dims[0] * e.y.dims[1]),
                               .macs = (uint64_t)(e.y.elements * e.kernel[0] * e.kernel[1] * e.depth)};
    cg_step_add(m, &k, op, &info, ARG_COUNT, args);
    return true;
}
