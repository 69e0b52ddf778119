/* driver.h: what qcc, qcc-run, qcc-eval and qcc-opt share: model file -> graph -> passes -> machine code.
 *
 *     driver_options o = driver_defaults(OPTION_QCC);
 *     … driver_set(&o, OPT_TARGET, "native", …) …
 *     driver_module m;
 *     if (driver_import(&o, "m.tflite", &m, &d) && driver_lower(&o, &m, &d) && driver_compile(…)) …
 *     driver_module_free(&m);
 */
#ifndef QCC_DRIVER_H
#define QCC_DRIVER_H

#include <stdint.h>

#include "compiler/codegen/backend.h"
#include "compiler/model_files.h"
#include "compiler/options.h"
#include "compiler/output/output.h"
#include "frontends/frontend.h"
#include "ir/ir.h"
#include "passes/pass.h"

enum { DRIVER_MAX_LIST = 64, SHAPES_MOST = 64 };

typedef struct driver_list {
    const char *item[DRIVER_MAX_LIST];
    int count;
} driver_list;

/* For an option that may be repeated; false with the reason when it was too often. */
bool driver_list_add(driver_list *, const char *value, char *error, size_t error_size);

struct driver_options;
/* Finds ranges for the graph between the phases `real` and `integer`, and may correct its weights and biases; `out`
 * lives as long as the graph. */
typedef bool driver_calibrate_fn(const void *context, const struct driver_options *, ir_graph *, pass_calibration *out,
                                 diag *);

typedef struct driver_options {
    /* model */
    const char *params;       /* file or folder of the parameters; NULL: beside the model */
    long batch;               /* 0: as the file says */
    const char *batches;      /* "{1,8}": a list of them; NULL: there is none */
    driver_list input_shapes; /* "NAME:1x224x224x3" */
    driver_list input_values; /* "NAME:16000" */
    ir_enum_ROUNDING rounding;
    bool rounding_given;
    pass_quantize_mode quantize;
    driver_list quantized_ops, keep_float; /* "a,b" each */
    bool infer_scales;
    bool exchange;                       /* the graph is to be a model of another format */
    const pass_calibration *calibration; /* NULL: scales come from the file alone, or from `calibrate` */
    driver_calibrate_fn *calibrate;      /* NULL: nobody asks for calibration */
    const void *calibrate_context;
    int64_t live_bytes;                /* pass_options.live_bytes */
    bool trains;                       /* the model's constants are trained before they become integers */
    bool whole_batches;                /* all of a batch goes through one op after the other, which compiles faster */
    pass_phase first_phase;            /* that the pipeline starts with */
    frontend_description *description; /* of the model, to be filled; NULL: nobody asks */
    size_t max_size; /* limit on what the model may cause (ir/size_limits.h); 0: follows from the file's size */
    /* code */
    target_set targets; /* not empty */
    bool targets_given;
    const char *name; /* C identifier */
    int opt_level;
    long jobs; /* threads at most; 0: as many as there are CPUs */
    bool debug;
    bool shared; /* to be part of a shared library */
    bool external_weights;
    driver_list kernels; /* to be preferred to all others */
    /* looking inside */
    driver_list print_before, print_after;
    bool print_after_all, verify_each, round_trip_each, time_passes;
    const char *dump_dir;
    const pass_debug *shown; /* of the steps of calibration, which run the pipeline on copies that nobody wants to see;
                              * NULL: nothing */
    output_set *files;       /* dumps become part of it, so that none is another output or what is read */
} driver_options;

typedef struct driver_module {
    const char *file; /* as diagnostics name it */
    char *found;      /* the same, when it is the program of a folder */
    uint8_t *bytes;   /* the model file; constants of the graph alias it; NULL: none does any more */
    size_t size;
    model_files beside; /* files that the model names; the graph's constants alias them, too */
    ir_graph *graph;
    ir_graph *further[SHAPES_MOST]; /* for further shapes of the inputs (shapes.h) */
    int further_count;
} driver_module;

/* Objects are for the machines that the compiler is made for; what qcc-run and qcc-eval compile, and run at once, is
 * for this one. */
driver_options driver_defaults(option_program);

/* Takes one of the options that several programs have.  *out_known is false when it is not one of those. */
bool driver_set(driver_options *, option_id, const char *value, bool *out_known, char *error, size_t error_size);

/* Whether there is such a file, whatever is in it: to be asked before options that are missing are told of. */
bool driver_model_there(const char *path, diag *);
/* The whole file, "-" being stdin; one byte more than `size` is allocated and 0. */
bool driver_read_file(const char *path, uint8_t **out_bytes, size_t *out_size, diag *);
/* The same for a model: a file that is none is refused after its first bytes. */
bool driver_read_model(const char *path, uint8_t **out_bytes, size_t *out_size, diag *);

/* A graph for each shape of the inputs that the options list. */
bool driver_import(const driver_options *, const char *path, driver_module *out, diag *);
/* Runs the pipeline, which may put another graph in the place of the module's: without the lowering, it is what the
 * interpreter runs and --emit=ir prints. */
bool driver_optimize(const driver_options *, driver_module *, diag *);
bool driver_lower(const driver_options *, driver_module *, diag *);
/* Whether a model that computes on real numbers is what the options ask for, or all that samples could make of it. */
bool driver_wants_float(const driver_options *);
/* What passes get to know of the options. */
pass_options driver_pass_options(const driver_options *, bool lower);
/* The named passes, or the pipeline when names is NULL. */
bool driver_passes(const driver_options *, driver_module *, bool lower, const char *const names[], int count, diag *);
/* --list-passes, --list-ops and so on. */
void driver_list_passes(void);
void driver_list_ops(void);
void driver_list_operators(void);
void driver_list_targets(void);
void driver_list_kernels(void);
bool driver_compile(const driver_options *, const driver_module *, cg_emit, cg_output *out, diag *);
void driver_module_free(driver_module *);

/* Links an object with the runtime library into a shared library, with the system's linker, and writes it to a
 * descriptor. */
bool driver_link_shared(const driver_options *, const cg_output *object, int to, diag *);

/* Prints a diagnostic in one line on stderr, refusals in one each; warnings come through driver_diag's callback in the
 * same form. */
diag driver_diag(option_program, diag_refusals *);
void driver_print_error(option_program, const diag *);

#endif
