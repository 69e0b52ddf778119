/* import.h: what the files of the TFLite importer share.
 *
 *     tflite.c         the model: opcodes, subgraphs, signatures, the loop over operators
 *     tensor.c  tensors: types, shapes, quantization, buffers -> graph inputs and constants
 *     sparse.c  sparse constants -> dense ones
 *     node.c    what every operator importer needs beyond node.h: operands, parameters, results
 *     tflite_ops_*.c   one function for each kind of operator; ops.def says which operator goes to which
 *
 * An importer of an operator gets a tflite_node, builds ops with node_emit, and ends with tflite_bind for each of the
 * node's results.  It returns false after one diagnostic.  A node that needs a result of a refused one is checked, and
 * not imported (m->unknown). */
#ifndef QCC_TFLITE_IMPORT_H
#define QCC_TFLITE_IMPORT_H

#include "frontends/flexbuffer.h"
#include "frontends/node/node_conv.h"
#include "frontends/tflite/schema.h"

/* Limits on what a file can make the compiler do; generous for models, tight for hostile files. */
enum {
    TFLITE_MAX_NODES = 1 << 18,     /* operators imported, inlined ones included */
    TFLITE_MAX_OPERANDS = 1 << 12,  /* of one operator */
    TFLITE_MAX_VARIABLES = 1 << 12, /* handles of state variables */
    TFLITE_MAX_PASSES = 1 << 14,    /* of all loops */
    TFLITE_MAX_DEPTH = 16           /* subgraphs within subgraphs */
};

typedef struct tflite_opcode {
    int32_t builtin;
    const char *name; /* of the builtin operator, or the custom code; never NULL */
    bool custom;
    int32_t version;
} tflite_opcode;

typedef struct tflite_variable tflite_variable; /* ops_state.c */

typedef struct tflite_model {
    FRONTEND_MODEL;
    tflite_opcode *opcodes;
    uint32_t opcode_count;
    fb_vector subgraphs, buffers;
    fb_table signature;  /* the one of subgraph 0, or absent */
    bool reshaped;       /* an option changes the inputs' shapes: the file's shapes of other tensors don't count */
    uint32_t node_count; /* imported so far */
    uint32_t pass_count; /* of loops, so far */
    tflite_variable *variables;
    int variable_count;
} tflite_model;

/* One instantiation of a subgraph. */
typedef struct tflite_scope {
    tflite_model *model;
    int32_t subgraph;
    int depth;
    fb_vector tensors;
    ir_value **values;           /* a tensor's value: NULL until it is defined or first used as a constant */
    tflite_variable **variables; /* what a tensor is a handle of; NULL as long as the subgraph has no handles */
    bool *kept;   /* tensors that are variables and were read before anything wrote them; NULL: none yet */
    bool initial; /* the subgraph runs once, before the first run, and gives variables their initial values */
} tflite_scope;

typedef struct tflite_op_entry tflite_op_entry;

typedef struct tflite_node {
    FRONTEND_NODE(tflite_model);
    tflite_scope *scope;
    const tflite_opcode *code;
    const tflite_op_entry *entry; /* NULL: of an operator that is not known */
    fb_table table;
    fb_table options; /* absent: every field has its default */
    fb_vector inputs; /* int32 tensor indices; -1: absent */
    fb_vector outputs;
} tflite_node;

typedef bool tflite_import_fn(tflite_node *);

struct tflite_op_entry {
    const char *name;
    tflite_import_fn *import;                /* NULL: not supported */
    const char *reason;                      /* why not; NULL: no more to say */
    ir_opcode code;                          /* for importers that serve several operators */
    const char *fields;                      /* of the options, in their order, in the words of node_attributes.h */
    int16_t newest;                          /* version */
    int16_t options;                         /* expected member of the options' union, 0: one without fields */
    int16_t min_inputs, max_inputs, outputs; /* max and outputs -1: any number */
};

/* What the file says of a tensor. */
typedef struct tflite_tensor {
    fb_table table;
    ir_type type;
    const ir_quant *quant; /* NULL: real, or plain integers */
    bool any_shape;        /* the shape is not fixed in the file */
    bool constant;         /* read for its elements */
    bool packed;           /* of type INT4, which becomes i8 */
    const char *name;
} tflite_tensor;

/* ---- tflite.c ---- */
bool tflite_import_subgraph(tflite_model *, int32_t subgraph, int depth, const ir_loc *, uint32_t input_count,
                            ir_value *const inputs[], uint32_t output_count, ir_value *outputs[]);
bool tflite_import_initial(tflite_model *, int32_t subgraph, int depth, const ir_loc *);

/* ---- tensor.c ---- */
bool tflite_tensor_read(tflite_scope *, const ir_loc *, int32_t index, tflite_tensor *out);
/* The same where INT4 is supported: of constants, and of what only moves their elements. */
bool tflite_tensor_read_narrow(tflite_scope *, const ir_loc *, int32_t index, tflite_tensor *out);
/* The bytes of a tensor's buffer: false on error; *out_bytes NULL when it has none. */
bool tflite_tensor_bytes(tflite_scope *, const ir_loc *, const tflite_tensor *, const uint8_t **out_bytes,
                         size_t *out_size);
