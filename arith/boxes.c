/* boxes.c: see boxes.h. */
#include "arith/boxes.h"

static float score_of(const void *scores, const int64_t *through, int64_t key)
{
    return qcc_op_float_at(scores, through ? through[key] : key);
}

void qcc_op_rank(const void *scores, const int64_t *through, int64_t *keys, int64_t *spare, int64_t count)
{
    for (int64_t width = 1; width < count; width *= 2) {
        for (int64_t first = 0; first < count; first += 2 * width) {
            int64_t middle = first + width < count ? first + width : count,
                    end = first + 2 * width < count ? first + 2 * width : count;
            for (int64_t a = first, b = middle, to = first; to < end; to++) {
                int64_t ka = a < middle ? keys[a] : 0, kb = b < end ? keys[b] : 0;
                int take_b = a == middle || (b < end && score_of(scores, through, kb) > score_of(scores, through, ka));
                spare[to] = take_b ? kb : ka;
                a += !take_b;
                b += take_b;
            }
        }
        memcpy(keys, spare, (size_t)count * sizeof *keys);
    }
}

int64_t qcc_op_best(const void *scores, int64_t boxes, float above, int64_t most, int64_t *order, int64_t *spare)
{
    int64_t count = 0;
    for (int64_t i = 0; i < boxes; i++)
        if (qcc_op_float_at(scores, i) > above)
            order[count++] = i;
    qcc_op_rank(scores, NULL, order, spare, count);
    return count < most ? count : most;
}

static float extent(float low, float high, int32_t pixels) { return high - low + (pixels ? 1.0f : 0.0f); }

static float area(const float b[4], int32_t pixels)
{
    return b[2] < b[0] || b[3] < b[1] ? 0 : extent(b[0], b[2], pixels) * extent(b[1], b[3], pixels);
}

float qcc_op_overlap(const void *boxes, int64_t first, int64_t second, int32_t pixels, int32_t empty_stays)
{
    float a[4], b[4], inside[4];
    for (int i = 0; i < 4; i++) {
        a[i] = qcc_op_float_at(boxes, 4 * first + i);
        b[i] = qcc_op_float_at(boxes, 4 * second + i);
        inside[i] = i < 2 ? (a[i] > b[i] ? a[i] : b[i]) : (a[i] < b[i] ? a[i] : b[i]);
    }
    if (b[0] > a[2] || b[2] < a[0] || b[1] > a[3] || b[3] < a[1])
        return 0;
    const float common = extent(inside[0], inside[2], pixels) * extent(inside[1], inside[3], pixels),
                first_area = area(a, pixels), second_area = area(b, pixels);
    if (empty_stays && !(first_area > 0 && second_area > 0))
        return 0;
    return common / (first_area + second_area - common);
}
