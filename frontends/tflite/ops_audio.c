/* ops_audio.c: the custom operators of speech commands: AudioSpectrogram and Mfcc.
 *
 *     AudioSpectrogram  samples [S, C] ──frames──▶ [C * T, window] ──Hann, zeros behind──▶ [C * T, N]
 *                       ──node_power_spectrum──▶ [C, T, N/2 + 1], as it is (magnitude_squared) or its roots
 *     Mfcc              powers [C, T, B], rate ──roots──▶ ──bands──▶ [C * T, channels] ──log──▶ ──cosines──▶ [C, T, coefficients]
 *
 * A band is a triangle over the mel scale, 1 in its middle and 0 in the middles of its neighbours. */
#include <math.h>

#include "frontends/node/node_spectrum.h"
#include "frontends/tflite/import.h"

enum { MAX_CHANNELS = 1 << 12 }; /* of the bands of Mfcc, and its coefficients */

static const double PI = 3.14159265358979323846;

/* Whole numbers by their names, within low and high. */
static bool read_option(tflite_node *n, const flex_map *m, const char *key, double low, double high, int64_t *out)
{
    double value = 0;
    if (!tflite_custom_number(n, m, key, true, low, high, &value))
        return false;
    *out = (int64_t)value;
    return true;
}

static float *numbers(tflite_node *n, int64_t count)
{
    return model_charge(n->model, &n->loc, count * 8) ? ARENA_ARRAY(n->model->graph->arena, float, count) : NULL;
}

/* x [R, I] times w [O, I] */
static ir_value *product(tflite_node *n, ir_value *x, ir_value *w)
{
    return x && w ? node_done(n, node_emit2(n, IR_FULLY_CONNECTED, x, w)) : NULL;
}

/* ---- AudioSpectrogram ---- */

typedef struct frames {
    int64_t window, stride, count;
} frames;

