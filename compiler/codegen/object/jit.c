/* jit.c: object files loaded through LLVM's ORC. */
#include "compiler/codegen/object/jit.h"

#include <stdlib.h>
#include <string.h>

#include <llvm-c/Core.h>
#include <llvm-c/Error.h>
#include <llvm-c/LLJIT.h>
#include <llvm-c/Orc.h>
#include <llvm-c/Target.h>

struct cg_jit {
    LLVMOrcLLJITRef jit;
    char *object; /* until it has been linked, which the first symbol that is looked up brings about */
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

/* The object in one piece; NULL: out of memory. */
static char *joined(const cg_output *object, size_t *out_size)
{
    char *bytes = malloc(*out_size = object->size + object->parts_bytes), *to = bytes;

    if (!bytes)
        return NULL;
    memcpy(to, object->bytes, object->size);
    to += object->size;
    for (size_t i = 0; i < object->part_count; to += object->parts[i++].size)
        memcpy(to, object->parts[i].bytes, object->parts[i].size);
    return bytes;
}

static bool load(cg_jit *j, size_t size, diag *d)
{
    LLVMOrcDefinitionGeneratorRef process;
    LLVMOrcJITDylibRef library;

    if (!check(LLVMOrcCreateLLJIT(&j->jit, NULL), d))
        return false;
    library = LLVMOrcLLJITGetMainJITDylib(j->jit);
    if (!check(LLVMOrcCreateDynamicLibrarySearchGeneratorForProcess(&process, LLVMOrcLLJITGetGlobalPrefix(j->jit), NULL,
                                                                    NULL),
               d))
        return false;
    LLVMOrcJITDylibAddGenerator(library, process);
    return check(LLVMOrcLLJITAddObjectFile(j->jit, library,
                                           LLVMCreateMemoryBufferWithMemoryRange(j->object, size, "model", false)),
                 d);
}

cg_jit *cg_jit_load(const cg_output *object, diag *d)
{
    cg_jit *j = calloc(1, sizeof *j);
    /* A program loads the other kind of weights itself. */
    const cg_output code = {.bytes = object->bytes, .size = object->size};
    size_t size;

    if (!j || !(j->object = joined(object->separate ? &code : object, &size))) {
        free(j);
        diag_out_of_memory(d, NULL);
        return NULL;
    }
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    if (load(j, size, d))
        return j;
    cg_jit_free(j);
    return NULL;
}

void *cg_jit_symbol(cg_jit *j, const char *name, diag *d)
{
    LLVMOrcExecutorAddress address = 0;

    if (!check(LLVMOrcLLJITLookup(j->jit, &address, name), d))
        return NULL;
    free(j->object);
    j->object = NULL;
    return (void *)(uintptr_t)address;
}

void cg_jit_free(cg_jit *j)
{
    if (!j)
        return;
    if (j->jit)
        LLVMConsumeError(LLVMOrcDisposeLLJIT(j->jit));
    free(j->object);
    free(j);
}
