/* tensor.c: what the file says of tensors.
 *
 *     Tensor{shape, type, buffer, quantization, sparsity} ──▶ ir_type, ir_quant, and a constant where it has data */
#include "frontends/tflite/import.h"

static const struct {
    const char *text;
    ir_dtype dtype;
} types[] = {
#define TFLITE_TYPE(NAME, number, text, dtype) [number] = {text, dtype},
#include "frontends/tflite/types.def"
#undef TFLITE_TYPE
};
enum { TYPE_COUNT = sizeof types / sizeof *types };

const char *tflite_type_text(int type) { return type >= 0 && type < TYPE_COUNT ? types[type].text : "unknown"; }

static bool read_shape(tflite_scope *s, const ir_loc *loc, int32_t index, tflite_tensor *t)
{
    diag *d = s->model->diag;
    fb_vector shape = fb_vec(t->table, TENSOR_SHAPE, 4), signature = fb_vec(t->table, TENSOR_SHAPE_SIGNATURE, 4);
    if (shape.count > IR_MAX_RANK)
        return diag_error(d, loc, "tensor %d has %u dimensions, more than %d", index, shape.count, IR_MAX_RANK);
    t->type.rank = (int)shape.count;
    t->any_shape = !shape.count; /* a scalar, or left for the run */
    for (uint32_t i = 0; i < shape.count; i++) {
        t->type.dims[i] = fb_vec_i32(shape, i);
        t->any_shape |= i < signature.count && fb_vec_i32(signature, i) < 0;
        if (t->type.dims[i] < 0)
            return diag_error(d, loc, "tensor %d has a negative extent", index);
    }
    return ir_type_valid(&t->type) || diag_error(d, loc, "tensor %d is larger than 2 GiB", index);
}

/* Scales within a range that leaves room for the products and quotients of three of them in a float; of two, where one
 * is a constant's, an epsilon for instance.  Those of weights and biases may be smaller, down to 0 for channels that were
 * pruned. */
static bool sensible_scale(const tflite_tensor *t, int axis, float scale)
{
    const float largest = 0x1p36f, smallest = t->constant ? 0x1p-90f : 0x1p-36f;
    bool activation = axis < 0 && ir_dtype_bytes(t->type.dtype) <= 2;
    if (activation)
        return scale >= smallest && scale <= largest;
    return (scale > 0 || (scale == 0 && axis >= 0)) && scale <= largest;
}

/* Scale and zero point of each channel, checked; NULL after a diagnostic. */
static const ir_quant *read_parameters(tflite_scope *s, const ir_loc *loc, int32_t index, const tflite_tensor *t,
                                       fb_vector scales, fb_vector zeros, int axis)
{
    tflite_model *m = s->model;
    float *scale = ARENA_ARRAY(m->graph->arena, float, scales.count);
    int32_t *zero = ARENA_ARRAY(m->graph->arena, int32_t, scales.count);
    int64_t low = INT32_MIN, high = INT32_MAX;
    if (t->type.dtype == IR_I8 || t->type.dtype == IR_U8 || t->type.dtype == IR_I16 || t->type.dtype == IR_U16) {
        int bits = ir_dtype_bytes(t->type.dtype) == 1 ? 8 : 16;
        bool is_signed = t->type.dtype == IR_I8 || t->type.dtype == IR_I16;
        low = is_signed ? -(1 << (bits - 1)) : 0;
        high = low + (1 << bits) - 1;
    }
    for (uint32_t i = 0; i < scales.count; i++) {
        int64_t z = zeros.count ? fb_vec_i64(zeros, i) : 0;
        scale[i] = fb_vec_f32(scales, i);
        zero[i] = (int32_t)z;
        if (!sensible_scale(t, axis, scale[i])) {
            diag_error(m->diag, loc, "tensor %d has scale %g, which is not a positive number of sensible size", index,
                       (double)scale[i]);
            return NULL;
        }
        if (z < low || z > high) {
            diag_error(m->diag, loc, "tensor %d has zero point %lld, which is outside its type %s", index, (long long)z,
                       ir_dtype_text(t->type.dtype));
            return NULL;
        }
    }
    return ir_quant_new(m->graph, axis, (int32_t)scales.count, scale, zero);
}

/* Quantization of floats and booleans is what converters leave behind (ranges seen, or nothing at all): it means
 * nothing. */
