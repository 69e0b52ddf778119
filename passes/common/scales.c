/* scales.c: scales of real values: where they come from, and when one may stand for another. */
#include "passes/common/scales.h"

#include <float.h>
#include <math.h>

#include "ir/ref/interp.h"
#include "passes/common/qdq.h"

/* ---- Ops that mean quantization ---- */

bool scales_is_quantize(const ir_op *op) { return qdq_is_target(op); }

bool scales_is_dequantize(const ir_op *op)
{
    if (op->code != IR_DEQUANTIZE || ir_int(op, IR_ATTR_REAL) || op->results[0]->type.dtype != IR_F32)
        return false;
    const ir_value *x = op->operands[0].value;
    return x->quant && (x->type.dtype == IR_I8 || x->type.dtype == IR_U8);
}

ir_unused scales_unused(ir_dtype dtype, int bits)
{
    const uint8_t all = (uint8_t)(256 - (1 << bits)), half = all / 2;
    return dtype == IR_U8 ? (ir_unused){0, all} : (ir_unused){half, half};
}

bool scales_grid_of(const ir_op *op, scales_grid *out)
{
    const ir_fake_grid g = ir_fake_grid_of(op);
    if (!(g.scale >= FLT_MIN) || isinf(g.scale))
        return false;
    *out = (scales_grid){g.scale, (int32_t)g.zero, (int32_t)g.low, (int32_t)g.high};
    return true;
}

const ir_quant *scales_of_fake(ir_graph *g, const ir_op *op, ir_dtype *out_dtype)
{
    scales_grid to;
    const int bits = (int)ir_int(op, IR_ATTR_BITS);
    if (bits > 8 || !scales_grid_of(op, &to))
        return NULL;
    const bool narrow = to.low == 1, symmetric = narrow && to.zero == 1 << (bits - 1);
    *out_dtype = symmetric ? IR_I8 : IR_U8;
    ir_quant *quant = ir_quant_tensor(g, to.scale, symmetric ? 0 : to.zero);
    quant->unused = scales_unused(*out_dtype, bits);
    quant->unused.below = (uint8_t)(quant->unused.below + narrow);
    return quant;
}

ir_enum_ROUNDING scales_rounding_of_fake(const ir_op *op)
{
    return ir_int(op, IR_ATTR_TIES) == IR_TIES_AWAY ? IR_ROUNDING_AWAY_F32 : IR_ROUNDING_EVEN_F32;
}

ir_origin scales_origin(ir_graph *g, const ir_op *op)
{
    const bool known = op->loc.subgraph >= 0 && op->loc.node >= 0;
    return (ir_origin){op->code == IR_FAKE_QUANT ? IR_SCALE_FAKE_QUANT : IR_SCALE_QUANTIZE,
                       known ? arena_format(g->arena, "node %d", op->loc.node) : NULL, NULL};
}

ir_origin scales_origin_of(ir_graph *g, const ir_value *v, const ir_op *op)
{
    return v->scale_from.source != IR_SCALE_FILE ? v->scale_from : scales_origin(g, op);
}

/* ---- Values ---- */

void scales_set(ir_value *v, ir_dtype dtype, const ir_quant *as, ir_origin from)
{
    v->as = as;
    v->as_dtype = as ? dtype : IR_DTYPE_NONE;
    v->as_rounding = IR_ROUNDING_EVEN_F32;
    v->scale_from = as ? from : (ir_origin){0};
}

void scales_regrid(ir_value *v, ir_dtype dtype, const ir_quant *as)
{
    v->as = as;
    v->as_dtype = dtype;
}

void scales_copy(ir_value *to, const ir_value *from)
{
    scales_set(to, from->as_dtype, from->as, from->scale_from);
    to->as_rounding = from->as_rounding;
}

bool scales_is_suggestion(ir_origin from)
{
    switch (from.source) {
    case IR_SCALE_OBSERVED:
    case IR_SCALE_CALIBRATED:
    case IR_SCALE_ABSMAX:
    case IR_SCALE_MSE:
    case IR_SCALE_PROPAGATED:
    case IR_SCALE_KNOWN: return true;
    default: return false;
    }
}

bool scales_is_fixed(const ir_value *v) { return v->as && !scales_is_suggestion(v->scale_from); }

bool scales_equal(const ir_value *a, const ir_value *b)
{
    return a->as_dtype == b->as_dtype && ir_quant_equal(a->as, b->as);
}

/* ---- Integers ---- */

scales_runs scales_runs_of(const ir_type *type, int axis)
{
    scales_runs r = {.elements = ir_type_elements(type), .channels = axis < 0 ? 1 : type->dims[axis], .inner = 1};
    for (int d = axis + 1; d < type->rank; d++)
        r.inner *= type->dims[d];
    r.channel = r.channels - 1; /* the first run goes on to 0 */
    return r;
}

bool scales_next_run(scales_runs *r)
{
    r->first += r->count;
    if (r->first == r->elements)
        return false;
    r->rest -= r->count;
    if (r->rest == 0) {
        r->rest = r->inner;
        r->channel = r->channel + 1 < r->channels ? r->channel + 1 : 0;
    }
    r->count = r->rest < SCALES_RUN ? r->rest : SCALES_RUN;
    return true;
}

/* nearbyint, in vectors: the sum has no bits below 1.  Of what is far below 2^51. */
static double round_small(double x)
{
    const double shift = 0x1.8p52;
    return x + shift - shift;
}

