/* ops_math.c: ops that compute element by element.
 *
 *     table %x {entries = […]}   ──▶   GATHER of 256 bytes by CAST (DEQUANTIZE %x / scale + zero point + 128 + 1/2)
 *
 * So does an op on bytes that TFLite's kernels have not, or not with this grid: it is a function of one byte. */
#include "exporters/tflite/write.h"
#include "ir/ref/interp.h"

bool export_quantize(export_node *n)
{
    const ir_dtype t = n->op->results[0]->type.dtype;
    return t == IR_I8 || t == IR_U8 || t == IR_I16 ? export_plain(n)
                                                   : export_refuse(n, "no operator gives %s", ir_dtype_text(t));
}

/* The products that read it quantize for themselves. */
bool export_dynamic_quantize(export_node *n)
{
    for (int r = 0; r < 3; r++) {
        const ir_value *v = n->op->results[r];
        for (const ir_operand *slot = v->uses; slot; slot = slot->next_use)
            if (!ir_mac_is_dynamic(slot->user) || !(ir_op_info_of(slot->user->code)->flags & IR_MAC))
                return export_refuse(n, "what it gives is read by %s", ir_op_info_of(slot->user->code)->text);
        if (ir_value_is_output(v))
            return export_refuse(n, "what it gives is an output");
    }
    return true;
}

bool export_fake_quant(export_node *n)
{
    if (ir_int(n->op, IR_ATTR_TIES) != IR_TIES_UP)
        return export_refuse(n, "its ties go otherwise than TFLite's");
    export_operator *o = export_emit_plain(n);
    export_set_float(o, FAKE_QUANT_MIN, ir_float(n->op, IR_ATTR_MIN));
    export_set_float(o, FAKE_QUANT_MAX, ir_float(n->op, IR_ATTR_MAX));
    export_set_int(o, FAKE_QUANT_BITS, ir_int(n->op, IR_ATTR_BITS), 0);
    export_set_byte(o, FAKE_QUANT_NARROW, (int)ir_int(n->op, IR_ATTR_NARROW));
    return true;
}

/* ---- Functions of one byte ---- */

static bool is_byte(const ir_value *v) { return v->type.dtype == IR_I8 || v->type.dtype == IR_U8; }

static int32_t cast_to_int(export_node *n, int32_t from, ir_dtype type)
{
    ir_type to = n->op->operands[0].value->type;
    to.dtype = IR_I32;
    const int32_t at = export_between(n, to, NULL);
    export_operator *cast = export_emit(n, BUILTIN_CAST, 1, &from, at);
    export_set_byte(cast, CAST_FROM, export_type_number(type));
    export_set_byte(cast, CAST_TO, TYPE_I32);
    return at;
}

static int32_t binary(export_node *n, int builtin, int32_t a, int32_t b, ir_dtype type)
{
    ir_type to = n->op->operands[0].value->type;
    to.dtype = type;
    const int32_t at = export_between(n, to, NULL);
    export_emit(n, builtin, 2, (int32_t[]){a, b}, at);
    return at;
}

/* Are steps of the grid, and steps of 1 in it, reals with all their bits? */
static bool has_steps(const ir_quant *q)
{
    return q && q->axis < 0 && q->scale[0] > 0x1p-100f && q->scale[0] < 0x1p100f;
}

/* The operand counted from the smallest integer of its type.  By way of the reals: OpenVINO casts what integers stand for. */
static int32_t byte_index(export_node *n)
{
    const ir_value *x = n->op->operands[0].value;
    const int32_t least = x->type.dtype == IR_I8 ? INT8_MIN : 0;
    if (!has_steps(x->quant)) {
        const int32_t at = cast_to_int(n, export_operand(n, 0), x->type.dtype);
        return least ? binary(n, BUILTIN_ADD, at, export_int(n, -least), IR_I32) : at;
    }
    const float middle = (float)(x->quant->zero[0] - least) + 0.5f; /* of a step, so that the cast takes no neighbour */
    int32_t at = binary(n, BUILTIN_MUL, export_real_operand(n, 0), export_float(n, 1 / x->quant->scale[0]), IR_F32);
    at = binary(n, BUILTIN_ADD, at, export_float(n, middle), IR_F32);
    return cast_to_int(n, at, IR_F32);
}

