/* paddle.c: a Paddle program, read from any of its boxes, to IR: variables, operators in their order.
 *
 * The operators `feed` and `fetch` say which variables are inputs and outputs. */
#include <string.h>

#include "frontends/node/node_attributes.h"
#include "frontends/paddle/import.h"

static const paddle_op_entry known_ops[] = {
#define PADDLE_OP(NAME, importer, code, attributes) {#NAME, importer, NULL, IR_##code, attributes},
#define PADDLE_NO(NAME, reason) {#NAME, NULL, reason, IR_RESHAPE, NULL},
#define PADDLE_ALL(attributes)
#include "frontends/paddle/ops.def"
#undef PADDLE_OP
#undef PADDLE_NO
#undef PADDLE_ALL
};

static const char all_may_have[] =
#define PADDLE_OP(NAME, importer, code, attributes)
#define PADDLE_NO(NAME, reason)
#define PADDLE_ALL(attributes) attributes
#include "frontends/paddle/ops.def"
#undef PADDLE_OP
#undef PADDLE_NO
#undef PADDLE_ALL
    ;

bool frontend_paddle_support(int index, frontend_support *out)
{
    if (index >= (int)(sizeof known_ops / sizeof *known_ops))
        return false;
    const paddle_op_entry *e = &known_ops[index];
    *out = (frontend_support){.format = "paddle",
                              .domain = "",
                              .name = e->name,
                              .supported = e->import != NULL,
                              .reason = e->reason,
                              .attributes = e->attributes};
    return true;
}

static const paddle_op_entry *entry_of(const char *name)
{
    for (size_t i = 0; i < sizeof known_ops / sizeof *known_ops; i++)
        if (strcmp(known_ops[i].name, name) == 0)
            return &known_ops[i];
    return NULL;
}

ir_dtype paddle_dtype(int64_t type)
{
    switch (type) {
    case 0: return IR_BOOL;
    case 1: return IR_I16;
    case 2: return IR_I32;
    case 3: return IR_I64;
    case 4: return IR_F16;
    case 5: return IR_F32;
    case 6: return IR_F64;
    case 20: return IR_U8;
    case 21: return IR_I8;
    default: return IR_DTYPE_NONE;
    }
}

/* ---- Variables ---- */

static paddle_variable **slot_of(paddle_model *m, const char *text)
{
    uint32_t i = (uint32_t)ir_hash_bytes(text, strlen(text), 0) & (m->slots - 1);
    while (m->variables[i] && strcmp(m->variables[i]->text, text) != 0)
        i = (i + 1) & (m->slots - 1);
    return &m->variables[i];
}

static void grow(paddle_model *m)
{
    paddle_variable **old = m->variables;
    uint32_t slots = m->slots;
    m->slots = slots ? slots * 2 : 256;
    m->variables = ARENA_ARRAY(m->graph->arena, paddle_variable *, m->slots);
    for (uint32_t i = 0; i < slots; i++)
        if (old[i])
            *slot_of(m, old[i]->text) = old[i];
}

paddle_variable *paddle_variable_of(paddle_model *m, const char *text)
{
    if (m->variable_count * 2 >= m->slots)
        grow(m);
    paddle_variable **slot = slot_of(m, text);
    if (!*slot) {
        *slot = ARENA_NEW(m->graph->arena, paddle_variable);
        (*slot)->text = text;
        m->variable_count++;
    }
    return *slot;
}

static void read_variables(paddle_model *m)
{
    for (uint32_t i = 0; i < m->program.variable_count; i++)
        paddle_variable_of(m, m->program.variables[i].name)->desc = &m->program.variables[i];
}

/* ---- Parameters ---- */

