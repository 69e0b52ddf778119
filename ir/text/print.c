/* print.c: the text form of a graph.  parse.c reads exactly this; docs/developing/ir.md describes it.
 *
 *     graph "m" {
 *       input %0:u8<1x4; 0.5, 128> "x"
 *       const %1:i8<2x4; axis 0: [0.1, 0.2], 0> = [1, 2, 3, 4, 5, 6, 7, 8]
 *       %2:u8<1x2; 0.25, 0> "y" = fully_connected %0, %1 {act = relu} loc("m.tflite", 0, 3, "FULLY_CONNECTED")
 *       output %2 "y"
 *     }
 *
 * Constants stand directly before the first op that uses them. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ir/private.h"

enum { LIST_MAX = 16 }; /* constants of up to so many elements are lists */

typedef struct text {
    char *bytes;
    size_t length, capacity;
    bool failed;
} text;

static bool text_room(text *t, size_t more)
{
    if (t->failed)
        return false;
    if (t->capacity - t->length > more)
        return true;
    size_t capacity = t->capacity ? t->capacity : 4096;
    while (capacity - t->length <= more) {
        if (capacity > SIZE_MAX / 2)
            return !(t->failed = true);
        capacity *= 2;
    }
    char *bytes = realloc(t->bytes, capacity);
    if (!bytes)
        return !(t->failed = true);
    t->bytes = bytes;
    t->capacity = capacity;
    return true;
}

static void put(text *t, const char *s)
{
    size_t n = strlen(s);
    if (!text_room(t, n))
        return;
    memcpy(t->bytes + t->length, s, n + 1);
    t->length += n;
}

__attribute__((format(printf, 2, 3))) static void putf(text *t, const char *format, ...)
{
    char line[128]; /* callers print numbers and short fixed words only */
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    put(t, line);
}

static void put_string(text *t, const char *s)
{
    put(t, "\"");
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\')
            putf(t, "\\%c", c);
        else if (c < 0x20 || c >= 0x7f)
            putf(t, "\\x%02x", c);
        else
            putf(t, "%c", c);
    }
    put(t, "\"");
}

/* The shortest of up to 9 (17) digits that reads back as the same number. */
static void put_float(text *t, float x)
{
    char s[32];
    for (int digits = 6; digits <= 9; digits++) {
        snprintf(s, sizeof s, "%.*g", digits, (double)x);
        if (strtof(s, NULL) == x)
            break;
    }
    put(t, isnan(x) ? "nan" : s);
}

static void put_double(text *t, double x)
{
    char s[40];
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(s, sizeof s, "%.*g", digits, x);
        if (strtod(s, NULL) == x)
            break;
    }
    put(t, isnan(x) ? "nan" : s);
}

static void put_ints(text *t, const int64_t *v, int32_t n)
{
    put(t, "[");
    for (int32_t i = 0; i < n; i++)
        putf(t, i ? ", %lld" : "%lld", (long long)v[i]);
    put(t, "]");
}

static void put_floats(text *t, const float *v, int32_t n)
{
    put(t, "[");
    for (int32_t i = 0; i < n; i++) {
        put(t, i ? ", " : "");
        put_float(t, v[i]);
    }
    put(t, "]");
}

/* ---- Types and values ---- */

static void put_zeros(text *t, const int32_t *zero, int32_t n)
{
    bool same = true;
    for (int32_t i = 1; i < n; i++)
        same = same && zero[i] == zero[0];
    if (same) {
        putf(t, "%d", zero[0]);
        return;
    }
    for (int32_t i = 0; i < n; i++)
        putf(t, i ? ", %d" : "[%d", zero[i]);
    put(t, "]");
}

static void put_quant(text *t, ir_dtype dtype, const ir_quant *q)
{
    if (q->axis < 0) {
        put_float(t, q->scale[0]);
        putf(t, ", %d", q->zero[0]);
    } else {
        putf(t, "axis %d: ", q->axis);
        put_floats(t, q->scale, q->count);
        put(t, ", ");
        put_zeros(t, q->zero, q->count);
    }
    const int least = dtype == IR_I8 ? INT8_MIN : 0;
    if (q->unused.below == 1 && q->unused.above == 0)
        put(t, ", narrow");
    else if (ir_unused_any(q->unused))
        putf(t, ", %d to %d", least + q->unused.below, least + UINT8_MAX - q->unused.above);
}

static void put_type(text *t, const ir_type *type, const ir_quant *q)
{
    putf(t, "%s<", ir_dtype_text(type->dtype));
    for (int i = 0; i < type->rank; i++)
        putf(t, i ? "x%lld" : "%lld", (long long)type->dims[i]);
    if (q) {
        put(t, "; ");
        put_quant(t, type->dtype, q);
    }
    put(t, ">");
}

