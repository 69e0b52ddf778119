/* bounds_rules.c: see bounds_rules.h.  Rules evaluate the op itself, or one like it, on magnitudes and on bounds. */
#include "tests/codegen/bounds_rules.h"

#include <stdlib.h>

enum { RESIDUAL = 3 };

/* ---- An op on other data ---- */

static int64_t elements_of(const bounds_op *o) { return ir_type_elements(&o->op->results[o->result]->type); }

static const ir_value *real_operand(const bounds_op *o, int i)
{
    const ir_value *v = ir_operand_value(o->op, i);
    return v && v->type.dtype == IR_F32 ? v : NULL;
}

/* scale_data |x| + scale_bound * bound of operand i; NULL: out of memory. */
static float *magnitudes(const bounds_op *o, int i, float scale_data, float scale_bound)
{
    const int64_t n = ir_type_elements(&o->op->operands[i].value->type);
    float *out = malloc(((size_t)n + 1) * sizeof *out);

    for (int64_t k = 0; out && k < n; k++)
        out[k] = (scale_data != 0 ? scale_data * fabsf(ir_f32_at(o->data[i], k)) : 0) +
                 (o->bound[i] && scale_bound != 0 ? scale_bound * o->bound[i][k] : 0);
    return out;
}

/* A copy of the op, as `code`, without activation and residual, and with 0 for what is added around data. */
static void bare(const bounds_op *o, ir_opcode code, ir_op *to, ir_attr attrs[IR_MAX_ATTRS])
{
    const ir_op_info *info = ir_op_info_of(code), *own = ir_op_info_of(o->op->code);

    *to = *o->op;
    to->code = code;
    to->attrs = attrs;
    for (int i = 0; i < info->attr_count; i++) {
        attrs[i] = i < own->attr_count && own->attrs[i] == info->attrs[i] ? o->op->attrs[i] : (ir_attr){0};
        if (info->attrs[i] == IR_ATTR_ACT)
            attrs[i].i = IR_ACT_NONE;
        if (info->attrs[i] == IR_ATTR_VALUE)
            attrs[i].f = 0;
    }
    if ((info->flags & IR_MAC) && to->operand_count > RESIDUAL)
        to->operand_count = RESIDUAL;
}

/* The op as `code` on operands scale_data |x| + scale_bound * bound[i]; other than real operands as they are. */
static bool evaluate(const bounds_op *o, ir_opcode code, const float scale_data[], const float scale_bound[],
                     float out[])
{
    ir_op op;
    ir_attr attrs[IR_MAX_ATTRS];
    float *own[BOUNDS_MAX_OPERANDS] = {NULL};
    const void *operands[BOUNDS_MAX_OPERANDS];
    void *results[] = {out};
    bool ok = true;

    bare(o, code, &op, attrs);
    for (int i = 0; i < op.operand_count; i++) {
        if (real_operand(o, i))
            ok = (own[i] = magnitudes(o, i, scale_data[i > 0], scale_bound[i > 0])) != NULL && ok;
        operands[i] = own[i] ? own[i] : o->data[i];
    }
    ok = ok && ir_eval_op(&op, operands, results, o->diag);
    for (int i = 0; i < op.operand_count; i++)
        free(own[i]);
    return ok;
}

static const float none[] = {0, 0}, whole[] = {1, 1}, less[] = {1, -1};

/* ---- Rules ---- */

bool bounds_move(const bounds_op *o, float bound[]) { return evaluate(o, o->op->code, none, whole, bound); }

bool bounds_largest(const bounds_op *o, float bound[])
{
    const ir_opcode code = o->op->code;
    return evaluate(o,
                    code == IR_MINIMUM      ? IR_MAXIMUM
                    : code == IR_REDUCE_MIN ? IR_REDUCE_MAX
                                            : code,
                    none, whole, bound);
}

/* Terms of one result. */
static int64_t term_count(const bounds_op *o)
{
    const ir_op *op = o->op;
    const ir_type *x = &op->operands[0].value->type, *y = &op->results[0]->type;
    const ir_type *w = op->operand_count > 1 && op->operands[1].value ? &op->operands[1].value->type : x;

    switch (op->code) {
    case IR_CONV2D:
    case IR_TRANSPOSE_CONV2D: return w->dims[1] * w->dims[2] * w->dims[3];
    case IR_CONV2D_WEIGHTS_GRADIENT:
    case IR_DEPTHWISE_WEIGHTS_GRADIENT: return w->dims[0] * w->dims[1] * w->dims[2];
    case IR_DEPTHWISE_CONV2D: return w->dims[1] * w->dims[2];
    case IR_FULLY_CONNECTED: return w->dims[1];
    case IR_BATCH_MATMUL: return x->dims[x->rank - (ir_int(op, IR_ATTR_ADJ_A) ? 2 : 1)];
    case IR_AVG_POOL2D: return ir_ints_at(op, IR_ATTR_KERNEL, 0) * ir_ints_at(op, IR_ATTR_KERNEL, 1);
    case IR_SUM:
    case IR_MEAN: return ir_type_elements(y) ? ir_type_elements(x) / ir_type_elements(y) : 0;
    case IR_CUMSUM: return x->dims[ir_int(op, IR_ATTR_AXIS)];
    case IR_RESIZE_BILINEAR: return 16; /* 4, and weights of either sign where the edge was clamped */
    default: return 1;
    }
}

