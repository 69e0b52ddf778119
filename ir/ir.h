/* ir.h: the graph that everything in the compiler speaks of.
 *
 * A graph is one ordered list of ops in SSA form: no blocks, no phis.  A value is an input, a constant, or a result of
 * exactly one op; it has a type, optional quantization, and a list of its uses, whose nodes are the operand slots
 * themselves.  Everything lives in the graph's arena and dies with it.
 *
 *     %3:u8<1x112x112x32; 0.0235, 0> = conv2d %x, %w, %b {stride = [2, 2], pad = [0, 0, 1, 1], act = relu6}
 *
 * Mutation goes through ir_op_new, ir_set_operand, ir_replace_uses, ir_op_move_before and ir_op_erase, so that use
 * lists can't go stale.  Facts about ops (operands, attributes, flags) have one home: ops.def and attrs.def. */
#ifndef QCC_IR_H
#define QCC_IR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ir/arena.h"
#include "ir/diag.h"

enum { IR_MAX_RANK = 8 };

/* ---- Element types (dtypes.def) and enumerations (enums.def) ---- */

typedef enum ir_dtype {
    IR_DTYPE_NONE = 0,
#define DTYPE(NAME, text, bytes, ctype) IR_##NAME,
#include "ir/dtypes.def"
#undef DTYPE
    IR_DTYPE_COUNT
} ir_dtype;

#define ENUM_BEGIN(NAME)                                                                                               \
    typedef enum ir_enum_##NAME                                                                                        \
    {
#define ENUMERATOR(NAME, CODE, text, doc) IR_##NAME##_##CODE,
#define ENUM_END(NAME)                                                                                                 \
    IR_##NAME##_COUNT                                                                                                  \
    }                                                                                                                  \
    ir_enum_##NAME;
#include "ir/enums.def"
#undef ENUM_BEGIN
#undef ENUMERATOR
#undef ENUM_END

size_t ir_dtype_bytes(ir_dtype);
const char *ir_dtype_text(ir_dtype);
ir_dtype ir_dtype_from_text(const char *text, size_t length); /* IR_DTYPE_NONE if there is none */
static inline bool ir_dtype_is_float(ir_dtype t) { return t == IR_F32 || t == IR_F16 || t == IR_F64; }

/* ---- Types and quantization ---- */

typedef struct ir_type {
    ir_dtype dtype;
    int rank;
    int64_t dims[IR_MAX_RANK]; /* each at least 0 (TFLite has empty tensors); product of dims * bytes <= IR_MAX_BYTES */
} ir_type;

#define IR_MAX_BYTES ((int64_t)1 << 31) /* the largest tensor: 2 GiB */

int64_t ir_type_elements(const ir_type *);
size_t ir_type_bytes(const ir_type *);
bool ir_type_equal(const ir_type *, const ir_type *);
bool ir_type_valid(const ir_type *); /* ranks, dims and the product within limits, computed without overflow */
ir_type ir_type_make(ir_dtype, int rank, const int64_t dims[]);
enum { IR_TYPE_TEXT_BYTES = 192 };
/* "f32<1x224x224x3>", for diagnostics; returns text. */
const char *ir_type_text(const ir_type *, char text[IR_TYPE_TEXT_BYTES]);

/* So many of the smallest and of the largest integers of its type, 8 bits, a value does not have: what would be one of them
 * becomes the next one that it has.  That is how fewer bits lie in a byte; {1, 0} is a narrow range.  It has two at least. */
typedef struct ir_unused {
    uint8_t below, above;
} ir_unused;

static inline bool ir_unused_equal(ir_unused a, ir_unused b) { return a.below == b.below && a.above == b.above; }
static inline bool ir_unused_any(ir_unused u) { return u.below || u.above; }
static inline bool ir_unused_leaves_two(ir_unused u) { return u.below + u.above < UINT8_MAX; }
/* One number for both. */
static inline int ir_unused_key(ir_unused u) { return u.below | u.above << 8; }

