/* ops_dynamic.c: quantization at run time, and products of what it makes.
 *
 *     DynamicQuantizeLinear                ──▶  %q, %s, %z = dynamic_quantize %x {method = affine_even}
 *     MatMulInteger a, b, a_zero, b_zero   ──▶  %i:i32 = fully_connected %a, const %b, none, none, none, %a_zero
 *                   of two computed ones   ──▶  %i:i32 = batch_matmul %a, %b, and what zero points take from it
 *     DynamicQuantizeMatMul                ──▶  both, with a real result
 *
 * What follows MatMulInteger and ConvInteger in a model (Cast, Mul by the scales, Add of a bias) is joined with the
 * product by the pass fuse_dynamic. */
#include "frontends/onnx/import.h"

/* q, scale and zero point are results 0, 1, 2; NULL after a diagnostic. */
static ir_op *quantized_at_run_time(ort_node *n, ir_value *x)
{
    if (x->type.dtype != IR_F32) {
        node_error(n, "an operand of type %s", ir_dtype_text(x->type.dtype));
        return NULL;
    }
    ir_op *op = node_emit1(n, IR_DYNAMIC_QUANTIZE, x);
    ir_set_int(op, IR_ATTR_METHOD, IR_METHOD_AFFINE_EVEN);
    ir_result_set(op, 1, ir_type_make(IR_F32, 0, NULL), NULL);
    ir_result_set(op, 2, ir_type_make(IR_U8, 0, NULL), NULL);
    ir_type type = x->type;
    type.dtype = IR_U8;
    return node_typed(n, op, type, NULL) ? op : NULL;
}

bool ort_op_dynamic_quantize(ort_node *n)
{
    const node_layout layout = ort_layout_of(n, 0);
    ir_value *x = ort_in(n, 0, layout);
    ir_op *op = x ? quantized_at_run_time(n, x) : NULL;
    return op && ort_put(n, 0, op->results[0], layout) && ort_put(n, 1, op->results[1], LAYOUT_PLAIN) &&
           ort_put(n, 2, op->results[2], LAYOUT_PLAIN);
}

/* Plain unsigned bytes: signed ones are moved by 128, as their zero point is by the same call. */
static ir_value *unsigned_bytes(ort_node *n, ir_value *v)
{
    if (v->type.dtype == IR_I8) {
        ir_graph *g = n->model->graph;
        v = ort_quantized(n, v, ir_quant_tensor(g, 1, 0));
        v = v ? node_done_quant(n, node_emit1(n, IR_REQUANTIZE, v), IR_U8, ir_quant_tensor(g, 1, 128)) : NULL;
    } else if (v->type.dtype != IR_U8) {
        node_error(n, "an integer operand of type %s", ir_dtype_text(v->type.dtype));
        return NULL;
    }
    return v && v->quant ? node_done_quant(n, node_emit1(n, IR_CAST, v), IR_U8, NULL) : v;
}

bool ort_integer_operand(ort_node *n, ir_value *x, int zero, ir_value **out_x, ir_value **out_zero)
{
    const bool is_signed = x->type.dtype == IR_I8;
    ir_value *z = ort_has(n, zero) ? ort_plain(n, zero) : node_ints(n, is_signed ? IR_I8 : IR_U8, 0, 1, (int64_t[]){0});
    if (!z)
        return false;
    if (z->type.dtype != x->type.dtype || ir_type_elements(&z->type) != 1)
        return node_error(n, "a zero point that is not one number of type %s is not supported",
                          ir_dtype_text(x->type.dtype));
    *out_x = unsigned_bytes(n, x);
    *out_zero = *out_x ? unsigned_bytes(n, z) : NULL;
    return *out_zero != NULL;
}

