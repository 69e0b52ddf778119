/* ref_detection.c: from a detector's raw outputs to boxes.
 *
 *     boxes [1, N, 4+] (y, x, h, w relative to anchors [N, 4]), scores [1, N, C or C + background]
 *       -> boxes [1, M, 4] (top, left, bottom, right), classes [1, M], scores [1, M], count [1], all f32
 *
 * Decode each box, drop weak ones, suppress the weaker of two that overlap; either over the best class of each box (the
 * fast form) or class by class (the regular one).  The count is that of boxes, each of
 * which has max_classes rows in the fast form.  Rows beyond are 0.  Of equal scores the first box wins.
 * Arithmetic: decoding in double, rounded to f32; overlap in f32; as TFLite's custom op. */
#include <stdlib.h>

#include "ir/ref/ref_move.h"

typedef struct box {
    float top, left, bottom, right;
} box;

typedef struct detector {
    const ir_op *op;
    int64_t boxes, classes, label_offset, labels; /* labels: classes and background, a row of `scores` */
    int64_t max_detections;
    float score_threshold, iou_threshold;
    box *decoded;   /* [boxes] */
    float *scores;  /* [boxes][labels], real */
    float *column;  /* [boxes]: the scores that a suppression looks at */
    int64_t *order; /* [2][boxes]: candidates, and scratch of their sort */
    unsigned char *active;
    int64_t *selected;      /* [max_detections] */
    int64_t *kept, *merged; /* [max_detections]: indices into scores of the best over the classes so far */
} detector;

bool ir_check_detection(const ir_op *op, diag *d)
{
    const ir_type *boxes = ir_operand_type(op, 0), *scores = ir_operand_type(op, 1), *anchors = ir_operand_type(op, 2);
    const int64_t classes = ir_int(op, IR_ATTR_NUM_CLASSES), rows = ir_int(op, IR_ATTR_MAX_DETECTIONS);
    const int64_t per_box = ir_int(op, IR_ATTR_MAX_CLASSES), per_class = ir_int(op, IR_ATTR_PER_CLASS);
    const float *scales;
    if (boxes->rank != 3 || scores->rank != 3 || anchors->rank != 2 || boxes->dims[0] != 1 || scores->dims[0] != 1 ||
        boxes->dims[1] != scores->dims[1] || boxes->dims[1] != anchors->dims[0] || boxes->dims[2] < 4 ||
        anchors->dims[1] != 4)
        return ir_refuse(op, d, "needs boxes [1, N, 4], scores [1, N, C] and anchors [N, 4]");
    if (classes < 1 || classes > scores->dims[2] || scores->dims[2] - classes > 1)
        return ir_refuse(op, d, "%lld classes and scores of %lld do not fit together", (long long)classes,
                         (long long)scores->dims[2]);
    if (rows < 1 || per_box < 1 || per_box > IR_MAX_BYTES || per_class < 1)
        return ir_refuse(op, d, "max_detections, max_classes and per_class must be positive");
    if (ir_floats(op, IR_ATTR_SCALES, &scales) != 4)
        return ir_refuse(op, d, "needs four scales");
    const int64_t taken = per_box < classes ? per_box : classes, outputs = ir_result_type(op, 1)->dims[1];
    if (ir_result_type(op, 0)->rank != 3 || ir_result_type(op, 0)->dims[2] != 4 || ir_result_type(op, 1)->rank != 2 ||
        ir_result_type(op, 2)->rank != 2 || ir_result_type(op, 0)->dims[1] != outputs ||
        ir_result_type(op, 2)->dims[1] != outputs || ir_type_elements(ir_result_type(op, 3)) != 1 ||
        ir_type_elements(ir_result_type(op, 0)) != 4 * outputs || ir_type_elements(ir_result_type(op, 1)) != outputs ||
        ir_type_elements(ir_result_type(op, 2)) != outputs ||
        outputs < rows * (ir_int(op, IR_ATTR_REGULAR_NMS) ? 1 : taken))
        return ir_refuse(op, d, "the results do not have room for the detections");
    for (int i = 0; i < 3; i++)
        if (op->operands[i].value->type.dtype != IR_F32 && !ir_check_quantized(op, op->operands[i].value, "operand", d))
            return false;
    return true;
}

