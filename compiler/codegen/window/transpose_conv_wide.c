/* transpose_conv_wide.c: transpose_conv2d of 16-bit values, as one convolution for each phase of the stride:
 *
 *     result row oy, phase p = (oy + top) mod stride: taps p, p + stride, … meet operand rows (oy + top - tap) / stride
 *
 * so the results o, o + stride, … of a phase are a convolution of stride 1 by those taps in reverse, of the operand
 * with zeros around it, which is copied into scratch. */
#include "compiler/codegen/matmul/mac.h"
#include "compiler/codegen/matmul/wide.h"
#include "compiler/codegen/move/copy.h"

typedef struct side { /* height or width */
    int64_t in, out, kernel, stride, cut;
    int64_t before, need; /* zeros in front of the operand's copy; its extent */
} side;

typedef struct phase {
    int64_t taps, first, count; /* results first, first + stride, … */
    int64_t at;                 /* in the copy: what the last tap of the first result meets */
} phase;

static phase phase_of(const side *s, int64_t number)
{
    phase p = {.taps = number < s->kernel ? (s->kernel - number + s->stride - 1) / s->stride : 0};
    p.first = ((number - s->cut) % s->stride + s->stride) % s->stride;
    p.count = p.first < s->out ? (s->out - p.first + s->stride - 1) / s->stride : 0;
    p.at = (p.first + s->cut - number) / s->stride + s->before - (p.taps ? p.taps - 1 : 0);
    return p;
}

static side side_of(const ir_op *op, int d)
{
    side s = {op->operands[0].value->type.dims[1 + d],
              op->results[0]->type.dims[1 + d],
              op->operands[1].value->type.dims[1 + d],
              ir_ints_at(op, IR_ATTR_STRIDE, d),
              ir_ints_at(op, IR_ATTR_PAD, d),
              0,
              1};
    s.before = (s.kernel + s.stride - 1) / s.stride - 1;
    for (int64_t i = 0; i < s.stride; i++) {
        const phase p = phase_of(&s, i);
        const int64_t end = p.count ? p.at + (p.taps ? p.taps - 1 : 0) + p.count : 0;
        s.need = end > s.need ? end : s.need;
    }
    return s;
}

static size_t copy_bytes(const ir_op *op, const side s[2])
{
    const int64_t *d = op->operands[0].value->type.dims;
    return cg_scratch_part((size_t)(d[0] * s[0].need * s[1].need * d[3] * 2));
}

cg_fit cg_transpose_conv_i16_fits(const ir_op *op, const target_info *target)
{
    (void)target;
    return cg_mac_i16_fits(op);
}

size_t cg_transpose_conv_i16_scratch(const ir_op *op, const target_info *target)
{
    const side s[2] = {side_of(op, 0), side_of(op, 1)};
    (void)target;
    return copy_bytes(op, s);
}

/* The taps of a phase in reverse; there may be none, and then the bias is the result. */
static cg_steps steps_of(cg_module *m, const side s[2], const phase p[2], const int64_t number[2], int64_t channels,
                         const cg_gemm_rows *x)
{
    const int64_t count = p[0].taps * p[1].taps * channels;
    cg_steps steps = {.count = count, .width = 1};
    steps.offset = ARENA_ARRAY(m->arena, int32_t, steps.count);
    steps.weight = ARENA_ARRAY(m->arena, int32_t, steps.count);
    int64_t n = 0;
    for (int64_t y = p[0].taps - 1; y >= 0; y--)
        for (int64_t z = p[1].taps - 1; z >= 0; z--)
            for (int64_t c = 0; c < channels; c++, n++) {
                const int64_t tap = (number[0] + y * s[0].stride) * s[1].kernel + number[1] + z * s[1].stride;
                steps.offset[n] = (int32_t)((p[0].taps - 1 - y) * x->y + (p[1].taps - 1 - z) * x->x + 2 * c);
                steps.weight[n] = (int32_t)(tap * channels + c);
            }
    return steps;
}

static bool emit_phase(cg_module *m, const ir_op *op, const side s[2], const int64_t number[2],
                       const cg_gemm_rows *copy)
{
    const ir_value *y = op->results[0], *w = op->operands[1].value;
    const int64_t channels = w->type.dims[3];
    const phase p[2] = {phase_of(&s[0], number[0]), phase_of(&s[1], number[1])};
    if (p[0].count == 0 || p[1].count == 0)
        return true;
    cg_gemm g = {.op = op,
                 .images = y->type.dims[0],
                 .height = p[0].count,
                 .width = p[1].count,
                 .columns = w->type.dims[0],
                 .groups = 1,
                 .x = *copy,
                 .out = cg_mac_rows(y),
                 .out_type = y->type.dtype};
    g.macs = (uint64_t)(g.images * g.height * g.width * g.columns * p[0].taps * p[1].taps * channels);
    g.x.arg.offset += p[0].at * copy->y + p[1].at * copy->x;
    g.out.arg.offset += p[0].first * g.out.y + p[1].first * g.out.x;
    g.out.y *= s[0].stride;
    g.out.x *= s[1].stride;
    const cg_steps steps = steps_of(m, s, p, number, channels, copy);
    return cg_wide_emit(m, &g, &steps, s[0].kernel * s[1].kernel * channels);
}

bool cg_emit_transpose_conv_i16(cg_module *m, const ir_op *op)
{
    if (ir_type_elements(&op->results[0]->type) == 0)
        return true;
    const ir_value *x = op->operands[0].value;
    const side s[2] = {side_of(op, 0), side_of(op, 1)};
    const int64_t pixel = 2 * x->type.dims[3];
    cg_gemm_rows to = {cg_arg_part(cg_arg_scratch(m, op), 0, (int64_t)copy_bytes(op, s)), s[0].need * s[1].need * pixel,
                       s[1].need * pixel, pixel};
    const cg_pad_copy copy = {.op = op,
                              .from = cg_mac_rows(x),
                              .to = to,
                              .images = x->type.dims[0],
                              .in_h = s[0].in,
                              .in_w = s[1].in,
                              .out_h = s[0].need,
                              .out_w = s[1].need,
                              .top = s[0].before,
                              .left = s[1].before,
                              .pixel_bytes = pixel};
    cg_pad_copy_emit(m, &copy);
    for (int64_t i = 0; i < s[0].stride * s[1].stride; i++) {
        const int64_t number[2] = {i / s[1].stride, i % s[1].stride};
        if (!emit_phase(m, op, s, number, &to))
            return false;
    }
    return true;
}
