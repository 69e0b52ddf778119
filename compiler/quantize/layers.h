/* layers.h: runs a compiled model over several samples at once, layer by layer: all of them are through a layer
 * before the first is in the next.  So what a layer needs can be found from what the layers before it have given, in
 * one run.
 *
 *     layers l;
 *     if (layers_open(&l, session, shared_inputs, samples, d)) {
 *         … fill layers_input(&l, sample, input) …
 *         layers_run(&l, reached, context);          reached(context, output) when all samples have output i
 *     }
 *     layers_close(&l); */
#ifndef QCC_LAYERS_H
#define QCC_LAYERS_H

#include "compiler/run/session.h"

typedef struct layers {
    session *session; /* compiled; its buffers are those that samples share */
    int samples;
    uint32_t shared_inputs; /* inputs from here on are the session's own, for all samples */
    void **workspaces;      /* by sample */
    const void **inputs;    /* samples x inputs */
    void **outputs;         /* samples x outputs */
    uint32_t *at;           /* by output: index of the op that makes it */
} layers;

/* How many of `samples` take no more than `budget` bytes together, but one at least.  The session is lowered. */
int layers_fitting(const session *, uint32_t shared_inputs, int samples, size_t budget);
bool layers_open(layers *, session *, uint32_t shared_inputs, int samples, diag *);
void layers_close(layers *);

void *layers_input(const layers *, int sample, uint32_t input);
const void *layers_output(const layers *, int sample, uint32_t output);

typedef void layers_reached(void *context, uint32_t output);
void layers_run(layers *, layers_reached *, void *context);

#endif
