/* max_pool_gradient.c: max_pool2d_gradient on floats, vectors over channels.
 *
 *     unit: an image's channels first … first + lanes
 *         zeros for each pixel
 *         for each window, in order: its largest, then by_y to the first tap that equals it
 *
 * Taps outside the image are moved onto its nearest pixel, as in pool.c: the window holds that, too, and a pixel that is
 * met again has its gradient already.  The order of the sums is the interpreter's. */
#include <math.h>

#include "compiler/codegen/build/lanes.h"
#include "compiler/codegen/build/shape.h"

enum { ARG_X, ARG_BY_Y, ARG_BY_X, ARG_COUNT };

typedef struct emitter {
    cg_kernel *k;
    cg_shape x, by_y, by_x;
    int64_t kernel[2], stride[2], pad[2];
    unsigned lanes;
    LLVMTypeRef vector;
    LLVMValueRef image, gradient, windows, mask; /* of the unit: x, by_x, by_y */
    LLVMValueRef top, left;                      /* of the window */
} emitter;

typedef LLVMValueRef tap_fn(emitter *, LLVMValueRef row, LLVMValueRef column, LLVMValueRef carried, void *context);

static LLVMValueRef pixel(emitter *e, LLVMValueRef base, const cg_shape *s, LLVMValueRef row, LLVMValueRef column)
{
    cg_kernel *k = e->k;
    LLVMValueRef at = cg_add(k, cg_mul_const(k, row, s->stride[1]), cg_mul_const(k, column, s->stride[2]));
    return cg_at(k, base, cg_mul_const(k, at, s->bytes));
}

static LLVMValueRef inside(cg_kernel *k, LLVMValueRef index, int64_t extent)
{
    return cg_min(k, cg_max(k, index, cg_i64(k, 0)), cg_i64(k, extent - 1));
}

/* Carries a value over the taps of the window, in order. */
static LLVMValueRef for_taps(emitter *e, LLVMValueRef initial, tap_fn *tap, void *context)
{
    cg_kernel *k = e->k;
    cg_loop rows = cg_loop_begin(k, cg_i64(k, 0), cg_i64(k, e->kernel[0]), 1);
    LLVMValueRef outer = cg_loop_carry(k, &rows, initial);
    LLVMValueRef row = inside(k, cg_add(k, e->top, rows.index), e->x.dims[1]);
    cg_loop columns = cg_loop_begin(k, cg_i64(k, 0), cg_i64(k, e->kernel[1]), 1);
    LLVMValueRef inner = cg_loop_carry(k, &columns, outer);
    LLVMValueRef column = inside(k, cg_add(k, e->left, columns.index), e->x.dims[2]);
    cg_loop_update(k, &columns, 0, tap(e, row, column, inner, context));
    cg_loop_end(k, &columns);
    cg_loop_update(k, &rows, 0, inner);
    cg_loop_end(k, &rows);
    return outer;
}

static LLVMValueRef larger(emitter *e, LLVMValueRef row, LLVMValueRef column, LLVMValueRef most, void *context)
{
    (void)context;
    return cg_max(e->k, cg_load_lanes(e->k, e->vector, pixel(e, e->image, &e->x, row, column), e->mask), most);
}

typedef struct sought {
    LLVMValueRef most, by_y;
} sought;

/* carried: the channels that have found their tap. */
static LLVMValueRef give(emitter *e, LLVMValueRef row, LLVMValueRef column, LLVMValueRef found, void *context)
{
    cg_kernel *k = e->k;
    const sought *s = context;
    LLVMValueRef x = cg_load_lanes(k, e->vector, pixel(e, e->image, &e->x, row, column), e->mask);
    LLVMValueRef to = pixel(e, e->gradient, &e->by_x, row, column), by = cg_load_lanes(k, e->vector, to, e->mask);
    LLVMValueRef equal = LLVMBuildFCmp(k->b, LLVMRealOEQ, x, s->most, "");
    LLVMValueRef here = LLVMBuildAnd(k->b, equal, LLVMBuildNot(k->b, found, ""), "");
    by = LLVMBuildSelect(k->b, here, LLVMBuildFAdd(k->b, by, s->by_y, ""), by, "");
    cg_store_lanes(k, by, to, e->mask);
    return LLVMBuildOr(k->b, found, equal, "");
}

static void emit_window(emitter *e, LLVMValueRef row, LLVMValueRef column)
{
    cg_kernel *k = e->k;
    e->top = cg_add(k, cg_mul_const(k, row, e->stride[0]), cg_i64(k, -e->pad[0]));
    e->left = cg_add(k, cg_mul_const(k, column, e->stride[1]), cg_i64(k, -e->pad[1]));
    sought s = {.most = for_taps(e, cg_splat_f32(k, -INFINITY, e->lanes), larger, NULL)};
    s.by_y = cg_load_lanes(k, e->vector, pixel(e, e->windows, &e->by_y, row, column), e->mask);
    for_taps(e, LLVMConstNull(cg_vector(k->m->i1, e->lanes)), give, &s);
}

