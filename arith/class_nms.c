/* class_nms.c: non-maximum suppression class by class.
 *
 * For each class the boxes whose score is above the threshold are taken from the best on, at most `candidates` of them;
 * one that overlaps a box that stayed by more than the threshold goes.  If more stay than there are rows, the best of
 * all classes do.  Of equal scores the first box comes first.  Overlap in float. */
#include "arith/class_nms.h"

#include <string.h>

typedef struct work {
    const qcc_op_class_nms *o;
    const unsigned char *boxes, *scores; /* of the image */
    int64_t *order, *spare;              /* [boxes] */
    int64_t *stayed, *ranked;            /* [classes * candidates]: class * boxes + box */
    unsigned char *kept;                 /* by position in `stayed` */
} work;

static float float_at(const unsigned char *data, int64_t i)
{
    float x;
    memcpy(&x, data + 4 * i, 4);
    return x;
}

static void put(unsigned char *to, int64_t i, float x) { memcpy(to + 4 * i, &x, 4); }

static float score_of(const work *w, int64_t base, int64_t key) { return float_at(w->scores, base + key); }

/* Merge sort, descending and stable.  The scores are those of base + key, or of base + through[key]. */
static void sort(const work *w, int64_t base, const int64_t *through, int64_t *keys, int64_t *spare, int64_t count)
{
    for (int64_t width = 1; width < count; width *= 2) {
        for (int64_t first = 0; first < count; first += 2 * width) {
            int64_t middle = first + width < count ? first + width : count,
                    end = first + 2 * width < count ? first + 2 * width : count;
            for (int64_t a = first, b = middle, to = first; to < end; to++) {
                int64_t ka = a < middle ? keys[a] : 0, kb = b < end ? keys[b] : 0;
                int take_b = a == middle || (b < end && score_of(w, base, through ? through[kb] : kb) >
                                                            score_of(w, base, through ? through[ka] : ka));
                spare[to] = take_b ? kb : ka;
                a += !take_b;
                b += take_b;
            }
        }
        memcpy(keys, spare, (size_t)count * sizeof *keys);
    }
}

static float extent(float low, float high, const qcc_op_class_nms *o) { return high - low + (o->pixels ? 1.0f : 0.0f); }

static float area(const float b[4], const qcc_op_class_nms *o)
{
    return b[2] < b[0] || b[3] < b[1] ? 0 : extent(b[0], b[2], o) * extent(b[1], b[3], o);
}

static float overlap(const work *w, int64_t first, int64_t second)
{
    float a[4], b[4], inside[4];
    for (int i = 0; i < 4; i++) {
        a[i] = float_at(w->boxes, 4 * first + i);
        b[i] = float_at(w->boxes, 4 * second + i);
        inside[i] = i < 2 ? (a[i] > b[i] ? a[i] : b[i]) : (a[i] < b[i] ? a[i] : b[i]);
    }
    if (b[0] > a[2] || b[2] < a[0] || b[1] > a[3] || b[3] < a[1])
        return 0;
    const float common = extent(inside[0], inside[2], w->o) * extent(inside[1], inside[3], w->o),
                first_area = area(a, w->o), second_area = area(b, w->o);
    if (w->o->empty_stays && !(first_area > 0 && second_area > 0))
        return 0;
    return common / (first_area + second_area - common);
}

/* Appends the boxes of a class that stay; returns how many there are in all. */
static int64_t suppress(work *w, int64_t class, int64_t stayed)
{
    const qcc_op_class_nms *o = w->o;
    const int64_t base = class * o->boxes, first = stayed;
    int64_t count = 0;
    float threshold = o->iou_threshold;
    for (int64_t i = 0; i < o->boxes; i++)
        if (float_at(w->scores, base + i) > o->score_threshold)
            w->order[count++] = i;
    sort(w, base, NULL, w->order, w->spare, count);
    count = count < o->candidates ? count : o->candidates;
    for (int64_t i = 0; i < count; i++) {
        int fine = 1;
        for (int64_t k = first; fine && k < stayed; k++)
            fine = overlap(w, w->order[i], w->stayed[k] - base) <= threshold;
        if (!fine)
            continue;
        w->stayed[stayed++] = base + w->order[i];
        if (stayed - first == o->limit)
            break;
        if (o->eta < 1 && threshold > 0.5f)
            threshold *= o->eta;
    }
    return stayed;
}

/* Marks the best `rows` of them; returns how many. */
static int64_t choose(work *w, int64_t stayed)
{
    const int64_t rows = stayed < w->o->rows ? stayed : w->o->rows;
    memset(w->kept, stayed <= w->o->rows, (size_t)stayed);
    if (stayed <= w->o->rows)
        return rows;
    int64_t *at = w->ranked, *spare = w->ranked + stayed;
    for (int64_t i = 0; i < stayed; i++)
        at[i] = i;
    sort(w, 0, w->stayed, at, spare, stayed);
    for (int64_t i = 0; i < rows; i++)
        w->kept[at[i]] = 1;
    return rows;
}

void qcc_op_class_nms_run(const qcc_op_class_nms *o, const void *boxes, const void *scores, void *out, void *index,
                          void *count, void *scratch)
{
    const int64_t most = o->classes * o->candidates, all = o->images * o->rows;
    unsigned char *at = scratch, *to = out, *positions = index;
    work w = {.o = o};
    void *parts[5];
    const int64_t sizes[5] = {o->boxes * 8, o->boxes * 8, most * 8, 2 * most * 8, most};
    for (int i = 0; i < 5; i++) {
        parts[i] = at;
        at += (sizes[i] + 63) / 64 * 64;
    }
    w.order = parts[0];
    w.spare = parts[1];
    w.stayed = parts[2];
    w.ranked = parts[3];
    w.kept = parts[4];
    int64_t row = 0;
    for (int64_t image = 0; image < o->images; image++) {
        int64_t stayed = 0;
        w.boxes = (const unsigned char *)boxes + image * o->boxes * 16;
        w.scores = (const unsigned char *)scores + image * o->classes * o->boxes * 4;
        for (int64_t class = 0; class < o->classes; class ++)
            if (class != o->background)
                stayed = suppress(&w, class, stayed);
        const int32_t rows = (int32_t)choose(&w, stayed);
        memcpy((char *)count + 4 * image, &rows, 4);
        for (int64_t i = 0; i < stayed; i++) {
            if (!w.kept[i])
                continue;
            const int64_t class = w.stayed[i] / o->boxes, box = w.stayed[i] % o->boxes;
            const int32_t position = (int32_t)(image * o->boxes + box);
            put(to, 6 * row, (float)class);
            put(to, 6 * row + 1, float_at(w.scores, w.stayed[i]));
            memcpy(to + 4 * (6 * row + 2), w.boxes + 16 * box, 16);
            memcpy(positions + 4 * row, &position, 4);
            row++;
        }
    }
    for (; row < all; row++) {
        const int32_t none = -1;
        for (int i = 0; i < 6; i++)
            put(to, 6 * row + i, -1);
        memcpy(positions + 4 * row, &none, 4);
    }
}
