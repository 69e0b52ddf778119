/* place_storage.c: which values share memory, and for how long memory is needed.
 *
 *     %2 = conv2d %0 …          concat ┌──────────┬──────┐
 *     %3 = conv2d %1 …                 │    %2    │  %3  │      both convolutions write into %4; %5 is a part of it
 *     %4 = concat %2, %3               └──────────┴──────┘
 *     %5 = slice %4 …
 *
 * A transpose of what batch_matmul reads or writes moves nothing: batch_matmul takes the strides.
 *
 * Nobody writes a value's memory but its definition, so parts may be read at any time while the root is alive. */
#include <limits.h>
#include <string.h>

#include "passes/common/util.h"
#include "passes/lower/place.h"

static place_storage *storage_of(const place_map *m, const ir_value *v)
{
    return v && v->id < m->value_limit && m->of_value[v->id].value ? &m->of_value[v->id] : NULL;
}

/* ---- Layout ---- */

static void set_dense(place_storage *s)
{
    int64_t stride = 1;
    for (int d = s->value->type.rank - 1; d >= 0; d--) {
        s->stride[d] = stride;
        stride *= s->value->type.dims[d] > 0 ? s->value->type.dims[d] : 1;
    }
}

static bool is_dense(const place_storage *s)
{
    ir_place p = {0};
    memcpy(p.stride, s->stride, sizeof p.stride);
    return ir_place_is_dense(&p, &s->value->type);
}

/* Root, position and strides of one storage, from its parent's.  An extent of 1 takes no step, so its stride stays
 * that of a dimension: never negative, nor larger than the parent. */
static void resolve(place_storage *s)
{
    place_storage *p = s->parent;
    s->root = p ? p->root : s;
    s->at = p ? p->at + s->skip : 0;
    if (!p || !s->is_box) {
        set_dense(s);
        return;
    }
    int64_t elements = 0;
    for (int d = 0; d < s->value->type.rank; d++) {
        elements += s->begin[d] * p->stride[s->along[d]];
        s->stride[d] = p->stride[s->along[d]] * (s->value->type.dims[d] > 1 ? s->step[d] : 1);
    }
    s->at += elements * (int64_t)ir_dtype_bytes(s->value->type.dtype);
}

/* The next of the parts below `top`, parents first; NULL after the last. */
static place_storage *next_below(place_storage *s, const place_storage *top)
{
    if (s->first_part)
        return s->first_part;
    while (s != top && !s->next_part)
        s = s->parent;
    return s == top ? NULL : s->next_part;
}

static void resolve_all(place_storage *top)
{
    for (place_storage *s = top; s; s = next_below(s, top))
        resolve(s);
}

/* Can `op` work on the value of s, operand or result, as it lies? */
static bool accepts(const ir_op *op, int slot, const place_storage *s)
{
    const ir_value *whole = s->parent ? s->parent->value : NULL;
    if (op->code == IR_TRANSPOSE) /* has nothing to do when one of both is a view of the other */
        return whole && whole == (slot == IR_SLOT_RESULT ? op->operands[0].value : op->results[0]);
    return ir_layout_takes(op->kernel.layout, op, slot, &s->value->type, s->stride);
}

static bool layout_is_legal(const place_storage *s)
{
    const ir_value *v = s->value;
    if (s->parent && !s->is_box && s->parent->value && !is_dense(s->parent))
        return false;
    if (is_dense(s))
        return true;
    if (!v->def || !accepts(v->def, IR_SLOT_RESULT, s))
        return false;
    for (const ir_operand *slot = v->uses; slot; slot = slot->next_use)
        if (!accepts(slot->user, (int)(slot - slot->user->operands), s))
            return false;
    return true;
}

static bool all_legal(place_storage *top)
{
    for (place_storage *s = top; s; s = next_below(s, top))
        if (!layout_is_legal(s))
            return false;
    return true;
}

static void link_part(place_storage *part, place_storage *whole)
{
    part->parent = whole;
    part->next_part = whole->first_part;
    whole->first_part = part;
    resolve_all(part);
}

/* Undoes the last link_part. */
static void unlink_part(place_storage *part)
{
    part->parent->first_part = part->next_part;
    part->parent = part->next_part = NULL;
    part->is_box = false;
    resolve_all(part);
}

