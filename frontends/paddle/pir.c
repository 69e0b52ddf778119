/* pir.c: a program as PaddlePaddle 3 saves it (.json) as the program of program.h; its parameters lie in the same
 * files as those of proto.c.
 *
 *     {"base_code": {"magic": "pir", "version": 4}, "program": {"regions": [{"blocks": [{"ops": [
 *        {"#": "p", "A": [0, 1, 1, "w"], "O": {"%": 1, "TT": …}},            a parameter
 *        {"#": "1.relu", "A": [{"N": name, "AT": {"#": kind, "D": data}}, …], "I": [{"%": 1}], "O": [{"%": 2, "TT": …}]}
 *
 * Values have numbers, in any order, and are written once; 0 is an operand that is absent.  They become variables named after their
 * operator and number, but for inputs, parameters and outputs, which have names.  Operators become those of ops.def
 * (pir.def); what they take as operands and ProgramDesc has as attributes are constants of the file. */
#include <stdlib.h>

#include "frontends/paddle/pir.h"
#include "ir/ref/interp.h"

enum { NEWEST_VERSION = 4 };

static const pir_entry entries[] = {
#define PIR_OP(name, operator_name, operands, results, attributes)                                                     \
    {#name, #operator_name, operands, results, attributes},
#include "frontends/paddle/pir.def"
#undef PIR_OP
};

/* ---- Values ---- */

/* {"%": 1}, or {"#": -1} of what a block is given; NULL: it has none. */
static const js_value *number_of(const js_value *reference)
{
    const js_value *number = js_member(reference, "%");
    number = number ? number : js_member(reference, "#");
    return js_is(number, JS_NUMBER) ? number : NULL;
}

static pir_value *value_at(pir *p, const js_value *reference)
{
    const js_value *number = number_of(reference);
    const int64_t wanted = js_integer(number);
    if (number && !wanted)
        return &p->absent;
    int64_t low = 0, high = p->value_count;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (p->values[middle].number < wanted)
            low = middle + 1;
        else
            high = middle;
    }
    if (number && low < p->value_count && p->values[low].number == wanted)
        return &p->values[low];
    pir_malformed(p, reference, "a value without a number, or one that nothing writes");
    return NULL;
}

static pir_value *operand_at(pir *p, const js_value *reference)
{
    pir_value *v = value_at(p, reference);
    if (v && v != &p->absent && !v->written) {
        pir_malformed(p, reference, "an operand that nothing has written");
        return NULL;
    }
    return v;
}

/* The names of what an operator writes: `name`, or one made of its kind and number, and of its place in a list. */
static pir_value *write_value(pir *p, const js_value *result, const char *kind, const char *name)
{
    const js_value *type = js_member(result, "TT");
    const bool list = strcmp(js_text(js_member(type, "#")), "0.t_vec") == 0;
    const uint32_t count = !list ? 1 : js_is(js_member(type, "D"), JS_ARRAY) ? js_member(type, "D")->count : 0;
    pir_value *v = value_at(p, result);
    if (!v)
        return NULL;
    if (v == &p->absent || v->written) {
        pir_malformed(p, result, "a value that is written twice, or has no number");
        return NULL;
    }
    v->written = true;
    v->names = (frontend_names){count, ARENA_ARRAY(p->arena, const char *, count + 1)};
    for (uint32_t i = 0; i < count; i++)
        v->names.text[i] = list        ? arena_format(p->arena, "%s:%lld.%u", kind, (long long)v->number, i)
                           : name      ? name
                           : v->output ? v->output
                                       : arena_format(p->arena, "%s:%lld", kind, (long long)v->number);
    return v;
}

static void describe(pir *p, const js_value *result, const char *name, bool persistable)
{
    paddle_program *program = &p->model->program;
    paddle_desc *d = &program->variables[program->variable_count++];
    *d = (paddle_desc){.name = name, .persistable = persistable};
    pir_read_type(p, js_member(result, "TT"), d);
}

static const frontend_value *attribute_of(const paddle_op *op, const char *name)
{
    for (uint32_t i = 0; i < op->attribute_count; i++)
        if (strcmp(op->attributes[i].name, name) == 0)
            return op->attributes[i].value;
    return NULL;
}

