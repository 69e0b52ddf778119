/* config.c: a row for each key: what it may be, and which option it is. */
#include "compiler/tune/config.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

typedef struct reader {
    tune_config *config;
    option_fn *set;
    void *context;
    const char *key;
    char *error;
    size_t size;
} reader;

static bool fail(const reader *r, const char *why)
{
    snprintf(r->error, r->size, "'%s' %s", r->key, why);
    return false;
}

static bool give(const reader *r, option_id id, const char *value)
{
    char reason[256] = "";
    return r->set(r->context, id, value, reason, sizeof reason) || fail(r, reason);
}

/* ---- Kinds of values ---- */

typedef struct word {
    const char *name, *value; /* of the file; of the option, NULL: says nothing */
} word;

static bool read_word(const reader *r, const json_t *value, option_id id, const word words[], const char *why)
{
    const char *text = json_is_null(value) ? "None" : json_string_value(value);
    for (int i = 0; text && words[i].name; i++)
        if (strcmp(text, words[i].name) == 0)
            return !words[i].value || give(r, id, words[i].value);
    return fail(r, why);
}

static bool read_number(const reader *r, const json_t *value, option_id id)
{
    char text[64];
    if (json_is_integer(value))
        snprintf(text, sizeof text, "%lld", (long long)json_integer_value(value));
    else if (json_is_real(value))
        snprintf(text, sizeof text, "%.17g", json_real_value(value));
    else
        return fail(r, "is no number");
    return give(r, id, text);
}

/* A text, or a list of them. */
static bool each_text(reader *r, const json_t *value, bool (*take)(reader *, const char *))
{
    if (json_is_string(value))
        return take(r, json_string_value(value));
    if (!json_is_array(value))
        return fail(r, "is no list of names");
    for (size_t i = 0; i < json_array_size(value); i++) {
        const char *text = json_string_value(json_array_get(value, i));
        if (!text)
            return fail(r, "has something in it that is no name");
        if (!take(r, text))
            return false;
    }
    return true;
}

/* ---- Keys ---- */

static bool weight_type(reader *r, const json_t *value)
{
    static const word words[] = {{"channel_wise_abs_max", "channel"}, {"abs_max", "tensor"}, {NULL, NULL}};
    return read_word(r, value, OPT_WEIGHT_SCALES, words, "is neither channel_wise_abs_max nor abs_max");
}

static bool activation_type(reader *r, const json_t *value)
{
    static const word words[] = {
        {"moving_average_abs_max", "moving-average"}, {"range_abs_max", "range"}, {"lsq", "lsq"}, {NULL, NULL}};
    return read_word(r, value, OPT_RANGES, words,
                     "is none of moving_average_abs_max, range_abs_max, lsq: ranges are known before a model is run");
}

static bool weight_preprocess(reader *r, const json_t *value)
{
    static const word words[] = {{"None", NULL}, {"PACT", "pact"}, {NULL, NULL}};
    return read_word(r, value, OPT_WEIGHT_PREPROCESS, words, "is neither null nor PACT");
}

static bool activation_preprocess(reader *r, const json_t *value)
{
    static const word words[] = {{"None", NULL}, {"PACT", "0.0001"}, {NULL, NULL}};
    return read_word(r, value, OPT_PACT, words, "is neither null nor PACT");
}

static bool weight_bits(reader *r, const json_t *value) { return read_number(r, value, OPT_WEIGHT_BITS); }
static bool activation_bits(reader *r, const json_t *value) { return read_number(r, value, OPT_ACTIVATION_BITS); }
static bool moving_rate(reader *r, const json_t *value) { return read_number(r, value, OPT_MOVING_RATE); }

/* Of range_abs_max, whose window is the whole training. */
static bool window(reader *r, const json_t *value)
{
    return (json_is_integer(value) && json_integer_value(value) >= 1) || fail(r, "is no number of steps");
}

static bool take_op(reader *r, const char *name)
{
    static const word layers[] = {
        {"Conv2D", "conv2d,depthwise_conv2d"}, {"Conv2DTranspose", "transpose_conv2d"}, {"Linear", "fc"}};
    for (int i = 0; i < 3; i++)
        if (strcmp(name, layers[i].name) == 0)
            return give(r, OPT_QUANTIZED_OPS, layers[i].value);
    return give(r, OPT_QUANTIZED_OPS, name);
}

