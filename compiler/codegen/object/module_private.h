/* module_private.h: what module.c collects and descriptor.c turns into tables. */
#ifndef QCC_MODULE_PRIVATE_H
#define QCC_MODULE_PRIVATE_H

#include <llvm-c/DebugInfo.h>

#include "compiler/codegen/object/module.h"

#define NOT_FOUND UINT32_MAX

typedef struct hash_slot {
    uint64_t hash;
    uint32_t index;
    bool used;
} hash_slot;
typedef struct hash_table {
    hash_slot *slots;
    uint32_t count, capacity;
} hash_table;

typedef struct kernel_record {
    const char *key;
    LLVMValueRef function;
    LLVMTypeRef type;
    int arg_count;
    int uses;
    bool shares_memory[CG_MAX_ARGS]; /* in some step this argument overlaps another one */
} kernel_record;

typedef struct constant_record {
    LLVMValueRef global;
    const void *bytes;
    size_t size;
    int64_t offset; /* among the weights (weights.c); -1: a constant like others */
} constant_record;

typedef struct step_record {
    const ir_op *op;
    cg_step_info info;
    LLVMValueRef function;
} step_record;

typedef struct variant_record { /* of one graph and target: its steps follow one another */
    const target_info *target;
    const ir_graph *graph;
    uint32_t first_step, step_count;
} variant_record;

typedef struct debug_info {
    LLVMDIBuilderRef builder; /* NULL: without -g */
    LLVMMetadataRef file, type;
    unsigned *lines; /* of the ops in the textual IR */
    uint32_t line_count;
} debug_info;

struct cg_module_private {
    const ir_graph *first_graph;
    LLVMBuilderRef builder;
    kernel_record *kernels;
    uint32_t kernel_count, kernel_capacity;
    constant_record *constants;
    uint32_t constant_count, constant_capacity;
    step_record *steps;
    uint32_t step_count, step_capacity;
    variant_record *variants;
    uint32_t variant_count;  /* the last one is being emitted */
    hash_table kernel_table; /* of this variant */
    hash_table constant_table;
    cg_emit emit;
    const ir_op *op;           /* that is being emitted; NULL: none */
    size_t weights_bytes;      /* weights.c: of all of them, … */
    LLVMValueRef weights;      /* … and where they are in an object; NULL: none */
    LLVMValueRef weights_slot; /* descriptor.c: the program's pointer to them; NULL: not made */
    debug_info debug;
};

/* debug.c: before the first function, for each function before its body, after the last. */
void cg_debug_begin(cg_module *);
void cg_debug_function(cg_module *, LLVMValueRef function, const ir_op *);
void cg_debug_finish(cg_module *);

/* weights.c: before the first constant; is one of this size to be kept from LLVM; the place of the next one; after the
 * last; between LLVM's passes and the writing of code; after that. */
void cg_weights_begin(cg_module *);
bool cg_weights_take(const cg_module *, size_t size);
int64_t cg_weights_place(cg_module *, size_t size);
uint64_t cg_weights_id(const cg_module *); /* of all constants taken; final once the steps are emitted */
void cg_weights_seal(cg_module *);
void cg_weights_define(cg_module *);
bool cg_weights_finish(cg_module *, cg_output *);

const char *cg_layer_name(const cg_module *, const ir_op *);

#endif
