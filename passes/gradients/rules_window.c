/* rules_window.c: pooling and resizing. */
#include <string.h>

#include "ir/ref/interp.h"
#include "passes/gradients/windows.h"

bool gradient_of_max_pool2d(gradient *s)
{
    const gradient_window at = gradient_window_of(s->op);
    const int64_t *kernel;
    ir_op *op = gradient_new(s, IR_MAX_POOL2D_GRADIENT, 2, (ir_value *[]){gradient_operand(s, 0), s->by_result});
    ir_ints(s->op, IR_ATTR_KERNEL, &kernel);
    ir_set_ints(op, IR_ATTR_KERNEL, GRADIENT_AXES, kernel);
    ir_set_ints(op, IR_ATTR_STRIDE, GRADIENT_AXES, at.stride);
    ir_set_ints(op, IR_ATTR_PAD, 2 * GRADIENT_AXES, at.pad);
    gradient_give(s, 0, gradient_end(s, op));
    return true;
}

/* ---- Average pooling: each tap inside the image gets its share of the mean ---- */

typedef struct pool {
    gradient_window at;
    int64_t kernel[GRADIENT_AXES], in[GRADIENT_AXES], out[GRADIENT_AXES];
} pool;

static pool pool_of(const gradient *s)
{
    pool p = {.at = gradient_window_of(s->op)};
    for (int a = 0; a < GRADIENT_AXES; a++) {
        p.kernel[a] = ir_ints_at(s->op, IR_ATTR_KERNEL, a);
        p.in[a] = gradient_operand_type(s, 0)->dims[1 + a];
        p.out[a] = gradient_result(s)->type.dims[1 + a];
    }
    return p;
}

static int64_t taps_inside(const pool *p, int axis, int64_t at)
{
    const int64_t first = at * p->at.stride[axis] - p->at.pad[axis], end = first + p->kernel[axis];
    const int64_t from = first > 0 ? first : 0, to = end < p->in[axis] ? end : p->in[axis];
    return to > from ? to - from : 0;
}

/* [1, OH, OW, 1]: one over how many taps of each window lie in the image; 0 without any. */
static ir_value *shares(gradient *s, const pool *p)
{
    const int64_t *out = p->out;
    const ir_type type = ir_type_make(IR_F32, 4, (int64_t[]){1, out[0], out[1], 1});
    float *share = ARENA_ARRAY(s->g->arena, float, ir_type_elements(&type));
    for (int64_t i = 0; i < out[0] * out[1]; i++) {
        const int64_t taps = taps_inside(p, 0, i / out[1]) * taps_inside(p, 1, i % out[1]);
        share[i] = taps ? 1.0f / (float)taps : 0;
    }
    return gradient_constant(s, &type, share);
}

/* Windows lie side by side and cover the image. */
static bool tiles_image(const pool *p)
{
    bool tiles = true;
    for (int a = 0; a < GRADIENT_AXES; a++)
        tiles &= p->at.pad[a] == 0 && p->out[a] * p->kernel[a] == p->in[a] &&
                 (p->out[a] == 1 || p->at.stride[a] == p->kernel[a]);
    return tiles;
}

static ir_value *repeated(gradient *s, ir_value *by, const pool *p)
{
    const ir_type *x = gradient_operand_type(s, 0);
    const int64_t n = x->dims[0], c = x->dims[3], *out = p->out;
    const ir_type wide = ir_type_make(IR_F32, 5, (int64_t[]){n * out[0], p->kernel[0], out[1], p->kernel[1], c});
    by = gradient_reshape(s, by, 5, (int64_t[]){n * out[0], 1, out[1], 1, c});
    return gradient_broadcast(s, by, &wide);
}

bool gradient_of_avg_pool2d(gradient *s)
{
    const pool p = pool_of(s);
    const ir_type *x = gradient_operand_type(s, 0);
    ir_value *by = s->by_result;
    if (tiles_image(&p)) {
        by = gradient_times(s, by, 1.0 / (double)(p.kernel[0] * p.kernel[1]));
        gradient_give(s, 0, repeated(s, by, &p));
        return true;
    }
    by = gradient_binary(s, IR_MUL, by, shares(s, &p));
    const ir_type taps = ir_type_make(IR_F32, 4, (int64_t[]){1, p.kernel[0], p.kernel[1], x->dims[3]});
    gradient_give(s, 0, gradient_image(s, IR_DEPTHWISE_CONV2D, by, gradient_full(s, &taps, 1), &p.at, &x->dims[1]));
    return true;
}

/* ---- Resizing is linear, and apart in both dimensions: y = A x Bᵀ for each channel, by x = Aᵀ by_y B ---- */

/* [out, in]: what the op makes of the unit vectors, as the channels of an image that is one pixel across. */
static ir_value *resizing(gradient *s, int axis, int64_t in, int64_t out)
{
    const ir_type matrix = ir_type_make(IR_F32, 2, (int64_t[]){out, in});
    float *unit = ARENA_ARRAY(s->g->arena, float, in *in), *rows = ARENA_ARRAY(s->g->arena, float, out *in);
    const float *ratio;
    float kept[GRADIENT_AXES] = {0};
    for (int64_t i = 0; i < in; i++)
        unit[i * in + i] = 1;
    int64_t from[4] = {1, 1, 1, in}, to[4] = {1, 1, 1, in};
    from[1 + axis] = in;
    to[1 + axis] = out;
    ir_floats(s->op, IR_ATTR_RATIO, &ratio);
    kept[axis] = ratio[axis];
    ir_value *x = ir_const_new(s->g, ir_type_make(IR_F32, 4, from), NULL, unit);
    ir_op *op = gradient_new(s, s->op->code, 1, &x);
    ir_attrs_copy(op, s->op);
    ir_set_floats(op, IR_ATTR_RATIO, GRADIENT_AXES, kept);
    gradient_end_as(s, op, 4, to);
    const bool good = ir_eval_op(op, (const void *[]){unit}, (void *[]){rows}, s->d);
    ir_op_erase(op);
    return good ? gradient_constant(s, &matrix, rows) : NULL;
}

bool gradient_of_resize(gradient *s)
{
    const ir_type *x = gradient_operand_type(s, 0), *y = &gradient_result(s)->type;
    const int64_t n = x->dims[0], c = x->dims[3], *in = &x->dims[1], *out = &y->dims[1];
    if (ir_type_elements(x) == 0 || ir_type_elements(y) == 0)
        return true;
    ir_value *a = resizing(s, GRADIENT_Y, in[0], out[0]), *b = a ? resizing(s, GRADIENT_X, in[1], out[1]) : NULL;
    if (!b)
        return false;
    ir_value *by = gradient_reshape(s, s->by_result, 3, (int64_t[]){n, out[0], out[1] * c});
    by = gradient_product(s, a, by, true, false);
    by = gradient_reshape(s, by, 3, (int64_t[]){n * in[0], out[1], c});
    gradient_give(s, 0, gradient_product(s, b, by, true, false));
    return true;
}
