/* cpu.c: cpuid says what the CPU can do, XCR0 which registers the operating system saves; an instruction may be used
 * only when both agree. */
#include "cpu.h"

#include <stdbool.h>

#include "model_abi.h"

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>

enum { XCR0_YMM = 0x6, XCR0_ZMM = 0xe6 }; /* SSE and AVX state; the same, opmasks and both halves of zmm state */

static uint64_t saved_registers(void)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

static bool has_all(uint32_t word, uint32_t bits) { return (word & bits) == bits; }

uint32_t qcc_cpu_features_of(const qcc_cpuid *id)
{
    uint32_t found = 0;
    if (!has_all(id->leaf1_c, bit_OSXSAVE | bit_AVX) || (id->saved & XCR0_YMM) != XCR0_YMM)
        return 0;
    if (id->leaf1_c & bit_FMA)
        found |= QCC_CPU_FMA;
    if (id->leaf1_c & bit_F16C)
        found |= QCC_CPU_F16C;
    if (has_all(id->leaf7_b, bit_AVX2 | bit_BMI | bit_BMI2) && id->leaf1_c & bit_MOVBE && id->extended_c & bit_LZCNT)
        found |= QCC_CPU_AVX2;
    if (id->leaf7_1_a & bit_AVXVNNI)
        found |= QCC_CPU_AVX_VNNI;
    if ((id->saved & XCR0_ZMM) != XCR0_ZMM ||
        !has_all(id->leaf7_b, bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL | bit_AVX512CD))
        return found;
    found |= QCC_CPU_AVX512;
    if (id->leaf7_c & bit_AVX512VBMI)
        found |= QCC_CPU_AVX512_VBMI;
    if (id->leaf7_c & bit_AVX512VNNI)
        found |= QCC_CPU_AVX512_VNNI;
    return found;
}

static uint32_t detect(void)
{
    qcc_cpuid id = {0};
    uint32_t a, b, c, d;
    if (__get_cpuid(1, &a, &b, &c, &d))
        id.leaf1_c = c;
    if (id.leaf1_c & bit_OSXSAVE) /* without it there is no xgetbv */
        id.saved = saved_registers();
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
        const uint32_t last_of_7 = a;
        id.leaf7_b = b;
        id.leaf7_c = c;
        if (last_of_7 >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d))
            id.leaf7_1_a = a;
    }
    if (__get_cpuid(0x80000001, &a, &b, &c, &d))
        id.extended_c = c;
    return qcc_cpu_features_of(&id);
}
#else
uint32_t qcc_cpu_features_of(const qcc_cpuid *id) { return (void)id, 0; }
static uint32_t detect(void) { return 0; }
#endif

uint32_t qcc_cpu_features(void)
{
    const uint32_t known = 1u << 31;
    static _Atomic uint32_t cache; /* every thread computes the same, so a race is harmless */
    uint32_t features = cache;
    if (!(features & known))
        cache = features = detect() | known;
    return features & ~known;
}
