/* fill.c: see fill.h.  Deterministic: equal seeds fill equally, everywhere. */
#include "tests/codegen/fill.h"

#include <float.h>
#include <math.h>
#include <string.h>

uint64_t fill_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static float real_of(uint64_t r, int kind)
{
    static const float edges[] = {0, -0.0f, 1, -1, 0.5f, -0.5f, 1e-30f, -1e-30f, 1.5f, 2.5f, 88, -88, 6, 3, -3, 1e6f};
    float unit = (float)(r >> 40) / 8388608.0f - 1; /* -1 … 1 */

    switch (kind) {
    case 1: return r & 1 ? edges[(r >> 1) % (sizeof edges / sizeof *edges)] : unit;
    case 2: return -10;
    case 3: return 10;
    case 4: return ldexpf(unit, (int)(r % 25) - 12);
    case 5: return (float)((int)(r % 17) - 8);
    case FILL_CONSTANT: return unit;
    default: return 4 * unit;
    }
}

static int64_t integer_of(uint64_t r, int kind, int64_t low, int64_t high)
{
    switch (kind) {
    case 1: return r & 1 ? (r & 2 ? low : high) : low + (int64_t)((r >> 8) % (uint64_t)(high - low + 1));
    case 2: return low;
    case 3: return high;
    case 5: return high < 2 ? (int64_t)(r & 1) : low < 0 ? (int64_t)(r % 17) - 8 : (int64_t)(r % 17);
    default: return low + (int64_t)((r >> 8) % (uint64_t)(high - low + 1));
    }
}

/* Weights of 8 bits by seed: all alike, as training leaves them, and small ones with a few large ones among them. */
static int64_t weight_of(uint64_t seed, uint64_t r)
{
    enum { LARGEST = 127, SMALL = 30 };
    const int64_t uniform = (int64_t)((r >> 8) % (2 * LARGEST + 1)) - LARGEST;
    int64_t bell = 0;

    switch (seed % 3) {
    case 0: return uniform;
    case 1:
        for (int i = 0; i < 8; i++)
            bell += (int64_t)(r >> 8 * i & 15) * 3; /* in all a standard deviation of 39 */
        bell -= 8 * 3 * 15 / 2;
        return bell < -LARGEST ? -LARGEST : bell > LARGEST ? LARGEST : bell;
    default: return r % 24 ? uniform % SMALL : r & 256 ? LARGEST : -LARGEST;
    }
}

/* Whole numbers of 32 and 64 bits are indices, accumulators, biases: small ones say more than random bits. */
static int64_t integer_for(ir_dtype t, uint64_t r, int kind)
{
    switch (t) {
    case IR_I8: return integer_of(r, kind, -128, 127);
    case IR_U8: return integer_of(r, kind, 0, 255);
    case IR_I16: return integer_of(r, kind, -32768, 32767);
    case IR_BOOL: return integer_of(r, kind, 0, 1);
    case IR_I32:
    case IR_I64: return kind == 4 ? integer_of(r, kind, -1000000, 1000000) : integer_of(r, kind, -2000, 2000);
    default: return (int64_t)r;
    }
}

/* ---- Edges ---- */

static float real_edge(uint64_t r, bool sums, bool no_nan)
{
    /* clang-format off */
    static const float all[] = {
        NAN, -NAN, INFINITY, -INFINITY, 0, -0.0f, 1e-45f, -1e-45f, 1e-39f, FLT_MIN, -FLT_MIN, 0.5f, -0.5f, 1, -1, 1.5f, 2.5f, -2.5f,
        6, 127.5f, -128.5f, 255.5f, 32767.5f, 1e9f, -1e9f, 3e9f, 1e20f, -1e20f, FLT_MAX, -FLT_MAX, 0x1p23f,
        0x1.000002p23f, -0x1p23f,
        0x1.fffffep22f, 0x1p31f, -0x1p31f, 0x1.fffffep30f, -0x1.000002p31f, 0x1p32f, 0x1p51f, 0x1p53f, 0x1p63f, -0x1p63f,
        0x1.fffffep62f, 0x1p64f, 88.5f, -87.5f, -103.5f};
    /* clang-format on */
    enum { ALL = sizeof all / sizeof *all, SMALL = 19, NANS = 2 };
    const uint64_t first = no_nan ? NANS : 0;

    return all[first + r % ((sums ? SMALL : ALL) - first)];
}