static bool read_quantization(tflite_scope *s, const ir_loc *loc, int32_t index, tflite_tensor *t)
{
    diag *d = s->model->diag;
    fb_table q = fb_sub(t->table, TENSOR_QUANTIZATION);
    int details = fb_u8(q, QUANT_DETAILS_TYPE, QUANT_DETAILS_NONE);
    if (details != QUANT_DETAILS_NONE)
        return diag_error(d, loc, "tensor %d: %s quantization is not supported", index,
                          details == QUANT_DETAILS_BLOCKWISE ? "blockwise"
                          : details == QUANT_DETAILS_CUSTOM  ? "custom"
                                                             : "this kind of");
    if (ir_dtype_is_float(t->type.dtype) || t->type.dtype == IR_BOOL)
        return true;
    fb_vector scales = fb_vec(q, QUANT_SCALE, 4), zeros = fb_vec(q, QUANT_ZERO_POINT, 8);
    int64_t axis = fb_i32(q, QUANT_DIMENSION, 0);
    if (!scales.count)
        return true;
    if (zeros.count && zeros.count != scales.count)
        return diag_error(d, loc, "tensor %d has %u scales and %u zero points", index, scales.count, zeros.count);
    if (scales.count == 1)
        axis = -1;
    else if (t->type.rank == 1)
        axis = 0; /* the one dimension there is; biases of per-channel convolutions often name the weights' dimension */
    else if (axis < 0 || axis >= t->type.rank)
        return diag_error(d, loc, "tensor %d is quantized along dimension %lld, it has %d", index, (long long)axis,
                          t->type.rank);
    if (axis >= 0 && t->type.dims[axis] != scales.count)
        return diag_error(d, loc, "tensor %d has scale count %u, expected %lld", index, scales.count,
                          (long long)t->type.dims[axis]);
    t->quant = read_parameters(s, loc, index, t, scales, zeros, (int)axis);
    return t->quant != NULL;
}

static bool read_tensor(tflite_scope *s, const ir_loc *loc, int32_t index, bool constant, bool narrow,
                        tflite_tensor *out)
{
    tflite_model *m = s->model;
    if (index < 0 || (uint32_t)index >= s->tensors.count)
        return diag_final(m->diag, loc, "tensor %d does not exist, the subgraph has %u", index, s->tensors.count);
    fb_table table = fb_vec_table(s->tensors, (uint32_t)index);
    *out = (tflite_tensor){.table = table, .constant = constant};
    int type = fb_u8(table, TENSOR_TYPE, TYPE_F32);
    if (!fb_ok(&m->reader))
        return model_malformed(m, loc);
    uint32_t length;
    const char *name = fb_string(table, TENSOR_NAME, &length);
    out->name = name ? arena_string(m->graph->arena, name, length) : arena_format(m->graph->arena, "tensor_%d", index);
    out->packed = type == TYPE_I4 && narrow;
    out->type.dtype = out->packed ? IR_I8 : type < TYPE_COUNT ? types[type].dtype : IR_DTYPE_NONE;
    if (out->type.dtype == IR_DTYPE_NONE)
        return diag_error(m->diag, loc, "tensor %d has type %s, which is not supported", index, tflite_type_text(type));
    if (!read_shape(s, loc, index, out) || !read_quantization(s, loc, index, out))
        return false;
    return fb_ok(&m->reader) || model_malformed(m, loc);
}

bool tflite_tensor_read(tflite_scope *s, const ir_loc *loc, int32_t index, tflite_tensor *out)
{
    return read_tensor(s, loc, index, false, false, out);
}

bool tflite_tensor_read_narrow(tflite_scope *s, const ir_loc *loc, int32_t index, tflite_tensor *out)
{
    return read_tensor(s, loc, index, false, true, out);
}

