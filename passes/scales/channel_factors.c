/* channel_factors.c: what rounding costs, in values and in the weights that read them, and the factors with which it is
 * least.
 *
 * Classes that share a value share its steps, so their factors are chosen together: a set.  Sets are independent. */
#include "passes/scales/channel_factors.h"

#include <math.h>

#define MOST_FACTOR 0x1p8
#define GAIN 0.9 /* of the cost before, at most, for a set to be changed */
/* Narrow channels go half the way at most: other data than the samples reach further, first of all in channels in which
 * little was seen.  What the estimate leaves out is larger for weights, whose errors are the same for each element. */
#define MOST_EXPONENT 0.5
#define WEIGHTS 2

typedef struct reader { /* a product that takes factors back */
    const ir_op *op;
    int64_t in, out, taps;
    /* Out x in: the largest magnitude of the taps' weights; NULL: rows of one channel, whose steps follow. */
    double *most;
} reader;

typedef struct choice {
    const ir_graph *g;
    const pass_calibration *given;
    channel_classes classes;
    arena *arena;
    /* By number of a channel, for those that stay as they are, and by class for all others: the largest magnitude and
     * mean square, and of the weights that read it the largest and the sum of squares. */
    double *range, *power, *weight, *square;
    uint32_t *set;           /* by class: another one of its set, or itself */
    double *factor;          /* by class */
    const ir_value **values; /* that have a range */
    reader *readers;
    int value_count, reader_count;
} choice;

/* ---- Channels ---- */

static const pass_channels *channels_of(const choice *c, const ir_value *v)
{
    const bool known = v->id < c->given->count && c->given->ranges[v->id].known && c->classes.count[v->id] > 0;
    return known && c->given->channels[v->id].count == c->classes.count[v->id] ? &c->given->channels[v->id] : NULL;
}

static uint32_t slot_of(const choice *c, const ir_value *v, int64_t channel)
{
    const uint32_t class = channel_class(&c->classes, v, channel);
    return class != CHANNEL_FIXED ? class : (uint32_t)(c->classes.first[v->id] + channel);
}

static double factor_of(const choice *c, const ir_value *v, int64_t channel)
{
    return c->factor[channel_class(&c->classes, v, channel)];
}

static uint32_t set_of(const choice *c, uint32_t class)
{
    while (c->set[class] != class)
        class = c->set[class] = c->set[c->set[class]];
    return class;
}

/* The set of the first channel that is in one; CHANNEL_FIXED. */
static uint32_t set_of_value(const choice *c, const ir_value *v)
{
    uint32_t class = CHANNEL_FIXED;
    for (int64_t i = 0; i < c->classes.count[v->id] && class == CHANNEL_FIXED; i++)
        class = channel_class(&c->classes, v, i);
    return set_of(c, class);
}

/* ---- Values and readers ---- */

static void add_value(choice *c, const ir_value *v)
{
    const pass_channels *channels = channels_of(c, v);
    if (!channels)
        return;
    const uint32_t first = set_of_value(c, v);
    c->values[c->value_count++] = v;
    for (int64_t i = 0; i < channels->count; i++) {
        const uint32_t slot = slot_of(c, v, i), class = channel_class(&c->classes, v, i);
        c->range[slot] = fmax(c->range[slot], fmax((double)channels->high[i], -(double)channels->low[i]));
        c->power[slot] = fmax(c->power[slot], channels->square[i]);
        if (class != CHANNEL_FIXED)
            c->set[set_of(c, class)] = first;
    }
}

static void add_reader(choice *c, const ir_op *op)
{
    if (!channel_takes_factors(op)) /* nor, perhaps, operands */
        return;
    const ir_value *x = op->operands[0].value, *w = op->operands[1].value;
    const int64_t elements = ir_type_elements(&w->type), in = c->classes.count[x->id],
                  out = c->classes.count[op->results[0]->id];
    if (in == 0 || elements == 0)
        return;
    reader *r = &c->readers[c->reader_count++];
    *r = (reader){op, in, out, elements / in / out, NULL};
    if (op->code != IR_DEPTHWISE_CONV2D)
        r->most = ARENA_ARRAY(c->arena, double, in *out);
    for (int64_t i = 0; i < elements; i++) {
        const channel_pair pair = channel_of_weight(op, i);
        const uint32_t slot = slot_of(c, x, pair.in);
        const double weight = fabs(ir_const_real(w, i));
        c->weight[slot] = fmax(c->weight[slot], weight);
        c->square[slot] += weight * weight;
        if (r->most)
            r->most[pair.out * in + pair.in] = fmax(r->most[pair.out * in + pair.in], weight);
    }
}

/* ---- Costs, in squares of the readers' results ---- */

static double cost_of_value(const choice *c, const ir_value *v)
{
    const pass_channels *channels = channels_of(c, v);
    double low = 0, high = 0, squares = 0;
    for (int64_t i = 0; i < channels->count; i++) {
        const double factor = factor_of(c, v, i);
        low = fmin(low, (double)channels->low[i] / factor);
        high = fmax(high, (double)channels->high[i] / factor);
        squares += factor * factor * c->square[slot_of(c, v, i)];
    }
    return (high - low) * (high - low) / (UINT8_MAX * UINT8_MAX) * squares;
}

static double cost_of_reader(const choice *c, const reader *r)
{
    const ir_value *x = r->op->operands[0].value;
    double power = 0, steps = 0;
    for (int64_t i = 0; i < r->in; i++)
        power += c->power[slot_of(c, x, i)] / (factor_of(c, x, i) * factor_of(c, x, i));
    for (int64_t o = 0; r->most && o < r->out; o++) {
        double most = 0;
        for (int64_t i = 0; i < r->in; i++)
            most = fmax(most, r->most[o * r->in + i] * factor_of(c, x, i));
        steps += most * most / (INT8_MAX * INT8_MAX);
    }
    return WEIGHTS * steps * power * (double)r->taps;
}

