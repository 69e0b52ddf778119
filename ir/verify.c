/* verify.c: is the graph well-formed?  Form only: order of definitions, use lists, operand counts, ranges of
 * attributes, quantization parameters, and the shapes (shape.c).  Whether an op is defined on its types is
 * ir_op_supported's. */
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ir/private.h"
#include "ir/shape/shape.h"

/* What attributes may be, whatever op carries them.  count: length of lists, -1 any, -2 the first operand's rank. */
typedef struct attr_range {
    int64_t min, max;
    int count;
} attr_range;

enum { ANY = -1, RANK = -2, EXTENT = 1 << 24 };

static const attr_range ranges[IR_ATTR_COUNT] = {
    [IR_ATTR_STRIDE] = {1, EXTENT, 2},
    [IR_ATTR_DILATION] = {1, EXTENT, 2},
    [IR_ATTR_PAD] = {0, EXTENT, 4},
    [IR_ATTR_KERNEL] = {1, EXTENT, 2},
    [IR_ATTR_GROUPS] = {1, INT_MAX, 0},
    [IR_ATTR_MID_ZERO] = {INT_MIN, INT_MAX, 0},
    [IR_ATTR_MID_UNUSED] = {0, UINT8_MAX, 2},
    [IR_ATTR_ADD_FIRST] = {0, 1, 0},
    [IR_ATTR_ADJ_A] = {0, 1, 0},
    [IR_ATTR_ADJ_B] = {0, 1, 0},
    [IR_ATTR_OUTER] = {0, IR_MAX_RANK, 0},
    [IR_ATTR_BITS] = {2, 16, 0},
    [IR_ATTR_NARROW] = {0, 1, 0},
    [IR_ATTR_APPROXIMATE] = {0, 1, 0},
    [IR_ATTR_AXIS] = {0, IR_MAX_RANK, 0},
    [IR_ATTR_AXES] = {0, IR_MAX_RANK - 1, ANY},
    [IR_ATTR_KEEP_DIMS] = {0, 1, 0},
    [IR_ATTR_BATCH_DIMS] = {0, IR_MAX_RANK, 0},
    [IR_ATTR_FROM_END] = {0, 1, 0},
    [IR_ATTR_PERM] = {0, IR_MAX_RANK - 1, RANK},
    [IR_ATTR_BEGIN] = {0, INT_MAX, RANK},
    [IR_ATTR_STEP] = {-(int64_t)INT_MAX, INT_MAX, RANK},
    [IR_ATTR_BEFORE] = {0, INT_MAX, RANK},
    [IR_ATTR_AFTER] = {0, INT_MAX, RANK},
    [IR_ATTR_ALIGN] = {0, 1, 0},
    [IR_ATTR_HALF_PIXEL] = {0, 1, 0},
    [IR_ATTR_ORIGIN] = {INT16_MIN, INT16_MAX, 0},
    [IR_ATTR_BLOCK] = {1, EXTENT, 2},
    [IR_ATTR_CROPS] = {0, EXTENT, 4},
    [IR_ATTR_ENTRIES] = {0, 255, 256},
    [IR_ATTR_TIME_AXIS] = {0, 1, 0},
    [IR_ATTR_REAL] = {0, 1, 0},
    [IR_ATTR_REVERSED] = {0, 1, 0},
    [IR_ATTR_RECTIFIED] = {0, 1, 0},
    [IR_ATTR_K] = {0, INT_MAX, 0},
    [IR_ATTR_MAX_DETECTIONS] = {1, EXTENT, 0},
    [IR_ATTR_MAX_CLASSES] = {1, EXTENT, 0},
    [IR_ATTR_PER_CLASS] = {1, EXTENT, 0},
    [IR_ATTR_NUM_CLASSES] = {1, EXTENT, 0},
    [IR_ATTR_REGULAR_NMS] = {0, 1, 0},
    [IR_ATTR_BACKGROUND] = {-1, EXTENT, 0},
    [IR_ATTR_CANDIDATES] = {1, EXTENT, 0},
    [IR_ATTR_CLASS_LIMIT] = {0, EXTENT, 0},
    [IR_ATTR_EMPTY_STAYS] = {0, 1, 0},
    [IR_ATTR_PIXELS] = {0, 1, 0},
    [IR_ATTR_SHIFTED] = {0, 1, 0},
    [IR_ATTR_SCALES] = {0, 0, 4},
    [IR_ATTR_RATIO] = {0, 0, 2},
};

typedef struct verifier {
    const ir_graph *g;
    diag *d;
    unsigned char *defined; /* by id */
} verifier;

/* ---- Values ---- */

