/* depthwise_gradient.c: depthwise_weights_gradient on floats, vectors over channels.
 *
 *     unit: a chunk of images, channels first … first + lanes
 *         for the taps of a window, or of one of its rows, or one tap, whatever has room in registers:
 *             for each window: by_y, loaded once, times what each tap meets
 *
 *     x, by_y ──▶ partial sums of each chunk ──[sum]──▶ result
 *
 * Where a tap may lie outside the image, in border rows and columns, each is tested.  How images are cut into chunks does
 * not depend on the number of threads. */
#include "compiler/codegen/build/lanes.h"
#include "compiler/codegen/build/shape.h"
#include "compiler/codegen/rows/chunk_sum.h"

enum { ARG_X, ARG_BY_Y, ARG_SUMS, ARG_COUNT };
enum { ELEMENT = 4, MOST_SUMS = 28, OTHER_REGISTERS = 4, MOST_PARTIAL_BYTES = 16 << 20 };
enum { Y, X, AXES };

typedef struct layer {
    int64_t images, channels, in[AXES], out[AXES], kernel[AXES], stride[AXES], dilation[AXES], pad[AXES];
    int64_t chunk, chunks; /* images of one; how many */
} layer;

typedef struct emitter {
    cg_kernel *k;
    const layer *l;
    unsigned lanes;
    LLVMTypeRef vector;
    LLVMValueRef mask;           /* of the unit's channels, or NULL */
    int taps[AXES];              /* whose sums are in registers */
    LLVMValueRef first[AXES];    /* of them */
    LLVMValueRef image, windows; /* x, by_y: at the unit's channels */
    LLVMValueRef sum[MOST_SUMS]; /* row by row */
} emitter;

static int64_t result_count(const layer *l) { return l->kernel[Y] * l->kernel[X] * l->channels; }

static layer layer_of(const ir_op *op)
{
    const int64_t *x = op->operands[0].value->type.dims, *y = op->operands[1].value->type.dims;
    layer l = {.images = x[0], .channels = x[3], .chunk = 1};
    for (int a = 0; a < AXES; a++) {
        l.in[a] = x[1 + a];
        l.out[a] = y[1 + a];
        l.kernel[a] = op->results[0]->type.dims[1 + a];
        l.stride[a] = ir_ints_at(op, IR_ATTR_STRIDE, a);
        l.dilation[a] = ir_ints_at(op, IR_ATTR_DILATION, a);
        l.pad[a] = ir_ints_at(op, IR_ATTR_PAD, a);
    }
    while (l.chunk < l.images &&
           (l.images % l.chunk != 0 || l.images / l.chunk * result_count(&l) * ELEMENT > MOST_PARTIAL_BYTES))
        l.chunk++;
    l.chunks = l.images / l.chunk;
    return l;
}

/* ---- Loops that carry the sums ---- */

static int sum_count(const emitter *e) { return e->taps[Y] * e->taps[X]; }

static cg_loop sums_begin(emitter *e, LLVMValueRef from, LLVMValueRef to)
{
    cg_loop loop = cg_loop_begin(e->k, from, to, 1);
    for (int i = 0; i < sum_count(e); i++)
        e->sum[i] = cg_loop_carry(e->k, &loop, e->sum[i]);
    return loop;
}

static void sums_end(emitter *e, cg_loop *loop)
{
    for (int i = 0; i < sum_count(e); i++)
        cg_loop_update(e->k, loop, i, e->sum[i]);
    cg_loop_end(e->k, loop);
    for (int i = 0; i < sum_count(e); i++)
        e->sum[i] = loop->phi[i];
}

/* ---- A window ---- */

static LLVMValueRef pixel(emitter *e, LLVMValueRef base, int64_t width, LLVMValueRef row, LLVMValueRef column)
{
    cg_kernel *k = e->k;
    LLVMValueRef index = cg_add(k, cg_mul_const(k, row, width), column);
    return cg_at(k, base, cg_mul_const(k, index, e->l->channels * ELEMENT));
}

