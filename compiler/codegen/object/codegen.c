/* codegen.c: drives the backend: ops through their emitters, once for each target, then LLVM's passes, then the file's
 * bytes. */
#include "compiler/codegen/object/module_private.h"

#include <string.h>

#include <llvm-c/Analysis.h>
#include <llvm-c/Error.h>
#include <llvm-c/Transforms/PassBuilder.h>

#include "compiler/codegen/object/fatal.h"
#include "ir/size_limits.h"

static bool emit_ops(cg_module *m, int nth)
{
    for (const ir_op *op = m->graph->first; op; op = op->next) {
        m->p->op = op;
        if (!cg_emit_op(m, op, nth) || m->diag->failed)
            return false;
    }
    m->p->op = NULL;
    return true;
}

/* Emitters choose tiles, vectors and unrolling themselves, so the pipeline is what cleans up after them and vectorizes
 * the plain loops among them; LLVM's own O2 takes ten times as long for nothing. */
static const char *pipeline_of(int opt_level)
{
    if (opt_level <= 0)
        return "always-inline";
    return "always-inline,globaldce,"
           "function<eager-inv>(early-cse,instcombine<no-verify-fixpoint>,simplifycfg,"
           "loop-mssa(loop-rotate,licm),"
           "early-cse<memssa>,loop(indvars),"
           "loop-vectorize,instcombine<no-verify-fixpoint>,simplifycfg,"
           "loop-mssa(licm),early-cse)";
}

static bool optimize(cg_module *m, LLVMTargetMachineRef machine)
{
    LLVMPassBuilderOptionsRef options = LLVMCreatePassBuilderOptions();
    LLVMErrorRef error = LLVMRunPasses(m->llvm, pipeline_of(m->options->opt_level), machine, options);

    LLVMDisposePassBuilderOptions(options);
    if (error) {
        char *message = LLVMGetErrorMessage(error);
        diag_error(m->diag, NULL, "LLVM: %s", message);
        LLVMDisposeErrorMessage(message);
        return false;
    }
    return true;
}

/* Emitters that make ill-formed code are a defect of the compiler. */
static bool verify(cg_module *m)
{
#ifndef NDEBUG
    char *message = NULL;

    if (LLVMVerifyModule(m->llvm, LLVMReturnStatusAction, &message)) {
        diag_error(m->diag, NULL, "internal error: ill-formed code: %s", message);
        LLVMDisposeMessage(message);
        return false;
    }
    LLVMDisposeMessage(message);
#else
    (void)m;
#endif
    return true;
}

static void copy_bytes(cg_module *m, cg_output *out, const void *bytes, size_t size)
{
    out->bytes = arena_string(m->arena, bytes, size);
    out->size = size;
}

static bool write_code(cg_module *m, LLVMTargetMachineRef machine, cg_emit emit, cg_output *out)
{
    LLVMMemoryBufferRef buffer;
    char *message = NULL;

    if (emit == CG_EMIT_LLVM) {
        message = LLVMPrintModuleToString(m->llvm);
        copy_bytes(m, out, message, strlen(message));
        LLVMDisposeMessage(message);
        return true;
    }
    cg_weights_define(m);
    if (LLVMTargetMachineEmitToMemoryBuffer(
            machine, m->llvm, emit == CG_EMIT_OBJECT ? LLVMObjectFile : LLVMAssemblyFile, &message, &buffer)) {
        diag_error(m->diag, NULL, "LLVM: %s", message);
        LLVMDisposeMessage(message);
        return false;
    }
    copy_bytes(m, out, LLVMGetBufferStart(buffer), LLVMGetBufferSize(buffer));
    LLVMDisposeMemoryBuffer(buffer);
    return cg_weights_finish(m, out);
}

static bool compile(cg_module *m, LLVMTargetMachineRef machine, cg_emit emit, cg_output *out)
{
    int nth = 0;
    for (target_set left = m->options->targets; left; left = target_set_rest(left)) {
        cg_module_begin(m, target_set_best(left));
        for (int i = 0; i <= m->options->further_count; i++) {
            cg_module_graph(m, i);
            if (!emit_ops(m, nth))
                return false;
        }
        nth++;
    }
    cg_module_finish(m);
    return verify(m) && optimize(m, machine) && write_code(m, machine, emit, out) &&
           ir_limits_object(m->graph, out->size + out->parts_bytes, m->diag);
}

typedef struct compile_call {
    cg_module module;
    const ir_graph *graph;
    const cg_options *options;
    cg_emit emit;
    LLVMTargetMachineRef machine;
    cg_output *out;
    diag *diag;
    bool good;
} compile_call;

static void run_emitters(void *context)
{
    compile_call *c = context;
    c->good = compile(&c->module, c->machine, c->emit, c->out);
}

/* Says what ended the work.  What LLVM holds can't be touched any more after an error of its own. */
static bool ended(compile_call *c, const ir_loc *loc, arena_outcome outcome)
{
    if (outcome != ARENA_ABANDONED)
        return ir_limits_memory(c->diag, loc, outcome);
    c->module = (cg_module){.arena = c->module.arena};
    c->machine = NULL;
    return cg_fatal_report(loc, c->diag);
}

/* The inner guard leaves the module's arena, so that what LLVM holds is still known. */
static void run_compile(void *context)
{
    compile_call *c = context;
    if (!cg_module_init(&c->module, c->graph, c->options, c->emit, c->machine, c->diag))
        return;
    const arena_outcome outcome = arena_guard(run_emitters, c);
    const ir_op *op = c->module.p->op;
    const ir_loc loc = op ? op->loc : ir_graph_loc(c->graph);
    if (outcome != ARENA_DONE)
        c->good = ended(c, &loc, outcome);
}

static void run_guarded(compile_call *c)
{
    cg_fatal_watch(true);
    const arena_outcome outcome = arena_guard(run_compile, c);
    cg_fatal_watch(false);
    if (outcome == ARENA_DONE)
        return;
    const ir_loc loc = ir_graph_loc(c->graph);
    c->module.arena = NULL; /* is gone, with what is in it */
    c->module.p = NULL;
    c->good = ended(c, &loc, outcome);
}

bool cg_compile(const ir_graph *graph, const cg_options *options, cg_emit emit, cg_output *out, diag *d)
{
    compile_call call = {.graph = graph, .options = options, .emit = emit, .out = out, .diag = d};

    *out = (cg_output){0};
    if (!options->targets)
        return diag_error(d, NULL, "no target to generate code for");
    call.machine = cg_target_machine(options->opt_level, d);
    if (!call.machine)
        return false;
    run_guarded(&call);
    if (call.good) {
        out->memory = call.module.arena;
        call.module.arena = NULL;
    } else {
        *out = (cg_output){0};
    }
    cg_module_free(&call.module);
    if (call.machine)
        LLVMDisposeTargetMachine(call.machine);
    return call.good;
}
