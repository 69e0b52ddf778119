/* protobuf.c: checked access to fields of messages.
 *
 *     message: fields, one behind the other
 *     field:   varint number << 3 | wire type, payload
 *     payload: 0 varint | 1 8 bytes | 2 varint n, n bytes | 5 4 bytes
 *     varint:  7 bits a byte, the lowest first, the top bit set but in the last; at most 10 bytes
 *
 * Wire types 3 and 4, groups, are of a time before the formats that are read here. */
#include "frontends/protobuf.h"

pb_message pb_root(fb_reader *r) { return (pb_message){r, 0, r->size}; }

/* The varint at *at, which moves behind it; false past the end or where it has more than 64 bits. */
static bool take_varint(fb_reader *r, size_t *at, size_t end, uint64_t *out)
{
    const size_t begin = *at;
    *out = 0;
    for (unsigned shift = 0; *at < end && shift < 64; shift += 7) {
        const uint8_t byte = r->bytes[(*at)++];
        if (shift == 63 && byte > 1)
            break;
        *out |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return true;
    }
    fb_fail(r, begin, *at < end ? "a number has more than 64 bits" : "a number ends outside its message");
    return false;
}

static bool take_payload(pb_message *m, pb_field *f)
{
    uint64_t length = 0;
    switch (f->wire) {
    case PB_VARINT:
        f->at = m->at;
        if (!take_varint(m->reader, &m->at, m->end, &f->value))
            return false;
        f->size = m->at - f->at;
        return true;
    case PB_FIXED64: length = 8; break;
    case PB_FIXED32: length = 4; break;
    case PB_BYTES:
        if (!take_varint(m->reader, &m->at, m->end, &length))
            return false;
        break;
    default: fb_fail(m->reader, f->at, "a field has a wire type that is not supported"); return false;
    }
    if (length > m->end - m->at) {
        fb_fail(m->reader, f->at, "a field ends outside its message");
        return false;
    }
    f->at = m->at;
    f->size = (size_t)length;
    m->at += f->size;
    return true;
}

bool pb_next(pb_message *m, pb_field *f)
{
    uint64_t tag;
    if (!m->reader || m->reader->error || m->at >= m->end)
        return false;
    *f = (pb_field){.reader = m->reader, .at = m->at};
    if (!take_varint(m->reader, &m->at, m->end, &tag))
        return false;
    if (tag >> 3 == 0 || tag >> 3 > 0x1fffffff) {
        fb_fail(m->reader, f->at, "a field has an impossible number");
        return false;
    }
    f->number = (uint32_t)(tag >> 3);
    f->wire = (pb_wire)(tag & 7);
    return take_payload(m, f);
}

/* ---- Values ---- */

static bool is(const pb_field *f, pb_wire wire)
{
    if (f->wire == wire)
        return true;
    fb_fail(f->reader, f->at, "a field is of another type than the format says");
    return false;
}

int64_t pb_int(const pb_field *f) { return is(f, PB_VARINT) ? (int64_t)f->value : 0; }
float pb_float(const pb_field *f) { return is(f, PB_FIXED32) ? fb_load_f32(f->reader->bytes + f->at) : 0.0f; }

pb_message pb_sub(const pb_field *f)
{
    return is(f, PB_BYTES) ? (pb_message){f->reader, f->at, f->at + f->size} : (pb_message){0};
}

const uint8_t *pb_bytes(const pb_field *f) { return is(f, PB_BYTES) ? f->reader->bytes + f->at : NULL; }

/* ---- Repeated numbers ---- */

size_t pb_int_count(const pb_field *f)
{
    size_t count = 0;
    if (f->wire == PB_VARINT)
        return 1;
    if (!is(f, PB_BYTES))
        return 0;
    for (size_t i = 0; i < f->size; i++)
        count += f->reader->bytes[f->at + i] < 0x80; /* the last byte of each */
    return count;
}

void pb_ints(const pb_field *f, int64_t out[])
{
    const size_t count = pb_int_count(f);
    size_t at = f->at;
    for (size_t i = 0; i < count; i++) {
        uint64_t value = 0;
        take_varint(f->reader, &at, f->at + f->size, &value);
        out[i] = (int64_t)value;
    }
    if (at < f->at + f->size)
        fb_fail(f->reader, at, "a number ends outside its list");
}

size_t pb_fixed_count(const pb_field *f, size_t bytes)
{
    if (f->wire == (bytes == 4 ? PB_FIXED32 : PB_FIXED64))
        return 1;
    if (!is(f, PB_BYTES))
        return 0;
    if (f->size % bytes)
        fb_fail(f->reader, f->at, "a list ends within a number");
    return f->size / bytes;
}

const uint8_t *pb_fixed(const pb_field *f) { return f->reader->bytes + f->at; }

size_t pb_count(pb_message m, uint32_t number)
{
    size_t count = 0;
    for (pb_field f; pb_next(&m, &f);)
        count += f.number == number;
    return count;
}

/* ---- Copies ---- */

const char *pb_text(const pb_field *f, arena *a)
{
    const uint8_t *bytes = pb_bytes(f);
    return bytes ? arena_string(a, (const char *)bytes, f->size) : "";
}

const int64_t *pb_int_list(pb_message message, uint32_t number, arena *a, uint32_t *out_count)
{
    pb_message again = message;
    size_t count = 0;
    for (pb_field f; pb_next(&message, &f);)
        count += f.number == number ? pb_int_count(&f) : 0;
    int64_t *ints = ARENA_ARRAY(a, int64_t, count + 1);
    *out_count = (uint32_t)count;
    count = 0;
    for (pb_field f; pb_next(&again, &f);) {
        if (f.number != number)
            continue;
        pb_ints(&f, ints + count);
        count += pb_int_count(&f);
    }
    return ints;
}

const float *pb_float_list(pb_message message, uint32_t number, arena *a, uint32_t *out_count)
{
    pb_message again = message;
    size_t count = 0;
    for (pb_field f; pb_next(&message, &f);)
        count += f.number == number ? pb_fixed_count(&f, 4) : 0;
    float *floats = ARENA_ARRAY(a, float, count + 1);
    *out_count = (uint32_t)count;
    count = 0;
    for (pb_field f; pb_next(&again, &f);)
        for (size_t i = 0, more = f.number == number ? pb_fixed_count(&f, 4) : 0; i < more; i++)
            floats[count++] = fb_load_f32(pb_fixed(&f) + 4 * i);
    return floats;
}

/* ---- Recognition ---- */

bool pb_could_be(const uint8_t *bytes, size_t size, const pb_kind kinds[], size_t count, unsigned *out_seen)
{
    fb_reader reader;
    fb_open(&reader, bytes, size);
    pb_message message = pb_root(&reader);
    *out_seen = 0;
    while (message.at < message.end) {
        pb_field f;
        const bool whole = pb_next(&message, &f);
        size_t i = 0;
        while (i < count && (kinds[i].number != f.number || kinds[i].wire != f.wire))
            i++;
        if (!f.number && message.at == message.end)
            return true; /* the bytes end within a field's number */
        if (i == count)
            return false;
        *out_seen |= 1u << i;
        if (!whole)
            return true;
    }
    return true;
}
