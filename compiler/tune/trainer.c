/* trainer.c: runs the programs of one model in turn.
 *
 *     batch ──┬── teacher ──── target ─┐
 *             └────────────────── step ┴── loss, ends of ranges, gradients ── optimizer ── weights, ranges ── step … */
#include "compiler/tune/trainer.h"

#include <math.h>
#include <string.h>

/* ---- Targets ---- */

static void label_targets(const trainer *t, float *to)
{
    const int64_t classes = t->loss.classes;
    memset(to, 0, (size_t)(t->loss.rows * classes) * sizeof *to);
    for (int64_t i = 0; i < t->loss.rows; i++)
        to[i * classes + t->samples->labels[t->batch[i]]] = 1;
}

static void softmax_rows(float *x, int64_t rows, int64_t classes)
{
    for (int64_t i = 0; i < rows; i++, x += classes) {
        double most = (double)x[0], sum = 0;
        for (int64_t k = 1; k < classes; k++)
            most = fmax(most, (double)x[k]);
        for (int64_t k = 0; k < classes; k++)
            sum += exp((double)x[k] - most);
        for (int64_t k = 0; k < classes; k++)
            x[k] = (float)(exp((double)x[k] - most) / sum);
    }
}

/* Of the batch in the session's input. */
static bool fill_target(trainer *t, session *s, diag *d)
{
    float *to = s->input_buffers[t->loss.target];
    if (!t->taught) {
        label_targets(t, to);
        return true;
    }
    memcpy(t->teacher.input_buffers[0], s->input_buffers[0], s->inputs[0].bytes);
    if (!session_run(&t->teacher, d))
        return false;
    memcpy(to, t->teacher.output_buffers[0], s->inputs[t->loss.target].bytes);
    if (t->loss.kind == LOSS_CROSS_ENTROPY && !t->loss.behind_softmax)
        softmax_rows(to, t->loss.rows, t->loss.classes);
    return true;
}

static int64_t largest(const float *x, int64_t count)
{
    int64_t best = 0;
    for (int64_t i = 1; i < count; i++)
        if (x[i] > x[best])
            best = i;
    return best;
}

/* What of the loss training can't change: the entropy of the teacher's answers. */
static double entropy(const float *target, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum -= target[i] > 0 ? (double)target[i] * log((double)target[i]) : 0;
    return sum;
}

static void count_right(const trainer *t, const session *s, int64_t rows, trainer_score *score)
{
    const float *result = s->output_buffers[t->loss.result], *target = s->input_buffers[t->loss.target];
    const int64_t classes = t->loss.classes;
    for (int64_t i = 0; i < rows; i++, result += classes, target += classes)
        score->right += largest(result, classes) == largest(target, classes);
    score->samples += rows;
}

static bool run(trainer *t, session *s, diag *d)
{
    return fill_target(t, s, d) && simulate_inputs(&t->simulation, &t->driver, s->input_buffers, d) &&
           session_run(s, d);
}

static double loss_of(const trainer *t, const session *s)
{
    const float *target = s->input_buffers[t->loss.target];
    const double all = (double)*(const float *)s->output_buffers[t->loss.output];
    if (t->loss.kind != LOSS_CROSS_ENTROPY || !t->taught)
        return all;
    return all - entropy(target, t->loss.rows * t->loss.classes) / (double)t->loss.rows;
}

/* ---- A step ---- */

