/* session.c: opens a model in one of three ways, and gives all of them the same buffers. */
#define _GNU_SOURCE
#include "compiler/run/session.h"

#include <dlfcn.h>
#include <elf.h>
#include <malloc.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "compiler/codegen/object/jit.h"
#include "compiler/run/elf_file.h"
#include "compiler/run/npy.h"
#include "compiler/run/preprocess.h"
#include "compiler/shapes.h"
#include "compiler/target/target.h"
#include "ir/ref/interp.h"
#include "runtime/variant.h"

enum { ALIGNMENT = 64, HUGE_PAGE = 2 << 20 };

/* What is larger than the caches lies in huge pages, where the system has them: a step of training is 3 % faster. */
static void *buffer_new(size_t bytes)
{
    const size_t alignment = bytes < 2 * (size_t)HUGE_PAGE ? ALIGNMENT : HUGE_PAGE;
    const size_t whole = (bytes + alignment) / alignment * alignment; /* never 0 */
    void *buffer = aligned_alloc(alignment, whole);
    if (!buffer)
        return NULL;
    if (alignment == HUGE_PAGE)
        madvise(buffer, whole, MADV_HUGEPAGE); /* or not */
    memset(buffer, 0, whole);
    return buffer;
}

/* ---- Descriptions ---- */

qcc_tensor_info session_info_of(const ir_value *v, const char *name)
{
    qcc_tensor_info info = {.name = name,
                            .dtype = (qcc_dtype)v->type.dtype,
                            .rank = (uint32_t)v->type.rank,
                            .bytes = ir_type_bytes(&v->type)};
    for (int i = 0; i < v->type.rank; i++)
        info.dims[i] = v->type.dims[i];
    if (v->quant && v->quant->axis < 0) {
        info.scale = v->quant->scale[0];
        info.zero_point = v->quant->zero[0];
    }
    return info;
}

static bool describe(session *s, diag *d)
{
    const ir_graph *g = s->module.graph;
    s->input_count = s->model ? qcc_model_input_count(s->model) : (uint32_t)g->input_count;
    s->output_count = s->model ? qcc_model_output_count(s->model) : (uint32_t)g->output_count;
    s->inputs = calloc(s->input_count + 1, sizeof *s->inputs);
    s->outputs = calloc(s->output_count + 1, sizeof *s->outputs);
    s->input_types = calloc(s->input_count + 1, sizeof *s->input_types);
    s->output_types = calloc(s->output_count + 1, sizeof *s->output_types);
    s->input_buffers = calloc(s->input_count + 1, sizeof *s->input_buffers);
    s->output_buffers = calloc(s->output_count + 1, sizeof *s->output_buffers);
    if (!s->inputs || !s->outputs || !s->input_types || !s->output_types || !s->input_buffers || !s->output_buffers)
        return diag_error(d, NULL, "out of memory");
    for (uint32_t i = 0; i < s->input_count; i++) {
        s->inputs[i] = s->model ? *qcc_model_input(s->model, i) : session_info_of(g->inputs[i], g->input_names[i]);
        s->input_types[i] = s->model ? preprocess_type(&s->inputs[i]) : g->inputs[i]->type;
        s->input_buffers[i] = buffer_new(s->inputs[i].bytes);
    }
    for (uint32_t i = 0; i < s->output_count; i++) {
        s->outputs[i] = s->model ? *qcc_model_output(s->model, i) : session_info_of(g->outputs[i], g->output_names[i]);
        s->output_types[i] = s->model ? preprocess_type(&s->outputs[i]) : g->outputs[i]->type;
        s->output_buffers[i] = buffer_new(s->outputs[i].bytes);
    }
    for (uint32_t i = 0; i < s->input_count; i++)
        if (!s->input_buffers[i])
            return diag_error(d, NULL, "out of memory");
    for (uint32_t i = 0; i < s->output_count; i++)
        if (!s->output_buffers[i])
            return diag_error(d, NULL, "out of memory");
    return true;
}

/* ---- The three ways ---- */

