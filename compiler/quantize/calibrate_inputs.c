/* calibrate_inputs.c: which samples belong to which input, and which of them are used. */
#define _GNU_SOURCE
#include "compiler/quantize/calibrate_inputs.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "compiler/run/npy.h"
#include "compiler/run/preprocess.h"
#include "compiler/run/session.h"

/* ---- Which path is for which input ---- */

static int input_called(const calibrate_inputs *c, const char *name, size_t length)
{
    for (int i = 0; i < c->inputs; i++)
        if (strlen(c->infos[i].name) == length && strncmp(c->infos[i].name, name, length) == 0)
            return i;
    return -1;
}

/* The input that "INPUT:PATH" names, and the path; -1: it is a path and nothing else.  Names and paths may contain
 * colons. */
static int split(const calibrate_inputs *c, const char *text, const char **out_path)
{
    for (const char *colon = strchr(text, ':'); colon; colon = strchr(colon + 1, ':')) {
        const int input = input_called(c, text, (size_t)(colon - text));
        *out_path = colon + 1;
        if (input >= 0)
            return input;
    }
    *out_path = text;
    return -1;
}

static bool load(calibrate_inputs *c, int input, const char *path, diag *d)
{
    const ir_loc loc = {.file = path, .subgraph = -1, .node = -1};
    if (c->sets[input].count > 0)
        return diag_error(d, &loc, "input '%s' has its samples already", c->infos[input].name);
    return samples_load(path, &c->options->preprocessing.raw, &c->infos[input], &c->sets[input], d);
}

/* A folder that holds "INPUT" (a folder or list) or "INPUT.npy" for each input. */
static bool load_each(calibrate_inputs *c, const char *folder, diag *d)
{
    static const char *const endings[] = {"", ".npy", ".txt"};
    const ir_loc loc = {.file = folder, .subgraph = -1, .node = -1};
    for (int i = 0; i < c->inputs; i++) {
        char *path = NULL;
        struct stat status;
        bool found = false;
        for (size_t k = 0; !found && k < sizeof endings / sizeof endings[0]; k++) {
            free(path);
            if (asprintf(&path, "%s/%s%s", folder, c->infos[i].name, endings[k]) < 0)
                return diag_out_of_memory(d, &loc);
            found = stat(path, &status) == 0;
        }
        const bool good =
            found ? load(c, i, path, d)
                  : diag_error(d, &loc, "the model has %d inputs, and here is nothing called as its input '%s'",
                               c->inputs, c->infos[i].name);
        free(path);
        if (!good)
            return false;
    }
    return true;
}