/* ---- Operands and results ---- */

static void add_operand(paddle_op *op, const char *parameter, const pir_value *v)
{
    op->inputs[op->input_count++] = (paddle_list){parameter, v->names};
}

/* An operand that ProgramDesc's operator has not, or not so. */
static void strange(pir *p, paddle_op *op, int index)
{
    op->refused = arena_format(
        p->arena, "operand %d is computed, or a list, or one more than there are, which is not supported", index);
}

/* Operand number `index`, which pir.def has `w` for. */
static void place_operand(pir *p, paddle_op *op, word w, const pir_value *v, int index)
{
    const bool attribute = *w.text == '@', list = *w.text == '*';
    const char *bar = memchr(w.text, '|', w.length);
    const word name = {w.text + (attribute || list), (bar ? (size_t)(bar - w.text) : w.length) - (attribute || list)};
    if (v == &p->absent || word_is(w, "-"))
        return;
    if (attribute && v->known)
        pir_add_attribute(op, word_text(p, name), v->known);
    else if ((attribute && !bar) || (!list && v->names.count != 1))
        strange(p, op, index);
    else
        add_operand(op, word_text(p, bar ? (word){bar + 1, w.length - (size_t)(bar + 1 - w.text)} : name), v);
}

static bool read_operands(pir *p, const js_value *list, const pir_entry *entry, paddle_op *op)
{
    const char *rest = entry ? entry->operands : "";
    int index = 0;
    for (const js_value *i = js_first(list); i; i = i->next) {
        const pir_value *v = operand_at(p, i);
        word w;
        if (!v)
            return false;
        if (!entry)
            add_operand(op, "X", v);
        else if (next_word(&rest, &w))
            place_operand(p, op, w, v, index);
        else if (v != &p->absent)
            strange(p, op, index);
        index++;
    }
    return true;
}

static bool read_results(pir *p, const js_value *list, const pir_entry *entry, const char *kind, const char *name,
                         paddle_op *op)
{
    const char *rest = entry ? entry->results : "";
    for (const js_value *o = js_first(list); o; o = o->next) {
        pir_value *v = write_value(p, o, kind, name);
        word w;
        if (!v)
            return false;
        if (!next_word(&rest, &w))
            w = (word){"-", 1};
        const size_t star = *w.text == '*';
        op->outputs[op->output_count++] = (paddle_list){word_text(p, (word){w.text + star, w.length - star}), v->names};
    }
    return true;
}

/* ---- Constants ---- */

static bool is_integer_type(int64_t type)
{
    const ir_dtype dtype = paddle_dtype(type);
    return dtype == IR_I16 || dtype == IR_I32 || dtype == IR_I64 || dtype == IR_I8 || dtype == IR_U8;
}

/* full: one number, of the type that it says; integers go in text, which has all their digits. */
static const frontend_value *known_number(pir *p, paddle_op *op, const js_value *json)
{
    const frontend_value *value = attribute_of(op, "value"), *dtype = attribute_of(op, "dtype");
    frontend_value *v = ARENA_NEW(p->arena, frontend_value), *text = ARENA_NEW(p->arena, frontend_value);
    if (!value || !dtype || value->s[0])
        return NULL;
    *v = *value;
    const js_value *number = NULL;
    for (const js_value *a = js_first(js_member(json, "A")); a; a = a->next)
        if (strcmp(js_text(js_member(a, "N")), "value") == 0)
            number = js_member(js_member(a, "AT"), "D");
    v->type = is_integer_type(dtype->i) ? TYPE_LONG : dtype->i ? TYPE_FLOAT : TYPE_BOOLEAN;
    v->i = js_integer(number);
    v->f = value->type == TYPE_FLOAT ? value->f : (float)value->i;
    if (v->type != TYPE_LONG)
        return v;
    *text = (frontend_value){.type = TYPE_STRING, .s = arena_format(p->arena, "%lld", (long long)v->i)};
    text->count = (uint32_t)strlen(text->s);
    pir_add_attribute(op, "str_value", text);
    return v;
}

