/* draw.h: random graphs, op by op.
 *
 * A graph is drawn from a seed alone.  Each op is drawn by its rule (rules.def): element types come from the table of
 * what the interpreter defines (ir/ref/ref.def), the rule adds operands, extents, attributes and quantization.
 * Operands are values that are there, inputs, or constants. */
#ifndef TESTS_RANDOM_DRAW_H
#define TESTS_RANDOM_DRAW_H

#include "ir/ref/interp.h"

typedef struct draw_options {
    const char *ops; /* "a,b": no others; NULL: all */
    int most_ops;    /* 0: drawn, too */
    bool pipeline;   /* for graphs that go through all passes: nothing whose value these change on purpose */
} draw_options;

/* A graph that verifies, whose ops the interpreter defines; NULL: out of memory, or no op could be drawn. */
ir_graph *draw_graph(uint64_t seed, const draw_options *);
/* One op with these types, alone; NULL: the rule cannot, or the interpreter does not define it. */
typedef struct draw_types draw_types;
ir_graph *draw_single(uint64_t seed, ir_opcode, const draw_types *, bool *out_undefined);

bool draw_is_listed(const char *list, const char *op); /* "a,b"; NULL: all are */

/* ---- Element types (types.c) ---- */

enum { DRAW_MAX_OPERANDS = 7, DRAW_MAX_RESULTS = 4 };

struct draw_types {
    int operands; /* how many the table lists; further ones are like the last */
    ir_dtype operand[DRAW_MAX_OPERANDS], result[DRAW_MAX_RESULTS];
};

/* All combinations of an op, one after the other: false after the last. */
bool draw_types_at(ir_opcode, int index, draw_types *out);
int draw_types_count(ir_opcode);
/* "u8 i8 i32 > u8"; optional operands that the op may lack are listed all the same. */
void draw_types_print(const draw_types *, ir_opcode, char *to, size_t size);

/* ---- For rules ---- */

typedef struct draw_value {
    ir_value *value;
    bool bounded;     /* compiled code may give something else, within bounds (tests/codegen/bounds.h) */
    bool from_scales; /* a real value that stands for integers: the passes may bring it back onto a grid */
} draw_value;

enum { DRAW_MOST_VALUES = 160 };

typedef struct draw {
    uint64_t random;
    ir_graph *graph;
    const draw_options *options;
    ir_enum_ROUNDING rounding;
    int64_t image[4]; /* a shape that values like to have: batch, height, width, channels */
    draw_value pool[DRAW_MOST_VALUES];
    int count;
    bool takes_bounded; /* may the op at hand have operands with bounds? */
    ir_op *op;          /* the op at hand, once there is one */
    bool undefined;     /* it is not defined on these types */
} draw;

/* Makes the op; false if it cannot. */
typedef bool draw_rule(draw *, ir_opcode, const draw_types *);

uint64_t draw_number(draw *);
int64_t draw_below(draw *, int64_t limit); /* 0 … limit - 1 */
int64_t draw_between(draw *, int64_t low, int64_t high);
bool draw_chance(draw *, int percent);
#define DRAW_OF(d, list) ((list)[draw_below((d), (int64_t)(sizeof(list) / sizeof *(list)))])

/* ---- Shapes: elements of a value and terms of a product are few, so that a graph takes milliseconds ---- */

enum { DRAW_MOST_ELEMENTS = 6000, DRAW_MOST_TERMS = 200000 };

int64_t draw_extent(draw *);   /* of an image: often 1 or 2, up to 20 */
int64_t draw_channels(draw *); /* around multiples of vectors, too */
ir_type draw_shape(draw *, ir_dtype, int least_rank, int most_rank);
ir_type draw_image_shape(draw *, ir_dtype);
bool draw_fits(const ir_type *);

/* ---- Quantization ---- */

bool draw_is_small_int(ir_dtype); /* i8, u8, i16: what can be quantized */
int32_t draw_zero(draw *, ir_dtype);
float draw_scale(draw *);
/* Which integers of the type values lack; mostly none. */
ir_unused draw_unused(draw *, ir_dtype, int32_t zero);
const ir_quant *draw_quant(draw *, ir_dtype);                          /* NULL for types that have none */
const ir_quant *draw_result_quant(draw *, ir_dtype, double magnitude); /* for real values up to about that */

/* ---- Operands ---- */

typedef enum draw_kind { DRAW_ANY, DRAW_QUANTIZED, DRAW_PLAIN } draw_kind; /* of i8, u8, i16 */

typedef struct draw_want {
    ir_dtype dtype;
    draw_kind kind;
    int least_rank, most_rank; /* of new values, and of those that are there */
    const ir_type *type;       /* exactly these extents, instead of ranks; NULL: any */
    const ir_quant *quant;     /* exactly this; NULL: any */
    bool exact;                /* no bounds, whatever the op takes */
    bool no_scales;            /* nothing that stands for integers */
    int constant_percent;      /* of new values */
} draw_want;

ir_value *draw_take(draw *, const draw_want *); /* one that is there, or a new one */
ir_value *draw_image(draw *, ir_dtype, draw_kind);
ir_value *draw_new(draw *, const draw_want *);
/* Contents: FILL_… of tests/codegen/fill.h. */
ir_value *draw_constant(draw *, ir_type, const ir_quant *, int kind);
ir_value *draw_indices(draw *, ir_dtype, int rank, const int64_t dims[], int64_t limit); /* mostly 0 … limit - 1 */

/* ---- Ops ---- */

ir_op *draw_op(draw *, ir_opcode, int operand_count, ir_value *const operands[]);
bool draw_result(draw *, int result, ir_dtype,
                 const ir_quant *); /* extents as they follow from operands and attributes */
bool draw_result_as(draw *, int result, const ir_type *, const ir_quant *); /* ops that leave the extents free */
ir_enum_ACT draw_act(draw *);
void draw_ints(draw *, ir_attr_id, int count, const int64_t values[]);

#endif
