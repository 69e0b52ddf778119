/* ort_import.h: what the files of the importer of ONNX Runtime's format share.
 *
 *     ort.c         the model: names, initializers, inputs, the order of nodes, outputs
 *     ort_node.c    what every operator importer needs: operands, attributes, layouts, results
 *     ort_ops_*.c   one function for each kind of operator; ort_ops.def says which operator goes to which
 *
 * ONNX puts channels second, the IR puts them last.  A name's value is therefore held in one of two layouts, or in both
 * once somebody needed the other: ORT_PLAIN, the dimensions as ONNX has them, and ORT_LAST, dimension 1 moved to the
 * end. Convolutions and pools take and give ORT_LAST, elementwise operators keep what they get, and what can't do with
 * ORT_LAST asks for ORT_PLAIN, which makes a transpose. */
#ifndef QCC_ORT_IMPORT_H
#define QCC_ORT_IMPORT_H

#include "frontends/flatbuffer.h"
#include "frontends/frontend.h"
#include "ir/ir.h"

/* Limits on what a file can make the compiler do. */
enum {
    ORT_MAX_NODES = 1 << 16,
    ORT_MAX_OPERANDS = 1 << 10, /* of one node, and of the graph */
    ORT_MAX_FOLDED = 1 << 12    /* elements of a constant that is computed while importing */
};
#define ORT_MAX_TOTAL_BYTES ((int64_t)1 << 36) /* all values of a model together */

/* Fields by their index in the schema. */
enum { SESSION_VERSION, SESSION_MODEL };
enum { MODEL_GRAPH = 7 };
enum {
    GRAPH_INITIALIZERS,
    GRAPH_NODE_ARGS,
    GRAPH_NODES,
    GRAPH_MAX_NODE_INDEX,
    GRAPH_NODE_EDGES,
    GRAPH_INPUTS,
    GRAPH_OUTPUTS,
    GRAPH_SPARSE_INITIALIZERS
};
enum {
    NODE_NAME,
    NODE_DOC,
    NODE_DOMAIN,
    NODE_SINCE_VERSION,
    NODE_INDEX,
    NODE_OP_TYPE,
    NODE_TYPE,
    NODE_PROVIDER,
    NODE_INPUTS,
    NODE_OUTPUTS,
    NODE_ATTRIBUTES
};
enum { TENSOR_NAME, TENSOR_DOC, TENSOR_DIMS, TENSOR_DATA_TYPE, TENSOR_RAW_DATA };
enum {
    ATTRIBUTE_NAME,
    ATTRIBUTE_DOC,
    ATTRIBUTE_TYPE,
    ATTRIBUTE_F,
    ATTRIBUTE_I,
    ATTRIBUTE_S,
    ATTRIBUTE_T,
    ATTRIBUTE_G,
    ATTRIBUTE_FLOATS,
    ATTRIBUTE_INTS
};
enum { VALUE_INFO_NAME, VALUE_INFO_DOC, VALUE_INFO_TYPE };
enum { TYPE_INFO_DENOTATION, TYPE_INFO_KIND, TYPE_INFO_VALUE };
enum { TYPE_IS_TENSOR = 1 };
enum { TENSOR_TYPE_ELEMENT, TENSOR_TYPE_SHAPE };
enum { SHAPE_DIMS };
enum { DIMENSION_VALUE };
enum { DIMENSION_KIND, DIMENSION_EXTENT };
enum { DIMENSION_IS_FIXED = 1 };

typedef enum ort_layout { ORT_PLAIN, ORT_LAST } ort_layout;

/* A name of the graph: an input, an initializer, or a node's result. */
typedef struct ort_name {
    const char *text;     /* terminated */
    ir_value *forms[2];   /* by layout; both NULL until it is defined */
    fb_table initializer; /* absent: none */
    fb_table info;        /* ValueInfo, absent: none */
    int32_t producer;     /* node, -1: none */
    bool is_input;
} ort_name;

typedef struct ort_model {
    fb_reader reader;
    const char *file;
    const frontend_options *options;
    diag *diag;
    ir_graph *graph;
    fb_table table;   /* the graph */
    ort_name **names; /* open addressing */
    uint32_t name_slots, name_count;
    int64_t total_bytes;  /* of all values so far */
    int64_t dense_budget; /* bytes that constants made by the importer may still take */
} ort_model;

typedef struct ort_op_entry ort_op_entry;

typedef struct ort_node {
    ort_model *model;
    const ort_op_entry *entry;
    ir_loc loc;
    fb_table table;
    struct ort_attribute {
        const char *name;
        fb_table table;
    } * attributes;
    uint32_t attribute_count;
    ort_name **inputs, **outputs; /* NULL: absent */
    int input_count, output_count;
    int since; /* operator set that brought this form of the operator */
} ort_node;

typedef bool ort_import_fn(ort_node *);

struct ort_op_entry {
    const char *domain, *name;
    ort_import_fn *import;      /* NULL: not supported */
    const char *reason;         /* why not */
    ir_opcode code;             /* for importers that serve several operators */
    int min_inputs, max_inputs; /* max -1: any number */
};