bool tflite_tensor_bytes(tflite_scope *s, const ir_loc *loc, const tflite_tensor *t, const uint8_t **out_bytes,
                         size_t *out_size)
{
    tflite_model *m = s->model;
    uint32_t index = fb_u32(t->table, TENSOR_BUFFER, 0);
    *out_bytes = NULL;
    *out_size = 0;
    if (fb_u32(t->table, TENSOR_EXTERNAL_BUFFER, 0))
        return diag_error(m->diag, loc, "tensor '%s' has its data in another file, which is not supported", t->name);
    if (!index)
        return fb_ok(&m->reader) || model_malformed(m, loc);
    if (index >= m->buffers.count)
        return diag_final(m->diag, loc, "buffer %u does not exist, the model has %u", index, m->buffers.count);
    fb_table b = fb_vec_table(m->buffers, index);
    fb_vector data = fb_bytes(b, BUFFER_DATA);
    uint64_t offset = fb_u64(b, BUFFER_OFFSET, 0), size = fb_u64(b, BUFFER_SIZE, 0);
    if (!fb_ok(&m->reader))
        return model_malformed(m, loc);
    if (data.count) {
        *out_bytes = data.data;
        *out_size = data.count;
    } else if (offset > 1 && size) { /* behind the FlatBuffer; 0 and 1 stand for none */
        if (offset > m->reader.size || size > m->reader.size - offset)
            return diag_error(m->diag, loc, "buffer %u lies outside the file", index);
        *out_bytes = m->reader.bytes + offset;
        *out_size = (size_t)size;
    }
    return true;
}

bool tflite_tensor_is_constant(tflite_scope *s, int32_t index)
{
    fb_table t = fb_vec_table(s->tensors, (uint32_t)index);
    uint32_t buffer = fb_u32(t, TENSOR_BUFFER, 0);
    if (fb_bool(t, TENSOR_IS_VARIABLE, false))
        return false;
    if (buffer && buffer < s->model->buffers.count) {
        fb_table b = fb_vec_table(s->model->buffers, buffer);
        if (fb_bytes(b, BUFFER_DATA).count || (fb_u64(b, BUFFER_OFFSET, 0) > 1 && fb_u64(b, BUFFER_SIZE, 0)))
            return true;
    }
    fb_vector shape = fb_vec(t, TENSOR_SHAPE, 4); /* a tensor without elements needs no data to be a constant */
    for (uint32_t i = 0; i < shape.count; i++)
        if (fb_vec_i32(shape, i) == 0)
            return true;
    return buffer >= s->model->buffers.count && buffer; /* an error, which reading the constant reports */
}

/* Two elements a byte, the first in the low half, to one a byte. */
static void unpack(const uint8_t *bytes, size_t count, uint8_t *out)
{
    for (size_t i = 0; i < count; i++) {
        const int half = bytes[i / 2] >> (i % 2 ? 4 : 0) & 15;
        out[i] = (uint8_t)(half < 8 ? half : half - 16);
    }
}

/* The elements as ir_type lays them out, which is how most are in the file: `size` bytes. */
static bool lay_out(tflite_scope *s, const ir_loc *loc, int32_t index, const tflite_tensor *t, size_t size,
                    const uint8_t **bytes)
{
    tflite_model *m = s->model;
    const bool sparse = fb_has(t->table, TENSOR_SPARSITY);
    const size_t expected = ir_type_bytes(&t->type), in_file = t->packed ? (expected + 1) / 2 : expected;
    if (sparse && t->packed)
        return diag_error(m->diag, loc, "tensor %d is a sparse one of type INT4, which is not supported", index);
    if (!sparse && size != in_file)
        return diag_error(m->diag, loc, "tensor %d has %zu bytes of data, expected %zu", index, size, in_file);
    if (!sparse && !t->packed)
        return true;
    if (!model_charge(m, loc, (int64_t)expected))
        return false;
    uint8_t *elements = arena_alloc(m->graph->arena, expected + 1);
    if (t->packed)
        unpack(*bytes, expected, elements);
    else if (!tflite_densify(s, loc, t, *bytes, size, elements, expected))
        return false;
    *bytes = elements;
    return true;
}

ir_value *tflite_tensor_constant(tflite_scope *s, const ir_loc *loc, int32_t index)
{
    static const uint8_t nothing[16];
    tflite_tensor t;
    const uint8_t *bytes;
    size_t size;
    if (!read_tensor(s, loc, index, true, true, &t) || !tflite_tensor_bytes(s, loc, &t, &bytes, &size) ||
        !lay_out(s, loc, index, &t, size, &bytes))
        return NULL;
    return model_constant(s->model, loc, t.name, t.type, t.quant, ir_type_bytes(&t.type) ? bytes : nothing);
}
