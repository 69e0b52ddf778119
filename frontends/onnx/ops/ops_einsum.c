/* ops_einsum.c: Einsum, two operands at a time.
 *
 *     bhid,bhjd->bhij   labels of both that are kept (b h), of both that are summed (d), of one alone (i; j):
 *     a [b h, i, d] times b [b h, d, j] ──batch_matmul──▶ [b h, i, j] ──reshape, transpose──▶ [b, h, i, j]
 *
 * What only one operand has and nobody wants is summed first.  The dimensions of an ellipsis have labels of their own,
 * counted from the last one. */
#include <ctype.h>
#include <string.h>

#include "frontends/onnx/import.h"

enum { LABELS = 64, ELLIPSIS = 52 }; /* a-z, A-Z, then those of an ellipsis */

/* The labels of a value's dimensions. */
typedef struct term {
    int labels[2 * IR_MAX_RANK];
    int count;
    int hidden; /* where the ellipsis is, -1: there is none */
} term;

static int label_of(char c) { return islower((unsigned char)c) ? c - 'a' : c - 'A' + 26; }

/* From *at to the next comma, arrow or end. */
static bool read_term(ort_node *n, const char **at, term *t)
{
    *t = (term){.hidden = -1};
    for (; **at && **at != ',' && strncmp(*at, "->", 2) != 0; ++*at) {
        if (**at == ' ')
            continue;
        if (strncmp(*at, "...", 3) == 0 && t->hidden < 0) {
            t->hidden = t->count;
            *at += 2;
        } else if (isalpha((unsigned char)**at) && t->count < IR_MAX_RANK) {
            t->labels[t->count++] = label_of(**at);
        } else {
            return node_error(n, "the equation is not understood from '%.20s' on", *at);
        }
    }
    return true;
}

/* Labels for the `rank` dimensions of an ellipsis. */
static void fill_ellipsis(term *t, int rank)
{
    if (t->hidden < 0)
        return;
    memmove(&t->labels[t->hidden + rank], &t->labels[t->hidden], (size_t)(t->count - t->hidden) * sizeof *t->labels);
    for (int i = 0; i < rank; i++)
        t->labels[t->hidden + i] = ELLIPSIS + rank - 1 - i;
    t->count += rank;
}

static int place_of(const term *t, int label)
{
    for (int i = 0; i < t->count; i++)
        if (t->labels[i] == label)
            return i;
    return -1;
}

/* Without an arrow: the ellipsis, and what is named once, in order. */
static void implied_result(const term terms[], int count, int hidden, term *out)
{
    *out = (term){.hidden = -1};
    for (int i = 0; i < hidden; i++)
        out->labels[out->count++] = ELLIPSIS + hidden - 1 - i;
    for (int upper = 0; upper < 2; upper++) /* capitals come first */
        for (int i = 0; i < 26; i++) {
            int uses = 0;
            const int label = upper ? i : i + 26;
            for (int k = 0; k < count; k++)
                for (int d = 0; d < terms[k].count; d++)
                    uses += terms[k].labels[d] == label;
            if (uses == 1 && out->count < IR_MAX_RANK)
                out->labels[out->count++] = label;
        }
}

/* The value with the dimensions of the given labels, all of which it has; others are summed. */
static ir_value *arranged(ort_node *n, ir_value *v, const term *have, const term *want)
{
    int64_t gone[IR_MAX_RANK], perm[IR_MAX_RANK];
    int gone_count = 0, kept_count = 0;
    term kept = {.hidden = -1};
    for (int i = 0; i < have->count; i++)
        if (place_of(want, have->labels[i]) < 0)
            gone[gone_count++] = i;
        else
            kept.labels[kept_count++] = have->labels[i];
    kept.count = kept_count;
    if (gone_count)
        v = ort_reduced(n, IR_SUM, v, gone_count, gone, false);
    for (int i = 0; i < want->count; i++)
        perm[i] = place_of(&kept, want->labels[i]);
    return node_transposed(n, v, perm);
}

static int64_t product_of(const term *t, const int64_t extents[])
{
    int64_t product = 1;
    for (int i = 0; i < t->count; i++)
        product *= extents[t->labels[i]];
    return product;
}

/* With the full extents of the labels, where an ellipsis has left a 1; then as a matrix for each batch. */
static ir_value *matrices(ort_node *n, ir_value *v, const term *t, const int64_t extents[], const int64_t dims[3])
{
    if (!v)
        return NULL;
    ir_type type = v->type;
    for (int i = 0; i < t->count; i++)
        type.dims[i] = extents[t->labels[i]];
    if (!ir_type_equal(&type, &v->type))
        v = node_typed(n, node_emit1(n, IR_BROADCAST, v), type, NULL);
    return node_reshaped(n, v, 3, dims);
}

static void append(term *t, const term *from)
{
    for (int i = 0; i < from->count && t->count < IR_MAX_RANK; i++)
        t->labels[t->count++] = from->labels[i];
}

