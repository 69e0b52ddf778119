/* machine.c: machines.def, and cpuid's answers. */
#include "machine.h"

#include <cpuid.h>
#include <stdlib.h>
#include <string.h>

#include "failure.h"

const machine *machine_find(const char *name)
{
    static const machine machines[] = {
#define M(NAME, features) {#NAME, features},
#include "machines.def"
#undef M
    };

    for (size_t i = 0; i < sizeof machines / sizeof *machines; i++)
        if (!strcmp(name, machines[i].name))
            return &machines[i];
    return NULL;
}

bool machine_host_suffices(void)
{
    unsigned unused, ecx = 0;

    __get_cpuid(1, &unused, &unused, &ecx, &unused);
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && ecx & bit_F16C;
}

enum {
    BIT_VP2INTERSECT = 1 << 8,
    BIT_AMX_BF16 = 1 << 22,
    BIT_FP16 = 1 << 23,
    BIT_AMX_TILE = 1 << 24,
    BIT_AMX_INT8 = 1 << 25
};

/* Bits of cpuid's leaf 7 that stand for a feature; eax is subleaf 1's. */
static const struct {
    unsigned feature, ebx, ecx, edx, eax_1;
} bits[] = {
    {FEATURE_AVX512, bit_AVX512F | bit_AVX512CD | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL, 0, 0, 0},
    {FEATURE_VNNI, 0, bit_AVX512VNNI, 0, 0},
    {FEATURE_VBMI, 0, bit_AVX512VBMI, 0, 0},
    {FEATURE_AVX_VNNI, 0, 0, 0, bit_AVXVNNI},
    {FEATURE_OTHER, bit_AVX512IFMA, bit_AVX512VBMI2 | bit_AVX512BITALG | bit_AVX512VPOPCNTDQ,
     BIT_VP2INTERSECT | BIT_FP16 | BIT_AMX_BF16 | BIT_AMX_TILE | BIT_AMX_INT8, bit_AVX512BF16},
};

static unsigned saved_registers(unsigned which, unsigned *high)
{
    unsigned low;

    __asm__ volatile("xgetbv" : "=a"(low), "=d"(*high) : "c"(which));
    return low;
}

enum { XCR0_ZMM = 0xe6 };

/* Asked once: where a hypervisor answers, cpuid takes microseconds. */
static unsigned ask_features(void)
{
    unsigned eax = 0, ebx = 0, ecx = 0, edx = 0, eax_1 = 0, unused, found = 0;

    __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx);
    if (eax >= 1)
        __get_cpuid_count(7, 1, &eax_1, &unused, &unused, &unused);
    for (size_t i = 0; i < sizeof bits / sizeof *bits; i++)
        if ((ebx & bits[i].ebx) == bits[i].ebx && (ecx & bits[i].ecx) == bits[i].ecx &&
            (eax_1 & bits[i].eax_1) == bits[i].eax_1)
            found |= bits[i].feature;
    if (!(found & FEATURE_AVX512) || (saved_registers(0, &unused) & XCR0_ZMM) != XCR0_ZMM)
        found &= FEATURE_AVX_VNNI;
    return found & ~(unsigned)FEATURE_OTHER;
}

static unsigned cpu_features(void)
{
    static _Atomic unsigned cache; /* every thread finds the same */
    const unsigned known = 1u << 31;

    if (!cache)
        cache = ask_features() | known;
    return cache & ~known;
}

const machine *machine_host_named(void)
{
    const char *name = getenv("QCC_EMULATE_HOST");
    const machine *m = name ? machine_find(name) : NULL;

    if (name && !m)
        failure("QCC_EMULATE_HOST names no machine");
    return m;
}

unsigned machine_host_features(void)
{
    const machine *m = machine_host_named();

    return cpu_features() & (m ? m->features : ~0u);
}

