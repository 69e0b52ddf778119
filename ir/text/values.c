/* values.c: see values.h. */
#include "ir/text/values.h"

#include <string.h>

/* ---- Types and quantization ---- */

static bool parse_zeros(parser *p, int32_t count, int32_t *zero)
{
    if (ir_scan_peek(p) != '[') {
        if (!ir_scan_i32(p, &zero[0]))
            return false;
        for (int32_t i = 1; i < count; i++)
            zero[i] = zero[0];
        return true;
    }
    const int64_t *v;
    int32_t n;
    if (!ir_scan_ints(p, &v, &n))
        return false;
    if (n != count)
        return ir_scan_fail(p, "as many zero points as scales expected");
    for (int32_t i = 0; i < n; i++) {
        if (v[i] < INT32_MIN || v[i] > INT32_MAX)
            return ir_scan_fail(p, "zero point out of range");
        zero[i] = (int32_t)v[i];
    }
    return true;
}

/* narrow, or -7 to 7: the integers of the type that there are. */
static bool parse_unused(parser *p, ir_dtype dtype, ir_unused *out)
{
    const int64_t least = dtype == IR_I8 ? INT8_MIN : 0, most = dtype == IR_I8 ? INT8_MAX : UINT8_MAX;
    int64_t first, last;
    if (dtype != IR_I8 && dtype != IR_U8)
        return ir_scan_fail(p, "only integers of 8 bits may be fewer");
    *out = (ir_unused){1, 0};
    if (ir_scan_accept_word(p, "narrow"))
        return true;
    if (!ir_scan_int(p, least, most, &first))
        return false;
    if (!ir_scan_accept_word(p, "to"))
        return ir_scan_fail(p, "expected to");
    if (!ir_scan_int(p, first + 1, most, &last))
        return false;
    *out = (ir_unused){(uint8_t)(first - least), (uint8_t)(most - last)};
    return true;
}

static bool parse_quant(parser *p, ir_dtype dtype, const ir_quant **out)
{
    float scale;
    const float *scales = &scale;
    int32_t axis = -1, count = 1;
    if (ir_scan_accept_word(p, "axis")) {
        int64_t a;
        if (!ir_scan_int(p, 0, IR_MAX_RANK - 1, &a) || !ir_scan_expect(p, ':') || !ir_scan_floats(p, &scales, &count))
            return false;
        if (count == 0)
            return ir_scan_fail(p, "no scales");
        axis = (int32_t)a;
    } else if (!ir_scan_float(p, &scale)) {
        return false;
    }
    int32_t *zero = ARENA_ARRAY(p->scratch, int32_t, count);
    if (!ir_scan_expect(p, ',') || !parse_zeros(p, count, zero))
        return false;
    ir_quant *quant = ir_quant_new(p->g, axis, count, scales, zero);
    *out = quant;
    if (!ir_scan_accept(p, ','))
        return true;
    return parse_unused(p, dtype, &quant->unused);
}

static bool parse_dims(parser *p, ir_type *type)
{
    if (!ir_scan_is_digit(ir_scan_peek(p)))
        return true; /* a scalar */
    for (;;) {
        if (type->rank == IR_MAX_RANK)
            return ir_scan_fail(p, "more than 8 dimensions");
        if (!ir_scan_int(p, 0, IR_MAX_BYTES, &type->dims[type->rank++]))
            return false;
        if (p->at >= p->end || *p->at != 'x')
            return true;
        p->at++;
    }
}

bool ir_parse_type(parser *p, ir_type *type, const ir_quant **quant)
{
    slice w = ir_scan_word(p);
    *type = (ir_type){.dtype = ir_dtype_from_text(w.at, w.length)};
    *quant = NULL;
    if (w.length == 0 || type->dtype == IR_DTYPE_NONE)
        return ir_scan_fail(p, "expected an element type");
    if (!ir_scan_expect(p, '<') || !parse_dims(p, type))
        return false;
    if (ir_scan_accept(p, ';') && !parse_quant(p, type->dtype, quant))
        return false;
    if (!ir_scan_expect(p, '>'))
        return false;
    return ir_type_valid(type) || ir_scan_fail(p, "tensor too large");
}

