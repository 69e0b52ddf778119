/* place_storage.c: which values share memory, and for how long memory is needed.
 *
 *     %2 = conv2d %0 …          concat ┌──────────┬──────┐
 *     %3 = conv2d %1 …                 │    %2    │  %3  │      both convolutions write into %4; %5 is a part of it
 *     %4 = concat %2, %3               └──────────┴──────┘
 *     %5 = slice %4 …
 *
 * Nobody writes a value's memory but its definition, so parts may be read at any time while the root is alive. */
#include <limits.h>
#include <string.h>

#include "passes/place.h"
#include "passes/util.h"

place_storage *place_root(place_storage *s, int64_t *out_offset)
{
    int64_t offset = 0;
    while (s->parent) {
        offset += s->offset;
        s = s->parent;
    }
    *out_offset = offset;
    return s;
}

static place_storage *storage_of(const place_map *m, const ir_value *v)
{
    return v && v->id < m->value_limit && m->of_value[v->id].value ? &m->of_value[v->id] : NULL;
}

/* ---- Lifetimes ---- */

static void add_value(place_map *m, ir_value *v, int32_t defined_at)
{
    m->of_value[v->id] = (place_storage){.bytes = (int64_t)ir_type_bytes(&v->type), .first = defined_at,
                                         .last = defined_at, .space = IR_SPACE_WORKSPACE, .value = v};
}

static void use_value(place_map *m, const ir_value *v, int32_t at)
{
    place_storage *s = storage_of(m, v);
    if (s && s->last < at)
        s->last = at;
}

static void collect(place_map *m)
{
    ir_graph *g = m->graph;
    for (int32_t i = 0; i < g->input_count; i++) {
        add_value(m, g->inputs[i], -1);
        m->of_value[g->inputs[i]->id].space = IR_SPACE_INPUT;
        m->of_value[g->inputs[i]->id].index = (uint32_t)i;
    }
    for (int32_t at = 0; at < m->op_count; at++) {
        ir_op *op = m->ops[at];
        for (int i = 0; i < op->operand_count; i++)
            use_value(m, op->operands[i].value, at);
        for (int i = 0; i < ir_op_info_of(op->code)->results; i++)
            add_value(m, op->results[i], at);
    }
    for (int32_t i = 0; i < g->output_count; i++) {
        place_storage *s = storage_of(m, g->outputs[i]);
        s->last = INT_MAX;
        s->space = IR_SPACE_OUTPUT;
        s->index = (uint32_t)i;
    }
}

/* ---- Views ---- */

static bool is_movable_root(const place_storage *s) { return !s->parent && s->space == IR_SPACE_WORKSPACE && !s->fixed; }

/* Makes `part` bytes offset… of `whole`.  Both already have memory; one of them gives its own up. */
static bool attach(place_storage *part, place_storage *whole, int64_t offset)
{
    int64_t at;
    place_storage *root = place_root(whole, &at);
    if (part == root)
        return false;
    if (is_movable_root(part)) {
        part->parent = whole;
        part->offset = offset;
        return true;
    }
    /* The part has to lie in an output's buffer: the whole can move there when it is exactly that large. */
    if (!part->parent && part->space == IR_SPACE_OUTPUT && is_movable_root(root) && at + offset == 0 &&
        root->bytes == part->bytes) {
        root->parent = part;
        root->offset = 0;
        return true;
    }
    return false;
}

/* The whole memory behind `part` moves into `whole`. */
static void attach_root(place_storage *part, place_storage *whole, int64_t offset)
{
    int64_t at, unused;
    place_storage *root = place_root(part, &at);
    if (!is_movable_root(root) || at != 0 || root->bytes != part->bytes || root == place_root(whole, &unused))
        return;
    root->parent = whole;
    root->offset = offset;
}

/* Is a slice one piece of the operand's memory?  Dimensions outside the first that has several elements must be single. */
static bool slice_is_dense(const ir_op *op, int64_t *out_elements)
{
    const ir_type *from = &op->operands[0].value->type, *to = &op->results[0]->type;
    int64_t stride = 1, expected = 1, offset = 0;
    for (int d = from->rank - 1; d >= 0; d--) {
        int64_t step = ir_ints_at(op, IR_ATTR_STEP, d);
        if (to->dims[d] > 1) {
            if (stride * step != expected)
                return false;
            expected = stride * step * to->dims[d];
        }
        offset += ir_ints_at(op, IR_ATTR_BEGIN, d) * stride;
        stride *= from->dims[d];
    }
    *out_elements = offset;
    return ir_type_elements(to) > 0;
}

