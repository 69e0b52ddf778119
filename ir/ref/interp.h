/* interp.h: the plain-C meaning of every op.  It is the oracle of the tests, the constant folder, and the maker of
 * look-up tables; it is itself pinned to the frameworks' outputs (docs/fidelity.md).  Slow and plain on purpose.
 *
 * Buffers are dense row-major in the values' own types, any alignment.  Absent operands are NULL. */
#ifndef QCC_INTERP_H
#define QCC_INTERP_H

#include "arith/multiplier.h"
#include "ir/ir.h"

/* One op.  False with a diagnostic when the combination of types is not defined. */
bool ir_eval_op(const ir_op *, const void *const operands[], void *const results[], diag *);

/* Would evaluating it take long?  Of ops where each result element depends on many operand elements. */
bool ir_eval_takes_long(const ir_op *);

/* True when ir_eval_op defines this op with its present types; otherwise a diagnostic says what is not supported.
 * Frontends, passes and backends share this one definition of what is legal; ir_verify checks form only. */
bool ir_op_supported(const ir_op *, diag *);

/* State variables of a graph; NULL for graphs without. */
typedef struct ir_state ir_state;
ir_state *ir_state_new(const ir_graph *);
void ir_state_free(ir_state *);

/* The whole graph, in order. */
bool ir_interpret(const ir_graph *, const void *const inputs[], void *const outputs[], ir_state *, diag *);

/* The same; `see` gets each input and each op's result as soon as it is known. */
typedef void ir_observer(void *context, const ir_value *, const void *data);
bool ir_interpret_observed(const ir_graph *, const void *const inputs[], void *const outputs[], ir_state *,
                           ir_observer *see, void *context, diag *);

/* For a LOOKUP op on an 8-bit operand: result byte for each operand byte (index = the byte as unsigned). */
bool ir_lookup_table(const ir_op *, uint8_t table[256], diag *);

/* ---- Arithmetic that the interpreter and the backend share (quant_math.c); derivations in docs/quantization.md ---- */

/* Real multiplier from the accumulator of output channel `channel` to the result (to MID_SCALE if an add is fused in)
 * of a conv, depthwise, transpose_conv, fully_connected or batch_matmul on quantized operands. */
enum { IR_MAC_SCALE = 4, IR_MAC_ZERO = 5 }; /* operands of ops whose x is quantized at run time */
enum { IR_MAC_GATE = 6 };                   /* operand: slopes of a gate */
static inline bool ir_mac_is_dynamic(const ir_op *op) { return ir_operand_value(op, IR_MAC_ZERO) != NULL; }
/* Is a residual added to a product of integers before that is rounded to them? */
static inline bool ir_mac_adds_real(const ir_op *op)
{
    return ir_has_attr(op, IR_ATTR_MID_SCALE) && ir_operand_value(op, 3) && op->operands[0].value->quant &&
           op->results[0]->quant && ir_float(op, IR_ATTR_MID_SCALE) == 0;
}
static inline ir_unused ir_mac_mid_unused(const ir_op *op)
{
    return (ir_unused){(uint8_t)ir_ints_at(op, IR_ATTR_MID_UNUSED, 0), (uint8_t)ir_ints_at(op, IR_ATTR_MID_UNUSED, 1)};
}
double ir_mac_multiplier(const ir_op *, int64_t channel);
/* A real bias of such an op in units of its result; 0 when the bias is of integers, or absent. */
float ir_mac_real_bias(const ir_op *, int64_t channel);
/* The slope of a channel's gate on numbers in units of the result; 0: none. */
float ir_mac_gate(const ir_op *, int64_t channel);
/* Of mul, div and squared_difference on quantized operands: the scale of the product, or quotient, over the result's; in
 * float where TFLite's kernels take it so. */
double ir_product_ratio(const ir_op *, bool even, float scale1, float scale2, float result_scale);
/* Does it multiply by a float? */
static inline bool ir_rounding_is_real(ir_enum_ROUNDING r)
{
    return r == IR_ROUNDING_EVEN_F32 || r == IR_ROUNDING_LITE_F32;
}
/* Sets how an op rounds, if it has a choice.  FIXED_TWICE stands for what TFLite's reference kernel of that op does,
 * and those of fully_connected round once; away_f32 and lite_f32, which an importer chose, stay then. */