/* full_int_array says no shape. */
static const frontend_value *known_numbers(pir *p, paddle_op *op)
{
    const frontend_value *value = attribute_of(op, "int64_values"), *dtype = attribute_of(op, "dtype");
    frontend_value *shape = ARENA_NEW(p->arena, frontend_value), *v = ARENA_NEW(p->arena, frontend_value);
    int64_t *extent = ARENA_NEW(p->arena, int64_t);
    if (!value || !dtype || (value->count && !value->ints))
        return NULL;
    *extent = value->count;
    *shape = (frontend_value){.type = TYPE_LONGS, .s = "", .count = 1, .ints = extent};
    pir_add_attribute(op, "shape", shape);
    *v = *value;
    v->type = TYPE_LONGS;
    for (uint32_t i = 0; paddle_dtype(dtype->i) == IR_I32 && i < op->attribute_count; i++)
        if (op->attributes[i].value == value)
            op->attributes[i].name = "int32_values";
    return v;
}

/* assign_value says its numbers in reals, whatever their type. */
static void typed_values(pir *p, paddle_op *op)
{
    const frontend_value *dtype = attribute_of(op, "dtype");
    const ir_dtype type = dtype ? paddle_dtype(dtype->i) : IR_DTYPE_NONE;
    for (uint32_t i = 0; i < op->attribute_count; i++) {
        frontend_attribute *a = &op->attributes[i];
        frontend_value *v = ARENA_NEW(p->arena, frontend_value);
        if (strcmp(a->name, "values") != 0 || (a->value->count && !a->value->floats))
            continue;
        *v = *a->value;
        a->name = type == IR_I64 ? "int64_values" : type == IR_I32 ? "int32_values" : "fp32_values";
        a->value = v;
        if (type == IR_F32)
            continue;
        int64_t *ints = ARENA_ARRAY(p->arena, int64_t, v->count + 1);
        for (uint32_t k = 0; k < v->count; k++)
            ints[k] = ir_truncated_to(IR_I64, (double)v->floats[k]);
        v->ints = ints;
        v->floats = NULL;
        v->type = TYPE_LONGS;
    }
}

/* ---- Operators ---- */

static const pir_entry *entry_of(const char *name)
{
    const size_t length = strlen(name), in_place = length && name[length - 1] == '_';
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++)
        if (word_is((word){name, length}, entries[i].name) || word_is((word){name, length - in_place}, entries[i].name))
            return &entries[i];
    return NULL;
}

static uint32_t length_of(const js_value *list) { return js_is(list, JS_ARRAY) ? list->count : 0; }

/* An input's name, which its operator has as an attribute; NULL: none. */
static const char *input_name(const js_value *op)
{
    for (const js_value *a = js_first(js_member(op, "A")); a; a = a->next)
        if (strcmp(js_text(js_member(a, "N")), "name") == 0)
            return js_text(js_member(js_member(a, "AT"), "D"));
    return NULL;
}

static int64_t attribute_integer(const js_value *op, const char *name)
{
    for (const js_value *a = js_first(js_member(op, "A")); a; a = a->next)
        if (strcmp(js_text(js_member(a, "N")), name) == 0)
            return js_integer(js_member(js_member(a, "AT"), "D"));
    return -1;
}

static void feed(pir *p, const js_value *json, paddle_op *op)
{
    frontend_value *column = ARENA_NEW(p->arena, frontend_value);
    *column = (frontend_value){.type = TYPE_LONG, .s = "", .i = p->feeds++};
    if (!attribute_of(op, "col"))
        pir_add_attribute(op, "col", column);
    for (const js_value *o = js_first(js_member(json, "O")); o && op->output_count; o = o->next)
        describe(p, o, op->outputs[0].names.count ? op->outputs[0].names.text[0] : "", false);
}