/* Of reals from the zero point on in steps of `scale`.  NaN becomes the smallest one. */
static void integers_of(const double x[], int64_t count, double scale, int32_t zero, const int32_t ends[2],
                        unsigned char *restrict to)
{
    const double min = (double)ends[0] - zero, max = (double)ends[1] - zero;
    for (int64_t i = 0; i < count; i++) {
        double q = x[i] / scale;
        q = q >= min ? q : min;
        q = q <= max ? q : max;
        to[i] = (unsigned char)(int32_t)(round_small(q) + zero);
    }
}

void scales_integers(const ir_value *v, unsigned char *to)
{
    const ir_quant *as = v->as;
    int32_t ends[2];
    ir_quant_range(v->as_dtype, as, &ends[0], &ends[1]);
    for (scales_runs r = scales_runs_of(&v->type, as->count > 1 ? as->axis : -1); scales_next_run(&r);) {
        double x[SCALES_RUN];
        const double scale = (double)as->scale[r.channel];
        ir_const_reals(v, r.first, r.count, x);
        for (int64_t i = 0; i < r.count && !(scale > 0); i++)
            x[i] = 0;
        integers_of(x, r.count, scale > 0 ? scale : 1, as->zero[r.channel], ends, &to[r.first]);
    }
}

int scales_most_weight(const pass_calibration *c)
{
    return c && c->weight_bits ? (1 << (c->weight_bits - 1)) - 1 : INT8_MAX;
}

bool scales_can_join(const ir_value *x, const ir_value *r)
{
    return !scales_is_fixed(r) || scales_equal(x, r) || (!scales_is_fixed(x) && pass_single_user(x) != NULL);
}

void scales_join(ir_value *x, const ir_value *r)
{
    if (r->as && (!x->as || (scales_is_fixed(r) && !scales_is_fixed(x))))
        scales_copy(x, r);
}

/* ---- Clamps ---- */

bool scales_imply_clamp(ir_dtype dtype, const ir_quant *as, double lo, double hi)
{
    int32_t min, max;
    ir_quant_range(dtype, as, &min, &max);
    const double scale = (double)as->scale[0], zero = as->zero[0];
    return as->axis < 0 && nearbyint(lo / scale) + zero <= min && nearbyint(hi / scale) + zero >= max;
}

static bool is_multiple(double x, double step) { return fabs(x / step - nearbyint(x / step)) < 1e-3; }

bool scales_clamp_keeps_grid(ir_dtype dtype, const ir_quant *as, double lo, double hi)
{
    int32_t min, max;
    ir_quant_range(dtype, as, &min, &max);
    const double step = (double)as->scale[0], zero = as->zero[0];
    return (lo <= step * (min - zero) || is_multiple(lo, step)) && (hi >= step * (max - zero) || is_multiple(hi, step));
}

void scales_act_bounds(ir_enum_ACT act, double *lo, double *hi)
{
    *lo = act == IR_ACT_NONE ? -INFINITY : act == IR_ACT_RELU_N1_TO_1 ? -1 : 0;
    *hi = act == IR_ACT_RELU6 ? 6 : act == IR_ACT_RELU_N1_TO_1 || act == IR_ACT_RELU_0_TO_1 ? 1 : INFINITY;
}

ir_value *scales_clamped(const ir_op *op, double *lo, double *hi)
{
    if (op->code == IR_RELU) {
        scales_act_bounds(qdq_act(op), lo, hi);
        return op->operands[0].value;
    }
    if (op->code != IR_MINIMUM && op->code != IR_MAXIMUM)
        return NULL;
    for (int i = 0; i < 2; i++) {
        ir_value *x = op->operands[!i].value;
        const ir_value *bound = op->operands[i].value;
        if (!ir_is_const(bound) || bound->type.dtype != IR_F32 || ir_type_elements(&bound->type) != 1)
            continue;
        double b = ir_const_real(bound, 0);
        *lo = op->code == IR_MAXIMUM ? b : -INFINITY;
        *hi = op->code == IR_MINIMUM ? b : INFINITY;
        return isnan(b) || !ir_type_equal(&x->type, &op->results[0]->type) ? NULL : x;
    }
    return NULL;
}

/* ---- Weights ---- */

/* Where the dimension `axis` of the operand is in the result; -2: nowhere. */
static int axis_behind(const ir_op *op, int axis)
{
    const ir_type *x = &op->operands[0].value->type, *r = &op->results[0]->type;
    if (axis < 0)
        return axis;
    int64_t outer = 1, seen = 1;
    for (int d = 0; d < axis; d++)
        outer *= x->dims[d];
    for (int d = 0; d < r->rank; d++) {
        if (op->code == IR_TRANSPOSE ? ir_ints_at(op, IR_ATTR_PERM, d) == axis
                                     : seen == outer && r->dims[d] == x->dims[axis])
            return d;
        seen *= r->dims[d];
    }
    return -2;
}

const ir_quant *scales_moved(ir_graph *g, const ir_op *op, const ir_quant *quant)
{
    if (op->code != IR_TRANSPOSE && op->code != IR_RESHAPE)
        return NULL;
    const int axis = axis_behind(op, quant->axis);
    return axis < -1 ? NULL : ir_quant_new(g, axis, quant->count, quant->scale, quant->zero);
}

int scales_weight_index(const ir_op *op)
{
    if (ir_op_info_of(op->code)->flags & IR_MAC || op->code == IR_BATCH_MATMUL)
        return 1;
    return -1;
}

int scales_weight_axis(const ir_op *op)
{
    if (pass_is_recurrent(op))
        return 0;
    if (op->code != IR_BATCH_MATMUL)
        return pass_channel_axis(op);
    const int rank = op->operands[1].value->type.rank; /* a matrix: channels are its columns */
    return rank == 2 ? (ir_int(op, IR_ATTR_ADJ_B) ? 0 : 1) : -1;
}
