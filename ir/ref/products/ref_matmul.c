/* ref_matmul.c: fully_connected and batch_matmul.
 *
 * Both become rows of dot products: a centred into [rows][K], b into [columns][K].  Real sums run over k in order. */
#include <stdlib.h>

#include "ir/ref/ref_quant.h"

bool ir_check_fully_connected(const ir_op *op, diag *d)
{
    const ir_type *x = &op->operands[0].value->type, *w = &op->operands[1].value->type, *y = &op->results[0]->type;
    if (x->rank < 1 || w->rank != 2 || y->rank < 1)
        return ir_refuse(op, d, "operand and result need a dimension, weights two");
    const int64_t depth = w->dims[1], channels = w->dims[0];
    if (x->dims[x->rank - 1] != depth || y->dims[y->rank - 1] != channels)
        return ir_refuse(op, d, "weights of %lld x %lld do not fit last dimensions %lld and %lld", (long long)channels,
                         (long long)depth, (long long)x->dims[x->rank - 1], (long long)y->dims[y->rank - 1]);
    if (depth && channels && ir_type_elements(x) / depth != ir_type_elements(y) / channels)
        return ir_refuse(op, d, "operand and result differ in their number of rows");
    return ir_mac_check(op, channels, 0, d);
}

/* n integers from `first`, less a zero point, as 16-bit. */
static int16_t *centred(const ir_value *v, const void *data, int64_t n)
{
    int16_t *out = malloc(((size_t)n + 1) * sizeof *out);
    if (!out)
        return NULL;
    const ir_quant *q = v->quant;
    if (q->axis < 0) {
        ir_ints_load_i16(v->type.dtype, data, 0, n, q->zero[0], out);
        return out;
    }
    const int64_t inner = q->count ? n / q->count : 0; /* axis 0 */
    for (int32_t c = 0; c < q->count; c++)
        ir_ints_load_i16(v->type.dtype, data, c * inner, inner, q->zero[c], out + c * inner);
    return out;
}

static int32_t dot_i32(const int16_t *a, const int16_t *b, int64_t n)
{
    uint32_t sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (uint32_t)((int32_t)a[i] * b[i]);
    return (int32_t)sum;
}

static int64_t dot_i64(const int16_t *a, const int16_t *b, int64_t n)
{
    int64_t sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (int32_t)a[i] * b[i];
    return sum;
}

/* Result row `row` from one row of a and all rows of b. */
static void int_row(const ir_mac_end *end, int64_t row, const int16_t *a, const int16_t *b, int64_t depth, bool wide)
{
    for (int64_t o = 0; o < end->channels; o++) {
        if (wide) {
            const int64_t sum = dot_i64(a, b + o * depth, depth);
            ir_mac_end_i64(end, row, o, 1, &sum);
        } else {
            const int32_t sum = dot_i32(a, b + o * depth, depth);
            ir_mac_end_i32(end, row, o, 1, &sum);
        }
    }
}

static void real_row(const ir_mac_end *end, int64_t row, const void *a, int64_t a_first, const void *b, int64_t depth)
{
    for (int64_t o = 0; o < end->channels; o++) {
        float sum = 0;
        for (int64_t k = 0; k < depth; k++)
            sum += ir_f32_at(a, a_first + k) * ir_f32_at(b, o * depth + k);
        ir_mac_end_f32(end, row, o, 1, &sum);
    }
}

static bool fully_connected_int(const ir_op *op, const void *const operands[], const ir_mac_end *end, int64_t rows,
                                diag *d)
{
    const ir_value *x = op->operands[0].value, *w = op->operands[1].value;
    const int64_t depth = w->type.dims[1];
    int16_t *a = ir_mac_centred_operand(op, operands), *b = centred(w, operands[1], end->channels * depth);
    const bool fine = a && b;
    for (int64_t row = 0; fine && row < rows; row++)
        int_row(end, row, a + row * depth, b, depth, x->type.dtype == IR_I16);
    free(a);
    free(b);
    return fine || ir_out_of_memory(op, d);
}

bool ir_ref_fully_connected(const ir_op *op, const void *const operands[], void *const results[], diag *d)
{
    ir_mac_end end;
    bool fine = true;
    if (ir_type_elements(&op->results[0]->type) == 0)
        return true;
    if (!ir_mac_end_init(&end, op, operands, results[0], d))
        return false;
    const int64_t depth = op->operands[1].value->type.dims[1];
    const int64_t rows = ir_type_elements(&op->results[0]->type) / end.channels;
    if (end.real)
        for (int64_t row = 0; row < rows; row++)
            real_row(&end, row, operands[0], row * depth, operands[1], depth);
    else
        fine = fully_connected_int(op, operands, &end, rows, d);
    ir_mac_end_free(&end);
    return fine;
}

/* ---- batch_matmul ---- */

typedef struct product { /* of one matrix pair */
    int64_t m, k, n;
    bool adj_a, adj_b;
    int batch_rank;
    int64_t batch[IR_MAX_RANK];                           /* the result's leading dimensions */
    int64_t a_stride[IR_MAX_RANK], b_stride[IR_MAX_RANK]; /* in matrices */
} product;

