/* peak.h: how many multiply-adds a second one core of this machine can do at best. */
#ifndef QCC_PEAK_H
#define QCC_PEAK_H

#include <stdint.h>

typedef struct peak {
    double int8, f32;
} peak; /* multiply-adds a second and core; 0: unknown */

/* Of code that may use these features (QCC_CPU_* of runtime/model_abi.h); takes some hundredths of a second. */
peak peak_measure(uint32_t features);

#endif
