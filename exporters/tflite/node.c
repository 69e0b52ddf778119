/* node.c: what every writer of an op needs: operators, their options, conversions between reals and integers. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "exporters/tflite/write.h"

bool export_refuse(export_node *n, const char *format, ...)
{
    char reason[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    return diag_error(n->model->diag, &n->op->loc, "%s can't be written as TFLite: %s",
                      ir_op_info_of(n->op->code)->text, reason);
}

/* ---- Operators ---- */

static int32_t *copied(export_model *m, int count, const int32_t of[])
{
    return count ? arena_copy(m->memory, of, (size_t)count * sizeof *of) : NULL;
}

/* The oldest version of each operator that has what it is used for: with reals, with 8 bits and with 16. */
static int version_of(const export_model *m, int builtin, int input_count, const int32_t inputs[])
{
    static const struct {
        unsigned char set, real, bytes, words;
    } versions[BUILTINS] = {
#define EXPORT(CODE, BUILTIN, types, writer)
#define EXPORT_NO(CODE, reason)
#define EXPORT_VERSIONS(BUILTIN, real, bytes, words) [BUILTIN_##BUILTIN] = {1, real, bytes, words},
#include "exporters/tflite/ops.def"
#undef EXPORT
#undef EXPORT_NO
#undef EXPORT_VERSIONS
    };
    static const int newest[BUILTINS] = {
#define TFLITE_OP(NAME, number, newest, options, min, max, outputs, importer, code) [number] = (newest),
#define TFLITE_NO(NAME, number, reason)
#define TFLITE_CUSTOM(text, min, max, outputs, importer)
#include "frontends/tflite/ops.def"
#undef TFLITE_OP
#undef TFLITE_NO
#undef TFLITE_CUSTOM
    };
    int version = 1;
    for (int i = 0; i < input_count; i++) {
        const ir_dtype t = inputs[i] == EXPORT_ABSENT ? IR_F32 : m->tensors[inputs[i]].type.dtype;
        const int needed = t == IR_I16                  ? versions[builtin].set ? versions[builtin].words : 3
                           : t == IR_I8 || t == IR_BOOL ? versions[builtin].set ? versions[builtin].bytes : 2
                           : versions[builtin].set      ? versions[builtin].real
                                                        : 1;
        version = needed > version ? needed : version;
    }
    return version < newest[builtin] ? version : newest[builtin];
}

export_operator *export_emit_all(export_node *n, int builtin, int input_count, const int32_t inputs[], int output_count,
                                 const int32_t outputs[])
{
    export_model *m = n->model;
    export_operator *o = ARENA_NEW(m->memory, export_operator);
    *o = (export_operator){.builtin = builtin,
                           .version = version_of(m, builtin, input_count, inputs),
                           .inputs = copied(m, input_count, inputs),
                           .outputs = copied(m, output_count, outputs),
                           .input_count = input_count,
                           .output_count = output_count};
    if (m->last)
        m->last->next = o;
    else
        m->first = o;
    m->last = o;
    m->operator_count++;
    return o;
}

export_operator *export_emit(export_node *n, int builtin, int input_count, const int32_t inputs[], int32_t output)
{
    return export_emit_all(n, builtin, input_count, inputs, 1, &output);
}

/* ---- Options ---- */

static void add_field(export_operator *o, export_field field) { o->fields[o->field_count++] = field; }

void export_set_flag(export_operator *o, unsigned field, int value, int otherwise)
{
    add_field(o, (export_field){.index = field, .bytes = 1, .value = (uint8_t)value, .otherwise = (uint8_t)otherwise});
}

void export_set_byte(export_operator *o, unsigned field, int value) { export_set_flag(o, field, value, 0); }

void export_set_int(export_operator *o, unsigned field, int64_t value, int64_t otherwise)
{
    add_field(o,
              (export_field){.index = field, .bytes = 4, .value = (uint32_t)value, .otherwise = (uint32_t)otherwise});
}

void export_set_float(export_operator *o, unsigned field, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    add_field(o, (export_field){.index = field, .bytes = 4, .value = bits});
}

void export_set_text(export_operator *o, unsigned field, const char *text)
{
    add_field(o, (export_field){.index = field, .text = text});
}

void export_set_list(export_node *n, export_operator *o, unsigned field, int count, const int64_t values[])
{
    int32_t *list = ARENA_ARRAY(n->model->memory, int32_t, count + 1);
    for (int i = 0; i < count; i++)
        list[i] = (int32_t)values[i];
    add_field(o, (export_field){.index = field, .list = list, .count = count});
}

