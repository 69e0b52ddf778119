/* chance.h: random numbers that follow from a seed (splitmix64), the same everywhere. */
#ifndef QCC_RUN_CHANCE_H
#define QCC_RUN_CHANCE_H

#include <stdint.h>

typedef struct chance {
    uint64_t state;
} chance;

static inline uint64_t chance_next(chance *c)
{
    uint64_t x = c->state += 0x9E3779B97F4A7C15u;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return x ^ x >> 31;
}

/* 0…count - 1 */
static inline int64_t chance_below(chance *c, int64_t count) { return (int64_t)(chance_next(c) % (uint64_t)count); }

/* What has numbers of its own, by two numbers: a sample in an epoch, for instance. */
static inline chance chance_of(long seed, int64_t epoch, int64_t number)
{
    chance c = {(uint64_t)seed};
    c.state = chance_next(&c) ^ (uint64_t)epoch * 0xD1342543DE82EF95u;
    c.state = chance_next(&c) ^ (uint64_t)number * 0xA0761D6478BD642Fu;
    return c;
}

/* Any order; with c's next numbers. */
static inline void chance_shuffle(chance *c, int numbers[], int count)
{
    for (int i = 0; i < count; i++) {
        const int other = i + (int)chance_below(c, count - i), kept = numbers[i];
        numbers[i] = numbers[other];
        numbers[other] = kept;
    }
}

#endif
