/* frontend.h: untrusted bytes to IR.  The format is recognised from content. */
#ifndef QCC_FRONTEND_H
#define QCC_FRONTEND_H

#include "ir/ir.h"

/* The bytes of a file that the model names, by a path from the model's folder, which stay as long as the model's own;
 * NULL after a diagnostic. */
typedef const uint8_t *frontend_open_fn(void *context, const char *name, const ir_loc *, size_t *out_size, diag *);

/* An operator as the format calls it. */
typedef struct frontend_operator {
    struct frontend_operator *next;
    const char *name;
    int count, refused; /* places; where the model is refused for it */
    const char *why;    /* the first of those */
    const char *remark; /* what is to be known of the first place that has one; NULL: nothing */
} frontend_operator;

/* An input, or an output. */
typedef struct frontend_described {
    struct frontend_described *next;
    const char *name;
    bool is_input, quantized;
    ir_type type; /* -1: open; no element type: not known */
    float scale;  /* of the first channel */
    int32_t zero;
    ir_type in_file;              /* of an input */
    const char *const *dim_names; /* of open dimensions; NULL: they have none */
} frontend_described;

/* What an importer can tell of a model, also of one that it refuses. */
typedef struct frontend_description {
    arena *memory;      /* which holds it */
    const char *format; /* NULL: none was recognised */
    frontend_described *values;
    frontend_operator *operators;
    int operator_count;
} frontend_description;

typedef struct frontend_options {
    int64_t batch;                   /* 0: as the file says */
    const char *const *input_shapes; /* "NAME:1x224x224x3" */
    int input_shape_count;
    const char *const *input_values; /* "NAME:1,2,3": what the input always is */
    int input_value_count;
    frontend_open_fn *open; /* NULL: models must hold all that they name */
    void *open_context;
    const char *params; /* of a Paddle program: the file that has them all, "": a file for each; NULL: look for it */
    frontend_description *description; /* to be filled; NULL: nobody asks */
    size_t max_bytes; /* limit on the object, the workspace and the memory for it; 0: follows from the file */
} frontend_options;

/* NULL and a diagnostic on unsupported or malformed input.  The graph's constants may alias `bytes`, which must stay
 * until the graph is freed.  `file` is the name that diagnostics show. */
ir_graph *frontend_import(const uint8_t *bytes, size_t size, const char *file, const frontend_options *, diag *);

/* A graph that says itself what it is, for one sample if it is one for `batch` now; 0: as it is. */
void frontend_describe_graph(const ir_graph *, int64_t batch, frontend_description *);

/* Whether a file that begins with these bytes can be a model, so that the rest is read only then; false with a
 * diagnostic.  FRONTEND_HEAD_BYTES of them, or the whole file, say it. */
enum { FRONTEND_HEAD_BYTES = 4096 };
bool frontend_recognise(const uint8_t *head, size_t size, const char *file, diag *);

/* How far an operator of a format is supported, as the format's table has it. */
typedef struct frontend_support {
    const char *format; /* "tflite", "onnx", "paddle" */
    const char *domain; /* of ONNX's operators that are not its own; else "" */
    const char *name;
    bool supported;
    const char *reason;  /* why not; NULL: there is no more to say */
    const char *counted; /* what oldest and newest are: "version", "operator set"; NULL: there are none */
    int oldest, newest;
    const char *attributes; /* in the words of node_attributes.h; NULL: none */
} frontend_support;
/* Number `index` of those of all formats, in the order of the tables; false behind the last. */
bool frontend_support_at(int index, frontend_support *out);
/* The same for each format. */
bool frontend_tflite_support(int index, frontend_support *out);
bool frontend_onnx_support(int index, frontend_support *out);
bool frontend_paddle_support(int index, frontend_support *out);

/* One importer a format. */
ir_graph *frontend_import_tflite(const uint8_t *bytes, size_t size, const char *file, const frontend_options *, diag *);
ir_graph *frontend_import_ort(const uint8_t *bytes, size_t size, const char *file, const frontend_options *, diag *);
ir_graph *frontend_import_onnx(const uint8_t *bytes, size_t size, const char *file, const frontend_options *, diag *);
/* A program of PaddlePaddle 3. */
ir_graph *frontend_import_paddle_json(const uint8_t *bytes, size_t size, const char *file, const frontend_options *,
                                      diag *);
ir_graph *frontend_import_paddle_program(const uint8_t *bytes, size_t size, const char *file, const frontend_options *,
                                         diag *);
ir_graph *frontend_import_paddle(const uint8_t *bytes, size_t size, const char *file, const frontend_options *, diag *);

#endif
