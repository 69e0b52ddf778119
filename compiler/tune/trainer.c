/* trainer.c: opens three programs of one model, and runs them in turn.
 *
 *     batch ──┬── teacher ──── target ─┐
 *             └────────────────── step ┴── loss, ends of ranges, gradients ── optimizer ── weights, ranges ── step … */
#include "compiler/tune/trainer.h"

#include <math.h>
#include <string.h>

#include "compiler/quantize/twins.h"
#include "passes/gradients/gradients.h"

/* ---- Opening ---- */

static bool is_trainable(const ir_graph *g, diag *d)
{
    const ir_loc loc = ir_graph_loc(g);
    if (g->input_count != 1 || g->inputs[0]->type.rank < 1 || g->inputs[0]->type.dims[0] != 1)
        return diag_error(d, &loc, "training takes models with one input, whose first dimension is 1 in the file");
    for (const ir_op *op = g->first; op; op = op->next)
        if (ir_op_info_of(op->code)->flags & IR_STATE)
            return diag_error(d, &op->loc, "a model with state can't be trained");
    return true;
}

static bool open_teacher(trainer *t, const ir_graph *g, diag *d)
{
    driver_options real = twins_options(&t->driver, PASS_QUANTIZE_NONE);
    real.first_phase = PASS_PHASE_integer;
    t->taught = !t->samples->labels;
    return !t->taught || session_open_graph(&t->teacher, &real, ir_graph_copy(g), t->options->threads, d);
}

static loss_kind kind_of(const trainer *t, const ir_graph *g)
{
    if (t->options->loss == TRAINER_LOSS_AUTO)
        return t->samples->labels || loss_sees_softmax(g) ? LOSS_CROSS_ENTROPY : LOSS_SQUARED_ERROR;
    return t->options->loss == TRAINER_CROSS_ENTROPY ? LOSS_CROSS_ENTROPY : LOSS_SQUARED_ERROR;
}

static bool check_classes(const trainer *t, diag *d)
{
    if (!t->samples->labels)
        return true;
    if (t->loss.kind != LOSS_CROSS_ENTROPY || t->loss.rows != t->options->batches.batch)
        return diag_error(d, NULL, "labels go with the cross entropy of a model that has one class for a sample");
    for (int i = 0; i < t->samples->set.count; i++)
        if (t->samples->labels[i] < 0 || t->samples->labels[i] >= t->loss.classes)
            return diag_error(d, NULL, "class %ld of a sample: the model has %lld", t->samples->labels[i],
                              (long long)t->loss.classes);
    return true;
}

/* ---- Gradients ---- */

/* How many batch norms have an input that the loss's gradient by is wanted. */
static int trained_norms(const trainer *t) { return t->options->norms.kind == BATCH_NORMS_TRAIN ? t->norms.count : 0; }

static void find_wanted(const trainer *t, ir_value *wanted[])
{
    const simulation *s = &t->simulation;
    size_t count = 0;
    for (int i = 0; i < s->use_count; i++)
        wanted[count++] = s->graph->inputs[s->uses[i].input];
    for (int i = 0; i < s->range_count && ranges_are_trained(&t->options->ranges); i++) {
        const int grid = s->ranges[i].grid;
        if (grid < 0)
            continue;
        wanted[count++] = s->graph->inputs[s->grids[grid].low];
        wanted[count++] = s->graph->inputs[s->grids[grid].high];
        wanted[count++] = s->graph->inputs[s->grids[grid].scale];
    }
    for (int i = 0; i < trained_norms(t); i++)
        wanted[count++] = s->graph->inputs[t->norms.items[i].gamma_input];
}

static size_t wanted_count(const trainer *t)
{
    const simulation *s = &t->simulation;
    size_t count = (size_t)s->use_count;
    for (int i = 0; i < s->range_count && ranges_are_trained(&t->options->ranges); i++)
        count += s->ranges[i].grid >= 0 ? 3 : 0;
    return count + (size_t)trained_norms(t);
}