static void view_slice(place_map *m, const ir_op *op)
{
    int64_t offset;
    place_storage *x = storage_of(m, op->operands[0].value), *r = storage_of(m, op->results[0]);
    if (x && slice_is_dense(op, &offset))
        attach(r, x, offset * (int64_t)ir_dtype_bytes(r->value->type.dtype));
}

static void view_reshape(place_map *m, const ir_op *op)
{
    place_storage *x = storage_of(m, op->operands[0].value), *r = storage_of(m, op->results[0]);
    if (x)
        attach(r, x, 0);
}

/* Operands of a concat along the outermost dimension that is not 1 are dense sub-ranges of the result. */
static void view_concat(place_map *m, const ir_op *op)
{
    const ir_type *type = &op->results[0]->type;
    int axis = (int)ir_int(op, IR_ATTR_AXIS);
    for (int d = 0; d < axis; d++)
        if (type->dims[d] != 1)
            return;
    int64_t at = 0;
    for (int i = 0; i < op->operand_count; i++) {
        const ir_value *v = op->operands[i].value;
        place_storage *x = storage_of(m, v);
        if (x && x->bytes > 0)
            attach_root(x, storage_of(m, op->results[0]), at);
        at += (int64_t)ir_type_bytes(&v->type);
    }
}

static void find_views(place_map *m)
{
    for (int32_t at = 0; at < m->op_count; at++) {
        switch (m->ops[at]->code) {
        case IR_RESHAPE:
            view_reshape(m, m->ops[at]);
            break;
        case IR_SLICE:
            view_slice(m, m->ops[at]);
            break;
        case IR_CONCAT:
            view_concat(m, m->ops[at]);
            break;
        default:
            break;
        }
    }
}

/* Roots live as long as any part of them. */
static void extend_roots(place_map *m)
{
    for (uint32_t id = 0; id < m->value_limit; id++) {
        place_storage *s = &m->of_value[id];
        int64_t offset;
        if (!s->value || !s->parent)
            continue;
        place_storage *root = place_root(s, &offset);
        if (root->first > s->first)
            root->first = s->first;
        if (root->last < s->last)
            root->last = s->last;
    }
}

/* ---- State variables ---- */

static int32_t next_write(const place_map *m, int32_t from, const char *name)
{
    for (int32_t at = from; at < m->op_count; at++)
        if (m->ops[at]->code == IR_WRITE_VARIABLE && strcmp(ir_str(m->ops[at], IR_ATTR_VARIABLE), name) == 0)
            return at;
    return INT_MAX;
}

/* What is read and not needed after the variable's next change can be the variable's memory itself. */
static void view_variables(place_map *m)
{
    for (int32_t at = 0; at < m->op_count; at++) {
        const ir_op *op = m->ops[at];
        if (op->code != IR_READ_VARIABLE)
            continue;
        const char *name = ir_str(op, IR_ATTR_VARIABLE);
        place_storage *r = storage_of(m, op->results[0]);
        if (!is_movable_root(r) || r->last > next_write(m, at, name))
            continue;
        for (int32_t i = 0; i < m->graph->variable_count; i++)
            if (strcmp(m->graph->variables[i].name, name) == 0)
                r->parent = &m->variables[i];
    }
}

place_map *place_map_new(ir_graph *g, arena *scratch)
{
    place_map *m = ARENA_NEW(scratch, place_map);
    m->graph = g;
    m->scratch = scratch;
    for (ir_op *op = g->first; op; op = op->next)
        m->op_count++;
    m->ops = ARENA_ARRAY(scratch, ir_op *, m->op_count);
    int32_t at = 0;
    for (ir_op *op = g->first; op; op = op->next)
        m->ops[at++] = op;
    m->value_limit = g->next_id;
    m->of_value = ARENA_ARRAY(scratch, place_storage, g->next_id);
    m->variables = ARENA_ARRAY(scratch, place_storage, g->variable_count);
    for (int32_t i = 0; i < g->variable_count; i++)
        m->variables[i] = (place_storage){.bytes = (int64_t)ir_type_bytes(&g->variables[i].type), .last = INT_MAX,
                                          .first = -1, .space = IR_SPACE_WORKSPACE, .fixed = true};
    collect(m);
    find_views(m);
    extend_roots(m);
    view_variables(m);
    return m;
}
