/* matrix_nms.h: matrix non-maximum suppression, as Paddle's matrix_nms has it (SOLOv2, arXiv 2003.10152, section 3.5); shared
 * by the interpreter and the runtime library, so it allocates nothing. */
#ifndef QCC_ARITH_MATRIX_NMS_H
#define QCC_ARITH_MATRIX_NMS_H

#include "arith/boxes.h"

typedef struct qcc_op_matrix_nms {
    int64_t images, boxes, classes;
    int64_t background;                    /* a class that does not count; -1: none */
    int64_t candidates;                    /* best boxes of a class that are looked at; at most boxes */
    int64_t rows;                          /* results of an image */
    float score_threshold, post_threshold; /* of scores as they come, and as they have decayed */
    float sigma;                           /* of the decay e^(sigma (m^2 - o^2)); 0: it is (1 - o) / (1 - m) */
    int32_t pixels;                        /* 1: extents include the last pixel */
} qcc_op_matrix_nms;

_Static_assert(sizeof(qcc_op_matrix_nms) == 6 * sizeof(int64_t) + 4 * sizeof(int32_t), "no padding");

enum { QCC_OP_MATRIX_NMS_ARRAYS = 6 };

/* Bytes of scratch, and of each array in it, which begin at multiples of 64. */
static inline int64_t qcc_op_matrix_nms_scratch(const qcc_op_matrix_nms *o, int64_t each[QCC_OP_MATRIX_NMS_ARRAYS])
{
    const int64_t all = o->classes * o->candidates;
    const int64_t sizes[QCC_OP_MATRIX_NMS_ARRAYS] = {o->boxes * 8, o->boxes * 8, o->candidates * 4,
                                                     all * 8,      all * 4,      2 * all * 8};
    int64_t bytes = 0;
    for (int i = 0; i < QCC_OP_MATRIX_NMS_ARRAYS; i++)
        bytes += each[i] = qcc_op_rounded(sizes[i]);
    return bytes;
}

/* boxes [images, boxes, 4] (left, top, right, bottom), scores [images, classes, boxes]
 *   -> out [images * rows, 6] (class, decayed score, box), index [images * rows] into all boxes, count [images]
 * The results of the images stand one behind the other, the best first; what is left over is -1. */
void qcc_op_matrix_nms_run(const qcc_op_matrix_nms *, const void *boxes, const void *scores, void *out, void *index,
                           void *count, void *scratch);

#endif