static bool product_of(const ir_op *op, product *p)
{
    const ir_type *a = &op->operands[0].value->type, *b = &op->operands[1].value->type, *y = &op->results[0]->type;
    if (a->rank < 2 || b->rank < 2 || y->rank < 2)
        return false;
    p->adj_a = ir_int(op, IR_ATTR_ADJ_A) != 0;
    p->adj_b = ir_int(op, IR_ATTR_ADJ_B) != 0;
    p->m = a->dims[a->rank - (p->adj_a ? 1 : 2)];
    p->k = a->dims[a->rank - (p->adj_a ? 2 : 1)];
    p->n = b->dims[b->rank - (p->adj_b ? 2 : 1)];
    if (b->dims[b->rank - (p->adj_b ? 1 : 2)] != p->k || y->dims[y->rank - 2] != p->m || y->dims[y->rank - 1] != p->n)
        return false;
    ir_type a_batch = *a, b_batch = *b, y_batch = *y;
    a_batch.rank -= 2;
    b_batch.rank -= 2;
    y_batch.rank -= 2;
    p->batch_rank = y_batch.rank;
    memcpy(p->batch, y->dims, sizeof p->batch);
    return ir_broadcast_strides(&a_batch, &y_batch, p->a_stride) &&
           ir_broadcast_strides(&b_batch, &y_batch, p->b_stride);
}

bool ir_check_batch_matmul(const ir_op *op, diag *d)
{
    product p;
    if (!product_of(op, &p))
        return ir_refuse(op, d, "shapes do not fit");
    if (op->operands[0].value->type.dtype == IR_F32)
        return true;
    for (int i = 0; i < 2; i++)
        if (!ir_check_quantized(op, op->operands[i].value, i ? "second operand" : "first operand", d))
            return false;
    if (op->operands[0].value->type.dtype == IR_I16 &&
        (ir_zero_of(op->operands[0].value) != 0 || ir_zero_of(op->operands[1].value) != 0))
        return ir_refuse(op, d, "a 16-bit operand has a zero point");
    const ir_value *y = op->results[0];
    if (y->type.dtype == IR_I32)
        return !y->quant || ir_refuse(op, d, "sums of products have no quantization");
    return y->type.dtype == IR_F32 || ir_check_quantized(op, y, "result", d);
}

/* Matrix `index` of a value as rows of length k: [rows][k] from [k][rows] when `swap`. */
static void take_int(const ir_value *v, const void *data, int64_t index, int64_t rows, int64_t k, bool swap,
                     int16_t *out)
{
    const int64_t first = index * rows * k;
    if (!swap) {
        ir_ints_load_i16(v->type.dtype, data, first, rows * k, v->quant->zero[0], out);
        return;
    }
    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < k; i++)
            out[r * k + i] = (int16_t)(ir_int_at(v->type.dtype, data, first + i * rows + r) - v->quant->zero[0]);
}

static void take_f32(const void *data, int64_t index, int64_t rows, int64_t k, bool swap, float *out)
{
    const int64_t first = index * rows * k;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < k; i++)
            out[r * k + i] = ir_f32_at(data, first + (swap ? i * rows + r : r * k + i));
}

static void multiply(const ir_op *op, const product *p, const void *const operands[], const ir_mac_end *end,
                     int64_t a_index, int64_t b_index, int64_t first_row, void *a, void *b)
{
    const ir_value *av = op->operands[0].value, *bv = op->operands[1].value;
    if (end->real) {
        take_f32(operands[0], a_index, p->m, p->k, p->adj_a, a);
        take_f32(operands[1], b_index, p->n, p->k, !p->adj_b, b);
        for (int64_t i = 0; i < p->m; i++)
            real_row(end, first_row + i, a, i * p->k, b, p->k);
    } else {
        take_int(av, operands[0], a_index, p->m, p->k, p->adj_a, a);
        take_int(bv, operands[1], b_index, p->n, p->k, !p->adj_b, b);
        for (int64_t i = 0; i < p->m; i++)
            int_row(end, first_row + i, (const int16_t *)a + i * p->k, b, p->k, av->type.dtype == IR_I16);
    }
}

bool ir_ref_batch_matmul(const ir_op *op, const void *const operands[], void *const results[], diag *d)
{
    product p;
    ir_mac_end end;
    if (ir_type_elements(&op->results[0]->type) == 0 || !product_of(op, &p))
        return true;
    if (!ir_mac_end_init(&end, op, operands, results[0], d))
        return false;
    const size_t bytes = end.real ? sizeof(float) : sizeof(int16_t);
    void *a = malloc((size_t)(p.m * p.k + 1) * bytes), *b = malloc((size_t)(p.n * p.k + 1) * bytes);
    int64_t index[IR_MAX_RANK] = {0}, row = 0;
    const bool fine = a && b;
    do {
        int64_t a_index = 0, b_index = 0;
        for (int i = 0; i < p.batch_rank; i++) {
            a_index += index[i] * p.a_stride[i];
            b_index += index[i] * p.b_stride[i];
        }
        if (fine)
            multiply(op, &p, operands, &end, a_index, b_index, row, a, b);
        row += p.m;
    } while (fine && ir_next_index(p.batch_rank, p.batch, index));
    free(a);
    free(b);
    ir_mac_end_free(&end);
    return fine || ir_out_of_memory(op, d);
}
