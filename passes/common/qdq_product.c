/* qdq_product.c: convolutions and matrix products for qdq_compute: weights, and biases in units of the accumulator. */
#include <float.h>
#include <math.h>

#include "ir/ref/interp.h"
#include "passes/common/plan.h"
#include "passes/common/qdq.h"

#define MOST_MULTIPLIER 65536.0 /* of the accumulator: beyond, the scales make no sense */
#define SAME 1e-6               /* relative: what rounding of a float leaves of an integer */
#define MOST_ERROR 0.25         /* of a step of the result, by the bias */
#define WIDE_ROOM 0x1p46        /* for a bias beside 64-bit sums */

/* The 8-bit constant that v is the real numbers of; scales per tensor or along `axis`. */
static ir_value *weights_of(const ir_value *v, int axis)
{
    if (!v->def || v->def->code != IR_DEQUANTIZE)
        return NULL;
    ir_value *w = v->def->operands[0].value;
    if (!ir_is_const(w) || !w->quant || (w->type.dtype != IR_I8 && w->type.dtype != IR_U8))
        return NULL;
    return w->quant->axis < 0 || w->quant->axis == axis ? w : NULL;
}

static double scale_at(const ir_quant *q, int64_t i) { return (double)q->scale[q->axis < 0 ? 0 : i]; }

/* ---- Bias ---- */

/* The constant behind a bias, real or of 32-bit integers with scales. */
static const ir_value *bias_source(const ir_value *b, int64_t channels)
{
    if (b->def && b->def->code == IR_DEQUANTIZE)
        b = b->def->operands[0].value;
    bool known = b->type.dtype == IR_F32 || (b->type.dtype == IR_I32 && b->quant);
    return ir_is_const(b) && known && ir_type_elements(&b->type) == channels ? b : NULL;
}

/* Element i in units of `unit`; the integer itself when it has that unit. */
static double in_units(const ir_value *b, int64_t i, double unit)
{
    if (b->type.dtype == IR_I32) {
        const ir_quant *q = b->quant;
        double centred = (double)(ir_const_int(b, i) - q->zero[q->axis < 0 ? 0 : i]);
        return fabs(scale_at(q, i) - unit) <= 1e-5 * unit ? centred : scale_at(q, i) * centred / unit;
    }
    double real = ir_const_real(b, i);
    return real == 0 ? 0 : real / unit; /* a channel that is pruned has unit 0 */
}

typedef struct product {
    const ir_op *op;
    int axis;               /* of w: its output channels */
    ir_value *x, *w, *bias; /* bias is real, or NULL */
} product;

static int64_t channels_of(const product *p) { return p->w->type.dims[p->axis]; }

static bool is_wide(const product *p) { return p->x->type.dtype == IR_I16; }

/* May a bias of `exact` units be `rounded` ones?  Not when the result is real: the file doesn't round that. */
static bool may_round(double exact, double rounded, double unit, const ir_value *y)
{
    const double error = fabs(exact - rounded);
    return y->quant ? error * unit <= MOST_ERROR * (double)y->quant->scale[0] : error <= SAME * fabs(exact);
}

/* b as 32-bit integers of scale x * w; NULL when they are not b, or would not fit beside the products. */
static ir_value *integer_bias(ir_graph *g, const product *p, const ir_value *b, const ir_value *y)
{
    int64_t channels = channels_of(p);
    int32_t *to = ARENA_ARRAY(g->arena, int32_t, channels);
    double taps = (double)ir_type_elements(&p->w->type) / (double)(channels ? channels : 1);
    double room = fmax(0x1p31 - 255.0 * 255.0 * taps, 0x1p30);
    for (int64_t i = 0; i < channels; i++) {
        double unit = (double)p->x->quant->scale[0] * scale_at(p->w->quant, i);
        double exact = in_units(b, i, unit), q = nearbyint(exact);
        if (!(fabs(q) < room) || !may_round(exact, q, unit, y))
            return NULL;
        to[i] = (int32_t)q;
    }
    ir_value *v = ir_const_new(g, ir_type_make(IR_I32, 1, &channels), NULL, to);
    v->name = b->name;
    return v;
}

/* Beside a 16-bit operand: 64-bit integers, whose unit is too small for their rounding to matter. */
static ir_value *wide_bias(ir_graph *g, const product *p, const ir_value *b)
{
    const int64_t channels = channels_of(p);
    int64_t *to = ARENA_ARRAY(g->arena, int64_t, channels);
    for (int64_t i = 0; i < channels; i++) {
        const double q = nearbyint(in_units(b, i, (double)p->x->quant->scale[0] * scale_at(p->w->quant, i)));
        if (!(fabs(q) < WIDE_ROOM))
            return NULL;
        to[i] = (int64_t)q;
    }
    ir_value *v = ir_const_new(g, ir_type_make(IR_I64, 1, &channels), NULL, to);
    v->name = b->name;
    return v;
}

