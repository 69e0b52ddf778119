/* tflite_import.h: what the files of the TFLite importer share.
 *
 *     tflite.c         the model: opcodes, subgraphs, signatures, the loop over operators
 *     tflite_tensor.c  tensors: types, shapes, quantization, buffers -> graph inputs and constants
 *     tflite_sparse.c  sparse constants -> dense ones
 *     tflite_node.c    what every operator importer needs: operands, parameters, results
 *     tflite_ops_*.c   one function for each kind of operator; tflite_ops.def says which operator goes to which
 *
 * An importer of an operator gets a tflite_node, builds ops with tflite_emit, and ends with tflite_bind for each of the
 * node's results.  It returns false after one diagnostic. */
#ifndef QCC_TFLITE_IMPORT_H
#define QCC_TFLITE_IMPORT_H

#include "frontends/flatbuffer.h"
#include "frontends/frontend.h"
#include "frontends/tflite_schema.h"
#include "ir/ir.h"

/* Limits on what a file can make the compiler do; generous for models, tight for hostile files. */
enum {
    TFLITE_MAX_NODES = 1 << 18,       /* operators imported, inlined ones included */
    TFLITE_MAX_OPERANDS = 1 << 12,    /* of one operator */
    TFLITE_MAX_VARIABLES = 1 << 12,   /* handles of state variables */
    TFLITE_MAX_DEPTH = 16,            /* composites within composites */
    TFLITE_MAX_FOLDED = 1 << 10       /* elements of a constant that is computed while importing */
};
#define TFLITE_MAX_TOTAL_BYTES ((int64_t)1 << 36) /* all tensors of a model together */

typedef struct tflite_opcode {
    int32_t builtin;
    const char *name; /* of the builtin operator, or the custom code; never NULL */
    bool custom;
} tflite_opcode;

typedef struct tflite_variable tflite_variable; /* tflite_ops_state.c */

typedef struct tflite_model {
    fb_reader reader;
    const char *file;
    const frontend_options *options;
    diag *diag;
    ir_graph *graph;
    tflite_opcode *opcodes;
    uint32_t opcode_count;
    fb_vector subgraphs, buffers;
    fb_table signature;   /* the one of subgraph 0, or absent */
    bool reshaped;        /* an option changes the inputs' shapes: the file's shapes of other tensors don't count */
    uint32_t node_count;  /* imported so far */
    int64_t total_bytes;  /* of all tensors so far */
    tflite_variable *variables;
    int variable_count;
    int64_t dense_budget; /* bytes that constants made by the importer may still take */
} tflite_model;

/* One instantiation of a subgraph. */
typedef struct tflite_scope {
    tflite_model *model;
    int32_t subgraph;
    int depth;
    fb_vector tensors;
    ir_value **values; /* a tensor's value: NULL until it is defined or first used as a constant */
    tflite_variable **variables; /* what a tensor is a handle of; NULL as long as the subgraph has no handles */
    bool initial;      /* the subgraph runs once, before the first run, and gives variables their initial values */
} tflite_scope;

typedef struct tflite_op_entry tflite_op_entry;

typedef struct tflite_node {
    tflite_model *model;
    tflite_scope *scope;
    const tflite_op_entry *entry;
    ir_loc loc;
    fb_table table;
    fb_table options;   /* absent: every field has its default */
    fb_vector inputs;   /* int32 tensor indices; -1: absent */
    fb_vector outputs;
} tflite_node;

typedef bool tflite_import_fn(tflite_node *);

struct tflite_op_entry {
    const char *name;
    tflite_import_fn *import; /* NULL: not supported */
    const char *reason;       /* why not; NULL: no more to say */
    ir_opcode code;           /* for importers that serve several operators */
    int16_t options;          /* expected member of the options' union, 0: none is read */
    int16_t min_inputs, max_inputs, outputs; /* max and outputs -1: any number */
};

/* What the file says of a tensor. */
typedef struct tflite_tensor {
    fb_table table;
    ir_type type;
    const ir_quant *quant; /* NULL: real, or plain integers */
    bool any_shape;        /* the shape is not fixed in the file */
    const char *name;
} tflite_tensor;

/* ---- tflite.c ---- */
bool tflite_import_subgraph(tflite_model *, int32_t subgraph, int depth, const ir_loc *, uint32_t input_count,
                            ir_value *const inputs[], uint32_t output_count, ir_value *outputs[]);
bool tflite_import_initial(tflite_model *, int32_t subgraph, int depth, const ir_loc *);
bool tflite_malformed(tflite_model *, const ir_loc *); /* reports the reader's error; always false */

/* ---- tflite_tensor.c ---- */
bool tflite_tensor_read(tflite_scope *, const ir_loc *, int32_t index, tflite_tensor *out);
/* The bytes of a tensor's buffer: false on error; *out_bytes NULL when it has none. */
bool tflite_tensor_bytes(tflite_scope *, const ir_loc *, const tflite_tensor *, const uint8_t **out_bytes,
                         size_t *out_size);
