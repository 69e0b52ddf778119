/* weights_gradient.c: conv2d_weights_gradient as a matrix product with direct addressing.
 *
 *     rows       taps and input channels: [KH, KW, I], each at a constant distance from the window's first byte
 *     columns    output channels
 *     K          the windows: by_y is packed as weights are, a step for each window, whose first byte is the step's offset
 *
 *     x ──[copy into a padded image]──▶ product for each chunk of images ──▶ partial sums ──[sum]──▶ result
 *     by_y ──pack──▶ panels
 *
 * K is long: in chunks a panel stays in the cache while the rows pass by, and there are more units for threads.  How
 * images are cut into chunks does not depend on how many of these there are. */
#include <math.h>
#include <string.h>

#include "compiler/codegen/matmul/mac.h"
#include "compiler/codegen/matmul/pack.h"
#include "compiler/codegen/move/copy.h"
#include "compiler/codegen/rows/chunk_sum.h"

enum { ELEMENT = 4, LEAST_STEPS = 1024, MOST_PARTIAL_BYTES = 16 << 20, MOST_WINDOWS = 1 << 24 };

typedef struct layer {
    const ir_op *op;
    int64_t images, in_h, in_w, in_c, out_h, out_w, out_c, k_h, k_w;
    int64_t stride[2], dilation[2], pad[2];
    int64_t need_h, need_w; /* extents of the padded image that windows touch */
    bool copies;
    int64_t chunk, chunks; /* images of one; how many */
    cg_steps steps;        /* windows of a chunk */
    /* scratch: parts, each a multiple of 64 bytes */
    size_t copy_bytes, packed_bytes, bias_bytes, partial_bytes;
} layer;

static int64_t result_bytes(const layer *l) { return l->k_h * l->k_w * l->in_c * l->out_c * ELEMENT; }

/* The fewest images that make K long enough, and partial sums few enough. */
static void cut_images(layer *l)
{
    const int64_t windows = l->out_h * l->out_w;
    for (l->chunk = 1; l->chunk < l->images; l->chunk++)
        if (l->images % l->chunk == 0 && l->chunk * windows >= LEAST_STEPS &&
            l->images / l->chunk * result_bytes(l) <= MOST_PARTIAL_BYTES)
            break;
    l->chunks = l->images / l->chunk;
}

/* The windows of a chunk in an image with these byte strides. */
static cg_steps steps_of(arena *a, const layer *l, const cg_gemm_rows *x)
{
    const int64_t count = l->chunk * l->out_h * l->out_w;
    int64_t *offset = ARENA_ARRAY(a, int64_t, count + 1);
    for (int64_t i = 0; i < count; i++)
        offset[i] = i / (l->out_h * l->out_w) * x->image + i / l->out_w % l->out_h * l->stride[0] * x->y +
                    i % l->out_w * l->stride[1] * x->x;
    return cg_steps_of_runs(a, (int)count, offset, 1, ELEMENT);
}

static cg_gemm_rows padded_rows(const layer *l)
{
    const int64_t pixel = l->in_c * ELEMENT;
    return (cg_gemm_rows){.x = pixel, .y = l->need_w * pixel, .image = l->need_h * l->need_w * pixel};
}

static cg_gemm_rows dense_rows(const layer *l)
{
    const int64_t pixel = l->in_c * ELEMENT;
    return (cg_gemm_rows){.x = pixel, .y = l->in_w * pixel, .image = l->in_h * l->in_w * pixel};
}

static layer layer_of(arena *a, const ir_op *op)
{
    const int64_t *x = op->operands[0].value->type.dims, *y = op->operands[1].value->type.dims;
    layer l = {.op = op,
               .images = x[0],
               .in_h = x[1],
               .in_w = x[2],
               .in_c = x[3],
               .out_h = y[1],
               .out_w = y[2],
               .out_c = y[3],
               .k_h = op->results[0]->type.dims[0],
               .k_w = op->results[0]->type.dims[1]};
    for (int d = 0; d < 2; d++) {
        l.stride[d] = ir_ints_at(op, IR_ATTR_STRIDE, d);
        l.dilation[d] = ir_ints_at(op, IR_ATTR_DILATION, d);
        l.pad[d] = ir_ints_at(op, IR_ATTR_PAD, d);
    }
    l.need_h = (l.out_h - 1) * l.stride[0] + (l.k_h - 1) * l.dilation[0] + 1;
    l.need_w = (l.out_w - 1) * l.stride[1] + (l.k_w - 1) * l.dilation[1] + 1;
    l.copies = l.pad[0] > 0 || l.pad[1] > 0 || l.need_h > l.in_h || l.need_w > l.in_w;
    if (l.copies)
        l.copy_bytes = cg_scratch_part((size_t)(l.images * l.need_h * l.need_w * l.in_c * ELEMENT));
    cut_images(&l);
    const cg_gemm_rows rows = l.copies ? padded_rows(&l) : dense_rows(&l);
    l.steps = steps_of(a, &l, &rows);
    l.packed_bytes = cg_scratch_part(cg_prepacked_bytes(&l.steps, l.chunks, l.out_c));
    l.bias_bytes = cg_scratch_part((size_t)(l.chunks * cg_prepacked_columns(l.out_c)) * 4);
    l.partial_bytes = l.chunks > 1 ? cg_scratch_part((size_t)(l.chunks * result_bytes(&l))) : 0;
    return l;
}