const ir_quant *ort_zeros(ort_node *n, int zero, int axis, int64_t channels)
{
    ir_value *z = ort_has(n, zero) ? ort_param(n, zero, "zero point") : NULL;
    const int64_t count = z ? ir_type_elements(&z->type) : 1;
    if (ort_has(n, zero) && !z)
        return NULL;
    if ((count != 1 && count != channels) || (z && z->type.dtype != IR_U8 && z->type.dtype != IR_I8)) {
        node_error(n, "%lld zero points for %lld channels", (long long)count, (long long)channels);
        return NULL;
    }
    if (!model_charge(n->model, &n->loc, count * 16))
        return NULL;
    float *scales = ARENA_ARRAY(n->model->graph->arena, float, count);
    int32_t *zeros = ARENA_ARRAY(n->model->graph->arena, int32_t, count);
    for (int64_t i = 0; i < count; i++) {
        scales[i] = 1;
        zeros[i] = z ? (int32_t)ir_const_int(z, i) : 0;
    }
    return ir_quant_new(n->model->graph, count == 1 ? -1 : axis, (int32_t)count, scales, zeros);
}

/* Operand 1, [K, N], as weights [N, K]. */
static ir_value *weights(ort_node *n, const ir_value *x)
{
    ir_value *b = ort_known(n, 1);
    if (!b)
        return NULL;
    if (!ir_is_const(b) || b->type.rank != 2 || x->type.rank < 2) {
        node_error(n, "products of integers need a constant matrix of weights");
        return NULL;
    }
    return node_transposed(n, b, (int64_t[]){1, 0});
}

/* scale: NULL for an i32 result. */
static ir_value *product(ort_node *n, ir_value *x, ir_value *w, const ir_quant *q, ir_value *bias, ir_value *scale,
                         ir_value *zero)
{
    w = q ? ort_quantized(n, w, q) : NULL;
    if (!w)
        return NULL;
    ir_op *op = node_emit(n, IR_FULLY_CONNECTED, 6, (ir_value *[]){x, w, bias, NULL, scale, zero});
    return node_done_quant(n, op, scale ? IR_F32 : IR_I32, NULL);
}

/* ---- MatMulInteger of two matrices that are computed ----
 *
 *     Σ (a - za)(b - zb)  =  Σ a b  -  za Σ b  -  zb Σ a  +  K za zb          modulo 2^32
 *
 * Zero points that are constant belong to the operands instead. */

typedef struct factor {
    ir_value *v;    /* [..., M, K] or [..., K, N] */
    ir_value *zero; /* i32, known at run time only; NULL: v's own */
} factor;

static bool read_factor(ort_node *n, int index, ir_value *v, factor *out)
{
    ir_value *z = ort_has(n, 2 + index) ? ort_known(n, 2 + index) : NULL;
    int64_t own = 0;
    if (ort_has(n, 2 + index) && !z)
        return false;
    if (v->type.rank < 2 || (v->type.dtype != IR_U8 && v->type.dtype != IR_I8))
        return node_error(n, "a factor of type %s and rank %d is not supported", ir_dtype_text(v->type.dtype),
                          v->type.rank);
    const int64_t columns = v->type.dims[v->type.rank - 1], count = z ? ir_type_elements(&z->type) : 1;
    const bool several = index == 1 && z && z->type.rank == 1 && count == columns;
    if (z && (z->type.dtype != v->type.dtype || (count != 1 && !several)))
        return node_error(n, "a zero point that is not one number of type %s, or one for each column, is not supported",
                          ir_dtype_text(v->type.dtype));
    if (z && (several || !ir_is_const(z))) {
        z = several ? z : node_reshaped(n, z, 0, NULL);
        z = z ? node_done_quant(n, node_emit1(n, IR_CAST, z), IR_I32, NULL) : NULL;
        if (!(out->zero = z))
            return false;
    } else if (z) {
        own = ir_const_int(z, 0);
    }
    return (out->v = ort_quantized(n, v, ir_quant_tensor(n->model->graph, 1, (int32_t)own))) != NULL;
}

/* y - zero * Σ of other along K: of its columns (index 0), or of its rows. */
static ir_value *less_zero(ort_node *n, ir_value *y, ir_value *zero, const factor *other, int axis_from_end)
{
    const ir_type *t = &other->v->type;
    ir_value *plain = node_done_quant(n, node_emit1(n, IR_CAST, other->v), IR_I32, NULL);
    if (!plain)
        return NULL;
    const int32_t own = other->v->quant->zero[0];
    if (own)
        plain = node_binary(n, IR_SUB, plain, node_ints(n, IR_I32, 0, 1, (int64_t[]){own}));
    if (!plain)
        return NULL;
    ir_op *sum = node_emit1(n, IR_SUM, plain);
    ir_set_ints(sum, IR_ATTR_AXES, 1, (int64_t[]){t->rank - axis_from_end});
    ir_set_int(sum, IR_ATTR_KEEP_DIMS, 1);
    ir_value *sums = node_done(n, sum);
    return sums ? node_binary(n, IR_SUB, y, node_binary(n, IR_MUL, sums, zero)) : NULL;
}

