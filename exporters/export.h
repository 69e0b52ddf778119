/* export.h: a graph as a file of another format.
 *
 *     uint8_t *bytes;
 *     size_t size;
 *     if (export_tflite(g, memory, &bytes, &size, &d)) … write …
 *
 * The graph is one after the pipeline with pass_options.exchange set: quantized, not lowered.  What the format has no operator
 * for is refused, each op once, and then there are no bytes.  Equal graphs give equal bytes. */
#ifndef QCC_EXPORT_H
#define QCC_EXPORT_H

#include "ir/ir.h"

/* Bytes lie in the arena. */
bool export_tflite(const ir_graph *, arena *, uint8_t **out_bytes, size_t *out_size, diag *);

#endif
