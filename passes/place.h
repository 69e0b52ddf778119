/* place.h: the contract between the memory plan and the kernels: when data does not have to move.
 *
 * The plan gives every value a place.  These ops have nothing to do, or less, when their result already lies where it
 * belongs; code generation sees it from the places (same space, index and offset) and copies nothing:
 *
 *     reshape           result and operand share their bytes
 *     slice             the result is a sub-range of the operand
 *     concat            operands are sub-ranges of the result; each one counts by itself
 *     read_variable     the result is the variable's memory
 *
 * Values are dense unless the ops that touch them accept strides: place_storage.c. */
#ifndef QCC_PASS_PLACE_H
#define QCC_PASS_PLACE_H

#include "ir/ir.h"

/* Where values lie relative to one another, before there are offsets.  A storage is a value's memory: a part of its
 * parent's, or, for a root, memory of its own. */
typedef struct place_storage {
    struct place_storage *parent; /* NULL: a root */
    int64_t offset;               /* bytes into the parent; of a root: into its space, once planned */
    int64_t bytes;
    int32_t first, last;          /* ops between which it is alive; of a root: with all its parts */
    ir_space space;               /* of a root */
    uint32_t index;
    bool fixed;                   /* a root whose offset is given: state variables */
    ir_value *value;              /* NULL: scratch memory, or a state variable */
} place_storage;

typedef struct place_map {
    ir_graph *graph;
    arena *scratch;
    ir_op **ops;                  /* by position */
    int32_t op_count;
    place_storage *of_value;      /* by id; value == NULL: not a computed value */
    uint32_t value_limit;
    place_storage *variables;     /* parallel to graph->variables */
} place_map;

/* The root that s is part of, and where in it. */
place_storage *place_root(place_storage *s, int64_t *out_offset);
/* Lifetimes, and which values share memory: views.  Needs graph->variables complete, outputs distinct results. */
place_map *place_map_new(ir_graph *, arena *scratch);
/* Offsets of `count` roots in the workspace from `base` on; returns the end of what is used. */
int64_t place_assign(place_storage *roots[], int32_t count, int64_t base, arena *scratch);

enum { PLACE_ALIGN = 64 };
static inline int64_t place_align(int64_t n) { return (n + PLACE_ALIGN - 1) & ~(int64_t)(PLACE_ALIGN - 1); }

#endif
