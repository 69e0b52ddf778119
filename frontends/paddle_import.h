/* paddle_import.h: what the files of the importer of Paddle Lite's .nb models share.
 *
 *     paddle.c         the container, the program, parameters, inputs, outputs
 *     paddle_node.c    what every operator importer needs: variables, attributes, layouts, results
 *     paddle_ops_*.c   one function for each kind of operator; paddle_ops.def says which operator goes to which
 *
 * A variable is no value: operators write the same variable again and again, even with another type.  So the importer
 * walks the operators in their order and keeps, for each variable, what it holds now.
 *
 * Paddle puts channels second, the IR puts them last.  What a variable holds is therefore kept in one of two layouts, or in
 * both once somebody needed the other: PADDLE_PLAIN, the dimensions as Paddle has them, and PADDLE_LAST, dimension 1 moved
 * to the end.  Windows take and give PADDLE_LAST, elementwise operators keep what they get, and what can't do with
 * PADDLE_LAST asks for PADDLE_PLAIN, which makes a transpose. */
#ifndef QCC_PADDLE_IMPORT_H
#define QCC_PADDLE_IMPORT_H

#include "frontends/flatbuffer.h"
#include "frontends/frontend.h"
#include "ir/ir.h"

/* Limits on what a file can make the compiler do. */
enum {
    PADDLE_MAX_NODES = 1 << 16,
    PADDLE_MAX_OPERANDS = 1 << 10, /* of one operator, and of the graph */
    PADDLE_MAX_FOLDED = 1 << 12    /* elements of a constant that is computed while importing */
};
#define PADDLE_MAX_TOTAL_BYTES ((int64_t)1 << 36) /* all values of a model together */

/* Fields by their index in the schema. */
enum { PROGRAM_BLOCKS };
enum { BLOCK_INDEX, BLOCK_PARENT, BLOCK_VARS, BLOCK_OPS };
enum { VAR_NAME, VAR_TYPE };
enum { VAR_TYPE_KIND, VAR_TYPE_SELECTED_ROWS, VAR_TYPE_LOD_TENSOR };
enum { LOD_TENSOR_TENSOR };
enum { TENSOR_DATA_TYPE, TENSOR_DIMS };
enum { OP_TYPE, OP_INPUTS, OP_OUTPUTS, OP_ATTRS };
enum { ARGUMENT_PARAMETER, ARGUMENT_NAMES };
enum {
    ATTR_NAME, ATTR_TYPE, ATTR_I, ATTR_F, ATTR_S, ATTR_INTS, ATTR_FLOATS, ATTR_STRINGS, ATTR_B, ATTR_BOOLS, ATTR_BLOCK,
    ATTR_L, ATTR_BLOCKS, ATTR_LONGS
};
enum { TYPE_INT, TYPE_FLOAT, TYPE_STRING, TYPE_INTS, TYPE_FLOATS, TYPE_BOOLEAN = 6, TYPE_LONG = 9, TYPE_LONGS = 11 };
enum { PARAM_VERSION, PARAM_NAME, PARAM_VARIABLE_TYPE, PARAM_VARIABLE };
enum { PARAM_IS_TENSOR = 1 };
enum { PARAM_LOD_LEVEL, PARAM_LOD, PARAM_DIM, PARAM_DATA_TYPE, PARAM_DATA };

typedef enum paddle_layout { PADDLE_PLAIN, PADDLE_LAST } paddle_layout;

typedef struct paddle_variable {
    const char *text;   /* terminated */
    ir_value *forms[2]; /* by layout; both NULL while it holds nothing */
    fb_table desc;      /* VarDesc, absent: none */
} paddle_variable;

typedef struct paddle_model {
    fb_reader reader; /* of the program */
    const uint8_t *bytes;
    size_t size;
    const char *file;
    const frontend_options *options;
    diag *diag;
    ir_graph *graph;
    fb_vector ops;
    paddle_variable **variables; /* open addressing */
    uint32_t slots, variable_count;
    ir_value **inputs, **outputs; /* by column of feed and fetch */
    const char **output_names;
    int input_count, output_count;
    int64_t total_bytes;  /* of all values so far */
    int64_t dense_budget; /* bytes that constants made by the importer may still take */
} paddle_model;

typedef struct paddle_op_entry paddle_op_entry;

typedef struct paddle_list { /* the variables of one parameter of an operator */
    const char *parameter;
    fb_vector names;
} paddle_list;

typedef struct paddle_node {
    paddle_model *model;
    const paddle_op_entry *entry;
    ir_loc loc;
    paddle_list *inputs, *outputs;
    struct paddle_attribute { const char *name; fb_table table; } *attributes;
    uint32_t input_count, output_count, attribute_count;
} paddle_node;

typedef bool paddle_import_fn(paddle_node *);

