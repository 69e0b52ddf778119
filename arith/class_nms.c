/* class_nms.c: non-maximum suppression class by class.
 *
 * For each class the boxes whose score is above the threshold are taken from the best on, at most `candidates` of them;
 * one that overlaps a box that stayed by more than the threshold goes.  If more stay than there are rows, the best of
 * all classes do.  Of equal scores the first box comes first.  Overlap in float. */
#include "arith/class_nms.h"

typedef struct work {
    const qcc_op_class_nms *o;
    const unsigned char *boxes, *scores; /* of the image */
    int64_t *order, *spare;              /* [boxes] */
    int64_t *stayed, *ranked;            /* [classes * candidates]: class * boxes + box */
    unsigned char *kept;                 /* by position in `stayed` */
} work;

static void put(unsigned char *to, int64_t i, float x) { memcpy(to + 4 * i, &x, 4); }

/* Appends the boxes of a class that stay; returns how many there are in all. */
static int64_t suppress(work *w, int64_t class, int64_t stayed)
{
    const qcc_op_class_nms *o = w->o;
    const int64_t base = class * o->boxes, first = stayed;
    const unsigned char *scores = w->scores + 4 * base;
    const int64_t count = qcc_op_best(scores, o->boxes, o->score_threshold, o->candidates, w->order, w->spare);
    float threshold = o->iou_threshold;
    for (int64_t i = 0; i < count; i++) {
        int fine = 1;
        for (int64_t k = first; fine && k < stayed; k++)
            fine = qcc_op_overlap(w->boxes, w->order[i], w->stayed[k] - base, o->pixels, o->empty_stays) <= threshold;
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
    qcc_op_rank(w->scores, w->stayed, at, spare, stayed);
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
        at += qcc_op_rounded(sizes[i]);
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
            put(to, 6 * row + 1, qcc_op_float_at(w.scores, w.stayed[i]));
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
