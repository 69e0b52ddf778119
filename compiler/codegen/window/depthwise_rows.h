/* depthwise_rows.h: the plan of the fast depthwise kernel, which its emitter (depthwise_rows.c) and the packing of its
 * weights share.
 *
 * How sums of four products are formed, x being bytes, weights -255...255 (they have their zero point subtracted):
 *   EXACT    the machine's dot product takes x by weights, which fit signed bytes
 *   NARROW   the same, of pairs, whose sums fit 16 bits
 *   FLIPPED  |weight| by x ^ mask (isa.h): behind each vector of |weights| lies one of masks
 *   SPLIT    the same with two halves of |weight|, where pairs don't fit: behind the mask lies the other half
 *
 * Where pairs matter, rows a b c d of a group interleave as a c b d: with three rows in a window the outer two make a
 * pair, whose weights are the smaller ones as a rule, and the middle one stands alone. */
#ifndef QCC_CG_DEPTHWISE_ROWS_H
#define QCC_CG_DEPTHWISE_ROWS_H

#include "compiler/codegen/window/depthwise.h"

enum {
    DEPTHWISE_MAX_VECTOR = 64,
    DEPTHWISE_MAX_WINDOW = 16,
    DEPTHWISE_MAX_ROWS = 16,
    DEPTHWISE_MAX_AT_ONCE = 4,
    DEPTHWISE_MAX_SLOTS = 4,
    DEPTHWISE_MAX_UNROLL = 2,
    DEPTHWISE_MAX_SPAN = 2 * DEPTHWISE_MAX_WINDOW
};

typedef enum depthwise_form {
    DEPTHWISE_EXACT,
    DEPTHWISE_NARROW,
    DEPTHWISE_FLIPPED,
    DEPTHWISE_SPLIT,
    DEPTHWISE_FORMS
} depthwise_form;

/* Blocks that are done alike. */
typedef struct depthwise_part {
    depthwise_form form;
    int slots, blocks;
    int64_t first, last;  /* block b begins at channel min(first + V * b, last), unless the plan lists them */
    int64_t count;        /* channels of a slot, at most V / slots; fewer: masked */
    int block_base;       /* number of the first block among all parts' */
    int64_t weights_base; /* bytes */
} depthwise_part;

typedef struct depthwise_work {
    int rows_at_once, vectors; /* R, J */
    int rows, groups;          /* operand rows of a slot, groups of four of them */
    int unroll;                /* result columns at once (U), which share the loads of weights */
    double cost;
} depthwise_work;

typedef struct depthwise_rows {
    const depthwise_plan *p;
    const ir_value *w;
    int v, lanes;           /* bytes of a vector (V); i32 elements */
    int registers;          /* that columns and sums may take */
    int unrolled_registers; /* the same of several result columns, which are worth some that are spilled */
    bool in_pairs;          /* dot products are made of pairs: not EXACT */
    int dot;                /* instructions of a vector's dot product, most of the time */
    bool joins;          /* results of fewer than four vectors share one of bytes, where there are no masked stores */
    bool rows_outermost; /* and blocks inside */
    depthwise_work s;
    depthwise_part parts[DEPTHWISE_FORMS + 1];
    int part_count;
    const int64_t
        *firsts;    /* by block, where neither order nor number of a part's blocks is a matter of shapes; or NULL */
    int64_t prefix; /* result columns 0…prefix-1 meet no column right of the image beyond the kept ones */
} depthwise_rows;

void depthwise_rows_plan(cg_module *, const ir_op *, const depthwise_plan *, depthwise_rows *out);

/* Does the window of result row r touch group g of operand rows? */
bool depthwise_touches(const depthwise_rows *, int r, int g);
/* Which of the four bytes of a group its row i is. */
int depthwise_row_byte(const depthwise_rows *, int i);
int depthwise_block_count(const depthwise_rows *);
int64_t depthwise_block_first(const depthwise_rows *, const depthwise_part *, int block_of_part);
int64_t depthwise_units(const depthwise_rows *, const depthwise_part *);
/* Bytes of a block's weights; where in them vector j of a kernel column, group and result row lies: in the order of
 * use. */
int64_t depthwise_block_weights(const depthwise_rows *, const depthwise_part *);
int64_t depthwise_weights_at(const depthwise_rows *, const depthwise_part *, int j, int64_t kx, int g, int r);

/* Result channel of each element of all blocks, -1 for none. */
int32_t *depthwise_rows_channels(cg_module *, const depthwise_rows *);
/* Weights of all blocks; adds to bias, which has an element for each channel above, what the form of the sums asks for.
 */
const void *depthwise_rows_pack(cg_module *, const depthwise_rows *, const int32_t channel_of[], int32_t bias[],
                                size_t *out_size);

#endif
