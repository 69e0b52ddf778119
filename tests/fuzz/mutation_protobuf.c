/* mutation_protobuf.c: changes to Protocol Buffers that leave the lengths around them right: a field's number or
 * text, a field left out, there twice, or another's payload. */
#include "mutation.h"

#include <string.h>

#include "frontends/protobuf.h"

enum { MOST_DEPTH = 24, MOST_VARINT = 10, MOST_COPY = 1024 };

/* A field, where it and its length are, and those that it lies in. */
typedef struct place {
    pb_field field;
    size_t begin; /* of its number */
} place;

typedef struct path {
    place at[MOST_DEPTH];
    int depth;
} path;

static size_t put_varint(uint8_t out[MOST_VARINT], uint64_t value)
{
    size_t length = 0;
    do {
        out[length++] = (uint8_t)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
        value >>= 7;
    } while (value);
    return length;
}

/* Any of the message's fields; false where it has none, or is no message. */
static bool any_field(mutation *m, size_t begin, size_t end, place *out)
{
    fb_reader reader;
    fb_open(&reader, m->bytes, m->size);
    pb_message message = {&reader, begin, end};
    size_t count = 0;
    for (size_t at = begin;; at = message.at) {
        pb_field f;
        if (!pb_next(&message, &f))
            return count && !reader.error;
        if (mutation_below(m, ++count) == 0)
            *out = (place){f, at};
    }
}

/* Down from the root; most of the way leads to what has no fields of its own. */
static bool find(mutation *m, path *p)
{
    size_t begin = 0, end = m->size;
    place here;
    p->depth = 0;
    while (p->depth < MOST_DEPTH && any_field(m, begin, end, &here)) {
        p->at[p->depth++] = here;
        if (here.field.wire != PB_BYTES || mutation_below(m, 8) == 0)
            break;
        begin = here.field.at;
        end = begin + here.field.size;
    }
    return p->depth > 0;
}

/* Replaces bytes of the innermost field, or all of it, and sets the lengths of those around it: `around` of them. */
static void replace(mutation *m, const path *p, int around, size_t at, size_t length, const void *with,
                    size_t with_length)
{
    if (!mutation_replace(m, at, length, with, with_length))
        return;
    size_t change = with_length - length;
    for (int i = around - 1; i >= 0; i--) {
        const pb_field *f = &p->at[i].field;
        uint8_t old[MOST_VARINT], now[MOST_VARINT];
        const size_t old_bytes = put_varint(old, f->size), bytes = put_varint(now, f->size + change);
        if (f->at < old_bytes || !mutation_replace(m, f->at - old_bytes, old_bytes, now, bytes))
            return;
        change += bytes - old_bytes;
    }
}

static void change_payload(mutation *m, const path *p)
{
    const pb_field *f = &p->at[p->depth - 1].field;
    uint8_t number[MOST_VARINT], edge[8];
    size_t length;
    if (f->wire == PB_VARINT) {
        memset(edge, 0, sizeof edge);
        mutation_edge(m, edge, mutation_below(m, 2) ? 8 : 4);
        length = put_varint(number, mutation_below(m, 2) ? fb_load_u64(edge) : (uint64_t)mutation_below(m, 24));
        replace(m, p, p->depth - 1, f->at, f->size, number, length);
    } else if (f->wire != PB_BYTES) {
        mutation_edge(m, m->bytes + f->at, f->size);
    } else if (mutation_below(m, 3) == 0 && f->size) {
        m->bytes[f->at + mutation_below(m, f->size)] = (uint8_t)mutation_next(m);
    } else {
        const char *word = mutation_word(m, &length);
        replace(m, p, p->depth, f->at, f->size, word, length);
    }
}

/* Left out, or once more at the same place or another of the same message. */
static void move_field(mutation *m, const path *p)
{
    const place *here = &p->at[p->depth - 1];
    const size_t bytes = here->field.at + here->field.size - here->begin;
    uint8_t copy[MOST_COPY];
    place other = *here;
    if (mutation_below(m, 2)) {
        replace(m, p, p->depth - 1, here->begin, bytes, "", 0);
        return;
    }
    if (bytes > sizeof copy)
        return;
    memcpy(copy, m->bytes + here->begin, bytes);
    if (p->depth > 1 && mutation_below(m, 2)) {
        const pb_field *around = &p->at[p->depth - 2].field;
        any_field(m, around->at, around->at + around->size, &other);
    }
    replace(m, p, p->depth - 1, other.begin, mutation_below(m, 2) ? other.field.at + other.field.size - other.begin : 0,
            copy, bytes);
}

void mutation_protobuf(mutation *m)
{
    path p;
    if (!find(m, &p))
        mutation_bytes(m, (int)mutation_below(m, MUTATION_KINDS));
    else if (mutation_below(m, 3))
        change_payload(m, &p);
    else
        move_field(m, &p);
}
