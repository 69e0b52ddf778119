/* ref_pool.c: max_pool2d and avg_pool2d: each channel of a pixel from the window's taps inside the image; and where the
 * gradient of the former goes. */
#include <float.h>
#include <stdlib.h>

#include "ir/ref/ref_quant.h"

typedef struct pool {
    int64_t n, ih, iw, c, oh, ow, kh, kw, sy, sx, py, px;
} pool;

/* window_values: an element for each window and channel. */
static pool pool_of(const ir_op *op, const ir_value *window_values)
{
    const ir_type *x = &op->operands[0].value->type, *y = &window_values->type;
    return (pool){
        /* clang-format off */
        .n = x->dims[0], .ih = x->dims[1], .iw = x->dims[2], .c = x->dims[3], .oh = y->dims[1], .ow = y->dims[2],
        .kh = ir_ints_at(op, IR_ATTR_KERNEL, 0), .kw = ir_ints_at(op, IR_ATTR_KERNEL, 1),
        .sy = ir_ints_at(op, IR_ATTR_STRIDE, 0), .sx = ir_ints_at(op, IR_ATTR_STRIDE, 1),
        .py = ir_ints_at(op, IR_ATTR_PAD, 0), .px = ir_ints_at(op, IR_ATTR_PAD, 1),
        /* clang-format on */
    };
}

static bool within(const ir_op *op, ir_attr_id id, int count, int64_t min, diag *d)
{
    const int64_t *v;
    if (ir_ints(op, id, &v) != count)
        return ir_refuse(op, d, "%s needs %d numbers", ir_attr_info_of(id)->text, count);
    for (int i = 0; i < count; i++)
        if (v[i] < min || v[i] > 1 << 24)
            return ir_refuse(op, d, "%s %lld is out of range", ir_attr_info_of(id)->text, (long long)v[i]);
    return true;
}

static bool check_windows(const ir_op *op, const ir_value *window_values, diag *d)
{
    const ir_type *x = &op->operands[0].value->type, *y = &window_values->type;
    if (x->rank != 4 || y->rank != 4 || x->dims[0] != y->dims[0] || x->dims[3] != y->dims[3])
        return ir_refuse(op, d, "image and windows need four dimensions, the same batch and channels");
    return within(op, IR_ATTR_KERNEL, 2, 1, d) && within(op, IR_ATTR_STRIDE, 2, 1, d) &&
           within(op, IR_ATTR_PAD, 4, 0, d);
}

bool ir_check_pool(const ir_op *op, diag *d)
{
    const ir_type *x = &op->operands[0].value->type;
    if (!check_windows(op, op->results[0], d))
        return false;
    if (x->dtype == IR_F32)
        return true;
    return ir_check_quantized(op, op->operands[0].value, "operand", d) && ir_check_same_quant(op, d);
}

/* Window positions y0…y1-1, x0…x1-1 of result pixel (oy, ox). */
typedef struct extent {
    int64_t y0, y1, x0, x1;
} extent;

static extent extent_of(const pool *p, int64_t oy, int64_t ox)
{
    const int64_t y = oy * p->sy - p->py, x = ox * p->sx - p->px;
    extent e = {y < 0 ? 0 : y, y + p->kh < p->ih ? y + p->kh : p->ih, x < 0 ? 0 : x,
                x + p->kw < p->iw ? x + p->kw : p->iw};
    if (e.y0 >= e.y1 || e.x0 >= e.x1)
        e = (extent){0, 0, 0, 0};
    return e;
}

static void real_pixel(const pool *p, const extent *e, const void *image, bool max, float low, float high,
                       int64_t out_first, float acc[], void *out)
{
    for (int64_t c = 0; c < p->c; c++)
        acc[c] = max ? -FLT_MAX : 0;
    for (int64_t y = e->y0; y < e->y1; y++)
        for (int64_t x = e->x0; x < e->x1; x++)
            for (int64_t c = 0; c < p->c; c++) {
                const float v = ir_f32_at(image, (y * p->iw + x) * p->c + c);
                acc[c] = max ? acc[c] < v ? v : acc[c] : acc[c] + v;
            }
    const int64_t n = (e->y1 - e->y0) * (e->x1 - e->x0);
    for (int64_t c = 0; c < p->c; c++)
        ir_f32_put(out, out_first + c, ir_clamp_f32(max ? acc[c] : n ? acc[c] / (float)n : 0, low, high));
}

static int32_t average(ir_enum_ROUNDING rounding, int64_t sum, int64_t n, int32_t zero, int32_t origin, int32_t min,
                       int32_t max)
{
    if (n == 0)
        return ir_clamp_i32(zero, min, max);
    if (rounding == IR_ROUNDING_EVEN_F32)
        return ir_round_even_f32((float)(sum - n * zero) * (1.0f / (float)n), zero, min, max);
    const int64_t raw = sum - n * origin;
    return ir_clamp_i32((raw > 0 ? raw + n / 2 : raw - n / 2) / n + origin, min, max);
}

