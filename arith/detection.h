/* detection.h: a detector's raw outputs to boxes, as TFLite's custom op; shared by the interpreter and the runtime
 * library, so it allocates nothing. */
#ifndef QCC_ARITH_DETECTION_H
#define QCC_ARITH_DETECTION_H

#include <stdint.h>

/* As qcc_dtype and ir_dtype count them. */
enum { QCC_OP_TENSOR_F32 = 1, QCC_OP_TENSOR_I8 = 2, QCC_OP_TENSOR_U8 = 3, QCC_OP_TENSOR_I16 = 4 };

typedef struct qcc_op_tensor {
    float scale;
    int32_t zero;
    int32_t type; /* QCC_OP_TENSOR_… */
    int32_t reserved;
} qcc_op_tensor;

typedef struct qcc_op_detection {
    int64_t boxes, box_width, labels, classes;        /* labels: classes and background, a row of the scores */
    int64_t max_detections, per_box, per_class, rows; /* rows: of the results */
    int64_t regular;
    float score_threshold, iou_threshold;
    float scales[4]; /* y, x, h, w */
    qcc_op_tensor box, score, anchor;
} qcc_op_detection;

/* Bytes of scratch: eight arrays, each from a multiple of 64 on. */
static inline int64_t qcc_op_detection_scratch(int64_t boxes, int64_t labels, int64_t max_detections)
{
    const int64_t each[] = {boxes * 16, boxes * labels * 4, boxes * 4,          boxes * 16,
                            boxes,      max_detections * 8, max_detections * 8, max_detections * 8};
    int64_t bytes = 0;
    for (int i = 0; i < 8; i++)
        bytes += (each[i] + 63) / 64 * 64;
    return bytes;
}

/* boxes [boxes, box_width] (y, x, h, w relative to anchors [boxes, 4], then what is ignored), scores [boxes, labels]
 *   -> out_boxes [rows, 4] (top, left, bottom, right), out_classes [rows], out_scores [rows], out_count [1], all f32
 * The fast form gives each box `per_box` rows, and counts boxes.  Rows beyond are 0. */
void qcc_op_detect(const qcc_op_detection *, const void *boxes, const void *scores, const void *anchors,
                   void *out_boxes, void *out_classes, void *out_scores, void *out_count, void *scratch);

#endif