static bool read_op(pir *p, const js_value *json, const char *name)
{
    enum { MADE_ATTRIBUTES = 2 };
    const js_value *operands = js_member(json, "I"), *results = js_member(json, "O"),
                   *attributes = js_member(json, "A");
    const pir_entry *entry = entry_of(name);
    const char *type = entry ? entry->operator_name : name;
    const bool is_feed = strcmp(type, "feed") == 0, is_fetch = strcmp(type, "fetch") == 0;
    paddle_op *op = &p->block->ops[p->block->op_count++];
    *op = (paddle_op){.type = type,
                      .inputs = ARENA_ARRAY(p->arena, paddle_list, length_of(operands) + 1),
                      .outputs = ARENA_ARRAY(p->arena, paddle_list, length_of(results) + 1),
                      .attributes = ARENA_ARRAY(p->arena, frontend_attribute,
                                                length_of(attributes) + length_of(operands) + MADE_ATTRIBUTES)};
    if (!pir_read_attributes(p, attributes, entry, op) || !read_operands(p, operands, entry, op) ||
        !read_results(p, is_fetch ? NULL : results, entry, name, is_feed ? input_name(json) : NULL, op))
        return false;
    const frontend_value *known = NULL;
    if (strcmp(name, "full") == 0)
        known = known_number(p, op, json);
    else if (strcmp(name, "full_int_array") == 0)
        known = known_numbers(p, op);
    else if (strcmp(type, "assign_value") == 0)
        typed_values(p, op);
    else if (is_feed)
        feed(p, json, op);
    if (known && js_first(results))
        value_at(p, js_first(results))->known = known;
    return true;
}

/* What a list of constants is: all their numbers. */
static const frontend_value *known_list(pir *p, const js_value *operands)
{
    frontend_value *v = ARENA_NEW(p->arena, frontend_value);
    int64_t *ints = ARENA_ARRAY(p->arena, int64_t, length_of(operands) + 1);
    *v = (frontend_value){.type = TYPE_LONGS, .s = "", .ints = ints};
    for (const js_value *i = js_first(operands); i; i = i->next) {
        const frontend_value *one = operand_at(p, i)->known;
        if (!one || one->type != TYPE_LONG)
            return NULL;
        ints[v->count++] = one->i;
    }
    return v;
}

/* builtin.combine: values to a list. */
static bool combine(pir *p, const js_value *json)
{
    const js_value *operands = js_member(json, "I"), *result = js_first(js_member(json, "O"));
    pir_value *list = result ? write_value(p, result, "", NULL) : NULL;
    const uint32_t count = length_of(operands);
    if (!list)
        return pir_malformed(p, json, "a list that is no value");
    list->names = (frontend_names){0, ARENA_ARRAY(p->arena, const char *, count + 1)};
    for (const js_value *i = js_first(operands); i; i = i->next) {
        const pir_value *v = operand_at(p, i);
        if (!v || v->names.count != 1)
            return pir_malformed(p, i, "a list of what are no single values");
        list->names.text[list->names.count++] = v->names.text[0];
    }
    list->known = known_list(p, operands);
    return true;
}

/* builtin.split: a list to its values. */
static bool take_apart(pir *p, const js_value *json)
{
    int64_t index = 0;
    const js_value *operand = js_first(js_member(json, "I"));
    const pir_value *list = operand ? operand_at(p, operand) : NULL;
    if (!list)
        return pir_malformed(p, json, "a list that is no value");
    for (const js_value *o = js_first(js_member(json, "O")); o; o = o->next, index++) {
        pir_value *v = write_value(p, o, "", NULL);
        if (!v || index >= list->names.count)
            return pir_malformed(p, o, "a value that is not in its list");
        if (v->output) /* who wrote the list has the same names */
            list->names.text[index] = v->output;
        v->names.count = 1;
        v->names.text[0] = list->names.text[index];
    }
    return true;
}

/* builtin.slice: one value of a list. */
static bool take_one(pir *p, const js_value *json)
{
    const js_value *operand = js_first(js_member(json, "I")), *result = js_first(js_member(json, "O"));
    const pir_value *list = operand ? operand_at(p, operand) : NULL;
    const int64_t index = attribute_integer(json, "index");
    pir_value *v = list && result ? write_value(p, result, "", NULL) : NULL;
    if (!v || index < 0 || index >= list->names.count)
        return pir_malformed(p, json, "a value that is not in its list");
    if (v->output)
        list->names.text[index] = v->output;
    v->names = (frontend_names){1, &list->names.text[index]};
    return true;
}

