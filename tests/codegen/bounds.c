/* bounds.c: see bounds.h.  The rule of each op, and the run.
 *
 *     the interpreter's run, all values kept -> the rules, in the order of the ops -> a bound for each real element */
#include "tests/codegen/bounds_rules.h"

#include <float.h>
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

static const rule rules[IR_OPCODE_COUNT] = {
#define BOUND(CODE, rule, flags, ulps, absolute, slope) [IR_##CODE] = {rule, flags, {ulps, absolute, slope}},
#include "tests/codegen/bounds.def"
#undef BOUND
};

/* An op on integers is exact even if its result is real; but data may move by indices and conditions. */
static bool is_real(const ir_op *op)
{
    bool any = false;

    for (int i = 0; i < op->operand_count; i++)
        any = any || (op->operands[i].value && op->operands[i].value->type.dtype == IR_F32);
    return any && (op->operands[0].value->type.dtype == IR_F32 || rules[op->code].apply == bounds_move);
}

bool bounds_accepts(ir_opcode code) { return rules[code].flags & ACCEPTS; }
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

/* An elementary function of exact operands gives the same infinity, or NaN. */
static void close_specials(const bounds_op *o, int64_t count, float bound[])
{
    for (int i = 0; i < o->op->operand_count; i++)
        if (o->bound[i])
            return;
    for (int64_t k = 0; o->function.ulps > 0 && k < count; k++)
        if (!isfinite(o->got[k]))
            bound[k] = 0;
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
        close_specials(&o, n, bound);
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

const float *bounds_of(const bounds *b, const ir_value *v) { return b && v->id < b->values ? b->bound[v->id] : NULL; }

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