static bool open_library(session *s, elf_file elf, const char *file, diag *d)
{
    const ir_loc loc = {.file = file, .subgraph = -1, .node = -1};
    char path[4096];
    if (elf.type == ET_REL)
        return diag_error(d, &loc,
                          "an object, which a program links; what can be run is a shared library, made by "
                          "qcc MODEL -o MODEL.so, or the model file itself");
    if (!elf.whole)
        return diag_error(d, &loc, "not a shared library that can be loaded: it ends before its segments do");
    snprintf(path, sizeof path, "%s%s", strchr(file, '/') ? "" : "./", file); /* not from the library path */
    s->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!s->library)
        return diag_error(d, &loc, "%s", dlerror());
    s->model = dlsym(s->library, "qcc_default_model");
    if (!s->model)
        return diag_error(d, &loc, "not a shared library made by qcc: no qcc_default_model");
    if (!qcc_model_is_known(s->model))
        return diag_error(d, &loc, "%s", qcc_status_text(QCC_BAD_MODEL));
    return true;
}

static bool open_interpreted(session *s, const driver_options *o, const char *file, diag *d)
{
    driver_options options = *o;
    options.opt_level = 0; /* as near to the file as it gets; --rounding still applies */
    const ir_loc loc = {.file = file, .subgraph = -1, .node = -1};
    if (!driver_import(&options, file, &s->module, d))
        return false;
    if (s->module.further_count)
        return diag_error(d, &loc, "the interpreter runs one shape: --batch and --input-shape can't have lists");
    if (!driver_optimize(&options, &s->module, d))
        return false;
    s->state = ir_state_new(s->module.graph);
    return true;
}

/* The module's graph. */
static bool lower(session *s, const driver_options *o, diag *d)
{
    const char *reason = target_set_lacking(o->targets);
    char names[TARGET_SET_TEXT];
    if (reason)
        return diag_error(d, NULL, "can't run code for target %s here: %s", target_set_text(o->targets, names), reason);
    return driver_lower(o, &s->module, d);
}

static bool compile(session *s, const driver_options *o, diag *d)
{
    cg_output code = {0};
    if (!driver_compile(o, &s->module, CG_EMIT_OBJECT, &code, d))
        return false;
    s->jit = cg_jit_load(&code, d);
    cg_output_free(&code);
    malloc_trim(0); /* weights are about to be there once more, in memory that is not malloc's */
    s->model = s->jit ? cg_jit_symbol(s->jit, o->name, d) : NULL;
    return s->model != NULL;
}

static bool open_compiled(session *s, const driver_options *o, const char *file, diag *d)
{
    return driver_import(o, file, &s->module, d) && lower(s, o, d) && compile(s, o, d);
}

static bool choose(session *s, const ir_loc *loc, diag *d)
{
    s->variant = s->model ? qcc_variant_here(s->model) : NULL;
    return !s->model || s->variant || diag_error(d, loc, "%s", qcc_status_text(QCC_UNSUPPORTED_CPU));
}

/* What every way needs to run. */
static bool get_ready(session *s, const ir_loc *loc, diag *d)
{
    if (!choose(s, loc, d) || !describe(s, d))
        return false;
    if (!s->model)
        return true;
    s->workspace = buffer_new(qcc_model_workspace_bytes(s->model));
    s->pool = s->threads > 1 ? qcc_pool_create(s->threads) : NULL;
    if (!s->workspace)
        return diag_out_of_memory(d, loc);
    if (s->threads > 1 && !s->pool)
        return diag_error(d, NULL, "cannot start %u threads", s->threads);
    qcc_reset(s->model, s->workspace);
    return true;
}

/* ---- Models of several shapes ---- */

/* Does the option, "NAME:1x224x224x3", say what the model has? */
static bool shape_matches(const qcc_model *model, const char *option)
{
    const char *colon = strrchr(option, ':');
    const size_t length = (size_t)(colon - option);
    for (unsigned i = 0; i < qcc_model_input_count(model); i++) {
        const qcc_tensor_info *info = qcc_model_input(model, i);
        const char *c = colon;
        bool same = strlen(info->name) == length && memcmp(info->name, option, length) == 0;
        for (uint32_t axis = 0; same && axis < info->rank; axis++) {
            char *end = NULL;
            same = (*c == ':' || *c == 'x') && strtoll(c + 1, &end, 10) == info->dims[axis];
            c = end;
        }
        if (same && !*c)
            return true;
    }
    return false;
}

static bool options_match(const qcc_model *model, const driver_options *o)
{
    for (unsigned i = 0; o->batch && i < qcc_model_input_count(model); i++) {
        const qcc_tensor_info *info = qcc_model_input(model, i);
        if (info->rank && info->dims[0] != o->batch)
            return false;
    }
    for (int i = 0; i < o->input_shapes.count; i++)
        if (!shape_matches(model, o->input_shapes.item[i]))
            return false;
    return true;
}

