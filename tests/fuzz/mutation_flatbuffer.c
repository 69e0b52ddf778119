/* mutation_flatbuffer.c: changes to the tables and vectors of a FlatBuffer whose schema nobody says.
 *
 *     table:   i32 distance back to the vtable | scalars, and u32 offsets to tables and vectors ...
 *     vtable:  u16 its bytes | u16 inline bytes of the table | u16 offset of field 0, of field 1, ... (0: absent)
 *     vector:  u32 count | elements ...
 *
 * A walk from the root guesses what is what: four bytes are an offset where they lead to something that looks like a
 * table or a vector, a field is as wide as the way to the next one.  A wrong guess is one more kind of damage.  Offsets
 * lead forward only; bytes can be inserted anywhere, because the walk knows all offsets that lead across. */
#include <stdlib.h>
#include <string.h>

#include "frontends/flatbuffer.h"
#include "mutation.h"

typedef enum place_kind {
    PLACE_TABLE,  /* at: where it begins; target: its vtable */
    PLACE_SCALAR, /* at, width */
    PLACE_OFFSET, /* at; target: a table's or a vector's position */
    PLACE_VECTOR, /* at: its count; width: of its elements, 0 unknown */
    PLACE_KINDS
} place_kind;

typedef struct place {
    place_kind kind;
    uint32_t at, target, width;
    bool of_offsets; /* PLACE_VECTOR: its elements are places, too; PLACE_OFFSET: to a table */
} place;

typedef struct walk {
    mutation *m;
    uint8_t *seen; /* a byte for each of the file's: whether a table or vector there has been walked */
    place *places;
    size_t count, room;
} walk;

enum { DEEPEST = 64, MOST_PLACES = 1 << 16 };

static void add_place(walk *w, place p)
{
    if (w->count == w->room) {
        size_t room = w->room ? w->room * 2 : 1024;
        place *places = room <= MOST_PLACES ? realloc(w->places, room * sizeof *places) : NULL;
        if (!places)
            return;
        w->places = places;
        w->room = room;
    }
    w->places[w->count++] = p;
}

static uint32_t load32(const walk *w, size_t at) { return fb_load_u32(w->m->bytes + at); }
static uint16_t load16(const walk *w, size_t at) { return fb_load_u16(w->m->bytes + at); }
static bool inside(const walk *w, size_t at, size_t length) { return at <= w->m->size && length <= w->m->size - at; }

/* Looks like a table; its vtable. */
static bool is_table(const walk *w, size_t at, uint32_t *out_vtable)
{
    if (!inside(w, at, 4))
        return false;
    int64_t vtable = (int64_t)at - (int32_t)load32(w, at);
    if (vtable < 0 || !inside(w, (size_t)vtable, 4))
        return false;
    size_t bytes = load16(w, (size_t)vtable), inline_bytes = load16(w, (size_t)vtable + 2);
    if (bytes < 4 || bytes > 512 || bytes % 2 || inline_bytes < 4 || !inside(w, (size_t)vtable, bytes) ||
        !inside(w, at, inline_bytes))
        return false;
    for (size_t i = 4; i < bytes; i += 2) {
        size_t offset = load16(w, (size_t)vtable + i);
        if (offset && (offset < 4 || offset >= inline_bytes))
            return false;
    }
    *out_vtable = (uint32_t)vtable;
    return true;
}

static bool is_vector(const walk *w, size_t at) { return inside(w, at, 4) && load32(w, at) <= w->m->size - at - 4; }

static bool is_string(const walk *w, size_t at)
{
    return is_vector(w, at) && inside(w, at + 4 + load32(w, at), 1) && !w->m->bytes[at + 4 + load32(w, at)];
}

static void walk_table(walk *w, uint32_t at, uint32_t vtable, int depth);