struct paddle_op_entry {
    const char *name;
    paddle_import_fn *import; /* NULL: not supported */
    const char *reason;       /* why not */
    ir_opcode code;           /* for importers that serve several operators */
};

/* ---- paddle.c ---- */
bool paddle_malformed(paddle_model *, const ir_loc *); /* reports the reader's error; always false */
paddle_variable *paddle_variable_of(paddle_model *, const char *text, size_t length); /* makes it if need be */
ir_dtype paddle_dtype(int64_t type); /* of the file's number; IR_DTYPE_NONE: not supported */
bool paddle_import_feed(paddle_node *);
bool paddle_import_fetch(paddle_node *);

/* ---- paddle_node.c: operands ---- */
bool paddle_error(paddle_node *, const char *format, ...) __attribute__((format(printf, 2, 3))); /* always false */
/* Operand number `index` of a parameter; 0 of them: absent. */
int paddle_count(const paddle_node *, const char *parameter);
int paddle_result_count(const paddle_node *, const char *parameter);
paddle_layout paddle_layout_of(paddle_node *, const char *parameter, int index); /* PADDLE_LAST if that is the only one */
ir_value *paddle_in(paddle_node *, const char *parameter, int index, paddle_layout); /* NULL after a diagnostic */
ir_value *paddle_plain(paddle_node *, const char *parameter);
bool paddle_optional(paddle_node *, const char *parameter, ir_value **out); /* plain; *out NULL when absent */
ir_value *paddle_param(paddle_node *, const char *parameter); /* a constant */
bool paddle_absent(paddle_node *, const char *parameter);      /* a diagnostic when it is there */
bool paddle_param_int(paddle_node *, const char *parameter, int index, int64_t *out);
/* Dimension of a layout that is Paddle's dimension `axis`. */
int paddle_dim(paddle_layout, int rank, int axis);
bool paddle_axis(paddle_node *, int64_t axis, int rank, int *out);

/* ---- Attributes ---- */
bool paddle_has_attr(paddle_node *, const char *name);
int64_t paddle_int(paddle_node *, const char *name, int64_t def);
float paddle_float(paddle_node *, const char *name, float def);
const char *paddle_text(paddle_node *, const char *name, const char *def);
bool paddle_ints(paddle_node *, const char *name, int max, int64_t out[], int *out_count); /* count 0 when absent */
bool paddle_floats(paddle_node *, const char *name, int64_t max, float out[], int64_t *out_count);

/* ---- Building ---- */
ir_op *paddle_emit(paddle_node *, ir_opcode, int operand_count, ir_value *const operands[]);
/* Types the result of a complete op and checks it; NULL after a diagnostic.  The value may be a constant that replaces
 * the op. */
ir_value *paddle_typed(paddle_node *, ir_op *, ir_type, const ir_quant *);
ir_value *paddle_done(paddle_node *, ir_op *); /* the same with the shape that follows from the operands, like operand 0 */
ir_value *paddle_done_quant(paddle_node *, ir_op *, ir_dtype, const ir_quant *);
ir_value *paddle_unary(paddle_node *, ir_opcode, ir_value *);
ir_value *paddle_binary(paddle_node *, ir_opcode, ir_value *, ir_value *, ir_enum_ACT);
ir_value *paddle_reshaped(paddle_node *, ir_value *, int rank, const int64_t dims[]);
ir_value *paddle_transposed(paddle_node *, ir_value *, const int64_t perm[]);
ir_value *paddle_sliced(paddle_node *, ir_value *, const int64_t begin[], const int64_t dims[]);
ir_value *paddle_to_layout(paddle_node *, ir_value *, paddle_layout from, paddle_layout to);
ir_value *paddle_reals(paddle_node *, int rank, const int64_t dims[], const float values[]);
ir_value *paddle_real(paddle_node *, float); /* a constant of rank 0 */
ir_value *paddle_quantized(paddle_node *, ir_value *, float scale); /* real or 8-bit to int8 of that scale */
bool paddle_put_at(paddle_node *, const char *parameter, int index, ir_value *, paddle_layout);
bool paddle_put(paddle_node *, const char *parameter, ir_value *, paddle_layout);

/* ---- Shared by importers ---- */
/* The activation that attributes fuse into an operator: none, a clamp that ops take, or one that is an op of its own. */
typedef struct paddle_activation {
    ir_enum_ACT act;
    ir_opcode code; /* IR_RELU: none of its own */
    float alpha;
} paddle_activation;
bool paddle_activation_of(paddle_node *, const char *type, paddle_activation *out);
ir_value *paddle_activated(paddle_node *, ir_value *, const paddle_activation *); /* the op of its own, if any */
bool paddle_standard_hard_swish(paddle_node *, const char *prefix);

#define PADDLE_OP(NAME, importer, code) paddle_import_fn importer;
#define PADDLE_NO(NAME, reason)
#include "frontends/paddle_ops.def"
#undef PADDLE_OP
#undef PADDLE_NO

#endif
