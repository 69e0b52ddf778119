/* flatbuffer.c: checked access to tables, vectors and strings.
 *
 *     root:   u32 offset to the table
 *     table:  i32 distance back to the vtable | inline fields ...
 *     vtable: u16 bytes of the vtable | u16 inline bytes of the table | u16 offset of field 0, of field 1, ... (0: absent)
 *     vector, string: u32 count | elements ...;  an offset field is a u32 relative to its own position */
#include "frontends/flatbuffer.h"

#include <string.h>

/* Every well-formed file opens each of its tables a few times at most. */
enum { BUDGET_FACTOR = 16, BUDGET_FLOOR = 1 << 16 };

uint16_t fb_load_u16(const uint8_t *p) { return (uint16_t)(p[0] | p[1] << 8); }

uint32_t fb_load_u32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

uint64_t fb_load_u64(const uint8_t *p) { return fb_load_u32(p) | (uint64_t)fb_load_u32(p + 4) << 32; }

float fb_load_f32(const uint8_t *p)
{
    uint32_t bits = fb_load_u32(p);
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

double fb_load_f64(const uint8_t *p)
{
    uint64_t bits = fb_load_u64(p);
    double f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

void fb_open(fb_reader *r, const uint8_t *bytes, size_t size)
{
    *r = (fb_reader){.bytes = bytes, .size = size};
    r->budget = size > (SIZE_MAX - BUDGET_FLOOR) / BUDGET_FACTOR ? SIZE_MAX : size * BUDGET_FACTOR + BUDGET_FLOOR;
}

void fb_fail(fb_reader *r, size_t at, const char *what)
{
    if (r->error)
        return;
    r->error = what;
    r->error_at = at;
}

bool fb_identifier_is(const uint8_t *bytes, size_t size, const char identifier[4])
{
    return size >= 8 && memcmp(bytes + 4, identifier, 4) == 0;
}

/* True when `length` bytes at `at` lie inside the file. */
static bool inside(const fb_reader *r, size_t at, size_t length) { return at <= r->size && length <= r->size - at; }

static bool charge(fb_reader *r, size_t at, size_t bytes)
{
    if (bytes > r->budget) {
        fb_fail(r, at, "the file refers to far more than it holds");
        return false;
    }
    r->budget -= bytes;
    return true;
}

static fb_table table_at(fb_reader *r, size_t at)
{
    const fb_table absent = {0};
    if (!inside(r, at, 4)) {
        fb_fail(r, at, "a table lies outside the file");
        return absent;
    }
    int64_t vtable = (int64_t)at - (int32_t)fb_load_u32(r->bytes + at);
    if (vtable < 0 || !inside(r, (size_t)vtable, 4)) {
        fb_fail(r, at, "a vtable lies outside the file");
        return absent;
    }
    size_t v = (size_t)vtable;
    uint16_t vtable_bytes = fb_load_u16(r->bytes + v), table_bytes = fb_load_u16(r->bytes + v + 2);
    if (vtable_bytes < 4 || vtable_bytes % 2 || !inside(r, v, vtable_bytes)) {
        fb_fail(r, v, "a vtable has an impossible size");
        return absent;
    }
    if (table_bytes < 4 || !inside(r, at, table_bytes)) {
        fb_fail(r, at, "a table has an impossible size");
        return absent;
    }
    if (!charge(r, at, (size_t)table_bytes + vtable_bytes))
        return absent;
    return (fb_table){r, at, v, (uint32_t)(vtable_bytes - 4) / 2, table_bytes};
}

fb_table fb_root(fb_reader *r)
{
    if (r->error)
        return (fb_table){0};
    if (!inside(r, 0, 8)) {
        fb_fail(r, 0, "the file is too short");
        return (fb_table){0};
    }
    return table_at(r, fb_load_u32(r->bytes));
}

/* Position of a field's inline bytes; false when absent or malformed. */
static bool field_at(fb_table t, unsigned field, size_t bytes, size_t *out_at)
{
    if (!t.reader || t.reader->error || field >= t.field_count)
        return false;
    uint16_t offset = fb_load_u16(t.reader->bytes + t.vtable + 4 + 2 * (size_t)field);
    if (!offset)
        return false;
    if (offset < 4 || offset > t.table_bytes || bytes > t.table_bytes - offset) {
        fb_fail(t.reader, t.at, "a field lies outside its table");
        return false;
    }
    *out_at = t.at + offset;
    return true;
}

bool fb_has(fb_table t, unsigned field)
{
    size_t at;
    return field_at(t, field, 1, &at);
}

uint8_t fb_u8(fb_table t, unsigned field, uint8_t def)
{
    size_t at;
    return field_at(t, field, 1, &at) ? t.reader->bytes[at] : def;
}

int8_t fb_i8(fb_table t, unsigned field, int8_t def) { return (int8_t)fb_u8(t, field, (uint8_t)def); }
bool fb_bool(fb_table t, unsigned field, bool def) { return fb_u8(t, field, def) != 0; }

uint32_t fb_u32(fb_table t, unsigned field, uint32_t def)
{
    size_t at;
    return field_at(t, field, 4, &at) ? fb_load_u32(t.reader->bytes + at) : def;
}

int32_t fb_i32(fb_table t, unsigned field, int32_t def) { return (int32_t)fb_u32(t, field, (uint32_t)def); }

uint64_t fb_u64(fb_table t, unsigned field, uint64_t def)
{
    size_t at;
    return field_at(t, field, 8, &at) ? fb_load_u64(t.reader->bytes + at) : def;
}

int64_t fb_i64(fb_table t, unsigned field, int64_t def) { return (int64_t)fb_u64(t, field, (uint64_t)def); }

float fb_f32(fb_table t, unsigned field, float def)
{
    size_t at;
    return field_at(t, field, 4, &at) ? fb_load_f32(t.reader->bytes + at) : def;
}

/* Where the offset stored at `at` leads; false past the end of the file. */
static bool follow(fb_reader *r, size_t at, size_t *out_target)
{
    uint32_t offset = fb_load_u32(r->bytes + at);
    if (offset < 4 || offset > r->size - at) {
        fb_fail(r, at, "an offset leads outside the file");
        return false;
    }
    *out_target = at + offset;
    return true;
}

fb_table fb_sub(fb_table t, unsigned field)
{
    size_t at, target;
    if (!field_at(t, field, 4, &at) || !follow(t.reader, at, &target))
        return (fb_table){0};
    return table_at(t.reader, target);
}

static fb_vector open_vector(fb_table t, unsigned field, uint32_t element_bytes, bool charged)
{
    const fb_vector absent = {.reader = t.reader, .element_bytes = element_bytes};
    size_t at, target;
    if (!field_at(t, field, 4, &at) || !follow(t.reader, at, &target))
        return absent;
    fb_reader *r = t.reader;
    if (!inside(r, target, 4)) {
        fb_fail(r, target, "a vector lies outside the file");
        return absent;
    }
    uint32_t count = fb_load_u32(r->bytes + target);
    if (count > (r->size - target - 4) / element_bytes) {
        fb_fail(r, target, "a vector ends outside the file");
        return absent;
    }
    if (!count || (charged && !charge(r, target, (size_t)count * element_bytes + 4)))
        return absent;
    return (fb_vector){r, r->bytes + target + 4, count, element_bytes};
}

fb_vector fb_vec(fb_table t, unsigned field, uint32_t element_bytes)
{
    return open_vector(t, field, element_bytes, true);
}

fb_vector fb_bytes(fb_table t, unsigned field) { return open_vector(t, field, 1, false); }

const char *fb_string(fb_table t, unsigned field, uint32_t *out_length)
{
    fb_vector v = fb_vec(t, field, 1);
    *out_length = v.count;
    return (const char *)v.data;
}

/* NULL after an error. */
static const uint8_t *element(fb_vector v, uint32_t index, uint32_t bytes)
{
    if (v.data && index < v.count && bytes <= v.element_bytes)
        return v.data + (size_t)index * v.element_bytes;
    if (v.reader)
        fb_fail(v.reader, 0, "an index lies outside its vector");
    return NULL;
}

uint8_t fb_vec_u8(fb_vector v, uint32_t i)
{
    const uint8_t *p = element(v, i, 1);
    return p ? *p : 0;
}

uint16_t fb_vec_u16(fb_vector v, uint32_t i)
{
    const uint8_t *p = element(v, i, 2);
    return p ? fb_load_u16(p) : 0;
}

uint32_t fb_vec_u32(fb_vector v, uint32_t i)
{
    const uint8_t *p = element(v, i, 4);
    return p ? fb_load_u32(p) : 0;
}

int32_t fb_vec_i32(fb_vector v, uint32_t i) { return (int32_t)fb_vec_u32(v, i); }

int64_t fb_vec_i64(fb_vector v, uint32_t i)
{
    const uint8_t *p = element(v, i, 8);
    return p ? (int64_t)fb_load_u64(p) : 0;
}

float fb_vec_f32(fb_vector v, uint32_t i)
{
    const uint8_t *p = element(v, i, 4);
    return p ? fb_load_f32(p) : 0.0f;
}

fb_table fb_vec_table(fb_vector v, uint32_t i)
{
    const uint8_t *p = element(v, i, 4);
    size_t target;
    if (!p || !follow(v.reader, (size_t)(p - v.reader->bytes), &target))
        return (fb_table){0};
    return table_at(v.reader, target);
}

const char *fb_vec_string(fb_vector v, uint32_t i, uint32_t *out_length)
{
    const uint8_t *p = element(v, i, 4);
    size_t target;
    *out_length = 0;
    if (!p || !follow(v.reader, (size_t)(p - v.reader->bytes), &target))
        return NULL;
    fb_reader *r = v.reader;
    uint32_t count = inside(r, target, 4) ? fb_load_u32(r->bytes + target) : UINT32_MAX;
    if (count == UINT32_MAX || count > r->size - target - 4) {
        fb_fail(r, target, "a string lies outside the file");
        return NULL;
    }
    if (!charge(r, target, (size_t)count + 4))
        return NULL;
    *out_length = count;
    return (const char *)r->bytes + target + 4;
}
