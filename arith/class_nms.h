/* class_nms.h: non-maximum suppression class by class, as Paddle's multiclass_nms and ONNX's NonMaxSuppression
 * have it; shared by the interpreter and the runtime library, so it allocates nothing. */
#ifndef QCC_ARITH_CLASS_NMS_H
#define QCC_ARITH_CLASS_NMS_H

#include "arith/boxes.h"

typedef struct qcc_op_class_nms {
    int64_t images, boxes, classes;
    int64_t background; /* a class that does not count; -1: none */
    int64_t candidates; /* best boxes of a class that are looked at; at most boxes */
    int64_t limit;      /* boxes of a class that stay at most; 0: all */
    int64_t rows;       /* results of an image */
    float score_threshold, iou_threshold;
    float eta;      /* below 1: what the overlap is multiplied by after each box that stays, while it is above 0.5 */
    int32_t pixels; /* 1: extents include the last pixel */
    int32_t
        empty_stays; /* 1: a box without area overlaps none; 0: its overlap with itself is not a number, and it goes */
    int32_t unused;  /* 0: all bytes are part of the object, which padding would leave to chance */
} qcc_op_class_nms;

_Static_assert(sizeof(qcc_op_class_nms) == 7 * sizeof(int64_t) + 6 * sizeof(int32_t), "no padding");

/* Bytes of scratch: arrays from multiples of 64 on. */
static inline int64_t qcc_op_class_nms_scratch(const qcc_op_class_nms *o)
{
    const int64_t each[] = {o->boxes * 8, o->boxes * 8, o->classes * o->candidates * 8, o->classes * o->candidates * 16,
                            o->classes * o->candidates};
    int64_t bytes = 0;
    for (int i = 0; i < 5; i++)
        bytes += qcc_op_rounded(each[i]);
    return bytes;
}

/* boxes [images, boxes, 4] (left, top, right, bottom), scores [images, classes, boxes]
 *   -> out [images * rows, 6] (class, score, box), index [images * rows] into all boxes, count [images]
 * The results of the images stand one behind the other, by class and then by score; what is left over is -1. */
void qcc_op_class_nms_run(const qcc_op_class_nms *, const void *boxes, const void *scores, void *out, void *index,
                          void *count, void *scratch);

#endif
