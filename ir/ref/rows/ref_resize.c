/* ref_resize.c: images of another height and width.
 *
 * The nearest pixel is found in float32.  Bilinear interpolation of integers depends on `rounding`:
 *
 *     even_f32     float32 weights on centred integers (q - zero), ties to even
 *     fixed_twice  as TFLite: signed integers take weights of 10 fractional bits and round the product of two half away
 *                  from the integer `origin` (0; 128 for an int8 image in unsigned form); plain u8 (origin 0) takes
 *                  float32 weights on the stored integers and rounds half up */
#include "ir/ref/ref_move.h"

static bool check_images(const ir_op *op, diag *d)
{
    const ir_type *x = ir_operand_type(op, 0), *y = ir_result_type(op, 0);
    if (x->rank != 4 || y->rank != 4 || x->dims[0] != y->dims[0] || x->dims[3] != y->dims[3])
        return ir_refuse(op, d, "operand and result must be images that differ only in height and width");
    if (ir_type_elements(y) > 0 && ir_type_elements(x) == 0)
        return ir_refuse(op, d, "the operand has no pixels");
    const float *ratio;
    const int32_t count = ir_floats(op, IR_ATTR_RATIO, &ratio);
    for (int i = 0; i < count; i++)
        if (!(ratio[i] >= 0 && ratio[i] < 65536))
            return ir_refuse(op, d, "ratio %g", (double)ratio[i]);
    if (count != 2)
        return ir_refuse(op, d, "%d ratios", count);
    return ir_check_same_quant(op, d);
}

bool ir_check_resize_nearest(const ir_op *op, diag *d) { return check_images(op, d); }

bool ir_check_resize_bilinear(const ir_op *op, diag *d)
{
    const int64_t origin = ir_int(op, IR_ATTR_ORIGIN);
    if (origin < INT16_MIN || origin > INT16_MAX)
        return ir_refuse(op, d, "origin %lld", (long long)origin);
    const float *ratio;
    if (ir_floats(op, IR_ATTR_RATIO, &ratio) == 2 && (ratio[0] != 0 || ratio[1] != 0) &&
        ir_operand_type(op, 0)->dtype != IR_F32 && ir_int(op, IR_ATTR_ROUNDING) != IR_ROUNDING_EVEN_F32)
        return ir_refuse(op, d, "with a ratio of its own it is defined for the rounding even_f32 only");
    if (op->results[0]->quant && !ir_check_quantized(op, op->results[0], "result", d))
        return false;
    return check_images(op, d);
}

/* Distance of the result's pixels in the operand. */
static float ratio_of(const ir_op *op, int d)
{
    const float *given, in = (float)ir_operand_type(op, 0)->dims[d], out = (float)ir_result_type(op, 0)->dims[d];
    ir_floats(op, IR_ATTR_RATIO, &given);
    if (ir_int(op, IR_ATTR_ALIGN) && out > 1)
        return (in - 1) / (out - 1);
    return given[d - 1] > 0 ? given[d - 1] : in / out;
}

int64_t ir_resize_nearest(const ir_op *op, int d, int64_t at)
{
    const int64_t in = ir_operand_type(op, 0)->dims[d];
    const float offset = ir_int(op, IR_ATTR_HALF_PIXEL) ? 0.5f : 0.0f;
    const float position = ((float)at + offset) * ratio_of(op, d);
    const int64_t pixel = (int64_t)(ir_int(op, IR_ATTR_ALIGN) ? roundf(position) : floorf(position));
    return pixel < 0 ? 0 : pixel > in - 1 ? in - 1 : pixel;
}

bool ir_ref_resize_nearest(const ir_op *op, const void *const operands[], void *const results[], diag *d)
{
    (void)d;
    const ir_type *x = ir_operand_type(op, 0), *y = ir_result_type(op, 0);
    const size_t pixel = (size_t)x->dims[3] * ir_dtype_bytes(x->dtype);
    unsigned char *to = results[0];
    for (int64_t n = 0; n < y->dims[0]; n++)
        for (int64_t i = 0; i < y->dims[1]; i++) {
            const int64_t row = n * x->dims[1] + ir_resize_nearest(op, 1, i);
            for (int64_t j = 0; j < y->dims[2]; j++, to += pixel) {
                const int64_t column = ir_resize_nearest(op, 2, j);
                memcpy(to, (const unsigned char *)operands[0] + (size_t)(row * x->dims[2] + column) * pixel, pixel);
            }
        }
    return true;
}

/* ---- Bilinear: the two pixels a position lies between, and how far from the lower one ---- */

static ir_tap float_tap(const ir_op *op, int d, int64_t at, int64_t in)
{
    const float scale = ratio_of(op, d);
    const float position = ir_int(op, IR_ATTR_HALF_PIXEL) ? ((float)at + 0.5f) * scale - 0.5f : (float)at * scale;
    const int64_t low = (int64_t)floorf(position), high = (int64_t)ceilf(position);
    ir_tap t = {.low = low > 0 ? low : 0, .high = high < in - 1 ? high : in - 1};
    t.low = t.low < in - 1 ? t.low : in - 1;
    t.part = position - (float)t.low;
    return t;
}

