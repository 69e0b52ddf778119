/* shape.h: what kernels need to know of a value: extents and strides as the memory plan left them; and keys, which
 * name everything that a kernel's code depends on. */
#ifndef QCC_CG_SHAPE_H
#define QCC_CG_SHAPE_H

#include "compiler/codegen/codegen.h"

typedef struct cg_shape {
    ir_dtype dtype;
    int64_t bytes; /* of an element */
    int rank;
    int64_t dims[IR_MAX_RANK];
    int64_t stride[IR_MAX_RANK]; /* elements */
    int64_t elements;
} cg_shape;

cg_shape cg_shape_of(const ir_value *);

/* A dense value seen as outer x axis x inner around a dimension, each with one stride. */
typedef struct cg_split {
    int64_t outer, axis, inner;
    int64_t outer_stride, axis_stride, inner_stride; /* elements */
} cg_split;
cg_split cg_split_of(const cg_shape *, int axis);
bool cg_shape_dense(const cg_shape *);

/* ---- Keys ---- */

typedef struct cg_key {
    char text[2048];
    int length;
} cg_key;
void cg_key_add(cg_key *, const char *format, ...) __attribute__((format(printf, 2, 3)));
void cg_key_shape(cg_key *, const cg_shape *); /* type, extents and strides */

/* An integer type of the element's width: for kernels that only move data. */
LLVMTypeRef cg_bits_type(const cg_module *, int64_t bytes);

#endif