/* The vector at `at`; elements that all seem to lead to tables or strings are offsets. */
static void walk_vector(walk *w, uint32_t at, int depth)
{
    uint32_t count = load32(w, at), vtable;
    bool of_offsets = count && count <= (w->m->size - at - 4) / 4;
    for (uint32_t i = 0; of_offsets && i < count && i < 8; i++) {
        size_t element = at + 4 + 4 * (size_t)i, target = element + load32(w, element);
        of_offsets = target - element >= 4 && (is_table(w, target, &vtable) || is_string(w, target));
    }
    add_place(w, (place){PLACE_VECTOR, at, 0, of_offsets ? 4 : 0, of_offsets});
    for (uint32_t i = 0; of_offsets && i < count; i++) {
        size_t element = at + 4 + 4 * (size_t)i, target = element + load32(w, element);
        bool table = is_table(w, target, &vtable);
        if (!table && !is_vector(w, target))
            continue;
        add_place(w, (place){PLACE_OFFSET, (uint32_t)element, (uint32_t)target, 4, table});
        if (depth < DEEPEST && !w->seen[target]) {
            w->seen[target] = 1;
            if (table)
                walk_table(w, (uint32_t)target, vtable, depth + 1);
            else
                add_place(w, (place){PLACE_VECTOR, (uint32_t)target, 0, 1, false});
        }
    }
}

static void walk_field(walk *w, uint32_t at, uint32_t width, int depth)
{
    size_t target = width >= 4 ? at + (size_t)load32(w, at) : at;
    uint32_t vtable;
    bool table = target >= at + 4 && is_table(w, target, &vtable);
    if (!table && !(target >= at + 4 && is_vector(w, target))) {
        add_place(w, (place){PLACE_SCALAR, at, 0, width, false});
        return;
    }
    add_place(w, (place){PLACE_OFFSET, at, (uint32_t)target, 4, table});
    if (depth >= DEEPEST || w->seen[target])
        return;
    w->seen[target] = 1;
    if (table)
        walk_table(w, (uint32_t)target, vtable, depth + 1);
    else
        walk_vector(w, (uint32_t)target, depth + 1);
}

static void walk_table(walk *w, uint32_t at, uint32_t vtable, int depth)
{
    add_place(w, (place){PLACE_TABLE, at, vtable, 0, false});
    size_t slots = load16(w, vtable), bytes = load16(w, vtable + 2);
    for (size_t i = 4; i < slots; i += 2) {
        size_t offset = load16(w, vtable + i), next = bytes;
        for (size_t j = 4; j < slots; j += 2) {
            size_t other = load16(w, vtable + j);
            if (other > offset && other < next)
                next = other;
        }
        size_t width = next - offset;
        if (offset)
            walk_field(w, at + (uint32_t)offset, width >= 8 ? 8 : width >= 4 ? 4 : width >= 2 ? 2 : 1, depth);
    }
}

static bool walk_file(walk *w, mutation *m)
{
    uint32_t vtable;
    *w = (walk){.m = m, .seen = m->size < UINT32_MAX / 2 ? calloc(m->size + 1, 1) : NULL};
    if (!w->seen || m->size < 8 || !is_table(w, load32(w, 0), &vtable))
        return false;
    add_place(w, (place){PLACE_OFFSET, 0, load32(w, 0), 4, true});
    walk_table(w, load32(w, 0), vtable, 0);
    return true;
}

/* One of a kind; NULL: there is none. */
static const place *pick(walk *w, place_kind kind)
{
    for (int attempt = 0; attempt < 256; attempt++) {
        const place *p = &w->places[mutation_below(w->m, w->count)];
        if (p->kind == kind)
            return p;
    }
    return NULL;
}

/* Makes room for `length` zero bytes at `at`, and corrects what leads across.  The places stay as they were. */
static bool insert(walk *w, uint32_t at, uint32_t length)
{
    static const uint8_t zeros[256];
    if (length > sizeof zeros || !mutation_replace(w->m, at, 0, zeros, length))
        return false;
    for (size_t i = 0; i < w->count; i++) {
        const place *p = &w->places[i];
        size_t now = p->at >= at ? p->at + length : p->at, target = p->target >= at ? p->target + length : p->target;
        if (p->kind == PLACE_OFFSET)
            mutation_put(w->m->bytes + now, target - now, 4);
        else if (p->kind == PLACE_TABLE)
            mutation_put(w->m->bytes + now, now - target, 4);
    }
    return true;
}

/* ---- The changes ---- */

