/* pir.c: a program as PaddlePaddle 3 saves it (.json) as the program of program.h; its parameters lie in the same
 * files as those of proto.c.
 *
 *     {"base_code": {"magic": "pir", "version": 4}, "program": {"regions": [{"blocks": [{"ops": [
 *        {"#": "p", "A": [0, 1, 1, "w"], "O": {"%": 1, "TT": …}},            a parameter
 *        {"#": "1.relu", "A": [{"N": name, "AT": {"#": kind, "D": data}}, …], "I": [{"%": 1}], "O": [{"%": 2, "TT": …}]}
 *
 * Values have numbers and are written once; 0 is an operand that is absent.  They become variables named after their
 * operator and number, but for inputs, parameters and outputs, which have names.  Operators become those of ops.def
 * (pir.def); what they take as operands and ProgramDesc has as attributes are constants of the file. */
#include <string.h>

#include "frontends/json.h"
#include "frontends/paddle/import.h"
#include "ir/ref/interp.h"

enum { NEWEST_VERSION = 4, OTHER_TYPE = 1 << 10 /* of elements: none of paddle_dtype */ };

typedef struct pir_entry {
    const char *name, *operator_name, *operands, *results, *attributes;
} pir_entry;

static const pir_entry entries[] = {
#define PIR_OP(name, operator_name, operands, results, attributes)                                                     \
    {#name, #operator_name, operands, results, attributes},
#include "frontends/paddle/pir.def"
#undef PIR_OP
};

typedef struct pir_value {
    frontend_names names;        /* of its variables: more than one of a list */
    const frontend_value *known; /* what it is, where it is a constant of the file */
    const char *output;          /* what the model calls it; NULL: it is no output */
    bool written;
} pir_value;

typedef struct pir {
    paddle_model *model;
    arena *arena;
    pir_value *values; /* by their number */
    int64_t value_count;
    int64_t feeds;
} pir;

static bool malformed(pir *p, const js_value *at, const char *what)
{
    const ir_loc loc = model_loc(p->model);
    fb_fail(&p->model->reader, at ? at->at : 0, what);
    return model_malformed(p->model, &loc);
}

/* ---- Words of pir.def ---- */

typedef struct word {
    const char *text;
    size_t length;
} word;

static bool next_word(const char **rest, word *out)
{
    *rest += strspn(*rest, " ");
    *out = (word){*rest, strcspn(*rest, " ")};
    *rest += out->length;
    return out->length > 0;
}

static bool word_is(word w, const char *text)
{
    return strlen(text) == w.length && memcmp(w.text, text, w.length) == 0;
}

static const char *word_text(pir *p, word w) { return arena_string(p->arena, w.text, w.length); }

/* ---- Types ---- */

static int32_t type_number(const char *name)
{
    static const struct {
        const char *long_name, *short_name;
        int32_t number;
    } types[] = {{"bool", "bool", 0},   {"int16", "i16", 1},
                 {"int32", "i32", 2},   {"int64", "i64", 3},
                 {"float16", "f16", 4}, {"float32", "f32", 5},
                 {"float64", "f64", 6}, {"uint8", "ui8", 20},
                 {"int8", "i8", 21},    {"Undefined(ALL_DTYPE)", "", -1}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(name, types[i].long_name) == 0 || strcmp(name, types[i].short_name) == 0)
            return types[i].number;
    return OTHER_TYPE;
}

/* {"#": "0.t_dtensor", "D": [{"#": "0.t_f32"}, [-1, 10], …]} */
static void read_type(pir *p, const js_value *type, paddle_desc *out)
{
    const js_value *data = js_member(type, "D"), *dims = js_at(data, 1);
    const char *element = js_text(js_member(js_at(data, 0), "#")), *mark = strstr(element, ".t_");
    out->is_tensor = strcmp(js_text(js_member(type, "#")), "0.t_dtensor") == 0;
    out->type = mark ? type_number(mark + 3) : OTHER_TYPE;
    out->rank = js_is(dims, JS_ARRAY) ? dims->count : 0;
    int64_t *all = ARENA_ARRAY(p->arena, int64_t, out->rank + 1);
    uint32_t i = 0;
    for (const js_value *d = js_first(dims); d; d = d->next)
        all[i++] = js_integer(d);
    out->dims = all;
}

/* ---- Values ---- */

static pir_value *value_at(pir *p, const js_value *reference)
{
    const js_value *number = js_member(reference, "%");
    const int64_t i = js_integer(number);
    if (!js_is(number, JS_NUMBER) || i < 0 || i >= p->value_count) {
        malformed(p, reference, "a value without a number, or beyond all values");
        return NULL;
    }
    return &p->values[i];
}

static pir_value *operand_at(pir *p, const js_value *reference)
{
    pir_value *v = value_at(p, reference);
    if (v && v != p->values && !v->written) {
        malformed(p, reference, "an operand that nothing has written");
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
    if (v == p->values || v->written) {
        malformed(p, result, "a value that is written twice, or has no number");
        return NULL;
    }
    v->written = true;
    v->names = (frontend_names){count, ARENA_ARRAY(p->arena, const char *, count + 1)};
    for (uint32_t i = 0; i < count; i++)
        v->names.text[i] = list        ? arena_format(p->arena, "%s:%d.%u", kind, (int)(v - p->values), i)
                           : name      ? name
                           : v->output ? v->output
                                       : arena_format(p->arena, "%s:%d", kind, (int)(v - p->values));
    return v;
}

static void describe(pir *p, const js_value *result, const char *name, bool persistable)
{
    paddle_program *program = &p->model->program;
    paddle_desc *d = &program->variables[program->variable_count++];
    *d = (paddle_desc){.name = name, .persistable = persistable};
    read_type(p, js_member(result, "TT"), d);
}

/* ---- Attributes ---- */

static bool ends_with(const char *text, const char *end)
{
    const size_t length = strlen(text), n = strlen(end);
    return length >= n && strcmp(text + length - n, end) == 0;
}

/* An attribute's kind behind its dialect as a type of program.h; of a list, that of its elements; -1: none. */
static int scalar_type(const char *kind)
{
    return ends_with(kind, ".a_bool")                               ? TYPE_BOOLEAN
           : ends_with(kind, ".a_i32")                              ? TYPE_INT
           : ends_with(kind, ".a_i64")                              ? TYPE_LONG
           : ends_with(kind, ".a_f32") || ends_with(kind, ".a_f64") ? TYPE_FLOAT
           : ends_with(kind, ".a_str")                              ? TYPE_STRING
                                                                    : -1;
}

static int list_type(int scalar)
{
    static const int lists[] = {[TYPE_INT] = TYPE_INTS,
                                [TYPE_FLOAT] = TYPE_FLOATS,
                                [TYPE_STRING] = TYPE_STRINGS,
                                [TYPE_BOOLEAN] = TYPE_BOOLEANS,
                                [TYPE_LONG] = TYPE_LONGS};
    return lists[scalar];
}

static bool right_kind(const js_value *data, int type)
{
    return type == TYPE_STRING    ? js_is(data, JS_STRING)
           : type == TYPE_BOOLEAN ? js_is(data, JS_TRUE) || js_is(data, JS_FALSE)
                                  : js_is(data, JS_NUMBER);
}

/* Elements as {"#": kind, "D": data}, all of a kind, or as mere numbers of type `plain`. */
static bool read_list(pir *p, const js_value *list, int plain, frontend_value *v)
{
    int64_t *ints = ARENA_ARRAY(p->arena, int64_t, list->count + 1);
    float *floats = ARENA_ARRAY(p->arena, float, list->count + 1);
    int type = plain;
    for (const js_value *e = js_first(list); e; e = e->next) {
        const js_value *data = plain < 0 ? js_member(e, "D") : e;
        const int its = plain < 0 ? scalar_type(js_text(js_member(e, "#"))) : plain;
        if (its < 0 || (v->count && its != type) || !right_kind(data, its))
            return malformed(p, e, "an element that is no value, or of another kind than the others");
        type = its;
        ints[v->count] = js_integer(data);
        floats[v->count++] = (float)data->real;
    }
    v->type = list_type(type < 0 ? TYPE_INT : type);
    if (v->type == TYPE_FLOATS)
        v->floats = floats;
    else if (v->type == TYPE_INTS || v->type == TYPE_LONGS)
        v->ints = ints;
    return true;
}

/* {"#": "0.a_i32", "D": 1}; NULL after a diagnostic. */
static const frontend_value *read_value(pir *p, const js_value *attribute)
{
    frontend_value *v = ARENA_NEW(p->arena, frontend_value);
    const char *kind = js_text(js_member(attribute, "#"));
    const js_value *data = js_member(attribute, "D");
    const int scalar = scalar_type(kind);
    const bool numbers = ends_with(kind, ".a_intarray");
    v->s = "";
    if (numbers || ends_with(kind, ".a_array")) {
        if (js_is(data, JS_ARRAY))
            return read_list(p, data, numbers ? TYPE_LONG : -1, v) ? v : NULL;
    } else if (ends_with(kind, ".a_dtype") && js_is(data, JS_STRING)) {
        v->type = TYPE_INT;
        v->i = type_number(js_text(data));
        return v;
    } else if (scalar >= 0 && right_kind(data, scalar)) {
        v->type = scalar;
        v->i = js_integer(data);
        v->f = (float)data->real;
        v->s = js_text(data);
        v->count = scalar == TYPE_STRING ? data->count : 0;
        return v;
    }
    malformed(p, attribute, "an attribute of a kind that is not known, or whose data is not of its kind");
    return NULL;
}

/* What pir.def makes of an attribute's name; NULL: it has no bearing on the result. */
static const char *renamed(pir *p, const pir_entry *entry, const char *name)
{
    const char *rest = entry ? entry->attributes : "";
    for (word w; next_word(&rest, &w);) {
        const word from = {w.text, (size_t)((const char *)memchr(w.text, '>', w.length) - w.text)};
        const word to = {from.text + from.length + 1, w.length - from.length - 1};
        if (word_is(from, name))
            return word_is(to, "-") ? NULL : word_text(p, to);
    }
    return name;
}

static void add_attribute(paddle_op *op, const char *name, const frontend_value *value)
{
    op->attributes[op->attribute_count++] = (frontend_attribute){.name = name, .value = value};
}

/* Where a value lies, and what Python's layer was called, has no bearing on any result. */
static bool read_attributes(pir *p, const js_value *list, const pir_entry *entry, paddle_op *op)
{
    for (const js_value *a = js_first(list); a; a = a->next) {
        const js_value *attribute = js_member(a, "AT");
        const char *name = js_text(js_member(a, "N")), *to = renamed(p, entry, name);
        if (!to || strcmp(name, "struct_name") == 0 || ends_with(js_text(js_member(attribute, "#")), ".a_place"))
            continue;
        const frontend_value *value = read_value(p, attribute);
        if (!value)
            return false;
        add_attribute(op, to, value);
    }
    return true;
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
static bool strange(pir *p, const paddle_op *op, int index)
{
    const ir_loc loc = {p->model->file, 0, (int32_t)(op - p->model->program.ops), op->type};
    return diag_error(p->model->diag, &loc,
                      "operand %d is computed, or a list, or one more than there are, which is not supported", index);
}

/* Operand number `index`, which pir.def has `w` for. */
static bool place_operand(pir *p, paddle_op *op, word w, const pir_value *v, int index)
{
    const bool attribute = *w.text == '@', list = *w.text == '*';
    const char *bar = memchr(w.text, '|', w.length);
    const word name = {w.text + (attribute || list), (bar ? (size_t)(bar - w.text) : w.length) - (attribute || list)};
    if (v == p->values || word_is(w, "-"))
        return true;
    if (attribute && v->known) {
        add_attribute(op, word_text(p, name), v->known);
        return true;
    }
    if ((attribute && !bar) || (!list && v->names.count != 1))
        return strange(p, op, index);
    add_operand(op, word_text(p, bar ? (word){bar + 1, w.length - (size_t)(bar + 1 - w.text)} : name), v);
    return true;
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
        if (entry && !next_word(&rest, &w) && v != p->values)
            return strange(p, op, index);
        if (!entry)
            add_operand(op, "X", v);
        else if (v != p->values && !place_operand(p, op, w, v, index))
            return false;
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
    add_attribute(op, "str_value", text);
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
    add_attribute(op, "shape", shape);
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

static void feed(pir *p, const js_value *json, paddle_op *op)
{
    frontend_value *column = ARENA_NEW(p->arena, frontend_value);
    *column = (frontend_value){.type = TYPE_LONG, .s = "", .i = p->feeds++};
    if (!attribute_of(op, "col"))
        add_attribute(op, "col", column);
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
    paddle_op *op = &p->model->program.ops[p->model->program.op_count++];
    *op = (paddle_op){.type = type,
                      .inputs = ARENA_ARRAY(p->arena, paddle_list, length_of(operands) + 1),
                      .outputs = ARENA_ARRAY(p->arena, paddle_list, length_of(results) + 1),
                      .attributes = ARENA_ARRAY(p->arena, frontend_attribute,
                                                length_of(attributes) + length_of(operands) + MADE_ATTRIBUTES)};
    if (!read_attributes(p, attributes, entry, op) || !read_operands(p, operands, entry, op) ||
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
        return malformed(p, json, "a list that is no value");
    list->names = (frontend_names){0, ARENA_ARRAY(p->arena, const char *, count + 1)};
    for (const js_value *i = js_first(operands); i; i = i->next) {
        const pir_value *v = operand_at(p, i);
        if (!v || v->names.count != 1)
            return malformed(p, i, "a list of what are no single values");
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
        return malformed(p, json, "a list that is no value");
    for (const js_value *o = js_first(js_member(json, "O")); o; o = o->next, index++) {
        pir_value *v = write_value(p, o, "", NULL);
        if (!v || index >= list->names.count)
            return malformed(p, o, "a value that is not in its list");
        if (v->output) /* who wrote the list has the same names */
            list->names.text[index] = v->output;
        v->names.count = 1;
        v->names.text[0] = list->names.text[index];
    }
    return true;
}

/* {"#": "p", "A": [distributed, parameter, clipped, name], "O": {…}} */
static bool parameter(pir *p, const js_value *json)
{
    const js_value *result = js_member(json, "O");
    const char *name = js_text(js_at(js_member(json, "A"), 3));
    if (!*name || !write_value(p, result, "", name))
        return malformed(p, json, "a parameter without a name or a value");
    describe(p, result, name, true);
    return true;
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
    return dot && dot[1] ? read_op(p, json, dot + 1) : malformed(p, json, "an operator without a name");
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

/* The one list of a program without control flow; NULL after a diagnostic. */
static const js_value *only(pir *p, const js_value *around, const char *name)
{
    const js_value *list = js_member(around, name);
    if (length_of(list) == 1)
        return js_first(list);
    const ir_loc loc = model_loc(p->model);
    diag_error(p->model->diag, &loc, "the program has %u %s: control flow is not supported", length_of(list), name);
    return NULL;
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
    p.value_count = 1;
    for (const js_value *op = js_first(ops); op; op = op->next)
        p.value_count += js_is(js_member(op, "O"), JS_ARRAY) ? js_member(op, "O")->count : 1;
    p.values = ARENA_ARRAY(p.arena, pir_value, p.value_count);
    m->program.ops = ARENA_ARRAY(p.arena, paddle_op, length_of(ops) + 1);
    m->program.variables = ARENA_ARRAY(p.arena, paddle_desc, p.value_count);
    if (!name_outputs(&p, ops))
        return false;
    for (const js_value *op = js_first(ops); op; op = op->next)
        if (!read_any(&p, op))
            return false;
    return true;
}
