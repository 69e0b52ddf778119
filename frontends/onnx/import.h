/* import.h: what the files of the importer of ONNX's graphs share.
 *
 *     onnx_graph.h  what a file says, and ort_file.c, onnx_file.c, which read it
 *     ort.c         the model: names, initializers, inputs, the order of nodes, outputs
 *     subgraph.c    graphs that attributes of nodes hold: branches, bodies of loops
 *     node.c    what every operator importer needs beyond node.h: operands, attributes, layouts, results
 *     ort_ops_*.c   one function for each kind of operator; ops.def says which operator goes to which
 *
 * Values are held in the layouts of node.h. */
#ifndef QCC_ORT_IMPORT_H
#define QCC_ORT_IMPORT_H

#include "frontends/node/node_attributes.h"
#include "frontends/onnx/onnx_graph.h"

/* Limits on what a file can make the compiler do. */
enum {
    ORT_MAX_OPERANDS = 1 << 10 /* of one node, and of the graph */
};

/* A name of the graph: an input, an initializer, or a node's result. */
typedef struct ort_name {
    const char *text;               /* terminated */
    ir_value *forms[2];             /* by layout; both NULL until it is defined */
    const onnx_tensor *initializer; /* NULL: none */
    const onnx_info *info;          /* NULL: none */
    int32_t producer;               /* node of the graph `scope`, -1: none */
    int32_t scope;
    bool is_input;
    bool wanted; /* a node reads it, or it is a result of the graph */
} ort_name;

typedef struct ort_model {
    FRONTEND_MODEL;
    const onnx_graph *top; /* the model's own graph, as the file has it */
    ort_name **names;      /* open addressing */
    uint32_t name_slots, name_count;
    uint32_t node_count;
    bool has_double;
    int32_t scopes; /* graphs imported so far, beside the model's own */
} ort_model;

typedef struct ort_op_entry ort_op_entry;

typedef struct ort_node {
    FRONTEND_NODE(ort_model);
    const ort_op_entry *entry;
    ort_name **inputs, **outputs, **captured; /* NULL: absent */
    bool *inputs_read;                        /* the importer has looked at the operand */
    int input_count, output_count, captured_count;
    int32_t since; /* operator set that brought this form of the operator */
} ort_node;

typedef bool ort_import_fn(ort_node *);

struct ort_op_entry {
    const char *domain, *name;
    ort_import_fn *import;      /* NULL: not supported */
    const char *reason;         /* why not */
    ir_opcode code;             /* for importers that serve several operators */
    int min_inputs, max_inputs; /* max -1: any number */
    int oldest, newest;         /* forms of the operator, by the operator sets that brought them */
    const char *attributes;     /* declared, in the words of node_attributes.h */
};

/* ---- ort.c ---- */
ir_dtype ort_dtype(int64_t type); /* of ONNX's number; IR_DTYPE_NONE: not supported */
ir_value *ort_tensor_constant(ort_model *, const ir_loc *, const onnx_tensor *); /* of an initializer or an attribute */
/* The entry of a name, made when it is new; NULL for the empty name, which stands for an absent operand. */
ort_name *ort_find_name(ort_model *, const char *text);
/* Names of what a graph holds, and its nodes; scope: a number for it that no other graph has. */
bool ort_read_names(ort_model *, const onnx_graph *);
bool ort_import_nodes(ort_model *, const onnx_graph *, int32_t scope);

/* ---- subgraph.c: a graph that an attribute of a node holds; it sees the names around it ---- */
typedef struct ort_held { /* a value, and the layout that it is held in */
    ir_value *value;
    node_layout layout;
} ort_held;

typedef struct ort_subgraph {
    ort_node *node;
    const onnx_graph *graph;
    int32_t scope;
} ort_subgraph;

/* The graph of the attribute `name`, with as many inputs and results; false after a diagnostic. */
bool ort_subgraph_open(ort_subgraph *, ort_node *, const char *name, int inputs, int results);
/* Its nodes, once more, on these inputs. */
bool ort_subgraph_import(ort_subgraph *, const ort_held inputs[], ort_held results[]);
void ort_subgraph_close(ort_subgraph *);
/* Is an input declared as a scalar, where the operator also takes one of a single element? */
bool ort_subgraph_wants_scalar(const ort_subgraph *, int input);

/* ---- node.c: operands ---- */
bool ort_has(const ort_node *, int index);
void ort_ignore(ort_node *, int index); /* an operand that has no bearing on the result; the caller says why */
node_layout ort_layout_of(ort_node *, int index);     /* that it is held in: LAYOUT_LAST if that is the only one */
ir_value *ort_in(ort_node *, int index, node_layout); /* NULL after a diagnostic */
ir_value *ort_plain(ort_node *, int index);
bool ort_optional(ort_node *, int index, ir_value **out); /* plain; *out NULL when absent */
/* Extents as ONNX has them; false after a diagnostic. */
bool ort_shape(ort_node *, int index, ir_type *out);

