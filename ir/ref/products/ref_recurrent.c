/* ref_recurrent.c: recurrent layers.
 *
 *     xw [T, N, G * H] (or [N, T, …], time_axis 1), r [G * H, H], h, c [N, H]  ->  y [T, N, H], last h, last c
 *
 * One sequence of the batch after the other, step by step:
 *
 *     lstm       gates = xw[t] + r h; i f o = logistic, g = tanh of a quarter each
 *                c = f c + i g, clipped; h = o tanh(c)
 *     gru        z r = logistic(xw[t] + r h) of two thirds; n = tanh(xw[t] + r (R h + b)), or tanh(xw[t] + R (r h))
 *                without b; h = (1 - z) n + z h
 *     rnn        h = tanh(xw[t] + r h)
 *     lstm_quant the same as lstm in integers (docs/quantization.md): h 8 bits, gates in Q3.12, c 16 bits
 *
 * With int8 weights what they are multiplied by, h or r h, is quantized in each step: symmetrically, by its largest
 * magnitude, as dynamic_quantize does it. */
#include <stdlib.h>

#include "arith/fixed_point.h"
#include "ir/ref/ref_quant.h"

typedef struct sequences {
    int64_t steps, batch, units;
    bool time_first, reversed;
} sequences;

static sequences sequences_of(const ir_op *op)
{
    const ir_type *y = &op->results[0]->type;
    const int axis = (int)ir_int(op, IR_ATTR_TIME_AXIS);
    return (sequences){.steps = y->dims[axis],
                       .batch = y->dims[1 - axis],
                       .units = y->dims[2],
                       .time_first = axis == 0,
                       .reversed = ir_has_attr(op, IR_ATTR_REVERSED) && ir_int(op, IR_ATTR_REVERSED)};
}

/* Row, of so many elements in all, of the step that comes as number `step` in sequence `n`. */
static int64_t row_of(const sequences *s, int64_t step, int64_t n)
{
    const int64_t t = s->reversed ? s->steps - 1 - step : step;
    return s->time_first ? t * s->batch + n : n * s->steps + t;
}

static bool is_symmetric(const ir_op *op, int index, diag *d)
{
    const ir_value *w = op->operands[index].value;
    if (!w->quant || w->quant->axis > 0)
        return ir_refuse(op, d, "weights need a scale, or one for each row");
    for (int32_t i = 0; i < w->quant->count; i++)
        if (w->quant->zero[i] || !(w->quant->scale[i] > 0) || !isfinite(w->quant->scale[i]))
            return ir_refuse(op, d, "weights with scale %g and zero point %d", (double)w->quant->scale[i],
                             w->quant->zero[i]);
    return true;
}

/* Integer weights have scales, and sums of their products fit 32 bits. */
bool ir_check_recurrent(const ir_op *op, diag *d)
{
    const ir_type *r = &op->operands[1].value->type;
    if (r->dtype != IR_I8)
        return true;
    if (r->dims[1] > INT32_MAX / (128 * 128))
        return ir_refuse(op, d, "%lld units, whose products do not fit 32 bits", (long long)r->dims[1]);
    return is_symmetric(op, 1, d);
}

static float logistic(float x) { return 1.0f / (1.0f + expf(-x)); }

/* ---- Floats ---- */

static void lstm_step(float gates[], float h[], float c[], int64_t units, float clip)
{
    for (int64_t u = 0; u < units; u++) {
        const float in = logistic(gates[u]), forget = logistic(gates[units + u]);
        const float cell = tanhf(gates[2 * units + u]), out = logistic(gates[3 * units + u]);
        c[u] = forget * c[u] + in * cell;
        if (clip > 0)
            c[u] = ir_clamp_f32(c[u], -clip, clip);
        h[u] = out * tanhf(c[u]);
    }
}

/* The recurrent weights, and what int8 ones need. */
typedef struct recurrent_weights {
    const void *data; /* [rows][units] */
    int64_t units;
    const ir_quant *quant; /* NULL: floats */
    uint8_t *integers;     /* units of scratch memory for what they are multiplied by */
} recurrent_weights;

/* Row `row` times the quantized h; 128 is the zero point of both. */
static float integer_product(const recurrent_weights *w, int64_t row, float h_scale)
{
    int32_t sum = 0;
    for (int64_t u = 0; u < w->units; u++)
        sum += (w->integers[u] - 128) * ((const int8_t *)w->data)[row * w->units + u];
    return (float)sum * (h_scale * w->quant->scale[w->quant->axis < 0 ? 0 : row]);
}