/* "INPUT:PATH" with an input that the model has not. */
static bool names_no_input(const calibrate_inputs *c, const char *text, diag *d)
{
    const ir_loc loc = {.file = text, .subgraph = -1, .node = -1};
    char names[256] = "";
    size_t used = 0;
    for (int i = 0; i < c->inputs && used < sizeof names; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s'%s'", i ? ", " : "", c->infos[i].name);
    return diag_error(d, &loc, "no such file, and no input '%.*s': the model has %s%s", (int)strcspn(text, ":"), text,
                      names, used < sizeof names ? "" : "…");
}

static bool load_all(calibrate_inputs *c, diag *d)
{
    const driver_list *list = &c->options->samples;
    for (int i = 0; i < list->count; i++) {
        const char *path;
        const int input = split(c, list->item[i], &path);
        struct stat status;
        if (input < 0 && strchr(path, ':') && stat(path, &status) != 0)
            return names_no_input(c, path, d);
        const bool one = input >= 0 || c->inputs == 1;
        if (one ? !load(c, input < 0 ? 0 : input, path, d) : !load_each(c, path, d))
            return false;
    }
    for (int i = 0; i < c->inputs; i++) {
        if (c->sets[i].count == 0)
            return diag_error(d, NULL, "no samples for input '%s': --calib=%s:PATH is missing", c->infos[i].name,
                              c->infos[i].name);
        if (c->sets[i].count != c->sets[0].count)
            return diag_error(d, NULL, "%d samples for input '%s', %d for '%s'", c->sets[i].count, c->infos[i].name,
                              c->sets[0].count, c->infos[0].name);
    }
    return true;
}

/* ---- Which are used ---- */

/* The first ones, or with a seed any ones, in any order. */
static bool choose(calibrate_inputs *c, diag *d)
{
    const int all = c->inputs ? c->sets[0].count : 0;
    const long wanted = c->options->sample_count;
    chance any = {(uint64_t)c->options->seed};
    c->order = calloc((size_t)all + 1, sizeof *c->order);
    if (!c->order)
        return diag_out_of_memory(d, NULL);
    for (int i = 0; i < all; i++)
        c->order[i] = i;
    c->once = wanted && wanted < all ? (int)wanted : all;
    if (c->options->seed_given && (c->once < all || !c->options->seed_chooses))
        chance_shuffle(&any, c->order, all);
    c->count = c->once;
    if (c->options->copies > (INT_MAX - c->once) / (c->once + 1))
        return diag_error(d, NULL, "%ld copies of %d samples are too many", c->options->copies, c->once);
    c->count += (int)c->options->copies * c->once;
    for (int i = 0; c->options->copies && i < c->inputs; i++)
        if (!augment_check(&c->options->augmentation, &c->infos[i], d))
            return false;
    return true;
}

/* ---- The whole ---- */

static bool open_inputs(calibrate_inputs *c, const ir_graph *g, diag *d)
{
    c->infos = calloc((size_t)g->input_count + 1, sizeof *c->infos);
    c->sets = calloc((size_t)g->input_count + 1, sizeof *c->sets);
    if (!c->infos || !c->sets)
        return diag_out_of_memory(d, NULL);
    for (int i = 0; i < g->input_count; i++) {
        c->infos[i] = session_info_of(g->inputs[i], g->input_names[i]);
        c->sets[i] = SAMPLES_NONE;
    }
    c->inputs = g->input_count;
    return load_all(c, d) && choose(c, d);
}

bool calibrate_inputs_open(const calibrate_options *o, const ir_graph *g, calibrate_inputs *out, diag *d)
{
    *out = (calibrate_inputs){.options = o};
    if (open_inputs(out, g, d))
        return true;
    calibrate_inputs_close(out);
    return false;
}

void calibrate_inputs_close(calibrate_inputs *c)
{
    for (int i = 0; i < c->inputs; i++)
        samples_free(&c->sets[i]);
    free(c->sets);
    free(c->infos);
    free(c->order);
    *c = (calibrate_inputs){0};
}

const char *calibrate_inputs_name(const calibrate_inputs *c, int index, char text[SAMPLE_NAME_BYTES])
{
    return sample_name(&c->sets[0], c->order[index % c->once], text);
}

/* A number that is not finite would be in every statistic. */
static bool check_finite(const calibrate_inputs *c, int input, int index, const void *data, diag *d)
{
    const qcc_tensor_info *info = &c->infos[input];
    char name[SAMPLE_NAME_BYTES];
    const ir_type type = preprocess_type(info);
    for (int64_t i = 0; ir_dtype_is_float(type.dtype) && i < ir_type_elements(&type); i++) {
        const double real = npy_element(&type, data, i);
        if (!isfinite(real))
            return diag_error(d, NULL, "%s: element %lld of input '%s' is %s",
                              sample_name(&c->sets[input], c->order[index % c->once], name), (long long)i, info->name,
                              isnan(real) ? "not a number" : "infinite");
    }
    return true;
}

typedef struct one_input {
    const calibrate_inputs *all;
    int input;
} one_input;

static bool read_sample(void *context, int64_t number, void *to, diag *d)
{
    const one_input *x = context;
    const calibrate_inputs *c = x->all;
    return sample_fill(&c->sets[x->input], c->order[number], &c->options->preprocessing, &c->infos[x->input], to, d);
}

/* A copy is changed by chance of its own. */
static bool fill_one(const calibrate_inputs *c, int input, int index, void *to, diag *d)
{
    one_input x = {c, input};
    const augment_others others = {read_sample, &x, c->once};
    const calibrate_options *o = c->options;
    return read_sample(&x, index % c->once, to, d) && check_finite(c, input, index, to, d) &&
           (index < c->once ||
            augment_sample(&o->augmentation, o->preprocessing.layout, &c->infos[input],
                           chance_of(o->seed, -2 - index / c->once, c->order[index % c->once]), &others, to, d));
}

bool calibrate_inputs_fill(const calibrate_inputs *c, int index, void *const buffers[], diag *d)
{
    for (int i = 0; i < c->inputs; i++)
        if (!fill_one(c, i, index, buffers[i], d))
            return false;
    return true;
}

bool calibrate_inputs_labels(const calibrate_inputs *c, long labels[], diag *d)
{
    char name[SAMPLE_NAME_BYTES];
    for (int i = 0; i < c->count; i++) {
        if (!sample_label(&c->sets[0], &c->options->preprocessing.raw, c->order[i % c->once], &labels[i], d))
            return false;
        if (labels[i] < 0)
            return diag_error(d, NULL,
                              "%s has no class: --max-drop needs one, behind a tab in a list of samples, or behind "
                              "raw samples (--raw)",
                              calibrate_inputs_name(c, i, name));
    }
    return true;
}
