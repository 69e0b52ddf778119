/* eval_layers.h: two models with the values inside as outputs, and how far those of the same name are apart.
 *
 *     eval_layers l;
 *     if (eval_layers_open(&l, options, files, threads, d))
 *         for (…) { … run l.own and l.other on a sample … eval_layers_add(&l); }
 *     eval_layers_close(&l); */
#ifndef QCC_TOOLS_EVAL_LAYERS_H
#define QCC_TOOLS_EVAL_LAYERS_H

#include <jansson.h>

#include "compiler/run/session.h"

typedef struct eval_layer {
    const char *name, *op;
    uint32_t own, other;  /* outputs of the two sessions */
    double signal, noise; /* sums of squares, of the other model's numbers and of the difference */
    int64_t rows, equal;  /* along the last dimension; those whose largest element is the same one */
} eval_layer;

typedef struct eval_layers {
    driver_module modules[2]; /* of own and other: constants are theirs */
    session own, other;       /* the model's outputs come first */
    eval_layer *items;        /* in the order of the first model's ops */
    int count;
} eval_layers;

/* Compiles both models, optimized as ever, with every value that has a name in both as an output more. */
bool eval_layers_open(eval_layers *, const driver_options *const options[2], const char *const files[2],
                      unsigned threads, diag *);
void eval_layers_close(eval_layers *);

void eval_layers_add(eval_layers *); /* what both sessions have computed last */

void eval_layers_print(const eval_layers *);
json_t *eval_layers_json(const eval_layers *); /* an array; NULL: out of memory */

#endif