bool tflite_tensor_is_constant(tflite_scope *, int32_t index);
/* The tensor as a constant. */
ir_value *tflite_tensor_constant(tflite_scope *, const ir_loc *, int32_t index);
const char *tflite_type_text(int type);
/* Charges bytes of constants that the importer makes to the model's budget; false when it is spent. */
bool tflite_charge_dense(tflite_model *, int64_t bytes);

/* ---- tflite_sparse.c ---- */
/* Expands a sparse constant into `dense`, dense_bytes long and zeroed. */
bool tflite_densify(tflite_scope *, const ir_loc *, const tflite_tensor *, const uint8_t *bytes, size_t size,
                    uint8_t *dense, size_t dense_bytes);

/* ---- tflite_node.c: operands ---- */
bool tflite_error(tflite_node *, const char *format, ...) __attribute__((format(printf, 2, 3))); /* always false */
int tflite_input_count(const tflite_node *);
int tflite_output_count(const tflite_node *);
bool tflite_has_input(const tflite_node *, int index); /* present, not -1 */
ir_value *tflite_input(tflite_node *, int index);      /* NULL after a diagnostic */
bool tflite_optional_input(tflite_node *, int index, ir_value **out); /* *out NULL when absent */
bool tflite_output_tensor(tflite_node *, int index, tflite_tensor *out);

/* ---- Parameters: operands that must be constant ---- */
ir_value *tflite_param(tflite_node *, int index, const char *what);
/* Integers of a parameter of rank 0 or 1; false with a diagnostic when there are more than max. */
bool tflite_param_ints(tflite_node *, int index, const char *what, int max, int64_t out[], int *out_count);
bool tflite_param_int(tflite_node *, int index, const char *what, int64_t *out);
/* A dimension's number within [0, rank), from one that may be negative. */
bool tflite_axis(tflite_node *, int64_t axis, int rank, int *out);

/* ---- Building ---- */
/* An op at the end of the graph with the node's place.  Set its attributes, then give its result a type with
 * tflite_typed, or the file's with tflite_bind. */
ir_op *tflite_emit(tflite_node *, ir_opcode, int operand_count, ir_value *const operands[]);
ir_op *tflite_emit1(tflite_node *, ir_opcode, ir_value *);
ir_op *tflite_emit2(tflite_node *, ir_opcode, ir_value *, ir_value *);
/* Types an intermediate result and checks that the op is defined for its types; NULL after a diagnostic.  The value may
 * be a constant that replaces the op. */
ir_value *tflite_typed(tflite_node *, ir_op *, ir_type, const ir_quant *);
bool tflite_check(tflite_node *, const ir_op *); /* the same check for an op without results */
ir_value *tflite_reshaped(tflite_node *, ir_value *, int rank, const int64_t dims[]); /* the same value if equal */
ir_value *tflite_int_constant(tflite_node *, ir_dtype, int rank, int64_t count, const int64_t values[]);

/* Types the result of `op` as the node's tensor `output` and makes it that tensor's value.  dims: the result's
 * extents. */
bool tflite_bind(tflite_node *, int output, ir_op *op, int rank, const int64_t dims[]);
bool tflite_bind_like(tflite_node *, int output, ir_op *op, const ir_type *shape); /* same extents as a type */
/* As above for all results of an op that has several: each must be typed already. */
bool tflite_bind_value(tflite_node *, int output, ir_value *);

/* ---- Fused activations ---- */
typedef struct tflite_activation {
    ir_enum_ACT act; /* for the op's ACT attribute */
    bool tanh;       /* a separate op behind it */
} tflite_activation;
bool tflite_activation_read(tflite_node *, unsigned field, tflite_activation *out);
/* tflite_bind for an op with a fused activation. */
bool tflite_bind_activated(tflite_node *, int output, ir_op *, tflite_activation, int rank, const int64_t dims[]);

/* ---- Windows ---- */
/* Extent of a window's result and its padding, by TFLite's rule: SAME pads evenly, the odd element behind. */
bool tflite_window(tflite_node *, int padding, int64_t extent, int64_t window, int64_t stride, int64_t dilation,
                   int64_t *out_extent, int64_t *out_before, int64_t *out_after);

/* ---- Shapes ---- */
/* Extents of numpy's broadcasting of two shapes. */
bool tflite_broadcast(tflite_node *, const ir_type *a, const ir_type *b, ir_type *out);

/* ---- Importers (tflite_ops.def) ---- */
#define TFLITE_OP(NAME, number, options, min, max, outputs, importer, code) tflite_import_fn importer;
#define TFLITE_NO(NAME, number, reason)
#define TFLITE_CUSTOM(text, min, max, outputs, importer) tflite_import_fn importer;
#include "frontends/tflite_ops.def"
#undef TFLITE_OP
#undef TFLITE_NO
#undef TFLITE_CUSTOM

#endif
