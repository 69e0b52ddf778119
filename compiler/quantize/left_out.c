/* left_out.c: every fourth sample is left out. */
#include "compiler/quantize/left_out.h"

#include <stdint.h>

enum {
    FEW = 8,     /* samples, below which none is left out */
    EACH_NTH = 4 /* is left out */
};

static bool fill_others(void *context, int index, void *const inputs[], diag *d)
{
    const correct_samples *all = context;
    return all->fill(all->context, index / (EACH_NTH - 1) * EACH_NTH + index % (EACH_NTH - 1), inputs, d);
}

static bool fill_judges(void *context, int index, void *const inputs[], diag *d)
{
    const correct_samples *all = context;
    return all->fill(all->context, index * EACH_NTH + EACH_NTH - 1, inputs, d);
}

left_out left_out_of(const correct_samples *all)
{
    void *context = (void *)(uintptr_t)all;
    const int judges = all->count / EACH_NTH;
    if (all->count < FEW)
        return (left_out){*all, *all};
    return (left_out){{fill_others, context, all->count - judges}, {fill_judges, context, judges}};
}
