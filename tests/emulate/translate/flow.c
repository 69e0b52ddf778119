/* flow.c: follows direct jumps and calls, a piece at a time. */
#include "flow.h"

#include <stdlib.h>

#include "decode.h"
#include "failure.h"

typedef struct search {
    flow *f;
    const uint8_t **waiting; /* targets whose code hasn't been looked at */
    size_t count, room;
    int pieces; /* room for them */
} search;

static void *grown(void *memory, size_t bytes)
{
    void *more = realloc(memory, bytes);

    if (!more)
        failure("out of memory");
    return more;
}

static void add_target(search *s, const uint8_t *target)
{
    const uintptr_t known = address_map_get(&s->f->seen, target);

    if (known) {
        address_map_put(&s->f->seen, target, FLOW_TARGET);
        return;
    }
    if (s->count == s->room) {
        s->room = s->room ? 2 * s->room : 256;
        s->waiting = grown(s->waiting, s->room * sizeof *s->waiting);
    }
    s->waiting[s->count++] = target;
}

/* From `at` to where control ends or joins what has been seen. */
static piece follow(search *s, const uint8_t *at)
{
    piece p = {.from = at};
    bool on = true;
    decoded d;

    for (address_map_put(&s->f->seen, at, FLOW_TARGET); on; s->f->instructions++) {
        if (!decode(at, &d))
            failure("code that can't be decoded");
        const branch b = decode_branch(&d);
        const bool away = b == BRANCH_AWAY || b == BRANCH_JUMP_INDIRECT || b == BRANCH_END;
        if ((b == BRANCH_CONDITIONAL || b == BRANCH_JUMP || b == BRANCH_CALL) && !decode_is_import(decode_target(&d)))
            add_target(s, decode_target(&d));
        at += d.in.length;
        on = b != BRANCH_JUMP && !away;
        if (on && address_map_get(&s->f->seen, at)) {
            address_map_put(&s->f->seen, at, FLOW_TARGET);
            p.goes_on = true;
            on = false;
        } else if (on) {
            address_map_put(&s->f->seen, at, FLOW_SEEN);
        }
    }
    p.to = at;
    return p;
}

void flow_find(const uint8_t *entry, flow *out)
{
    search s = {.f = out};

    *out = (flow){0};
    add_target(&s, entry);
    while (s.count) {
        const uint8_t *at = s.waiting[--s.count];
        if (address_map_get(&out->seen, at)) {
            address_map_put(&out->seen, at, FLOW_TARGET);
            continue;
        }
        if (out->count == s.pieces) {
            s.pieces = s.pieces ? 2 * s.pieces : 64;
            out->pieces = grown(out->pieces, (size_t)s.pieces * sizeof *out->pieces);
        }
        out->pieces[out->count++] = follow(&s, at);
    }
    free(s.waiting);
}

void flow_free(flow *f)
{
    free(f->pieces);
    address_map_free(&f->seen);
}