static bool real_pool(const ir_op *op, const pool *p, const void *from, void *to, diag *d)
{
    float low, high, *acc = malloc(((size_t)p->c + 1) * sizeof *acc);
    if (!acc)
        return ir_out_of_memory(op, d);
    ir_act_bounds_f32((ir_enum_ACT)ir_int(op, IR_ATTR_ACT), &low, &high);
    for (int64_t row = 0; row < p->n * p->oh * p->ow; row++) {
        const extent e = extent_of(p, row / p->ow % p->oh, row % p->ow);
        const char *image = (const char *)from + row / (p->ow * p->oh) * p->ih * p->iw * p->c * 4;
        real_pixel(p, &e, image, op->code == IR_MAX_POOL2D, low, high, row * p->c, acc, to);
    }
    free(acc);
    return true;
}

static bool int_pool(const ir_op *op, const pool *p, const void *from, void *to, diag *d)
{
    const ir_value *x = op->operands[0].value;
    const ir_dtype type = x->type.dtype;
    const bool is_max = op->code == IR_MAX_POOL2D;
    const ir_enum_ROUNDING rounding = is_max ? IR_ROUNDING_EVEN_F32 : (ir_enum_ROUNDING)ir_int(op, IR_ATTR_ROUNDING);
    const int32_t origin = is_max ? 0 : ir_clamp_i32(ir_int(op, IR_ATTR_ORIGIN), INT16_MIN, INT16_MAX),
                  zero = ir_zero_of(x);
    int32_t min, max, *row_values = malloc(((size_t)p->c + 1) * sizeof *row_values);
    int64_t *acc = malloc(((size_t)p->c + 1) * sizeof *acc);
    const bool fine = row_values && acc;
    ir_result_bounds(op->results[0], (ir_enum_ACT)ir_int(op, IR_ATTR_ACT), &min, &max);
    for (int64_t row = 0; fine && row < p->n * p->oh * p->ow; row++) {
        const extent e = extent_of(p, row / p->ow % p->oh, row % p->ow);
        const int64_t image = row / (p->ow * p->oh) * p->ih * p->iw;
        for (int64_t c = 0; c < p->c; c++)
            acc[c] = is_max ? INT32_MIN : 0;
        for (int64_t iy = e.y0; iy < e.y1; iy++)
            for (int64_t ix = e.x0; ix < e.x1; ix++) {
                ir_ints_load_i32(type, from, (image + iy * p->iw + ix) * p->c, p->c, 0, row_values);
                for (int64_t c = 0; c < p->c; c++)
                    acc[c] = is_max ? acc[c] < row_values[c] ? row_values[c] : acc[c] : acc[c] + row_values[c];
            }
        const int64_t n = (e.y1 - e.y0) * (e.x1 - e.x0);
        for (int64_t c = 0; c < p->c; c++)
            ir_int_put(type, to, row * p->c + c,
                       is_max ? ir_clamp_i32(acc[c], min, max) : average(rounding, acc[c], n, zero, origin, min, max));
    }
    free(row_values);
    free(acc);
    return fine || ir_out_of_memory(op, d);
}

bool ir_ref_pool(const ir_op *op, const void *const operands[], void *const results[], diag *d)
{
    const pool p = pool_of(op, op->results[0]);
    if (ir_type_elements(&op->results[0]->type) == 0)
        return true;
    return op->operands[0].value->type.dtype == IR_F32 ? real_pool(op, &p, operands[0], results[0], d)
                                                       : int_pool(op, &p, operands[0], results[0], d);
}

bool ir_check_max_pool_gradient(const ir_op *op, diag *d)
{
    return check_windows(op, op->operands[1].value, d) && ir_check_same_shape(op, d);
}

/* To the first largest tap: NaN is none, and a window of nothing else has none. */
bool ir_ref_max_pool_gradient(const ir_op *op, const void *const operands[], void *const results[], diag *d)
{
    const pool p = pool_of(op, op->operands[1].value);
    (void)d;
    memset(results[0], 0, ir_type_bytes(&op->results[0]->type));
    for (int64_t row = 0; row < p.n * p.oh * p.ow; row++) {
        const extent e = extent_of(&p, row / p.ow % p.oh, row % p.ow);
        const int64_t image = row / (p.ow * p.oh) * p.ih * p.iw;
        for (int64_t c = 0; c < p.c; c++) {
            int64_t largest = -1;
            for (int64_t y = e.y0; y < e.y1; y++)
                for (int64_t x = e.x0; x < e.x1; x++) {
                    const int64_t at = (image + y * p.iw + x) * p.c + c;
                    const float most = largest < 0 ? -INFINITY : ir_f32_at(operands[0], largest);
                    const float v = ir_f32_at(operands[0], at);
                    if (v > most || (largest < 0 && v == most))
                        largest = at;
                }
            if (largest >= 0)
                ir_f32_put(results[0], largest, ir_f32_at(results[0], largest) + ir_f32_at(operands[1], row * p.c + c));
        }
    }
    return true;
}