/* sums[g] = start[first + g] + row `g` of the weights times h, for `count` gates; start NULL: 0 */
static void gate_products(float sums[], int64_t count, const void *start, int64_t first, const recurrent_weights *w,
                          int64_t w_row, const float h[])
{
    ir_dynamic q = {0};
    if (w->quant)
        q = ir_dynamic_of(IR_METHOD_SYMMETRIC_AWAY, h, 0, w->units);
    for (int64_t u = 0; w->quant && u < w->units; u++)
        w->integers[u] = ir_dynamic_apply(&q, h[u]);
    for (int64_t g = 0; g < count; g++) {
        sums[g] = start ? ir_f32_at(start, first + g) : 0;
        if (w->quant)
            sums[g] += integer_product(w, w_row + g, q.scale);
        for (int64_t u = 0; !w->quant && u < w->units; u++)
            sums[g] += h[u] * ir_f32_at(w->data, (w_row + g) * w->units + u);
    }
}

static void lstm_next(const ir_op *op, const void *const operands[], const recurrent_weights *w, int64_t row,
                      float gates[], float h[], float c[])
{
    const int64_t units = w->units;
    gate_products(gates, 4 * units, operands[0], row * 4 * units, w, 0, h);
    lstm_step(gates, h, c, units, ir_float(op, IR_ATTR_CELL_CLIP));
}

static void gru_next(const ir_op *op, const void *const operands[], const recurrent_weights *w, int64_t row,
                     float gates[], float h[], float c[])
{
    const int64_t units = w->units;
    const void *b = ir_operand_value(op, 3) ? operands[3] : NULL;
    float *candidate = gates + 2 * units;
    gate_products(gates, 2 * units, operands[0], row * 3 * units, w, 0, h);
    for (int64_t u = 0; u < 2 * units; u++)
        gates[u] = logistic(gates[u]);
    for (int64_t u = 0; u < units; u++)
        c[u] = b ? h[u] : gates[units + u] * h[u];
    gate_products(candidate, units, b, 0, w, 2 * units, c);
    for (int64_t u = 0; u < units; u++) {
        const float x = ir_f32_at(operands[0], row * 3 * units + 2 * units + u);
        const float n = tanhf(b ? x + gates[units + u] * candidate[u] : x + candidate[u]);
        h[u] = n + gates[u] * (h[u] - n);
    }
}

static void rnn_next(const ir_op *op, const void *const operands[], const recurrent_weights *w, int64_t row,
                     float gates[], float h[], float c[])
{
    const int64_t units = w->units;
    (void)c;
    gate_products(gates, units, operands[0], row * units, w, 0, h);
    for (int64_t u = 0; u < units; u++)
        h[u] = ir_int(op, IR_ATTR_RECTIFIED) ? ir_clamp_f32(gates[u], 0, INFINITY) : tanhf(gates[u]);
}

/* One step: from row `row` of operand 0 and the states h and c to the next h and c.  gates: 4 * units of scratch
 * memory; c is that, too, where there is no cell state. */
typedef void next_fn(const ir_op *, const void *const operands[], const recurrent_weights *, int64_t row, float gates[],
                     float h[], float c[]);

static bool run_float(const ir_op *op, const void *const operands[], void *const results[], diag *d, next_fn *next,
                      bool has_c)
{
    const sequences s = sequences_of(op);
    const int64_t units = s.units;
    const size_t bytes = 4 * (size_t)units;
    float *gates = malloc(((size_t)units * 7 + 1) * sizeof *gates), *h = gates + 4 * units, *c = h + units;
    if (!gates)
        return ir_out_of_memory(op, d);
    const recurrent_weights w = {operands[1], units, op->operands[1].value->quant, (uint8_t *)(c + units)};
    for (int64_t n = 0; n < s.batch; n++) {
        memcpy(h, (const char *)operands[2] + (size_t)n * bytes, bytes);
        if (has_c)
            memcpy(c, (const char *)operands[3] + (size_t)n * bytes, bytes);
        for (int64_t step = 0; step < s.steps; step++) {
            const int64_t row = row_of(&s, step, n);
            next(op, operands, &w, row, gates, h, c);
            memcpy((char *)results[0] + (size_t)row * bytes, h, bytes);
        }
        memcpy((char *)results[1] + (size_t)n * bytes, h, bytes);
        if (has_c)
            memcpy((char *)results[2] + (size_t)n * bytes, c, bytes);
    }
    free(gates);
    return true;
}

