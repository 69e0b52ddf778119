/* compiled.h: the code of a graph, run in this process, against the interpreter.
 *
 * Protects: compiled code computes what the interpreter says (integers bit for bit, floats within a tolerance or within
 * the bounds of bounds.h, NaN equal to NaN), for any partition of its work units, without touching a byte that is not
 * its own. */
#ifndef TESTS_CODEGEN_COMPILED_H
#define TESTS_CODEGEN_COMPILED_H

#include "compiler/codegen/backend.h"
#include "ir/ir.h"

typedef enum compiled_form {
    COMPILED_AS_IS,   /* no pass; a memory plan without sharing: the emitters as they are */
    COMPILED_LOWERED, /* the same after the passes that lower, without the memory plan */
    COMPILED_PIPELINE /* all passes of the optimization level, as the driver does it */
} compiled_form;

typedef struct compiled_options {
    const char *target; /* or several, "a,b": all of them that this machine can run are compared */
    const char *kernel; /* does what it can (--kernel of qcc); or NULL */
    int opt_level;      /* of code generation */
    int pass_level;     /* of the passes */
    int64_t near_bytes; /* pass_options.near_bytes: 1 computes all that can be image by image */
    compiled_form form;
    uint64_t seed; /* of the contents of inputs */
    int first_round,
        rounds;       /* round r: contents of kind r (fill.h), 1 + r % 3 parts; odd rounds start at a guard page */
    int edge_rounds;  /* more rounds behind them, of contents that arithmetic has no good answer to */
    double tolerance; /* of floats, relative to 1 + magnitude */
    bool sums;        /* ... which is that of the output's largest: for sums in another order */
    bool check_keys;  /* kernels that ops share are emitted for each and compared: quadratic, for small graphs */
    bool bounds;      /* floats within the bounds that the ops' arithmetic gives, instead */
} compiled_options;

typedef enum compiled_outcome {
    COMPILED_SAME,
    COMPILED_REFUSED,  /* a diagnostic of code generation, which is in the report's text */
    COMPILED_DIFFERENT /* a wrong value, a byte written that is not the code's, or a failure of the passes or inside */
} compiled_outcome;

typedef struct compiled_report {
    char text[DIAG_TEXT_BYTES + 128]; /* one line, a diagnostic where there was one; empty when all is the same */
} compiled_report;

/* Two copies of one graph: the interpreter runs the first, the second is changed by passes and compiled. */
compiled_outcome compiled_check(const ir_graph *reference, ir_graph *compiled, const compiled_options *,
                                compiled_report *);

#endif
