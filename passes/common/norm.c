/* norm.c: y times f has f² times the variance, and epsilon is part of that. */
#include "passes/common/norm.h"

#include <math.h>

const ir_norm *norm_multiplied(ir_graph *g, const ir_norm *norm, const float factor[])
{
    if (!norm)
        return NULL;
    ir_norm *to = ARENA_NEW(g->arena, ir_norm);
    float *gamma = ARENA_ARRAY(g->arena, float, norm->channels), *beta = ARENA_ARRAY(g->arena, float, norm->channels);
    float *epsilon = ARENA_ARRAY(g->arena, float, norm->channels);
    for (int64_t c = 0; c < norm->channels; c++) {
        gamma[c] = norm->gamma[c] * fabsf(factor[c]);
        beta[c] = norm->beta[c] * factor[c];
        epsilon[c] = norm->epsilon[c] * factor[c] * factor[c];
    }
    *to = (ir_norm){norm->channels, gamma, beta, epsilon};
    return to;
}

const ir_norm *norm_shifted(ir_graph *g, const ir_norm *norm, const float term[])
{
    if (!norm)
        return NULL;
    ir_norm *to = ARENA_NEW(g->arena, ir_norm);
    float *beta = ARENA_ARRAY(g->arena, float, norm->channels);
    for (int64_t c = 0; c < norm->channels; c++)
        beta[c] = norm->beta[c] + term[c];
    *to = (ir_norm){norm->channels, norm->gamma, beta, norm->epsilon};
    return to;
}