/* Narrow types take the lower bits. */
static int64_t integer_edge(ir_dtype t, uint64_t r)
{
    /* clang-format off */
    static const int64_t all[] = {INT64_MIN, INT64_MAX, INT32_MIN, INT32_MAX, INT16_MIN, INT16_MAX, INT8_MIN, INT8_MAX, -1, 0, 1, 2,
        -2, 3, 100, 255, 65535, (int64_t)1 << 32, ((int64_t)1 << 32) + 1, -((int64_t)1 << 33)};
    /* clang-format on */
    const int64_t n = all[r % (sizeof all / sizeof *all)];

    return t == IR_BOOL ? n & 1 : n;
}

static void put_edge(void *to, ir_dtype t, uint64_t r, bool sums, bool no_nan)
{
    const float f = real_edge(r, sums, no_nan);
    const int64_t n = integer_edge(t, r);
    const double d = f;

    memcpy(to, t == IR_F32 ? (const void *)&f : t == IR_F64 ? (const void *)&d : (const void *)&n, ir_dtype_bytes(t));
}

static void fill_any(void *to, const ir_value *v, uint64_t seed, int kind);

static void fill_edges(void *to, const ir_value *v, uint64_t seed, int kind, bool sums)
{
    const size_t bytes = ir_dtype_bytes(v->type.dtype);
    uint64_t state = seed * 0x2545f4914f6cdd1du + 1;
    const uint64_t one = fill_random(&state) >> 8;

    fill_any(to, v, seed, 0);
    for (int64_t i = 0; i < ir_type_elements(&v->type); i++) {
        const uint64_t r = fill_random(&state);
        if (kind != 1 || r % 16 == 0)
            put_edge((char *)to + (size_t)i * bytes, v->type.dtype, kind == 2 ? one : r >> 8, sums, kind == 3);
    }
}

/* Onto the integers that v has. */
static void leave_unused(void *to, const ir_value *v)
{
    const ir_unused unused = v->quant ? v->quant->unused : (ir_unused){0, 0};
    const int base = v->type.dtype == IR_I8 ? INT8_MIN : 0, min = base + unused.below, max = base + 255 - unused.above;

    for (int64_t i = 0; ir_unused_any(unused) && i < ir_type_elements(&v->type); i++) {
        const int q = base ? ((int8_t *)to)[i] : ((uint8_t *)to)[i];
        ((uint8_t *)to)[i] = (uint8_t)(q < min ? min : q > max ? max : q);
    }
}

static void fill_any(void *to, const ir_value *v, uint64_t seed, int kind)
{
    size_t bytes = ir_dtype_bytes(v->type.dtype);
    uint64_t state = seed * 0x2545f4914f6cdd1du + 1;

    if (kind < FILL_CONSTANT) {
        const bool sums = kind < FILL_EDGES;
        fill_edges(to, v, seed, kind - (sums ? FILL_SUM_EDGES : FILL_EDGES), sums);
        return;
    }
    if (kind >= FILL_KINDS)
        kind %= FILL_KINDS;
    for (int64_t i = 0; i < ir_type_elements(&v->type); i++) {
        uint64_t r = fill_random(&state);
        int64_t n =
            kind == FILL_CONSTANT && v->type.dtype == IR_I8 ? weight_of(seed, r) : integer_for(v->type.dtype, r, kind);
        float f = real_of(r, kind);
        memcpy((char *)to + (size_t)i * bytes, v->type.dtype == IR_F32 ? (void *)&f : (void *)&n, bytes);
    }
}

void fill_value(void *to, const ir_value *v, uint64_t seed, int kind)
{
    fill_any(to, v, seed, kind);
    leave_unused(to, v);
}