bool ir_zero_in_range(ir_dtype t, int32_t zero)
{
    switch (t) {
    case IR_I8: return zero >= INT8_MIN && zero <= INT8_MAX;
    case IR_U8: return zero >= 0 && zero <= UINT8_MAX;
    case IR_I16: return zero >= INT16_MIN && zero <= INT16_MAX;
    default: return true;
    }
}

/* A constant, or what training rounds it to.  Only those, single channels and sums can have a scale of 0: weights are
 * pruned. */
static bool is_weight(const ir_value *x)
{
    const ir_value *rounded = x->def && x->def->operand_count ? x->def->operands[0].value : NULL;
    return ir_is_const(x) || (rounded && ir_is_const(rounded));
}

static bool verify_scales(verifier *v, const ir_value *x, ir_dtype dtype, const ir_quant *q, const ir_loc *loc)
{
    if (q->axis < -1 || q->axis >= x->type.rank)
        return diag_error(v->d, loc, "%%%u: quantized axis %d of a tensor of rank %d", x->id, q->axis, x->type.rank);
    int64_t expected = q->axis < 0 ? 1 : x->type.dims[q->axis];
    if (q->count != expected)
        return diag_error(v->d, loc, "%%%u: scale count %d, expected %lld", x->id, q->count, (long long)expected);
    const bool may_be_zero = q->axis >= 0 || dtype == IR_I32 || is_weight(x);
    if (ir_unused_any(q->unused) && dtype != IR_I8 && dtype != IR_U8)
        return diag_error(v->d, loc, "%%%u: unused integers are for those of 8 bits", x->id);
    if (!ir_unused_leaves_two(q->unused))
        return diag_error(v->d, loc, "%%%u: fewer than two integers", x->id);
    for (int32_t i = 0; i < q->count; i++) {
        if (!(q->scale[i] >= 0) || isinf(q->scale[i]))
            return diag_error(v->d, loc, "%%%u: scale %g of channel %d is negative or not finite", x->id,
                              (double)q->scale[i], i);
        if (q->scale[i] == 0 && !may_be_zero)
            return diag_error(v->d, loc, "%%%u: scale 0 of channel %d, and no constant", x->id, i);
        if (!ir_zero_in_range(dtype, q->zero[i] - q->unused.below) ||
            !ir_zero_in_range(dtype, q->zero[i] + q->unused.above))
            return diag_error(v->d, loc, "%%%u: zero point %d of channel %d is outside %s", x->id, q->zero[i], i,
                              ir_dtype_text(dtype));
    }
    return true;
}

static bool verify_quant(verifier *v, const ir_value *x, const ir_loc *loc)
{
    const ir_dtype t = x->type.dtype;
    if (x->quant && (ir_dtype_is_float(t) || t == IR_BOOL))
        return diag_error(v->d, loc, "%%%u: quantization of a %s tensor", x->id, ir_dtype_text(t));
    if (x->as && (t != IR_F32 || (x->as_dtype != IR_I8 && x->as_dtype != IR_U8 && x->as_dtype != IR_I16)))
        return diag_error(v->d, loc, "%%%u: %s values cannot stand for %s integers", x->id, ir_dtype_text(t),
                          ir_dtype_text(x->as_dtype));
    return (!x->quant || verify_scales(v, x, t, x->quant, loc)) &&
           (!x->as || verify_scales(v, x, x->as_dtype, x->as, loc));
}

static bool verify_value(verifier *v, const ir_value *x, const ir_loc *loc)
{
    if (!ir_type_valid(&x->type))
        return diag_error(v->d, loc, "%%%u has no valid type", x->id);
    if (x->id >= v->g->next_id)
        return diag_error(v->d, loc, "%%%u: number not given by the graph", x->id);
    return verify_quant(v, x, loc);
}

static bool define(verifier *v, const ir_value *x, const ir_loc *loc)
{
    if (!verify_value(v, x, loc))
        return false;
    if (v->defined[x->id])
        return diag_error(v->d, loc, "%%%u is defined twice", x->id);
    v->defined[x->id] = 1;
    return true;
}

/* A use of x, at an op or a graph output. */
static bool verify_use(verifier *v, const ir_value *x, const ir_loc *loc)
{
    if (ir_is_const(x)) {
        if (x->def || x->is_input)
            return diag_error(v->d, loc, "%%%u is a constant and something else", x->id);
        if (x->id < v->g->next_id && v->defined[x->id])
            return true;
        if (!verify_value(v, x, loc))
            return false;
        v->defined[x->id] = 1;
        return true;
    }
    if (x->id >= v->g->next_id || !v->defined[x->id])
        return diag_error(v->d, loc, "%%%u is used before its definition", x->id);
    return true;
}

