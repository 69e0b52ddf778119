/* driver.c: the way from a model file to machine code, as one call a stage. */
#define _GNU_SOURCE
#include "compiler/driver.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "compiler/codegen/backend.h"
#include "compiler/progress.h"
#include "compiler/shapes.h"
#include "compiler/target/target.h"
#include "compiler/target/targets.h"
#include "frontends/frontend.h"
#include "ir/size_limits.h"
#include "passes/pass.h"

enum { MAX_BATCH = 65536 };

driver_options driver_defaults(option_program program)
{
    const char *target = program & (OPTION_RUN | OPTION_EVAL) ? "native" : TARGET_DEFAULT;
    return (driver_options){
        .rounding = IR_ROUNDING_EVEN_F32, .targets = target_set_of(target), .name = "model", .opt_level = 3};
}

/* ---- Options ---- */

static bool fail(char *error, size_t size, const char *format, const char *value)
{
    snprintf(error, size, format, value);
    return false;
}

bool driver_list_add(driver_list *list, const char *value, char *error, size_t error_size)
{
    if (list->count == DRIVER_MAX_LIST)
        return fail(error, error_size, "%s", "given too often");
    list->item[list->count++] = value;
    return true;
}

static bool set_rounding(driver_options *o, const char *value, char *error, size_t error_size)
{
    o->rounding_given = true;
    if (strcmp(value, "fp32") == 0)
        o->rounding = IR_ROUNDING_EVEN_F32;
    else if (strcmp(value, "tflite") == 0)
        o->rounding = IR_ROUNDING_FIXED_TWICE;
    else
        return fail(error, error_size, "'%s' is neither fp32 nor tflite", value);
    return true;
}

static bool set_target(driver_options *o, const char *value, char *error, size_t error_size)
{
    const char *unknown = target_set_parse(value, &o->targets);
    o->targets_given = true;
    if (unknown)
        snprintf(error, error_size, "unknown target '%.*s'; there are " TARGET_NAMES "native",
                 (int)strcspn(unknown, ","), unknown);
    return !unknown;
}

static bool pass_named(const char *value, char *error, size_t error_size)
{
    return pass_find(value) || fail(error, error_size, "there is no pass '%s' (see --list-passes)", value);
}

static bool kernel_named(const char *value, char *error, size_t error_size)
{
    for (int op = 0; op < IR_OPCODE_COUNT; op++)
        for (int i = 0; cg_kernel_name((ir_opcode)op, i); i++)
            if (strcmp(cg_kernel_name((ir_opcode)op, i), value) == 0)
                return true;
    return fail(error, error_size, "there is no kernel '%s' (see --list-kernels)", value);
}

static bool set_input_shape(driver_options *o, const char *value, char *error, size_t error_size)
{
    const char *colon = strrchr(value, ':'); /* names may contain colons themselves */
    if (!colon || colon == value || !shapes_well_formed(colon + 1))
        return fail(error, error_size, "'%s' is not of the form NAME:1x224x224x3", value);
    const size_t name = (size_t)(colon - value) + 1;
    for (int i = 0; i < o->input_shapes.count; i++)
        if (strncmp(o->input_shapes.item[i], value, name) == 0)
            return fail(error, error_size,
                        "'%s' is another shape of that name; several are a list, which shells leave "
                        "alone in quotes: 'NAME:1x{224,320}x3'",
                        value);
    return driver_list_add(&o->input_shapes, value, error, error_size);
}

static bool set_input_value(driver_options *o, const char *value, char *error, size_t error_size)
{
    const char *colon = strrchr(value, ':');
    if (!colon || colon == value || !colon[1])
        return fail(error, error_size, "'%s' is not of the form NAME:16000", value);
    return driver_list_add(&o->input_values, value, error, error_size);
}

