/* ops_attend.c: ONNX's own Attention: heads that share keys, a past, masks, windows, a cap on the scores.
 *
 *     q [B, H, S, D], k [B, K, T, D], v [B, K, T, E]; H / K heads read the same keys, so their rows lie one behind the other:
 *     [B, K, H/K * S, D] ──batch_matmul──▶ scores [B, K, H/K * S, T] = [B, H, S, T] ──softmax──▶ shares ──batch_matmul──▶ y
 *
 * A key that a query must not see gets -infinity added to its score; a query that sees none has shares of 0. */
#include <math.h>

#include "frontends/onnx/import.h"

enum { Q, K, V, MASK, PAST_KEY, PAST_VALUE, VALID_KEYS };

typedef struct attention {
    ir_value *q, *k, *v;
    bool flat; /* operands of three dimensions: [batch, sequence, heads * size] */
    int64_t past;
} attention;

static int64_t dim(const ir_value *v, int i) { return v->type.dims[i]; }

/* Operand `index` as [batch, heads, sequence, size]. */
static ir_value *read_heads(ort_node *n, attention *a, int index, const char *count)
{
    ir_value *v = ort_plain(n, index);
    if (!v)
        return NULL;
    if (v->type.rank == 3) {
        a->flat = true;
        return ort_heads(n, v, ort_int(n, count, 0), false);
    }
    if (v->type.rank == 4)
        return v;
    node_error(n, "operand %d has %d dimensions", index, v->type.rank);
    return NULL;
}

/* The past in front, and the whole as result `output`. */
static ir_value *with_past(ort_node *n, ir_value *v, int past, int output)
{
    ir_value *before;
    if (!v || !ort_optional(n, past, &before))
        return NULL;
    if (before) {
        ir_op *op = node_emit2(n, IR_CONCAT, before, v);
        ir_set_int(op, IR_ATTR_AXIS, 2);
        v = node_done(n, op);
    }
    return v && ort_put(n, output, v, LAYOUT_PLAIN) ? v : NULL;
}

static bool read_operands(ort_node *n, attention *a)
{
    a->q = read_heads(n, a, Q, "q_num_heads");
    a->k = a->q ? read_heads(n, a, K, "kv_num_heads") : NULL;
    a->v = a->k ? read_heads(n, a, V, "kv_num_heads") : NULL;
    if (!a->v)
        return false;
    (void)ort_int(n, "q_num_heads", 0), (void)ort_int(n, "kv_num_heads", 0); /* the shape has said them */
    const int64_t fresh = dim(a->k, 2);
    a->k = with_past(n, a->k, PAST_KEY, 1);
    a->v = a->k ? with_past(n, a->v, PAST_VALUE, 2) : NULL;
    if (!a->v)
        return false;
    a->past = dim(a->k, 2) - fresh;
    if (dim(a->q, 0) != dim(a->k, 0) || dim(a->q, 3) != dim(a->k, 3) || dim(a->k, 1) < 1 ||
        dim(a->q, 1) % dim(a->k, 1) || dim(a->v, 1) != dim(a->k, 1) || dim(a->v, 2) != dim(a->k, 2) ||
        (ort_has(n, VALID_KEYS) && ort_has(n, PAST_KEY)))
        return node_misfit(n, "query, key and value do not fit together");
    return true;
}

/* A product of the rows of heads that share keys. */
static ir_value *product(ort_node *n, const attention *a, ir_value *x, ir_value *y, bool adjoint)
{
    const int64_t together = dim(a->q, 1) / dim(a->k, 1) * dim(a->q, 2);
    x = node_reshaped(n, x, 4, (int64_t[]){dim(x, 0), dim(y, 1), together, dim(x, 3)});
    if (!x)
        return NULL;
    ir_op *op = node_emit2(n, IR_BATCH_MATMUL, x, y);
    ir_set_int(op, IR_ATTR_ADJ_B, adjoint);
    x = node_done(n, op);
    return x ? node_reshaped(n, x, 4, (int64_t[]){dim(x, 0), dim(a->q, 1), dim(a->q, 2), dim(x, 3)}) : NULL;
}

/* ---- What is added to the scores ---- */

static ir_value *compared(ort_node *n, ir_opcode code, ir_value *a, ir_value *b)
{
    return a && b ? node_done_quant(n, node_emit2(n, code, a, b), IR_BOOL, NULL) : NULL;
}