static ir_tap fixed_tap(const ir_op *op, int64_t at, int64_t in, int64_t out)
{
    const int64_t scale = ir_int(op, IR_ATTR_ALIGN) && out > 1 ? (1024 * (in - 1) + (out - 1) / 2) / (out - 1)
                                                               : (1024 * in + out / 2) / out;
    const int64_t position = ir_int(op, IR_ATTR_HALF_PIXEL) ? at * scale + scale / 2 - 512 : at * scale;
    const int64_t low = position / 1024, high = (position + 1023) / 1024;
    ir_tap t = {.low = low > 0 ? low : 0, .high = high < in - 1 ? high : in - 1};
    t.low = t.low < in - 1 ? t.low : in - 1;
    t.fixed_part = (int32_t)(position - 1024 * t.low);
    return t;
}

ir_tap ir_resize_tap(const ir_op *op, bool fixed, int d, int64_t at)
{
    const int64_t in = ir_operand_type(op, 0)->dims[d], out = ir_result_type(op, 0)->dims[d];
    return fixed ? fixed_tap(op, at, in, out) : float_tap(op, d, at, in);
}

static float blend(const float p[4], ir_tap v, ir_tap h)
{
    return p[0] * (1 - v.part) * (1 - h.part) + p[1] * v.part * (1 - h.part) + p[2] * (1 - v.part) * h.part +
           p[3] * v.part * h.part;
}

static int64_t blend_fixed(const int64_t p[4], ir_tap v, ir_tap h)
{
    const int64_t sum = p[0] * (1024 - v.fixed_part) * (1024 - h.fixed_part) +
                        p[1] * v.fixed_part * (1024 - h.fixed_part) + p[2] * (1024 - v.fixed_part) * h.fixed_part +
                        p[3] * v.fixed_part * h.fixed_part;
    return (sum + (sum > 0 ? 1 << 19 : -(1 << 19))) / (1 << 20);
}

typedef struct blender {
    const ir_op *op;
    const ir_type *x, *y;
    bool fixed, even;
    int32_t centre; /* subtracted before, added after */
    int32_t min, max;
} blender;

static blender blender_of(const ir_op *op)
{
    blender b = {.op = op, .x = ir_operand_type(op, 0), .y = ir_result_type(op, 0)};
    const int32_t origin = (int32_t)ir_int(op, IR_ATTR_ORIGIN);
    b.even = ir_int(op, IR_ATTR_ROUNDING) == IR_ROUNDING_EVEN_F32;
    b.fixed = !b.even && b.x->dtype != IR_F32 && (b.x->dtype != IR_U8 || origin != 0);
    b.centre = b.even ? ir_zero_of(op->results[0]) : origin;
    if (b.x->dtype != IR_F32)
        ir_result_bounds(op->results[0], IR_ACT_NONE, &b.min, &b.max);
    return b;
}

/* One element of the result; at: the corners' elements, top left, bottom left, top right, bottom right. */
static void blend_element(const blender *b, const void *image, const int64_t at[4], ir_tap v, ir_tap h, void *result,
                          int64_t to)
{
    float real[4];
    int64_t integer[4];
    for (int k = 0; k < 4; k++) {
        integer[k] = b->x->dtype == IR_F32 ? 0 : ir_int_at(b->x->dtype, image, at[k]) - b->centre;
        real[k] = b->x->dtype == IR_F32 ? ir_f32_at(image, at[k]) : (float)integer[k];
    }
    if (b->x->dtype == IR_F32)
        ir_f32_put(result, to, blend(real, v, h));
    else if (b->even)
        ir_int_put(b->x->dtype, result, to, ir_round_even_f32(blend(real, v, h), b->centre, b->min, b->max));
    else if (b->fixed)
        ir_int_put(b->x->dtype, result, to, ir_clamp_i32(blend_fixed(integer, v, h) + b->centre, b->min, b->max));
    else
        ir_int_put(b->x->dtype, result, to, ir_clamp_i32(lroundf(blend(real, v, h)), b->min, b->max));
}

bool ir_ref_resize_bilinear(const ir_op *op, const void *const operands[], void *const results[], diag *d)
{
    (void)d;
    const blender b = blender_of(op);
    const int64_t height = b.x->dims[1], width = b.x->dims[2], channels = b.x->dims[3];
    int64_t to = 0;
    for (int64_t n = 0; n < b.y->dims[0]; n++)
        for (int64_t i = 0; i < b.y->dims[1]; i++) {
            const ir_tap v = ir_resize_tap(op, b.fixed, 1, i);
            for (int64_t j = 0; j < b.y->dims[2]; j++) {
                const ir_tap h = ir_resize_tap(op, b.fixed, 2, j);
                const int64_t top = n * height + v.low, bottom = n * height + v.high;
                int64_t at[4] = {(top * width + h.low) * channels, (bottom * width + h.low) * channels,
                                 (top * width + h.high) * channels, (bottom * width + h.high) * channels};
                for (int64_t c = 0; c < channels; c++, to++) {
                    blend_element(&b, operands[0], at, v, h, results[0], to);
                    for (int k = 0; k < 4; k++)
                        at[k]++;
                }
            }
        }
    return true;
}
