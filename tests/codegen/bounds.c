/* bounds.c: see bounds.h.  The rule of each op, and the run.
 *
 *     the interpreter's run, all values kept -> the rules, in the order of the ops -> a bound for each real element */
#include "tests/codegen/bounds_rules.h"

#include <stdlib.h>

struct bounds {
    size_t values;
    void **data;   /* by id: a copy of what the interpreter had; NULL: not seen, or a constant */
    float **bound; /* by id; NULL: exact */
};

/* ---- Which rule ---- */

enum { MAKES = 1, ACCEPTS = 2 };

typedef struct rule {
    bounds_rule *apply;
    int flags;
    bounds_function function; /* of elementary functions */
} rule;

#define MOVE {bounds_move, ACCEPTS, {0}}
#define SUM {bounds_sum, MAKES | ACCEPTS, {0}}
#define TERMS {bounds_sum, ACCEPTS, {0}} /* one rounding, which both do: exact operands give exact results */
#define LARGEST {bounds_largest, ACCEPTS, {0}}
#define FUNCTION(ulps, absolute, slope) {bounds_elementary, MAKES | ACCEPTS, {ulps, absolute, slope}}
#define STEEP(ulps, absolute) {bounds_elementary, MAKES, {ulps, absolute, 0}} /* no bound on the slope */
#define SLOPE(slope) {bounds_elementary, ACCEPTS, {0, 0, slope}}

/* Ops that are not here are exact, and take exact operands only.  Units in the last place: what math_accuracy.c holds the
 * compiled functions to, and as much for the interpreter's formula in float over libm. */
static const rule rules[IR_OPCODE_COUNT] = {
    [IR_CONV2D] = SUM, [IR_DEPTHWISE_CONV2D] = SUM, [IR_TRANSPOSE_CONV2D] = SUM, [IR_FULLY_CONNECTED] = SUM,
    [IR_BATCH_MATMUL] = SUM, [IR_AVG_POOL2D] = SUM, [IR_SUM] = SUM, [IR_MEAN] = SUM, [IR_CUMSUM] = SUM,
    [IR_RESIZE_BILINEAR] = SUM,
    [IR_ADD] = TERMS, [IR_SUB] = TERMS, [IR_MUL] = TERMS, [IR_DIV] = {bounds_quotient, ACCEPTS, {0}},
    [IR_SQUARED_DIFFERENCE] = {bounds_square, ACCEPTS, {0}},
    [IR_MINIMUM] = LARGEST, [IR_MAXIMUM] = LARGEST, [IR_MAX_POOL2D] = LARGEST, [IR_REDUCE_MAX] = LARGEST,
    [IR_REDUCE_MIN] = LARGEST,
    [IR_OBSERVE] = MOVE, [IR_SELECT] = MOVE, [IR_RESHAPE] = MOVE, [IR_TRANSPOSE] = MOVE, [IR_CONCAT] = MOVE, [IR_SLICE] = MOVE,
    [IR_PAD] = MOVE, [IR_MIRROR_PAD] = MOVE, [IR_BROADCAST] = MOVE, [IR_TILE] = MOVE, [IR_REVERSE] = MOVE, [IR_GATHER] = MOVE,
    [IR_GATHER_ND] = MOVE, [IR_DYNAMIC_UPDATE_SLICE] = MOVE, [IR_DEPTH_TO_SPACE] = MOVE, [IR_SPACE_TO_DEPTH] = MOVE,
    [IR_SPACE_TO_BATCH] = MOVE, [IR_BATCH_TO_SPACE] = MOVE, [IR_RESIZE_NEAREST] = MOVE, [IR_ONE_HOT] = MOVE,
    [IR_ABS] = SLOPE(1), [IR_NEG] = SLOPE(1), [IR_RELU] = SLOPE(1), [IR_LEAKY_RELU] = {bounds_leaky, ACCEPTS, {0}},
    [IR_EXP] = {bounds_exp, MAKES | ACCEPTS, {4, 1e-44f, 0}}, [IR_LOG] = STEEP(4, 0), [IR_SQRT] = STEEP(1, 0),
    [IR_RSQRT] = STEEP(4, 0), [IR_SIN] = FUNCTION(4, 1e-7f, 1), [IR_COS] = FUNCTION(4, 1e-7f, 1),
    [IR_TANH] = FUNCTION(6, 0, 1), [IR_LOGISTIC] = FUNCTION(8, 1e-44f, 0.25f), [IR_ELU] = FUNCTION(6, 0, 1),
    [IR_GELU] = FUNCTION(8, 1e-6f, 1.2f), [IR_ERF] = FUNCTION(6, 0, 1.2f), [IR_HARD_SWISH] = SLOPE(1.5f),
    [IR_POW] = STEEP(4, 0), [IR_ATAN2] = STEEP(6, 1e-7f),
};