static void gather_gradients(trainer *t)
{
    const simulation *s = &t->simulation;
    void **outputs = t->step.output_buffers;
    for (int i = 0; i < s->parameter_count; i++)
        memset(t->blocks[i].gradient, 0, (size_t)t->blocks[i].count * sizeof(float));
    for (int i = 0; i < s->use_count; i++) {
        const optimizer_block *b = &t->blocks[s->uses[i].parameter];
        const float *gradient = outputs[t->parameter_gradients[i]];
        for (int64_t k = 0; k < b->count; k++)
            b->gradient[k] += gradient[k];
    }
    for (int i = 0; i < s->parameter_count; i++)
        weight_clips_take_gradient(&t->weight_clips, i, t->blocks[i].gradient);
    batch_norms_take_gradients(&t->norms, t->blocks, outputs);
    for (int i = 0; i < s->range_count && ranges_are_trained(&t->options->ranges); i++) {
        float gradient[3];
        if (s->ranges[i].grid < 0)
            continue;
        for (int k = 0; k < 3; k++)
            gradient[k] = *(const float *)outputs[t->range_gradients[i][k]];
        ranges_take_gradient(&t->ranges, i, gradient, t->step.input_buffers);
    }
}

bool trainer_step(trainer *t, trainer_score *score, diag *d)
{
    session *s = &t->step;
    batch_norms_inputs(&t->norms, s->input_buffers);
    if (!batches_fill(&t->batches, t->at, s->input_buffers[0], t->batch, d) || !run(t, s, d))
        return false;
    const double height = loss_of(t, s);
    gather_gradients(t);
    if (!isfinite(height) || !optimizer_is_finite(t->blocks, t->block_count))
        return diag_error(d, NULL,
                          "step %lld: the loss, or its gradient, is no finite number any more; a smaller --lr, or "
                          "--clip, keeps it one",
                          (long long)t->at + 1);
    ranges_see(&t->ranges, s->output_buffers);
    batch_norms_see(&t->norms, s->output_buffers);
    optimizer_step(&t->optimizer, t->blocks, t->block_count, t->at);
    ranges_settle(&t->ranges);
    batch_norms_settle(&t->norms);
    weight_clips_settle(&t->weight_clips);
    t->at++;
    score->loss += height * (double)t->options->batches.batch;
    count_right(t, s, t->loss.rows, score);
    return true;
}

/* ---- Validation, and the best state ---- */

static void keep_best(trainer *t, const trainer_score *score)
{
    const double right = t->taught ? 0 : (double)score->right / (double)score->samples;
    const double height = score->loss / (double)score->samples;
    if (t->best[0] > right || (t->best[0] == right && t->best[1] <= height))
        return;
    t->best[0] = right;
    t->best[1] = height;
    t->best_at = t->at;
    for (int i = 0; i < t->simulation.parameter_count; i++)
        memcpy(t->best_numbers[i], t->simulation.parameters[i].value->data, (size_t)t->blocks[i].count * sizeof(float));
    for (int i = 0; i < t->simulation.range_count; i++) {
        const pass_range *range = &t->calibration.ranges[t->simulation.ranges[i].value];
        t->best_ranges[i][0] = range->low;
        t->best_ranges[i][1] = range->high;
    }
}

/* Without validation samples the last state is the best. */
bool trainer_validate(trainer *t, trainer_score *score, diag *d)
{
    session *s = &t->check;
    *score = (trainer_score){.samples = 0};
    const int64_t rows = t->loss.rows / t->options->batches.batch;
    for (int first = 0, count; first < t->batches.validation; first += count) {
        if (!batches_fill_validation(&t->batches, first, s->input_buffers[0], t->batch, &count, d) || !run(t, s, d))
            return false;
        score->loss += loss_of(t, s) * count;
        count_right(t, s, rows * count, score);
    }
    if (score->samples == 0) {
        t->best[0] = -1;
        keep_best(t, &(trainer_score){.samples = 1});
        return true;
    }
    keep_best(t, score);
    return true;
}

/* ---- States ---- */

enum { FIXED_BLOCKS = 5, BLOCKS_EACH = 4, CLIP_BLOCKS = 3 };

int trainer_block_count(const trainer *t)
{
    return FIXED_BLOCKS + BLOCKS_EACH * t->simulation.parameter_count + CLIP_BLOCKS * t->weight_clips.count +
           BATCH_NORM_STATES * t->norms.count;
}

