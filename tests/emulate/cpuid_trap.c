/* cpuid_trap.c: finds cpuid and xgetbv by their bytes and by decoding the function around them; remembers where they
 * were. */
#include "cpuid_trap.h"

#include <limits.h>
#include <link.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "failure.h"
#include "hide.h"

static const uint8_t CPUID[2] = {0x0f, 0xa2}, XGETBV[3] = {0x0f, 0x01, 0xd0}, TRAP[2] = {0x0f, 0x0b};

enum { SITES = 4096, OBJECTS = 256 };
static struct {
    struct site {
        uint8_t *at;
        bool xgetbv;
    } sites[SITES];
    int site_count;
    ElfW(Addr) objects[OBJECTS]; /* that have been looked at */
    int object_count;
    bool hides;
} patched;

/* Not preload.c's mprotect, which looks at the code. */
static void protect(void *first, size_t bytes, int protection)
{
    if (syscall(SYS_mprotect, first, bytes, protection))
        failure("text can't be written");
}

static void patch(uint8_t *at, bool xgetbv)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *first = (uint8_t *)((uintptr_t)at & ~(page - 1));

    if (patched.site_count == SITES)
        failure("too many cpuid instructions");
    patched.sites[patched.site_count++] = (struct site){at, xgetbv};
    const size_t bytes = (size_t)(at + sizeof TRAP - first); /* no page behind: it may be another segment's, or none */
    protect(first, bytes, PROT_READ | PROT_WRITE | PROT_EXEC);
    memcpy(at, TRAP, sizeof TRAP);
    protect(first, bytes, PROT_READ | PROT_EXEC);
}

/* An object's table of functions, as unwinders find it (.eh_frame_hdr), in the form that linkers write. */
typedef struct functions {
    uint8_t version, pointer_format, count_format, table_format;
    int32_t frames;
    uint32_t count;
    struct {
        int32_t start, frame;
    } table[]; /* starts relative to this header */
} functions;

/* 0 in another form. */
static uint32_t function_count(const functions *f)
{
    return f && f->version == 1 && f->count_format == 0x03 && f->table_format == 0x3b ? f->count : 0;
}

/* Where the function that holds an address begins; `text` where that isn't known. */
static const uint8_t *function_of(const functions *f, const uint8_t *text, const uint8_t *at)
{
    const uint32_t count = function_count(f);
    const uint8_t *start = text;

    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *one = (const uint8_t *)f + f->table[i].start;
        if (one <= at && one > start)
            start = one;
    }
    return start;
}

/* The instruction there, if one begins there: decoding goes on from the function's beginning. */
static ZydisMnemonic instruction_at(const uint8_t *start, const uint8_t *at)
{
    ZydisDecoder decoder;
    ZydisDecodedInstruction in;

    ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    for (; start <= at; start += in.length) {
        if (!ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&decoder, NULL, start, ZYDIS_MAX_INSTRUCTION_LENGTH, &in)))
            in.length = 1;
        else if (start == at)
            return in.mnemonic;
    }
    return ZYDIS_MNEMONIC_INVALID;
}

static void patch_all(uint8_t *text, size_t bytes, const functions *f, const uint8_t *code, size_t length,
                      ZydisMnemonic m)
{
    uint8_t *end = text + bytes;

    for (uint8_t *at = text; (at = memmem(at, (size_t)(end - at), code, length)); at++)
        if (instruction_at(function_of(f, text, at), at) == m)
            patch(at, m == ZYDIS_MNEMONIC_XGETBV);
}

/* What the machine at hand is not to have, function by function: the table is in order of addresses. */
static void hide_all(uint8_t *text, size_t bytes, const functions *f)
{
    const uint32_t count = function_count(f);
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), before = (uintptr_t)text % page;
    uint8_t *at = text;

    protect(text - before, before + bytes, PROT_READ | PROT_WRITE | PROT_EXEC);
    for (uint32_t i = 0; i <= count; i++) {
        uint8_t *next = i < count ? (uint8_t *)(uintptr_t)f + f->table[i].start : text + bytes;
        if (next <= at || next > text + bytes)
            continue;
        hide_code(at, (size_t)(next - at));
        at = next;
    }
    protect(text - before, before + bytes, PROT_READ | PROT_EXEC);
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

bool cpuid_is_system(const char *name)
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
    const functions *f = NULL;

    (void)size;
    if (cpuid_is_system(info->dlpi_name) || is_known(info->dlpi_addr))
        return 0;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_GNU_EH_FRAME)
            f = (const functions *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        const uintptr_t text = info->dlpi_addr + p->p_vaddr;
        const bool ours = own >= text && own < text + p->p_memsz;
        if (p->p_type != PT_LOAD || !(p->p_flags & PF_X) || ours)
            continue;
        if (patched.hides && !strstr(info->dlpi_name, "/site-packages/")) /* large, and go by cpuid's answer */
            hide_all((uint8_t *)text, p->p_memsz, f);
        patch_all((uint8_t *)text, p->p_memsz, f, CPUID, sizeof CPUID, ZYDIS_MNEMONIC_CPUID);
        patch_all((uint8_t *)text, p->p_memsz, f, XGETBV, sizeof XGETBV, ZYDIS_MNEMONIC_XGETBV);
    }
    return 0;
}

void cpuid_setup(bool hides) { patched.hides = hides; }

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
