/* cpu.c: cpuid says what the CPU can do, XCR0 which registers the operating system saves; an instruction may be used
 * only when both agree. */
#include "cpu.h"

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

static uint32_t detect(void)
{
    uint32_t a, b, c, d, b7, c7, found = 0;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE) || !(c & bit_AVX))
        return 0;
    const uint64_t saved = saved_registers();
    if ((saved & XCR0_YMM) != XCR0_YMM)
        return 0;
    if (c & bit_FMA)
        found |= QCC_CPU_FMA;
    if (c & bit_F16C)
        found |= QCC_CPU_F16C;
    if (!__get_cpuid_count(7, 0, &a, &b7, &c7, &d))
        return found;
    if (b7 & bit_AVX2)
        found |= QCC_CPU_AVX2;
    const uint32_t avx512 = bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL | bit_AVX512CD;
    if ((saved & XCR0_ZMM) != XCR0_ZMM || (b7 & avx512) != avx512)
        return found;
    found |= QCC_CPU_AVX512;
    if (c7 & bit_AVX512VBMI)
        found |= QCC_CPU_AVX512_VBMI;
    if (c7 & bit_AVX512VNNI)
        found |= QCC_CPU_AVX512_VNNI;
    return found;
}
#else
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
