/* gram.h: second moments of what a product reads, over samples: how its inputs vary together.
 *
 *     gram m;
 *     if (gram_open(&m, op))                       a convolution or fully_connected with constant weights
 *         gram_add(&m, operand)                    for each sample
 *     gram_covariance(&m, block, to)
 *     gram_close(&m)
 *
 * A row of weights meets patches of the operand, in the same order: [KH, KW, I].  Where a patch is long it is cut into
 * blocks, and what varies together across blocks is left out.  A depthwise convolution has a block for each channel. */
#ifndef QCC_GRAM_H
#define QCC_GRAM_H

#include "ir/ir.h"

enum { GRAM_MOST = 512 }; /* elements of a block */

typedef struct gram {
    const ir_op *op;
    int64_t patch;                 /* elements of the operand that a result reads, of all channels */
    int64_t rows;                  /* of weights, that read the same block */
    int64_t blocks, size;          /* and elements in each but the last */
    int64_t stride, weight_stride; /* between elements of a block, in the patch and in the weights */
    int64_t count;                 /* patches seen */
    double *sums, *products;       /* by block: size, size x size (the lower triangle) */
    float *seen;                   /* a patch */
} gram;

/* Elements of the operand that a result of the product is a sum over. */
int64_t gram_terms(const ir_op *);
/* False: no such product, or no memory. */
bool gram_open(gram *, const ir_op *);
void gram_close(gram *);
/* Patches at some places of the operand, the same for each sample. */
void gram_add(gram *, const float *operand);

int64_t gram_size(const gram *, int64_t block);
/* n x n, n being the block's size; *to has room for GRAM_MOST squared. */
void gram_covariance(const gram *, int64_t block, double *to);
/* Where in the weights element 0 of a row's block is; the next is `weight_stride` further. */
int64_t gram_weights(const gram *, int64_t block, int64_t row);
/* The channel of the result that a row makes. */
int64_t gram_channel(const gram *, int64_t block, int64_t row);

#endif
