/* loss.h: what is made small: how far a graph's results are from what they should be.
 *
 *     cross entropy    %l = log_softmax %logits           squared error    %e = sub %y, %target
 *                      %m = mul %l, %target                                %m = mul %e, %e
 *                      %loss = -1 / rows sum %m                            %loss = mean %m
 *
 * %target is an input of the graph: of cross entropy a probability for each class, 1 for the label's, or what another
 * model says (then the loss is the divergence from that model and a number that training can't change). */
#ifndef QCC_TUNE_LOSS_H
#define QCC_TUNE_LOSS_H

#include "ir/ir.h"

typedef enum loss_kind { LOSS_CROSS_ENTROPY, LOSS_SQUARED_ERROR } loss_kind;

typedef struct loss {
    loss_kind kind;
    bool behind_softmax;   /* the graph's output is the softmax of the logits */
    ir_value *value;       /* one number */
    uint32_t target;       /* input */
    uint32_t result;       /* output of target's shape: logits, or what the error is of */
    uint32_t output;       /* the loss */
    int64_t rows, classes; /* of target */
} loss;

/* Is the graph's first output made by a softmax? */
bool loss_sees_softmax(const ir_graph *);
/* Adds the loss of the graph's first output; `of` is the graph as it was, by whose output it is found. */
bool loss_add(ir_graph *, const ir_graph *of, loss_kind, loss *out, diag *);

#endif