/* ---- Values by name ---- */

static entry *table_slot(entry *table, size_t size, slice name)
{
    size_t i = (size_t)ir_hash_bytes(name.at, name.length, 0) & (size - 1);
    while (table[i].name.length &&
           !(table[i].name.length == name.length && memcmp(table[i].name.at, name.at, name.length) == 0))
        i = (i + 1) & (size - 1);
    return &table[i];
}

static void table_grow(parser *p)
{
    size_t size = p->table_size ? p->table_size * 2 : 256;
    entry *table = ARENA_ARRAY(p->scratch, entry, size);
    for (size_t i = 0; i < p->table_size; i++)
        if (p->table[i].name.length)
            *table_slot(table, size, p->table[i].name) = p->table[i];
    p->table = table;
    p->table_size = size;
}

/* After '%': a number without leading zeros, or a name. */
static bool parse_value_name(parser *p, slice *out)
{
    if (!ir_scan_expect(p, '%'))
        return false;
    slice s = {p->at, 0};
    while (p->at < p->end && (ir_scan_is_letter(*p->at) || ir_scan_is_digit(*p->at)))
        p->at++, s.length++;
    if (s.length == 0)
        return ir_scan_fail(p, "expected the name of a value after '%'");
    *out = s;
    return true;
}

static void remember_named(parser *p, ir_value *v)
{
    if (p->named_count == p->named_capacity) {
        size_t capacity = p->named_capacity ? p->named_capacity * 2 : 64;
        ir_value **grown = ARENA_ARRAY(p->scratch, ir_value *, capacity);
        if (p->named_count)
            memcpy(grown, p->named, p->named_count * sizeof *grown);
        p->named = grown;
        p->named_capacity = capacity;
    }
    p->named[p->named_count++] = v;
}

static bool value_number(parser *p, slice name, ir_value *v)
{
    uint32_t id = 0;
    for (size_t i = 0; i < name.length; i++) {
        if (!ir_scan_is_digit(name.at[i]))
            return ir_scan_fail_statement(p, "a value's name starts with a letter, or is a number");
        id = id * 10 + (uint32_t)(name.at[i] - '0');
        if (id >= ID_LIMIT)
            return ir_scan_fail_statement(p, "value number too large");
    }
    if (name.length > 1 && name.at[0] == '0')
        return ir_scan_fail_statement(p, "value number with a leading zero");
    v->id = id;
    if (id >= p->next_number)
        p->next_number = id + 1;
    return true;
}

static bool define(parser *p, slice name, ir_value *v)
{
    if (p->table_used * 2 >= p->table_size)
        table_grow(p);
    entry *e = table_slot(p->table, p->table_size, name);
    if (e->name.length) {
        p->loc.node = p->start;
        return diag_error(p->d, &p->loc, "%%%.*s is defined twice", (int)(name.length < 60 ? name.length : 60),
                          name.at);
    }
    *e = (entry){name, v};
    p->table_used++;
    if (ir_scan_is_digit(name.at[0]))
        return value_number(p, name, v);
    if (!v->name)
        v->name = arena_string(p->g->arena, name.at, name.length);
    remember_named(p, v);
    return true;
}

bool ir_parse_use(parser *p, ir_value **out)
{
    slice name = {0};
    if (!parse_value_name(p, &name))
        return false;
    entry *e = p->table_size ? table_slot(p->table, p->table_size, name) : NULL;
    if (!e || !e->name.length) {
        p->loc.node = p->line;
        return diag_error(p->d, &p->loc, "%%%.*s is not defined before its use",
                          (int)(name.length < 60 ? name.length : 60), name.at);
    }
    *out = e->value;
    return true;
}

/* ---- A value's definition ---- */

