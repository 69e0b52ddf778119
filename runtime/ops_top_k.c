/* ops_top_k.c: the k largest of each row, descending, NaN behind all numbers; of equals the first comes first. */
#include "runtime/ops.h"

#include <stdbool.h>
#include <string.h>

#include "runtime/qcc.h"

static bool is_more(int64_t type, const void *row, int64_t i, int64_t j)
{
    switch (type) {
    case QCC_F32: {
        float a, b;
        memcpy(&a, (const char *)row + 4 * i, 4);
        memcpy(&b, (const char *)row + 4 * j, 4);
        return a > b || (a == a && b != b);
    }
    case QCC_I8: return ((const int8_t *)row)[i] > ((const int8_t *)row)[j];
    case QCC_U8: return ((const uint8_t *)row)[i] > ((const uint8_t *)row)[j];
    case QCC_I16: {
        int16_t a, b;
        memcpy(&a, (const char *)row + 2 * i, 2);
        memcpy(&b, (const char *)row + 2 * j, 2);
        return a > b;
    }
    case QCC_I32: {
        int32_t a, b;
        memcpy(&a, (const char *)row + 4 * i, 4);
        memcpy(&b, (const char *)row + 4 * j, 4);
        return a > b;
    }
    default: {
        int64_t a, b;
        memcpy(&a, (const char *)row + 8 * i, 8);
        memcpy(&b, (const char *)row + 8 * j, 8);
        return a > b;
    }
    }
}

static int64_t bytes_of(int64_t type)
{
    return type == QCC_I8 || type == QCC_U8 ? 1 : type == QCC_I16 ? 2 : type == QCC_I64 ? 8 : 4;
}

static int64_t position_at(const void *list, int64_t bytes, int64_t i)
{
    int16_t narrow;
    int32_t wide;
    if (bytes == 2) {
        memcpy(&narrow, (const char *)list + 2 * i, 2);
        return narrow;
    }
    memcpy(&wide, (const char *)list + 4 * i, 4);
    return wide;
}

static void position_put(void *list, int64_t bytes, int64_t i, int64_t v)
{
    const int16_t narrow = (int16_t)v;
    const int32_t wide = (int32_t)v;
    if (bytes == 2)
        memcpy((char *)list + 2 * i, &narrow, 2);
    else
        memcpy((char *)list + 4 * i, &wide, 4);
}

/* The result's positions are the list, best first, that each element is inserted into. */
void qcc_op_top_k(const void *x, void *values, void *positions, int64_t rows, int64_t columns, int64_t k, int64_t type,
                  int64_t position_bytes)
{
    const int64_t width = bytes_of(type);
    for (int64_t r = 0; r < rows; r++) {
        const char *row = (const char *)x + r * columns * width;
        char *list = (char *)positions + r * k * position_bytes, *out = (char *)values + r * k * width;
        int64_t count = 0;
        for (int64_t i = 0; i < columns && k > 0; i++) {
            if (count == k && !is_more(type, row, i, position_at(list, position_bytes, k - 1)))
                continue;
            int64_t at = count < k ? count : k - 1;
            for (; at > 0 && is_more(type, row, i, position_at(list, position_bytes, at - 1)); at--)
                position_put(list, position_bytes, at, position_at(list, position_bytes, at - 1));
            position_put(list, position_bytes, at, i);
            count += count < k;
        }
        for (int64_t i = 0; i < k; i++)
            memcpy(out + i * width, row + position_at(list, position_bytes, i) * width, (size_t)width);
    }
}