/* {"#": "p", "A": [distributed, parameter, clipped, name], "O": {…}, "OA": [persistable, …]}: only those that persist are in
 * the file. */
static bool parameter(pir *p, const js_value *json)
{
    const js_value *result = js_member(json, "O"), *persists = js_at(js_member(json, "OA"), 0);
    const char *name = js_text(js_at(js_member(json, "A"), 3));
    if (!*name || !write_value(p, result, "", name))
        return pir_malformed(p, json, "a parameter without a name or a value");
    describe(p, result, name, !persists || js_integer(persists));
    return true;
}

/* The one of its kind; NULL after a diagnostic. */
static const js_value *only(pir *p, const js_value *around, const char *name)
{
    const js_value *list = js_member(around, name);
    if (length_of(list) == 1)
        return js_first(list);
    const ir_loc loc = model_loc(p->model);
    diag_error(p->model->diag, &loc, "the program has %u %s in place of one: the file is not supported",
               length_of(list), name);
    return NULL;
}

/* ---- Control flow ---- */

/* One variable each. */
static bool read_names(pir *p, const js_value *list, frontend_names *out)
{
    *out = (frontend_names){0, ARENA_ARRAY(p->arena, const char *, length_of(list) + 1)};
    for (const js_value *i = js_first(list); i; i = i->next) {
        const pir_value *v = operand_at(p, i);
        if (!v)
            return false;
        if (v->names.count != 1)
            return pir_malformed(p, i, "an absent value, or a list, where control flow needs a value");
        out->text[out->count++] = v->names.text[0];
    }
    return true;
}

static bool write_names(pir *p, const js_value *list, const char *kind, frontend_names *out)
{
    for (const js_value *o = js_first(list); o; o = o->next)
        if (!write_value(p, o, kind, NULL))
            return false;
    return read_names(p, list, out);
}

static bool read_any(pir *p, const js_value *json);

/* The operators of {"args": [{"#": -1, "TT": …}], "ops": […]}. */
static bool read_block(pir *p, const js_value *json, paddle_block *out)
{
    paddle_block *around = p->block;
    const js_value *ops = js_member(json, "ops");
    out->ops = ARENA_ARRAY(p->arena, paddle_op, length_of(ops) + 1);
    if (!write_names(p, js_member(json, "args"), "block", &out->inputs))
        return false;
    p->block = out;
    for (const js_value *op = js_first(ops); op; op = op->next)
        if (!read_any(p, op))
            return false;
    p->block = around;
    return true;
}

/* {"#": "1.if", "I": [condition, what a loop carries, …], "O": […], "regions": [{"blocks": [{"ops": […]}]}, …]} */
static bool control(pir *p, const js_value *json, const char *name)
{
    const js_value *operands = js_member(json, "I"), *regions = js_member(json, "regions");
    paddle_op *op = &p->block->ops[p->block->op_count++];
    frontend_names all;
    *op = (paddle_op){.type = name,
                      .inputs = ARENA_ARRAY(p->arena, paddle_list, 2),
                      .outputs = ARENA_ARRAY(p->arena, paddle_list, 1),
                      .blocks = ARENA_ARRAY(p->arena, paddle_block, length_of(regions) + 1)};
    if (!read_names(p, operands, &all))
        return false;
    if (!all.count)
        return pir_malformed(p, json, "control flow without a condition");
    op->inputs[op->input_count++] = (paddle_list){"Cond", {1, all.text}};
    op->inputs[op->input_count++] = (paddle_list){"X", {all.count - 1, all.text + 1}};
    for (const js_value *r = js_first(regions); r; r = r->next) {
        const js_value *block = only(p, r, "blocks");
        paddle_block *b = &op->blocks[op->block_count++];
        b->number = ++p->blocks;
        if (!block || !read_block(p, block, b))
            return false;
    }
    op->outputs[op->output_count++].parameter = "Out";
    return write_names(p, js_member(json, "O"), name, &op->outputs[0].names);
}

