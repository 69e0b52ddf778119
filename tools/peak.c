/* peak.c: 14 independent accumulators of vpdpbusd (64 multiply-adds an instruction) and vfmadd231ps (16) in a loop that
 * touches no memory.  The registers zmm16..zmm31 are invisible to code compiled without AVX-512, so nothing is clobbered. */
#include "tools/peak.h"

#include <stdint.h>

#include "runtime/cpu.h"
#include "runtime/model_abi.h"
#include "runtime/profile.h"

#if defined(__x86_64__)
#define EACH(instruction)                                                                                              \
    instruction " %%zmm17, %%zmm16, %%zmm18\n" instruction " %%zmm17, %%zmm16, %%zmm19\n"                              \
    instruction " %%zmm17, %%zmm16, %%zmm20\n" instruction " %%zmm17, %%zmm16, %%zmm21\n"                              \
    instruction " %%zmm17, %%zmm16, %%zmm22\n" instruction " %%zmm17, %%zmm16, %%zmm23\n"                              \
    instruction " %%zmm17, %%zmm16, %%zmm24\n" instruction " %%zmm17, %%zmm16, %%zmm25\n"                              \
    instruction " %%zmm17, %%zmm16, %%zmm26\n" instruction " %%zmm17, %%zmm16, %%zmm27\n"                              \
    instruction " %%zmm17, %%zmm16, %%zmm28\n" instruction " %%zmm17, %%zmm16, %%zmm29\n"                              \
    instruction " %%zmm17, %%zmm16, %%zmm30\n" instruction " %%zmm17, %%zmm16, %%zmm31\n"
#define CLEAR "vpxord %%zmm16, %%zmm16, %%zmm16\n vmovdqa64 %%zmm16, %%zmm17\n"
#define LOOP(instruction) CLEAR "1:\n" EACH(instruction) "dec %0\n jnz 1b\n"

enum { ACCUMULATORS = 14, INT8_LANES = 64, F32_LANES = 16, ROUNDS = 200000, TRIES = 5 };

/* Functions of their own, whatever a compiler would rather do: nothing else runs between the two readings of the clock. */
__attribute__((noinline)) static void run_int8(uint64_t rounds) { __asm__ volatile(LOOP("vpdpbusd") : "+r"(rounds) : : "cc"); }

__attribute__((noinline)) static void run_f32(uint64_t rounds) { __asm__ volatile(LOOP("vfmadd231ps") : "+r"(rounds) : : "cc"); }

static double best_rate(void (*run)(uint64_t), int lanes)
{
    double best = 0;
    for (int i = 0; i < TRIES; i++) {
        const double before = qcc_clock_seconds();
        run(ROUNDS);
        const double rate = (double)ROUNDS * ACCUMULATORS * lanes / (qcc_clock_seconds() - before);
        best = rate > best ? rate : best;
    }
    return best;
}

peak peak_measure(void)
{
    peak p = {0, 0};
    const uint32_t features = qcc_cpu_features();
    if (features & QCC_CPU_AVX512_VNNI)
        p.int8 = best_rate(run_int8, INT8_LANES);
    if (features & QCC_CPU_AVX512)
        p.f32 = best_rate(run_f32, F32_LANES);
    return p;
}
#else
peak peak_measure(void) { return (peak){0, 0}; }
#endif