static LLVMValueRef in_range(cg_kernel *k, LLVMValueRef index, int64_t limit)
{
    return LLVMBuildICmp(k->b, LLVMIntULT, index, cg_i64(k, limit), "");
}

/* Where the first tap lies. */
static LLVMValueRef start_of(const emitter *e, int axis, LLVMValueRef window)
{
    cg_kernel *k = e->k;
    LLVMValueRef at = cg_add(k, cg_mul_const(k, window, e->l->stride[axis]), cg_i64(k, -e->l->pad[axis]));
    return cg_add(k, at, cg_mul_const(k, e->first[axis], e->l->dilation[axis]));
}

static void add_window(emitter *e, LLVMValueRef row, LLVMValueRef column, bool inside)
{
    cg_kernel *k = e->k;
    const layer *l = e->l;
    LLVMValueRef by = cg_load_lanes(k, e->vector, pixel(e, e->windows, l->out[X], row, column), e->mask);
    LLVMValueRef top = start_of(e, Y, row), left = start_of(e, X, column),
                 corner = pixel(e, e->image, l->in[X], top, left);
    for (int i = 0; i < sum_count(e); i++) {
        const int64_t down = i / e->taps[X] * l->dilation[Y], right = i % e->taps[X] * l->dilation[X];
        LLVMValueRef at = cg_at_const(k, corner, (down * l->in[X] + right) * l->channels * ELEMENT), there = NULL;
        if (!inside) {
            there = LLVMBuildAnd(k->b, in_range(k, cg_add(k, top, cg_i64(k, down)), l->in[Y]),
                                 in_range(k, cg_add(k, left, cg_i64(k, right)), l->in[X]), "");
            at = LLVMBuildSelect(k->b, there, at, e->image, "");
        }
        LLVMValueRef sum = cg_fma(k, cg_load_lanes(k, e->vector, at, e->mask), by, e->sum[i]);
        e->sum[i] = there ? LLVMBuildSelect(k->b, there, sum, e->sum[i], "") : sum;
    }
}

/* ---- All windows ---- */

/* Windows from … to have all their taps in the image. */
static void inner_windows(const emitter *e, int axis, LLVMValueRef *from, LLVMValueRef *to)
{
    cg_kernel *k = e->k;
    const layer *l = e->l;
    const int64_t step = l->stride[axis], reach = (e->taps[axis] - 1) * l->dilation[axis];
    LLVMValueRef zero = cg_i64(k, 0), moved = cg_mul_const(k, e->first[axis], l->dilation[axis]);
    LLVMValueRef before = cg_max(k, LLVMBuildSub(k->b, cg_i64(k, l->pad[axis]), moved, ""), zero);
    LLVMValueRef room =
        cg_max(k, LLVMBuildSub(k->b, cg_i64(k, l->in[axis] - 1 + l->pad[axis] - reach + step), moved, ""), zero);
    LLVMValueRef first = LLVMBuildUDiv(k->b, cg_add(k, before, cg_i64(k, step - 1)), cg_i64(k, step), "");
    LLVMValueRef end = LLVMBuildUDiv(k->b, room, cg_i64(k, step), ""), count = cg_i64(k, l->out[axis]);
    *from = cg_min(k, first, count);
    *to = cg_max(k, cg_min(k, end, count), *from);
}

static void add_row(emitter *e, LLVMValueRef row, LLVMValueRef from, LLVMValueRef to)
{
    cg_kernel *k = e->k;
    LLVMValueRef zero = cg_i64(k, 0), end = cg_i64(k, e->l->out[X]);
    cg_loop side = sums_begin(e, zero, cg_i64(k, 2));
    LLVMValueRef right = LLVMBuildICmp(k->b, LLVMIntNE, side.index, zero, "");
    cg_loop border =
        sums_begin(e, LLVMBuildSelect(k->b, right, to, zero, ""), LLVMBuildSelect(k->b, right, end, from, ""));
    add_window(e, row, border.index, false);
    sums_end(e, &border);
    sums_end(e, &side);
    cg_loop inner = sums_begin(e, from, to);
    add_window(e, row, inner.index, true);
    sums_end(e, &inner);
}

