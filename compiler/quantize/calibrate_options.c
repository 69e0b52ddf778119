/* calibrate_options.c: options of calibration, one by one and together. */
#include "compiler/quantize/calibrate_options.h"

#include <stdlib.h>
#include <string.h>

#include "compiler/shapes.h"
#include "compiler/weight_options.h"

#define THRESHOLD(ID, name, synonyms, doc) " " name
static const char algorithms[] = "there is no such algorithm; there are"
#include "compiler/quantize/statistics/thresholds.def"
    ;
#undef THRESHOLD

calibrate_options calibrate_defaults(void)
{
    return (calibrate_options){.preprocessing = PREPROCESSING_NONE,
                               .batch = 1,
                               .algo = THRESHOLD_AUTO,
                               .effort = 1,
                               .max_drop = -1,
                               .max_slowdown = -1,
                               .scheme = {.activation_bits = 8}};
}

static bool fail(char *error, size_t size, const char *format, const char *value)
{
    snprintf(error, size, format, value);
    return false;
}

/* One of two words. */
static bool set_either(bool *out, const char *value, const char *no, const char *yes, char *error, size_t size)
{
    *out = strcmp(value, yes) == 0;
    if (!*out && strcmp(value, no) != 0)
        snprintf(error, size, "'%s' is neither %s nor %s", value, no, yes);
    return *out || strcmp(value, no) == 0;
}

/* "0.99999" or "99.999%"; false: neither. */
static bool read_share(const char *value, double *out)
{
    char *end;
    *out = strtod(value, &end);
    if (end != value && strcmp(end, "%") == 0) {
        *out /= 100;
        end++;
    }
    return end != value && !*end;
}

static bool set_part(double *out, const char *value, char *error, size_t size)
{
    return (read_share(value, out) && *out >= 0 && *out <= 1) ||
           fail(error, size, "'%s' is neither a part of 1 nor a percentage", value);
}

static bool set_percentile(calibrate_options *c, const char *value, char *error, size_t size)
{
    return set_part(&c->percentile, value, error, size) &&
           (c->percentile > 0 || fail(error, size, "'%s' keeps nothing", value));
}

static bool set_min_sqnr(calibrate_options *c, const char *value, char *error, size_t size)
{
    return options_real(value, &c->min_sqnr, error, size) &&
           ((c->min_sqnr > 0 && c->min_sqnr <= 150) ||
            fail(error, size, "%s: no number of decibels from 0 to 150", value));
}

/* "0.05" or "5%"; more than 1 is more than twice the time. */
static bool set_slowdown(calibrate_options *c, const char *value, char *error, size_t size)
{
    return (read_share(value, &c->max_slowdown) && c->max_slowdown > 0 && c->max_slowdown <= 100) ||
           fail(error, size, "'%s' is no share of the time, as 0.05 or 5%%", value);
}

static bool set_effort(calibrate_options *c, const char *value, char *error, size_t size)
{
    long effort;
    if (!options_number(value, 0, 3, &effort, error, size))
        return false;
    c->effort = (int)effort;
    c->effort_given = true;
    return true;
}

/* One of the steps of phase `correct`. */
static bool skip(calibrate_options *c, const char *name)
{
    static const char *const names[] = {
#define PHASE(name, doc)
#define PASS(name, flags, doc)
#define STEP(name, doc) #name,
#include "passes/passes.def"
#undef PHASE
#undef PASS
#undef STEP
    };
    if (strcmp(name, "equalize") == 0)
        return c->skips_equalize = true;
    for (int i = 0; i < PASS_STEPS; i++)
        if (strcmp(names[i], name) == 0)
            return c->skipped[i] = true;
    return false;
}

static bool set_skip(calibrate_options *c, const char *value, char *error, size_t size)
{
    char name[32];
    for (const char *at = value; at; at = strchr(at, ',')) {
        at += *at == ',';
        snprintf(name, sizeof name, "%.*s", (int)strcspn(at, ","), at);
        if (!skip(c, name))
            return fail(error, size,
                        "'%s' is none of picture_bytes, equalize, cut_ranges, round_weights, correct_biases", name);
    }
    return true;
}

static bool set_algo(calibrate_options *c, const char *value, char *error, size_t size)
{
    c->algo_given = true;
    return threshold_find(value, &c->algo) || fail(error, size, "%s", algorithms);
}