/* ---- Lifetimes ---- */

static void add_value(place_map *m, ir_value *v, int32_t defined_at)
{
    place_storage *s = &m->of_value[v->id];
    *s = (place_storage){.bytes = (int64_t)ir_type_bytes(&v->type),
                         .first = defined_at,
                         .last = defined_at,
                         .space = IR_SPACE_WORKSPACE,
                         .value = v,
                         .root = s};
    set_dense(s);
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

static bool is_movable_root(const place_storage *s)
{
    return !s->parent && s->space == IR_SPACE_WORKSPACE && !s->fixed;
}

/* `part` becomes elements begin + i * step of `whole`, which has as many dimensions (in the order of `along`, or as
 * they are), if all kernels can work so. */
static bool attach_box(place_storage *part, place_storage *whole, const int64_t begin[], const int64_t step[],
                       const int along[])
{
    if (!is_movable_root(part) || whole->root == part || part->bytes == 0)
        return false;
    part->is_box = true;
    part->skip = 0;
    for (int d = 0; d < part->value->type.rank; d++) {
        part->begin[d] = begin[d];
        part->step[d] = step[d];
        part->along[d] = along ? along[d] : d;
    }
    link_part(part, whole);
    if (all_legal(part))
        return true;
    unlink_part(part);
    return false;
}

/* `part` becomes the bytes from `skip` on of `whole`, which is dense. */
static bool attach_dense(place_storage *part, place_storage *whole, int64_t skip)
{
    if (!is_movable_root(part) || whole->root == part || !is_dense(whole))
        return false;
    part->is_box = false;
    part->skip = skip;
    link_part(part, whole);
    return true;
}

static void view_slice(place_map *m, const ir_op *op)
{
    place_storage *x = storage_of(m, op->operands[0].value), *r = storage_of(m, op->results[0]);
    const int64_t *begin, *step;
    int32_t rank = ir_ints(op, IR_ATTR_BEGIN, &begin);
    ir_ints(op, IR_ATTR_STEP, &step);
    for (int32_t d = 0; d < rank; d++)
        if (step[d] < 1 && r->value->type.dims[d] != 1)
            return;
    if (x)
        attach_box(r, x, begin, step, NULL);
}

/* The result shares the operand's bytes; when it has to lie in an output's buffer, the operand moves there. */
static void view_reshape(place_map *m, const ir_op *op)
{
    place_storage *x = storage_of(m, op->operands[0].value), *r = storage_of(m, op->results[0]);
    if (!x || attach_dense(r, x, 0))
        return;
    if (!r->parent && r->space == IR_SPACE_OUTPUT && x->at == 0 && x->root->bytes == r->bytes && is_dense(x))
        attach_dense(x->root, r, 0);
}

/* Operand i of a concat, at `at` along the axis: as a box of the result; or, along the outermost dimension that is not
 * 1, all the memory behind it as a range of bytes. */
static void view_concat_operand(place_storage *x, place_storage *r, int axis, int64_t at)
{
    int64_t begin[IR_MAX_RANK] = {0}, step[IR_MAX_RANK], outer = 1,
            inner = (int64_t)ir_dtype_bytes(r->value->type.dtype);
    begin[axis] = at;
    for (int d = 0; d < r->value->type.rank; d++) {
        step[d] = 1;
        outer *= d < axis ? r->value->type.dims[d] : 1;
        inner *= d > axis ? r->value->type.dims[d] : 1;
    }
    if (attach_box(x, r, begin, step, NULL) || outer != 1 || x->bytes == 0)
        return;
    if (x->at == 0 && x->root->bytes == x->bytes && is_dense(x))
        attach_dense(x->root, r, at * inner);
}

static void view_concat(place_map *m, const ir_op *op)
{
    int axis = (int)ir_int(op, IR_ATTR_AXIS);
    int64_t at = 0;
    for (int i = 0; i < op->operand_count; i++) {
        const ir_value *v = op->operands[i].value;
        place_storage *x = storage_of(m, v);
        if (x)
            view_concat_operand(x, storage_of(m, op->results[0]), axis, at);
        at += v->type.dims[axis];
    }
}

/* The operand is the inside of the padded result: pad writes the border only. */
static void view_pad(place_map *m, const ir_op *op)
{
    place_storage *x = storage_of(m, op->operands[0].value);
    const int64_t one[IR_MAX_RANK] = {1, 1, 1, 1, 1, 1, 1, 1}, *before;
    ir_ints(op, IR_ATTR_BEFORE, &before);
    if (x)
        attach_box(x, storage_of(m, op->results[0]), before, one, NULL);
}

/* The result is the operand counted in another order; or the operand, when what makes it can write so. */
static void view_transpose(place_map *m, const ir_op *op)
{
    place_storage *x = storage_of(m, op->operands[0].value), *r = storage_of(m, op->results[0]);
    const int64_t zero[IR_MAX_RANK] = {0}, one[IR_MAX_RANK] = {1, 1, 1, 1, 1, 1, 1, 1};
    int along[IR_MAX_RANK], inverse[IR_MAX_RANK];
    for (int d = 0; d < op->results[0]->type.rank; d++) {
        along[d] = (int)ir_ints_at(op, IR_ATTR_PERM, d);
        inverse[along[d]] = d;
    }
    if (x && !attach_box(r, x, zero, one, along))
        attach_box(x, r, zero, one, inverse);
}

static void find_views(place_map *m)
{
    for (int32_t at = 0; at < m->op_count; at++) {
        switch (m->ops[at]->code) {
        case IR_RESHAPE: view_reshape(m, m->ops[at]); break;
        case IR_SLICE: view_slice(m, m->ops[at]); break;
        case IR_CONCAT: view_concat(m, m->ops[at]); break;
        case IR_TRANSPOSE: view_transpose(m, m->ops[at]); break;
        case IR_PAD: view_pad(m, m->ops[at]); break;
        default: break;
        }
    }
}

/* Roots live as long as any part of them. */
static void extend_roots(place_map *m)
{
    for (uint32_t id = 0; id < m->value_limit; id++) {
        place_storage *s = &m->of_value[id];
        if (!s->value || !s->parent)
            continue;
        place_storage *root = s->root;
        if (root->first > s->first)
            root->first = s->first;
        if (root->last < s->last)
            root->last = s->last;
    }
}

/* ---- State variables ---- */

static int32_t variable_of(const place_map *m, const ir_op *op)
{
    return (int32_t)(ir_variable_find(m->graph, ir_str(op, IR_ATTR_VARIABLE)) - m->graph->variables);
}

/* For each op that reads a variable: where that is written next, INT_MAX: nowhere. */
static int32_t *next_writes(const place_map *m)
{
    int32_t *next = ARENA_ARRAY(m->scratch, int32_t, m->op_count);
    int32_t *of_variable = ARENA_ARRAY(m->scratch, int32_t, m->graph->variable_count);
    for (int32_t i = 0; i < m->graph->variable_count; i++)
        of_variable[i] = INT_MAX;
    for (int32_t at = m->op_count - 1; at >= 0; at--) {
        if (m->ops[at]->code == IR_WRITE_VARIABLE)
            of_variable[variable_of(m, m->ops[at])] = at;
        else if (m->ops[at]->code == IR_READ_VARIABLE)
            next[at] = of_variable[variable_of(m, m->ops[at])];
    }
    return next;
}

/* What is read and not needed after the variable's next change can be the variable's memory itself. */
static void view_variables(place_map *m)
{
    const int32_t *next = next_writes(m);
    for (int32_t at = 0; at < m->op_count; at++) {
        if (m->ops[at]->code != IR_READ_VARIABLE)
            continue;
        place_storage *r = storage_of(m, m->ops[at]->results[0]);
        if (is_movable_root(r) && r->last <= next[at])
            link_part(r, &m->variables[variable_of(m, m->ops[at])]);
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
        m->variables[i] = (place_storage){.bytes = (int64_t)ir_type_bytes(&g->variables[i].type),
                                          .last = INT_MAX,
                                          .first = -1,
                                          .space = IR_SPACE_WORKSPACE,
                                          .fixed = true,
                                          .root = &m->variables[i]};
    collect(m);
    find_views(m);
    extend_roots(m);
    view_variables(m);
    return m;
}
