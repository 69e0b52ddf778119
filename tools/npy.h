/* npy.h: arrays in NumPy's .npy files (format versions 1 to 3, little-endian, C order). */
#ifndef QCC_NPY_H
#define QCC_NPY_H

#include "compiler/output.h"
#include "ir/ir.h"

typedef struct npy_array {
    ir_type type;
    uint8_t *bytes; /* ir_type_bytes; free() */
} npy_array;

bool npy_read(const char *path, npy_array *out, diag *);
/* Adds the contents of an output. */
bool npy_write(output_set *, int file, const ir_type *, const void *bytes, diag *);

/* Element as a double, whatever the type. */
double npy_element(const ir_type *, const void *bytes, int64_t index);

#endif
