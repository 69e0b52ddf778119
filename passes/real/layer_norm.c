/* layer_norm.c: the spelled-out normalisation of rows becomes the op layer_norm.
 *
 *     %1 = mean %0 {axes = [last], keep_dims = 1}       %9 = layer_norm %0, gamma, beta {epsilon = 1e-5}
 *     %2 = sub %0, %1
 *     %3 = mul %2, %2                                   also: pow by 2, squared_difference
 *     %4 = mean %3 {axes = [last], keep_dims = 1}
 *     %5 = add %4, 1e-5
 *     %6 = sqrt %5                                      also: rsqrt, 1 / sqrt, pow by 0.5 or -0.5
 *     %7 = div %2, %6
 *     %8 = mul %7, gamma                                gamma and beta: a number an element of a row, or absent
 *     %9 = add %8, beta
 *
 * and the form with the mean moved into the shift:  x * s + (beta - mean * s), s = rsqrt(…) * gamma.
 *
 * Only of reals: quantized steps round on their own.  What else uses a value in between keeps it. */
#include <math.h>

#include "passes/common/util.h"

/* ---- Pieces ---- */

static bool is_real(const ir_value *v) { return v && v->type.dtype == IR_F32; }
static ir_op *def_of(const ir_value *v, ir_opcode code)
{
    return is_real(v) && v->def && v->def->code == code ? v->def : NULL;
}
static ir_value *operand(const ir_op *op, int i) { return op->operands[i].value; }

static bool number_of(const ir_value *v, double *out)
{
    if (!is_real(v) || !ir_is_const(v) || ir_type_elements(&v->type) != 1)
        return false;
    *out = ir_const_real(v, 0);
    return true;
}

static bool is_number(const ir_value *v, double number)
{
    double c;
    return number_of(v, &c) && c == number;
}

/* The rows whose mean v is; NULL when it is none. */
static ir_value *rows_of_mean(const ir_value *v)
{
    const ir_op *op = def_of(v, IR_MEAN);
    const int64_t *axes;
    if (!op || ir_ints(op, IR_ATTR_AXES, &axes) != 1 || !ir_int(op, IR_ATTR_KEEP_DIMS))
        return NULL;
    ir_value *x = operand(op, 0);
    return is_real(x) && axes[0] == x->type.rank - 1 ? x : NULL;
}

/* The x in x - mean(x). */
static ir_value *rows_of_distance(const ir_value *v)
{
    const ir_op *op = def_of(v, IR_SUB);
    ir_value *x = op && ir_int(op, IR_ATTR_ACT) == IR_ACT_NONE ? operand(op, 0) : NULL;
    return x && rows_of_mean(operand(op, 1)) == x ? x : NULL;
}

static ir_value *rows_of_square(const ir_value *v)
{
    if (!is_real(v) || !v->def || v->def->operand_count != 2)
        return NULL;
    const ir_op *op = v->def;
    ir_value *a = operand(op, 0), *b = operand(op, 1), *x = rows_of_distance(a);
    switch (op->code) {
    case IR_MUL: return ir_int(op, IR_ATTR_ACT) == IR_ACT_NONE && x && rows_of_distance(b) == x ? x : NULL;
    case IR_POW: return is_number(b, 2) ? x : NULL;
    case IR_SQUARED_DIFFERENCE: return rows_of_mean(b) == a ? a : rows_of_mean(a) == b ? b : NULL;
    default: return NULL;
    }
}

/* variance(x) + epsilon */
static ir_value *rows_of_variance(const ir_value *v, double *epsilon)
{
    const ir_op *op = def_of(v, IR_ADD);
    if (!op || ir_int(op, IR_ATTR_ACT) != IR_ACT_NONE)
        return NULL;
    for (int i = 0; i < 2; i++) {
        const ir_value *squares = rows_of_mean(operand(op, i));
        if (squares && number_of(operand(op, !i), epsilon) && *epsilon >= 0)
            return rows_of_square(squares);
    }
    return NULL;
}

/* A root of the variance, or one over it. */
static ir_value *rows_of_root(const ir_value *v, bool inverse, double *epsilon)
{
    const ir_op *op = is_real(v) ? v->def : NULL;
    if (!op)
        return NULL;
    if (op->code == (inverse ? IR_RSQRT : IR_SQRT) ||
        (op->code == IR_POW && is_number(operand(op, 1), inverse ? -0.5 : 0.5)))
        return rows_of_variance(operand(op, 0), epsilon);
    if (inverse && op->code == IR_DIV && is_number(operand(op, 0), 1))
        return rows_of_root(operand(op, 1), false, epsilon);
    return NULL;
}

/* A constant or rank-1 value that has one number for each element of a row. */
static bool is_parameter(const ir_value *v, int64_t n)
{
    return is_real(v) && ir_type_elements(&v->type) == n && v->type.rank >= 1 && v->type.dims[v->type.rank - 1] == n &&
           (ir_is_const(v) || v->type.rank == 1);
}