static bool add_gradients(trainer *t, diag *d)
{
    simulation *s = &t->simulation;
    ir_graph *g = s->graph;
    arena *a = t->wide.module.graph->arena;
    const size_t count = wanted_count(t);
    ir_value **wanted = ARENA_ARRAY(a, ir_value *, count + 1), **gradients = ARENA_ARRAY(a, ir_value *, count + 1);
    t->parameter_gradients = ARENA_ARRAY(a, uint32_t, s->use_count + 1);
    t->range_gradients = arena_alloc(a, sizeof *t->range_gradients * (size_t)(s->range_count + 1));
    find_wanted(t, wanted);
    if (!pass_gradients(g, t->loss.value, wanted, count, gradients, d))
        return false;
    uint32_t next = (uint32_t)g->output_count;
    for (size_t i = 0; i < count; i++)
        ir_output_add(g, gradients[i], "gradient");
    for (int i = 0; i < s->use_count; i++)
        t->parameter_gradients[i] = next++;
    for (int i = 0; i < s->range_count && ranges_are_trained(&t->options->ranges); i++)
        for (int k = 0; k < 3 && s->ranges[i].grid >= 0; k++)
            t->range_gradients[i][k] = next++;
    for (int i = 0; i < trained_norms(t); i++)
        t->norms.items[i].gamma_output = next++;
    return true;
}

/* How much a step's workspace takes when no more than `live` bytes of values are to be kept at a time; 0 after a diagnostic. */
static size_t lower_within(trainer *t, driver_options *real, const ir_graph *g, size_t live, diag *d)
{
    session_close(&t->step);
    real->live_bytes = (int64_t)live;
    return session_lower_graph(&t->step, real, ir_graph_copy(g), t->options->threads, d)
               ? t->step.module.graph->workspace_bytes
               : 0;
}

/* With as much kept as fits: values do not lie side by side without gaps, so what may be kept is found by halving. */
static bool lower_step(trainer *t, driver_options *real, const ir_graph *g, diag *d)
{
    enum { HALVINGS = 6 };
    const size_t most = t->options->memory;
    const size_t whole = lower_within(t, real, g, most ? most : INT64_MAX, d);
    size_t fits = 1, live = most;
    if (!most || (whole && whole <= most))
        return whole != 0;
    const size_t least = whole ? lower_within(t, real, g, fits, d) : 0;
    if (!least || least > most)
        return least && diag_error(d, NULL, "--memory: a step of %ld samples takes at least %zu bytes",
                                   t->options->batches.batch, least);
    for (int i = 0; i < HALVINGS; i++) {
        const size_t middle = fits + (live - fits) / 2;
        const size_t taken = lower_within(t, real, g, middle, d);
        if (!taken)
            return false;
        *(taken <= most ? &fits : &live) = middle;
    }
    return lower_within(t, real, g, fits, d) != 0;
}

static bool compile(trainer *t, diag *d)
{
    const driver_options real = twins_options(&t->driver, PASS_QUANTIZE_NONE);
    if (!session_open_graph(&t->check, &real, ir_graph_copy(t->simulation.graph), t->options->threads, d) ||
        !batch_norms_spell(&t->norms, d) || !add_gradients(t, d))
        return false;
    driver_options step = real;
    return lower_step(t, &step, t->simulation.graph, d) && session_compile(&t->step, &real, d);
}

/* ---- Blocks ---- */

/* Ranges have a rate of their own. */
static float share_of_ranges(const trainer *t)
{
    return t->options->range_rate > 0 ? (float)(t->options->range_rate / t->optimizer.rate) : 1;
}

