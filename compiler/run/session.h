/* session.h: a model ready to run, wherever it comes from: a shared library made by qcc, a model file compiled now, or
 * the interpreter. */
#ifndef QCC_SESSION_H
#define QCC_SESSION_H

#include "compiler/driver.h"
#include "ir/ref/interp.h"
#include "runtime/model_abi.h"

typedef struct session {
    const qcc_model *model;      /* NULL: the interpreter runs */
    const qcc_model *all_shapes; /* that it is one of, or NULL */
    const qcc_variant *variant;  /* of the model: what this machine runs */
    qcc_pool *pool;              /* NULL: one thread */
    void *workspace;
    unsigned threads;
    uint32_t input_count, output_count;
    ir_type *input_types, *output_types;
    qcc_tensor_info *inputs, *outputs;
    void **input_buffers, **output_buffers; /* owned, 64-byte aligned, inputs zeroed */

    driver_module module; /* of a model file */
    ir_state *state;      /* of the interpreter */
    void *library;        /* of a shared library */
    struct cg_jit *jit;   /* of a model compiled now */
} session;

bool session_open(session *, const driver_options *, const char *file, bool interpret, unsigned threads, diag *);
/* The same of a graph, which becomes the session's, also on failure. */
bool session_open_graph(session *, const driver_options *, ir_graph *, unsigned threads, diag *);
/* The two halves of it: after the first one the session knows its lowered graph, after the second one it can run. */
bool session_lower_graph(session *, const driver_options *, ir_graph *, unsigned threads, diag *);
bool session_compile(session *, const driver_options *, diag *);
/* One more session of the same model, with memory of its own; the first one has to live longer. */
bool session_open_beside(session *, const session *first, diag *);
void session_close(session *);

/* Of a model of several shapes the one whose first inputs have these, with buffers of its own; one of a single shape stays. */
bool session_take_shapes(session *, const ir_type inputs[], uint32_t count, diag *);

/* What a session says about an input or output. */
qcc_tensor_info session_info_of(const ir_value *, const char *name);

/* Runs on the session's buffers. */
bool session_run(session *, diag *);
void session_reset(session *);
/* Element of an output as a real number, by the output's scale where it has one. */
double session_real(const session *, uint32_t output, int64_t index);
/* Index of the largest element of the first output; of equal ones the first. */
int64_t session_best(const session *);
/* Signal to noise in dB, of sums of squares; infinite without noise. */
double session_sqnr(double signal, double noise);
double session_seconds(void); /* of a clock that only goes on */

/* Fills an input with numbers that depend on position and seed only: reals in -1..1, integers over their whole range
 * (i32 and i64: 0..7), booleans. */
void session_fill_random(session *, uint32_t input, uint32_t seed);

#endif
