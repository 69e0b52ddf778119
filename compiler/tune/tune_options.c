/* tune_options.c: options of training, one by one and together. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/tune/tune.h"

static const double sgd_rate = 1e-3, adam_rate = 5e-4, adam_range_rate = 5e-3, pact_decay = 1e-4,
                    pact_range_rate = 1e-2;
enum { CALIBRATION_SAMPLES = 256, MOST = 1000000000 };

tune_options tune_defaults(void)
{
    tune_options o = {.calibration = calibrate_defaults()};
    o.calibration.seed_given = true; /* any samples, not those of the first class; of few, what qcc makes of them */
    o.calibration.seed_chooses = true;
    o.calibration.sample_count = CALIBRATION_SAMPLES;
    o.training = (trainer_options){.optimizer = {.kind = OPTIMIZER_ADAM, .schedule = SCHEDULE_COSINE, .momentum = 0.9},
                                   .batches = {.batch = 32, .validation = 0.1},
                                   .ranges = {.rate = 0.9},
                                   .norms = {.rate = 0.9},
                                   .epochs = 10};
    return o;
}

static bool fail(char *error, size_t size, const char *format, const char *value)
{
    snprintf(error, size, format, value);
    return false;
}

/* A number that is not negative. */
static bool set_real(double *out, const char *value, char *error, size_t size)
{
    return options_real(value, out, error, size) && (*out >= 0 || fail(error, size, "'%s' is negative", value));
}

/* "0.1" or "10%" */
static bool set_validation(double *out, const char *value, char *error, size_t size)
{
    char *end;
    *out = strtod(value, &end);
    const bool percent = end != value && strcmp(end, "%") == 0;
    *out /= percent ? 100 : 1;
    return (end != value && (percent || !*end) && *out >= 0 && *out < 1) ||
           fail(error, size, "'%s' is neither a part of 1, less than it, nor a percentage", value);
}

/* Which of two words. */
static bool set_word(int *out, const char *value, const char *first, const char *second, char *error, size_t size)
{
    *out = strcmp(value, second) == 0;
    if (!*out && strcmp(value, first) != 0)
        snprintf(error, size, "'%s' is neither %s nor %s", value, first, second);
    return *out || strcmp(value, first) == 0;
}

/* Which of three words it is, by its place. */
static bool set_one_of(int *out, const char *value, const char *const names[3], char *error, size_t size)
{
    for (*out = 0; *out < 3; ++*out)
        if (strcmp(value, names[*out]) == 0)
            return true;
    snprintf(error, size, "'%s' is none of %s, %s, %s", value, names[0], names[1], names[2]);
    return false;
}

static bool set_ranges(range_options *o, const char *value, char *error, size_t size)
{
    static const char *const names[] = {"moving-average", "range", "lsq"};
    static const range_kind kinds[] = {RANGES_MOVING_AVERAGE, RANGES_WHOLE, RANGES_LSQ};
    int i;
    if (!set_one_of(&i, value, names, error, size))
        return false;
    o->kind = kinds[i];
    return true;
}

/* "none", "pact", "pact:0.001" */
static bool set_preprocess(weight_clip_options *o, const char *value, char *error, size_t size)
{
    *o = (weight_clip_options){.pact = strncmp(value, "pact", 4) == 0, .decay_given = strncmp(value, "pact:", 5) == 0};
    if (o->decay_given)
        return set_real(&o->decay, value + 5, error, size);
    return strcmp(value, "none") == 0 || strcmp(value, "pact") == 0 ||
           fail(error, size, "'%s' is neither pact nor none", value);
}

static bool set_batch_norms(batch_norm_options *o, const char *value, char *error, size_t size)
{
    static const char *const names[] = {"frozen", "reestimate", "train"};
    static const batch_norm_kind kinds[] = {BATCH_NORMS_FROZEN, BATCH_NORMS_REESTIMATE, BATCH_NORMS_TRAIN};
    int i;
    if (!set_one_of(&i, value, names, error, size))
        return false;
    o->kind = kinds[i];
    return true;
}

/* "flip,shift:4,mix" */
static bool set_augment(augmentation *a, const char *value, char *error, size_t size)
{
    for (const char *at = value; *at;) {
        const size_t length = strcspn(at, ",");
        char *end = NULL;
        if (length == 4 && strncmp(at, "flip", length) == 0)
            a->flip = true;
        else if (length == 3 && strncmp(at, "mix", length) == 0)
            a->mix = true;
        else if (strncmp(at, "shift:", 6) == 0 && (a->shift = strtol(at + 6, &end, 10)) > 0 && a->shift <= 1024 &&
                 end == at + length)
            ;
        else
            return fail(error, size, "'%s' is not made of flip, shift:N and mix, between commas", value);
        at += length + (at[length] == ',');
    }
    return a->flip || a->shift > 0 || a->mix || fail(error, size, "%s", "nothing to change");
}