bool ir_ref_lstm(const ir_op *op, const void *const operands[], void *const results[], diag *d)
{
    return run_float(op, operands, results, d, lstm_next, true);
}

bool ir_ref_gru(const ir_op *op, const void *const operands[], void *const results[], diag *d)
{
    return run_float(op, operands, results, d, gru_next, false);
}

bool ir_ref_rnn(const ir_op *op, const void *const operands[], void *const results[], diag *d)
{
    return run_float(op, operands, results, d, rnn_next, false);
}

/* ---- lstm_quant ---- */

bool ir_check_lstm_quant(const ir_op *op, diag *d)
{
    const ir_value *h = op->operands[4].value, *c = op->operands[5].value;
    if (!ir_check_quantized(op, op->operands[0].value, "operand 0", d) || !ir_check_quantized(op, h, "the state", d) ||
        !ir_check_quantized(op, c, "the cell state", d) || !is_symmetric(op, 1, d) || !is_symmetric(op, 2, d))
        return false;
    int exponent;
    const float fraction = frexpf(c->quant->scale[0], &exponent);
    if (fraction != 0.5f || exponent < -14 || exponent > -8 || c->quant->zero[0])
        return ir_refuse(op, d, "cell states of scale %g and zero point %d, which is none of 2^-15 to 2^-9 and 0",
                         (double)c->quant->scale[0], c->quant->zero[0]);
    for (int i = 0; i < 3; i++)
        if (!ir_quant_equal(op->results[i]->quant, i == 2 ? c->quant : h->quant))
            return ir_refuse(op, d, "result %d has another quantization than the state", i);
    return true;
}

void ir_lstm_quant_make(ir_lstm_quant *q, const ir_op *op)
{
    const float c_scale = ir_scale_of(op->operands[5].value), clip = ir_float(op, IR_ATTR_CELL_CLIP);
    frexpf(c_scale, &q->cell_bits);
    q->cell_bits += 14; /* 2^-12 has 3 integer bits */
    q->hidden = (double)(float)(0x1p-30 / (double)ir_scale_of(op->results[0]));
    q->clip = (int32_t)ir_truncated((double)(clip / c_scale), 0, INT16_MAX);
}

double ir_lstm_quant_multiplier(const ir_op *op, int weights, int64_t gate)
{
    const ir_quant *w = op->operands[weights].value->quant;
    const float scale = ir_scale_of(op->operands[weights == 1 ? 0 : 4].value) * w->scale[w->axis < 0 ? 0 : gate];
    return (double)(scale / 0x1p-12f);
}

typedef struct lstm_quant {
    sequences s;
    ir_lstm_quant q;
    int64_t inputs;
    int16_t *x, *h;                /* centred, of one step */
    int32_t *w, *r;                /* [4 * units][inputs], [4 * units][units] */
    arith_multiplier *w_by, *r_by; /* [4 * units] */
    arith_multiplier hidden_by;
    int16_t *gate, *c;
    ir_dtype type; /* of h and y */
    int32_t h_zero, h_min, h_max;
} lstm_quant;

static int32_t dot(const int16_t a[], const int32_t b[], int64_t n)
{
    uint32_t sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (uint32_t)(a[i] * b[i]);
    return (int32_t)sum;
}

/* Both products are rounded and saturated to 16 bits by themselves. */
static int16_t gate_sum(const lstm_quant *l, const void *bias, int64_t g)
{
    const int32_t x = (int32_t)((uint32_t)dot(l->x, l->w + g * l->inputs, l->inputs) + (uint32_t)ir_i32_at(bias, g));
    const int32_t h = dot(l->h, l->r + g * l->s.units, l->s.units);
    const int32_t first = ir_clamp_i32(arith_mul_fixed_twice(x, l->w_by[g]), INT16_MIN, INT16_MAX);
    return (int16_t)ir_clamp_i32((int64_t)arith_mul_fixed_twice(h, l->r_by[g]) + first, INT16_MIN, INT16_MAX);
}

