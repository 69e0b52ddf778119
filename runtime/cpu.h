/* cpu.h: which instructions this machine may use.  Internal to the runtime and its tools. */
#ifndef QCC_CPU_H
#define QCC_CPU_H

#include <stdint.h>

/* QCC_CPU_* bits (model_abi.h) that both the CPU and the operating system support. */
uint32_t qcc_cpu_features(void);

#endif
