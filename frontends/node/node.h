/* node.h: what the importers of all formats share.
 *
 *     description.c       what a model is, for who asks
 *     model.c             the model being imported: its file, options, graph and budgets; shapes of inputs
 *     node.c              building ops for one of its nodes
 *     node_known.c        what is computed of constants alone, for operators that need to know it
 *     node_attributes.c   attributes and versions against what the operator tables declare (node_attributes.h)
 *     node_conv.c         convolutions that take several ops (node_conv.h)
 *     node_index.c        gathers by indices (node_index.h)
 *     node_recurrent.c    recurrent layers (node_recurrent.h)
 *     node_sample.c       images sampled at places (node_sample.h)
 *     node_spectrum.c     spectra of samples (node_spectrum.h)
 *
 * An importer's own structs of a model and of a node begin with FRONTEND_MODEL and FRONTEND_NODE, and the functions
 * take pointers to them as they are (macros at the end).  Those that return false or NULL do so after one diagnostic.
 *
 * Small computations on constants are evaluated as they are built (node_typed), so that a chain such as
 * SHAPE -> STRIDED_SLICE -> PACK is a constant by the time RESHAPE wants its new shape.  Larger ones are evaluated for
 * operators that ask for it (node_known). */
#ifndef QCC_FRONTEND_NODE_H
#define QCC_FRONTEND_NODE_H

#include "frontends/flatbuffer.h"
#include "frontends/frontend.h"
#include "ir/ir.h"

#define FRONTEND_MAX_TOTAL_BYTES ((int64_t)1 << 36) /* all values of a model together */

/* Which ops on constants become constants while importing. */
typedef struct frontend_folding {
    int64_t elements;    /* at most, of operands and results that may steer shapes */
    int64_t reals;       /* the same, of a real result */
    int64_t dequantized; /* at most, of a dequantize's result; -1: none, passes see the scales */
    bool moves;          /* transposes and casts of constants, however large */
} frontend_folding;

/* An input of the model, and where its shape is from. */
typedef struct frontend_input {
    struct frontend_input *next;
    const char *name;
    const char *const *dim_names; /* what the file calls its open dimensions; NULL: nothing */
    ir_type in_file;              /* -1: open */
    ir_type type;                 /* as it is imported */
    bool shaped, batched, fixed;  /* by --input-shape, by --batch, by --input-value */
} frontend_input;

#define FRONTEND_MODEL_FIELDS                                                                                          \
    fb_reader reader;                                                                                                  \
    size_t reader_at; /* where the reader's bytes begin in the file */                                                 \
    const char *file;                                                                                                  \
    const frontend_options *options;                                                                                   \
    bool *shapes_used; /* which of the options' input shapes found their input */                                      \
    bool *values_used; /* the same of input values */                                                                  \
    const frontend_folding *folding;                                                                                   \
    diag *diag;                                                                                                        \
    ir_graph *graph;                                                                                                   \
    bool misfit;         /* what failed are shapes that don't fit each other */                                        \
    int undecided;       /* branches around the node at hand that the inputs choose among */                           \
    bool shapes_fit;     /* those of the file itself do: inputs that nobody reshaped are not to blame */               \
    frontend_input *fed; /* its inputs, the last one first */                                                          \
    ir_value **known;    /* node_known.c: by the ids of values */                                                      \
    uint32_t known_count;                                                                                              \
    ir_value *unknown;  /* stands for what a refused node would have made, and for all that is made of it */           \
    const char *remark; /* on the node at hand; NULL: none */                                                          \
    bool left_out;      /* the node at hand needs what a graph within did not make; that has been told */              \
    size_t file_bytes;  /* of the model, and of the files it named so far */                                           \
    struct model_name *files_named;                                                                                    \
    int64_t total_bytes; /* of all values so far */                                                                    \
    size_t dense_budget  /* bytes that constants made by the importer may still take */

typedef struct frontend_model {
    FRONTEND_MODEL_FIELDS;
} frontend_model;

/* Names of values, terminated; an absent one is "". */
typedef struct frontend_names {
    uint32_t count;
    const char **text;
} frontend_names;

/* The value of an attribute; what its type does not name is zero, or NULL. */
typedef struct frontend_value {
    int32_t type; /* the format's number */
    float f;
    int64_t i;
    uint32_t count; /* of the string's bytes, or of a list's elements */
    const char *s;  /* terminated */
    const int64_t *ints;
    const float *floats;
    const char *const *strings;       /* terminated */
    const struct onnx_tensor *tensor; /* onnx_graph.h */
    const struct onnx_graph *graph;
} frontend_value;

