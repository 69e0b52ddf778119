/* window.h: where TFLite's windows lie along one dimension of an image; numbers below 2^31.
 *
 *     SAME, extent 8, window 3, stride 2  ──▶  extent 4, before 0, after 1 */
#ifndef QCC_TFLITE_WINDOW_H
#define QCC_TFLITE_WINDOW_H

#include <stdint.h>

#include "frontends/tflite/schema.h"

typedef struct tflite_window_place {
    int64_t covered;       /* pixels that a window reaches over */
    int64_t extent;        /* of the result; below 1: the window does not fit */
    int64_t before, after; /* padding; the odd element behind */
} tflite_window_place;

static inline tflite_window_place tflite_place_window(int padding, int64_t extent, int64_t window, int64_t stride,
                                                      int64_t dilation)
{
    tflite_window_place p = {.covered = (window - 1) * dilation + 1};
    int64_t total = 0;
    if (padding == PADDING_VALID) {
        p.extent = extent < p.covered ? 0 : (extent - p.covered) / stride + 1;
    } else {
        p.extent = (extent + stride - 1) / stride;
        total = (p.extent - 1) * stride + p.covered - extent;
    }
    p.before = total > 0 ? total / 2 : 0;
    p.after = total > 0 ? total - p.before : 0;
    return p;
}

#endif
