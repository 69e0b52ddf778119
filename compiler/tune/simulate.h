/* simulate.h: a real graph that rounds where the one on integers will, with all that is trained as inputs.
 *
 *     the graph, with ranges                      simulated
 *     %2 = conv2d %0, const %1, const %b          %x = round_to_grid %0, low, high, scale
 *                                                 %r = conv2d %x, w, b            w, b, low, high, scale: inputs
 *     where integers will stand for %0, %2        %y = … %r …                     for all that read %2
 *
 *     simulation s;
 *     if (simulate(graph, options with ranges, &s, d)) {
 *         … loss and gradients are added to s.graph, which is compiled …
 *         simulate_inputs(&s, options, inputs, d)   before each run: what integers make of weights and ranges now
 *     }
 *     simulate_free(&s);
 *
 * Which values, which ops and which scales those are, the passes say that make the integer graph.  The weights that a
 * run reads are on their grid already; a gradient by them is taken for one by the real weights (straight through), as
 * that of round_to_grid is one. */
#ifndef QCC_TUNE_SIMULATE_H
#define QCC_TUNE_SIMULATE_H

#include "compiler/driver.h"

/* A constant of the graph that is trained: weights and biases of products, but those that are rounded from samples already. */
typedef struct simulated_parameter {
    ir_value *value; /* in the graph; its data are `numbers`, unless a user of the simulation gives others */
    float *numbers;  /* ir_type_elements of them, in the graph's arena */
    int64_t count;
    bool decays;          /* weights do, biases do not */
    const ir_op *product; /* on integers, whose weights they are; NULL: they are not rounded */
} simulated_parameter;

/* An op that reads one. */
typedef struct simulated_use {
    uint32_t op; /* its id */
    int slot, parameter;
    uint32_t input; /* of the simulated graph */
    bool rounded;   /* as weights of a product on integers */
} simulated_use;

/* A value that is rounded: inputs of one number each. */
typedef struct simulated_grid {
    uint32_t value; /* its id */
    uint32_t low, high, scale;
} simulated_grid;

/* A value whose range decides its grid, and by it maybe those of others. */
typedef struct simulated_range {
    uint32_t value;     /* its id */
    int grid;           /* of it; -1: it is not rounded itself */
    uint32_t low, high; /* outputs, if ends are seen: those of its numbers before rounding, in the batch */
    int64_t count;      /* numbers of one sample */
} simulated_range;

typedef struct simulation {
    const ir_graph *of;
    ir_graph *graph; /* inputs and outputs: those of the graph come first */
    simulated_parameter *parameters;
    simulated_use *uses;
    simulated_grid *grids;
    simulated_range *ranges; /* in the order of the graph */
    int parameter_count, use_count, grid_count, range_count;
} simulation;

/* `graph` is one at the start of PHASE(integer), the options have ranges for it, or quantize nothing.  Its constants
 * that are trained get memory of their own.  sees_ends: the graph tells the ends of values.  False with a diagnostic. */
bool simulate(ir_graph *graph, const driver_options *, bool sees_ends, simulation *out, diag *);
void simulate_free(simulation *);

/* Fills the inputs that are parameters and grids, by index, from the graph's constants and the options' ranges as they
 * are now. */
bool simulate_inputs(const simulation *, const driver_options *, void *const inputs[], diag *);

/* The graph that `simulate` makes of this one, with parameters and grids as they are now, which become constants:
 *
 *     %x = round_to_grid %0, const low, const high, const scale
 *     %r = conv2d %x, const w, const b                              w on its grid
 *     %y "r" = round_to_grid %r, …                                  has the name that the integers have in the program
 *
 * Textual IR, to be freed; NULL with a diagnostic.  simulate_text.c. */
char *simulate_text(ir_graph *, const driver_options *, size_t *out_length, diag *);

#endif
