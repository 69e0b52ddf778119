/* codegen.h: from the planned graph to an object file.  The only folder that includes llvm-c/.
 *
 *   graph ──kernels.def──▶ kernels (functions of pointers) ──module.c──▶ steps, weights, descriptor ──target.c──▶
 *                                                                                                             object
 *
 * An emitter turns one op into one or more steps.  A step is a call of a kernel: a function
 *
 *     void kernel(ptr arg0, ptr arg1, …, i64 begin, i64 end)      // work units begin..end
 *
 * whose arguments are the step's buffers and constants, bound by cg_step_add.  Kernels know shapes, strides and
 * quantization as compile-time constants and no addresses, so that equal layers share one kernel: the key that
 * cg_kernel_begin gets must name everything the code depends on. */
#ifndef QCC_CODEGEN_H
#define QCC_CODEGEN_H

#include <llvm-c/Core.h>

#include "compiler/codegen/backend.h"
#include "compiler/target/target.h"
#include "runtime/model_abi.h"

enum { CG_MAX_ARGS = 24 };

typedef struct cg_isa cg_isa; /* isa/isa.h */

typedef struct cg_module {
    LLVMContextRef context;
    LLVMModuleRef llvm;
    const target_info *target;
    const cg_isa *isa;
    const ir_graph *graph;
    const cg_options *options;
    arena *arena;
    diag *diag;
    LLVMTypeRef i1, i8, i16, i32, i64, f32, ptr, void_type;
    struct cg_panel_widths *panel_widths; /* of weights that were packed before: gemm.c */
    struct cg_module_private *p;          /* steps, kernels by key, constants by hash: module.c */
} cg_module;

/* A kernel while its body is being emitted. */
typedef struct cg_kernel {
    cg_module *m;
    LLVMBuilderRef b;
    LLVMValueRef function;
    LLVMValueRef arg[CG_MAX_ARGS]; /* pointers */
    LLVMValueRef begin, end;       /* i64 work units */
    LLVMValueRef shared;           /* NULL; or the kernel of this key, which this one has to equal */
} cg_kernel;

/* What a step's argument is bound to. */
typedef struct cg_arg {
    const ir_value *value; /* a planned value: the address of its element 0 */
    LLVMValueRef constant; /* or a constant of the object, from cg_constant */
    bool workspace;        /* or `size` bytes of the workspace */
    int64_t offset;        /* bytes added */
    int64_t size;
} cg_arg;

/* ---- Kernels and steps (module.c) ---- */

/* Starts the kernel `key`, or returns false when one with this key exists already: then there is nothing to emit.
 * `*out` is valid in both cases for cg_step_add.  name_hint: the op whose layer names the function. */
bool cg_kernel_begin(cg_module *, cg_kernel *out, const char *key, const ir_op *name_hint, int arg_count);
void cg_kernel_end(cg_kernel *); /* emits the return */

typedef struct cg_step_info {
    uint32_t units;       /* independent work units, at least 1 */
    uint32_t max_threads; /* 0: let module.c decide from the op's size */
    uint64_t macs;        /* useful multiply-adds */
    bool is_int8;
    qcc_step_part part; /* of what has no multiply-adds; what has them is the product */
} cg_step_info;
void cg_step_add(cg_module *, const cg_kernel *, const ir_op *, const cg_step_info *, int arg_count,
                 const cg_arg args[]);

/* A function of another library, declared once: libc's, or one of the runtime's qcc_op_ functions. */
LLVMValueRef cg_external(cg_module *, const char *name, LLVMTypeRef);

/* Of the graphs of one object, each for other shapes, the one of that number; 0: the first. */
const ir_graph *cg_graph_of(const cg_module *, int number);
/* Is no constant made for more than one target or shape, so that how it is packed is a matter of one kernel alone? */
static inline bool cg_packs_once(const cg_module *m)
{
    return target_set_has_one(m->options->targets) && !m->options->further_count;
}

/* A constant in .rodata, 64-byte aligned, equal contents stored once.  `bytes` may be freed afterwards. */
LLVMValueRef cg_constant(cg_module *, const void *bytes, size_t size, const char *name_hint);
/* The same without a copy: `bytes` stay in the module's arena or in the graph. */
LLVMValueRef cg_constant_in_place(cg_module *, const void *bytes, size_t size, const char *name_hint);
static inline cg_arg cg_arg_value(const ir_value *v) { return (cg_arg){.value = v}; }
static inline cg_arg cg_arg_constant(LLVMValueRef c) { return (cg_arg){.constant = c}; }
static inline bool cg_arg_is_bound(const cg_arg *a) { return a->value || a->constant || a->workspace; }

/* Temporary memory of one step, disjoint from all values alive then, is planned before code generation: a kernel that
 * needs some says how much in kernels.def and finds it through this.  64-byte aligned. */
cg_arg cg_arg_scratch(const cg_module *, const ir_op *);
/* Bytes of a part of it, so that the next one is aligned as well. */
static inline size_t cg_scratch_part(size_t bytes) { return (bytes + 63) / 64 * 64; }
/* Bytes behind its rows that a matrix product may read: a copy in scratch memory is so much longer. */
enum { CG_OVERREAD = 64 };
/* A part of a larger buffer. */
cg_arg cg_arg_part(cg_arg whole, int64_t offset, int64_t size);
/* A state variable's memory, dense. */
cg_arg cg_arg_variable(const cg_module *, const char *name);

/* ---- Kernels (kernels.def) ---- */

/* How well a kernel can do an op. */
typedef struct cg_fit {
    enum { CG_CANNOT, CG_CAN, CG_BEST } how;
    const char *why; /* CG_CANNOT: what for, beyond the types; or NULL */
} cg_fit;
static inline cg_fit cg_best_if(bool can, const char *why)
{
    return can ? (cg_fit){.how = CG_BEST} : (cg_fit){.how = CG_CANNOT, .why = why};
}
cg_fit cg_fits(const ir_op *, const target_info *); /* every op of the family */
size_t cg_scratch_none(const ir_op *, const target_info *);

#define OP(CODE, FAMILY)
#define KERNEL(FAMILY, name, fits, LAYOUT, scratch, emit)                                                              \
    cg_fit fits(const ir_op *, const target_info *);                                                                   \
    size_t scratch(const ir_op *, const target_info *);                                                                \
    bool emit(cg_module *, const ir_op *);
#include "compiler/codegen/kernels.def"
#undef OP
#undef KERNEL

#endif
