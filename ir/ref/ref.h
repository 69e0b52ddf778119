/* ref.h: what the files ref_*.c share: the shape of an evaluator, and access to elements.
 *
 * An evaluator runs on an op that ir_op_supported accepted, so types and shapes need no second look; indices that come
 * out of tensors do.  Buffers have any alignment: elements are read and written with the functions below. */
#ifndef QCC_IR_REF_H
#define QCC_IR_REF_H

#include <math.h>
#include <string.h>

#include "ir/ref/interp.h"

typedef bool ir_ref_fn(const ir_op *, const void *const operands[], void *const results[], diag *);
typedef bool ir_check_fn(const ir_op *, diag *);

#define EVAL(CODE, evaluate, check, types)                                                                             \
    ir_ref_fn evaluate;                                                                                                \
    ir_check_fn check;
#include "ir/ref/ref.def"
#undef EVAL

/* ---- Checks to build ir_check_fns from; each reports one diagnostic ---- */

ir_check_fn ir_check_same_quant; /* operand 0 and result 0 have the same quantization (or none) */
ir_check_fn ir_check_same_shape; /* operand 0 and result 0 have the same shape */
/* An 8-bit or 16-bit value that takes part in arithmetic: per-tensor quantization, scale finite and positive, zero in
 * range. */
bool ir_check_quantized(const ir_op *, const ir_value *, const char *what, diag *);
bool ir_refuse(const ir_op *, diag *, const char *format, ...) __attribute__((format(printf, 3, 4)));
bool ir_out_of_memory(const ir_op *, diag *);

/* ---- Elements ---- */

/* clang-format off */
static inline float ir_f32_at(const void *p, int64_t i) { float v; memcpy(&v, (const char *)p + 4 * i, 4); return v; }
static inline int32_t ir_i32_at(const void *p, int64_t i) { int32_t v; memcpy(&v, (const char *)p + 4 * i, 4); return v; }
static inline int64_t ir_i64_at(const void *p, int64_t i) { int64_t v; memcpy(&v, (const char *)p + 8 * i, 8); return v; }
static inline int16_t ir_i16_at(const void *p, int64_t i) { int16_t v; memcpy(&v, (const char *)p + 2 * i, 2); return v; }
/* clang-format on */
static inline void ir_f32_put(void *p, int64_t i, float v) { memcpy((char *)p + 4 * i, &v, 4); }
static inline void ir_i32_put(void *p, int64_t i, int32_t v) { memcpy((char *)p + 4 * i, &v, 4); }
static inline void ir_i64_put(void *p, int64_t i, int64_t v) { memcpy((char *)p + 8 * i, &v, 8); }
static inline void ir_i16_put(void *p, int64_t i, int16_t v) { memcpy((char *)p + 2 * i, &v, 2); }

int64_t ir_int_at(ir_dtype, const void *, int64_t index);        /* any integer type and bool */
void ir_int_put(ir_dtype, void *, int64_t index, int64_t value); /* truncates to the type's width; bool: != 0 */
/* Elements first…first+count-1 of an integer tensor, less `minus`. */
void ir_ints_load_i16(ir_dtype, const void *, int64_t first, int64_t count, int32_t minus, int16_t out[]);
void ir_ints_load_i32(ir_dtype, const void *, int64_t first, int64_t count, int32_t minus, int32_t out[]);

/* ---- Quantization of a per-tensor value; scale 1 and zero 0 without ---- */

static inline float ir_scale_of(const ir_value *v) { return v->quant ? v->quant->scale[0] : 1.0f; }
static inline int32_t ir_zero_of(const ir_value *v) { return v->quant ? v->quant->zero[0] : 0; }

/* lrintf(x) + zero within min..max; the comparison is made in float, so that every x (infinite ones too) is fine.
 * NaN gives min. */
static inline int32_t ir_round_even_f32(float x, int32_t zero, int32_t min, int32_t max)
{
    const float low = (float)((int64_t)min - zero), high = (float)((int64_t)max - zero);
    if (!(x > low))
        return min;
    if (x >= high)
        return max;
    return (int32_t)lrintf(x) + zero;
}

static inline int32_t ir_clamp_i32(int64_t x, int32_t min, int32_t max)
{
    return x < min ? min : x > max ? max : (int32_t)x;
}

/* ---- Broadcasting: element strides of an operand along the result's dimensions, 0 where it is stretched ---- */

bool ir_broadcast_strides(const ir_type *operand, const ir_type *result, int64_t out_stride[IR_MAX_RANK]);
/* Steps a row-major counter over `rank` dims; false after the last. */
static inline bool ir_next_index(int rank, const int64_t dims[], int64_t index[])
{
    for (int d = rank - 1; d >= 0; d--) {
        if (++index[d] < dims[d])
            return true;
        index[d] = 0;
    }
    return false;
}

/* Runs of elements over which a result and its broadcast operands advance in constant steps (operands: 0 or 1 for the
 * innermost dimension that is left after merging). */
enum { IR_ROWS_OPERANDS = 4 };
typedef struct ir_rows {
    int rank, operands;
    int64_t dims[IR_MAX_RANK], stride[IR_ROWS_OPERANDS][IR_MAX_RANK], index[IR_MAX_RANK];
    int64_t length; /* of a run */
    int64_t step[IR_ROWS_OPERANDS];
    int64_t first[IR_ROWS_OPERANDS]; /* of the present run */
    int64_t out_first;
    bool done;
} ir_rows;

ir_rows ir_rows_of(const ir_op *, int operands); /* shapes must broadcast: ir_check_broadcast_shapes */
void ir_rows_next(ir_rows *);
bool ir_check_broadcast_shapes(const ir_op *, int operands, diag *);

#endif