static bool set_optimizer(optimizer_options *o, option_id id, const char *value, char *error, size_t size)
{
    int word = 0;
    long warmup = 0;
    bool good = false;
    switch (id) {
    case OPT_RATE:
        return set_real(&o->rate, value, error, size) && (o->rate > 0 || fail(error, size, "it is %s", value));
    case OPT_MOMENTUM:
        return set_real(&o->momentum, value, error, size) &&
               (o->momentum < 1 || fail(error, size, "'%s' is not less than 1", value));
    case OPT_CLIP: return set_real(&o->clip, value, error, size);
    case OPT_WARMUP:
        good = options_number(value, 0, MOST, &warmup, error, size);
        o->warmup = warmup;
        return good;
    case OPT_OPTIMIZER:
        good = set_word(&word, value, "sgd", "adam", error, size);
        o->kind = word ? OPTIMIZER_ADAM : OPTIMIZER_SGD;
        return good;
    default:
        good = set_word(&word, value, "constant", "cosine", error, size);
        o->schedule = word ? SCHEDULE_COSINE : SCHEDULE_CONSTANT;
        return good;
    }
}

static bool set_training(tune_options *o, option_id id, const char *value, bool *out_known, char *error, size_t size)
{
    trainer_options *t = &o->training;
    int word = 0;
    bool good = false;
    switch (id) {
    case OPT_EPOCHS: return options_number(value, 1, 1000000, &t->epochs, error, size);
    case OPT_TUNE_BATCH: return options_number(value, 1, 65536, &t->batches.batch, error, size);
    case OPT_RATE:
    case OPT_MOMENTUM:
    case OPT_CLIP:
    case OPT_WARMUP:
    case OPT_OPTIMIZER:
    case OPT_SCHEDULE: return set_optimizer(&t->optimizer, id, value, error, size);
    case OPT_WEIGHT_DECAY: return set_real(&t->decay, value, error, size);
    case OPT_LOSS:
        good = set_word(&word, value, "cross-entropy", "squared-error", error, size);
        t->loss = word ? TRAINER_SQUARED_ERROR : TRAINER_CROSS_ENTROPY;
        return good;
    case OPT_MOVING_RATE:
        good = set_real(&t->ranges.rate, value, error, size) &&
               (t->ranges.rate < 1 || fail(error, size, "'%s' is not less than 1", value));
        t->norms.rate = t->ranges.rate;
        return good;
    case OPT_BATCH_NORMS: return set_batch_norms(&t->norms, value, error, size);
    case OPT_RANGE_RATE:
        return set_real(&t->range_rate, value, error, size) &&
               (t->range_rate > 0 || fail(error, size, "it is %s", value));
    case OPT_RANGES: o->ranges_given = true; return set_ranges(&t->ranges, value, error, size);
    case OPT_PACT:
        o->ranges_given = true;
        t->ranges.kind = RANGES_PACT;
        return set_real(&t->ranges.decay, value, error, size);
    case OPT_WEIGHT_PREPROCESS: return set_preprocess(&t->weight_clips, value, error, size);
    case OPT_CALIB_COPIES: return options_number(value, 0, 1000, &o->calibration.copies, error, size);
    case OPT_AUGMENT: return set_augment(&t->batches.augmentation, value, error, size);
    case OPT_TUNE_MEMORY: return options_size(value, &t->memory, error, size);
    case OPT_TUNE_QUANTIZE:
        good = set_word(&word, value, "static", "none", error, size);
        o->real = word;
        return good;
    case OPT_VALIDATION: return set_validation(&t->batches.validation, value, error, size);
    case OPT_VALIDATE_EVERY: return options_number(value, 1, MOST, &o->validate_every, error, size);
    case OPT_CHECKPOINT: o->checkpoint = value; return true;
    case OPT_SAVE_SIMULATED: o->simulated = value; return true;
    case OPT_RESUME: o->resume = true; return true;
    default: *out_known = false; return true;
    }
}

