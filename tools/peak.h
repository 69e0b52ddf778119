/* peak.h: how many multiply-adds a second one core of this machine can do at best. */
#ifndef QCC_PEAK_H
#define QCC_PEAK_H

typedef struct peak { double int8, f32; } peak; /* multiply-adds a second and core; 0: unknown */

peak peak_measure(void); /* takes some hundredths of a second */

#endif