bool tflite_tensor_is_constant(tflite_scope *, int32_t index);
/* The tensor as a constant. */
ir_value *tflite_tensor_constant(tflite_scope *, const ir_loc *, int32_t index);
const char *tflite_type_text(int type);

/* ---- sparse.c ---- */
/* Expands a sparse constant into `dense`, dense_bytes long and zeroed. */
bool tflite_densify(tflite_scope *, const ir_loc *, const tflite_tensor *, const uint8_t *bytes, size_t size,
                    uint8_t *dense, size_t dense_bytes);

/* ---- ops_state.c ---- */
/* What operand `index`, a tensor that is a variable, holds now; `type` is that of a value read from the last run. */
ir_value *tflite_state(tflite_node *, int index, const ir_type *type);
bool tflite_set_state(tflite_node *, int index, ir_value *);

/* ---- options.c ---- */
bool tflite_options_read(tflite_node *); /* opens the options, whose fields are all known */

/* ---- node.c: operands ---- */
int tflite_input_count(const tflite_node *);
int tflite_output_count(const tflite_node *);
bool tflite_has_input(const tflite_node *, int index);                /* present, not -1 */
ir_value *tflite_input(tflite_node *, int index);                     /* NULL after a diagnostic */
bool tflite_optional_input(tflite_node *, int index, ir_value **out); /* *out NULL when absent */
bool tflite_input_is_int4(const tflite_node *, int index);            /* in the file, two elements to a byte */
bool tflite_output_tensor(tflite_node *, int index, tflite_tensor *out);

/* ---- Parameters: operands that must be constant ---- */
ir_value *tflite_param(tflite_node *, int index, const char *what);
/* Integers of a parameter of rank 0 or 1; false with a diagnostic when there are more than max. */
bool tflite_param_ints(tflite_node *, int index, const char *what, int max, int64_t out[], int *out_count);
bool tflite_param_int(tflite_node *, int index, const char *what, int64_t *out);

/* ---- Options of custom operators (ops_misc.c) ---- */
bool tflite_custom_map(tflite_node *, flex_map *out);
/* A number; *value stays when it is absent, which is an error where it is required. */
bool tflite_custom_number(tflite_node *, const flex_map *, const char *key, bool required, double low, double high,
                          double *value);

/* ---- Results ---- */
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
/* ---- Float activations with int8 weights (hybrid.c) ---- */

bool tflite_is_hybrid(const ir_value *x, const ir_value *w);
/* The product `code` behind a dynamic_quantize of x, affine or symmetric; NULL after a diagnostic. */
ir_op *tflite_emit_hybrid(tflite_node *, ir_opcode code, ir_value *x, ir_value *w, ir_value *b, bool affine, int outer);

/* BATCH_MATMUL; swap: the last two dimensions of x change places; of w: unless it is [..., N, K] already. */
bool tflite_hybrid_matmul(tflite_node *, ir_value *x, ir_value *w, bool swap_x, bool swap_w, bool affine,
                          const ir_type *result);

/* TRANSPOSE_CONV by filters [O, KH, KW, I]: a convolution of the image with zeros between its pixels.  box: what is cut
 * from the full result.  NULL after a diagnostic. */
ir_op *tflite_hybrid_transpose_conv(tflite_node *, ir_value *x, ir_value *w, ir_value *b, const node_box *);

/* Old files say uint8 of constants that hold int8; TFLite's kernels that take floats, or give them, read them so.  Others as
 * they are. */
ir_value *tflite_signed_weights(tflite_node *, ir_value *w);

/* tflite_bind for an op with a fused activation. */
bool tflite_bind_activated(tflite_node *, int output, ir_op *, tflite_activation, int rank, const int64_t dims[]);

/* ---- Windows ---- */
/* Extent of a window's result and its padding, by TFLite's rule: SAME pads evenly, the odd element behind. */
bool tflite_window(tflite_node *, int padding, int64_t extent, int64_t window, int64_t stride, int64_t dilation,
                   int64_t *out_extent, int64_t *out_before, int64_t *out_after);

/* ---- Shapes ---- */
/* Extents of numpy's broadcasting of two shapes. */
bool tflite_broadcast(tflite_node *, const ir_type *a, const ir_type *b, ir_type *out);

/* ---- Importers (ops.def) ---- */
#define TFLITE_OP(NAME, number, newest, options, min, max, outputs, importer, code) tflite_import_fn importer;
#define TFLITE_NO(NAME, number, reason)
#define TFLITE_CUSTOM(text, min, max, outputs, importer) tflite_import_fn importer;
#include "frontends/tflite/ops.def"
#undef TFLITE_OP
#undef TFLITE_NO
#undef TFLITE_CUSTOM

#endif