static int64_t common_divisor(int64_t a, int64_t b)
{
    while (b) {
        const int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* Every row of blocks that a frame has, [count, blocks]: frames begin with blocks, since these divide window and stride. */
static ir_value *block_numbers(tflite_node *n, const frames *f, int64_t block)
{
    const int64_t blocks = f->window / block, total = f->count * blocks;
    if (!model_charge(n->model, &n->loc, total * 16))
        return NULL;
    int64_t *numbers = ARENA_ARRAY(n->model->graph->arena, int64_t, total);
    for (int64_t i = 0; i < total; i++)
        numbers[i] = i / blocks * (f->stride / block) + i % blocks;
    return node_reshaped(n, node_ints(n, IR_I32, 1, total, numbers), 2, (int64_t[]){f->count, blocks});
}

/* Samples [S, C] as frames [C * T, window]. */
static ir_value *framed(tflite_node *n, ir_value *x, const frames *f)
{
    const int64_t channels = x->type.dims[1], used = (f->count - 1) * f->stride + f->window;
    const int64_t block = common_divisor(f->window, f->stride), blocks = f->window / block;
    if (used < x->type.dims[0]) {
        ir_op *op = node_emit1(n, IR_SLICE, x);
        ir_set_ints(op, IR_ATTR_BEGIN, 2, (int64_t[]){0, 0});
        ir_set_ints(op, IR_ATTR_STEP, 2, (int64_t[]){1, 1});
        x = node_typed(n, op, ir_type_make(IR_F32, 2, (int64_t[]){used, channels}), NULL);
    }
    x = node_reshaped(n, node_transposed(n, x, (int64_t[]){1, 0}), 3, (int64_t[]){channels, used / block, block});
    ir_value *places = x ? block_numbers(n, f, block) : NULL;
    if (!places)
        return NULL;
    ir_op *op = node_emit2(n, IR_GATHER, x, places);
    ir_set_int(op, IR_ATTR_AXIS, 1);
    x = node_typed(n, op, ir_type_make(IR_F32, 4, (int64_t[]){channels, f->count, blocks, block}), NULL);
    return node_reshaped(n, x, 2, (int64_t[]){channels * f->count, f->window});
}

/* Frames times a Hann window that begins anew where they end, with zeros behind: [R, window] -> [R, length]. */
static ir_value *tapered(tflite_node *n, ir_value *x, int64_t window, int64_t length)
{
    float *hann = numbers(n, window);
    if (!hann)
        return NULL;
    for (int64_t i = 0; i < window; i++)
        hann[i] = (float)(0.5 - 0.5 * cos(2 * PI * (double)i / (double)window));
    x = node_binary(n, IR_MUL, x, node_reals(n, 1, &window, hann));
    if (!x || length == window)
        return x;
    ir_op *op = node_emit1(n, IR_PAD, x);
    ir_set_ints(op, IR_ATTR_BEFORE, 2, (int64_t[]){0, 0});
    ir_set_ints(op, IR_ATTR_AFTER, 2, (int64_t[]){0, length - window});
    return node_done(n, op);
}

bool tflite_op_audio_spectrogram(tflite_node *n)
{
    ir_value *x = tflite_input(n, 0);
    flex_map m;
    frames f;
    int64_t squared, length = 2;
    if (!x || !tflite_custom_map(n, &m) || !read_option(n, &m, "window_size", 2, NODE_MAX_SPECTRUM, &f.window) ||
        !read_option(n, &m, "stride", 1, 1 << 24, &f.stride) ||
        !read_option(n, &m, "magnitude_squared", 0, 1, &squared))
        return false;
    if (x->type.rank != 2 || x->type.dtype != IR_F32)
        return node_error(n, "samples of %d dimensions and type %s, expected 2 and f32", x->type.rank,
                          ir_dtype_text(x->type.dtype));
    const int64_t samples = x->type.dims[0], channels = x->type.dims[1];
    if (samples < f.window || channels < 1)
        return node_misfit(n, "a window of %lld samples does not fit into %lld", (long long)f.window,
                           (long long)samples);
    f.count = 1 + (samples - f.window) / f.stride;
    while (length < f.window)
        length *= 2;
    ir_value *rows = framed(n, x, &f);
    rows = rows ? tapered(n, rows, f.window, length) : NULL;
    ir_value *power = rows ? node_power_spectrum(n, rows) : NULL;
    if (power && !squared)
        power = node_unary(n, IR_SQRT, power);
    return power &&
           tflite_bind(n, 0, node_emit1(n, IR_RESHAPE, power), 3, (int64_t[]){channels, f.count, length / 2 + 1});
}

/* ---- Mfcc ---- */

typedef struct bands {
    int64_t low, high, channels, coefficients; /* frequencies in Hz */
} bands;

static double mel(double frequency) { return 1127 * log1p(frequency / 700); }

/* [channels, bins]: how much each frequency of the spectrum, `step` Hz apart, counts in each band.  The frequency 0 is in
 * none. */
static ir_value *band_weights(tflite_node *n, const bands *b, int64_t bins, double step)
{
    const double lowest = mel((double)b->low), between = (mel((double)b->high) - lowest) / (double)(b->channels + 1);
    const int64_t first = (int64_t)(1.5 + (double)b->low / step), last = (int64_t)((double)b->high / step);
    float *weights = numbers(n, b->channels * bins);
    if (!weights)
        return NULL;
    for (int64_t c = 0; c < b->channels; c++)
        for (int64_t i = first; i <= last; i++) {
            const double away = fabs(mel((double)i * step) - lowest - between * (double)(c + 1)) / between;
            weights[c * bins + i] = away < 1 ? (float)(1 - away) : 0;
        }
    return node_reals(n, 2, (int64_t[]){b->channels, bins}, weights);
}

/* [coefficients, channels]: the cosine transform, type II, orthogonal but for the first coefficient. */
static ir_value *cosines(tflite_node *n, const bands *b)
{
    float *to = numbers(n, b->coefficients * b->channels);
    if (!to)
        return NULL;
    for (int64_t i = 0; i < b->coefficients; i++)
        for (int64_t c = 0; c < b->channels; c++)
            to[i * b->channels + c] = (float)(sqrt(2.0 / (double)b->channels) *
                                              cos(PI * (double)i * ((double)c + 0.5) / (double)b->channels));
    return node_reals(n, 2, (int64_t[]){b->coefficients, b->channels}, to);
}

static bool read_bands(tflite_node *n, bands *b)
{
    flex_map m;
    if (!tflite_custom_map(n, &m) || !read_option(n, &m, "lower_frequency_limit", 0, 1 << 30, &b->low) ||
        !read_option(n, &m, "upper_frequency_limit", 0, 1 << 30, &b->high) ||
        !read_option(n, &m, "filterbank_channel_count", 1, MAX_CHANNELS, &b->channels) ||
        !read_option(n, &m, "dct_coefficient_count", 1, MAX_CHANNELS, &b->coefficients))
        return false;
    if (b->high <= b->low || b->coefficients > b->channels)
        return node_error(n, "bands from %lld to %lld Hz, %lld coefficients of %lld channels", (long long)b->low,
                          (long long)b->high, (long long)b->coefficients, (long long)b->channels);
    return true;
}

bool tflite_op_mfcc(tflite_node *n)
{
    ir_value *x = tflite_input(n, 0);
    bands b;
    int64_t rate;
    if (!x || !tflite_param_int(n, 1, "sample rate", &rate) || !read_bands(n, &b))
        return false;
    if (x->type.rank != 3 || x->type.dtype != IR_F32 || x->type.dims[2] < 2)
        return node_error(n, "a spectrum of %d dimensions and type %s, expected 3 and f32", x->type.rank,
                          ir_dtype_text(x->type.dtype));
    const int64_t dims[3] = {x->type.dims[0], x->type.dims[1], b.coefficients};
    const int64_t rows = dims[0] * dims[1], bins = x->type.dims[2];
    if (rate < 1 || 2 * b.high > rate)
        return node_error(n, "a band up to %lld Hz of %lld samples a second", (long long)b.high, (long long)rate);
    ir_value *weights = band_weights(n, &b, bins, 0.5 * (double)rate / (double)(bins - 1));
    x = weights ? node_unary(n, IR_SQRT, node_reshaped(n, x, 2, (int64_t[]){rows, bins})) : NULL;
    x = product(n, x, weights); /* one after the other: compilers differ in the order of arguments */
    x = node_binary(n, IR_MAXIMUM, x, node_real(n, 1e-12f));
    x = node_unary(n, IR_LOG, x);
    x = product(n, x, x ? cosines(n, &b) : NULL);
    return x && tflite_bind(n, 0, node_emit1(n, IR_RESHAPE, x), 3, dims);
}