static bool set_batch(driver_options *o, const char *value, char *error, size_t error_size)
{
    if (o->batch || o->batches)
        return fail(error, error_size,
                    "'%s' is another batch; several are a list, which shells leave alone in quotes: "
                    "'{1,8}'",
                    value);
    if (*value != '{')
        return options_number(value, 1, MAX_BATCH, &o->batch, error, error_size);
    if (!shapes_well_formed(value) || strchr(value, 'x'))
        return fail(error, error_size, "'%s' is not of the form {1,8}", value);
    for (const char *c = value; *c != '}'; c += 1 + strcspn(c + 1, ",}"))
        if (strtol(c + 1, NULL, 10) < 1 || strtol(c + 1, NULL, 10) > MAX_BATCH)
            return fail(error, error_size, "'%s' has a number that is not one from 1 to 65536", value);
    o->batches = value;
    return true;
}

static bool set_quantize(driver_options *o, const char *value, char *error, size_t error_size)
{
    static const struct {
        const char *name;
        pass_quantize_mode mode;
    } modes[] = {{"auto", PASS_QUANTIZE_AUTO},
                 {"none", PASS_QUANTIZE_NONE},
                 {"static", PASS_QUANTIZE_STATIC},
                 {"dynamic", PASS_QUANTIZE_DYNAMIC}};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
        if (strcmp(value, modes[i].name) == 0) {
            o->quantize = modes[i].mode;
            return true;
        }
    return fail(error, error_size, "'%s' is none of auto, none, static, dynamic", value);
}

bool driver_set(driver_options *o, option_id id, const char *value, bool *out_known, char *error, size_t error_size)
{
    long number;
    *out_known = true;
    switch (id) {
    case OPT_BATCH: return set_batch(o, value, error, error_size);
    case OPT_INPUT_SHAPE: return set_input_shape(o, value, error, error_size);
    case OPT_INPUT_VALUE: return set_input_value(o, value, error, error_size);
    case OPT_ROUNDING: return set_rounding(o, value, error, error_size);
    case OPT_QUANTIZE: return set_quantize(o, value, error, error_size);
    case OPT_QUANTIZED_OPS: return driver_list_add(&o->quantized_ops, value, error, error_size);
    case OPT_PARAMS: o->params = value; return true;
    case OPT_INFER_SCALES: o->infer_scales = true; return true;
    case OPT_MAX_SIZE: return options_size(value, &o->max_size, error, error_size);
    case OPT_KEEP_FLOAT: return driver_list_add(&o->keep_float, value, error, error_size);
    case OPT_TARGET:
    case OPT_TARGET_HERE: return set_target(o, value, error, error_size);
    case OPT_OPTIMIZE:
        if (!options_number(value, 0, 3, &number, error, error_size))
            return false;
        o->opt_level = (int)number;
        return true;
    case OPT_DEBUG: o->debug = true; return true;
    case OPT_JOBS: return options_number(value, 1, 1024, &o->jobs, error, error_size);
    case OPT_KERNEL:
        return kernel_named(value, error, error_size) && driver_list_add(&o->kernels, value, error, error_size);
    case OPT_PRINT_BEFORE:
        return pass_named(value, error, error_size) && driver_list_add(&o->print_before, value, error, error_size);
    case OPT_PRINT_AFTER:
        return pass_named(value, error, error_size) && driver_list_add(&o->print_after, value, error, error_size);
    case OPT_PRINT_AFTER_ALL: o->print_after_all = true; return true;
    case OPT_DUMP_DIR: o->dump_dir = value; return true;
    case OPT_VERIFY_EACH: o->verify_each = true; return true;
    case OPT_ROUND_TRIP_EACH: o->round_trip_each = true; return true;
    case OPT_TIME_PASSES: o->time_passes = true; return true;
    default: *out_known = false; return true;
    }
}

/* ---- Stages ---- */

bool driver_model_there(const char *path, diag *d)
{
    const ir_loc loc = {.file = path, .subgraph = -1, .node = -1};
    struct stat status;
    return strcmp(path, "-") == 0 || stat(path, &status) == 0 || diag_error(d, &loc, "%s", strerror(errno));
}

typedef bool head_check(const uint8_t *head, size_t size, const char *file, diag *);