static void put_place(text *t, const ir_value *v)
{
    const ir_place *p = &v->place;
    switch (p->space) {
    case IR_SPACE_NONE: return;
    case IR_SPACE_WORKSPACE: putf(t, " at workspace %lld", (long long)p->offset); break;
    case IR_SPACE_INPUT: putf(t, " at input %u %lld", p->index, (long long)p->offset); break;
    case IR_SPACE_OUTPUT: putf(t, " at output %u %lld", p->index, (long long)p->offset); break;
    case IR_SPACE_CONST: putf(t, " at const %lld", (long long)p->offset); break;
    }
    if (!ir_place_is_dense(p, &v->type)) {
        put(t, " strides ");
        put_ints(t, p->stride, v->type.rank);
    }
}

static void put_value(text *t, const ir_value *v, const char *name)
{
    putf(t, "%%%u:", v->id);
    put_type(t, &v->type, v->quant);
    if (name && *name) {
        put(t, " ");
        put_string(t, name);
    }
    if (v->as) {
        putf(t, " as %s<", ir_dtype_text(v->as_dtype));
        put_quant(t, v->as_dtype, v->as);
        put(t, ">");
        if (v->as_rounding != IR_ROUNDING_EVEN_F32)
            putf(t, " rounded %s", ir_enum_text(IR_KIND_ENUM_ROUNDING, v->as_rounding));
    }
    if (v->scale_from.source != IR_SCALE_FILE)
        putf(t, " from %s", ir_enum_text(IR_KIND_ENUM_SCALE, v->scale_from.source));
    if (v->scale_from.source != IR_SCALE_FILE && v->scale_from.note) {
        put(t, " ");
        put_string(t, v->scale_from.note);
    }
    put_place(t, v);
}

/* ---- Constants ---- */

static void put_hex(text *t, const unsigned char *bytes, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    put(t, "dense<0x");
    if (!text_room(t, size * 2))
        return;
    for (size_t i = 0; i < size; i++) {
        t->bytes[t->length++] = digits[bytes[i] >> 4];
        t->bytes[t->length++] = digits[bytes[i] & 15];
    }
    t->bytes[t->length] = '\0';
    put(t, ">");
}

static bool is_number_list(const ir_value *v, int64_t count)
{
    if (v->type.dtype == IR_F16)
        return false;
    for (int64_t i = 0; i < count && ir_dtype_is_float(v->type.dtype); i++)
        if (isnan(ir_const_real(v, i))) /* a NaN's payload has no text */
            return false;
    return true;
}

static void put_element(text *t, const ir_value *v, int64_t i)
{
    if (v->type.dtype == IR_F64)
        put_double(t, ir_const_real(v, i));
    else if (v->type.dtype == IR_F32)
        put_float(t, (float)ir_const_real(v, i));
    else
        putf(t, "%lld", (long long)ir_const_int(v, i));
}

static void put_data(text *t, const ir_value *v)
{
    int64_t count = ir_type_elements(&v->type);
    size_t size = ir_type_bytes(&v->type), element = ir_dtype_bytes(v->type.dtype);
    const unsigned char *bytes = v->data;
    if (count <= LIST_MAX && is_number_list(v, count)) {
        put(t, "[");
        for (int64_t i = 0; i < count; i++) {
            put(t, i ? ", " : "");
            put_element(t, v, i);
        }
        put(t, "]");
    } else if (count > 1 && size <= IR_SPLAT_MAX && memcmp(bytes, bytes + element, size - element) == 0 &&
               is_number_list(v, 1)) {
        put(t, "splat ");
        put_element(t, v, 0);
    } else {
        put_hex(t, bytes, size);
    }
}

/* ---- Ops ---- */

static void put_attr(text *t, const ir_attr_info *info, const ir_attr *a)
{
    putf(t, "%s = ", info->text);
    switch (info->kind) {
    case IR_KIND_INT: putf(t, "%lld", (long long)a->i); break;
    case IR_KIND_FLOAT: put_float(t, a->f); break;
    case IR_KIND_INTS: put_ints(t, a->ints.v, a->ints.n); break;
    case IR_KIND_FLOATS: put_floats(t, a->floats.v, a->floats.n); break;
    case IR_KIND_STR: put_string(t, a->s); break;
    default: {
        const char *word = ir_enum_text(info->kind, a->i);
        put(t, word ? word : "?");
        break;
    }
    }
}

static void put_attrs(text *t, const ir_op *op, arena *scratch)
{
    const ir_op_info *info = ir_op_info_of(op->code);
    bool any = false;
    for (int i = 0; i < info->attr_count; i++) {
        const ir_attr_info *attr = ir_attr_info_of(info->attrs[i]);
        ir_attr def;
        ir_attr_set_default(scratch, info->attrs[i], &def);
        if (*attr->def && ir_attr_equal(info->attrs[i], &def, &op->attrs[i]))
            continue;
        put(t, any ? ", " : " {");
        put_attr(t, attr, &op->attrs[i]);
        any = true;
    }
    if (any)
        put(t, "}");
}