/* The bias of the product: integers where they are as good, else real numbers. */
static ir_value *bias_of(ir_graph *g, const product *p, const ir_value *y)
{
    const ir_value *b = bias_source(p->bias, channels_of(p));
    if (b && is_wide(p))
        return wide_bias(g, p, b);
    ir_value *integers = b ? integer_bias(g, p, b, y) : NULL;
    if (integers || !b)
        return integers;
    ir_value *reals = plan_real_constant(g, b);
    reals->type = ir_type_make(IR_F32, 1, (int64_t[]){channels_of(p)});
    return reals;
}

/* ---- The product ---- */

bool qdq_is_product(const ir_op *op)
{
    bool known = op && (op->code == IR_CONV2D || op->code == IR_DEPTHWISE_CONV2D || op->code == IR_TRANSPOSE_CONV2D ||
                        op->code == IR_FULLY_CONNECTED || op->code == IR_BATCH_MATMUL);
    return known && op->results[0]->type.dtype == IR_F32 && !ir_operand_value(op, 3);
}

/* Operands of the product `op`.  A batch_matmul by a constant matrix gets the weights of a fully_connected. */
static bool match(ir_graph *g, const ir_op *op, product *p)
{
    if (!qdq_is_product(op) || op->keep_float)
        return false;
    bool matmul = op->code == IR_BATCH_MATMUL;
    p->op = op;
    p->x = qdq_source(op->operands[0].value);
    if (!p->x)
        p->x = qdq_word_source(op->operands[0].value);
    p->bias = matmul ? NULL : ir_operand_value(op, 2);
    bool as_is = !matmul || ir_int(op, IR_ATTR_ADJ_B);
    p->axis = matmul ? 0 : pass_channel_axis(op);
    p->w = weights_of(op->operands[1].value, as_is ? p->axis : 1);
    if (!p->x || !p->w || (matmul && (p->w->type.rank != 2 || ir_int(op, IR_ATTR_ADJ_A))))
        return false;
    if (!as_is)
        p->w = plan_transposed_matrix(g, p->w);
    return true;
}

/* The product that the sum `op` shifts by a constant a channel: that is its bias. */
static bool match_sum(ir_graph *g, const ir_op *op, product *p)
{
    for (int i = 0; op->code == IR_ADD && i < 2; i++) {
        const ir_value *v = op->operands[i].value;
        ir_value *b = op->operands[!i].value;
        if (!qdq_is_product(v->def) || pass_single_user(v) != op || qdq_act(v->def) != IR_ACT_NONE ||
            !match(g, v->def, p) || p->bias)
            continue;
        const ir_type *y = &op->results[0]->type;
        int64_t channels = channels_of(p);
        if (!ir_type_equal(y, &v->type) || b->type.rank == 0 || b->type.dims[b->type.rank - 1] != channels ||
            !bias_source(b, channels))
            continue;
        p->bias = b;
        return true;
    }
    return false;
}

static bool multipliers_make_sense(const product *p, const ir_value *y)
{
    if (!y->quant)
        return true;
    for (int32_t i = 0; i < p->w->quant->count; i++) {
        double m = (double)p->x->quant->scale[0] * (double)p->w->quant->scale[i] / (double)y->quant->scale[0];
        if (!(m < MOST_MULTIPLIER))
            return false;
    }
    return true;
}

static ir_value *fully_connected(ir_graph *g, const ir_op *like, ir_op *before, ir_value *const operands[3],
                                 const ir_value *y, ir_enum_ACT act)
{
    diag ignored = {0};
    ir_value *r = pass_op1(g, IR_FULLY_CONNECTED, before, like, 3, operands, y->type, y->quant);
    ir_set_int(r->def, IR_ATTR_ACT, act);
    if (ir_op_supported(r->def, &ignored))
        return r;
    ir_op_erase(r->def);
    return NULL;
}

ir_value *qdq_product(ir_graph *g, const ir_op *op, ir_op *before, const ir_value *y, ir_enum_ACT act)
{
    product p;
    if (!match(g, op, &p) && !match_sum(g, op, &p))
        return NULL;
    if (!multipliers_make_sense(&p, y) || (is_wide(&p) && y->type.dtype != IR_F32))
        return NULL;
    ir_value *bias = p.bias ? bias_of(g, &p, y) : NULL;
    if (p.bias && !bias)
        return NULL;
    ir_value *operands[4] = {p.x, p.w, bias, NULL};
    if (p.op->code == IR_BATCH_MATMUL)
        return fully_connected(g, p.op, before, operands, y, act);
    ir_op *slim = ir_op_new(g, p.op->code, before, bias ? 3 : 2, operands);
    slim->loc = p.op->loc;
    ir_result_set(slim, 0, p.op->results[0]->type, NULL);
    ir_attrs_copy(slim, p.op);
    ir_value *r = qdq_clone(slim, before, operands, y->type.dtype, y->quant, act);
    ir_op_erase(slim);
    return r;
}
