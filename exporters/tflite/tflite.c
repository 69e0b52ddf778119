/* tflite.c: a graph as a TFLite model: its ops in order, each as the operators that compute it. */
#include <string.h>

#include "exporters/export.h"
#include "exporters/tflite/write.h"
#include "ir/ref/interp.h"

static const export_entry entries[IR_OPCODE_COUNT] = {
#define EXPORT(CODE, BUILTIN, types, writer) [IR_##CODE] = {writer, BUILTIN_##BUILTIN, types},
#define EXPORT_NO(CODE, reason) [IR_##CODE] = {NULL, 0, reason},
#define EXPORT_VERSIONS(BUILTIN, real, bytes, words)
#include "exporters/tflite/ops.def"
#undef EXPORT
#undef EXPORT_NO
#undef EXPORT_VERSIONS
};

static const char letters[IR_DTYPE_COUNT] = {
    [IR_F32] = 'f',  [IR_I8] = 'b',  [IR_U8] = 'u',  [IR_I16] = 'w', [IR_I32] = 'i', [IR_I64] = 'l',
    [IR_BOOL] = 't', [IR_F16] = 'h', [IR_F64] = 'd', [IR_U16] = 'x', [IR_U32] = 'y'};

/* The operand that the row in ops.def speaks of: the first one that is there. */
static const ir_value *first_operand(const ir_op *op)
{
    for (int i = 0; i < op->operand_count; i++)
        if (op->operands[i].value)
            return op->operands[i].value;
    return NULL;
}

static bool takes(const export_node *n)
{
    const ir_value *v = first_operand(n->op);
    return !v || strchr(n->entry->types, letters[v->type.dtype]);
}

static bool check_type(export_node *n)
{
    return takes(n) || export_refuse(n, "no operator takes %s", ir_dtype_text(first_operand(n->op)->type.dtype));
}

/* Scales for each channel are those of weights; nothing else has them.  16-bit integers count from 0. */
static bool check_grid(export_node *n, const ir_value *v)
{
    if (!v || !v->quant || ir_is_const(v))
        return true;
    if (v->quant->axis >= 0)
        return export_refuse(n, "a value has a scale for each channel");
    return v->type.dtype != IR_I16 || v->quant->zero[0] == 0 || n->op->code == IR_SOFTMAX ||
           export_refuse(n, "16-bit integers with the zero point %d", v->quant->zero[0]);
}

/* TFLite's operators saturate at the ends of their type; what moves data saturates nothing.  One integer less at the lower
 * end, a narrow range, is a step where it saturates. */
static bool ends_before_its_type(const ir_op *op, const ir_value *r)
{
    return r->quant && (r->quant->unused.below > 1 || r->quant->unused.above) &&
           !(ir_op_info_of(op->code)->flags & IR_SAME_QUANT);
}

static bool check_range(export_node *n, const ir_value *r)
{
    int32_t min, max;
    if (ir_op_info_of(n->op->code)->results == 1 || !ends_before_its_type(n->op, r))
        return true;
    ir_quant_range(r->type.dtype, r->quant, &min, &max);
    return export_refuse(n, "its result ends at %d and %d, not where %s does", min, max, ir_dtype_text(r->type.dtype));
}

static bool check_grids(export_node *n)
{
    bool good = true;
    for (int i = 0; good && i < n->op->operand_count; i++)
        good = check_grid(n, n->op->operands[i].value);
    for (int i = 0; good && i < ir_op_info_of(n->op->code)->results; i++)
        good = check_grid(n, n->op->results[i]) && check_range(n, n->op->results[i]);
    return good;
}

/* ---- Results that end before their type does ---- */

/* to = minimum or maximum of from and an end of r. */
static int32_t bound(export_node *n, const ir_value *r, int builtin, int32_t end, int32_t from, int32_t to)
{
    const uint8_t byte = (uint8_t)end;
    const ir_type number = ir_type_make(r->type.dtype, 0, NULL);
    const int32_t of[] = {from,
                          export_const(n, number, r->quant, arena_copy(n->model->memory, &byte, sizeof byte), NULL)};
    export_emit(n, builtin, 2, of, to);
    return to;
}

/* op -> maximum -> minimum, each where it is needed. */
static bool write_bounded(export_node *n)
{
    export_model *m = n->model;
    const ir_value *r = n->op->results[0];
    const ir_unused unused = r->quant->unused;
    int32_t min, max;
    int32_t from = m->tensor_of[r->id] = export_between(n, r->type, r->quant);
    if (!n->entry->write(n))
        return false;
    m->tensor_of[r->id] = EXPORT_ABSENT;
    ir_quant_range(r->type.dtype, r->quant, &min, &max);
    if (unused.below)
        from = bound(n, r, BUILTIN_MAXIMUM, min, from,
                     unused.above ? export_between(n, r->type, r->quant) : export_value(m, r));
    if (unused.above)
        bound(n, r, BUILTIN_MINIMUM, max, from, export_value(m, r));
    return true;
}

static bool is_bounded(const export_node *n)
{
    return ir_op_info_of(n->op->code)->results == 1 && ends_before_its_type(n->op, n->op->results[0]);
}

/* ---- Ops ---- */

/* On bytes every function has a form; on other grids than the kernel's own, others are computed in reals. */
static bool write_op(export_model *m, const ir_op *op)
{
    export_node n = {m, op, &entries[op->code]};
    const bool there = n.entry->write && takes(&n) && export_grid_fits(&n);
    if (!there && export_is_byte_function(&n))
        return export_table(&n);
    if (!n.entry->write)
        return export_refuse(&n, "%s", n.entry->types);
    return check_type(&n) && check_grids(&n) && (is_bounded(&n) ? write_bounded(&n) : n.entry->write(&n));
}

/* An output that is an input, or a constant, is a tensor of its own: runtimes take no other. */
static void write_outputs(export_model *m)
{
    for (int32_t i = 0; i < m->graph->output_count; i++)
        export_value(m, m->graph->outputs[i]);
}

bool export_tflite(const ir_graph *g, arena *memory, uint8_t **out_bytes, size_t *out_size, diag *d)
{
    export_model m = {
        .graph = g, .memory = memory, .diag = d, .tensor_of = ARENA_ARRAY(memory, int32_t, g->next_id + 1)};
    const ir_loc loc = ir_graph_loc(g);
    for (uint32_t i = 0; i < g->next_id; i++)
        m.tensor_of[i] = EXPORT_ABSENT;
    for (int32_t i = 0; i < g->input_count; i++)
        export_value(&m, g->inputs[i]);
    export_initial_values(&m);
    for (const ir_op *op = g->first; op; op = op->next)
        if (!write_op(&m, op) && !diag_put_off(d))
            return false;
    if (diag_settle(d, &loc))
        return false;
    write_outputs(&m);
    return export_serialize(&m, out_bytes, out_size);
}
