/* jit.c: object files loaded through LLVM's ORC. */
#include "compiler/codegen/jit.h"

#include <stdlib.h>

#include <llvm-c/Core.h>
#include <llvm-c/Error.h>
#include <llvm-c/LLJIT.h>
#include <llvm-c/Orc.h>
#include <llvm-c/Target.h>

struct cg_jit {
    LLVMOrcLLJITRef jit;
};

/* Reports and consumes an LLVM error; true when there was none. */
static bool check(LLVMErrorRef error, diag *d)
{
    char *message;

    if (!error)
        return true;
    message = LLVMGetErrorMessage(error);
    diag_error(d, NULL, "LLVM: %s", message);
    LLVMDisposeErrorMessage(message);
    return false;
}

static bool load(cg_jit *j, const void *object, size_t size, diag *d)
{
    LLVMOrcDefinitionGeneratorRef process;
    LLVMOrcJITDylibRef library;
    LLVMMemoryBufferRef buffer;

    if (!check(LLVMOrcCreateLLJIT(&j->jit, NULL), d))
        return false;
    library = LLVMOrcLLJITGetMainJITDylib(j->jit);
    if (!check(LLVMOrcCreateDynamicLibrarySearchGeneratorForProcess(&process, LLVMOrcLLJITGetGlobalPrefix(j->jit), NULL,
                                                                    NULL), d))
        return false;
    LLVMOrcJITDylibAddGenerator(library, process);
    buffer = LLVMCreateMemoryBufferWithMemoryRangeCopy(object, size, "model");
    return check(LLVMOrcLLJITAddObjectFile(j->jit, library, buffer), d);
}

cg_jit *cg_jit_load(const void *object, size_t size, diag *d)
{
    cg_jit *j = calloc(1, sizeof *j);

    if (!j) {
        diag_error(d, NULL, "out of memory");
        return NULL;
    }
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    if (load(j, object, size, d))
        return j;
    cg_jit_free(j);
    return NULL;
}

void *cg_jit_symbol(cg_jit *j, const char *name, diag *d)
{
    LLVMOrcExecutorAddress address = 0;

    return check(LLVMOrcLLJITLookup(j->jit, &address, name), d) ? (void *)(uintptr_t)address : NULL;
}

void cg_jit_free(cg_jit *j)
{
    if (!j)
        return;
    if (j->jit)
        LLVMConsumeError(LLVMOrcDisposeLLJIT(j->jit));
    free(j);
}