/* ---- ort.c ---- */
bool ort_malformed(ort_model *, const ir_loc *); /* reports the reader's error; always false */
ir_value *ort_tensor_constant(ort_model *, const ir_loc *, fb_table tensor); /* of an initializer or an attribute */
bool ort_charge(ort_model *, const ir_loc *, int64_t bytes);                 /* constants that the importer makes */

/* ---- ort_node.c: operands ---- */
bool ort_error(ort_node *, const char *format, ...) __attribute__((format(printf, 2, 3))); /* always false */
bool ort_has(const ort_node *, int index);
ort_layout ort_layout_of(ort_node *, int index);     /* that it is held in: ORT_LAST if that is the only one */
ir_value *ort_in(ort_node *, int index, ort_layout); /* NULL after a diagnostic */
ir_value *ort_plain(ort_node *, int index);
bool ort_optional(ort_node *, int index, ir_value **out); /* plain; *out NULL when absent */
/* Extents as ONNX has them; false after a diagnostic. */
bool ort_shape(ort_node *, int index, ir_type *out);
/* Dimension of a layout that is ONNX's dimension `axis`. */
int ort_dim(ort_layout, int rank, int axis);

/* ---- Parameters ---- */
ir_value *ort_param(ort_node *, int index, const char *what);
bool ort_param_ints(ort_node *, int index, const char *what, int max, int64_t out[], int *out_count);
bool ort_param_real(ort_node *, int index, const char *what, float *out); /* one number */
bool ort_axis(ort_node *, int64_t axis, int rank, int *out);
/* Scale and zero point operands (index, index + 1) as quantization; channels is the extent along axis, for those that
 * are lists.  dtype: of the values. */
const ir_quant *ort_quant(ort_node *, int scale, int zero, int axis, int64_t channels);
ir_value *ort_quantized(ort_node *, ir_value *, const ir_quant *); /* the same integers with quantization */

/* ---- Attributes ---- */
int64_t ort_int(ort_node *, const char *name, int64_t def);
float ort_float(ort_node *, const char *name, float def);
bool ort_has_attr(ort_node *, const char *name);
const char *ort_text(ort_node *, const char *name, const char *def);
/* *out_count stays when absent. */
bool ort_ints(ort_node *, const char *name, int max, int64_t out[], int *out_count);
int ort_floats(ort_node *, const char *name, int max, float out[]); /* count */
fb_table ort_tensor_attr(ort_node *, const char *name);

/* ---- Building ---- */
ir_op *ort_emit(ort_node *, ir_opcode, int operand_count, ir_value *const operands[]);
ir_op *ort_emit1(ort_node *, ir_opcode, ir_value *);
ir_op *ort_emit2(ort_node *, ir_opcode, ir_value *, ir_value *);
/* Types the result of a complete op and checks it; NULL after a diagnostic.  The value may be a constant that replaces
 * the op. */
ir_value *ort_typed(ort_node *, ir_op *, ir_type, const ir_quant *);
ir_value *ort_done(ort_node *, ir_op *); /* the same with the shape that follows from the operands, like operand 0 */
ir_value *ort_done_quant(ort_node *, ir_op *, ir_dtype, const ir_quant *);
ir_value *ort_unary(ort_node *, ir_opcode, ir_value *);
ir_value *ort_binary(ort_node *, ir_opcode, ir_value *, ir_value *);
ir_value *ort_binary_act(ort_node *, ir_opcode, ir_value *, ir_value *, ir_enum_ACT);
ir_value *ort_reshaped(ort_node *, ir_value *, int rank, const int64_t dims[]);
ir_value *ort_transposed(ort_node *, ir_value *, const int64_t perm[]);
ir_value *ort_to_layout(ort_node *, ir_value *, ort_layout from, ort_layout to);
ir_value *ort_real(ort_node *, float); /* a constant of rank 0 */
ir_value *ort_reals(ort_node *, int rank, const int64_t dims[], const float values[]);
ir_value *ort_i64s(ort_node *, int rank, int64_t count, const int64_t values[]);
bool ort_put(ort_node *, int output, ir_value *, ort_layout);
bool ort_wanted(const ort_node *, int output); /* the result has a name */

/* ---- Shared by importers ---- */
ir_value *ort_clamped(ort_node *, ir_value *, float low, float high);
ir_value *ort_hard_sigmoid(ort_node *, ir_value *, float alpha, float beta);
/* Activation of a fused operator: attribute `name` names it, `params` has its numbers. */
ir_value *ort_activated(ort_node *, ir_value *, const char *name, const char *params);
/* Two operands in one layout that suits both. */
bool ort_pair(ort_node *, int a, int b, ir_value **out_a, ir_value **out_b, ort_layout *out);

#define ORT_OP(domain, NAME, min, max, importer, code) ort_import_fn importer;
#define ORT_NO(domain, NAME, reason)
#include "frontends/ort_ops.def"
#undef ORT_OP
#undef ORT_NO

#endif
