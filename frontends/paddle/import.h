/* import.h: what the files of the importer of Paddle's programs share.
 *
 *     nb.c      what a .nb file says, as program.h has it; proto.c: PaddlePaddle's own files; pir.c: those of PaddlePaddle 3
 *     paddle.c         variables, parameters, inputs, outputs, operators
 *     node.c    what every operator importer needs beyond node.h: variables, attributes, layouts, results
 *     paddle_ops_*.c   one function for each kind of operator; ops.def says which operator goes to which
 *
 * A variable is no value: operators write the same variable again and again, even with another type.  So the importer
 * walks the operators in their order and keeps, for each variable, what it holds now.
 *
 * What a variable holds is kept in the layouts of node.h. */
#ifndef QCC_PADDLE_IMPORT_H
#define QCC_PADDLE_IMPORT_H

#include "frontends/paddle/program.h"

typedef struct paddle_variable {
    const char *text;        /* terminated */
    ir_value *forms[2];      /* by layout; both NULL while it holds nothing */
    float unit;              /* above 0: the variable is forms / unit (ops_quant.c) */
    const paddle_desc *desc; /* NULL: none */
} paddle_variable;

typedef struct paddle_model {
    FRONTEND_MODEL; /* its reader: of the program */
    const uint8_t *bytes;
    size_t size, parameters_at; /* where an .nb has its parameters */
    paddle_program program;
    paddle_variable **variables; /* open addressing */
    uint32_t slots, variable_count;
    ir_value **inputs, **outputs; /* by column of feed and fetch */
    const char **output_names;
    int input_count, output_count;
    bool integers;     /* some operators are of integers: the others are meant to be real */
    uint32_t repeated; /* operators of blocks, as often as they have been imported */
} paddle_model;

typedef struct paddle_op_entry paddle_op_entry;

typedef struct paddle_node {
    FRONTEND_NODE(paddle_model);
    const paddle_op_entry *entry;
    const char *refused; /* paddle_op.refused */
    paddle_list *inputs, *outputs;
    uint32_t input_count, output_count;
    const paddle_block *blocks;
    uint32_t block_count;
} paddle_node;

typedef bool paddle_import_fn(paddle_node *);

struct paddle_op_entry {
    const char *name;
    paddle_import_fn *import; /* NULL: not supported */
    const char *reason;       /* why not */
    ir_opcode code;           /* for importers that serve several operators */
    const char *attributes;   /* in the words of node_attributes.h */
};

/* ---- paddle.c ---- */
paddle_variable *paddle_variable_of(paddle_model *, const char *text); /* terminated; makes it if need be */
/* The constant that a parameter of the file is: number `index`, for diagnostics, of type and name p. */
bool paddle_parameter(paddle_model *, uint32_t index, const paddle_desc *p, const uint8_t *data, size_t size);
/* Of an .nb (nb.c). */
bool paddle_nb_program(paddle_model *);
bool paddle_nb_parameters(paddle_model *);
/* Of PaddlePaddle's own files (proto.c). */
bool paddle_proto_program(paddle_model *);
bool paddle_proto_parameters(paddle_model *);
/* Of PaddlePaddle 3's (pir.c), whose parameters lie as those of proto.c. */
bool paddle_pir_program(paddle_model *);
ir_dtype paddle_dtype(int64_t type); /* of the file's number; IR_DTYPE_NONE: not supported */
/* The operators of a block, whose inputs its variables hold; so they do its results then.  False: the import ends. */
bool paddle_import_block(paddle_node *around, const paddle_block *);
bool paddle_import_feed(paddle_node *);
bool paddle_import_fetch(paddle_node *);

/* ---- node.c: operands ---- */
/* Operand number `index` of a parameter; 0 of them: absent. */
int paddle_count(const paddle_node *, const char *parameter);
int paddle_result_count(const paddle_node *, const char *parameter);
node_layout paddle_layout_of(paddle_node *, const char *parameter, int index); /* LAYOUT_LAST if that is the only one */
ir_value *paddle_in(paddle_node *, const char *parameter, int index, node_layout); /* NULL after a diagnostic */
/* The same for operators that deal with units: the operand is the result / *out_unit, unless that is 0. */
ir_value *paddle_in_units(paddle_node *, const char *parameter, int index, node_layout, float *out_unit);
bool paddle_set_unit(paddle_node *, const char *parameter, float unit); /* of a result that has been put */
void paddle_forget(paddle_node *, const char *parameter);               /* nobody can read the operand any more */
ir_value *paddle_plain(paddle_node *, const char *parameter);
bool paddle_optional(paddle_node *, const char *parameter, ir_value **out); /* plain; *out NULL when absent */
ir_value *paddle_param(paddle_node *, const char *parameter);               /* a constant */
bool paddle_absent(paddle_node *, const char *parameter);                   /* a diagnostic when it is there */
bool paddle_param_int(paddle_node *, const char *parameter, int index, int64_t *out);

/* ---- Attributes ---- */
bool paddle_has_attr(paddle_node *, const char *name); /* which may be made of what the file says */
bool paddle_attribute_allowed(const frontend_attribute *, const char *values);
int64_t paddle_int(paddle_node *, const char *name, int64_t def);
float paddle_float(paddle_node *, const char *name, float def);
const char *paddle_text(paddle_node *, const char *name, const char *def);
bool paddle_ints(paddle_node *, const char *name, int max, int64_t out[], int *out_count); /* count 0 when absent */
bool paddle_floats(paddle_node *, const char *name, int64_t max, float out[],
                   int64_t *out_count); /* out NULL: only counts */

/* The numbers of `parameter` if it is there, else of the attribute. */
bool paddle_numbers(paddle_node *, const char *parameter, const char *attribute, int64_t out[IR_MAX_RANK],
                    int *out_count);

/* ---- Building ---- */
ir_value *paddle_sliced(paddle_node *, ir_value *, const int64_t begin[], const int64_t dims[]);
ir_value *paddle_quantized(paddle_node *, ir_value *, float scale); /* real or 8-bit to int8 of that scale */
bool paddle_put_at(paddle_node *, const char *parameter, int index, ir_value *, node_layout);
bool paddle_put(paddle_node *, const char *parameter, ir_value *, node_layout);

/* ---- Shared by importers ---- */
/* Ranges that a model which is not yet of integers knows: of operands before, of results after the operator. */
bool paddle_observe_inputs(paddle_node *);
bool paddle_observe_outputs(paddle_node *);
ir_value *paddle_observed(paddle_node *, ir_value *, float threshold);
ir_value *paddle_cast(paddle_node *, ir_value *, ir_dtype);
/* The activation that attributes fuse into an operator: none, a clamp that ops take, or one that is an op of its own. */
typedef struct paddle_activation {
    ir_enum_ACT act;
    ir_opcode code; /* IR_RELU: none of its own */
    float alpha;
} paddle_activation;
bool paddle_activation_of(paddle_node *, const char *type, paddle_activation *out);
ir_value *paddle_activated(paddle_node *, ir_value *, const paddle_activation *); /* the op of its own, if any */
bool paddle_standard_hard_swish(paddle_node *, const char *prefix);

#define PADDLE_OP(NAME, importer, code, attributes) paddle_import_fn importer;
#define PADDLE_NO(NAME, reason)
#define PADDLE_ALL(attributes)
#include "frontends/paddle/ops.def"
#undef PADDLE_OP
#undef PADDLE_NO
#undef PADDLE_ALL

#endif
