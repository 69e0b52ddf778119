/* peak.c: loops of nothing but the multiplications that kernels of each level are made of, on independent registers.
 *
 *     int8   vpdpbusd: 4 multiply-adds for each 4 bytes; without it vpmaddubsw and vpmaddwd, two instructions for that
 *            on SSE2 pmaddwd of bytes as words
 *     f32    vfmadd231ps; on SSE2 mulps and addps
 *
 * The registers zmm16..zmm31 are invisible to code compiled without AVX-512; the upper halves of others are left
 * zero. */
#include "tools/run/peak.h"

#include <stdint.h>

#include "runtime/cpu.h"
#include "runtime/model_abi.h"
#include "runtime/profile.h"

#if defined(__x86_64__)
#define ZMM(i, n) i " %%zmm17, %%zmm16, %%zmm" #n "\n"
#define YMM(i, n) i " %%ymm1, %%ymm0, %%ymm" #n "\n"
#define XMM(i, n) i " %%xmm0, %%xmm" #n "\n"
/* clang-format off */
#define XMM_14(i, j) \
    XMM(i, 2) XMM(j, 3) XMM(i, 4) XMM(j, 5) XMM(i, 6) XMM(j, 7) XMM(i, 8) XMM(j, 9) XMM(i, 10) XMM(j, 11) XMM(i, 12) XMM(j, 13) \
    XMM(i, 14) XMM(j, 15)
#define ZMM_14(i, j) \
    ZMM(i, 18) ZMM(j, 19) ZMM(i, 20) ZMM(j, 21) ZMM(i, 22) ZMM(j, 23) ZMM(i, 24) ZMM(j, 25) ZMM(i, 26) ZMM(j, 27) ZMM(i, 28) \
    ZMM(j, 29) ZMM(i, 30) ZMM(j, 31)
#define YMM_14(i, j) \
    YMM(i, 2) YMM(j, 3) YMM(i, 4) YMM(j, 5) YMM(i, 6) YMM(j, 7) YMM(i, 8) YMM(j, 9) YMM(i, 10) YMM(j, 11) YMM(i, 12) YMM(j, 13) \
    YMM(i, 14) YMM(j, 15)
#define CLEAR_ZMM "vpxord %%zmm16, %%zmm16, %%zmm16\n vmovdqa64 %%zmm16, %%zmm17\n"
#define CLEAR_YMM "vpxor %%ymm0, %%ymm0, %%ymm0\n vmovdqa %%ymm0, %%ymm1\n"
#define REGISTERS "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", \
        "xmm13", "xmm14", "xmm15"
/* clang-format on */
enum { INSTRUCTIONS = 14, ROUNDS = 200000, TRIES = 5 };

/* Functions of their own, whatever a compiler would rather do: nothing else runs between the two readings of the
 * clock. */
#define LOOP_ZMM(NAME, i, j)                                                                                           \
    __attribute__((noinline)) static void NAME(uint64_t rounds)                                                        \
    {                                                                                                                  \
        __asm__ volatile(CLEAR_ZMM "1:\n" ZMM_14(i, j) "dec %0\n jnz 1b\n" : "+r"(rounds) : : "cc");                   \
    }
#define LOOP_YMM(NAME, i, j)                                                                                           \
    __attribute__((noinline)) static void NAME(uint64_t rounds)                                                        \
    {                                                                                                                  \
        __asm__ volatile(CLEAR_YMM "1:\n" YMM_14(i, j) "dec %0\n jnz 1b\n vzeroupper\n"                                \
                         : "+r"(rounds)                                                                                \
                         :                                                                                             \
                         : "cc", REGISTERS);                                                                           \
    }

#define LOOP_XMM(NAME, i, j)                                                                                           \
    __attribute__((noinline)) static void NAME(uint64_t rounds)                                                        \
    {                                                                                                                  \
        __asm__ volatile("pxor %%xmm0, %%xmm0\n 1:\n" XMM_14(i, j) "dec %0\n jnz 1b\n"                                 \
                         : "+r"(rounds)                                                                                \
                         :                                                                                             \
                         : "cc", REGISTERS);                                                                           \
    }

LOOP_ZMM(dot_zmm, "vpdpbusd", "vpdpbusd")
LOOP_ZMM(pairs_zmm, "vpmaddubsw", "vpmaddwd")
LOOP_ZMM(fma_zmm, "vfmadd231ps", "vfmadd231ps")
LOOP_YMM(dot_ymm, "%{vex%} vpdpbusd", "%{vex%} vpdpbusd")
LOOP_YMM(pairs_ymm, "vpmaddubsw", "vpmaddwd")
LOOP_YMM(fma_ymm, "vfmadd231ps", "vfmadd231ps")
LOOP_XMM(pairs_xmm, "pmaddwd", "pmaddwd")
LOOP_XMM(mul_add_xmm, "mulps", "addps")

/* Best first. */
typedef struct level {
    uint32_t features;
    void (*run)(uint64_t);
    int multiply_adds; /* an instruction */
} level;

static const level int8_levels[] = {
    {QCC_CPU_AVX512_VNNI, dot_zmm, 64},
    {QCC_CPU_AVX512, pairs_zmm, 32},
    {QCC_CPU_AVX_VNNI, dot_ymm, 32},
    {QCC_CPU_AVX2, pairs_ymm, 16},
    {0, pairs_xmm, 8},
};
static const level f32_levels[] = {{QCC_CPU_AVX512, fma_zmm, 16}, {QCC_CPU_FMA, fma_ymm, 8}, {0, mul_add_xmm, 2}};

/* The last level needs nothing. */
static double best_rate(const level levels[], uint32_t features)
{
    double best = 0;
    while (levels->features & ~features)
        levels++;
    for (int i = 0; i < TRIES; i++) {
        const double before = qcc_clock_seconds();
        levels->run(ROUNDS);
        const double rate = (double)ROUNDS * INSTRUCTIONS * levels->multiply_adds / (qcc_clock_seconds() - before);
        best = rate > best ? rate : best;
    }
    return best;
}

peak peak_measure(uint32_t features)
{
    features &= qcc_cpu_features();
    return (peak){best_rate(int8_levels, features), best_rate(f32_levels, features)};
}
#else
peak peak_measure(uint32_t features)
{
    (void)features;
    return (peak){0, 0};
}
#endif
