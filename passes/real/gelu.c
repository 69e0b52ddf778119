/* gelu.c: the spelled-out forms of gelu become the op.
 *
 *     %1 = div %0, 1.41421                %5 = gelu %0
 *     %2 = erf %1
 *     %3 = add %2, 1
 *     %4 = mul %0, %3
 *     %5 = mul %4, 0.5
 *
 *     x / 2 * (1 + tanh(0.797885 (x + 0.044715 x³)))      %9 = gelu %0 {approximate = 1}
 *
 * A product of 1 + erf(…) or 1 + tanh(…) with other factors, in any order: these, and what the function is applied to,
 * are polynomials of x, and are compared as such.  Only of reals; what else uses a value in between keeps it. */
#include <math.h>
#include <string.h>

#include "passes/common/util.h"

enum { DEGREE = 3, DEEPEST = 4 };

/* Sum of c[i] x^i. */
typedef struct polynomial {
    double c[DEGREE + 1];
} polynomial;

static bool is_plain_real(const ir_value *v)
{
    return v && v->type.dtype == IR_F32 && v->def &&
           (!ir_has_attr(v->def, IR_ATTR_ACT) || ir_int(v->def, IR_ATTR_ACT) == IR_ACT_NONE);
}

static bool number_of(const ir_value *v, double *out)
{
    if (!v || v->type.dtype != IR_F32 || !ir_is_const(v) || ir_type_elements(&v->type) != 1)
        return false;
    *out = ir_const_real(v, 0);
    return true;
}

static bool times(const polynomial *a, const polynomial *b, polynomial *out)
{
    polynomial r = {{0}};
    for (int i = 0; i <= DEGREE; i++)
        for (int j = 0; j <= DEGREE; j++) {
            const double c = a->c[i] * b->c[j];
            if (i + j <= DEGREE)
                r.c[i + j] += c;
            else if (c != 0)
                return false;
        }
    *out = r;
    return true;
}

static void add_scaled(polynomial *a, const polynomial *b, double by)
{
    for (int i = 0; i <= DEGREE; i++)
        a->c[i] += by * b->c[i];
}

/* v as a polynomial of x. */
static bool polynomial_of(const ir_value *v, const ir_value *x, int depth, polynomial *out)
{
    double c;
    *out = (polynomial){{0}};
    if (v == x) {
        out->c[1] = 1;
        return true;
    }
    if (number_of(v, &c)) {
        out->c[0] = c;
        return true;
    }
    if (!is_plain_real(v) || v->def->operand_count != 2 || depth == 0)
        return false;
    const ir_op *op = v->def;
    polynomial a, b;
    if (!polynomial_of(op->operands[0].value, x, depth - 1, &a) ||
        !polynomial_of(op->operands[1].value, x, depth - 1, &b))
        return false;
    const bool by_number = b.c[1] == 0 && b.c[2] == 0 && b.c[3] == 0;
    switch (op->code) {
    case IR_ADD:
    case IR_SUB:
        *out = a;
        add_scaled(out, &b, op->code == IR_ADD ? 1 : -1);
        return true;
    case IR_MUL: return times(&a, &b, out);
    case IR_DIV:
        if (by_number && b.c[0] != 0)
            add_scaled(out, &a, 1 / b.c[0]);
        return by_number && b.c[0] != 0;
    case IR_POW:
        if (!by_number || !(b.c[0] == 2 || b.c[0] == 3) || !times(&a, &a, out))
            return false;
        return b.c[0] == 2 || times(out, &a, out);
    default: return false;
    }
}

static bool near(const polynomial *p, double c0, double c1, double c2, double c3)
{
    const double want[DEGREE + 1] = {c0, c1, c2, c3};
    for (int i = 0; i <= DEGREE; i++)
        if (!(fabs(p->c[i] - want[i]) <= 2e-4 * fabs(want[i]) + 1e-7))
            return false;
    return true;
}