bool paddle_parameter(paddle_model *m, uint32_t index, const paddle_desc *p, const uint8_t *data, size_t size)
{
    const ir_loc loc = model_loc(m);
    ir_type type = {.dtype = paddle_dtype(p->type), .rank = (int)(p->rank <= IR_MAX_RANK ? p->rank : 0)};
    for (int i = 0; i < type.rank; i++)
        type.dims[i] = p->dims[i];
    paddle_variable *v = paddle_variable_of(m, p->name);
    if (!p->is_tensor || type.dtype == IR_DTYPE_NONE) {
        diag_error(m->diag, &loc, "parameter %u, '%s', is no tensor, or has type %d, which is not supported", index,
                   v->text, p->type);
        v->forms[LAYOUT_PLAIN] = m->unknown;
        return model_goes_on(m);
    }
    if (p->rank > IR_MAX_RANK || !ir_type_valid(&type))
        return diag_error(m->diag, &loc, "parameter %u, '%s', has impossible dimensions", index, v->text);
    if (ir_type_bytes(&type) != size)
        return diag_error(m->diag, &loc, "parameter %u, '%s', has %zu bytes of data, expected %zu", index, v->text,
                          size, ir_type_bytes(&type));
    if (v->forms[LAYOUT_PLAIN])
        return diag_error(m->diag, &loc, "parameter %u, '%s', is there twice", index, v->text);
    v->forms[LAYOUT_PLAIN] = model_constant(m, &loc, v->text, type, NULL, size ? data : (const uint8_t *)"");
    return v->forms[LAYOUT_PLAIN] != NULL;
}

/* ---- Inputs and outputs ---- */

/* The type that the file, --batch and --input-shape say. */
static bool input_type(paddle_node *n, const paddle_variable *v, ir_type *out)
{
    const paddle_desc *d = v->desc;
    *out = (ir_type){.dtype = d ? paddle_dtype(d->type) : IR_DTYPE_NONE};
    if (!d || !d->is_tensor || d->rank < 1 || d->rank > IR_MAX_RANK || out->dtype == IR_DTYPE_NONE)
        return node_error(n, "input '%s' is no tensor of a supported type", v->text) ||
               model_input_unknown(n->model, v->text);
    out->rank = (int)d->rank;
    memcpy(out->dims, d->dims, d->rank * sizeof *d->dims);
    return model_input_type(n->model, v->text, NULL, NULL, out);
}

static bool column(paddle_node *n, int64_t *out)
{
    *out = paddle_int(n, "col", 0);
    return (*out >= 0 && *out < PADDLE_MAX_OPERANDS) || node_error(n, "column %lld is out of range", (long long)*out);
}

static paddle_variable *single(paddle_node *n, const paddle_list *lists, uint32_t count, const char *parameter)
{
    for (uint32_t i = 0; i < count; i++)
        if (strcmp(lists[i].parameter, parameter) == 0 && lists[i].names.count == 1)
            return paddle_variable_of(n->model, lists[i].names.text[0]);
    node_error(n, "parameter %s needs one variable", parameter);
    return NULL;
}

/* The inputs themselves are made when all columns are known: they stand in the order of their columns. */
bool paddle_import_feed(paddle_node *n)
{
    paddle_model *m = n->model;
    paddle_variable *v = single(n, n->outputs, n->output_count, "Out");
    int64_t col;
    if (!v || !column(n, &col))
        return false;
    if (!m->inputs[col])
        return node_error(n, "column %lld has no input", (long long)col);
    v->forms[LAYOUT_PLAIN] = m->inputs[col];
    v->forms[LAYOUT_LAST] = NULL;
    v->unit = 0;
    return true;
}

bool paddle_import_fetch(paddle_node *n)
{
    paddle_model *m = n->model;
    paddle_variable *v = single(n, n->inputs, n->input_count, "X");
    int64_t col;
    if (!v || !column(n, &col))
        return false;
    if (m->outputs[col])
        return node_error(n, "column %lld is fetched twice", (long long)col);
    m->output_names[col] = v->text;
    if (m->output_count <= col)
        m->output_count = (int)col + 1;
    return (m->outputs[col] = paddle_plain(n, "X")) != NULL;
}

/* ---- Operators ---- */

static bool check_lists(paddle_node *n, const paddle_list lists[], uint32_t count)
{
    if (count > PADDLE_MAX_OPERANDS)
        return node_malformed(n, "more than %d parameters", PADDLE_MAX_OPERANDS);
    for (uint32_t i = 0; i < count; i++)
        if (lists[i].names.count > PADDLE_MAX_OPERANDS)
            return node_malformed(n, "more than %d variables for one parameter", PADDLE_MAX_OPERANDS);
    return true;
}