static void change_scalar(walk *w)
{
    const place *p = pick(w, PLACE_SCALAR), *other = pick(w, PLACE_SCALAR);
    if (p && other && other->width == p->width && mutation_below(w->m, 4) == 0)
        memmove(w->m->bytes + p->at, w->m->bytes + other->at, p->width);
    else if (p)
        mutation_edge(w->m, w->m->bytes + p->at, p->width);
}

/* Bytes between the elements' begin and what is left of the file where they say to be more. */
static size_t element_width(walk *w, const place *p)
{
    size_t count = load32(w, p->at), width = p->width ? p->width : (size_t)1 << mutation_below(w->m, 4);
    while (width > 1 && count > (w->m->size - p->at - 4) / width)
        width /= 2;
    return width;
}

static void change_element(walk *w)
{
    const place *p = pick(w, PLACE_VECTOR);
    if (!p || p->of_offsets || !load32(w, p->at))
        return;
    size_t count = load32(w, p->at), width = element_width(w, p);
    mutation_edge(w->m, w->m->bytes + p->at + 4 + width * mutation_below(w->m, count < 64 ? count : 64), width);
}

/* Drops a field, or gives it another's place. */
static void change_slot(walk *w)
{
    const place *p = pick(w, PLACE_TABLE);
    size_t slots = p ? (load16(w, p->target) - 4u) / 2 : 0;
    if (!slots)
        return;
    uint8_t *one = w->m->bytes + p->target + 4 + 2 * mutation_below(w->m, slots),
            *other = w->m->bytes + p->target + 4 + 2 * mutation_below(w->m, slots);
    uint16_t old = fb_load_u16(one);
    switch (mutation_below(w->m, 4)) {
    case 0: mutation_put(one, 0, 2); break;
    case 1: mutation_put(one, fb_load_u16(other), 2); break;
    case 2:
        mutation_put(one, fb_load_u16(other), 2);
        mutation_put(other, old, 2);
        break;
    default: mutation_put(one, mutation_below(w->m, load16(w, p->target + 2) + 4u), 2); break;
    }
}

/* A field that was absent. */
static void add_field(walk *w)
{
    const place *p = pick(w, PLACE_TABLE);
    size_t slots = p ? (load16(w, p->target) - 4u) / 2 : 0;
    if (!slots)
        return;
    uint32_t vtable = p->target, slot = vtable + 4 + 2 * (uint32_t)mutation_below(w->m, slots);
    uint32_t inline_bytes = load16(w, vtable + 2), end = p->at + inline_bytes;
    if (load16(w, slot) || !insert(w, end, 8))
        return;
    slot += slot >= end ? 8 : 0;
    vtable += vtable >= end ? 8 : 0;
    mutation_put(w->m->bytes + slot, inline_bytes, 2);
    mutation_put(w->m->bytes + vtable + 2, inline_bytes + 8, 2);
    mutation_edge(w->m, w->m->bytes + end, (size_t)1 << mutation_below(w->m, 4));
}

/* Lets an offset lead to what another leads to. */
static void change_offset(walk *w)
{
    const place *p = pick(w, PLACE_OFFSET), *other = pick(w, PLACE_OFFSET);
    for (int i = 0; p && other && i < 64 && (other->of_offsets != p->of_offsets || other->target <= p->at + 4); i++)
        other = pick(w, PLACE_OFFSET);
    if (!p || !other || !p->at || other->target <= p->at + 4)
        return;
    mutation_put(w->m->bytes + p->at, other->target - p->at, 4);
    if (p->target > other->at + 4 && other->at && mutation_below(w->m, 2))
        mutation_put(w->m->bytes + other->at, p->target - other->at, 4);
}

/* Gives an offset a table of its own, which differs from the one that others lead to from then on. */
static void split_table(walk *w)
{
    const place *p = pick(w, PLACE_OFFSET);
    uint32_t vtable;
    if (!p || !p->of_offsets || !p->at || !is_table(w, p->target, &vtable))
        return;
    uint8_t copy[256];
    uint32_t at = p->target, from = p->at, length = load16(w, vtable + 2);
    if (length > sizeof copy || !insert(w, at, length))
        return;
    memcpy(copy, w->m->bytes + at + length, length);
    mutation_put(copy, fb_load_u32(copy) - length, 4); /* the vtable is nearer, where it lies in front */
    for (size_t i = 0; i < w->count; i++) {            /* and what its offsets lead to is farther */
        const place *q = &w->places[i];
        if (q->kind == PLACE_OFFSET && q->at >= at && q->at + 4 <= at + length)
            mutation_put(copy + (q->at - at), fb_load_u32(copy + (q->at - at)) + length, 4);
    }
    memcpy(w->m->bytes + at, copy, length);
    mutation_put(w->m->bytes + from, at - from, 4);
    if (length > 4)
        mutation_edge(w->m, w->m->bytes + at + 4 + mutation_below(w->m, length - 4), 1);
}

