/* noise.h: numbers that look random and are the same on each run, from -1 to 1. */
#ifndef QCC_TESTS_NOISE_H
#define QCC_TESTS_NOISE_H

#include <stdint.h>

static inline float noise(uint32_t i)
{
    i = (i ^ 61u ^ i >> 16) * 9u;
    i = (i ^ i >> 4) * 0x27d4eb2du;
    return (float)((i ^ i >> 15) >> 8) / 8388608.0f - 1.0f;
}

#endif
