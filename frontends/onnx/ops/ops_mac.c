/* ops_mac.c: matrix products. */
#include "frontends/onnx/import.h"

ir_value *ort_int_bias(ort_node *n, int index, const ir_quant *x, const ir_quant *w, int64_t channels)
{
    ir_value *b = ort_param(n, index, "bias");
    if (!b)
        return NULL;
    if (b->type.dtype != IR_I32 || ir_type_elements(&b->type) != channels) {
        node_error(n, "the bias must be %lld numbers of type i32", (long long)channels);
        return NULL;
    }
    if (!model_charge(n->model, &n->loc, (int64_t)w->count * 16))
        return NULL;
    float *scale = ARENA_ARRAY(n->model->graph->arena, float, w->count);
    int32_t *zero = ARENA_ARRAY(n->model->graph->arena, int32_t, w->count);
    for (int32_t i = 0; i < w->count; i++)
        scale[i] = x->scale[0] * w->scale[i];
    const ir_quant *q = ir_quant_new(n->model->graph, w->axis < 0 ? -1 : 0, w->count, scale, zero);
    return ort_quantized(n, node_reshaped(n, b, 1, &channels), q);
}

static ir_value *swapped(ort_node *n, ir_value *v)
{
    int64_t perm[IR_MAX_RANK];
    int rank = v->type.rank;
    for (int i = 0; i < rank; i++)
        perm[i] = i < rank - 2 ? i : 2 * rank - 3 - i;
    return node_transposed(n, v, perm);
}

/* a times b; b [K, N], or [N, K] when b_swapped; bias [N] or NULL. */
static ir_value *product(ort_node *n, ir_value *a, bool a_swapped, ir_value *b, bool b_swapped, ir_value *bias)
{
    if (a->type.rank < 2 || b->type.rank < 2) {
        node_error(n, "products with vectors are not supported");
        return NULL;
    }
    if (b->type.rank == 2 && ir_is_const(b)) {
        a = a_swapped ? swapped(n, a) : a;
        b = b_swapped ? b : swapped(n, b);
        return a && b ? node_done(n, node_emit(n, IR_FULLY_CONNECTED, bias ? 3 : 2, (ir_value *[]){a, b, bias})) : NULL;
    }
    ir_op *op = node_emit2(n, IR_BATCH_MATMUL, a, b);
    ir_set_int(op, IR_ATTR_ADJ_A, a_swapped);
    ir_set_int(op, IR_ATTR_ADJ_B, b_swapped);
    ir_value *y = node_done(n, op);
    return y && bias ? node_binary(n, IR_ADD, y, bias) : y;
}

static ir_value *scaled(ort_node *n, ir_value *v, float factor)
{
    return !v || factor == 1 ? v : node_binary(n, IR_MUL, v, node_real(n, factor));
}

static ir_value *gemm(ort_node *n)
{
    ir_value *a = ort_plain(n, 0), *b = a ? ort_plain(n, 1) : NULL, *c, *bias = NULL;
    float alpha = ort_float(n, "alpha", 1), beta = ort_float(n, "beta", 1);
    if (!b || !ort_optional(n, 2, &c))
        return NULL;
    bool b_swapped = ort_int(n, "transB", 0);
    int64_t channels = b->type.rank == 2 ? b->type.dims[!b_swapped] : -1;
    if (c && alpha == 1 && beta == 1 && ir_is_const(c) && ir_type_elements(&c->type) == channels &&
        (c->type.rank == 0 || c->type.dims[c->type.rank - 1] == channels)) {
        if (!(bias = node_reshaped(n, c, 1, &channels)))
            return NULL;
    }
    ir_value *y = scaled(n, product(n, a, ort_int(n, "transA", 0), b, b_swapped, bias), alpha);
    if (y && c && !bias)
        y = node_binary(n, IR_ADD, y, scaled(n, c, beta));
    return y;
}

bool ort_op_gemm(ort_node *n) { return ort_put(n, 0, gemm(n), LAYOUT_PLAIN); }

bool ort_op_fused_gemm(ort_node *n)
{
    const bool given[2] = {ort_has_attr(n, "activation_alpha"), ort_has_attr(n, "activation_beta")};
    const float params[2] = {ort_float(n, "activation_alpha", 0), ort_float(n, "activation_beta", 0)};
    if (given[1] && !given[0])
        return node_error(n, "an activation_beta without an activation_alpha is not supported");
    return ort_put(n, 0, ort_activated(n, gemm(n), given[0] + given[1], params), LAYOUT_PLAIN);
}

