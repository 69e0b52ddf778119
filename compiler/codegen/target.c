/* target.c: the machines that code is made for, and LLVM's view of them. */
#include "compiler/codegen/module.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/model_abi.h"

/* avx512vnni is what every core with VNNI and VBMI has (Ice Lake, Zen 4 and later); code is scheduled as for Ice Lake,
 * with full-width vectors. */
static const cg_target targets[] = {
    {"avx512vnni", "x86-64-v4", "+avx512vbmi,+avx512vnni,-prefer-256-bit", 64, true, true, true,
     QCC_CPU_AVX2 | QCC_CPU_FMA | QCC_CPU_F16C | QCC_CPU_AVX512 | QCC_CPU_AVX512_VBMI | QCC_CPU_AVX512_VNNI},
    {"generic", "x86-64", "", 16, false, false, false, 0},
};
enum { TARGET_COUNT = sizeof targets / sizeof targets[0] };

const char *const *cg_target_names(int *out_count)
{
    static const char *const names[] = {"avx512vnni", "generic", "native"};

    *out_count = sizeof names / sizeof names[0];
    return names;
}

static bool host_has_avx512vnni(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("avx512f") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512cd") &&
           __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vnni");
}

const cg_target *cg_target_find(const char *name)
{
    if (!strcmp(name, "native"))
        return &targets[host_has_avx512vnni() ? 0 : 1];
    for (int i = 0; i < TARGET_COUNT; i++)
        if (!strcmp(name, targets[i].name))
            return &targets[i];
    return NULL;
}

const char *cg_target_name(const char *name)
{
    const cg_target *target = cg_target_find(name);

    return target ? target->name : NULL;
}

const char *cg_target_runs_here(const char *name)
{
    const cg_target *target = cg_target_find(name);

    if (!target)
        return "unknown target";
    if (target->avx512 && !host_has_avx512vnni())
        return "this CPU lacks AVX-512 VNNI or VBMI";
    return NULL;
}

LLVMTargetMachineRef cg_target_machine(const cg_target *target, int opt_level, diag *d)
{
    static const char triple[] = "x86_64-unknown-linux-gnu";
    LLVMCodeGenOptLevel level = opt_level <= 0 ? LLVMCodeGenLevelNone : opt_level == 1 ? LLVMCodeGenLevelLess : LLVMCodeGenLevelDefault;
    LLVMTargetMachineRef machine;
    LLVMTargetRef llvm_target;
    char *message = NULL;

    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    if (LLVMGetTargetFromTriple(triple, &llvm_target, &message)) {
        diag_error(d, NULL, "this LLVM can't generate code for x86-64: %s", message ? message : "");
        LLVMDisposeMessage(message);
        return NULL;
    }
    machine = LLVMCreateTargetMachine(llvm_target, triple, target->cpu, target->features, level, LLVMRelocPIC,
                                      LLVMCodeModelSmall);
    if (!machine)
        diag_error(d, NULL, "LLVM has no target machine for '%s'", target->name);
    return machine;
}

static void attribute_text(const cg_module *m, LLVMValueRef function, const char *key, const char *value)
{
    LLVMAttributeRef attribute = LLVMCreateStringAttribute(m->context, key, (unsigned)strlen(key), value, (unsigned)strlen(value));

    LLVMAddAttributeAtIndex(function, (LLVMAttributeIndex)LLVMAttributeFunctionIndex, attribute);
}

void cg_target_attributes(const cg_module *m, LLVMValueRef function)
{
    unsigned nounwind = LLVMGetEnumAttributeKindForName("nounwind", 8);

    LLVMAddAttributeAtIndex(function, (LLVMAttributeIndex)LLVMAttributeFunctionIndex,
                            LLVMCreateEnumAttribute(m->context, nounwind, 0));
    attribute_text(m, function, "target-cpu", m->target->cpu);
    if (m->target->features[0])
        attribute_text(m, function, "target-features", m->target->features);
    if (m->target->avx512) {
        attribute_text(m, function, "tune-cpu", "icelake-server");
        attribute_text(m, function, "prefer-vector-width", "512");
        attribute_text(m, function, "min-legal-vector-width", "512");
    }
    attribute_text(m, function, "no-trapping-math", "true");
}
