/* place.h: the contract between the memory plan and the kernels: when data does not have to move.
 *
 * The plan gives every value a place.  These ops have nothing to do, or less, when their result already lies where it
 * belongs; code generation sees it from the places (same space, index and offset) and copies nothing:
 *
 *     reshape           result and operand share their bytes
 *     slice             the result is a sub-range of the operand
 *     concat            operands are sub-ranges of the result; each one counts by itself
 *     pad               the operand is the inside of the result, and only the border is written
 *     transpose         result and operand are the same elements, counted in another order
 *     read_variable     the result is the variable's memory
 *
 * A part of a larger value has the strides of the whole.  Only what the kernels that see it can work on
 * (ir_layout_takes) becomes such a view; the innermost dimension is contiguous, but where batch_matmul alone sees it.
 *
 *     %2 = conv2d …                    row of %4: ┌─ %2 ─┬── %3 ──┐
 *     %3 = conv2d …                    next row:  ├─ %2 ─┼── %3 ──┤    %2 and %3 have the row stride of %4
 *     %4 = concat %2, %3 {axis = 3}               └──────┴────────┘ */
#ifndef QCC_PASS_PLACE_H
#define QCC_PASS_PLACE_H

#include "ir/ir.h"

/* Where values lie relative to one another, before there are offsets.  A storage is a value's memory: a part of its
 * parent's, or, for a root, memory of its own. */
typedef struct place_storage {
    struct place_storage *parent; /* NULL: a root */
    struct place_storage *first_part, *next_part;
    bool is_box;            /* how it is a part: its dimension d runs along the parent's dimension along[d], from */
    int along[IR_MAX_RANK]; /* begin[d] on by step[d]; or ... */
    int64_t begin[IR_MAX_RANK], step[IR_MAX_RANK];
    int64_t skip;                /* ... dense, so many bytes into the parent's dense memory */
    struct place_storage *root;  /* follows from the links, as do these two: */
    int64_t at;                  /* bytes from the root's start */
    int64_t stride[IR_MAX_RANK]; /* elements */

    int64_t offset; /* of a root: in its space, once planned */
    int64_t bytes;
    int32_t first, last; /* ops between which it is alive; of a root: with all its parts */
    ir_space space;      /* of a root */
    uint32_t index;
    bool fixed;      /* a root whose offset is given: state variables */
    ir_value *value; /* NULL: scratch memory, or a state variable */
} place_storage;

typedef struct place_map {
    ir_graph *graph;
    arena *scratch;
    ir_op **ops; /* by position */
    int32_t op_count;
    place_storage *of_value; /* by id; value == NULL: not a computed value */
    uint32_t value_limit;
    place_storage *variables; /* parallel to graph->variables */
} place_map;

/* Outputs become results of ops, each of its own: those that are inputs or constants, or stand twice, are copied. */
void place_copy_outputs(ir_graph *);
/* Lifetimes, and which values share memory: views.  Needs graph->variables complete, and place_copy_outputs. */
place_map *place_map_new(ir_graph *, arena *scratch);
/* Offsets of `count` roots in the workspace from `base` on, alive between some of op_count ops; returns the end of
 * what is used. */
int64_t place_assign(place_storage *roots[], int32_t count, int32_t op_count, int64_t base, arena *scratch);

enum { PLACE_ALIGN = 64 };
static inline int64_t place_align(int64_t n) { return (n + PLACE_ALIGN - 1) & ~(int64_t)(PLACE_ALIGN - 1); }

#endif