/* Says which there are: "x 1x3x32x100, or x 1x3x32x320, …", as many as fit. */
static bool shape_missing(const qcc_model *all, const ir_loc *loc, diag *d)
{
    char list[512] = "", text[IR_TYPE_TEXT_BYTES];
    size_t used = 0;
    for (unsigned i = 0; i < qcc_model_shape_count(all); i++) {
        const qcc_model *model = qcc_model_shape(all, i);
        for (unsigned k = 0; k < qcc_model_input_count(model) && used < sizeof list; k++) {
            const qcc_tensor_info *info = qcc_model_input(model, k);
            const ir_type type = ir_type_make(IR_U8, (int)info->rank, info->dims);
            const char *shape = strchr(ir_type_text(&type, text), '<') + 1;
            used += (size_t)snprintf(list + used, sizeof list - used, "%s%s %.*s",
                                     k   ? " and "
                                     : i ? ", or "
                                         : "",
                                     info->name, (int)strcspn(shape, ">"), shape);
        }
    }
    return diag_error(d, loc, "the library was not compiled for these shapes of its inputs, but for %s%s", list,
                      used < sizeof list ? "" : "…");
}

/* Of a library, what the options ask for; of a library with one shape they ask nothing. */
static bool choose_by_options(session *s, const driver_options *o, const ir_loc *loc, diag *d)
{
    const qcc_model *all = s->model;
    if (qcc_model_shape_count(all) == 1)
        return true;
    if (shapes_count(o) > 1)
        return diag_error(d, loc, "a library runs one shape at a time: --batch and --input-shape can't have lists");
    for (unsigned i = 0; i < qcc_model_shape_count(all); i++)
        if (options_match(qcc_model_shape(all, i), o)) {
            s->all_shapes = all;
            s->model = o->batch || o->input_shapes.count ? qcc_model_shape(all, i) : all;
            return true;
        }
    return shape_missing(all, loc, d);
}

/* ---- Opening and closing ---- */

bool session_open(session *s, const driver_options *o, const char *file, bool interpret, unsigned threads, diag *d)
{
    *s = (session){.threads = threads};
    const ir_loc loc = {.file = file, .subgraph = -1, .node = -1};
    const elf_file elf = strcmp(file, "-") == 0 ? (elf_file){.type = ET_NONE} : elf_file_look(file);
    bool good;
    if (elf.type != ET_NONE && interpret)
        good = diag_error(d, &loc, "compiled already: the interpreter needs the model file");
    else
        good = elf.type != ET_NONE ? open_library(s, elf, file, d) && choose_by_options(s, o, &loc, d)
               : interpret         ? open_interpreted(s, o, file, d)
                                   : open_compiled(s, o, file, d);
    good = good && get_ready(s, &loc, d);
    if (!good)
        session_close(s);
    return good;
}

bool session_lower_graph(session *s, const driver_options *o, ir_graph *g, unsigned threads, diag *d)
{
    const ir_loc loc = ir_graph_loc(g);
    *s = (session){.threads = threads, .module = {.file = loc.file ? loc.file : "graph", .graph = g}};
    const bool good = lower(s, o, d);
    if (!good)
        session_close(s);
    return good;
}

bool session_compile(session *s, const driver_options *o, diag *d)
{
    const ir_loc loc = ir_graph_loc(s->module.graph);
    const bool good = compile(s, o, d) && get_ready(s, &loc, d);
    if (!good)
        session_close(s);
    return good;
}

bool session_open_graph(session *s, const driver_options *o, ir_graph *g, unsigned threads, diag *d)
{
    return session_lower_graph(s, o, g, threads, d) && session_compile(s, o, d);
}

bool session_open_beside(session *s, const session *first, diag *d)
{
    *s = (session){.model = first->model, .threads = first->threads};
    const bool good = get_ready(s, NULL, d);
    if (!good)
        session_close(s);
    return good;
}

static void free_buffers(session *s)
{
    for (uint32_t i = 0; s->input_buffers && i < s->input_count; i++)
        free(s->input_buffers[i]);
    for (uint32_t i = 0; s->output_buffers && i < s->output_count; i++)
        free(s->output_buffers[i]);
    free(s->input_buffers);
    free(s->output_buffers);
    free(s->inputs);
    free(s->outputs);
    free(s->input_types);
    free(s->output_types);
    free(s->workspace);
    qcc_pool_destroy(s->pool);
}