/* The erf or tanh in 1 + erf(…). */
static const ir_op *function_of(const ir_value *v)
{
    double c;
    if (!is_plain_real(v) || v->def->code != IR_ADD)
        return NULL;
    for (int i = 0; i < 2; i++) {
        const ir_value *f = v->def->operands[i].value;
        if (is_plain_real(f) && (f->def->code == IR_ERF || f->def->code == IR_TANH) &&
            number_of(v->def->operands[!i].value, &c) && fabs(c - 1) < 1e-6)
            return f->def;
    }
    return NULL;
}

/* The factor 1 + f(…) somewhere in the product v. */
static const ir_value *marker_in(const ir_value *v, int depth)
{
    if (function_of(v))
        return v;
    if (depth == 0 || !is_plain_real(v) || v->def->code != IR_MUL)
        return NULL;
    const ir_value *m = marker_in(v->def->operands[0].value, depth - 1);
    return m ? m : marker_in(v->def->operands[1].value, depth - 1);
}

/* v / marker as a polynomial of x; *seen counts the markers. */
static bool rest_of(const ir_value *v, const ir_value *marker, const ir_value *x, int depth, polynomial *out, int *seen)
{
    polynomial a, b;
    if (v == marker) {
        ++*seen;
        *out = (polynomial){{1}};
        return true;
    }
    if (v != x && depth > 0 && is_plain_real(v) && v->def->code == IR_MUL)
        return rest_of(v->def->operands[0].value, marker, x, depth - 1, &a, seen) &&
               rest_of(v->def->operands[1].value, marker, x, depth - 1, &b, seen) && times(&a, &b, out);
    return polynomial_of(v, x, DEEPEST, out);
}

/* Is f's operand what gelu has it be, for this x? */
static bool argument_fits(const ir_op *function, const ir_value *x)
{
    const double inner = 0.7978845608028654; /* sqrt(2 / pi) */
    polynomial p;
    if (!polynomial_of(function->operands[0].value, x, DEEPEST, &p))
        return false;
    return function->code == IR_ERF ? near(&p, 0, 0.7071067811865476, 0, 0) : near(&p, 0, inner, 0, 0.044715 * inner);
}

typedef struct gelu {
    const ir_value *y, *marker;
    const ir_op *function;
} gelu;

/* The x with y = gelu(x), among `v` and what it is computed from. */
static ir_value *argument_of(const gelu *u, ir_value *v, int depth)
{
    polynomial p;
    int seen = 0;
    if (v && v->type.dtype == IR_F32 && !ir_is_const(v) && ir_type_equal(&v->type, &u->y->type) &&
        argument_fits(u->function, v) && rest_of(u->y, u->marker, v, DEEPEST, &p, &seen) && seen == 1 &&
        near(&p, 0, 0.5, 0, 0))
        return v;
    for (int i = 0; v && is_plain_real(v) && depth > 0 && i < v->def->operand_count && i < 2; i++) {
        ir_value *x = argument_of(u, v->def->operands[i].value, depth - 1);
        if (x)
            return x;
    }
    return NULL;
}

static ir_value *match(const ir_value *y, gelu *u)
{
    if (!is_plain_real(y) || y->def->code != IR_MUL)
        return NULL;
    u->y = y;
    u->marker = marker_in(y, DEEPEST);
    u->function = u->marker ? function_of(u->marker) : NULL;
    return u->function ? argument_of(u, u->function->operands[0].value, DEEPEST) : NULL;
}

pass_result pass_gelu(ir_graph *g, pass_context *c)
{
    (void)c;
    pass_result result = PASS_UNCHANGED;
    for (ir_op *op = g->first, *next; op; op = next) {
        next = op->next; /* what the new op replaces stays in the list, for dce */
        gelu u;
        ir_value *y = op->code == IR_MUL ? op->results[0] : NULL, *x = y ? match(y, &u) : NULL;
        if (!x || ir_use_count(y) == 0)
            continue;
        ir_value *r = pass_op1(g, IR_GELU, op, op, 1, &x, y->type, NULL);
        ir_set_int(r->def, IR_ATTR_APPROXIMATE, u.function->code == IR_TANH);
        pass_takes_over(r, y);
        result = PASS_CHANGED;
    }
    return result;
}