static bool matmul(ort_node *n, bool a_swapped, bool b_swapped, float factor)
{
    ir_value *a = ort_plain(n, 0), *b = a ? ort_plain(n, 1) : NULL;
    if (!b)
        return false;
    bool row = a->type.rank == 1, column = b->type.rank == 1; /* vectors, as matrices while they are multiplied */
    if (row)
        a = node_reshaped(n, a, 2, (int64_t[]){1, a->type.dims[0]});
    if (column)
        b = node_reshaped(n, b, 2, (int64_t[]){b->type.dims[0], 1});
    ir_value *y = a && b ? product(n, a, a_swapped, b, b_swapped, NULL) : NULL;
    return ort_put(n, 0, scaled(n, node_vector_product(n, y, row, column), factor), LAYOUT_PLAIN);
}

bool ort_op_matmul(ort_node *n) { return matmul(n, false, false, 1); }

bool ort_op_fused_matmul(ort_node *n)
{
    return matmul(n, ort_int(n, "transA", 0), ort_int(n, "transB", 0), ort_float(n, "alpha", 1));
}

/* Of two results of other ops: as a product of real numbers between dequantize and quantize, which the passes over
 * fake-quantized graphs make integers of whatever the types are. */
static bool qlinear_batch_matmul(ort_node *n, ir_value *a, ir_value *b)
{
    const ir_quant *qa = ort_quant(n, 1, 2, -1, 1), *qb = qa ? ort_quant(n, 4, 5, -1, 1) : NULL;
    const ir_quant *qy = qb ? ort_quant(n, 6, 7, -1, 1) : NULL;
    if (!qy || !(a = ort_quantized(n, a, qa)) || !(b = ort_quantized(n, b, qb)))
        return false;
    ir_dtype dtype = a->type.dtype;
    a = node_done_quant(n, node_emit1(n, IR_DEQUANTIZE, a), IR_F32, NULL);
    b = a ? node_done_quant(n, node_emit1(n, IR_DEQUANTIZE, b), IR_F32, NULL) : NULL;
    ir_value *y = b ? product(n, a, false, b, false, NULL) : NULL;
    return y && ort_put(n, 0, node_done_quant(n, node_emit1(n, IR_QUANTIZE, y), dtype, qy), LAYOUT_PLAIN);
}

/* The result is quantized, or real when its scale is absent. */
static bool quantized_product(ort_node *n, bool b_swapped, int bias, int result)
{
    ir_value *a = ort_plain(n, 0), *b = !a ? NULL : bias < 0 ? ort_plain(n, 3) : ort_known(n, 3), *c = NULL;
    if (!b)
        return false;
    if (!ir_is_const(b) && bias < 0)
        return qlinear_batch_matmul(n, a, b);
    if (!ir_is_const(b) || b->type.rank != 2 || a->type.rank < 2)
        return node_error(n, "quantized products need a constant matrix of weights");
    if (!b_swapped && !(b = swapped(n, b)))
        return false;
    int64_t channels = b->type.dims[0];
    const ir_quant *qa = ort_quant(n, 1, 2, -1, 1), *qb = qa ? ort_quant(n, 4, 5, 0, channels) : NULL;
    const ir_quant *qy = qb && ort_has(n, result) ? ort_quant(n, result, result + 1, -1, 1) : NULL;
    if (!qb || (!qy && ort_has(n, result)) || !(a = ort_quantized(n, a, qa)) || !(b = ort_quantized(n, b, qb)))
        return false;
    if (bias >= 0 && ort_has(n, bias) && !(c = ort_int_bias(n, bias, qa, qb, channels)))
        return false;
    ir_op *op = node_emit(n, IR_FULLY_CONNECTED, c ? 3 : 2, (ir_value *[]){a, b, c});
    return ort_put(n, 0, node_done_quant(n, op, qy ? a->type.dtype : IR_F32, qy), LAYOUT_PLAIN);
}

bool ort_op_qlinear_matmul(ort_node *n) { return quantized_product(n, false, -1, 6); }

bool ort_op_qgemm(ort_node *n) { return quantized_product(n, ort_int(n, "transB", 0), 6, 7); }

/* ---- Weights of a few bits ---- */

