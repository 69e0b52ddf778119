/* report_arithmetic.h: what an op of a lowered graph computes on, and how much it has to do; for all that tells of it. */
#ifndef QCC_REPORT_ARITHMETIC_H
#define QCC_REPORT_ARITHMETIC_H

#include "ir/ir.h"

typedef enum report_arithmetic {
    REPORT_INTEGER, /* 8 or 16 bits with a scale */
    REPORT_FLOAT,
    REPORT_MIXED, /* between the two: some operands and results are quantized, others real */
    REPORT_DATA,  /* plain integers and booleans */
    REPORT_ARITHMETICS
} report_arithmetic;

extern const char *const report_arithmetic_names[]; /* "int8", "float", … */

/* What shows them on white paper: of lines and names, and of areas behind text. */
typedef struct report_colour {
    const char *strong, *soft; /* "#217a5b" */
} report_colour;
extern const report_colour report_arithmetic_colours[];

/* The reason is a static text, or lives as long as the graph. */
report_arithmetic report_arithmetic_of(const ir_graph *, const ir_op *, const char **out_why);
/* What an op is called: its layer, else its result, else what it does. */
const char *report_op_name(const ir_op *);
/* Of all its constant operands. */
int64_t report_constant_bytes(const ir_op *);

#endif
