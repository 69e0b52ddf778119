/* mutation_paddle.c: changes to a Paddle Lite file, whose layout is at the head of frontends/paddle/paddle.c: to its
 * sections, and to the FlatBuffers in them, whose sizes stay right. */
#include <stdlib.h>
#include <string.h>

#include "frontends/flatbuffer.h"
#include "mutation.h"

enum { PROGRAM_SIZE = 18, PROGRAM = 26, MOST_PARAMETERS = 1024 };

/* A stretch of the file: in front of it, its size in `width` bytes at `size_at`, which counts `extra` more than the
 * stretch. */
typedef struct section {
    size_t at, size, size_at, width, extra;
} section;

typedef struct sections {
    size_t counts_at; /* u16 count of parameters */
    size_t count;     /* sections: the program, then the parameters */
    section all[MOST_PARAMETERS + 1];
} sections;

static bool inside(const mutation *m, size_t at, size_t length) { return at <= m->size && length <= m->size - at; }

static bool find_sections(const mutation *m, sections *s)
{
    const uint8_t *b = m->bytes;
    uint64_t program = m->size >= PROGRAM ? fb_load_u64(b + PROGRAM_SIZE) : UINT64_MAX;
    s->count = 0;
    if (program > m->size - PROGRAM || m->size < PROGRAM)
        return false;
    s->all[s->count++] = (section){PROGRAM, (size_t)program, PROGRAM_SIZE, 8, 0};
    size_t at = PROGRAM + (size_t)program;
    if (!inside(m, at, 4) || !inside(m, at, 4 + (size_t)fb_load_u16(b + at + 2) + 4))
        return false;
    at += 4 + (size_t)fb_load_u16(b + at + 2);
    s->counts_at = at + 2;
    size_t header = fb_load_u16(b + at), count = fb_load_u16(b + at + 2);
    at += 2 + header;
    for (size_t i = 0; i < count && i < MOST_PARAMETERS && inside(m, at, 8); i++) {
        size_t total = fb_load_u32(b + at), offset = fb_load_u32(b + at + 4);
        if (!inside(m, at + 4, total) || offset < 4 || offset > total)
            break;
        s->all[s->count++] = (section){at + 4 + offset, total - offset, at, 4, offset};
        at += 4 + total;
    }
    return true;
}

/* A FlatBuffer's own change, in a copy that may grow. */
static void change_section(mutation *m, const section *s)
{
    const size_t room = s->size + (m->room - m->size);
    mutation inner = {malloc(room + 1), s->size, room, m->random};
    if (!inner.bytes)
        return;
    memcpy(inner.bytes, m->bytes + s->at, s->size);
    mutation_flatbuffer(&inner);
    m->random = inner.random;
    if (mutation_replace(m, s->at, s->size, inner.bytes, inner.size))
        mutation_put(m->bytes + s->size_at, inner.size + s->extra, s->width);
    free(inner.bytes);
}

/* Without a parameter, or with one twice, or two of them in each other's place. */
static void change_parameters(mutation *m, const sections *s)
{
    const section *one = &s->all[1 + mutation_below(m, s->count - 1)], *last = &s->all[s->count - 1];
    const size_t whole = one->at + one->size - one->size_at, end = last->at + last->size;
    const uint16_t count = fb_load_u16(m->bytes + s->counts_at);
    const bool drop = mutation_below(m, 2);
    uint8_t *copy = malloc(whole);
    if (!copy)
        return;
    memcpy(copy, m->bytes + one->size_at, whole);
    if (drop)
        mutation_replace(m, one->size_at, whole, "", 0);
    const bool again = mutation_below(m, 2) && mutation_replace(m, drop ? end - whole : end, 0, copy, whole);
    mutation_put(m->bytes + s->counts_at, (uint64_t)count - drop + again, 2);
    free(copy);
}

/* Sizes, counts and versions. */
static void change_header(mutation *m, const sections *s)
{
    const section *one = &s->all[mutation_below(m, s->count)];
    switch (mutation_below(m, 4)) {
    case 0: mutation_edge(m, m->bytes + s->counts_at, 2); break;
    case 1: mutation_edge(m, m->bytes + one->size_at, 4); break;
    case 2: mutation_edge(m, m->bytes + one->at - 4, 4); break;
    default: m->bytes[2 + mutation_below(m, 16)] ^= (uint8_t)(1u << mutation_below(m, 8)); break;
    }
}

bool mutation_paddle(mutation *m)
{
    sections *s = malloc(sizeof *s);
    const bool found = s && find_sections(m, s);
    const size_t what = mutation_below(m, 16);
    if (found && what == 0)
        change_header(m, s);
    else if (found && what == 1 && s->count > 1)
        change_parameters(m, s);
    else if (found) /* the program says most */
        change_section(m, &s->all[mutation_below(m, 4) ? 0 : mutation_below(m, s->count)]);
    free(s);
    return found;
}
