/* frontend.h: untrusted bytes to IR.  The format is recognised from content. */
#ifndef QCC_FRONTEND_H
#define QCC_FRONTEND_H

#include "ir/ir.h"

typedef struct frontend_options {
    int64_t batch;                       /* 0: as the file says */
    const char *const *input_shapes;     /* "NAME:1x224x224x3" */
    int input_shape_count;
} frontend_options;

/* NULL and a diagnostic on unsupported or malformed input.  The graph's constants may alias `bytes`, which must stay
 * until the graph is freed.  `file` is the name that diagnostics show. */
ir_graph *frontend_import(const uint8_t *bytes, size_t size, const char *file, const frontend_options *, diag *);

/* One importer a format. */
ir_graph *frontend_import_tflite(const uint8_t *bytes, size_t size, const char *file, const frontend_options *, diag *);
ir_graph *frontend_import_ort(const uint8_t *bytes, size_t size, const char *file, const frontend_options *, diag *);
ir_graph *frontend_import_paddle(const uint8_t *bytes, size_t size, const char *file, const frontend_options *, diag *);

#endif
