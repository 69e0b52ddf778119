/* weight_options.c: the two choices for weights, and what other quantizers call them. */
#include "compiler/weight_options.h"

typedef struct word {
    const char *name, *synonyms;
    bool yes;
} word;

static const word algorithms[] = {
    {"absmax",
     "abs_max channel_wise_abs_max minmax direct AbsMaxChannelWiseWeightObserver PerChannelAbsmaxQuantizer "
     "PerChannelMinMaxObserver MovingAveragePerChannelMinMaxObserver",
     false},
    {"mse", "l2 MSEChannelWiseWeightObserver MSEObserver", true},
};

static const word scales[] = {
    {"channel", "per_channel channel_wise", false},
    {"tensor", "per_tensor per_layer", true},
};

static bool choose(const word words[2], const char *value, bool *out, char *error, size_t size)
{
    for (int i = 0; i < 2; i++)
        if (options_word(words[i].name, value) || options_word(words[i].synonyms, value)) {
            *out = words[i].yes;
            return true;
        }
    snprintf(error, size, "'%s' is neither %s nor %s", value, words[0].name, words[1].name);
    return false;
}

/* Fewer bits are those of an experiment: 8 are what multiplications take. */
static bool set_bits(pass_calibration *c, const char *value, char *error, size_t size)
{
    long bits;
    if (!options_number(value, 2, 8, &bits, error, size))
        return false;
    c->weight_bits = (int)bits;
    return true;
}

bool weight_options_activation_bits(pass_calibration *c, const char *value, char *error, size_t size)
{
    long bits;
    if (!options_number(value, 2, 16, &bits, error, size))
        return false;
    c->activation_bits = (int)bits;
    if (bits > 8 && bits < 16)
        snprintf(error, size, "'%s' is neither 2 to 8 nor 16", value);
    return bits <= 8 || bits == 16;
}

const char *weight_options_problem(const pass_calibration *c)
{
    return c->weights_mse && c->weight_bits && c->weight_bits < 8
               ? "--weight-algo=mse cuts weights off at 8 bits: it does not go with --weight-bits"
               : NULL;
}

bool weight_options_set(pass_calibration *c, option_id id, const char *value, bool *out_known, char *error, size_t size)
{
    *out_known = true;
    switch (id) {
    case OPT_WEIGHT_ALGO: return choose(algorithms, value, &c->weights_mse, error, size);
    case OPT_WEIGHT_BITS: return set_bits(c, value, error, size);
    case OPT_WEIGHT_SCALES: return choose(scales, value, &c->weights_per_tensor, error, size);
    default: *out_known = false; return true;
    }
}