static void put_loc(text *t, const ir_loc *loc)
{
    if (!loc->file || (loc->subgraph < 0 && !loc->kind))
        return; /* unknown, or a line of a text file, which the parser knows anyway */
    const char *slash =
        strrchr(loc->file, '/'); /* text travels: folders of the machine that wrote it say nothing elsewhere */
    put(t, " loc(");
    put_string(t, slash ? slash + 1 : loc->file);
    putf(t, ", %d, %d", loc->subgraph, loc->node);
    if (loc->kind) {
        put(t, ", ");
        put_string(t, loc->kind);
    }
    put(t, ")");
}

static void put_kernel(text *t, const ir_kernel *k)
{
    if (!k->name)
        return;
    put(t, " kernel ");
    put_string(t, k->name);
    if (k->layout != IR_LAYOUT_DENSE)
        putf(t, " %s", ir_enum_text(IR_KIND_ENUM_LAYOUT, k->layout));
    if (!k->scratch_bytes)
        return;
    putf(t, " scratch %lld", (long long)k->scratch_bytes);
    if (k->scratch_offset)
        putf(t, " at %lld", (long long)k->scratch_offset);
}

static void put_op(text *t, const ir_op *op, arena *scratch)
{
    const ir_op_info *info = ir_op_info_of(op->code);
    for (int i = 0; i < info->results; i++) {
        put(t, i ? ", " : "");
        put_value(t, op->results[i], op->results[i]->name);
    }
    putf(t, info->results ? " = %s" : "%s", info->text);
    for (int i = 0; i < op->operand_count; i++) {
        const ir_value *v = op->operands[i].value;
        put(t, i ? ", " : " ");
        if (v)
            putf(t, "%%%u", v->id);
        else
            put(t, "none");
    }
    put_attrs(t, op, scratch);
    if (op->name) {
        put(t, " name ");
        put_string(t, op->name);
    }
    if (op->keep_float) {
        put(t, " keep_float ");
        put_string(t, op->why_float ? op->why_float : "");
    }
    put_kernel(t, &op->kernel);
    put_loc(t, &op->loc);
}

/* ---- Graphs ---- */

static void put_const(text *t, const ir_value *v, unsigned char *seen)
{
    if (!v || !v->data || seen[v->id])
        return;
    seen[v->id] = 1;
    put(t, "  const ");
    put_value(t, v, v->name);
    put(t, " = ");
    put_data(t, v);
    put(t, "\n");
}

static void put_variables(text *t, const ir_graph *g)
{
    for (int32_t i = 0; i < g->variable_count; i++) {
        const ir_variable *v = &g->variables[i];
        put(t, "  variable ");
        put_string(t, v->name);
        put(t, ":");
        put_type(t, &v->type, v->quant);
        if (v->offset)
            putf(t, " at %lld", (long long)v->offset);
        if (v->initial) {
            ir_value constant = {.type = v->type, .data = v->initial};
            put(t, " = ");
            put_data(t, &constant);
        }
        put(t, "\n");
    }
}

static void put_graph(text *t, const ir_graph *g, unsigned char *seen, arena *scratch)
{
    put(t, "graph ");
    put_string(t, g->name ? g->name : "");
    put(t, " {\n");
    if (g->workspace_bytes || g->state_bytes)
        putf(t, "  workspace %zu, state %zu at %zu\n", g->workspace_bytes, g->state_bytes, g->state_offset);
    put_variables(t, g);
    for (int32_t i = 0; i < g->input_count; i++) {
        put(t, "  input ");
        put_value(t, g->inputs[i], g->input_names[i]);
        put(t, "\n");
    }
    for (const ir_op *op = g->first; op; op = op->next) {
        for (int i = 0; i < op->operand_count; i++)
            put_const(t, op->operands[i].value, seen);
        put(t, "  ");
        put_op(t, op, scratch);
        put(t, "\n");
        arena_reset(scratch);
    }
    for (int32_t i = 0; i < g->output_count; i++)
        put_const(t, g->outputs[i], seen);
    for (int32_t i = 0; i < g->output_count; i++) {
        putf(t, "  output %%%u", g->outputs[i]->id);
        if (*g->output_names[i]) {
            put(t, " ");
            put_string(t, g->output_names[i]);
        }
        put(t, "\n");
    }
    put(t, "}\n");
}

bool ir_print(const ir_graph *g, char **out_text, size_t *out_length)
{
    text t = {0};
    arena *scratch = arena_new();
    unsigned char *seen = calloc((size_t)g->next_id + 1, 1);
    if (scratch && seen)
        put_graph(&t, g, seen, scratch);
    else
        t.failed = true;
    free(seen);
    arena_free(scratch);
    if (t.failed) {
        free(t.bytes);
        return false;
    }
    *out_text = t.bytes;
    *out_length = t.length;
    return true;
}

void ir_print_op(const ir_op *op, char *buffer, size_t size)
{
    text t = {0};
    arena *scratch = arena_new();
    if (scratch)
        put_op(&t, op, scratch);
    arena_free(scratch);
    snprintf(buffer, size, "%s", t.bytes && !t.failed ? t.bytes : "");
    free(t.bytes);
}
