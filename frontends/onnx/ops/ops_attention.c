/* ops_attention.c: attention as one operator: Attention and MultiHeadAttention of com.microsoft.
 *
 *     x [B, S, I] ──fully_connected──▶ q, k, v [B, S, heads * size] ──reshape, transpose──▶ [B, heads, S, size]
 *     q k^T ──softmax (beta = scale, mask)──▶ [B, heads, S, T] ──times v──▶ back to [B, S, heads * size]
 *
 * Without a past, without rotary embeddings; the mask is a number for each place of the keys (0: hidden), or what is to
 * be added to the scores. */
#include <math.h>

#include "frontends/onnx/import.h"

ir_value *ort_heads(ort_node *n, ir_value *v, int64_t heads, bool transposed)
{
    if (!v || v->type.rank != 3 || heads < 1 || v->type.dims[2] % heads != 0) {
        if (v)
            node_error(n, "an operand of rank %d, or whose last dimension is no multiple of %lld heads", v->type.rank,
                       (long long)heads);
        return NULL;
    }
    const int64_t *d = v->type.dims;
    v = node_reshaped(n, v, 4, (int64_t[]){d[0], d[1], heads, d[2] / heads});
    return v ? node_transposed(n, v, transposed ? (int64_t[]){0, 2, 3, 1} : (int64_t[]){0, 2, 1, 3}) : NULL;
}

/* Added to the scores: what attention_bias says, and mask_filter_value where a place is hidden. */
static bool mask_of(ort_node *n, int places, int bias, int64_t batch, int64_t keys, ir_value **out)
{
    ir_value *hidden, *added;
    const float filter = ort_float(n, "mask_filter_value", -10000);
    if (!ort_optional(n, places, &hidden) || !ort_optional(n, bias, &added))
        return false;
    if (hidden) {
        const ir_type *t = &hidden->type;
        if (t->rank != 2 || t->dims[0] != batch || t->dims[1] != keys || (t->dtype != IR_I32 && t->dtype != IR_I64))
            return node_error(n, "only a mask of integers [batch, keys] is supported");
        ir_op *cast = node_emit1(n, IR_CAST, hidden);
        ir_type real = *t;
        real.dtype = IR_F32;
        hidden = node_typed(n, cast, real, NULL);
        hidden = node_binary(n, IR_MINIMUM, hidden, hidden ? node_real(n, 1) : NULL);
        hidden = node_binary(n, IR_SUB, hidden, hidden ? node_real(n, 1) : NULL);
        hidden = node_binary(n, IR_MUL, hidden, hidden ? node_real(n, -filter) : NULL);
        hidden = hidden ? node_reshaped(n, hidden, 4, (int64_t[]){batch, 1, 1, keys}) : NULL;
        if (!hidden)
            return false;
    }
    *out = hidden && added ? node_binary(n, IR_ADD, added, hidden) : hidden ? hidden : added;
    return *out || !(hidden || added);
}

/* q, k, v [B, S, heads * size] -> [B, S, heads * size of v] */
static ir_value *attend(ort_node *n, ir_value *q, ir_value *k, ir_value *v, int64_t heads, int places, int bias)
{
    ir_value *mask = NULL;
    q = ort_heads(n, q, heads, false);
    k = q ? ort_heads(n, k, heads, true) : NULL;
    v = k ? ort_heads(n, v, heads, false) : NULL;
    if (!v || !mask_of(n, places, bias, q->type.dims[0], k->type.dims[3], &mask))
        return NULL;
    ir_value *scores = node_done(n, node_emit2(n, IR_BATCH_MATMUL, q, k));
    if (!scores)
        return NULL;
    ir_op *softmax = mask ? node_emit2(n, IR_SOFTMAX, scores, mask) : node_emit1(n, IR_SOFTMAX, scores);
    const float scale = ort_float(n, "scale", 0);
    ir_set_float(softmax, IR_ATTR_BETA, scale != 0 ? scale : (float)(1 / sqrt((double)q->type.dims[3])));
    ir_value *shares = node_done(n, softmax), *y;
    y = shares ? node_done(n, node_emit2(n, IR_BATCH_MATMUL, shares, v)) : NULL;
    y = y ? node_transposed(n, y, (int64_t[]){0, 2, 1, 3}) : NULL;
    return y ? node_reshaped(n, y, 3, (int64_t[]){y->type.dims[0], y->type.dims[1], y->type.dims[2] * y->type.dims[3]})
             : NULL;
}

/* Elements first…first+count-1 of dimension 0. */
static ir_value *rows_of(ort_node *n, ir_value *v, int64_t first, int64_t count)
{
    if (!v)
        return NULL;
    ir_op *op = node_emit1(n, IR_SLICE, v);
    ir_type type = v->type;
    type.dims[0] = count;
    ir_set_ints(op, IR_ATTR_BEGIN, type.rank, (int64_t[]){first, 0});
    ir_set_ints(op, IR_ATTR_STEP, type.rank, (int64_t[]){1, 1});
    return node_typed(n, op, type, NULL);
}

/* Operands: x, weights [I, q + k + v], bias, mask, past, added to the scores. */
bool ort_op_attention(ort_node *n)
{
    const int64_t heads = ort_int(n, "num_heads", 0);
    ir_value *x = ort_plain(n, 0), *w = x ? ort_known(n, 1) : NULL, *b, *part[3];
    if (!w || !ort_optional(n, 2, &b))
        return false;
    if (!ir_is_const(w) || w->type.rank != 2 || w->type.dims[1] % 3 != 0 || w->type.dtype != IR_F32 ||
        (b && (b->type.rank != 1 || b->type.dims[0] != w->type.dims[1])))
        return node_error(n, "its weights have to be a real constant matrix with three parts");
    const int64_t size = w->type.dims[1] / 3;
    w = node_transposed(n, w, (int64_t[]){1, 0});
    for (int i = 0; i < 3; i++) {
        ir_value *operands[3] = {x, rows_of(n, w, i * size, size), b ? rows_of(n, b, i * size, size) : NULL};
        if (!operands[1] || (b && !operands[2]))
            return false;
        part[i] = node_done(n, node_emit(n, IR_FULLY_CONNECTED, b ? 3 : 2, operands));
        if (!part[i])
            return false;
    }
    ir_value *y = attend(n, part[0], part[1], part[2], heads, 3, 5);
    return y && ort_put(n, 0, y, LAYOUT_PLAIN);
}

/* Operands: query, key, value (projected already), bias of the three, mask, added to the scores, past. */
bool ort_op_multi_head_attention(ort_node *n)
{
    const int64_t heads = ort_int(n, "num_heads", 0);
    ir_value *part[3], *b;
    for (int i = 0; i < 3; i++)
        if (!ort_optional(n, i, &part[i]))
            return false;
    if (!ort_optional(n, 3, &b))
        return false;
    int64_t first = 0;
    for (int i = 0; i < 3; i++) {
        if (!part[i] || part[i]->type.rank != 3)
            return node_error(n, "query, key and value have to be three operands of rank 3");
        const int64_t size = part[i]->type.dims[2];
        if (b && (b->type.rank != 1 || b->type.dims[0] < first + size))
            return node_error(n, "a bias of %lld elements", (long long)ir_type_elements(&b->type));
        if (b && !(part[i] = node_binary(n, IR_ADD, part[i], rows_of(n, b, first, size))))
            return false;
        first += size;
    }
    ir_value *y = attend(n, part[0], part[1], part[2], heads, 4, 5);
    return y && ort_put(n, 0, y, LAYOUT_PLAIN);
}
