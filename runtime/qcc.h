/* qcc.h: running a compiled model.  The one header that programs include beside the model's own.
 *
 *     #include <qcc.h>
 *     #include "model.h"            // made by `qcc model.tflite -o model.o`
 *
 *     void *workspace = aligned_alloc(64, (MODEL_WORKSPACE_BYTES + 63) / 64 * 64);
 *     qcc_reset(&model, workspace);
 *     qcc_status status = qcc_run(&model, inputs, outputs, workspace, NULL);
 *
 * A model is constant data and code; it can be used by any number of threads at once, each with its own workspace.
 * Nothing here allocates but qcc_pool_create, and nothing prints. */
#ifndef QCC_H
#define QCC_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum qcc_dtype {
    QCC_F32 = 1,
    QCC_I8 = 2,
    QCC_U8 = 3,
    QCC_I16 = 4,
    QCC_I32 = 5,
    QCC_I64 = 6,
    QCC_BOOL = 7,
    QCC_F16 = 8, /* half precision: the bits of IEEE's binary16, as uint16_t in C */
    QCC_F64 = 9,
    QCC_U16 = 10,
    QCC_U32 = 11
} qcc_dtype;

typedef enum qcc_status {
    QCC_OK = 0,
    QCC_UNSUPPORTED_CPU =
        1, /* the CPU, or its operating system, lacks instructions of each target that the model was compiled for */
    QCC_BAD_ARGUMENT = 2, /* a NULL pointer, or a workspace that is not 64-byte aligned */
    QCC_BAD_MODEL = 3,    /* compiled by a qcc whose objects this library does not understand */
    QCC_NO_WEIGHTS = 4,   /* compiled with --weights=FILE, and the program has not set them */
    QCC_BAD_WEIGHTS = 5   /* another model's, of another compilation, or cut short */
} qcc_status;

typedef struct qcc_model qcc_model;
typedef struct qcc_pool qcc_pool;

typedef struct qcc_tensor_info {
    const char *name;
    qcc_dtype dtype;
    uint32_t rank;
    int64_t dims[8];
    size_t bytes;
    float scale; /* 0 for a real-valued tensor */
    int32_t zero_point;
} qcc_tensor_info;

unsigned qcc_model_input_count(const qcc_model *);
unsigned qcc_model_output_count(const qcc_model *);
const qcc_tensor_info *qcc_model_input(const qcc_model *, unsigned index);  /* NULL past the end */
const qcc_tensor_info *qcc_model_output(const qcc_model *, unsigned index); /* NULL past the end */
size_t qcc_model_workspace_bytes(const qcc_model *);
/* The target whose code this machine runs, as --target names it: of those that the model was compiled for the best
 * that the CPU can run.  NULL when it can run none of them; qcc_run then returns QCC_UNSUPPORTED_CPU. */
const char *qcc_model_target(const qcc_model *);

/* A model that was compiled for several shapes of its inputs (--input-shape=x:1x3x32x{100,320}, --batch={1,8}) is, as it
 * stands, the first of them, but for its workspace, which is enough for each.  Every one of them is a model of its own for
 * all functions here; they share the weights, and a workspace where they don't run at once. */
unsigned qcc_model_shape_count(const qcc_model *);                   /* 1 for a model of one shape */
const qcc_model *qcc_model_shape(const qcc_model *, unsigned index); /* as the options list them; NULL past the end */
/* The one whose inputs have these shapes: dims[i] are the extents of input i, as many as it has; NULL: whatever they are.  NULL:
 * the model was not compiled for that.
 *
 *     const int64_t line[] = {1, 3, 32, 320}, *const shapes[] = {line};
 *     qcc_run(qcc_model_with_shapes(&ocr, shapes), inputs, outputs, workspace, NULL); */
const qcc_model *qcc_model_with_shapes(const qcc_model *, const int64_t *const dims[]);

/* Runs the model once.  inputs and outputs are as many as the model has, each qcc_tensor_info.bytes long, row-major, of
 * any alignment; they may not overlap.  workspace: qcc_model_workspace_bytes, 64-byte aligned, not shared between runs
 * that overlap in time.  pool: NULL for the calling thread alone; a pool serves one qcc_run at a time.  The result does
 * not depend on the number of threads, nor on the caller's floating-point environment, which comes back as it was. */
qcc_status qcc_run(const qcc_model *, const void *const inputs[], void *const outputs[], void *workspace,
                   qcc_pool *pool);

/* Sets the state of a stateful model to its start; needed once before the first run with a workspace.  Models without
 * state: no-op. */
void qcc_reset(const qcc_model *, void *workspace);

/* Gives a model that was compiled with --weights=FILE the contents of that file: `size` bytes, 64-byte aligned (a
 * mapped file is), which stay the program's and must outlive the last run.  Refuses, and leaves what was set before,
 * when they are not the ones of this compilation (QCC_BAD_WEIGHTS), are not aligned, or the model has its weights
 * inside (QCC_BAD_ARGUMENT).  Not while the model runs. */
qcc_status qcc_set_weights(const qcc_model *, const void *weights, size_t size);

/* A pool of `threads` in all, the caller of qcc_run being one of them.  NULL: no memory or no threads to be had.  A
 * fork leaves the threads with the parent: in the child the pool may be used and destroyed, but the caller works
 * alone; for more, the child creates a pool of its own. */
qcc_pool *qcc_pool_create(unsigned threads);
void qcc_pool_destroy(qcc_pool *);

const char *qcc_status_text(qcc_status);

#ifdef __cplusplus
}
#endif
#endif
