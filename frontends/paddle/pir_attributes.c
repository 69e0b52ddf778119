/* pir_attributes.c: types and attributes of PaddlePaddle 3's programs as program.h has them.
 *
 *     {"N": "axis", "AT": {"#": "0.a_i32", "D": 1}}   ──▶   axis = 1 (TYPE_INT) */
#include "frontends/paddle/pir.h"

enum { OTHER_TYPE = 1 << 10 /* of elements: none of paddle_dtype */ };

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

void pir_read_type(pir *p, const js_value *type, paddle_desc *out)
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
            return pir_malformed(p, e, "an element that is no value, or of another kind than the others");
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
    pir_malformed(p, attribute, "an attribute of a kind that is not known, or whose data is not of its kind");
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

void pir_add_attribute(paddle_op *op, const char *name, const frontend_value *value)
{
    op->attributes[op->attribute_count++] = (frontend_attribute){.name = name, .value = value};
}

bool pir_read_attributes(pir *p, const js_value *list, const pir_entry *entry, paddle_op *op)
{
    for (const js_value *a = js_first(list); a; a = a->next) {
        const js_value *attribute = js_member(a, "AT");
        const char *name = js_text(js_member(a, "N")), *to = renamed(p, entry, name);
        if (!to || strcmp(name, "struct_name") == 0 || ends_with(js_text(js_member(attribute, "#")), ".a_place"))
            continue;
        const frontend_value *value = read_value(p, attribute);
        if (!value)
            return false;
        pir_add_attribute(op, to, value);
    }
    return true;
}