/* An attribute of a node, as the file has it. */
typedef struct frontend_attribute {
    const char *name;
    const frontend_value *value; /* NULL in TFLite, where attributes are fields of a table */
    bool sought;                 /* the importer wanted its value */
    bool read;                   /* and has got it */
} frontend_attribute;

/* declared: the attributes in the words of node_attributes.h; by_all: those that every operator may have, or NULL. */
#define FRONTEND_NODE_FIELDS(model_type)                                                                               \
    model_type *model;                                                                                                 \
    ir_loc loc;                                                                                                        \
    const char *declared, *declared_by_all;                                                                            \
    frontend_attribute *attributes;                                                                                    \
    uint32_t attribute_count

typedef struct frontend_node {
    FRONTEND_NODE_FIELDS(frontend_model);
} frontend_node;

/* The first member of an importer's structs: the fields above, and all of them as `common`. */
#define FRONTEND_MODEL                                                                                                 \
    union {                                                                                                            \
        frontend_model common;                                                                                         \
        struct {                                                                                                       \
            FRONTEND_MODEL_FIELDS;                                                                                     \
        };                                                                                                             \
    }
#define FRONTEND_NODE(model_type)                                                                                      \
    union {                                                                                                            \
        frontend_node common;                                                                                          \
        struct {                                                                                                       \
            FRONTEND_NODE_FIELDS(model_type);                                                                          \
        };                                                                                                             \
    }

/* ---- model.c ---- */
/* Opens a model over a file's bytes, with an empty graph and budgets in proportion to the file. */
bool model_open(frontend_model *, const uint8_t *bytes, size_t size, const char *file, const frontend_options *,
                const frontend_folding *, diag *);
ir_graph *model_close(frontend_model *,
                      bool imported); /* the graph if it was imported, and nothing refused, else NULL */
/* After a diagnostic: does the import go on, with m->unknown for what could not be made, to tell all that is refused
 * at once?  What a node asks for that is not supported is put off so; what no file of the format says
 * (model_malformed, node_malformed), and memory that is out, ends the import. */
bool model_goes_on(frontend_model *);
ir_loc model_loc(frontend_model *);                     /* the file as a whole */
bool model_malformed(frontend_model *, const ir_loc *); /* reports the reader's error; always false */
const char *model_string(frontend_model *, fb_table, unsigned field, const char *otherwise); /* terminated */
/* Lists of a table; integers of 4 or 8 bytes. */
frontend_names model_names(frontend_model *, fb_table, unsigned field);
const int64_t *model_ints(frontend_model *, fb_table, unsigned field, uint32_t bytes, uint32_t *out_count);
const float *model_floats(frontend_model *, fb_table, unsigned field, uint32_t *out_count);
/* Charges bytes of constants that the importer makes to the model's budget. */
bool model_charge(frontend_model *, const ir_loc *, int64_t bytes);
/* A constant of the file, from as many bytes as its type has.  One that holds NaN, or a boolean that is neither 0 nor
 * 1, is refused: NULL. */
ir_value *model_constant(frontend_model *, const ir_loc *, const char *name, ir_type, const ir_quant *,
                         const void *data);
/* The bytes of a file that the model names, which count like its own for what it may cause; NULL after a diagnostic. */
const uint8_t *model_file(frontend_model *, const ir_loc *, const char *name, size_t *out_size);
/* The type of input `name` (or `other_name`, which may be NULL) when --batch and --input-shape have been applied to
 * what the file says, where -1, or 0, is an extent that it leaves open; an open first one, the batch, is 1.
 * dim_names: what the file calls the open ones, NULL where it does not, or NULL at all. */
bool model_input_type(frontend_model *, const char *name, const char *other_name, const char *const dim_names[],
                      ir_type *type);
/* An input whose type has been refused: it is told of all the same.  Returns false. */
bool model_input_unknown(frontend_model *, const char *name);
bool model_input_options_used(frontend_model *); /* an --input-shape or --input-value that names no input is an error */

/* ---- model_fixed.c ---- */
/* An input of that type, or the constant that --input-value says it is; NULL after a diagnostic. */
ir_value *model_input(frontend_model *, const char *name, const char *other_name, ir_type, const ir_quant *);
bool model_input_values_used(frontend_model *);

/* ---- description.c, for whoever asks for one ---- */
void model_note_node(frontend_model *, const char *operator_name); /* refused, if the diag says so at the moment */
void model_note_output(frontend_model *, const char *name, const ir_value *);
void model_note_inputs(frontend_model *); /* that model_input_type has seen */

