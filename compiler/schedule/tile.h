/* tile.h: how a matrix product is cut into register tiles.
 *
 * Rows are output pixels, images x height x width of them; columns are output channels in blocks of 16, one vector
 * each.  A tile is `rows` x `cols` pixels times `blocks` vectors; its accumulators stay in registers for the
 * whole of K.  At most two kinds of tile cover the rows, so that a kernel stays small:
 *
 *     width 30, tiles of 1 x 10         height 7, width 7, tiles of 2 x 7 and 1 x 7
 *     ──────────┬──────────┬────────    ═══════ kind 0, twice … three times
 *     ──────────┴──────────┴────────    ─────── kind 1, once
 */
#ifndef QCC_SCHEDULE_TILE_H
#define QCC_SCHEDULE_TILE_H

#include <stdbool.h>
#include <stdint.h>

enum { SCHEDULE_BLOCK = 16 }; /* columns; on every target: compiler/codegen/matmul/prepack.h */

typedef struct schedule_machine {
    int registers;   /* vector registers of SCHEDULE_BLOCK 32-bit lanes that a tile may use */
    int max_rows;    /* rows of a tile at most */
    double multiply; /* cycles per step and vector of sums */
    double prepare;  /* cycles per step and vector of weights, before they can be multiplied */
    double load;     /* cycles per step and vector of weights */
    double chain;    /* latency of a multiply-accumulate, cycles */
    int overlapped; /* tiles of up to so many vectors: their end runs beside the next one's sums (the scheduler holds it) */
    double epilogue[2]; /* cycles per result vector: up to `overlapped`, beyond */
    double whole;       /* times that, when a row of a tile is whole vectors of bytes: panels of 4 vectors */
    double tile_start;  /* cycles per tile */
    double step;        /* cycles per step beside the arithmetic */
    int near_bytes;     /* a panel of more weights than these comes from the second-level cache every time … */
    double far;         /* … which takes so many cycles more per vector of it */
} schedule_machine;

typedef struct schedule_kind {
    int64_t rows, cols;       /* pixels of a tile: vertically, horizontally */
    int64_t count_y, count_x; /* tiles per image */
    int64_t first_y, first_x; /* pixel at which this kind begins */
} schedule_kind;

typedef struct schedule_tiles {
    int blocks; /* blocks in a panel */
    int kinds;  /* 1 or 2; up to 4 of tiles that a kernel cuts itself */
    schedule_kind kind[4];
    double cycles; /* estimate for everything */
} schedule_tiles;

/* blocks: panels have to be so wide; 0: as wide as is best.  No kinds: that is more than the machine or the columns
 * allow. */
schedule_tiles schedule_tile(const schedule_machine *, int64_t images, int64_t height, int64_t width, int64_t columns,
                             int64_t steps, int blocks);

/* Independent sums that a tile of `accumulators` needs along K so that latency does not bind. */
int schedule_splits(const schedule_machine *, int accumulators, int64_t steps);

#endif