/* ---- Decoding ---- */

static float real_at(const ir_value *v, const void *data, int64_t i)
{
    if (v->type.dtype == IR_F32)
        return ir_f32_at(data, i);
    return ir_scale_of(v) * (float)(ir_int_at(v->type.dtype, data, i) - ir_zero_of(v));
}

static void decode(const detector *n, const void *const operands[])
{
    const ir_value *boxes = n->op->operands[0].value, *anchors = n->op->operands[2].value;
    const float *scales; /* y, x, h, w */
    ir_floats(n->op, IR_ATTR_SCALES, &scales);
    for (int64_t i = 0; i < n->boxes; i++) {
        double e[4], a[4];
        for (int k = 0; k < 4; k++) {
            e[k] = real_at(boxes, operands[0], i * boxes->type.dims[2] + k);
            a[k] = real_at(anchors, operands[2], i * 4 + k);
        }
        const float y = (float)(e[0] / (double)scales[0] * a[2] + a[0]),
                    x = (float)(e[1] / (double)scales[1] * a[3] + a[1]);
        const float h = (float)(0.5 * exp(e[2] / (double)scales[2]) * a[2]);
        const float w = (float)(0.5 * exp(e[3] / (double)scales[3]) * a[3]);
        n->decoded[i] = (box){y - h, x - w, y + h, x + w};
    }
}

static float overlap(box a, box b)
{
    const float area_a = (a.bottom - a.top) * (a.right - a.left), area_b = (b.bottom - b.top) * (b.right - b.left);
    if (area_a <= 0 || area_b <= 0)
        return 0;
    const float height = fmaxf(fminf(a.bottom, b.bottom) - fmaxf(a.top, b.top), 0);
    const float width = fmaxf(fminf(a.right, b.right) - fmaxf(a.left, b.left), 0);
    return height * width / (area_a + area_b - height * width);
}

/* ---- Suppression over one score a box ---- */

/* Sorts order[0..count) by falling column score, equal ones in order: a bottom-up merge sort with `scratch` as large. */
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

/* Indices of the boxes that survive, strongest first, at most `limit`; how many. */
static int64_t suppress(const detector *n, int64_t limit)
{
    int64_t candidates = 0, count = 0;
    for (int64_t i = 0; i < n->boxes; i++)
        if (n->column[i] >= n->score_threshold)
            n->order[candidates++] = i;
    sort_falling(n->column, n->order, n->order + n->boxes, candidates);
    memset(n->active, 1, (size_t)candidates);
    for (int64_t i = 0; i < candidates && count < limit; i++) {
        if (!n->active[i])
            continue;
        n->selected[count++] = n->order[i];
        for (int64_t j = i + 1; j < candidates; j++)
            if (n->active[j] && overlap(n->decoded[n->order[i]], n->decoded[n->order[j]]) > n->iou_threshold)
                n->active[j] = 0;
    }
    return count;
}

/* ---- Results ---- */