static void add_image(emitter *e)
{
    cg_kernel *k = e->k;
    LLVMValueRef from[AXES], to[AXES], none = cg_i64(k, e->l->out[X]);
    for (int a = 0; a < AXES; a++)
        inner_windows(e, a, &from[a], &to[a]);
    cg_loop rows = sums_begin(e, cg_i64(k, 0), cg_i64(k, e->l->out[Y]));
    LLVMValueRef whole = LLVMBuildAnd(k->b, LLVMBuildICmp(k->b, LLVMIntSGE, rows.index, from[Y], ""),
                                      LLVMBuildICmp(k->b, LLVMIntSLT, rows.index, to[Y], ""), "");
    add_row(e, rows.index, LLVMBuildSelect(k->b, whole, from[X], none, ""),
            LLVMBuildSelect(k->b, whole, to[X], none, ""));
    sums_end(e, &rows);
}

/* ---- Units ---- */

typedef struct unit {
    LLVMValueRef images, windows, sums; /* of its chunk, at its channels */
} unit;

/* The sums of the taps from e->first on, over the chunk. */
static void sum_taps(emitter *e, const unit *u)
{
    cg_kernel *k = e->k;
    const layer *l = e->l;
    const int64_t pixel_bytes = l->channels * ELEMENT;
    for (int i = 0; i < sum_count(e); i++)
        e->sum[i] = LLVMConstNull(e->vector);
    cg_loop images = sums_begin(e, cg_i64(k, 0), cg_i64(k, l->chunk));
    e->image = cg_at(k, u->images, cg_mul_const(k, images.index, l->in[Y] * l->in[X] * pixel_bytes));
    e->windows = cg_at(k, u->windows, cg_mul_const(k, images.index, l->out[Y] * l->out[X] * pixel_bytes));
    add_image(e);
    sums_end(e, &images);
    LLVMValueRef to = pixel(e, u->sums, l->kernel[X], e->first[Y], e->first[X]);
    for (int i = 0; i < sum_count(e); i++) {
        const int64_t tap = i / e->taps[X] * l->kernel[X] + i % e->taps[X];
        cg_store_lanes(k, e->sum[i], cg_at_const(k, to, tap * pixel_bytes), e->mask);
    }
}

static void sum_window(emitter *e, const unit *u)
{
    cg_kernel *k = e->k;
    cg_loop loop[AXES];
    for (int a = 0; a < AXES; a++) {
        const bool all = e->taps[a] == e->l->kernel[a];
        e->first[a] = cg_i64(k, 0);
        if (!all) {
            loop[a] = cg_loop_begin(k, cg_i64(k, 0), cg_i64(k, e->l->kernel[a]), 1);
            e->first[a] = loop[a].index;
        }
    }
    sum_taps(e, u);
    for (int a = AXES - 1; a >= 0; a--)
        if (e->taps[a] != e->l->kernel[a])
            cg_loop_end(k, &loop[a]);
}

static int64_t block_count(const emitter *e) { return (e->l->channels + e->lanes - 1) / e->lanes; }

