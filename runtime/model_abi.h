/* model_abi.h: the constant data that the compiler emits for a model, and that the runtime walks.  Not installed:
 * programs see qcc_model as opaque.  compiler/codegen/object/descriptor.c emits exactly this layout; QCC_ABI_VERSION
 * changes with it. */
#ifndef QCC_MODEL_ABI_H
#define QCC_MODEL_ABI_H

#include "qcc.h"

#define QCC_MODEL_MAGIC 0x4d434351u /* "QCCM" */
#define QCC_ABI_VERSION 3u
#define QCC_ABI_VERSION_SHAPES 4u     /* of a qcc_model_set: the same, and more behind it */
#define QCC_WEIGHTS_MAGIC 0x57434351u /* "QCCW" */

/* CPU features that code needs, as bits of qcc_variant.cpu_features. */
enum {
    QCC_CPU_AVX2 = 1u << 0, /* with BMI1, BMI2, LZCNT and MOVBE: x86-64-v3 but for the next two */
    QCC_CPU_FMA = 1u << 1,
    QCC_CPU_F16C = 1u << 2,
    QCC_CPU_AVX512 = 1u << 3, /* F, BW, DQ, VL, CD together */
    QCC_CPU_AVX512_VBMI = 1u << 4,
    QCC_CPU_AVX512_VNNI = 1u << 5,
    QCC_CPU_AVX_VNNI = 1u << 6 /* VNNI of registers up to 32 bytes in its VEX forms */
};

/* What a step's code gets to find its buffers. */
typedef struct qcc_frame {
    const void *const *inputs;
    void *const *outputs;
    unsigned char *workspace;
    const unsigned char *weights; /* only with --weights=FILE */
} qcc_frame;

/* Work units begin..end of a step; units are independent of one another. */
typedef void qcc_step_fn(const qcc_frame *, uint32_t begin, uint32_t end);

/* What a step does of its op. */
typedef enum qcc_step_part {
    QCC_STEP_ALL,     /* everything; or what none of these names */
    QCC_STEP_PRODUCT, /* multiplies and adds */
    QCC_STEP_PAD,     /* copies an operand of the product to where there is room around it */
    QCC_STEP_PACK,    /* brings an operand of the product into the order that its kernel reads */
    QCC_STEP_SUMS,    /* adds up the rows of an operand, because the other one has a zero point */
    QCC_STEP_RESULTS  /* makes results of what the product leaves */
} qcc_step_part;

typedef struct qcc_step {
    qcc_step_fn *run;
    uint32_t units;       /* at least 1; thread t of T runs units*t/T .. units*(t+1)/T */
    uint32_t max_threads; /* no more threads than this are worth waking; 1: always the calling thread */
    const char *name;     /* layer */
    const char *op;       /* "conv2d" */
    const char *shape;    /* "1x56x56x64 -> 1x56x56x256, 1x1" */
    uint64_t macs;        /* useful multiply-adds, 0 where that says nothing */
    uint16_t is_int8;     /* 1: its arithmetic is integer */
    uint16_t part;        /* qcc_step_part; 0 in objects of before, where this was the upper half of is_int8 */
    uint32_t op_index;    /* position of its op in the lowered graph, as in --report */
} qcc_step;

/* The model's code for one target.  All variants compute the same integers in the same workspace, whose layout is the
 * model's. */
typedef struct qcc_variant {
    const char *target; /* "avx512vbmi" */
    const qcc_step *steps;
    uint32_t step_count;
    uint32_t cpu_features; /* that the machine has to have */
} qcc_variant;

/* --weights=FILE: how the file begins; constants follow, addressed by their distance from its first byte.
 *
 *     │ header │ 0 … │ constant │ 0 … │ constant │ …
 *     0        16    64               64 n
 *
 * The id is a hash of all constants: an object runs with the weights that it was compiled with and no others. */
typedef struct qcc_weights_header {
    uint32_t magic, abi_version;
    uint64_t id;
} qcc_weights_header;

/* Where the program puts the contents of that file: NAME_weights in the program is the first member. */
typedef struct qcc_weights_slot {
    const unsigned char *bytes;
    uint64_t id;
} qcc_weights_slot;

struct qcc_model {
    uint32_t magic, abi_version;
    uint32_t input_count, output_count;
    const char *name;
    const qcc_tensor_info *inputs, *outputs;
    const qcc_variant *variants; /* best first: a machine runs the first that it can */
    uint64_t variant_count;
    uint64_t workspace_bytes;
    const void *initial_state; /* copied to workspace + state_offset by qcc_reset */
    uint64_t state_offset, state_bytes;
    qcc_weights_slot *weights; /* NULL: weights are embedded */
    uint64_t weights_bytes;    /* of the file */
};

/* A model of several shapes: the first of them, whose workspace is as large as any of them needs, and all of them.
 *
 *     NAME ──▶ │ first │ count │ shapes ──▶ │ model │ model │ … │ */
typedef struct qcc_model_set {
    struct qcc_model first;
    uint64_t count;
    const struct qcc_model *shapes; /* of version QCC_ABI_VERSION; their weights slot is one */
} qcc_model_set;

static inline int qcc_model_has_shapes(const struct qcc_model *model)
{
    return model->abi_version == QCC_ABI_VERSION_SHAPES;
}

/* Was it compiled by a qcc whose objects this library understands? */
static inline int qcc_model_is_known(const struct qcc_model *model)
{
    return model->magic == QCC_MODEL_MAGIC && (model->abi_version == QCC_ABI_VERSION || qcc_model_has_shapes(model));
}

#endif
