/* detection.c: from a detector's raw outputs to boxes: decode, drop weak ones, suppress the weaker of two that
 * overlap, over the best class of each box (the fast form) or class by class (the regular one).  Of equal scores the
 * first box wins.  Decoding in double, rounded to float; overlap in float; as TFLite's custom op. */
#include "arith/detection.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

typedef struct box {
    float top, left, bottom, right;
} box;

typedef struct detector {
    const qcc_op_detection *op;
    int64_t label_offset;
    box *decoded;                                        /* [boxes] */
    float *scores;                                       /* [boxes][labels], real */
    float *column;                                       /* [boxes]: the scores that a suppression looks at */
    int64_t *order;                                      /* [2][boxes]: candidates, and scratch of their sort */
    unsigned char *active;                               /* [boxes] */
    int64_t *selected, *kept, *merged;                   /* [max_detections] */
    unsigned char *out_boxes, *out_classes, *out_scores; /* the program's buffers, of any alignment */
} detector;

/* ---- Memory ---- */

static void *take(unsigned char **at, int64_t count, int64_t size)
{
    void *p = *at;
    *at += (count * size + 63) / 64 * 64;
    return p;
}

/* As qcc_op_detection_scratch counts. */
static void carve(detector *n, unsigned char *base, int64_t boxes, int64_t labels, int64_t rows)
{
    unsigned char *at = base;
    n->decoded = take(&at, boxes, sizeof(box));
    n->scores = take(&at, boxes * labels, sizeof(float));
    n->column = take(&at, boxes, sizeof(float));
    n->order = take(&at, 2 * boxes, sizeof(int64_t));
    n->active = take(&at, boxes, 1);
    n->selected = take(&at, rows, sizeof(int64_t));
    n->kept = take(&at, rows, sizeof(int64_t));
    n->merged = take(&at, rows, sizeof(int64_t));
}

/* ---- Decoding ---- */

static float real_at(const qcc_op_tensor *t, const void *data, int64_t i)
{
    float real;
    int16_t wide;
    int32_t q;
    switch (t->type) {
    case QCC_OP_TENSOR_U8: q = ((const uint8_t *)data)[i]; break;
    case QCC_OP_TENSOR_I8: q = ((const int8_t *)data)[i]; break;
    case QCC_OP_TENSOR_I16:
        memcpy(&wide, (const char *)data + 2 * i, 2);
        q = wide;
        break;
    default: memcpy(&real, (const char *)data + 4 * i, 4); return real;
    }
    return t->scale * (float)(q - t->zero);
}

static void decode(const detector *n, const void *boxes, const void *anchors)
{
    const qcc_op_detection *op = n->op;
    for (int64_t i = 0; i < op->boxes; i++) {
        double e[4], a[4];
        for (int k = 0; k < 4; k++) {
            e[k] = real_at(&op->box, boxes, i * op->box_width + k);
            a[k] = real_at(&op->anchor, anchors, i * 4 + k);
        }
        const float y = (float)(e[0] / (double)op->scales[0] * a[2] + a[0]),
                    x = (float)(e[1] / (double)op->scales[1] * a[3] + a[1]);
        const float h = (float)(0.5 * exp(e[2] / (double)op->scales[2]) * a[2]);
        const float w = (float)(0.5 * exp(e[3] / (double)op->scales[3]) * a[3]);
        n->decoded[i] = (box){y - h, x - w, y + h, x + w};
    }
}

static float larger(float a, float b) { return a > b ? a : b; }
static float smaller(float a, float b) { return a < b ? a : b; }

static float overlap(box a, box b)
{
    const float area_a = (a.bottom - a.top) * (a.right - a.left), area_b = (b.bottom - b.top) * (b.right - b.left);
    if (area_a <= 0 || area_b <= 0)
        return 0;
    const float height = larger(smaller(a.bottom, b.bottom) - larger(a.top, b.top), 0);
    const float width = larger(smaller(a.right, b.right) - larger(a.left, b.left), 0);
    return height * width / (area_a + area_b - height * width);
}

/* ---- Suppression over one score a box ---- */

/* Sorts order[0..count) by falling score, equal ones in order; scratch is as large. */
static void sort_falling(const float *column, int64_t *order, int64_t *scratch, int64_t count)
{
    for (int64_t run = 1; run < count; run *= 2) {
        for (int64_t at = 0; at < count; at += 2 * run) {
            const int64_t middle = at + run < count ? at + run : count,
                          end = at + 2 * run < count ? at + 2 * run : count;
            int64_t i = at, j = middle, to = at;
            while (i < middle || j < end)
                scratch[to++] =
                    j >= end || (i < middle && !(column[order[j]] > column[order[i]])) ? order[i++] : order[j++];
        }
        memcpy(order, scratch, (size_t)count * sizeof *order);
    }
}