static double cost_of_set(const choice *c, uint32_t set)
{
    double cost = 0;
    for (int i = 0; i < c->value_count; i++)
        if (set_of_value(c, c->values[i]) == set)
            cost += cost_of_value(c, c->values[i]);
    for (int i = 0; i < c->reader_count; i++)
        if (set_of_value(c, c->readers[i].op->operands[0].value) == set)
            cost += cost_of_reader(c, &c->readers[i]);
    return cost;
}

/* ---- Factors ---- */

/* What stays as it is in values of the set, or, where nothing does, the largest of all. */
static double reference(const choice *c, uint32_t set, const double *of)
{
    double fixed = 0, all = 0;
    for (int i = 0; i < c->value_count; i++) {
        const ir_value *v = c->values[i];
        if (set_of_value(c, v) != set)
            continue;
        for (int64_t k = 0; k < c->classes.count[v->id]; k++) {
            const double number = of[slot_of(c, v, k)];
            if (channel_class(&c->classes, v, k) == CHANNEL_FIXED)
                fixed = fmax(fixed, number);
            all = fmax(all, number);
        }
    }
    return fixed > 0 ? fixed : all;
}

static double power_of(double number, double reference, double exponent)
{
    return exponent > 0 && number > 0 && reference > 0 ? pow(number / reference, exponent) : 1;
}

static void set_factors(choice *c, uint32_t set, double a, double b)
{
    const double range = reference(c, set, c->range), weight = reference(c, set, c->weight);
    for (uint32_t class = CHANNEL_FIXED + 1; class < c->classes.channels; ++class)
        if (set_of(c, class) == set && c->classes.parent[class] == class) {
            const double factor = power_of(c->range[class], range, a) / power_of(c->weight[class], weight, b);
            c->factor[class] = fmin(fmax(factor, 1 / MOST_FACTOR), MOST_FACTOR);
        }
}

static bool choose_set(choice *c, uint32_t set)
{
    static const double exponents[] = {0, MOST_EXPONENT / 4, MOST_EXPONENT / 2, MOST_EXPONENT * 3 / 4, MOST_EXPONENT};
    enum { COUNT = sizeof exponents / sizeof exponents[0] };
    double best = GAIN * cost_of_set(c, set), best_a = 0, best_b = 0;
    for (int a = 0; a < COUNT; a++)
        for (int b = 0; b < COUNT; b += 2) {
            set_factors(c, set, exponents[a], exponents[b]);
            const double cost = cost_of_set(c, set);
            if (cost < best) {
                best = cost;
                best_a = exponents[a];
                best_b = exponents[b];
            }
        }
    set_factors(c, set, best_a, best_b);
    return best_a > 0 || best_b > 0;
}

/* ---- All ---- */

static choice begin(const ir_graph *g, const pass_calibration *given, bool gates, arena *a)
{
    bool *fixed = ARENA_ARRAY(a, bool, g->next_id);
    uint32_t ops = 0;
    for (uint32_t id = 0; id < g->next_id && id < given->count; id++)
        fixed[id] = given->ranges[id].known && given->channels[id].count == 0;
    for (const ir_op *op = g->first; op; op = op->next)
        ops++;
    choice c = {.g = g, .given = given, .classes = channel_classes_find(g, fixed, gates, a), .arena = a};
    c.range = ARENA_ARRAY(a, double, c.classes.channels);
    c.power = ARENA_ARRAY(a, double, c.classes.channels);
    c.weight = ARENA_ARRAY(a, double, c.classes.channels);
    c.square = ARENA_ARRAY(a, double, c.classes.channels);
    c.factor = ARENA_ARRAY(a, double, c.classes.channels);
    c.set = ARENA_ARRAY(a, uint32_t, c.classes.channels);
    c.values = ARENA_ARRAY(a, const ir_value *, g->next_id);
    c.readers = ARENA_ARRAY(a, reader, ops);
    for (uint32_t i = 0; i < c.classes.channels; i++) {
        c.factor[i] = 1;
        c.set[i] = i;
    }
    return c;
}

static void look(choice *c)
{
    for (int32_t i = 0; i < c->g->input_count; i++)
        add_value(c, c->g->inputs[i]);
    for (const ir_op *op = c->g->first; op; op = op->next)
        for (int i = 0; i < ir_op_info_of(op->code)->results; i++)
            add_value(c, op->results[i]);
    for (const ir_op *op = c->g->first; op; op = op->next)
        add_reader(c, op);
}

channel_factors channel_factors_choose(const ir_graph *g, const pass_calibration *given, bool gates, arena *a)
{
    choice c = begin(g, given, gates, a);
    channel_factors out = {c.classes, NULL};
    bool any = false;
    look(&c);
    bool *done = ARENA_ARRAY(a, bool, c.classes.channels);
    for (int i = 0; i < c.value_count; i++) {
        const uint32_t set = set_of_value(&c, c.values[i]);
        if (set != CHANNEL_FIXED && !done[set])
            any |= choose_set(&c, set);
        done[set] = true;
    }
    out.factor = any ? ARENA_ARRAY(a, float, c.classes.channels) : NULL;
    for (uint32_t i = 0; any && i < c.classes.channels; i++)
        out.factor[i] = (float)c.factor[i];
    return out;
}

float channel_factor(const channel_factors *f, const ir_value *v, int64_t channel)
{
    return f->factor[channel_class(&f->classes, v, channel)];
}