static bool parse_place(parser *p, const ir_type *type, ir_place *place)
{
    int64_t index = 0;
    if (ir_scan_accept_word(p, "workspace"))
        place->space = IR_SPACE_WORKSPACE;
    else if (ir_scan_accept_word(p, "const"))
        place->space = IR_SPACE_CONST;
    else if (ir_scan_accept_word(p, "input"))
        place->space = IR_SPACE_INPUT;
    else if (ir_scan_accept_word(p, "output"))
        place->space = IR_SPACE_OUTPUT;
    else
        return ir_scan_fail(p, "expected workspace, const, input or output");
    if (place->space == IR_SPACE_INPUT || place->space == IR_SPACE_OUTPUT)
        if (!ir_scan_int(p, 0, INT32_MAX, &index))
            return false;
    place->index = (uint32_t)index;
    if (!ir_scan_offset(p, &place->offset))
        return false;
    int64_t stride = 1;
    for (int i = type->rank - 1; i >= 0; i--) {
        place->stride[i] = stride;
        stride *= type->dims[i] > 0 ? type->dims[i] : 1;
    }
    if (!ir_scan_accept_word(p, "strides"))
        return true;
    const int64_t *v;
    int32_t n;
    if (!ir_scan_ints(p, &v, &n))
        return false;
    if (n != type->rank)
        return ir_scan_fail(p, "as many strides as dimensions expected");
    for (int i = 0; i < n; i++) {
        if (v[i] < -IR_MAX_BYTES || v[i] > IR_MAX_BYTES)
            return ir_scan_fail(p, "stride out of range");
        place->stride[i] = v[i];
    }
    return true;
}

static bool parse_as_rounding(parser *p, ir_definition *d)
{
    int64_t rounding;
    slice w = ir_scan_word(p);
    if (w.length == 0 || !ir_enum_from_text(IR_KIND_ENUM_ROUNDING, w.at, w.length, &rounding))
        return ir_scan_fail(p, "expected a rounding");
    d->as_rounding = (ir_enum_ROUNDING)rounding;
    return true;
}

/* u8<0.05, 128> rounded away_f32: integers that real values stand for, and how they become those */
static bool parse_as(parser *p, ir_definition *d)
{
    slice w = ir_scan_word(p);
    d->as_dtype = ir_dtype_from_text(w.at, w.length);
    if (w.length == 0 || d->as_dtype == IR_DTYPE_NONE)
        return ir_scan_fail(p, "expected an element type");
    if (!ir_scan_expect(p, '<') || !parse_quant(p, d->as_dtype, &d->as) || !ir_scan_expect(p, '>'))
        return false;
    return !ir_scan_accept_word(p, "rounded") || parse_as_rounding(p, d);
}

/* propagated "%3, times 2" */
static bool parse_origin(parser *p, ir_origin *out)
{
    int64_t source;
    slice w = ir_scan_word(p);
    if (!ir_enum_from_text(IR_KIND_ENUM_SCALE, w.at, w.length, &source))
        return ir_scan_fail(p, "expected where the scale is from: file, quantize, fake_quant, …");
    out->source = (ir_enum_SCALE)source;
    return ir_scan_peek(p) != '"' || (out->note = ir_scan_string(p)) != NULL;
}

bool ir_parse_definition(parser *p, ir_definition *d)
{
    *d = (ir_definition){.label = NULL};
    if (!parse_value_name(p, &d->name) || !ir_scan_expect(p, ':') || !ir_parse_type(p, &d->type, &d->quant))
        return false;
    if (ir_scan_peek(p) == '"' && !(d->label = ir_scan_string(p)))
        return false;
    if (ir_scan_accept_word(p, "as") && !parse_as(p, d))
        return false;
    if (ir_scan_accept_word(p, "from") && !parse_origin(p, &d->scale_from))
        return false;
    return !ir_scan_accept_word(p, "at") || parse_place(p, &d->type, &d->place);
}

bool ir_parse_finish(parser *p, ir_value *v, const ir_definition *d)
{
    if (d->label)
        v->name = d->label;
    v->as = d->as;
    v->as_dtype = d->as_dtype;
    v->as_rounding = d->as_rounding;
    v->scale_from = d->scale_from;
    v->place = d->place;
    return define(p, d->name, v);
}

/* ---- Constants ---- */

static bool int_range(ir_dtype t, int64_t *min, int64_t *max)
{
    size_t bits = ir_dtype_bytes(t) * 8;
    switch (t) {
    case IR_I8:
    case IR_I16:
    case IR_I32:
        *min = -((int64_t)1 << (bits - 1));
        *max = ((int64_t)1 << (bits - 1)) - 1;
        return true;
    case IR_I64:
        *min = INT64_MIN;
        *max = INT64_MAX;
        return true;
    case IR_U8:
    case IR_BOOL:
    case IR_U16:
    case IR_U32:
        *min = 0;
        *max = ((int64_t)1 << bits) - 1;
        return true;
    default: return false;
    }
}