static bool set_own(calibrate_options *c, option_id id, const char *value, bool *out_known, char *error, size_t size)
{
    *out_known = true;
    switch (id) {
    case OPT_CALIB: return driver_list_add(&c->samples, value, error, size);
    case OPT_CALIB_SAMPLES: return options_number(value, 1, 1000000000, &c->sample_count, error, size);
    case OPT_CALIB_BATCH: return options_number(value, 1, 1000000000, &c->batch, error, size);
    case OPT_SEED: c->seed_given = true; return options_number(value, 0, 1000000000, &c->seed, error, size);
    case OPT_SAVE_SCALES: c->save_scales = value; return true;
    case OPT_SCALES: c->scales = value; return true;
    case OPT_SAVE_STATS: c->save_stats = value; return true;
    case OPT_LOAD_STATS: return driver_list_add(&c->load_stats, value, error, size);
    case OPT_ALGO: return set_algo(c, value, error, size);
    case OPT_HIST_PERCENT: return set_percentile(c, value, error, size);
    case OPT_MIN_SQNR: return set_min_sqnr(c, value, error, size);
    case OPT_MAX_DROP: return set_part(&c->max_drop, value, error, size);
    case OPT_MAX_SLOWDOWN: return set_slowdown(c, value, error, size);
    case OPT_SKIP: return set_skip(c, value, error, size);
    case OPT_EFFORT: return set_effort(c, value, error, size);
    case OPT_ACTIVATION_SCALES: return set_either(&c->scheme.symmetric, value, "affine", "symmetric", error, size);
    case OPT_ACTIVATION_BITS: return weight_options_activation_bits(&c->scheme, value, error, size);
    default: *out_known = false; return true;
    }
}

bool calibrate_set(calibrate_options *c, option_id id, const char *value, bool *out_known, char *error, size_t size)
{
    if (!weight_options_set(&c->scheme, id, value, out_known, error, size))
        return false;
    c->weights_given = c->weights_given || *out_known;
    if (*out_known)
        return true;
    if (!set_own(c, id, value, out_known, error, size))
        return false;
    c->given = c->given || *out_known;
    if (*out_known)
        return true;
    const bool good = preprocess_set(&c->preprocessing, id, value, out_known, error, size);
    c->prepares = c->prepares || *out_known;
    return good;
}

bool calibrate_is_asked(const calibrate_options *c)
{
    return c->samples.count > 0 || c->load_stats.count > 0 || c->scales;
}

const char *calibrate_weights_problem(const calibrate_options *c) { return weight_options_problem(&c->scheme); }

const char *calibrate_complete(const calibrate_options *c, const driver_options *o)
{
    if (calibrate_is_asked(c) && o->quantize == PASS_QUANTIZE_NONE)
        return "--quantize=none and calibration exclude each other";
    if ((calibrate_is_asked(c) || c->given) && o->quantize == PASS_QUANTIZE_DYNAMIC)
        return "--quantize=dynamic and calibration exclude each other: ranges are found at run time";
    if ((c->samples.count > 0 || c->load_stats.count > 0) && shapes_count(o) > 1)
        return "samples are of one shape; lists of shapes take the ranges of one (--save-scales=FILE) by --scales=FILE";
    if (c->given && !calibrate_is_asked(c))
        return "options of calibration need samples, --calib, statistics, --load-stats, or ranges, --scales";
    if (c->weights_given && !calibrate_is_asked(c) && o->quantize != PASS_QUANTIZE_DYNAMIC)
        return "--weight-algo, --weight-bits and --weight-scales need --quantize=dynamic, or what calibration does (--calib, "
               "--scales)";
    if (c->prepares && !c->others_prepare && c->samples.count == 0)
        return "how pictures and numbers become samples is of use with samples only, --calib";
    if ((c->min_sqnr > 0 || c->max_drop >= 0 || c->max_slowdown >= 0) && c->samples.count == 0)
        return "--min-sqnr, --max-drop and --max-slowdown need samples, --calib: the model is run on them";
    if (c->effort_given && c->effort > 0 && c->samples.count == 0)
        return "--effort beyond 0 needs samples, --calib: statistics alone say nothing about biases";
    if (c->algo_given && c->algo == THRESHOLD_AUTO && c->samples.count == 0)
        return "--algo=auto needs samples, --calib: the model is run on them";
    return calibrate_weights_problem(c);
}
