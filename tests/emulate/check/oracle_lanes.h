/* oracle_lanes.h: what single lanes become, on raw bits; widths are in bytes. */
#ifndef QCC_EMULATE_ORACLE_LANES_H
#define QCC_EMULATE_ORACLE_LANES_H

#include <string.h>

#include "check.h"

static inline uint64_t get(const vector *v, unsigned width, unsigned i)
{
    uint64_t bits = 0;

    memcpy(&bits, v->u8 + width * i, width);
    return bits;
}

static inline void set(vector *v, unsigned width, unsigned i, uint64_t bits)
{
    memcpy(v->u8 + width * i, &bits, width);
}

static inline int64_t with_sign(uint64_t bits, unsigned width)
{
    const unsigned unused = 64 - 8 * width;

    return (int64_t)(bits << unused) >> unused;
}

static inline bool named(const sample *s, const char *prefix) { return !strncmp(s->name, prefix, strlen(prefix)); }
static inline bool contains(const sample *s, const char *part) { return strstr(s->name, part); }

uint64_t lane_shifted(const sample *s, uint64_t a, uint64_t count, unsigned width);
uint64_t lane_leading_zeros(uint64_t a, unsigned width);
uint64_t lane_logic(uint64_t a, uint64_t b, uint64_t c, unsigned table, unsigned width);
uint64_t lane_dot(const sample *s, unsigned i);
uint64_t lane_least(const sample *s, uint64_t a, uint64_t b);
uint64_t lane_multiply(uint64_t a, uint64_t b);
uint64_t lane_rounded(const sample *s, uint64_t bits, unsigned width);
uint64_t lane_scaled(uint64_t a, uint64_t b, unsigned width);
bool lane_compared(uint64_t a_bits, uint64_t b_bits, unsigned width, unsigned predicate);
uint64_t lane_converted(const sample *s, uint64_t bits, unsigned from, unsigned to);
uint64_t lane_resized(const sample *s, uint64_t bits, unsigned from, unsigned to);

#endif
