/* cpu.h: which instructions this machine may use.  Internal to the runtime and its tools. */
#ifndef QCC_CPU_H
#define QCC_CPU_H

#include <stdint.h>

/* QCC_CPU_* bits (model_abi.h) that both the CPU and the operating system support. */
uint32_t qcc_cpu_features(void);

/* What cpuid answers: register C of leaf 1, B and C of leaf 7, A of its second part, C of leaf 0x80000001; and XCR0. */
typedef struct qcc_cpuid {
    uint32_t leaf1_c, leaf7_b, leaf7_c, leaf7_1_a, extended_c;
    uint64_t saved;
} qcc_cpuid;

/* The same bits, of a machine that answers so. */
uint32_t qcc_cpu_features_of(const qcc_cpuid *);

#endif