/* Blocks double from one that the check looks at; NULL: no check. */
static bool read_all(FILE *file, const ir_loc *loc, head_check *check, uint8_t **out_bytes, size_t *out_size, diag *d)
{
    uint8_t *bytes = NULL;
    size_t size = 0, room = FRONTEND_HEAD_BYTES + 1;
    for (;;) {
        uint8_t *more = realloc(bytes, room);
        if (!more) {
            free(bytes);
            return diag_out_of_memory(d, loc);
        }
        bytes = more;
        errno = 0;
        size += fread(bytes + size, 1, room - size - 1, file);
        const int reason = errno;
        if (ferror(file) ? !diag_error(d, loc, "%s", strerror(reason)) : check && !check(bytes, size, loc->file, d)) {
            free(bytes);
            return false;
        }
        if (feof(file))
            break;
        check = NULL;
        room *= 2;
    }
    bytes[size] = 0;
    *out_bytes = bytes;
    *out_size = size;
    return true;
}

static bool read_checked(const char *path, head_check *check, uint8_t **out_bytes, size_t *out_size, diag *d)
{
    const bool is_stdin = strcmp(path, "-") == 0;
    const ir_loc loc = {.file = is_stdin ? "<stdin>" : path, .subgraph = -1, .node = -1};
    FILE *file = is_stdin ? stdin : fopen(path, "rbe");
    if (!file)
        return diag_error(d, &loc, "%s", strerror(errno));
    const bool good = read_all(file, &loc, check, out_bytes, out_size, d);
    if (!is_stdin)
        fclose(file);
    return good;
}

bool driver_read_file(const char *path, uint8_t **out_bytes, size_t *out_size, diag *d)
{
    return read_checked(path, NULL, out_bytes, out_size, d);
}

bool driver_read_model(const char *path, uint8_t **out_bytes, size_t *out_size, diag *d)
{
    return read_checked(path, frontend_recognise, out_bytes, out_size, d);
}

/* --params: the folder, malloc'd, and the file's name in it, "" if it is a folder itself. */
static bool split_params(const char *path, char **out_folder, const char **out_name, diag *d)
{
    const ir_loc loc = {.file = path, .subgraph = -1, .node = -1};
    const char *slash = strrchr(path, '/');
    struct stat info;
    if (stat(path, &info) != 0)
        return diag_error(d, &loc, "%s", strerror(errno));
    const bool whole = S_ISDIR(info.st_mode);
    *out_name = whole ? "" : slash ? slash + 1 : path;
    *out_folder = whole ? strdup(path) : slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    return *out_folder || diag_out_of_memory(d, &loc);
}

static ir_graph *import_shape(const driver_options *o, driver_module *m, const char *params, diag *d)
{
    const frontend_options options = {.batch = o->batch,
                                      .input_shapes = o->input_shapes.item,
                                      .input_shape_count = o->input_shapes.count,
                                      .input_values = o->input_values.item,
                                      .input_value_count = o->input_values.count,
                                      .open = model_files_open,
                                      .open_context = &m->beside,
                                      .params = params,
                                      .description = o->description,
                                      .max_bytes = o->max_size};
    return frontend_import(m->bytes, m->size, m->file, &options, d);
}

static bool import_shapes(const driver_options *o, driver_module *m, const char *params, diag *d)
{
    const ir_loc loc = {.file = m->file, .subgraph = -1, .node = -1};
    const int count = shapes_count(o);
    bool good = true;
    if (count > SHAPES_MOST)
        return diag_error(d, &loc, "the options list more than %d shapes", SHAPES_MOST);
    arena *texts = arena_new();
    for (int i = 0; good && i < count; i++) {
        driver_options one = shapes_take(o, i, texts);
        one.description = i ? NULL : o->description; /* of the first shape */
        ir_graph *graph = import_shape(&one, m, params, d);
        good = graph != NULL;
        if (good)
            *(i ? &m->further[m->further_count++] : &m->graph) = graph;
    }
    arena_free(texts);
    return good && shapes_fit(m, d);
}

