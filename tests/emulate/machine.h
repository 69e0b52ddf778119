/* machine.h: the machine that is emulated, and the one at hand. */
#ifndef QCC_EMULATE_MACHINE_H
#define QCC_EMULATE_MACHINE_H

#include <Zydis/Zydis.h>
#include <stdbool.h>

/* Instructions beyond AVX2, FMA and F16C. */
typedef enum machine_feature {
    FEATURE_AVX512 = 1, /* F, CD, BW, DQ, VL */
    FEATURE_VNNI = 2,
    FEATURE_VBMI = 4,
    FEATURE_AVX_VNNI = 8,
    FEATURE_OTHER = 16, /* that no machine here has */
} machine_feature;

typedef struct machine {
    const char *name;
    unsigned features;
} machine;

/* NULL when there is none of that name. */
const machine *machine_find(const char *name);

/* The CPU has AVX2, FMA and F16C, which the emulator itself is made of. */
bool machine_host_suffices(void);
/* Features of the machine at hand: of the CPU, but no more than those of the machine that QCC_EMULATE_HOST names. */
unsigned machine_host_features(void);
/* That machine; NULL: the variable isn't set, and nothing of the CPU is hidden. */
const machine *machine_host_named(void);

/* What an instruction needs; 0: nothing beyond AVX2. */
unsigned machine_needs(const ZydisDecodedInstruction *);

/* What the cpuid instruction answers: eax, ebx, ecx, edx. */
void machine_cpuid(const machine *, unsigned leaf, unsigned subleaf, unsigned answer[4]);
/* The same of xgetbv, eax and edx. */
void machine_xgetbv(const machine *, unsigned which, unsigned answer[2]);

#endif