/* real = scale[c] * (q - zero[c]); c is the index along axis, or 0 when axis is -1 (per tensor, count 1). */
typedef struct ir_quant {
    int axis;
    int32_t count;
    const float *scale;
    const int32_t *zero;
    ir_unused unused;
} ir_quant;

bool ir_quant_equal(const ir_quant *, const ir_quant *); /* NULL equals only NULL */
bool ir_quant_scales_differ(const ir_quant *);

/* What samples have shown of a value, and the range that its integers stand for, for the report. */
enum { IR_OBSERVED_BINS = 64 };
typedef struct ir_observed {
    const char *algorithm; /* that chose the range */
    double range_low, range_high;
    double low, high; /* the smallest and the largest number, or 0: 64 bins of equal width lie between them */
    uint64_t counts[IR_OBSERVED_BINS];
    uint64_t elements, clipped; /* numbers, and how many of them lie outside of the range */
} ir_observed;

/* Where the scales of a value came from. */
typedef struct ir_origin {
    ir_enum_SCALE source;
    const char *note;            /* which op, which value, for the report; NULL: nothing to add */
    const ir_observed *observed; /* of a calibrated value; not part of the text form; NULL: unknown */
} ir_origin;

/* ---- Where a value lives at run time; set by the memory plan, read by the backend ---- */

typedef enum ir_space {
    IR_SPACE_NONE,      /* not planned */
    IR_SPACE_WORKSPACE, /* offset into the workspace */
    IR_SPACE_INPUT,     /* graph input `index`; read only */
    IR_SPACE_OUTPUT,    /* graph output `index` */
    IR_SPACE_CONST      /* the value's own constant data */
} ir_space;

typedef struct ir_place {
    ir_space space;
    uint32_t index;
    int64_t offset;              /* bytes from the start of that space's buffer to element 0 */
    int64_t stride[IR_MAX_RANK]; /* elements between neighbours of each dimension; dense row-major unless a view */
} ir_place;

bool ir_place_is_dense(const ir_place *, const ir_type *);

/* ---- Attributes ---- */

typedef enum ir_attr_id {
#define ATTR(NAME, text, kind, def, doc) IR_ATTR_##NAME,
#include "ir/attrs.def"
#undef ATTR
    IR_ATTR_COUNT
} ir_attr_id;

typedef enum ir_attr_kind {
    IR_KIND_INT,
    IR_KIND_FLOAT,
    IR_KIND_INTS,
    IR_KIND_FLOATS,
    IR_KIND_STR,
#define ENUM_BEGIN(NAME) IR_KIND_ENUM_##NAME,
#define ENUMERATOR(NAME, CODE, text, doc)
#define ENUM_END(NAME)
#include "ir/enums.def"
#undef ENUM_BEGIN
#undef ENUMERATOR
#undef ENUM_END
} ir_attr_kind;

typedef struct ir_attr { /* which member is valid follows from the attribute's kind */
    union {
        int64_t i; /* INT and enumerations */
        float f;
        const char *s;
        struct {
            const int64_t *v;
            int32_t n;
        } ints;
        struct {
            const float *v;
            int32_t n;
        } floats;
    };
} ir_attr;

/* ---- Ops ---- */

typedef enum ir_opcode {
#define OP(CODE, text, operands, results, flags, attributes, doc) IR_##CODE,
#include "ir/ops.def"
#undef OP
    IR_OPCODE_COUNT
} ir_opcode;

enum {
    IR_PURE = 1,
    IR_ELEMENTWISE = 2,
    IR_SAME_QUANT = 4,
    IR_MAC = 8,
    IR_LOOKUP = 16,
    IR_STATE = 32,
    IR_UNSCALED = 64,
    IR_IMAGES = 128,
    IR_ROWS = 256
};
enum { IR_MAX_OPERANDS_NAMED = 6, IR_MAX_ATTRS = 16 };

