/* write.h: what the files of the TFLite exporter share.
 *
 *     tflite.c       ops in order -> operators and tensors; the model's inputs and outputs
 *     tensor.c       values -> tensors
 *     node.c         what every writer of an op needs: operators, their options, conversions between reals and integers
 *     ops_*.c        one function for each kind of op; ops.def says which op goes to which
 *     ops_state.c    variables, and the subgraph that gives them their first values
 *     serialize.c    operators and tensors -> the bytes of a file
 *
 * A writer of an op gets an export_node and emits operators whose last one makes the tensors of the op's results.  It returns false
 * after one diagnostic. */
#ifndef QCC_EXPORT_TFLITE_WRITE_H
#define QCC_EXPORT_TFLITE_WRITE_H

#include "frontends/tflite/schema.h"
#include "ir/ir.h"

/* Operators by their numbers, and the options that theirs are. */
enum {
#define TFLITE_OP(NAME, number, newest, options, min, max, outputs, importer, code) BUILTIN_##NAME = (number),
#define TFLITE_NO(NAME, number, reason)
#define TFLITE_CUSTOM(text, min, max, outputs, importer)
#include "frontends/tflite/ops.def"
#undef TFLITE_OP
#undef TFLITE_NO
#undef TFLITE_CUSTOM
    BUILTINS = 256
};

enum { EXPORT_MOST_FIELDS = 12, EXPORT_ABSENT = -1 };

typedef struct export_tensor {
    ir_type type;
    const ir_quant *quant; /* NULL: real, or plain integers */
    const void *data;      /* NULL: computed while the model runs */
    const char *name;
    bool is_handle;   /* of a variable; its type is of no account */
    bool is_variable; /* a state that a kernel changes, which is kept from run to run */
} export_tensor;

typedef struct export_field {
    unsigned index, bytes; /* bytes 0: a list of integers, or a text */
    uint64_t value, otherwise;
    const char *text;
    const int32_t *list;
    int32_t count;
} export_field;

typedef struct export_operator {
    int builtin, version;
    int32_t *inputs, *outputs; /* tensors */
    int input_count, output_count;
    const int32_t *intermediates; /* tensors that the kernel knows the quantization of values of its own by */
    int intermediate_count;
    export_field fields[EXPORT_MOST_FIELDS];
    int field_count;
    struct export_operator *next;
} export_operator;

/* One subgraph of the file. */
typedef struct export_model {
    const ir_graph *graph;
    arena *memory;
    diag *diag;
    int32_t *tensor_of; /* by id of a value; EXPORT_ABSENT: it has none yet */
    export_tensor *tensors;
    int32_t tensor_count, tensor_room;
    export_operator *first, *last;
    uint32_t operator_count;
    struct export_model *initial; /* what runs once, in front of the first run; NULL: nothing does */
} export_model;

typedef struct export_entry export_entry;

typedef struct export_node {
    export_model *model;
    const ir_op *op;
    const export_entry *entry;
} export_node;

typedef bool export_write_fn(export_node *);

struct export_entry {
    export_write_fn *write; /* NULL: TFLite has no such operator */
    int builtin;
    const char *types; /* as ops.def says; without a writer the reason */
};

/* ---- tensor.c ---- */
int32_t export_tensor_new(export_model *, ir_type, const ir_quant *, const void *data, const char *name);
int32_t export_value(export_model *, const ir_value *); /* NULL: EXPORT_ABSENT */
/* What an op gives to the next one that it is written as. */
int32_t export_between(export_node *, ir_type, const ir_quant *);
/* Constants. */
int32_t export_ints(export_node *, int rank, const int64_t dims[], const int64_t values[]); /* of type i32 */
int32_t export_list(export_node *, int count, const int64_t values[]);
int32_t export_int(export_node *, int64_t value); /* of rank 0 */
int32_t export_float(export_node *, float value); /* of rank 0 */
int32_t export_const(export_node *, ir_type, const ir_quant *, const void *data, const ir_value *like);

/* ---- node.c ---- */
bool export_refuse(export_node *, const char *format, ...) __attribute__((format(printf, 2, 3)));
export_operator *export_emit(export_node *, int builtin, int input_count, const int32_t inputs[], int32_t output);
export_operator *export_emit_all(export_node *, int builtin, int input_count, const int32_t inputs[], int output_count,
                                 const int32_t outputs[]);
/* Options; those with their default are left out of the file. */
void export_set_byte(export_operator *, unsigned field, int value); /* 0 is the default */
void export_set_flag(export_operator *, unsigned field, int value, int otherwise);
void export_set_int(export_operator *, unsigned field, int64_t value, int64_t otherwise);
void export_set_float(export_operator *, unsigned field, float value);
void export_set_text(export_operator *, unsigned field, const char *);
void export_set_list(export_node *, export_operator *, unsigned field, int count, const int64_t values[]);
int32_t export_operand(export_node *, int index);
int32_t export_result(export_node *, int index);
/* The operator's result, clamped: by the option `field`, or by an operator behind. */
bool export_activated(export_node *, export_operator *, unsigned field);
/* The operand as real numbers; the place for a real result, which export_real_done brings to the result's integers. */
int32_t export_real_operand(export_node *, int index);
int32_t export_real_result(export_node *);
bool export_real_done(export_node *, int32_t tensor);
bool export_is_real(const ir_value *);
/* The operator on all operands of the op; where reals and integers meet, on reals.  Plain: that of the op's row. */
export_operator *export_emit_as(export_node *, int builtin);
export_operator *export_emit_plain(export_node *);
int export_activation_builtin(ir_enum_ACT); /* the operator that clamps so; -1: none */

/* ---- ops_product.c ---- */
/* SAME or VALID, if either pads an image of type x as the op does; -1: neither. */
int export_padding(const ir_op *, const ir_type *x, const int64_t window[2], const int64_t dilation[2]);

/* ---- ops_recurrent.c ---- */
bool export_is_part_of_layer(const ir_op *product); /* whose operator computes it */

bool export_is_kept_state(const ir_op *variable); /* a layer reads and writes it, by a tensor of its own */

/* ---- ops_state.c ---- */
void export_initial_values(export_model *);

/* ---- ops_math.c ---- */
bool export_grid_fits(const export_node *); /* the result has the scale that TFLite's kernel insists on */
bool export_is_byte_function(const export_node *);

/* ---- serialize.c ---- */
int export_type_number(ir_dtype); /* as the schema counts element types */
bool export_serialize(const export_model *, uint8_t **out_bytes, size_t *out_size);

/* ---- Writers (ops.def) ---- */
#define EXPORT(CODE, BUILTIN, types, writer) export_write_fn writer;
#define EXPORT_NO(CODE, reason)
#define EXPORT_VERSIONS(BUILTIN, real, bytes, words)
#include "exporters/tflite/ops.def"
#undef EXPORT
#undef EXPORT_NO
#undef EXPORT_VERSIONS

#endif
