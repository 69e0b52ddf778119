/* requant.h: from int32 accumulators to 8-bit results, in the arithmetic that the op's rounding attribute names.
 * Derivation: docs/quantization.md.  The interpreter's twin is ir/ref/quant_math.c; the two agree bit for bit. */
#ifndef QCC_REQUANT_H
#define QCC_REQUANT_H

#include "compiler/codegen/isa/isa.h"

/* Parameters for `channels` output channels, as they lie in the object: for EVEN_F32 and LITE_F32 float scale[padded]
 * and, with a real bias, float bias[padded], in units of the result, and float gate[padded] behind that; for the
 * fixed forms int32 mantissa[padded], int32
 * shift[padded].  padded: channels up to a multiple of 64. */
typedef struct cg_requant {
    ir_enum_ROUNDING rounding;
    int channels;
    int32_t zero, min, max; /* of the result, activation included */
    ir_dtype dtype;
    const void *bytes;
    size_t size;
    bool per_tensor; /* all channels alike: the kernel may keep one splat */
    bool has_bias;
    bool has_gate;  /* behind the bias, which is there then; EVEN_F32 */
    bool below_one; /* in floats: |scale| < 1 throughout, so that acc * scale + bias stays within int32 */
} cg_requant;

/* real multiplier of channel c: scale_x * scale_w[c] / scale_y, computed as the reference does (in double). */
cg_requant cg_requant_make(cg_module *, ir_enum_ROUNDING, int channels, const double multipliers[],
                           const ir_value *result, ir_enum_ACT);
/* The same for a result of these parameters: the intermediate value of a fused add, or channels in a padded order. */
cg_requant cg_requant_make_for(cg_module *, ir_enum_ROUNDING, int channels, const double multipliers[], ir_dtype,
                               float scale, int32_t zero, ir_unused, ir_enum_ACT);
/* Adds a real bias for each channel, in units of the result, all 0: none. */
void cg_requant_add_bias(cg_module *, cg_requant *, const float bias[]);
/* The same, and a gate for each channel (ir_mac_gate) if the first one is not 0. */
void cg_requant_add_gate(cg_module *, cg_requant *, const float bias[], const float gate[]);

/* ---- In floats (EVEN_F32, LITE_F32) ---- */
/* What channels first…first+lanes-1 are multiplied by, have added, and the slopes of their gates; NULL without. */
typedef struct cg_requant_factors {
    LLVMValueRef scale, bias, gate;
} cg_requant_factors;
cg_requant_factors cg_requant_load(cg_kernel *, const cg_requant *, LLVMValueRef params, LLVMValueRef first,
                                   unsigned lanes);
/* The accumulators (i32 or i64) as real numbers in units of the result. */
LLVMValueRef cg_requant_real(cg_kernel *, const cg_requant_factors *, LLVMValueRef acc);
/* Real numbers within int32 to integers; what lies below min - zero may come out as anything below it. */
LLVMValueRef cg_requant_round(cg_kernel *, const cg_requant *, LLVMValueRef real);
/* What a kernel's key must contain of it (rounding, zero, bounds, type; not the per-channel numbers). */
const char *cg_requant_key(const cg_module *, const cg_requant *);

/* lanes accumulators of channels first…first+lanes-1 (i64, compile- or run-time) -> lanes i32 within min..max, zero
 * added.  params: pointer to cg_requant.bytes. */
LLVMValueRef cg_requant_apply(cg_kernel *, const cg_requant *, LLVMValueRef params, LLVMValueRef first,
                              LLVMValueRef acc);
/* The same for 64-bit sums, which 16-bit activations have; fixed_twice is TFLite's 64-bit form. */
LLVMValueRef cg_requant_apply_i64(cg_kernel *, const cg_requant *, LLVMValueRef params, LLVMValueRef first,
                                  LLVMValueRef acc);
/* lanes i32, already within the type's range -> lanes bytes (truncation of each). */
LLVMValueRef cg_narrow_to_bytes(cg_kernel *, LLVMValueRef i32_vector);

#endif