typedef struct ir_op_info {
    const char *text;     /* "conv2d" */
    const char *operands; /* as in ops.def */
    const char *doc;
    int min_operands, max_operands; /* max INT_MAX for "x*" */
    int results;
    unsigned flags;
    int attr_count;
    ir_attr_id attrs[IR_MAX_ATTRS];
} ir_op_info;

typedef struct ir_attr_info {
    const char *text;
    ir_attr_kind kind;
    const char *def; /* text form of the default, "" = required */
    const char *doc;
} ir_attr_info;

const ir_op_info *ir_op_info_of(ir_opcode);
const ir_attr_info *ir_attr_info_of(ir_attr_id);
bool ir_opcode_from_text(const char *text, size_t length, ir_opcode *out);
const char *ir_enum_text(ir_attr_kind, int64_t value); /* NULL if out of range */
bool ir_enum_from_text(ir_attr_kind, const char *text, size_t length, int64_t *out_value);

/* Where an op or value comes from; printed in diagnostics: "m.tflite: subgraph 0, node 17 (CONV_2D)". */
typedef struct ir_loc {
    const char *file; /* NULL: unknown */
    int32_t subgraph; /* -1: none */
    int32_t node;     /* node in the file; -1: none; for textual IR: the line */
    const char *kind; /* the format's own name of the op, e.g. "CONV_2D"; NULL: none */
} ir_loc;

typedef struct ir_value ir_value;
typedef struct ir_op ir_op;
typedef struct ir_graph ir_graph;

typedef struct ir_operand { /* a slot of an op, and at the same time a node of its value's use list */
    ir_value *value;        /* NULL: an absent optional operand */
    ir_op *user;
    struct ir_operand *next_use, **prev_use;
} ir_operand;

struct ir_value {
    ir_type type;
    const ir_quant *quant; /* NULL: real-valued or plain integers */
    ir_op *def;            /* NULL: a graph input or a constant */
    int32_t result;        /* which result of def; which graph input */
    ir_operand *uses;
    int32_t use_count;                  /* of the list */
    int32_t output_count, first_output; /* how often it is a graph output, and as which first */
    const void *data; /* constants: little-endian, dense, ir_type_bytes long; may alias the input file, so it may be
                              unaligned: read it with memcpy or ir_const_* */
    const char *name; /* from the file, or NULL: for texts, options that name layers, pairing values in the report */
    uint32_t id;      /* unique in the graph, stable */
    bool is_input;
    const ir_quant *as; /* real values of a fake-quantized graph: the integers that stand for them; NULL: none */
    ir_dtype as_dtype;  /* the element type of those integers */
    ir_enum_ROUNDING as_rounding; /* of a quantize to them */
    ir_origin scale_from;         /* where the scale of `as`, or else of `quant`, came from */
    ir_place place;
};

/* How code generation does an op. */
typedef struct ir_kernel {
    const char *name;       /* where targets differ one for each, best target first: "a, b"; NULL: not chosen */
    ir_enum_LAYOUT layout;  /* what it can work on */
    int64_t scratch_bytes;  /* of temporary memory, of all targets the most */
    int64_t scratch_offset; /* into the workspace; set by the memory plan, the rest by choose_kernels */
} ir_kernel;

enum { IR_SLOT_RESULT = -1 };
/* Can a kernel of this layout take operand `slot` of the op, or make results (IR_SLOT_RESULT), with these strides? */
bool ir_layout_takes(ir_enum_LAYOUT, const ir_op *, int slot, const ir_type *, const int64_t stride[]);

/* A batch norm that an op's constants have in them.  With z what the op gives without what it adds in the end, a channel
 * (of the last dimension) of its result is gamma (z - mean(z)) / sqrt(variance(z) + epsilon) + beta, as the file says.  Not
 * part of the text form. */
typedef struct ir_norm {
    int64_t channels;
    const float *gamma, *beta, *epsilon; /* gamma >= 0: signs are z's */
} ir_norm;

