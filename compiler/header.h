/* header.h: the C header beside an object. */
#ifndef QCC_HEADER_H
#define QCC_HEADER_H

#include "ir/ir.h"

/* The header's text, in the graph's arena.  The graph is lowered: its workspace is planned. */
const char *header_text(const ir_graph *, const char *name, const char *source, bool external_weights, size_t weights_bytes);

#endif
