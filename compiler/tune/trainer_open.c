/* trainer_open.c: three programs of one model: what is trained in them, gradients, and what the optimizer moves.
 *
 *     the wide graph ─ real ──────────────────────────────────────────▶ teacher     what the model of real numbers gives
 *                    └ simulated + loss ──────────────────────────────▶ check       validation
 *                                       └ batch norms + gradients ────▶ step        as much kept as --memory has room for */
#include "compiler/quantize/twins.h"
#include "compiler/tune/trainer.h"
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