static void change_count(walk *w)
{
    const place *p = pick(w, PLACE_VECTOR);
    if (p && mutation_below(w->m, 4) && load32(w, p->at))
        mutation_put(w->m->bytes + p->at, load32(w, p->at) - 1, 4);
    else if (p)
        mutation_edge(w->m, w->m->bytes + p->at, 4);
}

/* Appends some element once more. */
static void repeat_element(walk *w)
{
    const place *p = pick(w, PLACE_VECTOR);
    uint32_t count = p ? load32(w, p->at) : 0;
    if (!count)
        return;
    uint32_t at = p->at, width = (uint32_t)element_width(w, p), end = at + 4 + count * width;
    uint32_t from = at + 4 + width * (uint32_t)mutation_below(w->m, count);
    const bool of_offsets = p->of_offsets;
    if (!inside(w, end, 0) || !insert(w, end, (width + 3) / 4 * 4))
        return;
    mutation_put(w->m->bytes + at, count + 1, 4);
    memcpy(w->m->bytes + end, w->m->bytes + from, width);
    if (of_offsets)
        mutation_put(w->m->bytes + end, load32(w, from) - (end - from), 4);
}

/* Swaps two elements, or takes the last for another. */
static void move_elements(walk *w)
{
    const place *p = pick(w, PLACE_VECTOR);
    uint32_t count = p ? load32(w, p->at) : 0;
    if (count < 2)
        return;
    size_t width = element_width(w, p), begin = p->at + 4;
    size_t one = begin + width * mutation_below(w->m, count), other = begin + width * mutation_below(w->m, count);
    uint8_t first[8], second[8];
    memcpy(first, w->m->bytes + one, width);
    memcpy(second, w->m->bytes + other, width);
    if (p->of_offsets) {
        mutation_put(first, load32(w, one) + one - other, 4);
        mutation_put(second, load32(w, other) + other - one, 4);
    }
    memcpy(w->m->bytes + one, second, width);
    memcpy(w->m->bytes + other, first, width);
}

/* A name for a string: one that a format knows, or another of the file. */
static void change_string(walk *w)
{
    const place *p = pick(w, PLACE_VECTOR), *other = pick(w, PLACE_VECTOR);
    if (!p || !other || p->of_offsets)
        return;
    const uint32_t at = p->at, count = load32(w, at);
    size_t length = load32(w, other->at);
    uint8_t text[64];
    if (count > sizeof text)
        return;
    if (!other->of_offsets && length && length <= sizeof text && mutation_below(w->m, 2)) {
        memcpy(text, w->m->bytes + other->at + 4, length);
    } else {
        const char *word = mutation_word(w->m, &length);
        length = length < sizeof text ? length : sizeof text;
        memcpy(text, word, length);
    }
    if (length > count && !insert(w, at + 4 + count, ((uint32_t)length - count + 3) / 4 * 4))
        return;
    memcpy(w->m->bytes + at + 4, text, length);
    if (length < count) /* as other strings end */
        w->m->bytes[at + 4 + length] = 0;
    mutation_put(w->m->bytes + at, length, 4);
}

void mutation_flatbuffer(mutation *m)
{
    static void (*const changes[])(walk *) = {change_scalar,  change_scalar,  change_scalar, change_element,
                                              change_element, change_element, change_slot,   add_field,
                                              change_offset,  change_offset,  split_table,   change_count,
                                              repeat_element, move_elements,  change_string, change_string};
    walk w;
    if (walk_file(&w, m))
        changes[mutation_below(m, sizeof changes / sizeof *changes)](&w);
    else
        mutation_bytes(m, (int)mutation_below(m, MUTATION_KINDS));
    free(w.places);
    free(w.seen);
}