void session_close(session *s)
{
    free_buffers(s);
    if (s->state)
        ir_state_free(s->state);
    if (s->jit)
        cg_jit_free(s->jit);
    if (s->library)
        dlclose(s->library);
    driver_module_free(&s->module);
    *s = (session){0};
}

bool session_take_shapes(session *s, const ir_type inputs[], uint32_t count, diag *d)
{
    const qcc_model *all = s->all_shapes ? s->all_shapes : s->model;
    if (!s->model || qcc_model_shape_count(all) == 1)
        return true;
    static const int64_t never[IR_MAX_RANK] = {-1};
    const int64_t **dims = calloc(s->input_count + 1, sizeof *dims);
    if (!dims)
        return diag_out_of_memory(d, NULL);
    for (uint32_t i = 0; i < count && i < s->input_count; i++)
        dims[i] = inputs[i].rank == s->input_types[i].rank ? inputs[i].dims : never;
    const qcc_model *chosen = qcc_model_with_shapes(all, dims);
    free(dims);
    if (!chosen)
        return shape_missing(all, NULL, d);
    free_buffers(s);
    s->all_shapes = all;
    s->model = chosen;
    return get_ready(s, NULL, d);
}

/* ---- Running ---- */

bool session_run(session *s, diag *d)
{
    const void *const *inputs = (const void *const *)s->input_buffers;
    if (!s->model)
        return ir_interpret(s->module.graph, inputs, s->output_buffers, s->state, d);
    const qcc_status status = qcc_run(s->model, inputs, s->output_buffers, s->workspace, s->pool);
    return status == QCC_OK || diag_error(d, NULL, "cannot run the model: %s", qcc_status_text(status));
}

void session_reset(session *s)
{
    if (s->model)
        qcc_reset(s->model, s->workspace);
    if (s->state) {
        ir_state_free(s->state);
        s->state = ir_state_new(s->module.graph);
    }
}

double session_real(const session *s, uint32_t output, int64_t index)
{
    const qcc_tensor_info *info = &s->outputs[output];
    const double q = npy_element(&s->output_types[output], s->output_buffers[output], index);
    return info->scale > 0 ? (double)info->scale * (q - info->zero_point) : q;
}

int64_t session_best(const session *s)
{
    const int64_t count = ir_type_elements(&s->output_types[0]);
    int64_t best = 0;
    for (int64_t i = 1; i < count; i++)
        if (session_real(s, 0, i) > session_real(s, 0, best))
            best = i;
    return best;
}

double session_sqnr(double signal, double noise) { return noise > 0 ? 10 * log10(signal / noise) : INFINITY; }

double session_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* ---- Numbers ---- */

static uint32_t mix(uint32_t x)
{
    x ^= x >> 16;
    x *= 0x85ebca6bu;
    x ^= x >> 13;
    x *= 0xc2b2ae35u;
    return x ^ x >> 16;
}

void session_fill_random(session *s, uint32_t input, uint32_t seed)
{
    const ir_type *type = &s->input_types[input];
    uint8_t *to = s->input_buffers[input];
    const size_t size = ir_dtype_bytes(type->dtype);
    const int64_t count = ir_type_elements(type);
    for (int64_t i = 0; i < count; i++, to += size) {
        const uint32_t h = mix((uint32_t)i * 0x9E3779B9u + seed * 0x85EBCA77u + 1);
        const float real = (float)(h >> 8) / 8388608.0f - 1.0f;
        const int64_t small = h % 8;
        const int16_t half = (int16_t)((int32_t)(h >> 16) - 32768);
        switch (type->dtype) {
        case IR_F32: memcpy(to, &real, size); break;
        case IR_F64: memcpy(to, &(double){(double)real}, size); break;
        case IR_F16: memcpy(to, &(uint16_t){ir_f32_to_f16(real)}, size); break;
        case IR_U8: *to = (uint8_t)(h >> 24); break;
        case IR_I8: *to = (uint8_t)((h >> 24) - 128); break;
        case IR_I16: memcpy(to, &half, size); break;
        case IR_BOOL: *to = (uint8_t)(h >> 31); break;
        default: memcpy(to, &small, size < sizeof small ? size : sizeof small); break;
        }
    }
}
