/* backend.h: what the rest of the compiler sees of code generation; no LLVM types. */
#ifndef QCC_BACKEND_H
#define QCC_BACKEND_H

#include "compiler/target/target.h"
#include "ir/ir.h"

typedef enum cg_emit { CG_EMIT_OBJECT, CG_EMIT_ASSEMBLY, CG_EMIT_LLVM } cg_emit;

typedef struct cg_options {
    const char *model_name;    /* C identifier of the exported symbol */
    target_set targets;        /* code for each, of which a machine runs the best that it can */
    bool position_independent; /* always code that fits a PIE; true: also a shared library */
    bool debug;                /* -g */
    int opt_level;             /* 0…3 */
    bool external_weights;     /* --weights=FILE: weights are returned, not embedded */
    bool default_model;        /* also export qcc_default_model (shared libraries) */
    ir_graph *const *further;  /* the same model for other shapes of its inputs */
    int further_count;
    bool check_keys; /* emits again what ops share, which has to be the same: for tests */
} cg_options;

typedef struct cg_part {
    const void *bytes;
    size_t size;
} cg_part;

/* What a file holds: `bytes`, then all parts, which are large constants.  With external_weights the parts are a file of
 * their own.  They lie where they were packed, or in the graph: keep that until cg_output_free. */
typedef struct cg_output {
    void *bytes;
    size_t size; /* the object, assembly or IR text */
    cg_part *parts;
    size_t part_count;
    size_t parts_bytes; /* of all parts */
    bool separate;      /* external_weights: the parts don't follow the object */
    arena *memory;
} cg_output;

/* The graph must have been lowered and planned.  False with a diagnostic. */
bool cg_compile(const ir_graph *, const cg_options *, cg_emit, cg_output *out, diag *);
void cg_output_free(cg_output *);

/* Chooses how an op will be done on each of the targets (kernels.def), as pass_options.choose_kernel is asked. */
bool cg_choose_kernel(const ir_op *, target_set, const char *forced, arena *, ir_kernel *out);
/* Number i of the kernels for an op, in order of preference; NULL behind the last. */
const char *cg_kernel_name(ir_opcode, int i);

/* "19.1.7": of the LLVM that is in use. */
enum { CG_VERSION_TEXT = 40 };
const char *cg_llvm_version(char text[CG_VERSION_TEXT]);

#endif
