/* frontend.h: untrusted bytes to IR.  The format is recognised from content. */
#ifndef QCC_FRONTEND_H
#define QCC_FRONTEND_H

#include "ir/ir.h"

/* The bytes of a file that the model names, by a path from the model's folder, which stay as long as the model's own;
 * NULL after a diagnostic. */
typedef const uint8_t *frontend_open_fn(void *context, const char *name, const ir_loc *, size_t *out_size, diag *);

typedef struct frontend_options {
    int64_t batch;                   /* 0: as the file says */
    const char *const *input_shapes; /* "NAME:1x224x224x3" */
    int input_shape_count;
    frontend_open_fn *open; /* NULL: models must hold all that they name */
    void *open_context;
    const char *params; /* of a Paddle program: the file that has them all, "": a file for each; NULL: look for it */
    size_t max_bytes;   /* limit on the object, the workspace and the memory for it; 0: follows from the file */
} frontend_options;

/* NULL and a diagnostic on unsupported or malformed input.  The graph's constants may alias `bytes`, which must stay
 * until the graph is freed.  `file` is the name that diagnostics show. */
ir_graph *frontend_import(const uint8_t *bytes, size_t size, const char *file, const frontend_options *, diag *);

/* Whether a file that begins with these bytes can be a model, so that the rest is read only then; false with a
 * diagnostic.  FRONTEND_HEAD_BYTES of them, or the whole file, say it. */
enum { FRONTEND_HEAD_BYTES = 4096 };
bool frontend_recognise(const uint8_t *head, size_t size, const char *file, diag *);

/* One importer a format. */
ir_graph *frontend_import_tflite(const uint8_t *bytes, size_t size, const char *file, const frontend_options *, diag *);
ir_graph *frontend_import_ort(const uint8_t *bytes, size_t size, const char *file, const frontend_options *, diag *);
ir_graph *frontend_import_onnx(const uint8_t *bytes, size_t size, const char *file, const frontend_options *, diag *);
ir_graph *frontend_import_paddle_program(const uint8_t *bytes, size_t size, const char *file, const frontend_options *,
                                         diag *);
ir_graph *frontend_import_paddle(const uint8_t *bytes, size_t size, const char *file, const frontend_options *, diag *);

#endif
