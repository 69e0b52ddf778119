/* flexbuffer.c: a checked look-up in a FlexBuffers map.
 *
 *     keys vector:  | count | key offset 0 | key offset 1 | ...                       offsets lead backwards
 *     map:          | offset of keys | width of keys | count | value 0 | ... | type 0 | type 1 | ...
 *     file:         ... | root value | root type | root width
 * A type byte is kind << 2 | log2 of the width of what it points at. */
#include "frontends/flexbuffer.h"

#include <string.h>

#include "frontends/flatbuffer.h"

/* clang-format off */
enum { KIND_INT = 1, KIND_UINT = 2, KIND_FLOAT = 3, KIND_INDIRECT_INT = 6, KIND_INDIRECT_UINT = 7,
       KIND_INDIRECT_FLOAT = 8, KIND_MAP = 9, KIND_BOOL = 26 };
/* clang-format on */

static bool inside(size_t size, size_t at, size_t length) { return at <= size && length <= size - at; }

static bool load_uint(const uint8_t *bytes, size_t size, size_t at, unsigned width, uint64_t *out)
{
    if (!inside(size, at, width))
        return false;
    const uint8_t *p = bytes + at;
    switch (width) {
    case 1: *out = *p; return true;
    case 2: *out = fb_load_u16(p); return true;
    case 4: *out = fb_load_u32(p); return true;
    case 8: *out = fb_load_u64(p); return true;
    default: return false;
    }
}

static bool load_number(const uint8_t *bytes, size_t size, size_t at, unsigned width, int kind, double *out)
{
    uint64_t u;
    if (!load_uint(bytes, size, at, width, &u))
        return false;
    if (kind == KIND_FLOAT) {
        if (width == 4)
            *out = (double)fb_load_f32(bytes + at);
        else if (width == 8)
            *out = fb_load_f64(bytes + at);
        return width >= 4;
    }
    if (kind == KIND_INT) {
        unsigned unused = 64 - 8 * width;
        *out = (double)((int64_t)(u << unused) >> unused);
    } else {
        *out = (double)u;
    }
    return true;
}

/* Where the offset stored at `at` leads. */
static bool follow_back(const uint8_t *bytes, size_t size, size_t at, unsigned width, size_t *out)
{
    uint64_t offset;
    if (!load_uint(bytes, size, at, width, &offset) || offset > at)
        return false;
    *out = at - (size_t)offset;
    return true;
}

bool flex_root_map(const uint8_t *bytes, size_t size, flex_map *out)
{
    flex_map m = {.bytes = bytes, .size = size};
    uint64_t key_width;
    if (size < 3)
        return false;
    unsigned root_width = bytes[size - 1];
    uint8_t type = bytes[size - 2];
    if (root_width > 8 || root_width > size - 2 || type >> 2 != KIND_MAP)
        return false;
    m.width = 1u << (type & 3);
    if (!follow_back(bytes, size, size - 2 - root_width, root_width, &m.values) || m.values < 3 * (size_t)m.width)
        return false;
    if (!load_uint(bytes, size, m.values - m.width, m.width, &m.count) || m.count > size ||
        !inside(size, m.values, (size_t)m.count * m.width + (size_t)m.count))
        return false;
    if (!load_uint(bytes, size, m.values - 2 * m.width, m.width, &key_width) || key_width > 8 ||
        !follow_back(bytes, size, m.values - 3 * m.width, m.width, &m.keys))
        return false;
    m.key_width = (unsigned)key_width;
    if (!inside(size, m.keys, (size_t)m.count * m.key_width))
        return false;
    *out = m;
    return true;
}

static bool key_is(const flex_map *m, uint64_t index, const char *key)
{
    size_t at, length = strlen(key) + 1;
    return follow_back(m->bytes, m->size, m->keys + (size_t)index * m->key_width, m->key_width, &at) &&
           inside(m->size, at, length) && memcmp(m->bytes + at, key, length) == 0;
}

bool flex_number(const flex_map *m, const char *key, double *out)
{
    for (uint64_t i = 0; i < m->count; i++) {
        if (!key_is(m, i, key))
            continue;
        uint8_t type = m->bytes[m->values + (size_t)m->count * m->width + (size_t)i];
        size_t at = m->values + (size_t)i * m->width;
        int kind = type >> 2;
        switch (kind) {
        case KIND_INT:
        case KIND_UINT:
        case KIND_FLOAT:
        case KIND_BOOL: return load_number(m->bytes, m->size, at, m->width, kind, out);
        case KIND_INDIRECT_INT:
        case KIND_INDIRECT_UINT:
        case KIND_INDIRECT_FLOAT:
            return follow_back(m->bytes, m->size, at, m->width, &at) &&
                   load_number(m->bytes, m->size, at, 1u << (type & 3), kind - (KIND_INDIRECT_INT - KIND_INT), out);
        default: return false;
        }
    }
    return false;
}
