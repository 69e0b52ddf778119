/* group.c: emulated instructions that follow one another are run. */
#include <string.h>

#include "enter.h"

static void run_rounding(const instruction *in, state *s)
{
    const unsigned before = _mm_getcsr();

    _mm_setcsr((before & ~(unsigned)_MM_ROUND_MASK) | (in->rounding - 1u) << 13);
    in->run(in, s);
    _mm_setcsr(before);
}

static void zero_stale(state *s)
{
    for (int i = 0; i < 16; i++)
        if (s->stale[i])
            s->z[i].half[1] = _mm256_setzero_si256();
    memset(s->stale, 0, sizeof s->stale);
}

/* From enter.S: rax holds the group. */
void emulate_group(const group *g, frame *f, state *s)
{
    static const uint8_t none[sizeof s->stale];

    f->general[0] = s->rax;
    f->general[REGISTER_RSP] = (uintptr_t)(f + 1);
    s->f = f;
    if (memcmp(s->stale, none, sizeof none))
        zero_stale(s);
    for (int i = 0; i < g->count; i++) {
        if (g->in[i].rounding)
            run_rounding(&g->in[i], s);
        else
            g->in[i].run(&g->in[i], s);
    }
}