/* Adam's steps have the size of its rate, whatever the numbers are: here they are in proportion to these. */
static void make_blocks(trainer *t)
{
    const bool in_proportion = t->optimizer.kind == OPTIMIZER_ADAM;
    const simulation *s = &t->simulation;
    arena *a = t->wide.module.graph->arena;
    t->blocks = ARENA_ARRAY(a, optimizer_block,
                            s->parameter_count + s->range_count + t->weight_clips.count + t->norms.count + 1);
    t->best_numbers = ARENA_ARRAY(a, float *, s->parameter_count + 1);
    t->best_ranges = arena_alloc(a, sizeof *t->best_ranges * (size_t)(s->range_count + 1));
    for (int i = 0; i < s->parameter_count; i++) {
        const simulated_parameter *p = &s->parameters[i];
        t->best_numbers[i] = ARENA_ARRAY(a, float, p->count + 1);
        const bool stays = p->decays && t->options->keep_weights;
        t->blocks[i] = (optimizer_block){.numbers = p->numbers,
                                         .gradient = ARENA_ARRAY(a, float, p->count + 1),
                                         .first = ARENA_ARRAY(a, float, p->count + 1),
                                         .second = ARENA_ARRAY(a, float, p->count + 1),
                                         .count = p->count,
                                         .decay = p->decays ? (float)t->options->decay : 0,
                                         .share = stays           ? 0
                                                  : in_proportion ? optimizer_size(p->numbers, p->count)
                                                                  : 1};
    }
    const float share = share_of_ranges(t);
    t->block_count = s->parameter_count;
    t->block_count += ranges_blocks(&t->ranges, in_proportion, share, &t->blocks[t->block_count]);
    t->block_count += weight_clips_blocks(&t->weight_clips, in_proportion, share, &t->blocks[t->block_count]);
    t->block_count += batch_norms_blocks(&t->norms, in_proportion, t->blocks, t->block_count);
}

static bool open(trainer *t, const driver_options *o, const char *file, ir_graph *graph, const preprocessing *p,
                 diag *d)
{
    const qcc_tensor_info info = session_info_of(graph->inputs[0], graph->input_names[0]);
    const trainer_options *own = t->options;
    if (!is_trainable(graph, d) || !wide_open(&t->wide, o, file, own->batches.batch, graph, d) ||
        !batches_open(&t->batches, &own->batches, &t->samples->set, p, &info, d))
        return false;
    ir_graph *g = t->wide.module.graph;
    if (!open_teacher(t, g, d))
        return false;
    wide_take(&t->wide);
    t->calibration = *o->calibration;
    t->calibration.ranges = wide_ranges(&t->wide, o->calibration->ranges, o->calibration->count);
    t->calibration.count = g->next_id;
    t->driver.calibration = &t->calibration;
    if (!simulate(g, &t->driver, !ranges_are_trained(&own->ranges), &t->simulation, d) ||
        !loss_add(t->simulation.graph, g, kind_of(t, g), &t->loss, d) || !check_classes(t, d))
        return false;
    ranges_open(&t->ranges, &own->ranges, &t->simulation, t->calibration.ranges, t->calibration.symmetric, g->arena);
    if (!batch_norms_open(&t->norms, &own->norms, &t->simulation, &t->wide, d))
        return false;
    weight_clips_open(&t->weight_clips, &own->weight_clips, &t->simulation, t->calibration.weights_per_tensor,
                      g->arena);
    t->optimizer = own->optimizer;
    t->optimizer.steps = own->epochs * batches_per_epoch(&t->batches);
    t->batch = ARENA_ARRAY(g->arena, int, own->batches.batch);
    t->best[0] = -1;
    make_blocks(t);
    return compile(t, d);
}

bool trainer_open(trainer *t, const trainer_options *options, const driver_options *o, const char *file,
                  ir_graph *graph, const labelled_samples *samples, const preprocessing *p, diag *d)
{
    *t = (trainer){.options = options, .samples = samples, .driver = *o};
    t->driver.calibrate = NULL;
    return open(t, o, file, graph, p, d);
}

void trainer_close(trainer *t)
{
    session_close(&t->check); /* shares constants with the next */
    session_close(&t->step);
    session_close(&t->teacher);
    simulate_free(&t->simulation);
    batches_close(&t->batches);
    wide_close(&t->wide);
    *t = (trainer){0};
}

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