/* Of a and b, with the labels that are wanted later; *have: a's labels, then the product's. */
static ir_value *product(ort_node *n, ir_value *a, term *have, ir_value *b, const term *other, const bool wanted[],
                         const int64_t extents[])
{
    term batch = {0}, summed = {0}, left = {0}, right = {0};
    for (int i = 0; i < have->count; i++) {
        const int label = have->labels[i];
        term *to = place_of(other, label) >= 0 ? wanted[label] ? &batch : &summed : wanted[label] ? &left : NULL;
        if (to)
            to->labels[to->count++] = label;
    }
    for (int i = 0; i < other->count; i++)
        if (place_of(have, other->labels[i]) < 0 && wanted[other->labels[i]])
            right.labels[right.count++] = other->labels[i];
    if (batch.count + left.count + right.count > IR_MAX_RANK) {
        node_error(n, "a product of more than %d dimensions", IR_MAX_RANK);
        return NULL;
    }
    term of_a = batch, of_b = batch, result = batch;
    append(&of_a, &left), append(&of_a, &summed);
    append(&of_b, &summed), append(&of_b, &right);
    append(&result, &left), append(&result, &right);
    const int64_t batches = product_of(&batch, extents), depth = product_of(&summed, extents);
    const int64_t rows = product_of(&left, extents), columns = product_of(&right, extents);
    a = matrices(n, arranged(n, a, have, &of_a), &of_a, extents, (int64_t[]){batches, rows, depth});
    b = a ? matrices(n, arranged(n, b, other, &of_b), &of_b, extents, (int64_t[]){batches, depth, columns}) : NULL;
    ir_value *y = b ? node_done(n, node_emit2(n, IR_BATCH_MATMUL, a, b)) : NULL;
    int64_t dims[IR_MAX_RANK];
    for (int i = 0; i < result.count; i++)
        dims[i] = extents[result.labels[i]];
    *have = result;
    return node_reshaped(n, y, result.count, dims);
}

static bool check_term(ort_node *n, const term *t, const ir_type *type, int64_t extents[])
{
    if (t->count != type->rank)
        return node_misfit(n, "%d labels for %d dimensions", t->count, type->rank);
    for (int i = 0; i < t->count; i++) {
        const int label = t->labels[i];
        const int64_t extent = type->dims[i];
        if (place_of(t, label) != i)
            return node_error(n, "diagonals of an operand are not supported");
        if (extents[label] > 1 && extent != extents[label] && (label < ELLIPSIS || extent != 1))
            return node_misfit(n, "extents %lld and %lld of one label", (long long)extents[label], (long long)extent);
        if (label < ELLIPSIS && extents[label] == 1 && extent != 1)
            return node_misfit(n, "extents 1 and %lld of one label", (long long)extent);
        if (extents[label] < 1 || extent > 1)
            extents[label] = extent;
    }
    return true;
}

static bool read_equation(ort_node *n, term terms[], term *result)
{
    const char *at = ort_text(n, "equation", "");
    int hidden = 0;
    for (int i = 0; i < n->input_count; i++) {
        ir_type shape;
        if (!ort_shape(n, i, &shape) || !read_term(n, &at, &terms[i]))
            return false;
        if ((*at == ',') != (i + 1 < n->input_count))
            return node_error(n, "the equation is not one of %d operands", n->input_count);
        at += *at == ',';
        const int rank = shape.rank - terms[i].count;
        if (terms[i].hidden >= 0 && (rank < 0 || rank > LABELS - ELLIPSIS || shape.rank > IR_MAX_RANK))
            return node_misfit(n, "an ellipsis of %d dimensions", rank);
        hidden = terms[i].hidden >= 0 && rank > hidden ? rank : hidden;
        fill_ellipsis(&terms[i], rank);
    }
    if (!*at) {
        implied_result(terms, n->input_count, hidden, result);
        return true;
    }
    at += 2;
    if (!read_term(n, &at, result) || *at)
        return *at ? node_error(n, "the equation has something behind its result") : false;
    if (result->count + hidden > IR_MAX_RANK)
        return node_error(n, "a result of more than %d dimensions", IR_MAX_RANK);
    fill_ellipsis(result, hidden);
    return true;
}

bool ort_op_einsum(ort_node *n)
{
    term *terms = ARENA_ARRAY(n->model->graph->arena, term, n->input_count), result;
    int64_t extents[LABELS] = {0};
    if (!read_equation(n, terms, &result))
        return false;
    for (int i = 0; i < n->input_count; i++) {
        ir_value *v = ort_plain(n, i);
        if (!v || !check_term(n, &terms[i], &v->type, extents))
            return false;
    }
    for (int i = 0; i < result.count; i++) {
        bool known = false;
        for (int k = 0; k < n->input_count; k++)
            known |= place_of(&terms[k], result.labels[i]) >= 0;
        if (!known || place_of(&result, result.labels[i]) != i)
            return node_error(n, "the result has a label twice, or one that no operand has");
    }
    ir_value *y = ort_plain(n, 0);
    term have = terms[0];
    for (int i = 1; y && i < n->input_count; i++) {
        bool wanted[LABELS] = {false};
        for (int d = 0; d < result.count; d++)
            wanted[result.labels[d]] = true;
        for (int k = i + 1; k < n->input_count; k++)
            for (int d = 0; d < terms[k].count; d++)
                wanted[terms[k].labels[d]] = true;
        y = product(n, y, &have, ort_plain(n, i), &terms[i], wanted, extents);
    }
    return y && ort_put(n, 0, arranged(n, y, &have, &result), LAYOUT_PLAIN);
}