static void emit(const detector *n, void *const results[], int64_t row, int64_t at, int64_t class)
{
    memcpy((char *)results[0] + (size_t)row * sizeof(box), &n->decoded[at], sizeof(box));
    ir_f32_put(results[1], row, (float)class);
    ir_f32_put(results[2], row, n->scores[at * n->labels + n->label_offset + class]);
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

static int64_t detect_fast(const detector *n, void *const results[])
{
    const int64_t wanted = ir_int(n->op, IR_ATTR_MAX_CLASSES), taken = wanted < n->classes ? wanted : n->classes;
    for (int64_t i = 0; i < n->boxes; i++) {
        const float *row = n->scores + i * n->labels + n->label_offset;
        int64_t best = 0;
        for (int64_t c = 1; c < n->classes; c++)
            best = row[c] > row[best] ? c : best;
        n->column[i] = row[best];
    }
    const int64_t count = suppress(n, n->max_detections);
    for (int64_t i = 0; i < count; i++)
        for (int64_t rank = 0; rank < taken; rank++) {
            const float *row = n->scores + n->selected[i] * n->labels + n->label_offset;
            emit(n, results, i * taken + rank, n->selected[i], class_of_rank(row, n->classes, rank));
        }
    return count;
}

/* Merges the class's survivors into the list of the best over all classes, which keeps max_detections entries. */
static int64_t merge(const detector *n, int64_t kept, int64_t class, int64_t found)
{
    int64_t i = 0, j = 0, to = 0;
    while (to < n->max_detections && (i < kept || j < found)) {
        const int64_t candidate = j < found ? n->selected[j] * n->labels + n->label_offset + class : 0;
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

static int64_t detect_regular(const detector *n, void *const results[])
{
    const int64_t per_class = ir_int(n->op, IR_ATTR_PER_CLASS);
    const int64_t limit = per_class < n->max_detections ? per_class : n->max_detections;
    int64_t kept = 0;
    for (int64_t c = 0; c < n->classes; c++) {
        for (int64_t i = 0; i < n->boxes; i++)
            n->column[i] = n->scores[i * n->labels + n->label_offset + c];
        kept = merge(n, kept, c, suppress(n, limit));
    }
    for (int64_t row = 0; row < kept; row++)
        emit(n, results, row, n->kept[row] / n->labels, n->kept[row] % n->labels - n->label_offset);
    return kept;
}

static void detector_free(detector *n)
{
    free(n->decoded);
    free(n->scores);
    free(n->column);
    free(n->order);
    free(n->active);
    free(n->selected);
    free(n->kept);
    free(n->merged);
}

bool ir_ref_detection(const ir_op *op, const void *const operands[], void *const results[], diag *d)
{
    const ir_value *scores = op->operands[1].value;
    detector n = {.op = op, .boxes = scores->type.dims[1], .labels = scores->type.dims[2]};
    n.classes = ir_int(op, IR_ATTR_NUM_CLASSES);
    n.label_offset = n.labels - n.classes;
    n.max_detections = ir_int(op, IR_ATTR_MAX_DETECTIONS);
    n.score_threshold = ir_float(op, IR_ATTR_SCORE_THRESHOLD);
    n.iou_threshold = ir_float(op, IR_ATTR_IOU_THRESHOLD);
    const size_t boxes = (size_t)n.boxes + 1, rows = (size_t)n.max_detections,
                 values = (size_t)(n.boxes * n.labels) + 1;
    n.decoded = malloc(boxes * sizeof *n.decoded);
    n.scores = malloc(values * sizeof *n.scores);
    n.column = malloc(boxes * sizeof *n.column);
    n.order = malloc(2 * boxes * sizeof *n.order);
    n.active = malloc(boxes);
    n.selected = malloc(rows * sizeof *n.selected);
    n.kept = malloc(rows * sizeof *n.kept);
    n.merged = malloc(rows * sizeof *n.merged);
    if (!n.decoded || !n.scores || !n.column || !n.order || !n.active || !n.selected || !n.kept || !n.merged) {
        detector_free(&n);
        return ir_out_of_memory(op, d);
    }
    for (int64_t i = 0; i < n.boxes * n.labels; i++)
        n.scores[i] = real_at(scores, operands[1], i);
    decode(&n, operands);
    for (int r = 0; r < 3; r++)
        memset(results[r], 0, ir_type_bytes(ir_result_type(op, r)));
    ir_f32_put(results[3], 0,
               (float)(ir_int(op, IR_ATTR_REGULAR_NMS) ? detect_regular(&n, results) : detect_fast(&n, results)));
    detector_free(&n);
    return true;
}