unsigned machine_needs(const ZydisDecodedInstruction *in)
{
    switch (in->meta.isa_set) {
    case ZYDIS_ISA_SET_AVX512F_128:
    case ZYDIS_ISA_SET_AVX512F_128N:
    case ZYDIS_ISA_SET_AVX512F_256:
    case ZYDIS_ISA_SET_AVX512F_512:
    case ZYDIS_ISA_SET_AVX512F_KOP:
    case ZYDIS_ISA_SET_AVX512F_SCALAR:
    case ZYDIS_ISA_SET_AVX512BW_128:
    case ZYDIS_ISA_SET_AVX512BW_128N:
    case ZYDIS_ISA_SET_AVX512BW_256:
    case ZYDIS_ISA_SET_AVX512BW_512:
    case ZYDIS_ISA_SET_AVX512BW_KOP:
    case ZYDIS_ISA_SET_AVX512DQ_128:
    case ZYDIS_ISA_SET_AVX512DQ_128N:
    case ZYDIS_ISA_SET_AVX512DQ_256:
    case ZYDIS_ISA_SET_AVX512DQ_512:
    case ZYDIS_ISA_SET_AVX512DQ_KOP:
    case ZYDIS_ISA_SET_AVX512DQ_SCALAR:
    case ZYDIS_ISA_SET_AVX512CD_128:
    case ZYDIS_ISA_SET_AVX512CD_256:
    case ZYDIS_ISA_SET_AVX512CD_512: return FEATURE_AVX512;
    case ZYDIS_ISA_SET_AVX512_VNNI_128:
    case ZYDIS_ISA_SET_AVX512_VNNI_256:
    case ZYDIS_ISA_SET_AVX512_VNNI_512: return FEATURE_VNNI;
    case ZYDIS_ISA_SET_AVX512_VBMI_128:
    case ZYDIS_ISA_SET_AVX512_VBMI_256:
    case ZYDIS_ISA_SET_AVX512_VBMI_512: return FEATURE_VBMI;
    case ZYDIS_ISA_SET_AVX_VNNI: return FEATURE_AVX_VNNI;
    default: return in->encoding == ZYDIS_INSTRUCTION_ENCODING_EVEX ? FEATURE_OTHER : 0;
    }
}

/* The CPU's own answer, but for the features. */
void machine_cpuid(const machine *m, unsigned leaf, unsigned subleaf, unsigned answer[4])
{
    unsigned ebx = 0, ecx = 0, eax_1 = 0;
    const unsigned last = __get_cpuid_max(0, NULL);

    memset(answer, 0, 4 * sizeof *answer);
    if (leaf <= last || leaf & 0x80000000)
        __cpuid_count(leaf, subleaf, answer[0], answer[1], answer[2], answer[3]);
    if (leaf != 7)
        return;
    for (size_t i = 0; i < sizeof bits / sizeof *bits; i++) {
        const unsigned set = m->features & bits[i].feature ? ~0u : 0;
        answer[1] &= subleaf ? ~0u : ~bits[i].ebx;
        answer[2] &= subleaf ? ~0u : ~bits[i].ecx;
        answer[3] &= subleaf ? ~0u : ~bits[i].edx;
        answer[0] &= subleaf == 1 ? ~bits[i].eax_1 : ~0u;
        ebx |= bits[i].ebx & set;
        ecx |= bits[i].ecx & set;
        eax_1 |= bits[i].eax_1 & set;
    }
    if (subleaf == 0) {
        answer[0] = answer[0] < 1 ? 1 : answer[0]; /* the last subleaf */
        answer[1] |= ebx;
        answer[2] |= ecx;
    } else if (subleaf == 1) {
        answer[0] |= eax_1;
    }
}

void machine_xgetbv(const machine *m, unsigned which, unsigned answer[2])
{
    answer[0] = saved_registers(which, &answer[1]);
    if (which == 0 && m->features & FEATURE_AVX512)
        answer[0] |= XCR0_ZMM;
}
