/* module: what an object holds beside its kernels.
 *
 * Protects: equal input gives equal bytes; equal layers share a kernel and equal constants their bytes, the latter
 * also between targets; external weights are found through the program's pointer; the descriptor says what the graph
 * says, and has the best target first; -g, -O0 and assembly work; a fatal error of LLVM is a diagnostic. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <llvm-c/Core.h>

#include "compiler/codegen/backend.h"
#include "compiler/codegen/object/fatal.h"
#include "compiler/codegen/object/jit.h"
#include "runtime/cpu.h"
#include "runtime/model_abi.h"
#include "tests/unit/test.h"

enum { COUNT = 3000 };

static ir_value *step(ir_graph *g, ir_value *x, const void *data, int64_t offset)
{
    ir_value *operands[2] = {x, ir_const_new(g, x->type, NULL, data)};
    ir_op *op = ir_op_new(g, IR_ADD, NULL, 2, operands);

    ir_result_set(op, 0, x->type, NULL);
    op->results[0]->place = (ir_place){.space = IR_SPACE_WORKSPACE, .offset = offset, .stride = {1}};
    return op->results[0];
}

/* y = x + c + c + c, whose three adds are alike. */
static ir_graph *graph_new(void)
{
    static float c[COUNT];
    int64_t dims[1] = {COUNT};
    ir_graph *g = ir_graph_new();
    ir_value *x = ir_input_new(g, ir_type_make(IR_F32, 1, dims), NULL, "x");

    for (int i = 0; i < COUNT; i++)
        c[i] = (float)i;
    x->place = (ir_place){.space = IR_SPACE_INPUT, .stride = {1}};
    x = step(g, step(g, step(g, x, c, 0), c, 16384), c, 0);
    x->place = (ir_place){.space = IR_SPACE_OUTPUT, .stride = {1}};
    ir_output_add(g, x, "y");
    g->workspace_bytes = 32768;
    return g;
}

static cg_output compile(cg_options o, cg_emit emit)
{
    ir_graph *g = graph_new();
    cg_output out;
    diag d = {0};

    for (ir_op *op = g->first; op; op = op->next)
        CHECK(cg_choose_kernel(op, o.targets, NULL, g->arena, &op->kernel));
    CHECK(cg_compile(g, &o, emit, &out, &d));
    if (d.failed)
        fprintf(stderr, "%s\n", d.text);
    ir_graph_free(g);
    return out;
}

static int occurrences(const char *text, const char *part)
{
    int count = 0;

    for (const char *at = text; (at = strstr(at, part)); at++)
        count++;
    return count;
}

static void test_deterministic(cg_options o)
{
    cg_output a = compile(o, CG_EMIT_OBJECT), b = compile(o, CG_EMIT_OBJECT);

    CHECK(a.size == b.size && a.size && !memcmp(a.bytes, b.bytes, a.size));
    CHECK(a.parts_bytes == b.parts_bytes && a.parts_bytes >= 4 * COUNT);
    cg_output_free(&a);
    cg_output_free(&b);
}

static void test_sharing(cg_options o)
{
    cg_output text = compile(o, CG_EMIT_LLVM), assembly = compile(o, CG_EMIT_ASSEMBLY);

    CHECK(occurrences(text.bytes, "\ndefine ") == 4); /* three layers, one kernel */
    CHECK(occurrences(text.bytes, "[12000 x i8]") == 1);
    CHECK(occurrences(text.bytes, "@model =") == 1);
    CHECK(occurrences(assembly.bytes, "\t.globl\t") == 1);
    cg_output_free(&text);
    cg_output_free(&assembly);
}

/* Each target has layers and a kernel of its own, whose names say so; constants are there once. */
static void test_targets(cg_options o)
{
    char names[TARGET_SET_TEXT];
    const target_set all = o.targets = target_set_of("generic,avx512vnni");
    cg_output text = compile(o, CG_EMIT_LLVM), object = compile(o, CG_EMIT_OBJECT);

    CHECK(!strcmp(target_set_text(all, names), "avx512vnni,generic"));
    CHECK(occurrences(text.bytes, "\ndefine ") == 8);
    CHECK(occurrences(text.bytes, ".kernel.avx512vnni(ptr") == 1 + 3 &&
          occurrences(text.bytes, ".kernel.generic(ptr") == 1 + 3);
    CHECK(occurrences(text.bytes, "[12000 x i8]") == 1);
    o.targets = target_set_of("generic");
    cg_output alone = compile(o, CG_EMIT_OBJECT);
    CHECK(object.parts_bytes / 64 == alone.parts_bytes / 64 &&
          object.size > alone.size); /* but for what aligns the first */
    cg_output_free(&text);
    cg_output_free(&object);
    cg_output_free(&alone);
}

