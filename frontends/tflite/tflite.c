/* tflite.c: a TFLite model to IR.
 *
 *     Model ── opcodes, subgraphs, buffers ──▶ one graph: subgraph 0, composites inlined, in the file's order
 *
 * The file has ops and tensors by index; a scope keeps, for each tensor of a subgraph, the value that stands for it.
 * Names of inputs and outputs come from the subgraph's signature where there is one. */
#include <string.h>

#include "frontends/tflite/import.h"

/* ---- The table of operators ---- */

static const tflite_op_entry builtin_ops[] = {
#define TFLITE_OP(NAME, number, newest, options, min, max, outputs, importer, code)                                    \
    [number] = {#NAME, importer, NULL, IR_##code, FIELDS_##options, newest, OPTIONS_##options, min, max, outputs},
#define TFLITE_NO(NAME, number, reason) [number] = {#NAME, NULL, reason, IR_RESHAPE, "", 1, 0, 0, -1, -1},
#define TFLITE_CUSTOM(text, min, max, outputs, importer)
#include "frontends/tflite/ops.def"
#undef TFLITE_OP
#undef TFLITE_NO
#undef TFLITE_CUSTOM
};

static const tflite_op_entry custom_ops[] = {
#define TFLITE_OP(NAME, number, newest, options, min, max, outputs, importer, code)
#define TFLITE_NO(NAME, number, reason)
#define TFLITE_CUSTOM(text, min, max, outputs, importer)                                                               \
    {text, importer, NULL, IR_RESHAPE, "", 1, 0, min, max, outputs},
#include "frontends/tflite/ops.def"
#undef TFLITE_OP
#undef TFLITE_NO
#undef TFLITE_CUSTOM
};

enum {
    BUILTIN_COUNT = sizeof builtin_ops / sizeof *builtin_ops,
    CUSTOM_COUNT = sizeof custom_ops / sizeof *custom_ops
};
enum { BUILTIN_CUSTOM = 32 };

static const tflite_op_entry *entry_of(const tflite_opcode *code)
{
    if (!code->custom)
        return code->builtin >= 0 && code->builtin < BUILTIN_COUNT && builtin_ops[code->builtin].name
                   ? &builtin_ops[code->builtin]
                   : NULL;
    for (int i = 0; i < CUSTOM_COUNT; i++)
        if (strcmp(custom_ops[i].name, code->name) == 0)
            return &custom_ops[i];
    return NULL;
}

bool frontend_tflite_support(int index, frontend_support *out)
{
    const tflite_op_entry *e = NULL;
    for (int i = 0; i < BUILTIN_COUNT + CUSTOM_COUNT; i++) {
        e = i < BUILTIN_COUNT ? &builtin_ops[i] : &custom_ops[i - BUILTIN_COUNT];
        if (e->name && index-- == 0) /* numbers without an operator have no name */
            break;
        e = NULL;
    }
    if (!e)
        return false;
    *out = (frontend_support){.format = "tflite",
                              .domain = "",
                              .name = e->name,
                              .supported = e->import != NULL,
                              .reason = e->reason,
                              .counted = "version",
                              .oldest = 1,
                              .newest = e->newest,
                              .attributes = e->fields};
    return true;
}

/* ---- The model's own tables ---- */

static bool read_opcodes(tflite_model *m, fb_table root)
{
    const ir_loc loc = model_loc(m);
    fb_vector codes = fb_vec(root, MODEL_OPERATOR_CODES, 4);
    m->opcode_count = codes.count;
    m->opcodes = ARENA_ARRAY(m->graph->arena, tflite_opcode, codes.count);
    for (uint32_t i = 0; i < codes.count; i++) {
        fb_table t = fb_vec_table(codes, i);
        int32_t builtin = fb_i32(t, OPCODE_BUILTIN, 0), old = fb_i8(t, OPCODE_OLD_BUILTIN, 0);
        tflite_opcode *code = &m->opcodes[i];
        code->builtin = builtin > old ? builtin : old;
        code->custom = code->builtin == BUILTIN_CUSTOM;
        code->version = fb_i32(t, OPCODE_VERSION, 1);
        if (code->custom)
            code->name = model_string(m, t, OPCODE_CUSTOM, NULL);
        else if (code->builtin >= 0 && code->builtin < BUILTIN_COUNT)
            code->name = builtin_ops[code->builtin].name;
        if (!code->name)
            code->name = code->custom ? "CUSTOM" : arena_format(m->graph->arena, "operator %d", code->builtin);
    }
    return fb_ok(&m->reader) || model_malformed(m, &loc);
}

static bool read_model(tflite_model *m, fb_table *out_root)
{
    const ir_loc loc = model_loc(m);
    fb_table root = fb_root(&m->reader);
    uint32_t version = fb_u32(root, MODEL_VERSION, 0);
    m->subgraphs = fb_vec(root, MODEL_SUBGRAPHS, 4);
    m->buffers = fb_vec(root, MODEL_BUFFERS, 4);
    if (!fb_ok(&m->reader))
        return model_malformed(m, &loc);
    if (version != TFLITE_SCHEMA_VERSION)
        return diag_error(m->diag, &loc, "version %u of the TFLite schema, expected %d", version,
                          TFLITE_SCHEMA_VERSION);
    if (!m->subgraphs.count)
        return diag_error(m->diag, &loc, "the model has no subgraph");
    fb_vector signatures = fb_vec(root, MODEL_SIGNATURE_DEFS, 4);
    for (uint32_t i = 0; i < signatures.count && !fb_present(m->signature); i++) {
        fb_table t = fb_vec_table(signatures, i);
        if (fb_u32(t, SIGNATURE_SUBGRAPH, 0) == 0)
            m->signature = t;
    }
    *out_root = root;
    return read_opcodes(m, root);
}

/* ---- Operators ---- */

static bool check_counts(tflite_node *n)
{
    const tflite_op_entry *e = n->entry;
    int inputs = tflite_input_count(n), outputs = tflite_output_count(n);
    /* Absent operands at the end need not be written. */
    if (inputs < e->min_inputs || (e->max_inputs >= 0 && inputs > e->max_inputs))
        return node_error(n, "%d operands, expected %d%s", inputs, e->min_inputs,
                          e->max_inputs == e->min_inputs ? "" : " or more");
    if (e->outputs >= 0 && outputs != e->outputs)
        return node_error(n, "%d results, expected %d", outputs, e->outputs);
    return true;
}

static bool read_operator(tflite_node *n, int32_t index)
{
    tflite_model *m = n->model;
    n->loc = (ir_loc){.file = m->file, .subgraph = n->scope->subgraph, .node = index};
    uint32_t opcode = fb_u32(n->table, OPERATOR_OPCODE_INDEX, 0);
    n->inputs = fb_vec(n->table, OPERATOR_INPUTS, 4);
    n->outputs = fb_vec(n->table, OPERATOR_OUTPUTS, 4);
    if (!fb_ok(&m->reader))
        return model_malformed(m, &n->loc);
    if (opcode >= m->opcode_count)
        return node_malformed(n, "opcode index %u, the model has %u opcodes", opcode, m->opcode_count);
    n->code = &m->opcodes[opcode];
    n->loc.kind = n->code->name;
    n->entry = entry_of(n->code);
    if (n->inputs.count > TFLITE_MAX_OPERANDS || n->outputs.count > TFLITE_MAX_OPERANDS)
        return node_malformed(n, "more than %d operands or results", TFLITE_MAX_OPERANDS);
    return ++m->node_count <= TFLITE_MAX_NODES ||
           node_malformed(n, "the model has more than %d operators", TFLITE_MAX_NODES);
}

/* Converters of TensorFlow write its own operators, called Flex…, when they are told to. */
static const char *why_unknown(const tflite_opcode *code)
{
    static const char lists[] = "FlexTensorList", flex[] = "Flex";
    if (!code->custom)
        return "this operator is not known";
    if (strncmp(code->name, lists, sizeof lists - 1) == 0)
        return "lists of tensors are not supported: convert with a fixed batch size and with "
               "_experimental_lower_tensor_list_ops, which is the default without SELECT_TF_OPS, or make the layer with "
               "unroll=True";
    if (strncmp(code->name, flex, sizeof flex - 1) == 0)
        return "operators of TensorFlow itself are not supported: convert without SELECT_TF_OPS";
    return "this custom operator is not known";
}

/* What can be said of a node whatever its operands are. */
static bool check_operator(tflite_node *n)
{
    if (!n->entry)
        return node_error(n, "%s", why_unknown(n->code));
    if (!n->entry->import)
        return node_error(n, "%s", n->entry->reason ? n->entry->reason : "this operator is not supported");
    if (n->code->version > n->entry->newest)
        return node_error(n, "version %d of the operator is not supported, the newest is %d", n->code->version,
                          n->entry->newest);
    return check_counts(n) && tflite_options_read(n);
}

static bool reads_unknown(const tflite_node *n)
{
    for (uint32_t i = 0; i < n->inputs.count; i++) {
        const int32_t tensor = fb_vec_i32(n->inputs, i);
        if (tensor >= 0 && (uint32_t)tensor < n->scope->tensors.count && n->scope->values[tensor] == n->model->unknown)
            return true;
    }
    return false;
}

static void leave_unknown(tflite_node *n)
{
    for (uint32_t i = 0; i < n->outputs.count; i++) {
        const int32_t tensor = fb_vec_i32(n->outputs, i);
        if (tensor >= 0 && (uint32_t)tensor < n->scope->tensors.count)
            n->scope->values[tensor] = n->model->unknown;
    }
}

static bool make_ops(tflite_node *n)
{
    tflite_model *m = n->model;
    m->left_out = false;
    const bool imported = n->entry->import(n);
    if (!fb_ok(&m->reader) && !m->diag->failed) /* defaults read after an error mean nothing, whatever came of them */
        return model_malformed(m, &n->loc);
    return imported && fb_ok(&m->reader);
}

/* Whether the import goes on, with or without the node's ops. */
static bool import_operator(tflite_scope *s, fb_table table, int32_t index)
{
    tflite_node n = {.model = s->model, .scope = s, .table = table};
    if (!read_operator(&n, index))
        return false;
    const bool sound = check_operator(&n), unknown = reads_unknown(&n);
    const bool made = sound && !unknown && make_ops(&n);
    model_note_node(s->model, n.loc.kind);
    if (made)
        return true;
    if (s->model->diag->failed && !model_goes_on(s->model))
        return false;
    leave_unknown(&n);
    return true;
}

/* ---- Subgraphs ---- */

static bool check_tensor_index(tflite_scope *s, const ir_loc *loc, int32_t index)
{
    return (index >= 0 && (uint32_t)index < s->tensors.count) ||
           diag_final(s->model->diag, loc, "tensor %d does not exist, the subgraph has %u", index, s->tensors.count);
}

/* The value that an output names: a result, an input, or a constant. */
static ir_value *output_value(tflite_scope *s, const ir_loc *loc, int32_t index)
{
    if (!check_tensor_index(s, loc, index))
        return NULL;
    if (!s->values[index] && tflite_tensor_is_constant(s, index))
        s->values[index] = tflite_tensor_constant(s, loc, index);
    else if (!s->values[index])
        diag_final(s->model->diag, loc, "output tensor %d is never computed", index);
    return s->values[index];
}

static bool open_scope(tflite_model *m, tflite_scope *s, fb_table *out_table, const ir_loc *loc)
{
    fb_table t = fb_vec_table(m->subgraphs, (uint32_t)s->subgraph);
    s->tensors = fb_vec(t, SUBGRAPH_TENSORS, 4);
    if (!fb_ok(&m->reader))
        return model_malformed(m, loc);
    s->values = ARENA_ARRAY(m->graph->arena, ir_value *, s->tensors.count);
    *out_table = t;
    return true;
}

static bool import_operators(tflite_scope *s, fb_table subgraph)
{
    tflite_model *m = s->model;
    const ir_loc loc = model_loc(m);
    fb_vector operators = fb_vec(subgraph, SUBGRAPH_OPERATORS, 4);
    if (operators.count > TFLITE_MAX_NODES)
        return diag_error(m->diag, &loc, "subgraph %d has %u operators, more than %d", s->subgraph, operators.count,
                          TFLITE_MAX_NODES);
    for (uint32_t i = 0; i < operators.count; i++)
        if (!import_operator(s, fb_vec_table(operators, i), (int32_t)i))
            return false;
    return fb_ok(&m->reader) || model_malformed(m, &loc);
}

/* A subgraph that another one names. */
static bool enter_scope(tflite_model *m, tflite_scope *s, fb_table *out_table, const ir_loc *loc)
{
    if (s->subgraph < 0 || (uint32_t)s->subgraph >= m->subgraphs.count)
        return diag_error(m->diag, loc, "subgraph %d does not exist, the model has %u", s->subgraph,
                          m->subgraphs.count);
    if (s->depth > TFLITE_MAX_DEPTH)
        return diag_error(m->diag, loc, "subgraphs are nested more than %d deep", TFLITE_MAX_DEPTH);
    return open_scope(m, s, out_table, loc);
}

bool tflite_import_initial(tflite_model *m, int32_t subgraph, int depth, const ir_loc *loc)
{
    tflite_scope s = {.model = m, .subgraph = subgraph, .depth = depth, .initial = true};
    fb_table t;
    return enter_scope(m, &s, &t, loc) && import_operators(&s, t);
}

bool tflite_import_subgraph(tflite_model *m, int32_t subgraph, int depth, const ir_loc *loc, uint32_t input_count,
                            ir_value *const inputs[], uint32_t output_count, ir_value *outputs[])
{
    tflite_scope s = {.model = m, .subgraph = subgraph, .depth = depth};
    fb_table t;
    if (!enter_scope(m, &s, &t, loc))
        return false;
    fb_vector in = fb_vec(t, SUBGRAPH_INPUTS, 4), out = fb_vec(t, SUBGRAPH_OUTPUTS, 4);
    if (!fb_ok(&m->reader))
        return model_malformed(m, loc);
    if (in.count != input_count || out.count != output_count)
        return diag_error(m->diag, loc, "subgraph %d has %u inputs and %u outputs, the operator %u and %u", subgraph,
                          in.count, out.count, input_count, output_count);
    for (uint32_t i = 0; i < in.count; i++) {
        int32_t index = fb_vec_i32(in, i);
        tflite_tensor tensor;
        if (!check_tensor_index(&s, loc, index) || !tflite_tensor_read(&s, loc, index, &tensor))
            return false;
        if (inputs[i] && tensor.type.dtype != inputs[i]->type.dtype)
            return diag_error(m->diag, loc, "operand %u is %s, but input %u of subgraph %d is %s", i,
                              ir_dtype_text(inputs[i]->type.dtype), i, subgraph, ir_dtype_text(tensor.type.dtype));
        s.values[index] = inputs[i];
    }
    if (!import_operators(&s, t))
        return false;
    for (uint32_t i = 0; i < out.count; i++) {
        outputs[i] = output_value(&s, loc, fb_vec_i32(out, i));
        m->left_out = outputs[i] == m->unknown; /* what was refused has been told */
        if (!outputs[i] || m->left_out)
            return false;
    }
    return true;
}

/* ---- Inputs and outputs of the graph ---- */

/* The signature's name of a tensor, else the tensor's own. */
static const char *signature_name(tflite_model *m, unsigned list, int32_t index, const char *otherwise)
{
    fb_vector maps = fb_vec(m->signature, list, 4);
    for (uint32_t i = 0; i < maps.count; i++) {
        fb_table t = fb_vec_table(maps, i);
        if (fb_u32(t, TENSOR_MAP_INDEX, 0) == (uint32_t)index && fb_has(t, TENSOR_MAP_NAME)) {
            const char *name = model_string(m, t, TENSOR_MAP_NAME, otherwise);
            return name ? name : otherwise;
        }
    }
    return otherwise;
}

static bool make_inputs(tflite_model *m, tflite_scope *s, fb_vector in)
{
    const ir_loc loc = model_loc(m);
    for (uint32_t i = 0; i < in.count; i++) {
        int32_t index = fb_vec_i32(in, i);
        tflite_tensor t;
        if (!check_tensor_index(s, &loc, index))
            return false;
        if (s->values[index])
            return diag_final(m->diag, &loc, "tensor %d is an input twice", index);
        const bool read = tflite_tensor_read(s, &loc, index, &t);
        const char *name = signature_name(m, SIGNATURE_INPUTS, index, t.name);
        const bool known = read ? model_input_type(m, name, t.name, NULL, &t.type) : model_input_unknown(m, name);
        if (!known && !model_goes_on(m))
            return false;
        s->values[index] = known ? model_input(m, name, t.name, t.type, t.quant) : m->unknown;
        if (!s->values[index])
            return false;
    }
    if (!model_input_options_used(m))
        return false;
    return fb_ok(&m->reader) || model_malformed(m, &loc);
}

static bool make_outputs(tflite_model *m, tflite_scope *s, fb_vector out)
{
    const ir_loc loc = model_loc(m);
    if (!out.count)
        return diag_error(m->diag, &loc, "the model has no outputs");
    for (uint32_t i = 0; i < out.count; i++) {
        int32_t index = fb_vec_i32(out, i);
        ir_value *v = output_value(s, &loc, index);
        tflite_tensor t;
        if (!v || !tflite_tensor_read(s, &loc, index, &t)) {
            if (!model_goes_on(m))
                return false;
            v = m->unknown;
        }
        const char *name = signature_name(m, SIGNATURE_OUTPUTS, index, t.name);
        model_note_output(m, name, v);
        if (v != m->unknown)
            ir_output_add(m->graph, v, name);
    }
    return fb_ok(&m->reader) || model_malformed(m, &loc);
}

static bool import_model(tflite_model *m)
{
    const ir_loc loc = model_loc(m);
    fb_table root, t;
    tflite_scope s = {.model = m};
    if (!read_model(m, &root) || !open_scope(m, &s, &t, &loc))
        return false;
    const char *name = model_string(m, t, SUBGRAPH_NAME, NULL);
    if (name)
        m->graph->name = name;
    fb_vector in = fb_vec(t, SUBGRAPH_INPUTS, 4), out = fb_vec(t, SUBGRAPH_OUTPUTS, 4);
    if (!fb_ok(&m->reader))
        return model_malformed(m, &loc);
    if (in.count > TFLITE_MAX_OPERANDS || out.count > TFLITE_MAX_OPERANDS)
        return diag_error(m->diag, &loc, "more than %d inputs or outputs", TFLITE_MAX_OPERANDS);
    return make_inputs(m, &s, in) && import_operators(&s, t) && make_outputs(m, &s, out);
}

ir_graph *frontend_import_tflite(const uint8_t *bytes, size_t size, const char *file, const frontend_options *options,
                                 diag *d)
{
    /* Real numbers are folded where they are operands of RANGE and FILL, or sizes that were scaled. */
    static const frontend_folding folding = {.elements = 1 << 10, .reals = 8, .dequantized = -1};
    tflite_model m = {.reshaped = options->batch > 0 || options->input_shape_count > 0};
    m.shapes_fit = !m.reshaped;
    return model_open(&m, bytes, size, file, options, &folding, d) ? model_close(&m, import_model(&m)) : NULL;
}