struct ir_op {
    ir_opcode code;
    int operand_count;
    ir_operand *operands;
    ir_value **results; /* ir_op_info_of(code)->results of them */
    ir_attr *attrs;     /* parallel to ir_op_info_of(code)->attrs; always all present, defaults filled in */
    ir_loc loc;
    uint32_t id;
    const char *name;      /* layer name for symbols and profiles; NULL: derived from the first result's name */
    bool keep_float;       /* the options want it computed in float */
    const char *why_float; /* why it is computed in float, for the report; NULL: nobody has decided that */
    ir_kernel kernel;
    const ir_norm *norm; /* NULL: none, or nobody knows any more */
    const ir_op
        *repeats; /* the op that does the same for the first part of the batch; NULL: this is not of another part */
    ir_op *prev, *next;
    ir_graph *graph;
};

/* A state variable: what READ_VARIABLE and WRITE_VARIABLE name.  The memory plan lists every variable that ops use;
 * frontends list those that start with something else than the real value 0. */
typedef struct ir_variable {
    const char *name;
    ir_type type;
    const ir_quant *quant;
    const void *initial; /* ir_type_bytes long; NULL: the real value 0, that is the zero point in quantized variables */
    int64_t offset;      /* into the workspace, within the state; set by the memory plan */
} ir_variable;

typedef struct ir_limits { /* size_limits.h */
    size_t bytes;          /* of the object, and of the memory that constants and tables take while it is made */
    size_t workspace;      /* of the model's workspace */
    size_t remark;         /* a workspace beyond this is worth a warning */
} ir_limits;

struct ir_graph {
    arena *arena;
    ir_limits limits;
    const char *name;
    ir_op *first, *last;
    ir_value **inputs;
    int32_t input_count;
    ir_value **outputs;
    int32_t output_count;
    const char **input_names, **output_names; /* parallel, never NULL */
    uint32_t next_id;
    ir_variable *variables;
    int32_t variable_count;                  /* grown by ir_variable_add alone */
    int32_t *variable_index, variable_slots; /* by name */
    size_t workspace_bytes;                  /* set by the memory plan */
    size_t state_offset, state_bytes; /* the part of the workspace that holds the variables; set by the memory plan */
};

ir_graph *ir_graph_new(void);
ir_graph *ir_graph_new_within(ir_limits);
void ir_graph_free(ir_graph *);
/* The same graph once more: ops and values of the same ids.  It shares what nobody changes (the bytes of constants,
 * names, scales) with the original, which has to live longer. */
ir_graph *ir_graph_copy(const ir_graph *);
/* The same, but it shares nothing: the original, and the file that its constants are in, may go.  It holds what the graph
 * needs now, while an original's memory holds what each pass before has made of constants. */
ir_graph *ir_graph_copy_whole(const ir_graph *);
/* The file that the graph comes from, for a diagnostic about the whole. */
ir_loc ir_graph_loc(const ir_graph *);

/* ---- Building ---- */

ir_value *ir_input_new(ir_graph *, ir_type, const ir_quant *, const char *name);
void ir_output_add(ir_graph *, ir_value *, const char *name);
void ir_output_set(ir_graph *, int32_t index, ir_value *);
/* A constant that aliases `data`, which must outlive the graph (the input file, or the graph's arena). */
ir_value *ir_const_new(ir_graph *, ir_type, const ir_quant *, const void *data);
ir_quant *ir_quant_new(ir_graph *, int axis, int32_t count, const float scale[], const int32_t zero[]); /* copies */
ir_quant *ir_quant_tensor(ir_graph *, float scale, int32_t zero);

/* Appends before `before` (NULL: at the end).  Operands may be NULL where optional.  Attributes get their defaults
 * (required ones 0 / empty until set).  Results get their types and quantization by ir_result_set. */
ir_op *ir_op_new(ir_graph *, ir_opcode, ir_op *before, int operand_count, ir_value *const operands[]);
/* An op of other operands that does what `like` does, for the same reasons: its attributes, name, place in the file and
 * choice between integers and floats, but not its kernel.  `like` may be of another graph; results have no type yet. */