static bool set_samples(tune_options *o, option_id id, const char *value, bool *out_known, char *error, size_t size)
{
    long threads = 0;
    bool good = false;
    switch (id) {
    case OPT_DATA: o->samples.data = value; return true;
    case OPT_LABELS: o->samples.labels = value; return true;
    case OPT_LABEL_COLUMN: o->samples.label_column = value; return true;
    case OPT_LABEL_OFFSET: return options_number(value, -1000000, 1000000, &o->samples.label_offset, error, size);
    case OPT_LIMIT: return options_number(value, 1, MOST, &o->samples.limit, error, size);
    case OPT_THREADS:
        good = options_number(value, 1, 1024, &threads, error, size);
        o->training.threads = (unsigned)threads;
        return good;
    case OPT_SEED:
        return options_number(value, 0, MOST, &o->training.batches.seed, error, size) &&
               calibrate_set(&o->calibration, id, value, out_known, error, size);
    default: return calibrate_set(&o->calibration, id, value, out_known, error, size);
    }
}

bool tune_set(tune_options *o, option_id id, const char *value, bool *out_known, char *error, size_t size)
{
    *out_known = true;
    const bool good = set_training(o, id, value, out_known, error, size);
    return *out_known ? good : (*out_known = true, set_samples(o, id, value, out_known, error, size));
}

/* What is trained in real numbers has no use for ranges. */
static const char *real_problem(const tune_options *o)
{
    const calibrate_options *c = &o->calibration;
    if (o->simulated)
        return "--quantize=none simulates no integers: there is no graph for --save-simulated";
    if (!o->samples.labels)
        return "--quantize=none goes with --labels: there are no integers to be taught by the model of real numbers";
    if (o->ranges_given || o->training.weight_clips.pact || c->samples.count || c->copies || c->algo_given ||
        c->min_sqnr > 0 || c->max_slowdown >= 0 || c->effort_given || c->weights_given || c->scheme.symmetric ||
        c->scheme.activation_bits != 8)
        return "--quantize=none makes no integers: options that say how they are chosen mean nothing";
    return NULL;
}

const char *tune_complete(tune_options *o)
{
    trainer_options *t = &o->training;
    if (!o->samples.data)
        return "no samples given: --data is missing";
    if (o->resume && !o->checkpoint)
        return "--resume goes on from a file: --checkpoint is missing";
    if (t->batches.augmentation.mix && o->samples.labels)
        return "--augment=mix goes without --labels: what two samples together are no label says";
    if (o->calibration.copies && !augment_is_asked(&t->batches.augmentation))
        return "--calib-copies are changed samples: --augment, which says how, is missing";
    o->calibration.augmentation = t->batches.augmentation;
    if (o->calibration.copies && !o->calibration.algo_given)
        o->calibration.algo = THRESHOLD_MINMAX; /* the test of a cut takes samples to be independent */
    if (o->real && real_problem(o))
        return real_problem(o);
    if (calibrate_weights_problem(&o->calibration))
        return calibrate_weights_problem(&o->calibration);
    if (!o->ranges_given && !o->samples.labels)
        t->ranges.kind = RANGES_LSQ;
    const pass_calibration *scheme = &o->calibration.scheme;
    if (scheme->activation_bits > 8)
        return "--activation-bits=16 rounds next to nothing that training could make up for: qcc has it";
    const bool norms = t->norms.kind != BATCH_NORMS_FROZEN;
    const bool bytes = !norms && !t->weight_clips.pact && (scheme->weight_bits == 0 || scheme->weight_bits == 8) &&
                       scheme->activation_bits == 8;
    if (!o->calibration.effort_given && !o->samples.labels && bytes)
        o->calibration.effort = 2;
    t->keep_weights = o->calibration.effort >= 2;
    if (t->weight_clips.pact && t->keep_weights)
        return "--weight-preprocess=pact trains weights, which --effort=2 has rounded, and keeps: it goes with --effort=1";
    if (norms && t->keep_weights)
        return "--batch-norms=reestimate and train change weights, which stay as they are with --effort=2";
    if (!t->weight_clips.decay_given)
        t->weight_clips.decay = t->ranges.kind == RANGES_PACT ? t->ranges.decay : pact_decay;
    if (t->loss == TRAINER_SQUARED_ERROR && o->samples.labels)
        return "--labels goes with --loss=cross-entropy";
    if (t->optimizer.rate == 0)
        t->optimizer.rate = t->optimizer.kind == OPTIMIZER_ADAM ? adam_rate : sgd_rate;
    if (t->range_rate == 0 && t->optimizer.kind == OPTIMIZER_ADAM)
        t->range_rate = t->ranges.kind == RANGES_PACT || t->weight_clips.pact
                            ? pact_range_rate
                            : fmax(adam_range_rate, t->optimizer.rate);
    return NULL;
}