static void quant_step(lstm_quant *l, void *y, int64_t first)
{
    const int64_t units = l->s.units;
    for (int64_t u = 0; u < units; u++) {
        const int32_t in = arith_fixed16_logistic(l->gate[u], 3),
                      forget = arith_fixed16_logistic(l->gate[units + u], 3);
        const int32_t cell = arith_fixed16_tanh(l->gate[2 * units + u], 3),
                      out = arith_fixed16_logistic(l->gate[3 * units + u], 3);
        int32_t c =
            arith_fixed_shift_right(forget * l->c[u], 15) + arith_fixed_shift_right(in * cell, 15 + l->q.cell_bits);
        c = ir_clamp_i32(c, INT16_MIN, INT16_MAX);
        if (l->q.clip)
            c = ir_clamp_i32(c, -l->q.clip, l->q.clip);
        l->c[u] = (int16_t)c;
        const int32_t h = arith_mul_fixed_twice(out * arith_fixed16_tanh(l->c[u], l->q.cell_bits), l->hidden_by);
        ir_int_put(l->type, y, first + u, ir_clamp_i32((int64_t)h + l->h_zero, l->h_min, l->h_max));
        l->h[u] = (int16_t)(ir_int_at(l->type, y, first + u) - l->h_zero);
    }
}

static void quant_sequence(lstm_quant *l, const void *const operands[], void *const results[], const ir_op *op,
                           int64_t n)
{
    const ir_value *x = op->operands[0].value;
    const int64_t units = l->s.units;
    ir_ints_load_i16(l->type, operands[4], n * units, units, l->h_zero, l->h);
    ir_ints_load_i16(IR_I16, operands[5], n * units, units, 0, l->c);
    for (int64_t step = 0; step < l->s.steps; step++) {
        const int64_t row = row_of(&l->s, step, n);
        ir_ints_load_i16(x->type.dtype, operands[0], row * l->inputs, l->inputs, ir_zero_of(x), l->x);
        for (int64_t g = 0; g < 4 * units; g++)
            l->gate[g] = gate_sum(l, operands[3], g);
        quant_step(l, results[0], row * units);
    }
    for (int64_t u = 0; u < units; u++) {
        ir_int_put(l->type, results[1], n * units + u, l->h[u] + l->h_zero);
        ir_i16_put(results[2], n * units + u, l->c[u]);
    }
}

static bool quant_allocate(lstm_quant *l)
{
    const size_t units = (size_t)l->s.units, inputs = (size_t)l->inputs, gates = 4 * units;
    l->x = malloc((inputs + 1) * sizeof *l->x);
    l->h = malloc((units + 1) * sizeof *l->h);
    l->c = malloc((units + 1) * sizeof *l->c);
    l->gate = malloc((gates + 1) * sizeof *l->gate);
    l->w = malloc((gates * inputs + 1) * sizeof *l->w);
    l->r = malloc((gates * units + 1) * sizeof *l->r);
    l->w_by = malloc((gates + 1) * sizeof *l->w_by);
    l->r_by = malloc((gates + 1) * sizeof *l->r_by);
    return l->x && l->h && l->c && l->gate && l->w && l->r && l->w_by && l->r_by;
}

bool ir_ref_lstm_quant(const ir_op *op, const void *const operands[], void *const results[], diag *d)
{
    const ir_value *y = op->results[0];
    lstm_quant l = {.s = sequences_of(op),
                    .inputs = op->operands[0].value->type.dims[2],
                    .type = y->type.dtype,
                    .h_zero = ir_zero_of(y)};
    const int64_t gates = 4 * l.s.units;
    const bool fine = quant_allocate(&l);
    if (fine) {
        ir_lstm_quant_make(&l.q, op);
        ir_dtype_range(l.type, &l.h_min, &l.h_max);
        l.hidden_by = arith_multiplier_of(l.q.hidden);
        ir_ints_load_i32(IR_I8, operands[1], 0, gates * l.inputs, 0, l.w);
        ir_ints_load_i32(IR_I8, operands[2], 0, gates * l.s.units, 0, l.r);
        for (int64_t g = 0; g < gates; g++) {
            l.w_by[g] = arith_multiplier_of(ir_lstm_quant_multiplier(op, 1, g));
            l.r_by[g] = arith_multiplier_of(ir_lstm_quant_multiplier(op, 2, g));
        }
        for (int64_t n = 0; n < l.s.batch; n++)
            quant_sequence(&l, operands, results, op, n);
    }
    free(l.x);
    free(l.h);
    free(l.c);
    free(l.gate);
    free(l.w);
    free(l.r);
    free(l.w_by);
    free(l.r_by);
    return fine || ir_out_of_memory(op, d);
}