ir_op *ir_op_copy(ir_graph *, const ir_op *like, ir_op *before, ir_value *const operands[]);
void ir_attrs_copy(ir_op *to, const ir_op *from); /* of the same code */
void ir_result_set(ir_op *, int result, ir_type, const ir_quant *);
void ir_set_operand(ir_op *, int index, ir_value *); /* index may be one past the end: appends (for r?) */
void ir_replace_uses(ir_value *from, ir_value *to);  /* all uses, and graph outputs */
void ir_op_move_before(ir_op *, ir_op *before);      /* NULL: to the end */
void ir_op_erase(ir_op *);                           /* results must be unused */

static inline ir_value *ir_operand_value(const ir_op *op, int i)
{
    return i < op->operand_count ? op->operands[i].value : NULL;
}
static inline bool ir_value_is_output(const ir_value *v) { return v->output_count > 0; }
/* Operand slots; graph outputs count as one more each. */
static inline int ir_use_count(const ir_value *v) { return v->use_count + v->output_count; }
static inline bool ir_is_const(const ir_value *v) { return v->data != NULL; }
static inline bool ir_is_quantized(const ir_value *v) { return v->quant != NULL; }

/* ---- State variables, by name ---- */

ir_variable *ir_variable_find(const ir_graph *, const char *name); /* NULL: not listed */
void ir_variable_add(ir_graph *, ir_variable);                     /* moves those that are there */

/* ---- Attributes: the op must have them (assert) ---- */

bool ir_has_attr(const ir_op *, ir_attr_id);
int64_t ir_int(const ir_op *, ir_attr_id); /* INT and enumerations */
float ir_float(const ir_op *, ir_attr_id);
const char *ir_str(const ir_op *, ir_attr_id);
int32_t ir_ints(const ir_op *, ir_attr_id, const int64_t **out); /* returns the count */
int64_t ir_ints_at(const ir_op *, ir_attr_id, int index);
int32_t ir_floats(const ir_op *, ir_attr_id, const float **out);
void ir_set_int(ir_op *, ir_attr_id, int64_t);
void ir_set_float(ir_op *, ir_attr_id, float);
void ir_set_str(ir_op *, ir_attr_id, const char *);                           /* copies */
void ir_set_ints(ir_op *, ir_attr_id, int32_t count, const int64_t values[]); /* copies */
void ir_set_floats(ir_op *, ir_attr_id, int32_t count, const float values[]); /* copies */

/* ---- Constants ---- */

int64_t ir_const_int(const ir_value *, int64_t index); /* element as an integer; integer types */
double ir_const_real(const ir_value *, int64_t index); /* element as a real number: dequantized when quantized */
/* Elements first … first + count - 1, as ir_const_real has them. */
void ir_const_reals(const ir_value *, int64_t first, int64_t count, double to[]);
/* The first element that is not a number, -1 without one; files have none in their constants. */
int64_t ir_first_nan(const ir_type *, const void *data);

/* ---- Text, verification (print.c, parse.c, verify.c) ---- */

/* Appends the text form; the caller frees *out_text with free().  False: out of memory. */
bool ir_print(const ir_graph *, char **out_text, size_t *out_length);
void ir_print_op(const ir_op *, char *buffer, size_t size); /* one line, cut to fit; for diagnostics */
ir_graph *ir_parse(const char *text, size_t length, const char *file, diag *); /* NULL and a diagnostic on error */
ir_graph *ir_parse_within(const char *text, size_t length, const char *file, ir_limits, diag *);
bool ir_verify(const ir_graph *, diag *);      /* false and a diagnostic on the first defect */
bool ir_zero_in_range(ir_dtype, int32_t zero); /* can a value of that type have that zero point? */

/* ---- Hashing (hash.c): equal ops and constants ---- */

uint64_t ir_hash_bytes(const void *, size_t, uint64_t seed);
uint64_t ir_op_hash(const ir_op *); /* code, operands, attributes, result types and quantization */
bool ir_op_same(const ir_op *, const ir_op *);

#endif