static void emit_block(emitter *e, LLVMValueRef image, LLVMValueRef first, LLVMValueRef mask)
{
    cg_kernel *k = e->k;
    const cg_shape *shapes[ARG_COUNT] = {&e->x, &e->by_y, &e->by_x};
    LLVMValueRef at[ARG_COUNT];
    for (int i = 0; i < ARG_COUNT; i++)
        at[i] =
            cg_at(k, k->arg[i],
                  cg_mul_const(k, cg_add(k, cg_mul_const(k, image, shapes[i]->stride[0]), first), shapes[i]->bytes));
    e->image = at[ARG_X];
    e->windows = at[ARG_BY_Y];
    e->gradient = at[ARG_BY_X];
    e->mask = mask;
    cg_loop rows = cg_loop_begin(k, cg_i64(k, 0), cg_i64(k, e->x.dims[1]), 1);
    cg_loop columns = cg_loop_begin(k, cg_i64(k, 0), cg_i64(k, e->x.dims[2]), 1);
    cg_store_lanes(k, LLVMConstNull(e->vector), pixel(e, e->gradient, &e->by_x, rows.index, columns.index), mask);
    cg_loop_end(k, &columns);
    cg_loop_end(k, &rows);
    cg_loop down = cg_loop_begin(k, cg_i64(k, 0), cg_i64(k, e->by_y.dims[1]), 1);
    cg_loop across = cg_loop_begin(k, cg_i64(k, 0), cg_i64(k, e->by_y.dims[2]), 1);
    emit_window(e, down.index, across.index);
    cg_loop_end(k, &across);
    cg_loop_end(k, &down);
}

static int64_t blocks_of(const emitter *e) { return (e->x.dims[3] + e->lanes - 1) / e->lanes; }

static void emit_body(emitter *e)
{
    cg_kernel *k = e->k;
    const int64_t whole = e->x.dims[3] / e->lanes, rest = e->x.dims[3] % e->lanes;
    cg_loop units = cg_loop_begin(k, k->begin, k->end, 1);
    LLVMValueRef blocks = cg_i64(k, blocks_of(e)), image = LLVMBuildUDiv(k->b, units.index, blocks, "");
    LLVMValueRef block = LLVMBuildURem(k->b, units.index, blocks, "");
    LLVMValueRef first = cg_mul_const(k, block, e->lanes);
    cg_if is_whole = cg_if_begin(k, LLVMBuildICmp(k->b, LLVMIntULT, block, cg_i64(k, whole), ""));
    emit_block(e, image, first, NULL);
    cg_if_else(k, &is_whole);
    if (rest)
        emit_block(e, image, first, cg_lane_mask(k, cg_i64(k, rest), e->lanes));
    cg_if_end(k, &is_whole);
    cg_loop_end(k, &units);
}

cg_fit cg_max_pool_gradient_fits(const ir_op *op, const target_info *target)
{
    const ir_type *x = &op->operands[0].value->type, *by_y = &op->operands[1].value->type;
    (void)target;
    for (int d = 0; d < 2 && ir_type_elements(by_y) > 0; d++) {
        const int64_t pad = ir_ints_at(op, IR_ATTR_PAD, d);
        const int64_t last = (by_y->dims[1 + d] - 1) * ir_ints_at(op, IR_ATTR_STRIDE, d) - pad;
        if (pad >= ir_ints_at(op, IR_ATTR_KERNEL, d) || last >= x->dims[1 + d])
            return cg_best_if(false, "windows that lie wholly in the padding");
    }
    return (cg_fit){.how = CG_BEST};
}

bool cg_emit_max_pool_gradient(cg_module *m, const ir_op *op)
{
    const ir_value *x = op->operands[0].value, *by_y = op->operands[1].value;
    emitter e = {.x = cg_shape_of(x), .by_y = cg_shape_of(by_y), .by_x = cg_shape_of(op->results[0])};
    if (e.x.elements == 0)
        return true;
    cg_key key = {.length = 0};
    cg_key_add(&key, "max_pool_gradient");
    cg_key_shape(&key, &e.x);
    cg_key_shape(&key, &e.by_y);
    cg_key_shape(&key, &e.by_x);
    for (int d = 0; d < 2; d++) {
        e.kernel[d] = ir_ints_at(op, IR_ATTR_KERNEL, d);
        e.stride[d] = ir_ints_at(op, IR_ATTR_STRIDE, d);
        e.pad[d] = ir_ints_at(op, IR_ATTR_PAD, d);
        cg_key_add(&key, " k%lld s%lld p%lld", (long long)e.kernel[d], (long long)e.stride[d], (long long)e.pad[d]);
    }
    e.lanes = m->target->vector_bytes / (unsigned)ir_dtype_bytes(IR_F32);
    const cg_arg args[ARG_COUNT] = {cg_arg_value(x), cg_arg_value(by_y), cg_arg_value(op->results[0])};
    cg_kernel k;
    if (cg_kernel_begin(m, &k, key.text, op, ARG_COUNT)) {
        e.k = &k;
        e.vector = cg_vector(m->f32, e.lanes);
        emit_body(&e);
        cg_kernel_end(&k);
    }
    const cg_step_info info = {.units = (uint32_t)(e.x.dims[0] * blocks_of(&e))};
    cg_step_add(m, &k, op, &info, ARG_COUNT, args);
    return true;
}
