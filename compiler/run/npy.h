/* npy.h: arrays in NumPy's .npy files (format versions 1 to 3, little-endian, C order). */
#ifndef QCC_NPY_H
#define QCC_NPY_H

#include "compiler/output/output.h"
#include "ir/ir.h"

typedef struct npy_array {
    ir_type type;
    uint8_t *bytes; /* ir_type_bytes; free() */
} npy_array;

bool npy_read(const char *path, npy_array *out, diag *);

/* An array that stays in its file, however large: its elements are read where they are wanted, by any number of
 * threads. */
typedef struct npy_file {
    char *path;     /* owned */
    ir_type type;   /* the first dimension may be beyond what an ir_type can have */
    int descriptor; /* -1: not open */
    int64_t start;  /* of element 0, in bytes */
} npy_file;

bool npy_open(const char *path, npy_file *out, diag *);
/* The same of a file without a header: rows of that type, and behind them all `more` bytes for each. */
bool npy_open_raw(const char *path, const ir_type *row, size_t more, npy_file *out, diag *);
void npy_close(npy_file *);
bool npy_read_elements(const npy_file *, int64_t first, int64_t count, void *to, diag *);

/* Adds the contents of an output. */
bool npy_write(output_set *, int file, const ir_type *, const void *bytes, diag *);

/* Element as a double, whatever the type. */
double npy_element(const ir_type *, const void *bytes, int64_t index);

#endif