/* Both; `so_far` NULL: none. */
static ir_value *also(ort_node *n, ir_value *so_far, ir_value *allowed)
{
    return so_far ? compared(n, IR_LOGICAL_AND, so_far, allowed) : allowed;
}

static ir_value *shifted(ort_node *n, ir_value *places, int64_t by)
{
    return node_binary(n, IR_ADD, places, node_ints(n, IR_I64, 0, 1, &by));
}

/* *out: which keys a query may see by their places, NULL: all. */
static bool by_place(ort_node *n, const attention *a, ir_value **out)
{
    const bool causal = ort_int(n, "is_causal", 0);
    const int64_t left = ort_int(n, "left_window_size", -1), most = ort_int(n, "right_window_size", -1);
    const int64_t right = causal ? 0 : most;
    const int64_t limit = (int64_t)1 << 31;
    ir_value *valid = NULL;
    *out = NULL;
    if (left < -1 || left > limit || most < -1 || most > limit)
        return node_error(n, "windows of %lld and %lld", (long long)left, (long long)most);
    if (!ort_optional(n, VALID_KEYS, &valid))
        return false;
    if (!valid && left < 0 && right < 0)
        return true;
    ir_value *key = ort_places(n, dim(a->k, 2), 1), *query = ort_places(n, dim(a->q, 2), 0);
    if (valid && (valid->type.dtype != IR_I64 || ir_type_elements(&valid->type) != dim(a->q, 0)))
        return node_error(n, "numbers of keys of type %s that are not one for each of the batch",
                          ir_dtype_text(valid->type.dtype));
    valid = valid ? node_reshaped(n, valid, 4, (int64_t[]){dim(a->q, 0), 1, 1, 1}) : NULL;
    if (query && valid)
        query = shifted(n, node_binary(n, IR_ADD, valid, query), -dim(a->q, 2));
    else
        query = shifted(n, query, a->past);
    ir_value *allowed = valid ? compared(n, IR_LESS, key, valid) : NULL;
    bool fine = key && query && (allowed || !valid);
    if (fine && right >= 0)
        fine = (allowed = also(n, allowed, compared(n, IR_LESS_EQUAL, key, shifted(n, query, right)))) != NULL;
    if (fine && left >= 0)
        fine = (allowed = also(n, allowed, compared(n, IR_GREATER_EQUAL, key, shifted(n, query, -left)))) != NULL;
    *out = allowed;
    return fine;
}

/* The mask for all keys: those that it does not reach are hidden. */
static ir_value *for_all_keys(ort_node *n, const attention *a, ir_value *mask)
{
    const int rank = mask->type.rank;
    const int64_t missing = rank ? dim(a->k, 2) - dim(mask, rank - 1) : 0;
    int64_t before[IR_MAX_RANK] = {0}, after[IR_MAX_RANK] = {0};
    if (!rank || missing < 0 || (mask->type.dtype != IR_BOOL && mask->type.dtype != IR_F32)) {
        node_error(n, "a mask of rank %d and type %s", rank, ir_dtype_text(mask->type.dtype));
        return NULL;
    }
    if (!missing)
        return mask;
    after[rank - 1] = missing;
    ir_op *op = node_emit1(n, IR_PAD, mask);
    ir_set_ints(op, IR_ATTR_BEFORE, rank, before);
    ir_set_ints(op, IR_ATTR_AFTER, rank, after);
    ir_set_float(op, IR_ATTR_VALUE, mask->type.dtype == IR_BOOL ? 0 : -HUGE_VALF);
    return node_done(n, op);
}

static bool bias_of(ort_node *n, const attention *a, ir_value **out)
{
    ir_value *mask, *allowed;
    *out = NULL;
    if (!by_place(n, a, &allowed) || !ort_optional(n, MASK, &mask) || (mask && !(mask = for_all_keys(n, a, mask))))
        return false;
    if (mask && mask->type.dtype == IR_BOOL) {
        allowed = also(n, allowed, mask);
        mask = NULL;
        if (!allowed)
            return false;
    }
    if (allowed) {
        ir_op *op = node_emit(n, IR_SELECT, 3, (ir_value *[]){allowed, node_real(n, 0), node_real(n, -HUGE_VALF)});
        allowed = node_done_quant(n, op, IR_F32, NULL);
        if (!allowed)
            return false;
    }
    *out = mask && allowed ? node_binary(n, IR_ADD, mask, allowed) : mask ? mask : allowed;
    return *out || !(mask || allowed);
}