static void run(const qcc_variant *v, const unsigned char *weights)
{
    static float x[COUNT], y[COUNT];
    static _Alignas(64) unsigned char workspace[32768];
    const void *inputs[1] = {x};
    void *outputs[1] = {y};
    qcc_frame frame = {inputs, outputs, workspace, weights};
    int wrong = 0;

    for (uint32_t s = 0; s < v->step_count; s++)
        v->steps[s].run(&frame, 0, v->steps[s].units);
    for (int i = 0; i < COUNT; i++)
        wrong += y[i] != 3 * (float)i;
    CHECK(wrong == 0);
}

/* Best first, all steps in each. */
static bool variants_are(const qcc_model *m, target_set targets)
{
    uint64_t i = 0;
    bool good = true;

    for (; targets; targets = target_set_rest(targets), i++) {
        const target_info *t = target_set_best(targets);
        const qcc_variant *v = &m->variants[i];
        good = good && i < m->variant_count && !strcmp(v->target, t->name) && v->cpu_features == t->needs &&
               v->step_count == 3;
    }
    return good && i == m->variant_count;
}

static void test_model(cg_options o)
{
    cg_output out = compile(o, CG_EMIT_OBJECT);
    diag d = {0};
    cg_jit *jit = cg_jit_load(&out, &d);
    const qcc_model *m = jit ? cg_jit_symbol(jit, o.model_name, &d) : NULL;

    CHECK(m != NULL);
    if (m) {
        CHECK(m->magic == QCC_MODEL_MAGIC && m->abi_version == QCC_ABI_VERSION);
        CHECK(m->input_count == 1 && m->output_count == 1 && m->workspace_bytes == 32768);
        CHECK(variants_are(m, o.targets) && m->workspace_bytes == 32768);
        CHECK(!strcmp(m->inputs[0].name, "x") && m->inputs[0].bytes == 4 * COUNT && m->inputs[0].dims[0] == COUNT);
        CHECK(m->inputs[0].dtype == QCC_F32 && m->inputs[0].rank == 1 && m->inputs[0].scale == 0);
        CHECK(!strcmp(m->variants->steps[0].op, "add") && !strcmp(m->variants->steps[0].shape, "3000 -> 3000"));
        CHECK((m->weights != NULL) == o.external_weights &&
              m->weights_bytes == (o.external_weights ? out.parts_bytes : 0));
        CHECK(!o.external_weights || (out.parts_bytes >= 4 * COUNT && m->weights->bytes == NULL));
        static _Alignas(64) unsigned char weights[64 + 4 * COUNT + 64];
        size_t at = 0;
        for (size_t i = 0; o.external_weights && i < out.part_count; at += out.parts[i++].size)
            memcpy(weights + at, out.parts[i].bytes, out.parts[i].size);
        const qcc_weights_header *header = (const void *)weights;
        CHECK(!o.external_weights || (header->magic == QCC_WEIGHTS_MAGIC && header->id == m->weights->id));
        for (uint64_t i = 0; i < m->variant_count; i++)
            if (!(m->variants[i].cpu_features & ~qcc_cpu_features()))
                run(&m->variants[i], weights);
    }
    if (d.failed)
        fprintf(stderr, "%s\n", d.text);
    cg_jit_free(jit);
    cg_output_free(&out);
}

/* What LLVM held when it gave up is lost; a sanitizer that looks for leaks asks here which it is not to report. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) { return "leak:libLLVM\nleak:libstdc++\n"; }

static void asks_for_nonsense(void *module) { LLVMSetDataLayout(module, "nonsense"); }

/* LLVM gives up; the process goes on, and compiles. */
static void test_fatal(cg_options o)
{
    LLVMContextRef context = LLVMContextCreate();
    LLVMModuleRef module = LLVMModuleCreateWithNameInContext("m", context);
    diag d = {0};

    cg_fatal_watch(true);
    CHECK(arena_guard(asks_for_nonsense, module) == ARENA_ABANDONED);
    cg_fatal_watch(false);
    CHECK(!cg_fatal_report(NULL, &d) && strstr(d.text, "internal error: LLVM can't compile this: "));
    LLVMDisposeModule(module);
    LLVMContextDispose(context);
    test_deterministic(o);
}

int main(void)
{
    cg_options plain = {.model_name = "model", .targets = target_set_of("generic"), .opt_level = 2};
    cg_options external = plain, debug = plain, unoptimized = plain, several = plain;
    ir_graph *g = graph_new();
    cg_output out;
    diag d = {0};

    external.external_weights = true;
    debug.debug = true;
    unoptimized.opt_level = 0;
    several.targets = target_set_of("avx512vnni,generic");
    test_deterministic(plain);
    test_deterministic(debug);
    test_sharing(plain);
    test_model(plain);
    test_model(external);
    test_model(debug);
    test_model(unoptimized);
    test_targets(plain);
    test_deterministic(several);
    test_model(several);
    several.external_weights = several.debug = true;
    test_model(several);
    test_fatal(plain);
    plain.targets = target_set_of("pdp11");
    CHECK(!cg_compile(g, &plain, CG_EMIT_OBJECT, &out, &d) && d.failed);
    ir_graph_free(g);
    return test_end();
}