static bool verify_use_list(verifier *v, const ir_value *x, const ir_loc *loc)
{
    ir_operand *const *prev = (ir_operand *const *)&x->uses;
    int32_t count = 0;
    for (const ir_operand *slot = x->uses; slot; slot = slot->next_use) {
        if (slot->value != x || (ir_operand *const *)slot->prev_use != prev)
            return diag_error(v->d, loc, "%%%u: its use list is broken", x->id);
        prev = (ir_operand *const *)&slot->next_use;
        count++;
    }
    return count == x->use_count || diag_error(v->d, loc, "%%%u has %d uses, not %d", x->id, count, x->use_count);
}

/* ---- Attributes ---- */

static bool verify_number(verifier *v, const ir_op *op, const char *name, const attr_range *r, int64_t x)
{
    if (x >= r->min && x <= r->max)
        return true;
    return diag_error(v->d, &op->loc, "%s: %s = %lld is outside %lld to %lld", ir_op_info_of(op->code)->text, name,
                      (long long)x, (long long)r->min, (long long)r->max);
}

static bool verify_count(verifier *v, const ir_op *op, const char *name, const attr_range *r, int32_t n)
{
    const ir_value *x = ir_operand_value(op, 0);
    int expected = r->count == RANK ? (x ? x->type.rank : 0) : r->count;
    if (expected == ANY ? n <= IR_MAX_RANK : n == expected)
        return true;
    return diag_error(v->d, &op->loc, "%s: %s has %d elements, expected %d", ir_op_info_of(op->code)->text, name, n,
                      expected == ANY ? IR_MAX_RANK : expected);
}

static bool verify_attr(verifier *v, const ir_op *op, ir_attr_id id, const ir_attr *a)
{
    const ir_attr_info *info = ir_attr_info_of(id);
    const attr_range *r = &ranges[id];
    switch (info->kind) {
    case IR_KIND_INT: return verify_number(v, op, info->text, r, a->i);
    case IR_KIND_INTS:
        if (!verify_count(v, op, info->text, r, a->ints.n))
            return false;
        for (int32_t i = 0; i < a->ints.n; i++)
            if (!verify_number(v, op, info->text, r, a->ints.v[i]))
                return false;
        return true;
    case IR_KIND_FLOAT:
        return !isnan(a->f) ||
               diag_error(v->d, &op->loc, "%s: %s is not a number", ir_op_info_of(op->code)->text, info->text);
    case IR_KIND_FLOATS:
        for (int32_t i = 0; i < a->floats.n; i++)
            if (isnan(a->floats.v[i]))
                return diag_error(v->d, &op->loc, "%s: %s is not a number", ir_op_info_of(op->code)->text, info->text);
        return verify_count(v, op, info->text, r, a->floats.n);
    case IR_KIND_STR:
        return (a->s && *a->s) ||
               diag_error(v->d, &op->loc, "%s: %s is empty", ir_op_info_of(op->code)->text, info->text);
    default:
        return ir_enum_text(info->kind, a->i) || diag_error(v->d, &op->loc, "%s: %s = %lld is no such value",
                                                            ir_op_info_of(op->code)->text, info->text, (long long)a->i);
    }
}

bool ir_verify_attrs(const ir_op *op, diag *d)
{
    verifier v = {.d = d};
    const ir_op_info *info = ir_op_info_of(op->code);
    for (int i = 0; i < info->attr_count; i++)
        if (!verify_attr(&v, op, info->attrs[i], &op->attrs[i]))
            return false;
    return true;
}

/* ---- Ops ---- */

static bool verify_operands(verifier *v, const ir_op *op)
{
    const ir_op_info *info = ir_op_info_of(op->code);
    if (op->operand_count < info->min_operands || op->operand_count > info->max_operands)
        return diag_error(v->d, &op->loc, "%s: %d operands, expected %d to %d", info->text, op->operand_count,
                          info->min_operands, info->max_operands);
    for (int i = 0; i < op->operand_count; i++) {
        const ir_operand *slot = &op->operands[i];
        if (slot->user != op)
            return diag_error(v->d, &op->loc, "%s: operand %d belongs to another op", info->text, i);
        if (!slot->value && (i < info->min_operands || info->max_operands == INT_MAX))
            return diag_error(v->d, &op->loc, "%s: operand %d is missing", info->text, i);
        if (slot->value && !verify_use(v, slot->value, &op->loc))
            return false;
    }
    return true;
}

