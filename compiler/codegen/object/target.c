/* target.c: LLVM's view of the machines that code is made for. */
#include "compiler/codegen/object/module.h"

#include <stdio.h>
#include <string.h>

enum { SSE_BYTES = 16 };

LLVMTargetMachineRef cg_target_machine(int opt_level, diag *d)
{
    static const char triple[] = "x86_64-unknown-linux-gnu";
    LLVMCodeGenOptLevel level = opt_level <= 0   ? LLVMCodeGenLevelNone
                                : opt_level == 1 ? LLVMCodeGenLevelLess
                                                 : LLVMCodeGenLevelDefault;
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
    machine = LLVMCreateTargetMachine(llvm_target, triple, "x86-64", "", level, LLVMRelocPIC, LLVMCodeModelSmall);
    if (!machine)
        diag_error(d, NULL, "LLVM has no target machine for %s", triple);
    return machine;
}

const char *cg_llvm_version(char text[CG_VERSION_TEXT])
{
    unsigned major, minor, patch;

    LLVMGetVersion(&major, &minor, &patch);
    snprintf(text, CG_VERSION_TEXT, "%u.%u.%u", major, minor, patch);
    return text;
}

static void attribute_text(const cg_module *m, LLVMValueRef function, const char *key, const char *value)
{
    LLVMAttributeRef attribute =
        LLVMCreateStringAttribute(m->context, key, (unsigned)strlen(key), value, (unsigned)strlen(value));

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
    if (m->target->tune[0])
        attribute_text(m, function, "tune-cpu", m->target->tune);
    if (m->target->vector_bytes > SSE_BYTES) {
        char bits[8];
        snprintf(bits, sizeof bits, "%u", 8 * m->target->vector_bytes);
        attribute_text(m, function, "prefer-vector-width", bits);
        attribute_text(m, function, "min-legal-vector-width", bits);
    }
    attribute_text(m, function, "no-trapping-math", "true");
}
