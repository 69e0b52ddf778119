/* cpuid_trap.c: finds cpuid and xgetbv by decoding text, and remembers where they were. */
#include "cpuid_trap.h"

#include <limits.h>
#include <link.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "failure.h"

static const uint8_t CPUID[2] = {0x0f, 0xa2}, XGETBV[3] = {0x0f, 0x01, 0xd0}, TRAP[2] = {0x0f, 0x0b};

enum { SITES = 256, OBJECTS = 256 };
static struct {
    struct site {
        uint8_t *at;
        bool xgetbv;
    } sites[SITES];
    int site_count;
    ElfW(Addr) objects[OBJECTS]; /* that have been looked at */
    int object_count;
} patched;

static void patch(uint8_t *at, bool xgetbv)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *first = (uint8_t *)((uintptr_t)at & ~(page - 1));

    if (patched.site_count == SITES)
        failure("too many cpuid instructions");
    patched.sites[patched.site_count++] = (struct site){at, xgetbv};
    if (mprotect(first, 2 * page, PROT_READ | PROT_WRITE | PROT_EXEC))
        failure("text can't be written");
    memcpy(at, TRAP, sizeof TRAP);
    mprotect(first, 2 * page, PROT_READ | PROT_EXEC);
}

static void patch_text(uint8_t *text, size_t bytes)
{
    ZydisDecoder decoder;
    ZydisDecodedInstruction in;

    if (!memmem(text, bytes, CPUID, sizeof CPUID) && !memmem(text, bytes, XGETBV, sizeof XGETBV))
        return;
    ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    for (size_t at = 0; at < bytes; at += in.length) {
        if (!ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&decoder, NULL, text + at, bytes - at, &in)))
            in.length = 1;
        else if (in.mnemonic == ZYDIS_MNEMONIC_CPUID || in.mnemonic == ZYDIS_MNEMONIC_XGETBV)
            patch(text + at, in.mnemonic == ZYDIS_MNEMONIC_XGETBV);
    }
}

static bool is_known(ElfW(Addr) object)
{
    for (int i = 0; i < patched.object_count; i++)
        if (patched.objects[i] == object)
            return true;
    if (patched.object_count < OBJECTS)
        patched.objects[patched.object_count++] = object;
    return false;
}

/* Python, libc and LLVM go on with the CPU that there is. */
static bool is_system(const char *name)
{
    char program[PATH_MAX];

    if (!*name) {
        const ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
        program[length < 0 ? 0 : length] = 0;
        name = program;
    }
    return !strncmp(name, "/usr/", 5) || !strncmp(name, "/lib", 4) || !strncmp(name, "/bin/", 5) || !strchr(name, '/');
}

static int patch_object(struct dl_phdr_info *info, size_t size, void *own_address)
{
    const uintptr_t own = (uintptr_t)own_address;

    (void)size;
    if (is_system(info->dlpi_name) || is_known(info->dlpi_addr))
        return 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        const uintptr_t text = info->dlpi_addr + p->p_vaddr;
        const bool ours = own >= text && own < text + p->p_memsz;
        if (p->p_type == PT_LOAD && p->p_flags & PF_X && !ours)
            patch_text((uint8_t *)text, p->p_memsz);
    }
    return 0;
}

void cpuid_patch_objects(void) { dl_iterate_phdr(patch_object, (void *)(uintptr_t)patch_object); }

bool cpuid_answer(const machine *m, mcontext_t *context)
{
    greg_t *r = context->gregs;
    const struct site *site = NULL;
    unsigned answer[4] = {0};

    for (int i = 0; i < patched.site_count && !site; i++)
        if ((uintptr_t)patched.sites[i].at == (uintptr_t)r[REG_RIP])
            site = &patched.sites[i];
    if (!site)
        return false;
    if (site->xgetbv) {
        machine_xgetbv(m, (unsigned)r[REG_RCX], answer);
        r[REG_RAX] = answer[0];
        r[REG_RDX] = answer[1];
        r[REG_RIP] += sizeof XGETBV;
        return true;
    }
    machine_cpuid(m, (unsigned)r[REG_RAX], (unsigned)r[REG_RCX], answer);
    r[REG_RAX] = answer[0];
    r[REG_RBX] = answer[1];
    r[REG_RCX] = answer[2];
    r[REG_RDX] = answer[3];
    r[REG_RIP] += sizeof CPUID;
    return true;
}