/* ---- node.c ---- */
bool node_error(frontend_node *, const char *format, ...) __attribute__((format(printf, 2, 3))); /* always false */
/* The same where no node of the format says such a thing. */
bool node_malformed(frontend_node *, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* node_error where shapes don't fit each other; that of an input may be the reason. */
bool node_misfit(frontend_node *, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* What whoever compiles the model has to know of the node: a warning, and part of the description. */
void node_remark(frontend_node *, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A dimension's number within [0, rank), from one that may be negative. */
bool node_axis(frontend_node *, int64_t axis, int rank, int *out);

/* An attribute of the file that is one real number, or several: NaN is refused. */
bool node_check_reals(frontend_node *, const char *attribute, float one, uint32_t count, const float several[]);

/* An op at the end of the graph with the node's place.  Set its attributes, then give its result a type. */
ir_op *node_emit(frontend_node *, ir_opcode, int operand_count, ir_value *const operands[]);
ir_op *node_emit1(frontend_node *, ir_opcode, ir_value *);
ir_op *node_emit2(frontend_node *, ir_opcode, ir_value *, ir_value *);
/* Checks that a complete op is well-formed and defined for its types. */
bool node_check(frontend_node *, const ir_op *);
/* Can values of that type have that quantization (NULL: none)? */
bool node_quant_fits(frontend_node *, const ir_type *, const ir_quant *);
/* Types the result of a complete op and checks it.  The value may be a constant that replaces the op. */
ir_value *node_typed(frontend_node *, ir_op *, ir_type, const ir_quant *);
ir_value *node_done(frontend_node *,
                    ir_op *); /* the same with the shape that follows from the operands, like operand 0 */
ir_value *node_done_quant(frontend_node *, ir_op *, ir_dtype, const ir_quant *);

/* Ops whose result is like their first operand; NULL when an operand is NULL. */
ir_value *node_unary(frontend_node *, ir_opcode, ir_value *);
ir_value *node_binary(frontend_node *, ir_opcode, ir_value *, ir_value *);
ir_value *node_binary_act(frontend_node *, ir_opcode, ir_value *, ir_value *,
                          ir_enum_ACT);                                               /* an op behind it if need be */
ir_value *node_reshaped(frontend_node *, ir_value *, int rank, const int64_t dims[]); /* the same value if equal */
ir_value *node_transposed(frontend_node *, ir_value *, const int64_t perm[]);

ir_value *node_ints(frontend_node *, ir_dtype, int rank, int64_t count, const int64_t values[]); /* rank 0 or 1 */
ir_value *node_reals(frontend_node *, int rank, const int64_t dims[],
                     const float values[]);  /* an error if one is NaN */
ir_value *node_real(frontend_node *, float); /* of rank 0 */
/* A batch norm along dimension `at`, by constants of a number for each channel: scale, offset, mean and variance. */
ir_value *node_batch_norm(frontend_node *, ir_value *x, int at, ir_value *const parameters[4], double epsilon);

/* The constant that v (NULL: an error already) comes to if it is computed of constants alone, whatever its size; or else
 * v.  NULL after a diagnostic. */
ir_value *node_known(frontend_node *, ir_value *v);
/* How what the inputs decide can be known while importing. */
#define NODE_DECIDED "; --input-value can make one of them a constant"
/* Result `output` of an operator with two branches that the inputs choose between: `yes` where the condition, of rank 0,
 * holds, else `no`.  NULL after a diagnostic. */
ir_value *node_selected(frontend_node *, int output, ir_value *condition, ir_value *yes, ir_value *no);
/* What an operator takes must be known while importing: an error unless v (NULL: an error already) is constant. */
bool node_constant(frontend_node *, const ir_value *v, int index, const char *what);
/* The elements of an integer constant, at most `max`; `what` and `index` name it in diagnostics. */
bool node_copy_ints(frontend_node *, const ir_value *, int index, const char *what, int max, int64_t out[],
                    int *out_count);

/* A convolution's or pool's window: vertical, horizontal.  before, after: padding. */
typedef struct node_window {
    int64_t kernel[2], stride[2], dilation[2], before[2], after[2];
} node_window;
void node_set_window(ir_op *, const node_window *); /* the attributes that the op has */
/* The padding as zeros around x, which then count like pixels; the window has none any more. */
ir_value *node_padded(frontend_node *, ir_value *x, node_window *);

/* The product y of matrices that stand for vectors, without the dimension that a row (column) vector was given. */
ir_value *node_vector_product(frontend_node *, ir_value *y, bool row, bool column);

/* ---- Layouts ----
 * ONNX and Paddle put channels second, the IR puts them last.  What a name stands for is held in one of two layouts, or
 * in both once somebody needed the other: LAYOUT_PLAIN, the dimensions as the format has them, and LAYOUT_LAST,
 * dimension 1 moved to the end.  Windows take and give LAYOUT_LAST, elementwise operators keep what they get, and what
 * can't do with LAYOUT_LAST asks for LAYOUT_PLAIN, which makes a transpose. */
typedef enum node_layout { LAYOUT_PLAIN, LAYOUT_LAST } node_layout;

/* Dimension of a layout that is the format's dimension `axis`. */
int node_dim(node_layout, int rank, int axis);
ir_value *node_to_layout(frontend_node *, ir_value *, node_layout from, node_layout to);

/* Importers pass their own kind of model or node. */
#ifndef FRONTEND_COMMON
#define model_open(x, ...) model_open(&(x)->common, __VA_ARGS__)
#define model_close(x, ...) model_close(&(x)->common, __VA_ARGS__)
#define model_goes_on(x) model_goes_on(&(x)->common)
#define model_loc(x) model_loc(&(x)->common)
#define model_malformed(x, ...) model_malformed(&(x)->common, __VA_ARGS__)
#define model_string(x, ...) model_string(&(x)->common, __VA_ARGS__)
#define model_names(x, ...) model_names(&(x)->common, __VA_ARGS__)
#define model_ints(x, ...) model_ints(&(x)->common, __VA_ARGS__)
#define model_floats(x, ...) model_floats(&(x)->common, __VA_ARGS__)
#define model_charge(x, ...) model_charge(&(x)->common, __VA_ARGS__)
#define model_constant(x, ...) model_constant(&(x)->common, __VA_ARGS__)
#define model_file(x, ...) model_file(&(x)->common, __VA_ARGS__)
#define model_input_type(x, ...) model_input_type(&(x)->common, __VA_ARGS__)
#define model_input_unknown(x, ...) model_input_unknown(&(x)->common, __VA_ARGS__)
#define model_input_options_used(x) model_input_options_used(&(x)->common)
#define model_input(x, ...) model_input(&(x)->common, __VA_ARGS__)
#define model_note_node(x, ...) model_note_node(&(x)->common, __VA_ARGS__)
#define model_note_output(x, ...) model_note_output(&(x)->common, __VA_ARGS__)
#define node_error(x, ...) node_error(&(x)->common, __VA_ARGS__)
#define node_malformed(x, ...) node_malformed(&(x)->common, __VA_ARGS__)
#define node_misfit(x, ...) node_misfit(&(x)->common, __VA_ARGS__)
#define node_remark(x, ...) node_remark(&(x)->common, __VA_ARGS__)
#define node_axis(x, ...) node_axis(&(x)->common, __VA_ARGS__)
#define node_check_reals(x, ...) node_check_reals(&(x)->common, __VA_ARGS__)
#define node_emit(x, ...) node_emit(&(x)->common, __VA_ARGS__)
#define node_emit1(x, ...) node_emit1(&(x)->common, __VA_ARGS__)
#define node_emit2(x, ...) node_emit2(&(x)->common, __VA_ARGS__)
#define node_check(x, ...) node_check(&(x)->common, __VA_ARGS__)
#define node_quant_fits(x, ...) node_quant_fits(&(x)->common, __VA_ARGS__)
#define node_typed(x, ...) node_typed(&(x)->common, __VA_ARGS__)
#define node_done(x, ...) node_done(&(x)->common, __VA_ARGS__)
#define node_done_quant(x, ...) node_done_quant(&(x)->common, __VA_ARGS__)
#define node_unary(x, ...) node_unary(&(x)->common, __VA_ARGS__)
#define node_binary(x, ...) node_binary(&(x)->common, __VA_ARGS__)
#define node_binary_act(x, ...) node_binary_act(&(x)->common, __VA_ARGS__)
#define node_reshaped(x, ...) node_reshaped(&(x)->common, __VA_ARGS__)
#define node_transposed(x, ...) node_transposed(&(x)->common, __VA_ARGS__)
#define node_ints(x, ...) node_ints(&(x)->common, __VA_ARGS__)
#define node_reals(x, ...) node_reals(&(x)->common, __VA_ARGS__)
#define node_batch_norm(x, ...) node_batch_norm(&(x)->common, __VA_ARGS__)
#define node_real(x, ...) node_real(&(x)->common, __VA_ARGS__)
#define node_known(x, ...) node_known(&(x)->common, __VA_ARGS__)
#define node_selected(x, ...) node_selected(&(x)->common, __VA_ARGS__)
#define node_constant(x, ...) node_constant(&(x)->common, __VA_ARGS__)
#define node_copy_ints(x, ...) node_copy_ints(&(x)->common, __VA_ARGS__)
#define node_padded(x, ...) node_padded(&(x)->common, __VA_ARGS__)
#define node_vector_product(x, ...) node_vector_product(&(x)->common, __VA_ARGS__)
#define node_to_layout(x, ...) node_to_layout(&(x)->common, __VA_ARGS__)
#endif

#endif