static ir_value *computed_product(ort_node *n, ir_value *a, ir_value *b)
{
    factor f[2] = {{NULL, NULL}, {NULL, NULL}};
    if (!read_factor(n, 0, a, &f[0]) || !read_factor(n, 1, b, &f[1]))
        return NULL;
    ir_value *y = node_done_quant(n, node_emit2(n, IR_BATCH_MATMUL, f[0].v, f[1].v), IR_I32, NULL);
    if (y && f[0].zero)
        y = less_zero(n, y, f[0].zero, &f[1], 2);
    if (y && f[1].zero)
        y = less_zero(n, y, f[1].zero, &f[0], 1);
    if (!y || !f[0].zero || !f[1].zero)
        return y;
    ir_value *depth = node_ints(n, IR_I32, 0, 1, (int64_t[]){a->type.dims[a->type.rank - 1]});
    ir_value *both = node_binary(n, IR_MUL, f[0].zero, f[1].zero);
    return both ? node_binary(n, IR_ADD, y, node_binary(n, IR_MUL, both, depth)) : NULL;
}

bool ort_op_matmul_integer(ort_node *n)
{
    ir_value *a = ort_plain(n, 0), *b = a ? ort_known(n, 1) : NULL;
    if (!b)
        return false;
    if (!ir_is_const(b) || b->type.rank != 2)
        return ort_put(n, 0, computed_product(n, a, b), LAYOUT_PLAIN);
    ir_value *w = weights(n, a), *x, *zero;
    if (!w || !ort_integer_operand(n, a, 2, &x, &zero))
        return false;
    return ort_put(n, 0, product(n, x, w, ort_zeros(n, 3, 0, w->type.dims[0]), NULL, NULL, zero), LAYOUT_PLAIN);
}

static bool flat_bias(ort_node *n, int index, int64_t channels, ir_value **out)
{
    *out = NULL;
    if (!ort_has(n, index))
        return true;
    ir_value *b = ort_param(n, index, "bias");
    if (!b)
        return false;
    if (b->type.dtype != IR_F32 || ir_type_elements(&b->type) != channels)
        return node_error(n, "the bias must be %lld real numbers", (long long)channels);
    return (*out = node_reshaped(n, b, 1, &channels)) != NULL;
}

bool ort_op_matmul_integer_to_float(ort_node *n)
{
    ir_value *a = ort_plain(n, 0), *w = a ? weights(n, a) : NULL, *scale = w ? ort_plain(n, 2) : NULL, *x, *zero, *bias;
    if (!scale)
        return false;
    const int64_t channels = w->type.dims[0];
    if (scale->type.dtype != IR_F32 || ir_type_elements(&scale->type) != 1)
        return node_error(n, "a scale that is not one real number is not supported");
    if (!ort_integer_operand(n, a, 4, &x, &zero) || !flat_bias(n, 6, channels, &bias))
        return false;
    return ort_put(n, 0, product(n, x, w, ort_quant(n, 3, 5, 0, channels), bias, scale, zero), LAYOUT_PLAIN);
}

bool ort_op_dynamic_quantize_matmul(ort_node *n)
{
    ir_value *a = ort_plain(n, 0), *w = a ? weights(n, a) : NULL, *bias;
    ir_op *x = w ? quantized_at_run_time(n, a) : NULL;
    if (!x || !flat_bias(n, 4, w->type.dims[0], &bias))
        return false;
    const ir_quant *q = ort_quant(n, 2, 3, 0, w->type.dims[0]);
    return ort_put(n, 0, product(n, x->results[0], w, q, bias, x->results[1], x->results[2]), LAYOUT_PLAIN);
}
