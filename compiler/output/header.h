/* header.h: the C header beside an object. */
#ifndef QCC_HEADER_H
#define QCC_HEADER_H

#include "compiler/target/target.h"
#include "ir/ir.h"

typedef struct header_facts {
    const char *name, *source;
    target_set targets;
    bool external_weights;
    size_t weights_bytes;     /* of their file */
    ir_graph *const *further; /* the same model for further shapes of its inputs */
    int further_count;
} header_facts;

/* The header's text, in the graph's arena.  The graph is lowered: its workspace is planned. */
const char *header_text(const ir_graph *, const header_facts *);

#endif