static void add_residual(const bounds_op *o, const float sums[], float bound[])
{
    for (int64_t k = 0; k < elements_of(o); k++) {
        const float own = o->bound[RESIDUAL] ? o->bound[RESIDUAL][k] : 0;
        bound[k] += own + (float)(2 * BOUNDS_UNIT) * (sums[k] + fabsf(ir_f32_at(o->data[RESIDUAL], k)) + own);
    }
}

/* With terms t and bounds e of them: Σ(|t| + e) - Σ|t|, and for each of the two sums, of n terms that are products, at
 * most n + 1 roundings, u each; 4 more for bias, divisor and activation; the smallest number for each term that
 * underflows. */
bool bounds_sum(const bounds_op *o, float bound[])
{
    const ir_opcode code = o->op->code == IR_SUB ? IR_ADD : o->op->code;
    const int64_t n = elements_of(o);
    const float factor = (float)(2 * BOUNDS_UNIT * (double)(term_count(o) + 5) * 1.01);
    const float smallest = (float)(2 * (double)(term_count(o) + 1) * 0x1p-149);
    float *sums = calloc((size_t)n + 1, sizeof *sums);
    bool ok = sums && evaluate(o, code, whole, none, bound) && evaluate(o, code, whole, whole, sums);

    for (int64_t k = 0; ok && k < n; k++)
        bound[k] = fmaxf(sums[k] - bound[k], 0) + factor * fabsf(sums[k]) + smallest;
    if (ok && (ir_op_info_of(code)->flags & IR_MAC) && code != IR_TRANSPOSE_CONV2D && ir_operand_value(o->op, RESIDUAL))
        add_residual(o, sums, bound);
    free(sums);
    return ok;
}

/* Each term is a by_y, or half of one at most. */
bool bounds_grid_gradient(const bounds_op *o, float bound[])
{
    const int64_t n = ir_type_elements(&o->op->operands[1].value->type);
    double sum = 0;
    for (int64_t k = 0; k < n; k++)
        sum += (double)fabsf(ir_f32_at(o->data[1], k));
    bound[0] = (float)(2 * BOUNDS_UNIT * (double)(n + 5) * sum);
    return true;
}

/* |a'/b' - a/b| <= (|a| + ea) / (|b| - eb) - |a| / |b|, and two roundings. */
bool bounds_quotient(const bounds_op *o, float bound[])
{
    const int64_t n = elements_of(o);
    float *most = calloc((size_t)n + 1, sizeof *most);
    bool ok = most && evaluate(o, IR_DIV, whole, none, bound) && evaluate(o, IR_DIV, whole, less, most);

    for (int64_t k = 0; ok && k < n;
         k++) /* a divisor that may be 0: a negative, infinite or no quotient, and NaN is possible */
        bound[k] = most[k] >= bound[k] ? most[k] - bound[k] + (float)(4 * BOUNDS_UNIT) * most[k] : INFINITY;
    free(most);
    return ok;
}

/* (|d| + e)^2 - d^2 with d = a - b, whose own rounding counts, too. */
bool bounds_square(const bounds_op *o, float bound[])
{
    if (!evaluate(o, IR_ADD, none, whole, bound))
        return false;
    for (int64_t k = 0; k < elements_of(o); k++) {
        const float d = sqrtf(o->got[k]), e = bound[k] + (float)(2 * BOUNDS_UNIT) * d;
        bound[k] = 2 * d * e + e * e + (float)(4 * BOUNDS_UNIT) * o->got[k];
    }
    return true;
}

static float own_error(const bounds_op *o, int64_t k)
{
    return (float)(2 * BOUNDS_UNIT) * o->function.ulps * fabsf(o->got[k]) + o->function.absolute;
}

bool bounds_elementary(const bounds_op *o, float bound[])
{
    for (int64_t k = 0; k < elements_of(o); k++)
        bound[k] = own_error(o, k) + (o->bound[0] ? o->function.slope * o->bound[0][k] : 0);
    return true;
}

/* Below -9 the interpreter takes e^x, as TFLite's kernel does, which is larger than the logistic y by y². */
bool bounds_logistic(const bounds_op *o, float bound[])
{
    for (int64_t k = 0; k < elements_of(o); k++)
        bound[k] = own_error(o, k) + 0.25f * (o->bound[0] ? o->bound[0][k] : 0) +
                   (o->got[k] < 2e-4f ? o->got[k] * o->got[k] : 0);
    return true;
}

bool bounds_exp(const bounds_op *o, float bound[])
{
    for (int64_t k = 0; k < elements_of(o); k++)
        bound[k] = own_error(o, k) + (o->bound[0] ? o->got[k] * expm1f(o->bound[0][k]) : 0);
    return true;
}

bool bounds_leaky(const bounds_op *o, float bound[])
{
    const float slope = fmaxf(1, fabsf(ir_float(o->op, IR_ATTR_ALPHA)));

    for (int64_t k = 0; k < elements_of(o); k++)
        bound[k] = (o->bound[0] ? slope * o->bound[0][k] : 0) + (float)(2 * BOUNDS_UNIT) * fabsf(o->got[k]);
    return true;
}