/* An op on integers is exact even if its result is real. */
static bool is_real(const ir_op *op)
{
    for (int i = 0; i < op->operand_count; i++)
        if (op->operands[i].value && op->operands[i].value->type.dtype == IR_F32)
            return op->operands[0].value->type.dtype == IR_F32 || !(ir_op_info_of(op->code)->flags & IR_MAC);
    return false;
}

bool bounds_accepts(const ir_op *op) { return is_real(op) && (rules[op->code].flags & ACCEPTS); }
bool bounds_makes(const ir_op *op) { return is_real(op) && (rules[op->code].flags & MAKES); }

/* ---- The run ---- */

static void keep(void *context, const ir_value *v, const void *data)
{
    bounds *b = context;
    const size_t bytes = ir_type_bytes(&v->type);

    b->data[v->id] = malloc(bytes + 1);
    if (b->data[v->id])
        memcpy(b->data[v->id], data, bytes);
}

static bool derive(bounds *b, const ir_op *op, diag *d)
{
    bounds_op o = {.op = op, .function = rules[op->code].function, .diag = d};
    bounds_rule *apply = op->operand_count <= BOUNDS_MAX_OPERANDS ? rules[op->code].apply : NULL;
    bool any = bounds_makes(op);

    for (int i = 0; i < op->operand_count; i++) {
        const ir_value *v = op->operands[i].value;
        const float *own = v ? b->bound[v->id] : NULL;
        any = any || own;
        if (apply) {
            o.data[i] = !v ? NULL : v->data ? v->data : b->data[v->id];
            o.bound[i] = own;
        }
    }
    for (int i = 0; any && i < ir_op_info_of(op->code)->results; i++) {
        const ir_value *r = op->results[i];
        const int64_t n = ir_type_elements(&r->type);
        if (r->type.dtype != IR_F32)
            continue;
        float *bound = b->bound[r->id] = calloc((size_t)n + 1, sizeof *bound);
        o.result = i;
        o.got = b->data[r->id];
        if (!bound || (apply && !apply(&o, bound)))
            return d->failed ? false : diag_error(d, NULL, "out of memory");
        for (int64_t k = 0; k < n; k++)
            if (!apply || !(bound[k] >= 0))
                bound[k] = INFINITY;
    }
    return true;
}

bounds *bounds_interpret(const ir_graph *g, const void *const inputs[], void *const outputs[], ir_state *state, diag *d)
{
    bounds *b = calloc(1, sizeof *b);
    const size_t n = (size_t)g->next_id + 1;

    if (b)
        *b = (bounds){n, calloc(n, sizeof *b->data), calloc(n, sizeof *b->bound)};
    if (!b || !b->data || !b->bound) {
        diag_error(d, NULL, "out of memory");
        bounds_free(b);
        return NULL;
    }
    bool ok = ir_interpret_observed(g, inputs, outputs, state, keep, b, d);
    for (const ir_op *op = g->first; ok && op; op = op->next)
        ok = derive(b, op, d);
    if (ok)
        return b;
    bounds_free(b);
    return NULL;
}

const float *bounds_of(const bounds *b, const ir_value *v)
{
    return b && v->id < b->values ? b->bound[v->id] : NULL;
}

void bounds_free(bounds *b)
{
    for (size_t i = 0; b && i < b->values; i++) {
        if (b->data)
            free(b->data[i]);
        if (b->bound)
            free(b->bound[i]);
    }
    if (b) {
        free(b->data);
        free(b->bound);
    }
    free(b);
}