static bool ops(reader *r, const json_t *value) { return each_text(r, value, take_op); }

/* A layer in whose name it is stays real.  What Paddle marks layers with itself leaves no trace in a file. */
static bool take_pattern(reader *r, const char *name)
{
    tune_config *c = r->config;
    const size_t size = strlen(name) + 3;
    if (strcmp(name, "skip_quant") == 0)
        return true;
    if (c->pattern_count == (int)(sizeof c->patterns / sizeof *c->patterns))
        return fail(r, "is too long a list");
    char *text = c->patterns[c->pattern_count++] = malloc(size);
    if (!text)
        return fail(r, "does not fit into memory");
    snprintf(text, size, "*%s*", name);
    return give(r, OPT_KEEP_FLOAT, text);
}

static bool patterns(reader *r, const json_t *value) { return each_text(r, value, take_pattern); }

static bool dtype(reader *r, const json_t *value)
{
    return (json_is_string(value) && strcmp(json_string_value(value), "int8") == 0) || fail(r, "is not int8");
}

static bool no(reader *r, const json_t *value) { return json_is_false(value) || fail(r, "is not false"); }
static bool either(reader *r, const json_t *value)
{
    return json_is_boolean(value) || fail(r, "is neither true nor false");
}

/* Not fused, they are trained with the statistics of batches. */
static bool batch_norms(reader *r, const json_t *value)
{
    return json_is_false(value) ? give(r, OPT_BATCH_NORMS, "train") : either(r, value);
}

/* In the order in which options count: PACT takes the place of how ranges are found otherwise. */
static const struct {
    const char *name;
    bool (*read)(reader *, const json_t *);
} keys[] = {
    {"weight_quantize_type", weight_type},
    {"activation_quantize_type", activation_type},
    {"weight_preprocess_type", weight_preprocess},
    {"activation_preprocess_type", activation_preprocess},
    {"weight_bits", weight_bits},
    {"activation_bits", activation_bits},
    {"moving_rate", moving_rate},
    {"window_size", window},
    {"quantizable_layer_type", ops},
    {"quantize_op_types", ops},
    {"not_quant_pattern", patterns},
    {"dtype", dtype},
    {"for_tensorrt", no},
    {"is_full_quantize", no},
    {"fuse_conv_bn", batch_norms},
    {"onnx_format", either}, /* how Paddle writes its file */
};
enum { KEYS = sizeof keys / sizeof keys[0] };

static bool check_keys(reader *r, json_t *root)
{
    const char *key;
    json_t *value;
    json_object_foreach(root, key, value)
    {
        bool known = false;
        for (int i = 0; i < KEYS; i++)
            known = known || strcmp(key, keys[i].name) == 0;
        r->key = key;
        if (!known)
            return fail(r, "is no key of such a configuration");
    }
    return true;
}

bool tune_config_read(tune_config *c, const char *path, option_fn *set, void *context, char *error, size_t size)
{
    json_error_t where;
    reader r = {.config = c, .set = set, .context = context, .key = path, .error = error, .size = size};
    if (c->root)
        return fail(&r, "is a second configuration");
    c->root = json_load_file(path, JSON_REJECT_DUPLICATES, &where);
    if (!c->root) {
        snprintf(error, size, "%s: line %d: %s", path, where.line, where.text);
        return false;
    }
    if (!json_is_object((json_t *)c->root))
        return fail(&r, "is no object of JSON");
    if (!check_keys(&r, c->root))
        return false;
    for (int i = 0; i < KEYS; i++) {
        const json_t *value = json_object_get(c->root, keys[i].name);
        r.key = keys[i].name;
        if (value && !keys[i].read(&r, value))
            return false;
    }
    return true;
}

void tune_config_close(tune_config *c)
{
    for (int i = 0; i < c->pattern_count; i++)
        free(c->patterns[i]);
    json_decref(c->root);
    *c = (tune_config){0};
}