static bool read_any(pir *p, const js_value *json)
{
    const char *name = js_text(js_member(json, "#")), *dot = strchr(name, '.');
    if (strcmp(name, "p") == 0)
        return parameter(p, json);
    if (strcmp(name, "0.combine") == 0)
        return combine(p, json);
    if (strcmp(name, "0.split") == 0)
        return take_apart(p, json);
    if (strcmp(name, "0.slice") == 0)
        return take_one(p, json);
    if (dot && strcmp(dot, ".yield") == 0)
        return read_names(p, js_member(json, "I"), &p->block->results);
    if (dot && js_member(json, "regions"))
        return control(p, json, dot + 1);
    return dot && dot[1] ? read_op(p, json, dot + 1) : pir_malformed(p, json, "an operator without a name");
}

/* Values that are fetched have the names that they are fetched by: the first of several. */
static bool name_outputs(pir *p, const js_value *ops)
{
    for (const js_value *op = js_first(ops); op; op = op->next) {
        const js_value *operand = js_first(js_member(op, "I"));
        if (strcmp(js_text(js_member(op, "#")), "1.fetch") != 0 || !operand)
            continue;
        pir_value *v = value_at(p, operand);
        if (!v)
            return false;
        if (!v->output)
            v->output = input_name(op);
    }
    return true;
}

/* ---- Numbers ---- */

static void add_number(pir *p, const js_value *written, bool store)
{
    const js_value *number = number_of(written);
    if (store)
        p->values[p->value_count].number = js_integer(number);
    p->value_count++;
}

/* All values that a block and those within it write: counted, or stored as well. */
static void add_numbers(pir *p, const js_value *block, bool store)
{
    for (const js_value *a = js_first(js_member(block, "args")); a; a = a->next)
        add_number(p, a, store);
    for (const js_value *op = js_first(js_member(block, "ops")); op; op = op->next) {
        const js_value *results = js_member(op, "O");
        if (js_is(results, JS_OBJECT))
            add_number(p, results, store);
        for (const js_value *o = js_first(results); o; o = o->next)
            add_number(p, o, store);
        for (const js_value *r = js_first(js_member(op, "regions")); r; r = r->next)
            for (const js_value *b = js_first(js_member(r, "blocks")); b; b = b->next)
                add_numbers(p, b, store);
    }
}

static int by_number(const void *a, const void *b)
{
    const int64_t x = ((const pir_value *)a)->number, y = ((const pir_value *)b)->number;
    return (x > y) - (x < y);
}

static void number_values(pir *p, const js_value *program)
{
    add_numbers(p, program, false);
    p->values = ARENA_ARRAY(p->arena, pir_value, p->value_count + 1);
    p->value_count = 0;
    add_numbers(p, program, true);
    qsort(p->values, (size_t)p->value_count, sizeof *p->values, by_number);
}

static bool right_version(paddle_model *m, const js_value *root)
{
    const ir_loc loc = model_loc(m);
    const js_value *base = js_member(root, "base_code");
    const int64_t version = js_integer(js_member(base, "version"));
    if (strcmp(js_text(js_member(base, "magic")), "pir") != 0)
        return diag_error(m->diag, &loc, "the file is JSON, but no program of PaddlePaddle 3");
    return (version >= 0 && version <= NEWEST_VERSION) ||
           diag_error(m->diag, &loc, "the program is of version %lld, newer than %d", (long long)version,
                      NEWEST_VERSION);
}

bool paddle_pir_program(paddle_model *m)
{
    const ir_loc loc = model_loc(m);
    const js_value *root = js_read(&m->reader, m->graph->arena);
    if (!root)
        return model_malformed(m, &loc);
    pir p = {.model = m, .arena = m->graph->arena};
    if (!right_version(m, root))
        return false;
    const js_value *region = only(&p, js_member(root, "program"), "regions");
    const js_value *block = region ? only(&p, region, "blocks") : NULL, *ops = js_member(block, "ops");
    if (!block)
        return false;
    number_values(&p, block);
    m->program.variables = ARENA_ARRAY(p.arena, paddle_desc, p.value_count + 1);
    if (!name_outputs(&p, ops))
        return false;
    return read_block(&p, block, &m->program.main);
}
