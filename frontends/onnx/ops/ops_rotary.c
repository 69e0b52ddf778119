/* ops_rotary.c: rotary embeddings: pairs of elements are turned by an angle that depends on the place in the sequence.
 *
 *     [.., size] ──slice──▶ the pairs' first and second elements [.., half], and what is not turned
 *     first * cos - second * sin, first * sin + second * cos ──concat──▶ [.., size] */
#include "frontends/node/node_index.h"
#include "frontends/onnx/import.h"

typedef struct rotary {
    ir_value *x;         /* four dimensions: batch, heads and sequence, size */
    ir_value *cos, *sin; /* that broadcast against it: [.., half] */
    int64_t turned;      /* elements of the last dimension */
    bool interleaved;    /* a pair is two neighbours, not one of each half */
} rotary;

/* Every step-th of `count` elements of the last dimension. */
static ir_value *along_last(ort_node *n, ir_value *x, int64_t first, int64_t step, int64_t count)
{
    int64_t begin[IR_MAX_RANK] = {0}, steps[IR_MAX_RANK];
    ir_type type = x->type;
    const int last = type.rank - 1;
    for (int i = 0; i < IR_MAX_RANK; i++)
        steps[i] = 1;
    begin[last] = first;
    steps[last] = step;
    type.dims[last] = count;
    return ir_type_equal(&type, &x->type) ? x : ort_cut(n, x, begin, steps, &type);
}

static ir_value *joined(ort_node *n, ir_value *a, ir_value *b)
{
    if (!a || !b)
        return NULL;
    ir_op *op = node_emit2(n, IR_CONCAT, a, b);
    ir_set_int(op, IR_ATTR_AXIS, a->type.rank - 1);
    return node_done(n, op);
}

/* The pairs' elements in the order in which they were. */
static ir_value *paired(ort_node *n, const rotary *r, ir_value *a, ir_value *b)
{
    if (!r->interleaved || !a || !b)
        return joined(n, a, b);
    ir_type type = a->type;
    type.dims[type.rank] = 1;
    a = node_reshaped(n, a, type.rank + 1, type.dims);
    b = node_reshaped(n, b, type.rank + 1, type.dims);
    type.dims[type.rank - 1] *= 2;
    return node_reshaped(n, joined(n, a, b), type.rank, type.dims);
}

static ir_value *turned(ort_node *n, const rotary *r)
{
    const int64_t size = r->x->type.dims[3], half = r->turned / 2, step = r->interleaved ? 2 : 1;
    ir_value *a = along_last(n, r->x, 0, step, half), *b = along_last(n, r->x, r->interleaved ? 1 : half, step, half);
    ir_value *first = node_binary(n, IR_SUB, node_binary(n, IR_MUL, r->cos, a), node_binary(n, IR_MUL, r->sin, b));
    ir_value *second = node_binary(n, IR_ADD, node_binary(n, IR_MUL, r->sin, a), node_binary(n, IR_MUL, r->cos, b));
    ir_value *y = paired(n, r, first, second);
    return size == r->turned ? y : joined(n, y, along_last(n, r->x, r->turned, 1, size - r->turned));
}

/* A table by the places of the sequence's elements, or one that has a row for each already, as it broadcasts against
 * r->x; sequence: the dimension of r->x that it is, 1 or 2. */
static ir_value *rows_of(ort_node *n, const rotary *r, int table, ir_value *places, int sequence)
{
    ir_value *t = ort_plain(n, table);
    const int64_t *d = r->x->type.dims;
    if (t && places) {
        ir_op *op = node_gather(n, t, places, 0, NEGATIVE_OUTSIDE);
        t = op ? node_done(n, op) : NULL;
    }
    if (!t)
        return NULL;
    if (t->type.rank != 3 || t->type.dims[0] != d[0] || t->type.dims[1] != d[sequence] ||
        t->type.dims[2] != r->turned / 2) {
        node_misfit(n, "the tables do not fit the operand");
        return NULL;
    }
    return node_reshaped(
        n, t, 4, sequence == 1 ? (int64_t[]){d[0], d[1], 1, r->turned / 2} : (int64_t[]){d[0], 1, d[2], r->turned / 2});
}

/* cos, sin: which operands are the tables; places: which are the places in them. */
static bool rotate(ort_node *n, int cos, int sin, int places)
{
    ir_value *x = ort_plain(n, 0), *at;
    int64_t heads = ort_int(n, "num_heads", 0);
    rotary r = {.turned = ort_int(n, "rotary_embedding_dim", 0), .interleaved = ort_int(n, "interleaved", 0)};
    ir_type table;
    if (!x || !ort_optional(n, places, &at) || !ort_shape(n, cos, &table))
        return false;
    if (x->type.rank != 3 && x->type.rank != 4)
        return node_error(n, "an operand of %d dimensions", x->type.rank);
    const bool flat = x->type.rank == 3;
    const ir_type type = x->type;
    if (at && (table.rank != 2 || at->type.rank != 2))
        return node_error(n, "tables of %d dimensions by places of %d", table.rank, at->type.rank);
    if (flat && !heads && !r.turned && table.rank && table.dims[table.rank - 1] > 0) /* a table for the whole size */
        heads = type.dims[2] / (2 * table.dims[table.rank - 1]);
    if (flat && (heads < 1 || type.dims[2] % heads))
        return node_error(n, "%lld elements are no %lld heads", (long long)type.dims[2], (long long)heads);
    r.x = flat ? node_reshaped(n, x, 4, (int64_t[]){type.dims[0], type.dims[1], heads, type.dims[2] / heads}) : x;
    if (!r.x)
        return false;
    r.turned = r.turned ? r.turned : r.x->type.dims[3];
    if (r.turned < 2 || r.turned % 2 || r.turned > r.x->type.dims[3])
        return node_error(n, "%lld of %lld elements are no pairs", (long long)r.turned, (long long)r.x->type.dims[3]);
    r.cos = rows_of(n, &r, cos, at, flat ? 1 : 2);
    r.sin = r.cos ? rows_of(n, &r, sin, at, flat ? 1 : 2) : NULL;
    ir_value *y = r.sin ? turned(n, &r) : NULL;
    return ort_put(n, 0, node_reshaped(n, y, type.rank, type.dims), LAYOUT_PLAIN);
}

bool ort_op_rotary_embedding(ort_node *n) { return rotate(n, 1, 2, 3); }
bool ort_op_rotary_embedding_ms(ort_node *n) { return rotate(n, 2, 3, 1); }