static bool check_attributes(paddle_node *n)
{
    if (n->attribute_count > PADDLE_MAX_OPERANDS)
        return node_error(n, "more than %d attributes", PADDLE_MAX_OPERANDS);
    for (uint32_t i = 0; i < n->attribute_count; i++) {
        const frontend_value *v = n->attributes[i].value;
        if (!node_check_reals(n, n->attributes[i].name, v->f, v->floats ? v->count : 0, v->floats))
            return false;
    }
    return true;
}

static bool read_node(paddle_model *m, const paddle_block *block, uint32_t index, paddle_node *n)
{
    const paddle_op *op = &block->ops[index];
    *n = (paddle_node){.model = m, .blocks = op->blocks, .block_count = op->block_count};
    n->loc = (ir_loc){.file = m->file, .subgraph = block->number, .node = (int32_t)index, .kind = op->type};
    n->entry = entry_of(op->type);
    n->refused = op->refused;
    n->declared = n->entry ? n->entry->attributes : NULL;
    n->declared_by_all = all_may_have;
    n->inputs = op->inputs;
    n->input_count = op->input_count;
    n->outputs = op->outputs;
    n->output_count = op->output_count;
    n->attributes = op->attributes;
    n->attribute_count = op->attribute_count;
    return check_lists(n, n->inputs, n->input_count) && check_lists(n, n->outputs, n->output_count);
}

/* What can be said of a node whatever its operands are. */
static bool check_node(paddle_node *n)
{
    if (!n->entry)
        return node_error(n, "this operator is not known");
    if (!n->entry->import)
        return node_error(n, "%s", n->entry->reason);
    if (n->refused)
        return node_error(n, "%s", n->refused);
    return check_attributes(n) && node_attributes_known(n, paddle_attribute_allowed);
}

static bool is(const paddle_node *n, paddle_import_fn *import) { return n->entry && n->entry->import == import; }

/* Gives every feed its input, in the order of columns. */
static bool make_inputs(paddle_model *m, paddle_node *nodes)
{
    int32_t *feed = ARENA_ARRAY(m->graph->arena, int32_t, PADDLE_MAX_OPERANDS);
    for (uint32_t i = 0; i < m->program.main.op_count; i++) {
        int64_t col;
        if (!is(&nodes[i], paddle_import_feed))
            continue;
        if (!column(&nodes[i], &col))
            return false;
        if (feed[col])
            return node_error(&nodes[i], "column %lld is fed twice", (long long)col);
        feed[col] = (int32_t)i + 1;
    }
    for (int col = 0; col < PADDLE_MAX_OPERANDS; col++) {
        paddle_node *n = feed[col] ? &nodes[feed[col] - 1] : NULL;
        paddle_variable *v = n ? single(n, n->outputs, n->output_count, "Out") : NULL;
        ir_type type;
        if (!n)
            continue;
        if (!v)
            return false;
        const bool known = input_type(n, v, &type);
        if (!known && !model_goes_on(m))
            return false;
        m->inputs[col] = known ? model_input(m, v->text, NULL, type, NULL) : m->unknown;
        if (!m->inputs[col])
            return false;
    }
    return model_input_options_used(m);
}

static bool is_unknown(const paddle_model *m, const paddle_variable *v)
{
    return v->forms[LAYOUT_PLAIN] == m->unknown || v->forms[LAYOUT_LAST] == m->unknown;
}

static bool reads_unknown(const paddle_node *n)
{
    for (uint32_t i = 0; i < n->input_count; i++)
        for (uint32_t k = 0; k < n->inputs[i].names.count; k++)
            if (is_unknown(n->model, paddle_variable_of(n->model, n->inputs[i].names.text[k])))
                return true;
    return false;
}

static void leave_unknown(paddle_node *n)
{
    for (uint32_t i = 0; i < n->output_count; i++)
        for (uint32_t k = 0; k < n->outputs[i].names.count; k++) {
            paddle_variable *v = paddle_variable_of(n->model, n->outputs[i].names.text[k]);
            v->forms[LAYOUT_PLAIN] = n->model->unknown;
            v->forms[LAYOUT_LAST] = NULL;
            v->unit = 0;
        }
}

static bool make_ops(paddle_node *n)
{
    const bool real = !n->model->integers;
    return (!real || paddle_observe_inputs(n)) && n->entry->import(n) && (!real || paddle_observe_outputs(n)) &&
           node_attributes_typed(n);
}