void trainer_blocks(trainer *t, checkpoint_block blocks[])
{
    const size_t count = (size_t)t->simulation.range_count;
    int n = 0;
    blocks[n++] = (checkpoint_block){&t->at, sizeof t->at};
    blocks[n++] = (checkpoint_block){t->best, sizeof t->best};
    blocks[n++] = (checkpoint_block){&t->best_at, sizeof t->best_at};
    blocks[n++] = (checkpoint_block){t->best_ranges, count * sizeof *t->best_ranges};
    blocks[n++] = (checkpoint_block){t->ranges.items, count * sizeof *t->ranges.items};
    for (int i = 0; i < t->simulation.parameter_count; i++) {
        const size_t bytes = (size_t)t->blocks[i].count * sizeof(float);
        blocks[n++] = (checkpoint_block){t->blocks[i].numbers, bytes};
        blocks[n++] = (checkpoint_block){t->blocks[i].first, bytes};
        blocks[n++] = (checkpoint_block){t->blocks[i].second, bytes};
        blocks[n++] = (checkpoint_block){t->best_numbers[i], bytes};
    }
    for (int i = 0; i < t->weight_clips.count; i++) {
        const weight_clip *c = &t->weight_clips.items[i];
        const size_t bytes = (size_t)c->channels * sizeof(float);
        blocks[n++] = (checkpoint_block){c->thresholds, bytes};
        blocks[n++] = (checkpoint_block){c->first, bytes};
        blocks[n++] = (checkpoint_block){c->second, bytes};
    }
    batch_norms_states(&t->norms, &blocks[n]);
}

static bool are_finite(const float *numbers, size_t count)
{
    bool finite = true;
    for (size_t i = 0; i < count; i++)
        finite &= isfinite(numbers[i]) != 0;
    return finite;
}

bool trainer_resume(trainer *t)
{
    checkpoint_block *blocks = ARENA_ARRAY(t->wide.module.graph->arena, checkpoint_block, trainer_block_count(t));
    bool good = t->at >= 0 && t->at <= t->optimizer.steps && t->best_at >= 0 && t->best_at <= t->at &&
                are_finite(t->best_ranges[0], 2 * (size_t)t->simulation.range_count);
    trainer_blocks(t, blocks);
    for (int i = FIXED_BLOCKS; i < FIXED_BLOCKS + BLOCKS_EACH * t->simulation.parameter_count; i++)
        good = good && are_finite(blocks[i].data, blocks[i].bytes / sizeof(float));
    if (!good || !ranges_restore(&t->ranges) || !batch_norms_restore(&t->norms))
        return false;
    weight_clips_settle(&t->weight_clips);
    return true;
}

static void give_parameters(trainer *t)
{
    const simulation *s = &t->simulation;
    ir_graph *g = t->wide.narrow;
    ir_value **given = ARENA_ARRAY(g->arena, ir_value *, s->parameter_count + 1);
    for (int i = 0; i < s->use_count; i++) {
        const simulated_use *use = &s->uses[i];
        const simulated_parameter *p = &s->parameters[use->parameter];
        ir_value **v = &given[use->parameter];
        if (!*v) {
            const size_t bytes = (size_t)p->count * sizeof(float);
            *v = ir_const_new(g, p->value->type, NULL, arena_copy(g->arena, t->best_numbers[use->parameter], bytes));
            (*v)->name = p->value->name ? arena_format(g->arena, "%s", p->value->name) : NULL;
        }
        ir_set_operand(wide_narrow_op(&t->wide, use->op), use->slot, *v);
    }
}

void trainer_give(trainer *t, pass_range narrow[], uint32_t count, const char *note)
{
    for (int i = 0; i < t->simulation.range_count; i++) {
        pass_range *range = &t->calibration.ranges[t->simulation.ranges[i].value];
        range->low = t->best_ranges[i][0];
        range->high = t->best_ranges[i][1];
        range->note = note;
    }
    wide_give_ranges(&t->wide, t->calibration.ranges, narrow, count);
    give_parameters(t);
}