/* Shares of 0 for queries that see no key, which a softmax has no numbers for. */
static ir_value *shares_guarded(ort_node *n, ir_value *shares, ir_value *bias)
{
    const int64_t last = bias->type.rank - 1;
    ir_op *op = node_emit1(n, IR_REDUCE_MAX, bias);
    ir_set_ints(op, IR_ATTR_AXES, 1, &last);
    ir_set_int(op, IR_ATTR_KEEP_DIMS, 1);
    ir_value *most = node_done(n, op), *known = node_known(n, most);
    bool some_hidden = known && !ir_is_const(known);
    for (int64_t i = 0; known && ir_is_const(known) && i < ir_type_elements(&known->type); i++)
        some_hidden |= isinf(ir_const_real(known, i)) != 0;
    if (!known || !some_hidden)
        return known ? shares : NULL;
    ir_value *none = compared(n, IR_EQUAL, known, node_real(n, -HUGE_VALF));
    if (!none)
        return NULL;
    op = node_emit(n, IR_SELECT, 3, (ir_value *[]){none, node_real(n, 0), shares});
    return node_done_quant(n, op, IR_F32, NULL);
}

/* ---- The operator ---- */

/* As the softmax takes it: as wide as the scores, and of no more dimensions. */
static ir_value *fit_bias(ort_node *n, ir_value *bias, const ir_value *scores)
{
    ir_type type = bias->type;
    if (type.rank > 4 || type.rank < 1) {
        node_error(n, "a mask of %d dimensions", type.rank);
        return NULL;
    }
    type.dims[type.rank - 1] = dim(scores, 3);
    return ir_type_equal(&type, &bias->type) ? bias : node_typed(n, node_emit1(n, IR_BROADCAST, bias), type, NULL);
}

static ir_value *capped(ort_node *n, ir_value *scores, float cap)
{
    if (!(cap > 0))
        return scores;
    ir_value *y = node_unary(n, IR_TANH, node_binary(n, IR_DIV, scores, node_real(n, cap)));
    return node_binary(n, IR_MUL, y, node_real(n, cap));
}

/* Result 3 is what the scores are at one of four places. */
static bool put_scores(ort_node *n, int place, ir_value *v)
{
    return v && (ort_int(n, "qk_matmul_output_mode", 0) != place || ort_put(n, 3, v, LAYOUT_PLAIN));
}

static ir_value *attended(ort_node *n, const attention *a, ir_value *bias)
{
    const float cap = ort_float(n, "softcap", 0),
                scale = ort_float(n, "scale", (float)(1 / sqrt((double)dim(a->q, 3))));
    const bool plain = !(cap > 0) && !ort_wanted(n, 3);
    ir_value *scores = product(n, a, a->q, a->k, true);
    if (!plain)
        scores = node_binary(n, IR_MUL, scores, node_real(n, scale));
    if (!put_scores(n, 0, scores) || !put_scores(n, 1, scores = capped(n, scores, cap)))
        return NULL;
    if (bias && !(bias = fit_bias(n, bias, scores)))
        return NULL;
    if (ort_wanted(n, 3) && !put_scores(n, 2, bias ? node_binary(n, IR_ADD, scores, bias) : scores))
        return NULL;
    ir_op *op = bias ? node_emit2(n, IR_SOFTMAX, scores, bias) : node_emit1(n, IR_SOFTMAX, scores);
    ir_set_float(op, IR_ATTR_BETA, plain ? scale : 1);
    ir_value *shares = node_done(n, op);
    if (shares && bias)
        shares = shares_guarded(n, shares, bias);
    return put_scores(n, 3, shares) ? product(n, a, shares, a->v, false) : NULL;
}

bool ort_op_attend(ort_node *n)
{
    attention a = {0};
    ir_value *bias;
    if (!read_operands(n, &a) || !bias_of(n, &a, &bias))
        return false;
    ir_value *y = attended(n, &a, bias);
    if (y && a.flat) {
        y = node_transposed(n, y, (int64_t[]){0, 2, 1, 3});
        y = y ? node_reshaped(n, y, 3, (int64_t[]){dim(y, 0), dim(y, 1), dim(y, 2) * dim(y, 3)}) : NULL;
    }
    return ort_put(n, 0, y, LAYOUT_PLAIN);
}