bool driver_import(const driver_options *o, const char *path, driver_module *out, diag *d)
{
    char *found;
    if (!model_files_program(path, &found, d))
        return false;
    path = found ? found : path;
    *out = (driver_module){.file = strcmp(path, "-") == 0 ? "<stdin>" : path,
                           .found = found,
                           .beside = {.model = path, .outputs = o->files}};
    if ((found && o->files && !output_spares(o->files, found, d)) ||
        !driver_read_model(path, &out->bytes, &out->size, d)) {
        driver_module_free(out);
        return false;
    }
    char *folder = NULL;
    const char *params = NULL;
    if (o->params && !split_params(o->params, &folder, &params, d)) {
        driver_module_free(out);
        return false;
    }
    out->beside.folder = folder;
    const bool good = import_shapes(o, out, params, d);
    out->beside.folder = NULL;
    free(folder);
    if (!good)
        driver_module_free(out);
    return good;
}

static void write_stderr(void *context, const char *text, size_t length)
{
    (void)context;
    fwrite(text, 1, length, stderr);
}

/* Each dump is written at once: it is wanted most when a later pass fails. */
static bool write_dump(void *context, int number, const char *name, const char *text, size_t length, diag *d)
{
    const driver_options *o = context;
    char *path = NULL;
    if (asprintf(&path, "%s/%02d-%s.qir", o->dump_dir, number, name) < 0)
        return diag_out_of_memory(d, NULL);
    const int file = output_declare(o->files, path, 0666, d);
    free(path);
    return file != OUTPUT_NONE && output_add(o->files, file, text, length, d) && output_commit(o->files, d);
}

bool driver_wants_float(const driver_options *o)
{
    return o->quantize == PASS_QUANTIZE_NONE || o->quantize == PASS_QUANTIZE_DYNAMIC || o->keep_float.count ||
           o->quantized_ops.count || o->calibrate || o->calibration;
}

pass_options driver_pass_options(const driver_options *o, bool lower)
{
    return (pass_options){
        .quantize = o->quantize,
        .quantized_ops = {o->quantized_ops.item, o->quantized_ops.count},
        .keep_float = {o->keep_float.item, o->keep_float.count},
        .calibration = o->calibration,
        .infer_scales = o->infer_scales,
        .rounding = o->rounding,
        .rounding_given = o->rounding_given,
        .keep_unfused = o->opt_level == 0 && !lower,
        .exchange = o->exchange,
        .lower = lower,
        .opt_level = o->opt_level,
        .choose_kernel = cg_choose_kernel,
        .targets = o->targets,
        .live_bytes = o->live_bytes,
        .trains = o->trains,
        .near_bytes = o->whole_batches ? INT64_MAX : 0,
        .kernels = {o->kernels.item, o->kernels.count},
    };
}

typedef struct calibration_call {
    const driver_options *options;
    driver_module *module;
    pass_calibration *out;
    diag *diag;
    bool good;
} calibration_call;

static void run_calibration(void *context)
{
    calibration_call *c = context;
    c->good = c->options->calibrate(c->options->calibrate_context, c->options, c->module->graph, c->out, c->diag);
}

typedef struct settling {
    const ir_graph *from;
    ir_graph *to;
} settling;

static void copy_whole(void *context)
{
    settling *s = context;
    s->to = ir_graph_copy_whole(s->from);
}

/* Gives back what the graph needs no more: the bytes of the file, and the weights as they were in front of each pass.  For
 * the samples the model is compiled beside the graph, several times. */
static bool settle(driver_module *m, diag *d)
{
    const ir_loc loc = {.file = m->file, .subgraph = -1, .node = -1};
    settling s = {.from = m->graph};
    const arena_outcome outcome = arena_guard(copy_whole, &s);
    if (outcome != ARENA_DONE)
        return ir_limits_memory(d, &loc, outcome);
    ir_graph_free(m->graph);
    m->graph = s.to;
    if (m->further_count > 0) /* these alias the bytes, too */
        return true;
    free(m->bytes);
    m->bytes = NULL;
    m->size = 0;
    model_files_free(&m->beside);
    return true;
}