cg_fit cg_weights_gradient_fits(const ir_op *op, const target_info *target)
{
    const ir_type *x = &op->operands[0].value->type, *by_y = &op->operands[1].value->type;
    (void)target;
    if (ir_type_elements(x) == 0 || ir_type_elements(by_y) == 0)
        return cg_best_if(false, "nothing to sum");
    return cg_best_if(x->dims[0] * by_y->dims[1] * by_y->dims[2] <= MOST_WINDOWS, "so many windows");
}

size_t cg_weights_gradient_scratch(const ir_op *op, const target_info *target)
{
    (void)target;
    arena *a = arena_new();
    const layer l = layer_of(a, op);
    arena_free(a);
    return l.copy_bytes + l.packed_bytes + l.bias_bytes + l.partial_bytes;
}

static cg_arg scratch_part(const cg_module *m, const layer *l, int which)
{
    const size_t sizes[4] = {l->copy_bytes, l->packed_bytes, l->bias_bytes, l->partial_bytes};
    size_t offset = 0;
    for (int i = 0; i < which; i++)
        offset += sizes[i];
    return cg_arg_part(cg_arg_scratch(m, l->op), (int64_t)offset, (int64_t)sizes[which]);
}

/* Emits the copy, if there has to be one, and says where the image is. */
static cg_gemm_rows image_rows(cg_module *m, const layer *l)
{
    cg_gemm_rows from = dense_rows(l), to = padded_rows(l);
    from.arg = cg_arg_value(l->op->operands[0].value);
    if (!l->copies)
        return from;
    to.arg = scratch_part(m, l, 0);
    const cg_pad_copy copy = {.op = l->op,
                              .from = from,
                              .to = to,
                              .images = l->images,
                              .in_h = l->in_h,
                              .in_w = l->in_w,
                              .out_h = l->need_h,
                              .out_w = l->need_w,
                              .top = l->pad[0],
                              .left = l->pad[1],
                              .pixel_bytes = from.x};
    cg_pad_copy_emit(m, &copy);
    return to;
}

static void pack_windows(cg_module *m, const layer *l, cg_gemm *g, int blocks)
{
    cg_pack pack = {.op = l->op,
                    .steps = &l->steps,
                    .source = cg_arg_value(l->op->operands[1].value),
                    .k_stride = l->out_c * ELEMENT,
                    .n_stride = ELEMENT,
                    .depth = l->steps.count,
                    .columns = l->out_c,
                    .blocks = blocks,
                    .is_float = true};
    pack.offsets = (cg_group_offsets){.count = l->chunks, .step = l->steps.count * pack.k_stride};
    pack.packed = g->weights = scratch_part(m, l, 1);
    pack.bias = g->bias = scratch_part(m, l, 2);
    cg_pack_emit(m, &pack);
}

static cg_gemm product_of(cg_module *m, const layer *l)
{
    const cg_gemm_rows x = image_rows(m, l);
    const int64_t row = l->out_c * ELEMENT;
    const bool joined = l->dilation[1] == 1; /* the taps of a line touch one another */
    cg_gemm g = {.op = l->op,
                 .is_float = true,
                 .images = l->k_h,
                 .height = joined ? 1 : l->k_w,
                 .width = joined ? l->k_w * l->in_c : l->in_c,
                 .columns = l->out_c,
                 .groups = l->chunks,
                 .steps = l->steps.count,
                 .x = {x.arg, l->dilation[0] * x.y, l->dilation[1] * x.x, ELEMENT},
                 .out = {l->chunks > 1 ? scratch_part(m, l, 3) : cg_arg_value(l->op->results[0]),
                         l->k_w * l->in_c * row, l->in_c * row, row},
                 .x_group = l->chunk * x.image,
                 .out_group = result_bytes(l),
                 .out_type = IR_F32,
                 .min = -INFINITY,
                 .max = INFINITY,
                 .sum_factor = 1};
    g.macs = (uint64_t)(l->images * l->out_h * l->out_w * result_bytes(l) / ELEMENT);
    cg_gemm_flatten(&g);
    return g;
}

bool cg_emit_weights_gradient(cg_module *m, const ir_op *op)
{
    if (ir_type_elements(&op->results[0]->type) == 0)
        return true;
    const layer l = layer_of(m->arena, op);
    cg_gemm g = product_of(m, &l);
    const schedule_tiles tiles = cg_gemm_tiles(m, &g);
    pack_windows(m, &l, &g, tiles.blocks);
    cg_mac_bind_steps(m, &g, &l.steps);
    if (!cg_gemm_emit(m, &g, &tiles))
        return false;
    if (l.chunks > 1)
        cg_emit_chunk_sum(m, op, scratch_part(m, &l, 3), l.chunks, result_bytes(&l) / ELEMENT);
    return true;
}
