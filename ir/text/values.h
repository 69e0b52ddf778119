/* values.h: types, values and constants of the text form; between scan.h and the statements of parse.c.  Functions that
 * return false have reported the defect. */
#ifndef QCC_IR_VALUES_H
#define QCC_IR_VALUES_H

#include "ir/text/scan.h"

/* %3:u8<1x2; 0.5, 0> "name" as u8<0.5, 0> from propagated "x" at workspace 64 strides [4, 1] */
typedef struct ir_definition {
    slice name;
    ir_type type;
    const ir_quant *quant, *as;
    ir_dtype as_dtype;
    ir_enum_ROUNDING as_rounding;
    const char *label;
    ir_origin scale_from;
    ir_place place;
} ir_definition;

bool ir_parse_type(parser *, ir_type *, const ir_quant **);
bool ir_parse_definition(parser *, ir_definition *);
/* The value of a definition, which is known by its name from now on. */
bool ir_parse_finish(parser *, ir_value *, const ir_definition *);
/* The value that a name stands for. */
bool ir_parse_use(parser *, ir_value **out);
/* Elements of the type, in the graph's arena. */
bool ir_parse_data(parser *, const ir_type *, unsigned char **out);
/* Behind `const`. */
bool ir_parse_const(parser *);

#endif
