/* ref_grid.c: rounding to a grid from run time, and gradients: round_to_grid, grid_gradient, clamp_gradient.
 *
 *     q = min(max(x, low), high) / scale            NaN passes
 *     y = round(q) * scale
 *     by low = sum of by_y where x < low            by high likewise above
 *     by scale = sum of by_y (round(q) - q)         rounding counting as the identity
 *
 * Sums are of doubles, rounded once. */
#include <math.h>

#include "ir/ref/ref.h"

static float steps_of(float x, float low, float high, float scale)
{
    const float above = x < low ? low : x;
    return (high < above ? high : above) / scale;
}

/* The operands' elements behind element i of a run. */
static void read_four(const ir_rows *r, const void *const operands[], int64_t i, float out[4])
{
    for (int o = 0; o < 4; o++)
        out[o] = ir_f32_at(operands[o], r->first[o] + i * r->step[o]);
}

bool ir_check_round_to_grid(const ir_op *op, diag *d) { return ir_check_broadcast_shapes(op, 4, d); }

bool ir_ref_round_to_grid(const ir_op *op, const void *const operands[], void *const results[], diag *d)
{
    (void)d;
    for (ir_rows r = ir_rows_of(op, 4); !r.done; ir_rows_next(&r))
        for (int64_t i = 0; i < r.length; i++) {
            float in[4];
            read_four(&r, operands, i, in);
            ir_f32_put(results[0], r.out_first + i, rintf(steps_of(in[0], in[1], in[2], in[3])) * in[3]);
        }
    return true;
}

bool ir_ref_clamp_gradient(const ir_op *op, const void *const operands[], void *const results[], diag *d)
{
    (void)d;
    for (ir_rows r = ir_rows_of(op, 4); !r.done; ir_rows_next(&r))
        for (int64_t i = 0; i < r.length; i++) {
            float in[4];
            read_four(&r, operands, i, in);
            ir_f32_put(results[0], r.out_first + i, in[0] >= in[2] && in[0] <= in[3] ? in[1] : 0);
        }
    return true;
}

bool ir_check_grid_gradient(const ir_op *op, diag *d)
{
    const ir_type *x = &op->operands[0].value->type;
    bool fits = ir_type_equal(x, &op->operands[1].value->type);
    for (int i = 2; i < 5; i++)
        fits &= ir_type_elements(&op->operands[i].value->type) == 1;
    return fits || ir_refuse(op, d, "the shapes do not fit together");
}

bool ir_ref_grid_gradient(const ir_op *op, const void *const operands[], void *const results[], diag *d)
{
    const float low = ir_f32_at(operands[2], 0), high = ir_f32_at(operands[3], 0), scale = ir_f32_at(operands[4], 0);
    double sum[3] = {0};
    (void)d;
    for (int64_t i = 0; i < ir_type_elements(&op->operands[0].value->type); i++) {
        const float x = ir_f32_at(operands[0], i), by = ir_f32_at(operands[1], i), q = steps_of(x, low, high, scale);
        sum[0] += x < low ? (double)by : 0;
        sum[1] += x > high ? (double)by : 0;
        sum[2] += (double)by * (double)(rintf(q) - q);
    }
    for (int i = 0; i < 3; i++)
        ir_f32_put(results[i], 0, (float)sum[i]);
    return true;
}