/* ---- Parameters ---- */
/* The operand, plain: a constant if it is computed of constants alone. */
ir_value *ort_known(ort_node *, int index);
ir_value *ort_param(ort_node *, int index, const char *what); /* which has to be a constant; without quantization */
bool ort_param_ints(ort_node *, int index, const char *what, int max, int64_t out[], int *out_count);
bool ort_param_real(ort_node *, int index, const char *what, float *out); /* one number */
/* Scale and zero point operands (index, index + 1) as quantization; channels is the extent along axis, for those that
 * are lists.  dtype: of the values. */
const ir_quant *ort_quant(ort_node *, int scale, int zero, int axis, int64_t channels);
ir_value *ort_quantized(ort_node *, ir_value *, const ir_quant *); /* the same integers with quantization */

/* ---- Attributes: node_attributes.h ---- */
bool ort_attribute_allowed(const frontend_attribute *, const char *values);
int64_t ort_int(ort_node *, const char *name, int64_t def);
float ort_float(ort_node *, const char *name, float def);
bool ort_has_attr(ort_node *, const char *name); /* does not count as reading it */
const char *ort_text(ort_node *, const char *name, const char *def);
/* Is the attribute absent, or a list of the texts of `expected`, repeated as often as need be? */
bool ort_texts_are(ort_node *, const char *name, int count, const char *const expected[]);
/* *out_count stays when absent. */
bool ort_ints(ort_node *, const char *name, int max, int64_t out[], int *out_count);
/* `count` of them, from 1 to `most`; all 1 when absent. */
bool ort_counts(ort_node *, const char *name, int count, int64_t most, int64_t out[]);
int ort_floats(ort_node *, const char *name, int max, float out[]); /* count */
const onnx_tensor *ort_tensor_attr(ort_node *, const char *name);   /* NULL: absent */
const onnx_graph *ort_graph_attr(ort_node *, const char *name);

/* ---- Results ---- */
bool ort_put(ort_node *, int output, ir_value *, node_layout);
bool ort_wanted(const ort_node *, int output); /* somebody reads the result */

/* ---- Shared by importers ---- */
ir_value *ort_clamped(ort_node *, ir_value *, float low, float high);
ir_value *ort_hard_sigmoid(ort_node *, ir_value *, float alpha, float beta);
/* Activation of a fused operator: the attribute activation names it, params has its numbers. */
ir_value *ort_activated(ort_node *, ir_value *, int count, const float params[]);
node_layout ort_last(ort_node *); /* to ask for so that channels are last: the attribute says if they are in the file */
/* Every step-th element from begin; type: of the result. */
ir_value *ort_cut(ort_node *, ir_value *x, const int64_t begin[], const int64_t step[], const ir_type *type);
/* [B, S, heads * size] -> [B, heads, S, size]; transposed: [B, heads, size, S]. */
ir_value *ort_heads(ort_node *, ir_value *, int64_t heads, bool transposed);
ir_value *ort_places(ort_node *, int64_t count, int axis); /* 0, 1, 2 … along one of two dimensions */
ir_value *ort_reduced(ort_node *, ir_opcode, ir_value *, int count, const int64_t axes[],
                      bool keep); /* axes in any order */
/* Padding that the attribute auto_pad asks for, if it does; covered: pixels from a window's first tap to its last. */
bool ort_auto_pad(ort_node *, int64_t extent, int64_t covered, int64_t stride, int64_t *before, int64_t *after);
/* The bias of a product of quantized values, `channels` numbers of type i32: it has scale x * w. */
ir_value *ort_int_bias(ort_node *, int index, const ir_quant *x, const ir_quant *w, int64_t channels);
bool ort_plain_pool(ort_node *);                           /* of one or two dimensions, taps side by side */
ir_value *ort_reversed(ort_node *, ir_value *x, int axis); /* NULL when x is */
ir_value *ort_zero(ort_node *, const ir_value *like); /* of rank 0: the number 0 of that type, quantized as that is */
/* Two operands in one layout that suits both. */
bool ort_pair(ort_node *, int a, int b, ir_value **out_a, ir_value **out_b, node_layout *out);

/* Integer operand x as plain u8, with its zero point (operand `zero`, 0 when absent) as a value of one u8. */
bool ort_integer_operand(ort_node *, ir_value *x, int zero, ir_value **out_x, ir_value **out_zero);
/* Zero points without scales, of weights: quantization with scales 1. */
const ir_quant *ort_zeros(ort_node *, int zero, int axis, int64_t channels);

#define ORT_OP(domain, NAME, min, max, importer, code, oldest, newest, attributes) ort_import_fn importer;
#define ORT_NO(domain, NAME, reason)
#include "frontends/onnx/ops.def"
#undef ORT_OP
#undef ORT_NO

#endif