static bool parse_element(parser *p, ir_dtype t, unsigned char *to)
{
    int64_t min, max, x;
    float f;
    double d;
    if (t == IR_F32) {
        if (!ir_scan_float(p, &f))
            return false;
        memcpy(to, &f, sizeof f);
    } else if (t == IR_F64) {
        if (!ir_scan_double(p, &d))
            return false;
        memcpy(to, &d, sizeof d);
    } else if (int_range(t, &min, &max)) {
        if (!ir_scan_int(p, min, max, &x))
            return false;
        for (size_t i = 0; i < ir_dtype_bytes(t); i++)
            to[i] = (unsigned char)((uint64_t)x >> (8 * i));
    } else {
        return ir_scan_fail(p, "elements of this type can only be written as dense<0x…>");
    }
    return true;
}

static bool parse_dense(parser *p, unsigned char **out, size_t size)
{
    if (!ir_scan_expect(p, '<') || !ir_scan_expect(p, '0') || p->at >= p->end || *p->at != 'x')
        return ir_scan_fail(p, "expected <0x…> after dense");
    p->at++;
    if ((size_t)(p->end - p->at) / 2 < size)
        return ir_scan_fail(p, "fewer bytes than the type has");
    unsigned char *bytes = arena_alloc(p->g->arena, size);
    for (size_t i = 0; i < size; i++, p->at += 2) {
        int high = ir_scan_hex_digit(p->at[0]), low = ir_scan_hex_digit(p->at[1]);
        if (high < 0 || low < 0)
            return ir_scan_fail(p, "fewer bytes than the type has, or a digit that is none");
        bytes[i] = (unsigned char)(high * 16 + low);
    }
    *out = bytes;
    return ir_scan_expect(p, '>');
}

static bool parse_splat(parser *p, const ir_type *type, unsigned char **out)
{
    size_t size = ir_type_bytes(type), element = ir_dtype_bytes(type->dtype);
    if (size > IR_SPLAT_MAX)
        return ir_scan_fail(p, "splat constant too large");
    unsigned char *bytes = arena_alloc(p->g->arena, size), one[8];
    if (!parse_element(p, type->dtype, one))
        return false;
    for (size_t i = 0; i < size; i += element)
        memcpy(bytes + i, one, element);
    *out = bytes;
    return true;
}

static bool parse_list(parser *p, const ir_type *type, unsigned char **out)
{
    int64_t count = ir_type_elements(type);
    size_t element = ir_dtype_bytes(type->dtype);
    if (!ir_scan_expect(p, '['))
        return false;
    if (count > ir_scan_list_bound(p))
        return ir_scan_fail(p, "fewer elements than the type has");
    unsigned char *bytes = arena_alloc(p->g->arena, ir_type_bytes(type));
    for (int64_t i = 0; i < count; i++)
        if ((i > 0 && !ir_scan_expect(p, ',')) || !parse_element(p, type->dtype, bytes + (size_t)i * element))
            return false;
    *out = bytes;
    return ir_scan_expect(p, ']');
}

bool ir_parse_data(parser *p, const ir_type *type, unsigned char **out)
{
    bool parsed = ir_scan_accept_word(p, "dense")   ? parse_dense(p, out, ir_type_bytes(type))
                  : ir_scan_accept_word(p, "splat") ? parse_splat(p, type, out)
                                                    : parse_list(p, type, out);
    return parsed && (ir_first_nan(type, *out) < 0 || ir_scan_fail(p, "a constant holds NaN"));
}

bool ir_parse_const(parser *p)
{
    ir_definition d;
    unsigned char *bytes = NULL;
    if (!ir_parse_definition(p, &d) || !ir_scan_expect(p, '=') || !ir_parse_data(p, &d.type, &bytes))
        return false;
    return ir_parse_finish(p, ir_const_new(p->g, d.type, d.quant, bytes), &d);
}