/* ---- Operands and results ---- */

int32_t export_operand(export_node *n, int index) { return export_value(n->model, ir_operand_value(n->op, index)); }
int32_t export_result(export_node *n, int index) { return export_value(n->model, n->op->results[index]); }

static const struct {
    int option, builtin;
} activations[] = {
    [IR_ACT_NONE] = {ACTIVATION_NONE, -1},
    [IR_ACT_RELU] = {ACTIVATION_RELU, BUILTIN_RELU},
    [IR_ACT_RELU6] = {ACTIVATION_RELU6, BUILTIN_RELU6},
    [IR_ACT_RELU_N1_TO_1] = {ACTIVATION_RELU_N1_TO_1, BUILTIN_RELU_N1_TO_1},
    [IR_ACT_RELU_0_TO_1] = {-1, BUILTIN_RELU_0_TO_1},
};

int export_activation_builtin(ir_enum_ACT act) { return activations[act].builtin; }

bool export_activated(export_node *n, export_operator *o, unsigned field)
{
    const ir_enum_ACT act = (ir_enum_ACT)ir_int(n->op, IR_ATTR_ACT);
    if (activations[act].option >= 0) {
        export_set_byte(o, field, activations[act].option);
        return true;
    }
    const ir_value *y = n->op->results[0];
    const int32_t from = export_between(n, y->type, y->quant), to = o->outputs[0];
    o->outputs[0] = from;
    return export_emit(n, activations[act].builtin, 1, &from, to) != NULL;
}

/* ---- Reals of integers ---- */

bool export_is_real(const ir_value *v) { return v->type.dtype == IR_F32; }

/* A constant's real values. */
static int32_t real_constant(export_node *n, const ir_value *v, ir_type type)
{
    const int64_t count = ir_type_elements(&v->type);
    float *data = ARENA_ARRAY(n->model->memory, float, count + 1);
    for (int64_t i = 0; i < count; i++)
        data[i] = (float)ir_const_real(v, i);
    return export_const(n, type, NULL, data, v);
}

int32_t export_real_operand(export_node *n, int index)
{
    const ir_value *v = ir_operand_value(n->op, index);
    if (!v || export_is_real(v))
        return export_value(n->model, v);
    ir_type type = v->type;
    type.dtype = IR_F32;
    if (ir_is_const(v))
        return real_constant(n, v, type);
    const int32_t from = export_value(n->model, v), to = export_between(n, type, NULL);
    export_emit(n, BUILTIN_DEQUANTIZE, 1, &from, to);
    return to;
}

int32_t export_real_result(export_node *n)
{
    const ir_value *y = n->op->results[0];
    ir_type type = y->type;
    type.dtype = IR_F32;
    return export_is_real(y) ? export_value(n->model, y) : export_between(n, type, NULL);
}

bool export_real_done(export_node *n, int32_t tensor)
{
    const int32_t result = export_result(n, 0);
    return tensor == result || export_emit(n, BUILTIN_QUANTIZE, 1, &tensor, result) != NULL;
}

/* ---- Operators as ops are ---- */

/* Do integers and reals meet in it, which TFLite's operators don't take? */
static bool is_mixed(const ir_op *op)
{
    bool real = export_is_real(op->results[0]), quantized = op->results[0]->quant != NULL;
    for (int i = 0; i < op->operand_count; i++) {
        const ir_value *v = op->operands[i].value;
        real |= v && export_is_real(v);
        quantized |= v && v->quant;
    }
    return real && quantized;
}

export_operator *export_emit_as(export_node *n, int builtin)
{
    const ir_op *op = n->op;
    const bool converts = op->code == IR_QUANTIZE || op->code == IR_DEQUANTIZE;
    const bool spelled = !converts && is_mixed(op);
    int32_t inputs[IR_MAX_OPERANDS_NAMED];
    for (int i = 0; i < op->operand_count; i++)
        inputs[i] = spelled ? export_real_operand(n, i) : export_operand(n, i);
    const int32_t result = spelled ? export_real_result(n) : export_result(n, 0);
    export_operator *o = export_emit(n, builtin, op->operand_count, inputs, result);
    if (spelled)
        export_real_done(n, result);
    return o;
}

export_operator *export_emit_plain(export_node *n) { return export_emit_as(n, n->entry->builtin); }

bool export_plain(export_node *n) { return export_emit_plain(n) != NULL; }
