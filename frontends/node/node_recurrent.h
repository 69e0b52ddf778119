/* node_recurrent.h: recurrent layers, as the importers of all formats build them.
 *
 * Formats differ in the order of gates, in how they stack weights and directions, and in biases; in common is what they
 * come to: the products with the operand for all steps in one fully_connected, and the recurrence as an op of its own.
 */
#ifndef QCC_NODE_RECURRENT_H
#define QCC_NODE_RECURRENT_H

#include "frontends/node/node.h"

enum { RECURRENT_MAX_GATES = 4 };

/* One direction of a layer of floats. */
typedef struct recurrent_layer {
    ir_opcode code; /* IR_LSTM, IR_GRU, IR_RNN */
    ir_value *x;    /* [steps, batch, inputs], or [batch, steps, inputs] with time_axis 1 */
    ir_value *xw;   /* its product by w and b, [.., gates * units], where the importer has made that; NULL: not yet */
    int time_axis;
    bool reversed;
    ir_value *w, *r,
        *b;          /* [gates * units, inputs], [gates * units, units], [gates * units] in the IR's order of gates */
    ir_value *h, *c; /* [batch, units]; c: lstm */
    ir_value
        *candidate;  /* gru: bias [units] of the candidate's recurrent product; NULL: the state is reset before it */
    bool rectified;  /* rnn */
    float cell_clip; /* 0: none */
} recurrent_layer;

/* out: every h, the last h, the last c (NULL but for lstm). */
bool node_recurrent(frontend_node *, const recurrent_layer *, ir_value *out[3]);

/* Rows of gates in another order: gate g of the result is gate order[g] of `rows`, which has gates * units rows of
 * `columns` floats each; for the first `more_gates` plus the same of `more`, if it is not NULL.  columns 0: one column,
 * as a vector. */
ir_value *node_gates(frontend_node *, int gates, const int order[], int64_t units, int64_t columns, const void *rows,
                     const void *more, int more_gates);
ir_value *node_zeros(frontend_node *, int64_t rows, int64_t columns);
/* Element `index` of dimension 0 of a value of rank 3, as a matrix. */
ir_value *node_part(frontend_node *, ir_value *, int64_t index);
/* Matrices (or anything of one shape), one behind the other along `axis`. */
ir_value *node_joined(frontend_node *, int count, ir_value *const parts[], int axis);

#ifndef FRONTEND_COMMON
#define node_recurrent(x, ...) node_recurrent(&(x)->common, __VA_ARGS__)
#define node_gates(x, ...) node_gates(&(x)->common, __VA_ARGS__)
#define node_zeros(x, ...) node_zeros(&(x)->common, __VA_ARGS__)
#define node_part(x, ...) node_part(&(x)->common, __VA_ARGS__)
#define node_joined(x, ...) node_joined(&(x)->common, __VA_ARGS__)
#endif

#endif
