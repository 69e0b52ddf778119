/* matrix_nms.c: matrix non-maximum suppression.
 *
 * For each class the boxes whose score is above the threshold are taken from the best on, at most `candidates` of them.  The
 * score of each decays by the least of what the better boxes i make of it, by its overlap o with i and by m, the most that
 * i itself overlaps a better one.  The best of all classes stay whose decayed score is above the other threshold.  Of equal
 * scores the first one comes first: by class, then by box. */
#include "arith/matrix_nms.h"

#include <math.h>

typedef struct work {
    const qcc_op_matrix_nms *o;
    const unsigned char *boxes, *scores; /* of the image */
    int64_t *order, *spare;              /* [boxes] */
    float *most;                         /* [candidates]: the most that it overlaps a better one */
    int64_t *found;                      /* [classes * candidates]: class * boxes + box */
    float *decayed;                      /* their scores */
    int64_t *ranked;                     /* [2 * classes * candidates] */
    int64_t count;                       /* found */
} work;

static float decay(const qcc_op_matrix_nms *o, float overlap, float most)
{
    return o->sigma != 0 ? expf((most * most - overlap * overlap) * o->sigma) : (1 - overlap) / (1 - most);
}

/* The factor of candidate i of a class, when those of the better ones are done. */
static float factor_of(work *w, int64_t i)
{
    float most = 0, least = 1;
    for (int64_t k = 0; k < i; k++) {
        const float overlap = qcc_op_overlap(w->boxes, w->order[i], w->order[k], w->o->pixels, 0),
                    factor = decay(w->o, overlap, w->most[k]);
        most = most < overlap ? overlap : most;
        least = factor < least ? factor : least;
    }
    w->most[i] = most;
    return least;
}

static void add_class(work *w, int64_t class)
{
    const qcc_op_matrix_nms *o = w->o;
    const unsigned char *scores = w->scores + 4 * class * o->boxes;
    const int64_t count = qcc_op_best(scores, o->boxes, o->score_threshold, o->candidates, w->order, w->spare);
    for (int64_t i = 0; i < count; i++) {
        const float score = factor_of(w, i) * qcc_op_float_at(scores, w->order[i]);
        if (!(score > o->post_threshold))
            continue;
        w->found[w->count] = class * o->boxes + w->order[i];
        w->decayed[w->count++] = score;
    }
}

static void put_row(const work *w, int64_t image, int64_t at, unsigned char *row, unsigned char *position)
{
    const int64_t class = w->found[at] / w->o->boxes, box = w->found[at] % w->o->boxes;
    const float first[2] = {(float)class, w->decayed[at]};
    const int32_t which = (int32_t)(image * w->o->boxes + box);
    memcpy(row, first, sizeof first);
    memcpy(row + sizeof first, w->boxes + 16 * box, 16);
    memcpy(position, &which, 4);
}

static void lay_out(work *w, void *scratch)
{
    int64_t each[QCC_OP_MATRIX_NMS_ARRAYS];
    unsigned char *at = scratch;
    void *parts[QCC_OP_MATRIX_NMS_ARRAYS];
    qcc_op_matrix_nms_scratch(w->o, each);
    for (int i = 0; i < QCC_OP_MATRIX_NMS_ARRAYS; i++) {
        parts[i] = at;
        at += each[i];
    }
    w->order = parts[0];
    w->spare = parts[1];
    w->most = parts[2];
    w->found = parts[3];
    w->decayed = parts[4];
    w->ranked = parts[5];
}

void qcc_op_matrix_nms_run(const qcc_op_matrix_nms *o, const void *boxes, const void *scores, void *out, void *index,
                           void *count, void *scratch)
{
    unsigned char *rows = out, *positions = index;
    int64_t row = 0;
    work w = {.o = o};
    lay_out(&w, scratch);
    for (int64_t image = 0; image < o->images; image++) {
        w.count = 0;
        w.boxes = (const unsigned char *)boxes + image * o->boxes * 16;
        w.scores = (const unsigned char *)scores + image * o->classes * o->boxes * 4;
        for (int64_t class = 0; class < o->classes; class ++)
            if (class != o->background)
                add_class(&w, class);
        for (int64_t i = 0; i < w.count; i++)
            w.ranked[i] = i;
        qcc_op_rank(w.decayed, NULL, w.ranked, w.ranked + w.count, w.count);
        const int32_t stay = (int32_t)(w.count < o->rows ? w.count : o->rows);
        memcpy((char *)count + 4 * image, &stay, 4);
        for (int64_t i = 0; i < stay; i++, row++)
            put_row(&w, image, w.ranked[i], rows + 24 * row, positions + 4 * row);
    }
    for (; row < o->images * o->rows; row++) {
        const int32_t none = -1;
        const float empty[6] = {-1, -1, -1, -1, -1, -1};
        memcpy(rows + 24 * row, empty, sizeof empty);
        memcpy(positions + 4 * row, &none, 4);
    }
}
