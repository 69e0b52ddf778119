/* ref_transpose_conv.c: transpose_conv2d.
 *
 * Operand pixel (iy, ix) adds x * w[o, ky, kx] to result pixel (iy * stride - pad + ky, …).  Computed per result
 * pixel, over operand pixels in row-major order, then channels: the order in which TFLite's scattering form adds real
 * numbers. */
#include <stdlib.h>

#include "ir/ref/ref_quant.h"

typedef struct geometry {
    int64_t n, ih, iw, ic, oh, ow, oc, kh, kw, sy, sx, py, px;
} geometry;

static geometry geometry_of(const ir_op *op)
{
    const ir_type *x = &op->operands[0].value->type, *w = &op->operands[1].value->type, *y = &op->results[0]->type;
    return (geometry){
        /* clang-format off */
        .n = x->dims[0], .ih = x->dims[1], .iw = x->dims[2], .ic = x->dims[3],
        .oh = y->dims[1], .ow = y->dims[2], .oc = y->dims[3], .kh = w->dims[1], .kw = w->dims[2],
        .sy = ir_ints_at(op, IR_ATTR_STRIDE, 0), .sx = ir_ints_at(op, IR_ATTR_STRIDE, 1),
        .py = ir_ints_at(op, IR_ATTR_PAD, 0), .px = ir_ints_at(op, IR_ATTR_PAD, 1),
        /* clang-format on */
    };
}

bool ir_check_transpose_conv2d(const ir_op *op, diag *d)
{
    const ir_type *x = &op->operands[0].value->type, *w = &op->operands[1].value->type, *y = &op->results[0]->type;
    const int64_t *stride, *pad, limit = 1 << 24;
    if (x->rank != 4 || w->rank != 4 || y->rank != 4)
        return ir_refuse(op, d, "operand, weights and result need four dimensions");
    if (x->dims[0] != y->dims[0] || w->dims[0] != y->dims[3] || w->dims[3] != x->dims[3])
        return ir_refuse(op, d, "shapes do not fit");
    if (ir_ints(op, IR_ATTR_STRIDE, &stride) != 2 || ir_ints(op, IR_ATTR_PAD, &pad) != 4)
        return ir_refuse(op, d, "stride needs two numbers, pad four");
    if (stride[0] < 1 || stride[1] < 1 || stride[0] > limit || stride[1] > limit || pad[0] < -limit || pad[0] > limit ||
        pad[1] < -limit || pad[1] > limit)
        return ir_refuse(op, d, "stride or pad is out of range");
    return ir_mac_check(op, y->dims[3], 0, d);
}

/* Operand positions first…end-1 that reach result position `at` (pad added) with a tap 0…taps-1. */
static void reaching(int64_t at, int64_t stride, int64_t taps, int64_t extent, int64_t *first, int64_t *end)
{
    *first = at - taps + 1 > 0 ? (at - taps + stride) / stride : 0;
    *end = at < 0 ? 0 : at / stride + 1;
    *end = *end > extent ? extent : *end;
    *first = *first > *end ? *end : *first;
}

static bool int_pixels(const ir_op *op, const void *const operands[], const ir_mac_end *end, diag *d)
{
    const geometry g = geometry_of(op);
    const ir_value *x = op->operands[0].value, *w = op->operands[1].value;
    const int64_t image_n = ir_type_elements(&x->type), filter_n = ir_type_elements(&w->type);
    const int64_t per_filter = g.kh * g.kw * g.ic;
    int16_t *image = malloc(((size_t)image_n + 1) * sizeof *image),
            *filters = malloc(((size_t)filter_n + 1) * sizeof *filters);
    int64_t *acc = malloc(((size_t)g.oc + 1) * sizeof *acc);
    const bool fine = image && filters && acc;
    if (fine) {
        ir_ints_load_i16(x->type.dtype, operands[0], 0, image_n, x->quant->zero[0], image);
        for (int64_t o = 0; o < g.oc; o++)
            ir_ints_load_i16(w->type.dtype, operands[1], o * per_filter, per_filter,
                             w->quant->zero[w->quant->axis < 0 ? 0 : o], filters + o * per_filter);
    }
    for (int64_t row = 0; fine && row < g.n * g.oh * g.ow; row++) {
        const int64_t ay = row / g.ow % g.oh + g.py, ax = row % g.ow + g.px, batch = row / (g.ow * g.oh);
        int64_t iy0, iy1, ix0, ix1;
        reaching(ay, g.sy, g.kh, g.ih, &iy0, &iy1);
        reaching(ax, g.sx, g.kw, g.iw, &ix0, &ix1);
        memset(acc, 0, (size_t)g.oc * sizeof *acc);
        for (int64_t iy = iy0; iy < iy1; iy++)
            for (int64_t ix = ix0; ix < ix1; ix++) {
                const int16_t *a = image + ((batch * g.ih + iy) * g.iw + ix) * g.ic;
                const int16_t *b = filters + ((ay - iy * g.sy) * g.kw + ax - ix * g.sx) * g.ic;
                for (int64_t o = 0; o < g.oc; o++)
                    for (int64_t i = 0; i < g.ic; i++)
                        acc[o] += (int32_t)a[i] * b[o * per_filter + i];
            }
        for (int64_t o = 0; o < g.oc; o++) {
            const int32_t narrow = (int32_t)(uint32_t)(uint64_t)acc[o];
            if (x->type.dtype == IR_I16)
                ir_mac_end_i64(end, row, o, 1, &acc[o]);
            else
                ir_mac_end_i32(end, row, o, 1, &narrow);
        }
    }
    free(image);
    free(filters);
    free(acc);
    return fine || ir_out_of_memory(op, d);
}

static void real_pixels(const ir_op *op, const void *const operands[], const ir_mac_end *end)
{
    const geometry g = geometry_of(op);
    for (int64_t row = 0; row < g.n * g.oh * g.ow; row++) {
        const int64_t ay = row / g.ow % g.oh + g.py, ax = row % g.ow + g.px, batch = row / (g.ow * g.oh);
        int64_t iy0, iy1, ix0, ix1;
        reaching(ay, g.sy, g.kh, g.ih, &iy0, &iy1);
        reaching(ax, g.sx, g.kw, g.iw, &ix0, &ix1);
        for (int64_t o = 0; o < g.oc; o++) {
            float sum = 0;
            for (int64_t iy = iy0; iy < iy1; iy++)
                for (int64_t ix = ix0; ix < ix1; ix++) {
                    const int64_t a = ((batch * g.ih + iy) * g.iw + ix) * g.ic;
                    const int64_t b = ((o * g.kh + ay - iy * g.sy) * g.kw + ax - ix * g.sx) * g.ic;
                    for (int64_t i = 0; i < g.ic; i++)
                        sum += ir_f32_at(operands[0], a + i) * ir_f32_at(operands[1], b + i);
                }
            ir_mac_end_f32(end, row, o, 1, &sum);
        }
    }
}

bool ir_ref_transpose_conv2d(const ir_op *op, const void *const operands[], void *const results[], diag *d)
{
    ir_mac_end end;
    bool fine = true;
    if (ir_type_elements(&op->results[0]->type) == 0)
        return true;
    if (!ir_mac_end_init(&end, op, operands, results[0], d))
        return false;
    if (end.real)
        real_pixels(op, operands, &end);
    else
        fine = int_pixels(op, operands, &end, d);
    ir_mac_end_free(&end);
    return fine;
}
