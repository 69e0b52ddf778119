/* dot.h: the graph for Graphviz. */
#ifndef QCC_DOT_H
#define QCC_DOT_H

#include "ir/ir.h"

/* The text, to be freed; NULL: out of memory. */
char *dot_text(const ir_graph *, size_t *out_length);

#endif