/* From bytes as they are to those counted from the smallest integer. */
static void write_table(export_node *n, const uint8_t by_byte[256])
{
    const ir_value *x = n->op->operands[0].value, *y = n->op->results[0];
    const int64_t entries = 256;
    const unsigned flip = x->type.dtype == IR_I8 ? 128 : 0;
    uint8_t *table = ARENA_ARRAY(n->model->memory, uint8_t, entries);
    for (unsigned i = 0; i < 256; i++)
        table[i] = by_byte[i ^ flip];
    const int32_t data = export_const(n, ir_type_make(y->type.dtype, 1, &entries), y->quant, table, NULL);
    export_emit(n, BUILTIN_GATHER, 2, (int32_t[]){data, byte_index(n)}, export_result(n, 0));
}

bool export_table(export_node *n)
{
    uint8_t table[256];
    diag ignored = {0};
    if (!is_byte(n->op->results[0]) || !ir_lookup_table(n->op, table, &ignored))
        return export_refuse(n, "it has no table");
    write_table(n, table);
    return true;
}

/* Grids that TFLite's kernels of these operators insist on: of 8 bits, the zero point counted from the smallest integer; of 16
 * bits 2^-15 and 0, or, of the softmax of int8, the whole range. */
static const struct {
    float scale;
    int zero;
} grids[IR_OPCODE_COUNT] = {
    [IR_LOGISTIC] = {1.0f / 256, 0},       [IR_TANH] = {1.0f / 128, 128},         [IR_SOFTMAX] = {1.0f / 256, 0},
    [IR_LOG_SOFTMAX] = {16.0f / 256, 255}, [IR_L2_NORMALIZE] = {1.0f / 128, 128},
};

bool export_grid_fits(const export_node *n)
{
    const ir_value *y = n->op->results[0];
    const float scale = grids[n->op->code].scale;
    if (scale == 0 || !y->quant)
        return true;
    if (y->type.dtype == IR_I16 && n->op->code == IR_SOFTMAX && y->quant->scale[0] == 0x1p-16f)
        return n->op->operands[0].value->type.dtype == IR_I8 && y->quant->zero[0] == INT16_MIN;
    if (y->type.dtype == IR_I16)
        return y->quant->scale[0] == 0x1p-15f && y->quant->zero[0] == 0;
    return y->quant->scale[0] == scale &&
           y->quant->zero[0] == grids[n->op->code].zero - (y->type.dtype == IR_I8 ? 128 : 0);
}

bool export_is_byte_function(const export_node *n)
{
    const ir_op *op = n->op;
    return (ir_op_info_of(op->code)->flags & IR_LOOKUP) && op->operand_count == 1 && is_byte(op->operands[0].value) &&
           is_byte(op->results[0]);
}

/* ---- Activations ---- */

bool export_relu(export_node *n)
{
    const ir_enum_ACT act = (ir_enum_ACT)ir_int(n->op, IR_ATTR_ACT);
    const int builtin = export_activation_builtin(act);
    return builtin < 0 ? export_refuse(n, "it clamps nothing") : export_emit_as(n, builtin) != NULL;
}

bool export_leaky_relu(export_node *n)
{
    export_set_float(export_emit_plain(n), LEAKY_RELU_ALPHA, ir_float(n->op, IR_ATTR_ALPHA));
    return true;
}

bool export_gelu(export_node *n)
{
    export_set_byte(export_emit_plain(n), GELU_APPROXIMATE, (int)ir_int(n->op, IR_ATTR_APPROXIMATE));
    return true;
}

/* ---- Sums and products ---- */

bool export_sum(export_node *n)
{
    export_operator *o = export_emit_plain(n);
    if (n->op->operands[0].value->type.dtype == IR_I16)
        export_set_flag(o, SUM_POT_SCALE, (int)ir_int(n->op, IR_ATTR_SHIFTED), 1);
    return export_activated(n, o, BINARY_ACT);
}

bool export_scaled(export_node *n) { return export_activated(n, export_emit_plain(n), BINARY_ACT); }

/* TFLite compares stored integers, whatever they stand for: where that is not what the op does, both get the result's grid. */
bool export_extreme(export_node *n)
{
    const ir_op *op = n->op;
    const ir_quant *y = op->results[0]->quant;
    int32_t inputs[2];
    if (!y || !ir_rounding_is_real((ir_enum_ROUNDING)ir_int(op, IR_ATTR_ROUNDING)))
        return export_plain(n);
    for (int i = 0; i < 2; i++) {
        const ir_value *v = op->operands[i].value;
        inputs[i] = export_operand(n, i);
        if (!v->quant || v->type.dtype != op->results[0]->type.dtype)
            return export_plain(n);
        if (ir_quant_equal(v->quant, y))
            continue;
        const int32_t to = export_between(n, v->type, y);
        export_emit(n, BUILTIN_QUANTIZE, 1, &inputs[i], to);
        inputs[i] = to;
    }
    export_emit(n, n->entry->builtin, 2, inputs, export_result(n, 0));
    return true;
}