void ir_set_rounding(ir_op *, ir_enum_ROUNDING);
/* What lstm_quant computes with beside its tensors. */
typedef struct ir_lstm_quant {
    int cell_bits; /* integer bits of c: 3 for a scale of 2^-12 */
    int32_t clip;  /* of c; 0: none */
    double hidden; /* from the product of two 16-bit fractions to h */
} ir_lstm_quant;
void ir_lstm_quant_make(ir_lstm_quant *, const ir_op *);
/* weights: operand 1 or 2; to a gate's 2^-12. */
double ir_lstm_quant_multiplier(const ir_op *, int weights, int64_t gate);
/* Bounds of an activation in the result's integers: round(real / scale) + zero, within the type. */
void ir_act_bounds(ir_enum_ACT, ir_dtype, float scale, int32_t zero, ir_unused, int32_t *out_min, int32_t *out_max);
void ir_act_bounds_f32(ir_enum_ACT, float *out_min, float *out_max); /* infinite where there is none */
/* Of integers, for an op's result: also without quantization, where `act` works on the integers themselves. */
void ir_result_bounds(const ir_value *, ir_enum_ACT, int32_t *out_min, int32_t *out_max);
/* Of a resize: what pixel `at` of the result, along dimension 1 or 2, comes from. */
typedef struct ir_tap {
    int64_t low, high;  /* the two pixels that it lies between */
    float part;         /* its distance from the lower one; below 0 or above 1 where the edge was clamped … */
    int32_t fixed_part; /* … or that in 1/1024 of a pixel */
} ir_tap;
int64_t ir_resize_nearest(const ir_op *, int dimension, int64_t at);
ir_tap ir_resize_tap(const ir_op *, bool fixed, int dimension, int64_t at);
/* The grid of a fake_quant: real = scale * (q - zero), q in low..high; and what the numbers are multiplied by first. */
typedef struct ir_fake_grid {
    float low, high, zero, scale, inverse;
    float top; /* ties even, away: the real number of `high`, of which the scale is a fraction */
} ir_fake_grid;
ir_fake_grid ir_fake_grid_of(const ir_op *);
/* The integers that a value of that type and quantization (NULL: none) has. */
void ir_quant_range(ir_dtype, const ir_quant *, int32_t *out_min, int32_t *out_max);
/* batch_norm: of channel c, x * factor + offset; not finite where variance + epsilon is not above 0. */
typedef struct ir_affine {
    float factor, offset;
} ir_affine;
ir_affine ir_batch_norm_of(const ir_op *, int64_t c);
/* layer_norm of 8-bit values: rows up to this long, and epsilon in squared units of the integers. */
enum { IR_LAYER_NORM_LONGEST = 1 << 16 };
float ir_layer_norm_epsilon(const ir_op *);
/* What a rounding leaves of bounds: LITE_F32 never gives the type's smallest integer, even where an activation allows
 * no other. */
void ir_rounding_bounds(ir_enum_ROUNDING, ir_dtype, int32_t *min, int32_t *max);
/* softmax of 8-bit values without a mask works on a table; everything else, on real exponentials.  These are integers
 * when the result is: e^x in units of 2^-22, 0 below the least x; so that their sum does not depend on the order. */
enum { IR_SOFTMAX_LONGEST = 1 << 16 };
#define IR_SOFTMAX_LEAST (-16.0f)
bool ir_softmax_is_table(const ir_op *);
float ir_softmax_exp(float x); /* x <= 0 */
/* EVEN_F32 softmax and log_softmax of 8-bit values: exponentials of 0, -1, … -255 integers, in units of 2^-22. */
void ir_softmax_table(const ir_op *, uint32_t table[256]);
void ir_dtype_range(ir_dtype, int32_t *out_min, int32_t *out_max); /* of I8, U8, I16 */
/* x without its fraction, within low..high, which contain 0; NaN becomes 0.  Every conversion of a number that a file
 * or an input may decide goes this way, unless its bounds have been checked: C leaves others than those in the type's
 * range undefined. */
int64_t ir_truncated(double x, int64_t low, int64_t high);
int64_t ir_truncated_to(ir_dtype, double x); /* within an integer type's range */
uint16_t ir_f32_to_f16(float);               /* ties to even; overflow gives infinity */
float ir_f16_to_f32(uint16_t);

#endif
