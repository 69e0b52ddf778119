/* parse.c: reads the text form that print.c writes.  The text may be hostile: everything is checked, sizes are limited,
 * and each defect gets a diagnostic with its line.  Nothing is inferred: types are as written; ir_verify judges them.
 *
 * Beyond the printed form it accepts comments (// to the end of the line), any white space, and names for values:
 * `%x` is a value that gets the number after the largest one written. */
#include <stdlib.h>
#include <string.h>

#include "ir/size_limits.h"
#include "ir/text/scan.h"

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

static bool parse_quant(parser *p, const ir_quant **out)
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
    quant->narrow = true;
    return ir_scan_accept_word(p, "narrow") || ir_scan_fail(p, "expected narrow");
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

static bool parse_type(parser *p, ir_type *type, const ir_quant **quant)
{
    slice w = ir_scan_word(p);
    *type = (ir_type){.dtype = ir_dtype_from_text(w.at, w.length)};
    *quant = NULL;
    if (w.length == 0 || type->dtype == IR_DTYPE_NONE)
        return ir_scan_fail(p, "expected an element type");
    if (!ir_scan_expect(p, '<') || !parse_dims(p, type))
        return false;
    if (ir_scan_accept(p, ';') && !parse_quant(p, quant))
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

static bool parse_use(parser *p, ir_value **out)
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

/* ---- A value's definition: %3:u8<1x2; 0.5, 0> "name" as u8<0.5, 0> from propagated "x" at workspace 64 strides [4,
 * 1] ---- */

typedef struct definition {
    slice name;
    ir_type type;
    const ir_quant *quant, *as;
    ir_dtype as_dtype;
    ir_enum_ROUNDING as_rounding;
    const char *label;
    ir_origin scale_from;
    ir_place place;
} definition;

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

static bool parse_as_rounding(parser *p, definition *d)
{
    int64_t rounding;
    slice w = ir_scan_word(p);
    if (w.length == 0 || !ir_enum_from_text(IR_KIND_ENUM_ROUNDING, w.at, w.length, &rounding))
        return ir_scan_fail(p, "expected a rounding");
    d->as_rounding = (ir_enum_ROUNDING)rounding;
    return true;
}

/* u8<0.05, 128> rounded away_f32: integers that real values stand for, and how they become those */
static bool parse_as(parser *p, definition *d)
{
    slice w = ir_scan_word(p);
    d->as_dtype = ir_dtype_from_text(w.at, w.length);
    if (w.length == 0 || d->as_dtype == IR_DTYPE_NONE)
        return ir_scan_fail(p, "expected an element type");
    if (!ir_scan_expect(p, '<') || !parse_quant(p, &d->as) || !ir_scan_expect(p, '>'))
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

static bool parse_definition(parser *p, definition *d)
{
    *d = (definition){.label = NULL};
    if (!parse_value_name(p, &d->name) || !ir_scan_expect(p, ':') || !parse_type(p, &d->type, &d->quant))
        return false;
    if (ir_scan_peek(p) == '"' && !(d->label = ir_scan_string(p)))
        return false;
    if (ir_scan_accept_word(p, "as") && !parse_as(p, d))
        return false;
    if (ir_scan_accept_word(p, "from") && !parse_origin(p, &d->scale_from))
        return false;
    return !ir_scan_accept_word(p, "at") || parse_place(p, &d->type, &d->place);
}

static bool finish_value(parser *p, ir_value *v, const definition *d)
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

static bool parse_data(parser *p, const ir_type *type, unsigned char **out)
{
    bool parsed = ir_scan_accept_word(p, "dense")   ? parse_dense(p, out, ir_type_bytes(type))
                  : ir_scan_accept_word(p, "splat") ? parse_splat(p, type, out)
                                                    : parse_list(p, type, out);
    return parsed && (ir_first_nan(type, *out) < 0 || ir_scan_fail(p, "a constant holds NaN"));
}

static bool parse_const(parser *p)
{
    definition d;
    unsigned char *bytes = NULL;
    if (!parse_definition(p, &d) || !ir_scan_expect(p, '=') || !parse_data(p, &d.type, &bytes))
        return false;
    return finish_value(p, ir_const_new(p->g, d.type, d.quant, bytes), &d);
}

/* ---- Ops ---- */

static bool parse_attr_value(parser *p, const ir_attr_info *info, ir_attr *out)
{
    switch (info->kind) {
    case IR_KIND_INT: return ir_scan_int(p, INT64_MIN, INT64_MAX, &out->i);
    case IR_KIND_FLOAT: return ir_scan_float(p, &out->f);
    case IR_KIND_INTS: return ir_scan_ints(p, &out->ints.v, &out->ints.n);
    case IR_KIND_FLOATS: return ir_scan_floats(p, &out->floats.v, &out->floats.n);
    case IR_KIND_STR: return (out->s = ir_scan_string(p)) != NULL;
    default: {
        slice w = ir_scan_word(p);
        if (w.length && ir_enum_from_text(info->kind, w.at, w.length, &out->i))
            return true;
        p->loc.node = p->line;
        return diag_error(p->d, &p->loc, "unknown value '%.*s' of %s", (int)(w.length < 60 ? w.length : 60),
                          w.at ? w.at : "", info->text);
    }
    }
}

static bool parse_attr(parser *p, ir_op *op, bool given[])
{
    const ir_op_info *info = ir_op_info_of(op->code);
    slice w = ir_scan_word(p);
    int i = 0;
    while (i < info->attr_count && !(w.length && ir_scan_slice_is(w, ir_attr_info_of(info->attrs[i])->text)))
        i++;
    p->loc.node = p->line;
    if (i == info->attr_count)
        return diag_error(p->d, &p->loc, "%s has no attribute '%.*s'", info->text, (int)(w.length < 60 ? w.length : 60),
                          w.at ? w.at : "");
    if (given[i])
        return diag_error(p->d, &p->loc, "%s is given twice", ir_attr_info_of(info->attrs[i])->text);
    given[i] = true;
    return ir_scan_expect(p, '=') && parse_attr_value(p, ir_attr_info_of(info->attrs[i]), &op->attrs[i]);
}

static bool parse_attrs(parser *p, ir_op *op)
{
    const ir_op_info *info = ir_op_info_of(op->code);
    bool given[IR_MAX_ATTRS] = {false};
    if (ir_scan_accept(p, '{')) {
        do {
            if (!parse_attr(p, op, given))
                return false;
        } while (ir_scan_accept(p, ','));
        if (!ir_scan_expect(p, '}'))
            return false;
    }
    for (int i = 0; i < info->attr_count; i++) {
        const ir_attr_info *attr = ir_attr_info_of(info->attrs[i]);
        p->loc.node = p->start;
        if (!given[i] && !*attr->def)
            return diag_error(p->d, &p->loc, "%s needs the attribute %s", info->text, attr->text);
    }
    return true;
}

static bool parse_loc(parser *p, ir_loc *loc)
{
    *loc = (ir_loc){0};
    if (!ir_scan_expect(p, '(') || !(loc->file = ir_scan_string(p)) || !ir_scan_expect(p, ',') ||
        !ir_scan_i32(p, &loc->subgraph) || !ir_scan_expect(p, ',') || !ir_scan_i32(p, &loc->node))
        return false;
    if (ir_scan_accept(p, ',') && !(loc->kind = ir_scan_string(p)))
        return false;
    return ir_scan_expect(p, ')');
}

static bool parse_kernel(parser *p, ir_kernel *k)
{
    int64_t layout;
    if (!(k->name = ir_scan_string(p)))
        return false;
    const slice word = ir_scan_peek_word(p);
    if (ir_enum_from_text(IR_KIND_ENUM_LAYOUT, word.at, word.length, &layout)) {
        k->layout = (ir_enum_LAYOUT)layout;
        ir_scan_word(p);
    }
    if (!ir_scan_accept_word(p, "scratch"))
        return true;
    if (!ir_scan_offset(p, &k->scratch_bytes))
        return false;
    return !ir_scan_accept_word(p, "at") || ir_scan_offset(p, &k->scratch_offset);
}

static bool parse_suffix(parser *p, ir_op *op)
{
    op->loc = (ir_loc){.file = p->loc.file, .subgraph = -1, .node = p->start};
    if (ir_scan_accept_word(p, "name") && !(op->name = ir_scan_string(p)))
        return false;
    op->keep_float = ir_scan_accept_word(p, "keep_float");
    if (op->keep_float && !(op->why_float = ir_scan_string(p)))
        return false;
    if (ir_scan_accept_word(p, "kernel") && !parse_kernel(p, &op->kernel))
        return false;
    return !ir_scan_accept_word(p, "loc") || parse_loc(p, &op->loc);
}

static bool parse_operands(parser *p, ir_value **operands, int *out_count)
{
    int n = 0;
    if (ir_scan_peek(p) == '%' || ir_scan_slice_is(ir_scan_peek_word(p), "none")) {
        do {
            if (n == OPERAND_LIMIT)
                return ir_scan_fail(p, "too many operands");
            if (ir_scan_accept_word(p, "none"))
                operands[n++] = NULL;
            else if (!parse_use(p, &operands[n++]))
                return false;
        } while (ir_scan_accept(p, ','));
    }
    *out_count = n;
    return true;
}

/* How many operands can follow here: one more than there are commas up to the attributes or the line's end. */
static int operand_bound(const parser *p)
{
    int n = 1;
    for (const char *c = p->at; c < p->end && *c != '{' && *c != '=' && *c != '}' && n < OPERAND_LIMIT; c++)
        n += *c == ',';
    return n + 1;
}

static bool parse_op(parser *p, int result_count, const definition results[])
{
    slice w = ir_scan_word(p);
    ir_opcode code;
    p->loc.node = p->line;
    if (!w.length || !ir_opcode_from_text(w.at, w.length, &code))
        return diag_error(p->d, &p->loc, "unknown op '%.*s'", (int)(w.length < 60 ? w.length : 60), w.at ? w.at : "");
    if (ir_op_info_of(code)->results != result_count)
        return diag_error(p->d, &p->loc, "%s has %d results, %d given", ir_op_info_of(code)->text,
                          ir_op_info_of(code)->results, result_count);
    int count = 0;
    ir_value **operands = ARENA_ARRAY(p->scratch, ir_value *, operand_bound(p));
    if (!parse_operands(p, operands, &count))
        return false;
    ir_op *op = ir_op_new(p->g, code, NULL, count, operands);
    if (!parse_attrs(p, op) || !parse_suffix(p, op))
        return false;
    for (int i = 0; i < result_count; i++) {
        ir_result_set(op, i, results[i].type, results[i].quant);
        if (!finish_value(p, op->results[i], &results[i]))
            return false;
    }
    return true;
}

static bool parse_op_with_results(parser *p)
{
    definition results[8];
    int n = 0;
    do {
        if (n == 8)
            return ir_scan_fail(p, "too many results");
        if (!parse_definition(p, &results[n++]))
            return false;
    } while (ir_scan_accept(p, ','));
    return ir_scan_expect(p, '=') && parse_op(p, n, results);
}

/* ---- Graphs ---- */

static bool parse_input(parser *p)
{
    definition d;
    if (!parse_definition(p, &d))
        return false;
    const char *name = d.label;
    if (!name)
        name = ir_scan_is_digit(d.name.at[0]) ? "" : arena_string(p->g->arena, d.name.at, d.name.length);
    return finish_value(p, ir_input_new(p->g, d.type, d.quant, name), &d);
}

static bool parse_output(parser *p)
{
    ir_value *v;
    const char *name = "";
    if (!parse_use(p, &v) || (ir_scan_peek(p) == '"' && !(name = ir_scan_string(p))))
        return false;
    ir_output_add(p->g, v, name);
    return true;
}

static bool parse_variable(parser *p)
{
    ir_variable v = {0};
    unsigned char *bytes = NULL;
    if (!(v.name = ir_scan_string(p)) || !ir_scan_expect(p, ':') || !parse_type(p, &v.type, &v.quant))
        return false;
    if (ir_scan_accept_word(p, "at") && !ir_scan_offset(p, &v.offset))
        return false;
    if (ir_scan_accept(p, '=') && !parse_data(p, &v.type, &bytes))
        return false;
    v.initial = bytes;
    ir_variable_add(p->g, v);
    return true;
}

static bool parse_workspace(parser *p)
{
    int64_t bytes, state, offset;
    if (!ir_scan_offset(p, &bytes) || !ir_scan_expect(p, ',') || !ir_scan_accept_word(p, "state") ||
        !ir_scan_offset(p, &state) || !ir_scan_accept_word(p, "at") || !ir_scan_offset(p, &offset))
        return ir_scan_fail(p, "expected: workspace BYTES, state BYTES at OFFSET");
    p->g->workspace_bytes = (size_t)bytes;
    p->g->state_bytes = (size_t)state;
    p->g->state_offset = (size_t)offset;
    return true;
}

static bool parse_statement(parser *p)
{
    bool is_op = ir_scan_peek(p) == '%';
    p->start = p->line;
    if (is_op)
        return parse_op_with_results(p);
    if (ir_scan_accept_word(p, "const"))
        return parse_const(p);
    if (ir_scan_accept_word(p, "input"))
        return parse_input(p);
    if (ir_scan_accept_word(p, "output"))
        return parse_output(p);
    if (ir_scan_accept_word(p, "variable"))
        return parse_variable(p);
    if (ir_scan_accept_word(p, "workspace"))
        return parse_workspace(p);
    if (p->at >= p->end)
        return ir_scan_fail(p, "expected '}' at the end of the text");
    return parse_op(p, 0, NULL);
}

static bool parse_graph(parser *p)
{
    if (!ir_scan_accept_word(p, "graph"))
        return ir_scan_fail(p, "expected graph \"name\" {");
    if (!(p->g->name = ir_scan_string(p)) || !ir_scan_expect(p, '{'))
        return false;
    while (!ir_scan_accept(p, '}'))
        if (!parse_statement(p))
            return false;
    ir_scan_space(p);
    return p->at == p->end || ir_scan_fail(p, "text after the graph");
}

static void number_values(parser *p)
{
    p->g->next_id = p->next_number;
    for (size_t i = 0; i < p->named_count; i++)
        p->named[i]->id = p->g->next_id++;
    for (ir_op *op = p->g->first; op; op = op->next)
        op->id = p->g->next_id++;
}

typedef struct parse_call {
    parser parser;
    ir_limits limits;
    bool good;
} parse_call;

static void run_parser(void *context)
{
    parse_call *c = context;
    parser *p = &c->parser;
    p->g = ir_graph_new_within(c->limits);
    p->scratch = arena_new_beside(p->g->arena);
    p->loc.file = arena_string(p->g->arena, p->loc.file, strlen(p->loc.file));
    c->good = parse_graph(p);
    if (c->good)
        number_values(p);
    else
        ir_graph_free(p->g);
    arena_free(p->scratch);
}

ir_graph *ir_parse_within(const char *text, size_t length, const char *file, ir_limits limits, diag *d)
{
    const ir_loc loc = {.file = file ? file : "<text>", .subgraph = -1, .node = -1};
    parse_call call = {.parser = {.at = text, .end = text + length, .line = 1, .loc = loc, .d = d}, .limits = limits};
    const arena_outcome outcome = arena_guard(run_parser, &call);
    if (outcome == ARENA_DONE)
        return call.good ? call.parser.g : NULL;
    const ir_loc line = {.file = loc.file, .subgraph = -1, .node = call.parser.line};
    ir_limits_memory(d, &line, outcome);
    return NULL;
}

ir_graph *ir_parse(const char *text, size_t length, const char *file, diag *d)
{
    return ir_parse_within(text, length, file, IR_UNLIMITED, d);
}
