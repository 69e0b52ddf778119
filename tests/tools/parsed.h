/* parsed.h: the graph that a test has as text.  A text that is none is a fault of the test, and ends it. */
#ifndef QCC_TESTS_PARSED_H
#define QCC_TESTS_PARSED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ir/ir.h"

static inline ir_graph *parsed(const char *text, diag *d)
{
    ir_graph *g = ir_parse(text, strlen(text), "test", d);
    if (g && ir_verify(g, d))
        return g;
    fprintf(stderr, "%s\n", d->text);
    exit(EXIT_FAILURE);
}

#endif