/* What is compiled on the way prints and dumps nothing; its steps do. */
static driver_options for_samples(const driver_options *o, const pass_debug *debug)
{
    driver_options quiet = *o;
    quiet.print_before.count = quiet.print_after.count = 0;
    quiet.print_after_all = quiet.time_passes = false;
    quiet.dump_dir = NULL;
    quiet.shown = debug;
    return quiet;
}

/* The pipeline, and in the middle of it the samples. */
static bool run_calibrated(const driver_options *o, driver_module *m, bool lower, const pass_debug *debug, diag *d)
{
    pass_options options = driver_pass_options(o, lower);
    pass_calibration found = {0};
    const driver_options quiet = for_samples(o, debug);
    calibration_call call = {&quiet, m, &found, d, false};
    if (!pass_run_phases(m->graph, &options, debug, o->first_phase, PASS_PHASE_real, d) || !settle(m, d))
        return false;
    const ir_loc loc = {.file = m->file, .subgraph = -1, .node = -1};
    const arena_outcome outcome = arena_guard(run_calibration, &call);
    if (outcome != ARENA_DONE)
        return ir_limits_memory(d, &loc, outcome);
    options.calibration = &found;
    return call.good && pass_run_phases(m->graph, &options, debug, PASS_PHASE_integer, PASS_PHASES - 1, d);
}

bool driver_passes(const driver_options *o, driver_module *m, bool lower, const char *const names[], int count, diag *d)
{
    int number = 0;
    const pass_options options = driver_pass_options(o, lower);
    const pass_debug debug = {
        .verify_each = o->verify_each,
        .round_trip_each = o->round_trip_each,
        .time = o->time_passes,
        .dump = o->dump_dir ? write_dump : NULL,
        .print_before = o->print_before.item,
        .print_before_count = o->print_before.count,
        .print_after = o->print_after.item,
        .print_after_count = o->print_after.count,
        .print_after_all = o->print_after_all,
        .write = write_stderr,
        .context = (void *)(uintptr_t)o,
        .number = &number,
    };
    if (o->dump_dir && mkdir(o->dump_dir, 0777) != 0 && errno != EEXIST) {
        const ir_loc loc = {.file = o->dump_dir, .subgraph = -1, .node = -1};
        return diag_error(d, &loc, "%s", strerror(errno));
    }
    if (names)
        return pass_run(m->graph, &options, &debug, names, count, d);
    return o->calibrate ? run_calibrated(o, m, lower, &debug, d)
                        : pass_run_phases(m->graph, &options, &debug, o->first_phase, PASS_PHASES - 1, d);
}

bool driver_optimize(const driver_options *o, driver_module *m, diag *d)
{
    return driver_passes(o, m, false, NULL, 0, d);
}

static bool lower(const driver_options *o, driver_module *m, diag *d)
{
    if (!driver_passes(o, m, true, NULL, 0, d))
        return false;
    const ir_loc loc = {.file = m->file, .subgraph = -1, .node = -1};
    const char *remark = ir_limits_remark(m->graph);
    if (remark)
        diag_warn(d, &loc, "%s", remark);
    return true;
}

bool driver_lower(const driver_options *o, driver_module *m, diag *d)
{
    for (int i = 0; i < m->further_count; i++) {
        driver_module of = {.file = m->file, .graph = m->further[i]};
        const bool good = lower(o, &of, d);
        m->further[i] = of.graph; /* another one, after calibration */
        if (!good)
            return false;
    }
    return lower(o, m, d);
}

bool driver_compile(const driver_options *o, const driver_module *m, cg_emit emit, cg_output *out, diag *d)
{
    const cg_options options = {
        .model_name = o->name,
        .targets = o->targets,
        .position_independent = o->shared,
        .debug = o->debug,
        .opt_level = o->opt_level,
        .external_weights = o->external_weights,
        .default_model = o->shared,
        .further = m->further,
        .further_count = m->further_count,
    };
    return cg_compile(m->graph, &options, emit, out, d);
}

void driver_module_free(driver_module *m)
{
    if (m->graph)
        ir_graph_free(m->graph);
    for (int i = 0; i < m->further_count; i++)
        ir_graph_free(m->further[i]);
    free(m->bytes);
    free(m->found);
    model_files_free(&m->beside);
    *m = (driver_module){0};
}

