/* flip.c: see flip.h. */
#include "compiler/codegen/matmul/flip.h"

#include <stdlib.h>

enum { BLOCK = CG_BLOCK_BYTES, ENOUGH_TILES = 4 };

void cg_flip_bias(const cg_gemm *g, const int8_t weights[], int64_t column_size, int32_t bias[])
{
    for (int64_t c = 0; c < g->groups * g->columns; c++)
        for (int64_t i = 0; i < column_size; i++) {
            const int32_t w = weights[c * column_size + i];
            bias[c] = (int32_t)((uint32_t)bias[c] + (uint32_t)(w < 0 ? 127 * w : 128 * w));
        }
}

/* Weights that few tiles read come from far away every time: then bytes count, not instructions.  An object of several
 * targets holds weights once for all that read them as they are. */
bool cg_flip_gains(const cg_module *m, const cg_gemm *g, const schedule_tiles *t)
{
    return cg_packs_once(m) && cg_gemm_tile_count(g, t) >= ENOUGH_TILES;
}

void *cg_flip_apart(arena *a, const void *packed, size_t bytes)
{
    const int8_t *from = packed;
    uint8_t *out = arena_alloc(a, 2 * bytes + 1);
    for (size_t i = 0; i < bytes; i++) {
        uint8_t *to = out + i / BLOCK * 2 * BLOCK + i % BLOCK;
        to[0] = (uint8_t)abs(from[i]);
        to[BLOCK] = from[i] < 0 ? 0x7f : 0x80;
    }
    return out;
}