/* Boxes that survive, strongest first, at most `limit`; how many. */
static int64_t suppress(const detector *n, int64_t limit)
{
    int64_t candidates = 0, count = 0;
    for (int64_t i = 0; i < n->op->boxes; i++)
        if (n->column[i] >= n->op->score_threshold)
            n->order[candidates++] = i;
    sort_falling(n->column, n->order, n->order + n->op->boxes, candidates);
    memset(n->active, 1, (size_t)candidates);
    for (int64_t i = 0; i < candidates && count < limit; i++) {
        if (!n->active[i])
            continue;
        n->selected[count++] = n->order[i];
        for (int64_t j = i + 1; j < candidates; j++)
            if (n->active[j] && overlap(n->decoded[n->order[i]], n->decoded[n->order[j]]) > n->op->iou_threshold)
                n->active[j] = 0;
    }
    return count;
}

/* ---- Results ---- */

static void put_row(const detector *n, int64_t row, int64_t at, int64_t class)
{
    if (row >= n->op->rows)
        return;
    memcpy(n->out_boxes + sizeof(box) * (size_t)row, &n->decoded[at], sizeof(box));
    const float label = (float)class;
    memcpy(n->out_classes + sizeof label * (size_t)row, &label, sizeof label);
    memcpy(n->out_scores + sizeof label * (size_t)row, &n->scores[at * n->op->labels + n->label_offset + class],
           sizeof label);
}

/* The rank-th best class of a box: of equal scores the first class. */
static int64_t class_of_rank(const float *scores, int64_t classes, int64_t rank)
{
    for (int64_t c = 0; c < classes; c++) {
        int64_t better = 0;
        for (int64_t k = 0; k < classes; k++)
            better += scores[k] > scores[c] || (scores[k] == scores[c] && k < c);
        if (better == rank)
            return c;
    }
    return 0; /* only with NaN scores */
}

static int64_t detect_fast(const detector *n)
{
    const qcc_op_detection *op = n->op;
    const int64_t taken = op->per_box < op->classes ? op->per_box : op->classes;
    for (int64_t i = 0; i < op->boxes; i++) {
        const float *row = n->scores + i * op->labels + n->label_offset;
        int64_t best = 0;
        for (int64_t c = 1; c < op->classes; c++)
            best = row[c] > row[best] ? c : best;
        n->column[i] = row[best];
    }
    const int64_t count = suppress(n, op->max_detections);
    for (int64_t i = 0; i < count; i++)
        for (int64_t rank = 0; rank < taken; rank++) {
            const float *row = n->scores + n->selected[i] * op->labels + n->label_offset;
            put_row(n, i * taken + rank, n->selected[i], class_of_rank(row, op->classes, rank));
        }
    return count;
}

/* Merges the class's survivors into the best over all classes, of which max_detections are kept. */
static int64_t merge(const detector *n, int64_t kept, int64_t class, int64_t found)
{
    int64_t i = 0, j = 0, to = 0;
    while (to < n->op->max_detections && (i < kept || j < found)) {
        const int64_t candidate = j < found ? n->selected[j] * n->op->labels + n->label_offset + class : 0;
        if (j >= found || (i < kept && !(n->scores[candidate] > n->scores[n->kept[i]])))
            n->merged[to++] = n->kept[i++];
        else {
            n->merged[to++] = candidate;
            j++;
        }
    }
    memcpy(n->kept, n->merged, (size_t)to * sizeof *n->kept);
    return to;
}

static int64_t detect_regular(const detector *n)
{
    const qcc_op_detection *op = n->op;
    const int64_t limit = op->per_class < op->max_detections ? op->per_class : op->max_detections;
    int64_t kept = 0;
    for (int64_t c = 0; c < op->classes; c++) {
        for (int64_t i = 0; i < op->boxes; i++)
            n->column[i] = n->scores[i * op->labels + n->label_offset + c];
        kept = merge(n, kept, c, suppress(n, limit));
    }
    for (int64_t row = 0; row < kept; row++)
        put_row(n, row, n->kept[row] / op->labels, n->kept[row] % op->labels - n->label_offset);
    return kept;
}

void qcc_op_detect(const qcc_op_detection *op, const void *boxes, const void *scores, const void *anchors,
                   void *out_boxes, void *out_classes, void *out_scores, void *out_count, void *scratch)
{
    detector n = {.op = op,
                  .label_offset = op->labels - op->classes,
                  .out_boxes = out_boxes,
                  .out_classes = out_classes,
                  .out_scores = out_scores};
    carve(&n, scratch, op->boxes, op->labels, op->max_detections);
    for (int64_t i = 0; i < op->boxes * op->labels; i++)
        n.scores[i] = real_at(&op->score, scores, i);
    decode(&n, boxes, anchors);
    memset(out_boxes, 0, (size_t)op->rows * sizeof(box));
    memset(out_classes, 0, (size_t)op->rows * sizeof(float));
    memset(out_scores, 0, (size_t)op->rows * sizeof(float));
    const float count = (float)(op->regular ? detect_regular(&n) : detect_fast(&n));
    memcpy(out_count, &count, sizeof count);
}