/* Rows of weights, each of blocks with a scale and a zero point of its own:
 *
 *     weights [rows, blocks, block * bits / 8]   numbers of `bits` bits, the first in a byte's lowest
 *     scales  [rows * blocks]                    real
 *     zeros   [rows, blocks * bits / 8]          the same numbers, each row's padded to bytes; or absent: all in the middle
 *
 * zero points may be real, too, one for each scale. */
typedef struct narrow {
    int64_t rows, columns, bits, block, blocks;
    const ir_value *weights, *scales, *zeros;
} narrow;

static unsigned number_at(const ir_value *v, int64_t first_byte, int64_t index, int64_t bits)
{
    const uint8_t *bytes = v->data;
    const int64_t at = index * bits;
    return bytes[first_byte + at / 8] >> at % 8 & ((1u << bits) - 1);
}

static double zero_of(const narrow *w, int64_t row, int64_t block)
{
    if (!w->zeros)
        return (double)(1 << (w->bits - 1));
    return w->zeros->type.dtype == IR_U8
               ? (double)number_at(w->zeros, row * ((w->blocks * w->bits + 7) / 8), block, w->bits)
               : ir_const_real(w->zeros, row * w->blocks + block);
}

static bool read_narrow(ort_node *n, narrow *w)
{
    *w = (narrow){.rows = ort_int(n, "N", 0),
                  .columns = ort_int(n, "K", 0),
                  .bits = ort_int(n, "bits", 4),
                  .block = ort_int(n, "block_size", 0)};
    if (w->rows < 1 || w->columns < 1 || w->rows > 1 << 24 || w->columns > 1 << 24 || w->block < 16 ||
        w->block > 1 << 16 || w->block & (w->block - 1))
        return node_error(n, "%lld x %lld weights in blocks of %lld are not supported", (long long)w->rows,
                          (long long)w->columns, (long long)w->block);
    w->blocks = (w->columns + w->block - 1) / w->block;
    if (!(w->weights = ort_param(n, 1, "weights")) || !(w->scales = ort_param(n, 2, "scales")) ||
        (ort_has(n, 3) && !(w->zeros = ort_param(n, 3, "zero points"))))
        return false;
    const int64_t zeros = w->zeros ? ir_type_elements(&w->zeros->type) : 0, bytes = (w->blocks * w->bits + 7) / 8;
    const bool real = w->zeros && w->zeros->type.dtype == IR_F32;
    if (w->weights->type.dtype != IR_U8 || w->scales->type.dtype != IR_F32 ||
        ir_type_elements(&w->weights->type) != w->rows * w->blocks * w->block * w->bits / 8 ||
        ir_type_elements(&w->scales->type) != w->rows * w->blocks ||
        (w->zeros && !real && w->zeros->type.dtype != IR_U8) ||
        (w->zeros && zeros != w->rows * (real ? w->blocks : bytes)))
        return node_misfit(n, "weights, scales or zero points do not fit %lld x %lld weights", (long long)w->rows,
                           (long long)w->columns);
    return true;
}

/* The weights as the real numbers that the operator multiplies by. */
bool ort_op_matmul_narrow(ort_node *n)
{
    ir_value *x = ort_plain(n, 0), *bias;
    narrow w;
    if (!x || !ort_optional(n, 5, &bias) || !read_narrow(n, &w))
        return false;
    if (w.rows > IR_MAX_BYTES / 4 / w.columns)
        return node_error(n, "%lld x %lld weights are too many", (long long)w.rows, (long long)w.columns);
    if (!model_charge(n->model, &n->loc, 8 * w.rows * w.columns))
        return false;
    float *real = ARENA_ARRAY(n->model->graph->arena, float, w.rows *w.columns);
    for (int64_t row = 0; row < w.rows; row++)
        for (int64_t k = 0; k < w.columns; k++) {
            const int64_t block = k / w.block, first = (row * w.blocks + block) * w.block * w.bits / 8;
            const double q = (double)number_at(w.weights, first, k % w.block, w.bits);
            real[row * w.columns + k] =
                (float)((q - zero_of(&w, row, block)) * ir_const_real(w.scales, row * w.blocks + block));
        }
    ir_value *matrix = node_reals(n, 2, (int64_t[]){w.rows, w.columns}, real);
    if (!matrix)
        return false;
    ir_op *op = node_emit(n, IR_FULLY_CONNECTED, bias ? 3 : 2, (ir_value *[]){x, matrix, bias});
    return ort_put(n, 0, node_done(n, op), LAYOUT_PLAIN);
}