static void emit_body(emitter *e)
{
    cg_kernel *k = e->k;
    const layer *l = e->l;
    const bool narrow = l->channels < e->lanes;
    const int64_t pixel_bytes = l->channels * ELEMENT;
    cg_loop units = cg_loop_begin(k, k->begin, k->end, 1);
    LLVMValueRef blocks = cg_i64(k, block_count(e));
    LLVMValueRef chunk = LLVMBuildUDiv(k->b, units.index, blocks, "");
    LLVMValueRef first = cg_mul_const(k, LLVMBuildURem(k->b, units.index, blocks, ""), e->lanes);
    e->mask = narrow ? cg_lane_mask(k, cg_i64(k, l->channels), e->lanes) : NULL;
    first = cg_mul_const(k, narrow ? cg_i64(k, 0) : cg_min(k, first, cg_i64(k, l->channels - e->lanes)), ELEMENT);
    const int64_t image = l->chunk * l->in[Y] * l->in[X] * pixel_bytes;
    const int64_t windows = l->chunk * l->out[Y] * l->out[X] * pixel_bytes;
    const unit u = {cg_at(k, cg_at(k, k->arg[ARG_X], cg_mul_const(k, chunk, image)), first),
                    cg_at(k, cg_at(k, k->arg[ARG_BY_Y], cg_mul_const(k, chunk, windows)), first),
                    cg_at(k, cg_at(k, k->arg[ARG_SUMS], cg_mul_const(k, chunk, result_count(l) * ELEMENT)), first)};
    sum_window(e, &u);
    cg_loop_end(k, &units);
}

/* As many taps as there are registers for. */
static void choose_taps(emitter *e, unsigned registers)
{
    const layer *l = e->l;
    const int64_t most = registers - OTHER_REGISTERS < MOST_SUMS ? registers - OTHER_REGISTERS : MOST_SUMS;
    e->taps[X] = l->kernel[X] <= most ? (int)l->kernel[X] : 1;
    e->taps[Y] = e->taps[X] == l->kernel[X] && l->kernel[Y] <= most / l->kernel[X] ? (int)l->kernel[Y] : 1;
}

/* ---- What the table asks for ---- */

cg_fit cg_depthwise_gradient_fits(const ir_op *op, const target_info *target)
{
    (void)target;
    for (int i = 0; i < 2; i++)
        if (ir_type_elements(&op->operands[i].value->type) == 0)
            return cg_best_if(false, "nothing to sum");
    return (cg_fit){.how = CG_BEST};
}

size_t cg_depthwise_gradient_scratch(const ir_op *op, const target_info *target)
{
    (void)target;
    const layer l = layer_of(op);
    return l.chunks > 1 ? cg_scratch_part((size_t)(l.chunks * result_count(&l) * ELEMENT)) : 0;
}

static const char *key_of(const emitter *e, arena *a)
{
    const layer *l = e->l;
    cg_key key = {.length = 0};
    cg_key_add(&key, "depthwise_gradient %lld/%lld c%lld", (long long)l->images, (long long)l->chunk,
               (long long)l->channels);
    for (int i = 0; i < AXES; i++)
        cg_key_add(&key, " %lld:%lld k%lld s%lld d%lld p%lld", (long long)l->in[i], (long long)l->out[i],
                   (long long)l->kernel[i], (long long)l->stride[i], (long long)l->dilation[i], (long long)l->pad[i]);
    return arena_format(a, "%s", key.text);
}

bool cg_emit_depthwise_gradient(cg_module *m, const ir_op *op)
{
    const layer l = layer_of(op);
    emitter e = {.l = &l, .lanes = m->target->vector_bytes / ELEMENT, .vector = NULL};
    if (result_count(&l) == 0)
        return true;
    choose_taps(&e, m->target->registers);
    const cg_arg sums = l.chunks > 1 ? cg_arg_scratch(m, op) : cg_arg_value(op->results[0]);
    const cg_arg args[ARG_COUNT] = {cg_arg_value(op->operands[0].value), cg_arg_value(op->operands[1].value), sums};
    cg_kernel k;
    if (cg_kernel_begin(m, &k, key_of(&e, m->arena), op, ARG_COUNT)) {
        e.k = &k;
        e.vector = cg_vector(m->f32, e.lanes);
        emit_body(&e);
        cg_kernel_end(&k);
    }
    const cg_step_info info = {.units = (uint32_t)(l.chunks * block_count(&e)),
                               .macs = (uint64_t)(l.images * l.out[Y] * l.out[X] * result_count(&l))};
    cg_step_add(m, &k, op, &info, ARG_COUNT, args);
    if (l.chunks > 1)
        cg_emit_chunk_sum(m, op, sums, l.chunks, result_count(&l));
    return true;
}
