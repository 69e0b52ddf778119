/* pass.h: transforms of the graph, and the runner.
 *
 * A pass is a function over the graph.  It neither verifies, prints nor times: the runner alone does.  passes.def is
 * the pipeline, in order, in phases; one file a pass, whose head comment shows the IR before and after. */
#ifndef QCC_PASS_H
#define QCC_PASS_H

#include "ir/ir.h"

typedef enum pass_quantize_mode {
    PASS_QUANTIZE_AUTO,   /* what the file has scales for */
    PASS_QUANTIZE_NONE,   /* the real-valued model that the file quantizes */
    PASS_QUANTIZE_STATIC, /* as auto; a file without any scales is an error */
    PASS_QUANTIZE_DYNAMIC /* as auto; what is real then has int8 weights and operands quantized at run time */
} pass_quantize_mode;

typedef struct pass_names { /* "a,b" each, as often as the option was given */
    const char *const *item;
    int count;
} pass_names;

/* What integers have to stand for, of one value of the graph: found by running it over samples. */
typedef struct pass_range {
    bool known;
    float low, high; /* finite, low <= high; 0 need not lie between them */
    int bits;        /* 2 to 8, or 16; 0: as pass_calibration.activation_bits says */
    /* How it was chosen, for the report: "minmax of 100 samples", and from what; NULL: nothing to say; both outlive the
     * graph. */
    const char *note;
    const ir_observed *observed;
} pass_range;

/* What each channel (of the last dimension) of a value was seen to be. */
typedef struct pass_channels {
    int64_t count; /* 0: unknown */
    const float *low, *high;
    const double *square; /* on average */
} pass_channels;

/* How a graph without integers becomes one with them. */
typedef struct pass_calibration {
    pass_range *ranges;            /* by id of a value, at the start of PHASE(scales) */
    uint32_t count;                /* of ranges; values with other ids have none */
    const pass_channels *channels; /* by id, as many; NULL: nothing is equalized.  Where something is, ranges follow */
    /* --activation-scales=symmetric: zero point 0; otherwise one that lets the range fill the integers. */
    bool symmetric;
    int activation_bits;     /* --activation-bits: 2 to 8, of the 8 that a value takes, or 16 */
    int weight_bits;         /* --weight-bits: 2 to 8, of the 8 that a weight takes; 0: 8 */
    bool weights_mse;        /* --weight-algo=mse: weights may be cut off where that costs less than coarse steps */
    bool weights_per_tensor; /* --weight-scales=tensor: one scale for all channels */
} pass_calibration;

typedef struct pass_options {
    pass_quantize_mode quantize;         /* --quantize */
    pass_names quantized_ops;            /* --quantized-ops: ops by name; none: all */
    pass_names keep_float;               /* --keep-float: layers by name */
    const pass_calibration *calibration; /* NULL: scales come from the file alone */
    bool infer_scales; /* --infer-scales: also where the file leaves real numbers between its quantizes */
    ir_enum_ROUNDING rounding;
    bool rounding_given; /* --rounding */
    bool keep_unfused;   /* stop before fusion and lowering: what --emit=ir of the imported model shows */
    bool exchange;       /* the graph is to be written as a model of another format */
    int64_t
        live_bytes; /* what the workspace may hold at a time before values are computed anew; 0: as much as there is */
    bool trains;    /* constants will be trained: those that are equal only as they begin stay apart */
    bool lower;     /* run the passes that prepare for the backend (unsigned form, memory plan) */
    int opt_level;  /* 0: only what the backend needs */
    /* How code generation will do an op, for the memory plan: false when it can't, or `forced` (NULL: any), a
     * kernel's name, can't.  The arena is the graph's.  NULL: nobody generates code. */
    bool (*choose_kernel)(const ir_op *, uint32_t targets, const char *forced, arena *, ir_kernel *out);
    uint32_t targets; /* a target_set, passed on to choose_kernel.  Nothing else here may depend on it: an object of
                                * several targets has one graph and one plan of the memory. */
    int64_t
        near_bytes; /* what of a batch is still in the cache when it is read; 0: half a megabyte.  Tests have less */
    pass_names kernels; /* --kernel: kernels that do what they can, whatever else would be chosen */
} pass_options;

typedef struct pass_context {
    const pass_options *options;
    arena *scratch; /* reset by the runner after each pass */
    diag *diag;
} pass_context;

typedef enum pass_result { PASS_UNCHANGED, PASS_CHANGED, PASS_FAILED /* with a diagnostic */ } pass_result;

typedef pass_result pass_fn(ir_graph *, pass_context *);

typedef struct pass_info {
    const char *name, *doc;
    pass_fn *run; /* NULL: a step */
    unsigned flags;
} pass_info;
enum {
    PASS_ALWAYS = 1,   /* also at -O0 */
    PASS_LOWERING = 2, /* only with options->lower */
    PASS_FUSION = 4,   /* not with options->keep_unfused; lowering neither */
    PASS_SCALED = 8,   /* always, where values carry scales (`as`): the pass decides which integers they become */
    PASS_OWN = 16,     /* not with options->exchange: what it makes only this compiler has */
    PASS_EXCHANGE = 32 /* only with options->exchange */
};

/* Parts of the pipeline: between two of them a caller may look at the graph. */
typedef enum pass_phase {
#define PHASE(name, doc) PASS_PHASE_##name,
#define PASS(name, flags, doc)
#define STEP(name, doc)
#include "passes/passes.def"
#undef PHASE
#undef PASS
#undef STEP
    PASS_PHASES
} pass_phase;

typedef enum pass_step {
#define PHASE(name, doc)
#define PASS(name, flags, doc)
#define STEP(name, doc) PASS_STEP_##name,
#include "passes/passes.def"
#undef PHASE
#undef PASS
#undef STEP
    PASS_STEPS
} pass_step;

const pass_info *pass_list(int *out_count);   /* the pipeline, in order (passes.def) */
const pass_info *pass_find(const char *name); /* NULL: unknown */

typedef struct pass_debug {
    bool verify_each;
    bool round_trip_each; /* stress: print and reparse after every pass */
    bool time;
    const char *const *print_before;
    int print_before_count;
    const char *const *print_after;
    int print_after_count;
    bool print_after_all;
    void (*write)(void *context, const char *text, size_t length); /* where prints and times go */
    /* Takes the graph as it came (number 0, "input"), and after each pass; NULL: nobody wants it. */
    bool (*dump)(void *context, int number, const char *name, const char *text, size_t length, diag *);
    void *context;
    int *number; /* of the next dump, for callers that run phases apart; NULL: from 0 */
} pass_debug;

/* Prints and dumps the graph, before and after what the caller does with it by itself, as if that were the pass `name`.  NULL:
 * nobody wants it. */
bool pass_show_before(ir_graph *, const pass_debug *, const char *name, diag *);
bool pass_show_after(ir_graph *, const pass_debug *, const char *name, diag *);

/* Runs the whole pipeline, or the named passes (names == NULL: the pipeline). */
bool pass_run(ir_graph *, const pass_options *, const pass_debug *, const char *const names[], int count, diag *);
/* Runs the pipeline from the start of phase `first` to the end of phase `last`. */
bool pass_run_phases(ir_graph *, const pass_options *, const pass_debug *, pass_phase first, pass_phase last, diag *);

#endif