/* Whether the import goes on, with or without the node's ops. */
static bool import_operator(paddle_node *n)
{
    const bool sound = check_node(n), unknown = reads_unknown(n) && !is(n, paddle_import_fetch);
    const bool made = sound && !unknown && make_ops(n);
    model_note_node(n->model, n->loc.kind);
    if (made)
        return true;
    if (n->model->diag->failed && !model_goes_on(n->model))
        return false;
    leave_unknown(n);
    return true;
}

bool paddle_import_block(paddle_node *around, const paddle_block *block)
{
    paddle_model *m = around->model;
    m->repeated += block->op_count + 1; /* one without operators counts, too */
    if (m->repeated > PADDLE_MAX_NODES)
        return node_malformed(around, "with all that it repeats the program has more than %d operators",
                              PADDLE_MAX_NODES);
    for (uint32_t i = 0; i < block->op_count; i++) {
        paddle_node n;
        if (!read_node(m, block, i, &n) || !import_operator(&n))
            return false;
    }
    return true;
}

static bool import_operators(paddle_model *m)
{
    paddle_node *nodes = ARENA_ARRAY(m->graph->arena, paddle_node, m->program.main.op_count);
    for (uint32_t i = 0; i < m->program.main.op_count; i++)
        if (!read_node(m, &m->program.main, i, &nodes[i]))
            return false;
    if (!make_inputs(m, nodes))
        return false;
    for (uint32_t i = 0; i < m->program.main.op_count; i++)
        m->integers = m->integers || is(&nodes[i], paddle_op_calib) || paddle_int(&nodes[i], "enable_int8", 0);
    for (uint32_t i = 0; i < m->program.main.op_count; i++)
        if (!import_operator(&nodes[i]))
            return false;
    return true;
}

static bool import_program(paddle_model *m, bool (*read_parameters)(paddle_model *))
{
    const ir_loc loc = model_loc(m);
    if (m->program.main.op_count > PADDLE_MAX_NODES)
        return diag_error(m->diag, &loc, "the program has %u operators, more than %d", m->program.main.op_count,
                          PADDLE_MAX_NODES);
    m->inputs = ARENA_ARRAY(m->graph->arena, ir_value *, PADDLE_MAX_OPERANDS);
    m->outputs = ARENA_ARRAY(m->graph->arena, ir_value *, PADDLE_MAX_OPERANDS);
    m->output_names = ARENA_ARRAY(m->graph->arena, const char *, PADDLE_MAX_OPERANDS);
    read_variables(m);
    if (!read_parameters(m) || !import_operators(m))
        return false;
    if (!m->output_count)
        return diag_error(m->diag, &loc, "the model has no outputs");
    for (int i = 0; i < m->output_count; i++) {
        if (m->outputs[i])
            model_note_output(m, m->output_names[i], m->outputs[i]);
        if (m->outputs[i] && m->outputs[i] != m->unknown)
            ir_output_add(m->graph, m->outputs[i], m->output_names[i]);
    }
    return true;
}

static ir_graph *import(bool (*read_program)(paddle_model *), bool (*read_parameters)(paddle_model *),
                        const uint8_t *bytes, size_t size, const char *file, const frontend_options *options, diag *d)
{
    static const frontend_folding folding = {1 << 12, 1 << 12, .dequantized = -1, .moves = true};
    paddle_model m = {.bytes = bytes, .size = size};
    if (!model_open(&m, bytes, size, file, options, &folding, d))
        return NULL;
    return model_close(&m, read_program(&m) && import_program(&m, read_parameters));
}

ir_graph *frontend_import_paddle(const uint8_t *bytes, size_t size, const char *file, const frontend_options *options,
                                 diag *d)
{
    return import(paddle_nb_program, paddle_nb_parameters, bytes, size, file, options, d);
}

ir_graph *frontend_import_paddle_program(const uint8_t *bytes, size_t size, const char *file,
                                         const frontend_options *options, diag *d)
{
    return import(paddle_proto_program, paddle_proto_parameters, bytes, size, file, options, d);
}

ir_graph *frontend_import_paddle_json(const uint8_t *bytes, size_t size, const char *file,
                                      const frontend_options *options, diag *d)
{
    return import(paddle_pir_program, paddle_proto_parameters, bytes, size, file, options, d);
}