static ir_value *as_row(ir_graph *g, ir_value *v)
{
    if (!v || v->type.rank == 1)
        return v;
    ir_value *row = ir_const_new(g, ir_type_make(IR_F32, 1, &v->type.dims[v->type.rank - 1]), NULL, v->data);
    row->name = v->name;
    return row;
}

/* ---- The whole ---- */

typedef struct match {
    ir_value *x, *gamma, *beta;
    double epsilon;
} match;

static bool is_plain(const ir_op *op, ir_opcode code)
{
    return op && op->code == code && is_real(op->results[0]) && ir_int(op, IR_ATTR_ACT) == IR_ACT_NONE;
}

/* (x - mean) / deviation */
static bool match_normalized(const ir_op *op, match *m)
{
    if (is_plain(op, IR_DIV)) {
        m->x = rows_of_distance(operand(op, 0));
        return m->x && rows_of_root(operand(op, 1), false, &m->epsilon) == m->x;
    }
    for (int i = 0; i < 2 && is_plain(op, IR_MUL); i++) {
        m->x = rows_of_distance(operand(op, i));
        if (m->x && rows_of_root(operand(op, !i), true, &m->epsilon) == m->x)
            return true;
    }
    return false;
}

/* The one op behind v when it is `code` with a parameter of n elements, which goes to *out. */
static ir_op *parameter_behind(const ir_value *v, ir_opcode code, int64_t n, ir_value **out)
{
    ir_op *op = pass_single_user(v);
    if (!is_plain(op, code) || !ir_type_equal(&op->results[0]->type, &v->type))
        return NULL;
    ir_value *other = operand(op, operand(op, 0) == v);
    if (other == v || !is_parameter(other, n))
        return NULL;
    *out = other;
    return op;
}

/* From the normalized rows on, over gamma and beta: the op whose result is all of it. */
static ir_op *match_forward(ir_op *op, match *m)
{
    *m = (match){0};
    if (!match_normalized(op, m))
        return NULL;
    const int64_t n = m->x->type.dims[m->x->type.rank - 1];
    ir_op *behind = parameter_behind(op->results[0], IR_MUL, n, &m->gamma);
    op = behind ? behind : op;
    behind = parameter_behind(op->results[0], IR_ADD, n, &m->beta);
    return behind ? behind : op;
}

/* s = 1 / deviation, times gamma if there is one. */
static bool match_factor(ir_value *s, match *m)
{
    m->gamma = NULL;
    m->x = rows_of_root(s, true, &m->epsilon);
    for (int i = 0; !m->x && i < 2 && is_plain(s->def, IR_MUL); i++) {
        m->x = rows_of_root(operand(s->def, i), true, &m->epsilon);
        m->gamma = operand(s->def, !i);
    }
    return m->x && (!m->gamma || is_parameter(m->gamma, m->x->type.dims[m->x->type.rank - 1]));
}

static bool product_has(const ir_op *op, const ir_value *a, const ir_value *b)
{
    return is_plain(op, IR_MUL) &&
           ((operand(op, 0) == a && operand(op, 1) == b) || (operand(op, 0) == b && operand(op, 1) == a));
}

/* x * s + (beta - mean * s) */
static bool match_shifted(const ir_op *op, match *m)
{
    for (int i = 0; i < 2 && is_plain(op, IR_ADD); i++) {
        const ir_op *shift = def_of(operand(op, i), IR_SUB), *scaled = def_of(operand(op, !i), IR_MUL);
        const ir_op *product = shift ? def_of(operand(shift, 1), IR_MUL) : NULL;
        for (int j = 0; j < 2 && scaled && is_plain(shift, IR_SUB) && product; j++) {
            *m = (match){0};
            ir_value *s = operand(product, j), *mean = operand(product, !j);
            if (!match_factor(s, m) || rows_of_mean(mean) != m->x || !is_plain(product, IR_MUL) ||
                !product_has(scaled, m->x, s))
                continue;
            m->beta = operand(shift, 0);
            return is_parameter(m->beta, m->x->type.dims[m->x->type.rank - 1]);
        }
    }
    return false;
}

static void rewrite(ir_graph *g, ir_op *last, const match *m)
{
    ir_value *y = last->results[0], *operands[3] = {m->x, as_row(g, m->gamma), as_row(g, m->beta)};
    const int count = m->beta ? 3 : m->gamma ? 2 : 1;
    ir_value *r = pass_op1(g, IR_LAYER_NORM, last, last, count, operands, y->type, NULL);
    ir_set_float(r->def, IR_ATTR_EPSILON, (float)m->epsilon);
    pass_takes_over(r, y);
}

pass_result pass_layer_norm(ir_graph *g, pass_context *c)
{
    (void)c;
    pass_result result = PASS_UNCHANGED;
    for (ir_op *op = g->first, *next; op; op = next) {
        match m;
        ir_op *last = match_forward(op, &m);
        next = op->next; /* what the new op replaces stays in the list, for dce */
        if (!last && match_shifted(op, &m))
            last = op;
        if (!last || !ir_type_equal(&last->results[0]->type, &m.x->type) || !(m.epsilon <= 1e30))
            continue;
        rewrite(g, last, &m);
        result = PASS_CHANGED;
    }
    return result;
}
