/* targets.h: the machines that code is made for, best first; `native` is the first that the machine at hand can run.
 *
 *     T(NAME, who, cpu, features, tune, vector_bytes, registers, traits, needs)
 *
 * NAME        what --target takes
 * who         for the help: which machines can run it
 * cpu, features, tune
 *             LLVM's names: the instructions that may be used, and the CPU that code is scheduled for ("": the same)
 * vector_bytes, registers
 *             of a vector register; how many there are
 * traits      TARGET_* bits (target.h): what has an instruction, or a few, and need not be spelled out
 * needs       QCC_CPU_* bits (runtime/model_abi.h) that an object requires of the machine that runs it */
#ifndef QCC_TARGETS_H
#define QCC_TARGETS_H

#define TARGET_AVX2_TRAITS TARGET_FMA | TARGET_F16C | TARGET_ROUND | TARGET_BYTE_PAIRS | TARGET_SHUFFLES
#define TARGET_AVX512_TRAITS TARGET_AVX2_TRAITS | TARGET_MASKS
#define TARGET_AVX2_NEEDS QCC_CPU_AVX2 | QCC_CPU_FMA | QCC_CPU_F16C
#define TARGET_AVX512_NEEDS TARGET_AVX2_NEEDS | QCC_CPU_AVX512

#define TARGETS(T)                                                                                                     \
    T(avx512vbmi, "AVX-512 with VNNI and VBMI, as in Ice Lake, Zen 4 and later", "x86-64-v4",                          \
      "+avx512vbmi,+avx512vnni,-prefer-256-bit", "icelake-server", 64, 32,                                             \
      TARGET_AVX512_TRAITS | TARGET_DOT4 | TARGET_BYTE_TABLES,                                                         \
      TARGET_AVX512_NEEDS | QCC_CPU_AVX512_VBMI | QCC_CPU_AVX512_VNNI)                                                 \
    T(avx512vnni, "AVX-512 with VNNI, as in Cascade Lake and later", "x86-64-v4", "+avx512vnni,-prefer-256-bit",       \
      "cascadelake", 64, 32, TARGET_AVX512_TRAITS | TARGET_DOT4, TARGET_AVX512_NEEDS | QCC_CPU_AVX512_VNNI)            \
    T(avx512, "AVX-512, as in Skylake-X", "x86-64-v4", "-prefer-256-bit", "skylake-avx512", 64, 32,                    \
      TARGET_AVX512_TRAITS, TARGET_AVX512_NEEDS)                                                                       \
    T(avxvnni, "AVX2 with AVX-VNNI, as in Alder Lake and later", "x86-64-v3", "+avxvnni", "alderlake", 32, 16,         \
      TARGET_AVX2_TRAITS | TARGET_DOT4, TARGET_AVX2_NEEDS | QCC_CPU_AVX_VNNI)                                          \
    T(avx2, "AVX2, as in Haswell, Zen and later", "x86-64-v3", "", "znver3", 32, 16, TARGET_AVX2_TRAITS,               \
      TARGET_AVX2_NEEDS)                                                                                               \
    T(generic, "any x86-64", "x86-64", "", "", 16, 16, 0, 0)

#define TARGET_DEFAULT "avx512vbmi,avx512vnni"

/* As text, for help and diagnostics. */
#define TARGET_NAME_(NAME, ...) #NAME " "
#define TARGET_NAMES TARGETS(TARGET_NAME_)
#define TARGET_DOC_(NAME, who, ...) #NAME " (" who "), "
#define TARGET_DOC TARGETS(TARGET_DOC_) "or native, the first of these that this machine can run; "

#endif
