/* node.c: building the ops of one node, whatever the format: emit, type, check, evaluate.  See node.h. */
#define FRONTEND_COMMON
#include "frontends/node/node.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ir/ref/interp.h"
#include "ir/shape/shape.h"

bool node_error(frontend_node *n, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    diag_fail(n->model->diag, &n->loc, false, format, args);
    va_end(args);
    return false;
}

bool node_malformed(frontend_node *n, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    diag_fail(n->model->diag, &n->loc, true, format, args);
    va_end(args);
    return false;
}

bool node_misfit(frontend_node *n, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    diag_fail(n->model->diag, &n->loc, false, format, args);
    va_end(args);
    n->model->misfit = true;
    return false;
}

void node_remark(frontend_node *n, const char *format, ...)
{
    char text[DIAG_TEXT_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    diag_warn(n->model->diag, &n->loc, "%s", text);
    n->model->remark = arena_string(n->model->graph->arena, text, strlen(text));
}

bool node_axis(frontend_node *n, int64_t axis, int rank, int *out)
{
    if (axis < -rank || axis >= rank)
        return node_error(n, "dimension %lld is outside the operand's %d", (long long)axis, rank);
    *out = (int)(axis < 0 ? axis + rank : axis);
    return true;
}

bool node_check_reals(frontend_node *n, const char *attribute, float one, uint32_t count, const float several[])
{
    bool nan = isnan(one);
    if (!model_charge(n->model, &n->loc, 4 * (int64_t)count))
        return false;
    for (uint32_t i = 0; i < count; i++)
        nan |= isnan(several[i]);
    return !nan || node_error(n, "attribute %s is not a number", attribute);
}

/* ---- Emitting ---- */

ir_op *node_emit(frontend_node *n, ir_opcode code, int operand_count, ir_value *const operands[])
{
    ir_op *op = ir_op_new(n->model->graph, code, NULL, operand_count, operands);
    op->loc = n->loc;
    return op;
}

ir_op *node_emit1(frontend_node *n, ir_opcode code, ir_value *x) { return node_emit(n, code, 1, &x); }

ir_op *node_emit2(frontend_node *n, ir_opcode code, ir_value *a, ir_value *b)
{
    return node_emit(n, code, 2, (ir_value *[]){a, b});
}

/* ---- Typing ---- */

static bool small(const ir_value *v, const frontend_folding *f) { return ir_type_elements(&v->type) <= f->elements; }

/* True for a computation on constants that is evaluated at once. */
static bool foldable(const ir_op *op, const frontend_model *m)
{
    const frontend_folding *f = m->folding;
    const ir_op_info *info = ir_op_info_of(op->code);
    const ir_value *r = op->results[0];
    if (!(info->flags & IR_PURE) || info->results != 1 || op->operand_count == 0)
        return false;
    bool plain = !r->quant && small(r, f) && (r->type.dtype != IR_F32 || ir_type_elements(&r->type) <= f->reals);
    for (int i = 0; i < op->operand_count; i++) {
        const ir_value *v = op->operands[i].value;
        if (v && !ir_is_const(v))
            return false;
        plain &= !v || (!v->quant && small(v, f));
    }
    if (op->code == IR_DEQUANTIZE)
        return ir_type_elements(&r->type) <= f->dequantized;
    return plain || (f->moves && ir_type_bytes(&r->type) <= m->dense_budget &&
                     (op->code == IR_TRANSPOSE || op->code == IR_CAST));
}

static bool check_size(frontend_node *n, const ir_type *type)
{
    frontend_model *m = n->model;
    if (!ir_type_valid(type))
        return node_error(n, "a result is larger than 2 GiB");
    m->total_bytes += (int64_t)ir_type_bytes(type);
    return m->total_bytes <= FRONTEND_MAX_TOTAL_BYTES ||
           node_malformed(n, "the model's values are larger than %lld GiB in all",
                          (long long)(FRONTEND_MAX_TOTAL_BYTES >> 30));
}

/* Importers may compute extents themselves, to compare them with the file's; the IR has the last word. */
bool node_check(frontend_node *n, const ir_op *op)
{
    diag *d = n->model->diag;
    if (!ir_verify_attrs(op, d))
        return false;
    for (int i = 0; i < ir_op_info_of(op->code)->results; i++) {
        ir_type type;
        if (!ir_infer_shape(op, i, &type, d)) {
            n->model->misfit = true;
            return false;
        }
        if (!ir_type_equal(&type, &op->results[i]->type))
            return node_error(n, "result %d has type %s, or its shape does not follow from the operands", i,
                              ir_dtype_text(op->results[i]->type.dtype));
    }
    return ir_op_supported(op, d);
}

/* The constant that an op on constants comes to. */
static ir_value *evaluated(frontend_node *n, ir_op *op)
{
    frontend_model *m = n->model;
    ir_value *r = op->results[0];
    if (!model_charge(m, &n->loc, (int64_t)ir_type_bytes(&r->type)))
        return NULL;
    void *data = arena_alloc(m->graph->arena, ir_type_bytes(&r->type) + 1);
    const void **operands = ARENA_ARRAY(m->graph->arena, const void *, op->operand_count);
    for (int i = 0; i < op->operand_count; i++)
        operands[i] = op->operands[i].value ? op->operands[i].value->data : NULL;
    if (!ir_eval_op(op, operands, &data, m->diag))
        return NULL;
    if (ir_first_nan(&r->type, data) >= 0) /* constants hold none: it is left to the run */
        return r;
    ir_value *constant = ir_const_new(m->graph, r->type, r->quant, data);
    constant->name = r->name;
    ir_op_erase(op);
    return constant;
}

bool node_quant_fits(frontend_node *n, const ir_type *type, const ir_quant *q)
{
    if (!q)
        return true;
    if (q->axis >= type->rank || q->count != (q->axis < 0 ? 1 : type->dims[q->axis]))
        return node_error(n, "%d scales along dimension %d do not fit the values", q->count, q->axis);
    for (int32_t i = 0; i < q->count; i++) {
        if (!(q->scale[i] >= 0) || !isfinite(q->scale[i]))
            return node_error(n, "scale %d comes to %g, which is no number that can be one", i, (double)q->scale[i]);
        if (!ir_zero_in_range(type->dtype, q->zero[i]))
            return node_error(n, "zero point %d is outside the type %s", q->zero[i], ir_dtype_text(type->dtype));
    }
    return true;
}

ir_value *node_typed(frontend_node *n, ir_op *op, ir_type type, const ir_quant *quant)
{
    if (!check_size(n, &type) || !node_quant_fits(n, &type, quant))
        return NULL;
    ir_result_set(op, 0, type, quant);
    if (!node_check(n, op))
        return NULL;
    return foldable(op, n->model) ? evaluated(n, op) : op->results[0];
}

ir_value *node_done_quant(frontend_node *n, ir_op *op, ir_dtype dtype, const ir_quant *quant)
{
    diag *d = n->model->diag;
    ir_type type = {.dtype = dtype};
    ir_result_set(op, 0, type, quant);
    if (!ir_verify_attrs(op, d))
        return NULL;
    if (!ir_infer_shape(op, 0, &type, d)) {
        n->model->misfit = true;
        return NULL;
    }
    return node_typed(n, op, type, quant);
}

ir_value *node_done(frontend_node *n, ir_op *op)
{
    const ir_value *x = op->operands[0].value;
    if (x->quant && !(ir_op_info_of(op->code)->flags & IR_SAME_QUANT)) {
        node_error(n, "the operator is not defined on quantized values");
        return NULL;
    }
    if (x->quant && x->quant->axis >= 0) {
        node_error(n, "moving values that are quantized per channel is not supported");
        return NULL;
    }
    return node_done_quant(n, op, x->type.dtype, x->quant);
}

/* ---- Common ops ---- */

ir_value *node_unary(frontend_node *n, ir_opcode code, ir_value *x)
{
    return x ? node_done(n, node_emit1(n, code, x)) : NULL;
}

ir_value *node_binary(frontend_node *n, ir_opcode code, ir_value *a, ir_value *b)
{
    return a && b ? node_done(n, node_emit2(n, code, a, b)) : NULL;
}

ir_value *node_binary_act(frontend_node *n, ir_opcode code, ir_value *a, ir_value *b, ir_enum_ACT act)
{
    if (!a || !b)
        return NULL;
    ir_op *op = node_emit2(n, code, a, b);
    bool fused = ir_has_attr(op, IR_ATTR_ACT);
    if (fused)
        ir_set_int(op, IR_ATTR_ACT, act);
    ir_value *y = node_done(n, op);
    if (!y || fused || act == IR_ACT_NONE)
        return y;
    op = node_emit1(n, IR_RELU, y);
    ir_set_int(op, IR_ATTR_ACT, act);
    return node_done(n, op);
}

ir_value *node_reshaped(frontend_node *n, ir_value *v, int rank, const int64_t dims[])
{
    if (!v)
        return NULL;
    ir_type type = ir_type_make(v->type.dtype, rank, dims);
    if (ir_type_equal(&type, &v->type))
        return v;
    if (!ir_type_valid(&type) || ir_type_elements(&type) != ir_type_elements(&v->type)) {
        node_misfit(n, "the operand's %lld elements don't fill the new shape", (long long)ir_type_elements(&v->type));
        return NULL;
    }
    if (v->quant && v->quant->axis >= 0) {
        node_error(n, "reshaping values that are quantized per channel is not supported");
        return NULL;
    }
    if (ir_is_const(v))
        return ir_const_new(n->model->graph, type, v->quant, v->data);
    return node_typed(n, node_emit1(n, IR_RESHAPE, v), type, v->quant);
}

/* A transpose that leaves the elements in their order is a reshape. */
ir_value *node_transposed(frontend_node *n, ir_value *v, const int64_t perm[])
{
    if (!v)
        return NULL;
    ir_type type = v->type;
    int64_t last = -1;
    bool ordered = true, same = true;
    for (int i = 0; i < type.rank; i++) {
        type.dims[i] = v->type.dims[perm[i]];
        same &= perm[i] == i;
        if (type.dims[i] == 1)
            continue;
        ordered &= perm[i] > last;
        last = perm[i];
    }
    if (same)
        return v;
    if (ordered)
        return node_reshaped(n, v, type.rank, type.dims);
    ir_op *op = node_emit1(n, IR_TRANSPOSE, v);
    ir_set_ints(op, IR_ATTR_PERM, type.rank, perm);
    return node_done(n, op);
}

/* ---- Constants ---- */

ir_value *node_ints(frontend_node *n, ir_dtype dtype, int rank, int64_t count, const int64_t values[])
{
    ir_graph *g = n->model->graph;
    size_t bytes = ir_dtype_bytes(dtype);
    uint8_t *data = arena_alloc(g->arena, (size_t)count * bytes + 1);
    for (int64_t i = 0; i < count; i++)
        for (size_t b = 0; b < bytes; b++)
            data[(size_t)i * bytes + b] = (uint8_t)((uint64_t)values[i] >> 8 * b);
    return ir_const_new(g, ir_type_make(dtype, rank, &count), NULL, data);
}

ir_value *node_reals(frontend_node *n, int rank, const int64_t dims[], const float values[])
{
    ir_graph *g = n->model->graph;
    ir_type type = ir_type_make(IR_F32, rank, dims);
    const int64_t nan = ir_first_nan(&type, values);
    if (nan >= 0) {
        node_error(n, "what its constants come to is not a number at element %lld", (long long)nan);
        return NULL;
    }
    return ir_const_new(g, type, NULL, arena_copy(g->arena, values, ir_type_bytes(&type)));
}

ir_value *node_real(frontend_node *n, float x) { return node_reals(n, 0, NULL, &x); }

ir_value *node_batch_norm(frontend_node *n, ir_value *x, int at, ir_value *const p[4], double epsilon)
{
    if (!model_charge(n->model, &n->loc, x->type.dims[at] * 16))
        return NULL;
    ir_op *op = node_emit(n, IR_BATCH_NORM, 5, (ir_value *[]){x, p[0], p[1], p[2], p[3]});
    ir_set_int(op, IR_ATTR_AXIS, at);
    ir_set_float(op, IR_ATTR_EPSILON, (float)epsilon);
    return node_done(n, op);
}

/* ---- Parameters ---- */

bool node_constant(frontend_node *n, const ir_value *v, int index, const char *what)
{
    if (!v)
        return false;
    return ir_is_const(v) || node_error(n, "the %s (operand %d) must be constant", what, index);
}

bool node_copy_ints(frontend_node *n, const ir_value *v, int index, const char *what, int max, int64_t out[],
                    int *out_count)
{
    int64_t count = ir_type_elements(&v->type);
    if (count > max)
        return node_error(n, "the %s (operand %d) has %lld elements, at most %d make sense", what, index,
                          (long long)count, max);
    for (int64_t i = 0; i < count; i++)
        out[i] = ir_const_int(v, i);
    *out_count = (int)count;
    return true;
}

/* ---- Windows and products ---- */

void node_set_window(ir_op *op, const node_window *w)
{
    ir_set_ints(op, IR_ATTR_STRIDE, 2, w->stride);
    ir_set_ints(op, IR_ATTR_PAD, 4, (int64_t[]){w->before[0], w->before[1], w->after[0], w->after[1]});
    if (ir_has_attr(op, IR_ATTR_DILATION))
        ir_set_ints(op, IR_ATTR_DILATION, 2, w->dilation);
    if (ir_has_attr(op, IR_ATTR_KERNEL))
        ir_set_ints(op, IR_ATTR_KERNEL, 2, w->kernel);
}

ir_value *node_padded(frontend_node *n, ir_value *x, node_window *w)
{
    ir_op *pad = node_emit1(n, IR_PAD, x);
    ir_set_ints(pad, IR_ATTR_BEFORE, 4, (int64_t[]){0, w->before[0], w->before[1], 0});
    ir_set_ints(pad, IR_ATTR_AFTER, 4, (int64_t[]){0, w->after[0], w->after[1], 0});
    for (int i = 0; i < 2; i++)
        w->before[i] = w->after[i] = 0;
    return node_done(n, pad);
}

ir_value *node_vector_product(frontend_node *n, ir_value *y, bool row, bool column)
{
    int64_t dims[IR_MAX_RANK];
    int rank = 0;
    if (!y || (!row && !column))
        return y;
    for (int i = 0; i < y->type.rank; i++)
        if (!(row && i == y->type.rank - 2) && !(column && i == y->type.rank - 1))
            dims[rank++] = y->type.dims[i];
    return node_reshaped(n, y, rank, dims);
}

/* ---- Layouts ---- */

int node_dim(node_layout layout, int rank, int axis)
{
    if (layout == LAYOUT_PLAIN || axis == 0)
        return axis;
    return axis == 1 ? rank - 1 : axis - 1;
}

ir_value *node_to_layout(frontend_node *n, ir_value *v, node_layout from, node_layout to)
{
    int64_t perm[IR_MAX_RANK];
    if (!v || from == to || v->type.rank < 3)
        return v;
    for (int axis = 0; axis < v->type.rank; axis++)
        perm[node_dim(to, v->type.rank, axis)] = node_dim(from, v->type.rank, axis);
    return node_transposed(n, v, perm);
}

ir_value *node_selected(frontend_node *n, int output, ir_value *condition, ir_value *yes, ir_value *no)
{
    char text[2][IR_TYPE_TEXT_BYTES];
    if (yes == no)
        return yes;
    if (ir_type_equal(&yes->type, &no->type) && ir_quant_equal(yes->quant, no->quant)) {
        ir_op *op = node_emit(n, IR_SELECT, 3, (ir_value *[]){condition, yes, no});
        return node_done_quant(n, op, yes->type.dtype, yes->quant);
    }
    node_error(
        n,
        "control flow is not supported: result %d is %s in one branch, %s%s in the other, and the inputs decide" NODE_DECIDED,
        output, ir_type_text(&yes->type, text[0]), ir_type_text(&no->type, text[1]),
        ir_type_equal(&yes->type, &no->type) ? " with another quantization" : "");
    return NULL;
}
