/* scales.h: what the passes that gather and keep scales of real values (`as`) share.
 *
 * A scale is fixed when the file rounds the value to that grid (a fake_quant, a quantize, a dequantize), and
 * suggested when the file, or the compiler, only says which range it has.  A fixed grid is part of the model's
 * meaning: no pass may skip its rounding, or its clamp, unless what follows implies it.  `scale_from.source` says
 * which of the two it is. */
#ifndef QCC_PASS_SCALES_H
#define QCC_PASS_SCALES_H

#include "passes/common/util.h"

/* Does the op stand for quantization?  What a TFLite model says by QUANTIZE and DEQUANTIZE is meant as it stands. */
bool scales_is_quantize(const ir_op *);   /* real -> 8-bit integers with one scale */
bool scales_is_dequantize(const ir_op *); /* 8-bit integers, also per axis -> real */
/* The integers of 2 to 8 bits among those of 8: of u8 the smallest, of i8 those around 0. */
ir_unused scales_unused(ir_dtype, int bits);
/* What a fake_quant rounds to: scale * (q - zero), q in low..high.  False when the scale is not a normal number. */
typedef struct scales_grid {
    float scale;
    int32_t zero, low, high;
} scales_grid;
bool scales_grid_of(const ir_op *, scales_grid *out);
/* How the quantize that stands for a fake_quant rounds. */
ir_enum_ROUNDING scales_rounding_of_fake(const ir_op *);
/* The integers in a byte that a fake_quant simulates; NULL when it has more than 8 bits. */
const ir_quant *scales_of_fake(ir_graph *, const ir_op *, ir_dtype *out_dtype);
/* Where a scale that `op`, a fake_quant, quantize or dequantize, gives comes from. */
ir_origin scales_origin(ir_graph *, const ir_op *);
/* The same of the quantized value v, which `op` makes or reads: v's own where it says one. */
ir_origin scales_origin_of(ir_graph *, const ir_value *v, const ir_op *op);

void scales_set(ir_value *, ir_dtype, const ir_quant *, ir_origin from);
void scales_regrid(ir_value *, ir_dtype, const ir_quant *); /* another form of the same scales, of the same origin */
void scales_copy(ir_value *to, const ir_value *from);       /* `as` and its origin */
bool scales_is_suggestion(ir_origin);
bool scales_is_fixed(const ir_value *);
bool scales_equal(const ir_value *, const ir_value *);
/* The 8-bit integers that a real constant stands for, one a byte. */
void scales_integers(const ir_value *, unsigned char *to);

enum { SCALES_RUN = 256 };
/* The elements of a constant in their order, in runs of at most SCALES_RUN of one channel:
 *
 *     for (scales_runs r = scales_runs_of(&type, axis); scales_next_run(&r);)
 *         … r.count elements from r.first, of r.channel … */
typedef struct scales_runs {
    int64_t elements, channels, inner; /* element i belongs to channel i / inner % channels */
    int64_t first, count, channel;
    int64_t rest; /* of these `inner` elements, from `first` on */
} scales_runs;
/* axis -1: all are of channel 0. */
scales_runs scales_runs_of(const ir_type *, int axis);
bool scales_next_run(scales_runs *);

/* An op between x and r = op(x) is about to disappear, and r to be read from x's op instead (or x itself, when the op
 * does nothing).  True when no rounding is lost; then scales_join gives the one that remains.  Where both are rounded
 * to equal grids once is enough.  A suggestion gives way to a fixed grid; x's own is moved only when nobody else reads
 * x. */
bool scales_can_join(const ir_value *x, const ir_value *r);
void scales_join(ir_value *x, const ir_value *r);

/* Do the integers end where the clamp lo..hi does, or before?  Then the clamp comes free with the rounding. */
bool scales_imply_clamp(ir_dtype, const ir_quant *, double lo, double hi);
/* Is every clamped value on the grid when the value before was, or is the clamp beyond the grid's ends? */
bool scales_clamp_keeps_grid(ir_dtype, const ir_quant *, double lo, double hi);
/* Bounds of an activation; infinite where it has none. */
void scales_act_bounds(ir_enum_ACT, double *out_lo, double *out_hi);
/* The operand that a clamp (relu, minimum or maximum with one constant number) works on, and its bounds; NULL: no
 * clamp. */
ir_value *scales_clamped(const ir_op *, double *out_lo, double *out_hi);

/* Elements of a constant: runs of `run` neighbours, `stride` from start to start. */
typedef struct scales_series {
    const ir_value *value;
    int64_t first, run, stride, count;
} scales_series;
/* The largest step of which all elements are multiples, at most 255 of them; 0: none.  `most`: their largest magnitude. */
float scales_common_step(const scales_series *, double most);
/* `as` of a constant that a transpose or reshape made of x: the axis follows.  NULL when it can't. */
const ir_quant *scales_moved(ir_graph *, const ir_op *, const ir_quant *);
/* Dimension of the weights w of op that counts its result's channels; -1: op has no such weights. */
int scales_weight_axis(const ir_op *);
/* Which operand of op are its weights; -1: none. */
int scales_weight_index(const ir_op *);
/* The largest integer that a weight may become, the smallest being its negative; NULL: 127. */
int scales_most_weight(const pass_calibration *);
/* Which integers the real constant v, weights of op, is to stand for, in a value that is nothing else: `as` and its
 * origin.  The file's where v is on them; where it isn't, none, unless the choice is `ours`: then --weight-algo and
 * --weight-scales say how (weight_scales.c). */
ir_value scales_of_weights(ir_graph *, const ir_op *, const ir_value *v, bool ours, const pass_context *);

#endif