/* ---- Lists ---- */

void driver_list_passes(void)
{
    int count;
    const pass_info *passes = pass_list(&count);
    for (int i = 0; i < count; i++)
        printf("%-24s %s\n", passes[i].name, passes[i].doc);
}

void driver_list_ops(void)
{
    for (int i = 0; i < IR_OPCODE_COUNT; i++) {
        const ir_op_info *op = ir_op_info_of((ir_opcode)i);
        printf("%-22s %s\n%-22s operands: %s; results: %d", op->text, op->doc, "",
               *op->operands ? op->operands : "none", op->results);
        for (int k = 0; k < op->attr_count; k++)
            printf("%s%s", k ? ", " : "; attributes: ", ir_attr_info_of(op->attrs[k])->text);
        printf("\n");
    }
}

/* The words of declared attributes that only some values are supported of. */
static void print_limits(const char *words)
{
    const char *between = "; ";
    for (const char *end; words && *words; words = end) {
        words += strspn(words, " ");
        end = words + strcspn(words, " ");
        if (memchr(words, '=', (size_t)(end - words)) || memchr(words, ':', (size_t)(end - words))) {
            printf("%s%.*s", between, (int)(end - words), words);
            between = " ";
        }
    }
}

void driver_list_operators(void)
{
    frontend_support o;
    for (int i = 0; frontend_support_at(i, &o); i++) {
        char name[128];
        snprintf(name, sizeof name, "%s%s%s", o.domain, *o.domain ? "." : "", o.name);
        printf("%-7s %-52s ", o.format, name);
        if (!o.supported)
            printf("no%s%s", o.reason ? "; " : "", o.reason ? o.reason : "");
        else if (!o.counted)
            printf("yes");
        else if (o.oldest == o.newest)
            printf("%s %d", o.counted, o.newest);
        else
            printf("%ss %d-%d", o.counted, o.oldest, o.newest);
        if (o.supported)
            print_limits(o.attributes);
        printf("\n");
    }
}

void driver_list_targets(void)
{
    int count;
    const target_info *targets = target_list(&count);
    for (int i = 0; i < count; i++) {
        const char *lacking = target_lacking(&targets[i]);
        printf("%-22s %s%s%s\n", targets[i].name, targets[i].who, lacking ? "; " : "", lacking ? lacking : "");
    }
}

void driver_list_kernels(void)
{
    for (int op = 0; op < IR_OPCODE_COUNT; op++) {
        printf("%-22s", ir_op_info_of((ir_opcode)op)->text);
        for (int i = 0; cg_kernel_name((ir_opcode)op, i); i++)
            printf("%s %s", i ? "," : "", cg_kernel_name((ir_opcode)op, i));
        printf("\n");
    }
}

/* ---- Diagnostics ---- */

/* A message that begins with its place ("m.tflite: …") stands for itself; others get the program's name. */
static void print_line(const char *program, const char *text)
{
    const bool placeless = strncmp(text, "error:", 6) == 0 || strncmp(text, "warning:", 8) == 0;
    progress_stage(NULL);
    fprintf(stderr, "%s%s%s\n", placeless ? program : "", placeless ? ": " : "", text);
}

static void print_warning(void *context, const char *text) { print_line(context, text); }

diag driver_diag(option_program program, diag_refusals *refusals)
{
    *refusals = (diag_refusals){0};
    return (diag){
        .warn = print_warning, .context = (void *)(uintptr_t)options_program_name(program), .refusals = refusals};
}

void driver_print_error(option_program program, const diag *d)
{
    const char *name = options_program_name(program);
    const diag_refusals *r = d->refusals;
    for (int i = 0; i < r->count; i++)
        if (r->more[i])
            fprintf(stderr, "%s; so at %d more\n", r->text[i], r->more[i]);
        else
            print_line(name, r->text[i]);
    if (*r->summary)
        print_line(name, r->summary);
    if (!r->count || d->final)
        print_line(name, d->failed ? d->text : "error: failed without a diagnostic");
}