static bool verify_shape(verifier *v, const ir_op *op, int result)
{
    ir_type expected;
    char text[2][IR_TYPE_TEXT_BYTES];
    const ir_value *r = op->results[result];
    if (!ir_infer_shape(op, result, &expected, v->d))
        return false;
    if (ir_type_equal(&expected, &r->type))
        return true;
    return diag_error(v->d, &op->loc, "%s: %%%u is %s, expected %s", ir_op_info_of(op->code)->text, r->id,
                      ir_type_text(&r->type, text[0]), ir_type_text(&expected, text[1]));
}

static bool verify_results(verifier *v, const ir_op *op)
{
    const ir_op_info *info = ir_op_info_of(op->code);
    for (int i = 0; i < info->results; i++) {
        const ir_value *r = op->results[i];
        if (r->def != op || r->result != i || r->data || r->is_input)
            return diag_error(v->d, &op->loc, "%s: result %d does not know its op", info->text, i);
        if (!define(v, r, &op->loc) || !verify_use_list(v, r, &op->loc) || !verify_shape(v, op, i))
            return false;
    }
    return true;
}

static bool verify_op(verifier *v, const ir_op *op)
{
    const ir_op_info *info = ir_op_info_of(op->code);
    if (op->graph != v->g || (op->prev ? op->prev->next : v->g->first) != op)
        return diag_error(v->d, &op->loc, "%s: the list of ops is broken", info->text);
    if (!verify_operands(v, op))
        return false;
    return ir_verify_attrs(op, v->d) && verify_results(v, op);
}

/* ---- State variables: one type each, whoever names them ---- */

typedef struct variable_use {
    const char *name;
    const ir_type *type;
} variable_use;

/* Open addressing; `slots` is a power of two, and larger than the number of names. */
static bool verify_variable(verifier *v, variable_use *known, size_t slots, variable_use use, const ir_loc *loc)
{
    size_t at = ir_hash_bytes(use.name, strlen(use.name), 0) & (slots - 1);
    while (known[at].name && strcmp(known[at].name, use.name) != 0)
        at = (at + 1) & (slots - 1);
    if (!known[at].name)
        known[at] = use;
    return ir_type_equal(known[at].type, use.type) ||
           diag_error(v->d, loc, "variable \"%s\" is used with different types", use.name);
}

static bool verify_uses_of_variables(verifier *v, variable_use *known, size_t slots)
{
    const ir_graph *g = v->g;
    for (int32_t i = 0; i < g->variable_count; i++) {
        const ir_variable *x = &g->variables[i];
        if (!*x->name || !ir_type_valid(&x->type) || ir_variable_find(g, x->name) != x)
            return diag_error(v->d, NULL, "variable \"%s\" is listed twice, or has no name or type", x->name);
        verify_variable(v, known, slots, (variable_use){x->name, &x->type}, NULL);
    }
    for (const ir_op *op = g->first; op; op = op->next) {
        if (op->code != IR_READ_VARIABLE && op->code != IR_WRITE_VARIABLE)
            continue;
        const ir_value *x = op->code == IR_READ_VARIABLE ? op->results[0] : op->operands[0].value;
        if (!verify_variable(v, known, slots, (variable_use){ir_str(op, IR_ATTR_VARIABLE), &x->type}, &op->loc))
            return false;
    }
    return true;
}

static bool verify_variables(verifier *v)
{
    size_t most = (size_t)v->g->variable_count, slots = 1;
    for (const ir_op *op = v->g->first; op; op = op->next)
        most += op->code == IR_READ_VARIABLE || op->code == IR_WRITE_VARIABLE;
    while (slots <= 2 * most)
        slots *= 2;
    variable_use *known = calloc(slots, sizeof *known);
    if (!known)
        return diag_out_of_memory(v->d, NULL);
    const bool ok = verify_uses_of_variables(v, known, slots);
    free(known);
    return ok;
}

static bool verify_graph(verifier *v)
{
    const ir_graph *g = v->g;
    for (int32_t i = 0; i < g->input_count; i++)
        if (!define(v, g->inputs[i], NULL) || !verify_use_list(v, g->inputs[i], NULL))
            return false;
    for (const ir_op *op = g->first; op; op = op->next)
        if (!verify_op(v, op))
            return false;
    if (g->last && g->last->next)
        return diag_error(v->d, NULL, "the list of ops is broken at its end");
    for (int32_t i = 0; i < g->output_count; i++)
        if (!verify_use(v, g->outputs[i], NULL))
            return false;
    return verify_variables(v);
}

bool ir_verify(const ir_graph *g, diag *d)
{
    verifier v = {.g = g, .d = d, .defined = calloc((size_t)g->next_id + 1, 1)};
    if (!v.defined)
        return diag_out_of_memory(d, NULL);
    bool ok = verify_graph(&v);
    free(v.defined);
    return ok;
}
