/* stats.c: observers of a graph's values. */
#include "compiler/quantize/statistics/stats.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool add_value(stats *s, const ir_value *v, diag *d)
{
    stats_value *to = &s->values[s->count];
    *to = (stats_value){.value = v};
    s->count++; /* stats_free takes it as it is */
    const int64_t channels = v->type.rank > 0 ? v->type.dims[v->type.rank - 1] : 1;
    to->channel_low = malloc((size_t)channels * sizeof *to->channel_low + 1);
    to->channel_high = malloc((size_t)channels * sizeof *to->channel_high + 1);
    to->channel_squares = calloc((size_t)channels + 1, sizeof *to->channel_squares);
    if (!to->channel_low || !to->channel_high || !to->channel_squares || !observer_init(&to->seen))
        return diag_out_of_memory(d, NULL);
    to->channels = channels;
    for (int64_t i = 0; i < channels; i++) {
        to->channel_low[i] = INFINITY;
        to->channel_high[i] = -INFINITY;
    }
    return true;
}

static bool add_wanted(stats *s, const ir_graph *g, const bool *wanted, diag *d)
{
    for (int32_t i = 0; i < g->input_count; i++)
        if (wanted[g->inputs[i]->id] && !add_value(s, g->inputs[i], d))
            return false;
    for (const ir_op *op = g->first; op; op = op->next)
        for (int i = 0; i < ir_op_info_of(op->code)->results; i++)
            if (wanted[op->results[i]->id] && !add_value(s, op->results[i], d))
                return false;
    return true;
}

bool stats_init(stats *s, const ir_graph *g, const bool *wanted, diag *d)
{
    *s = (stats){.graph = stats_graph_hash(g), .values = calloc((size_t)g->next_id + 1, sizeof *s->values)};
    if (s->values ? add_wanted(s, g, wanted, d) : diag_out_of_memory(d, NULL))
        return true;
    stats_free(s);
    return false;
}

bool stats_init_like(stats *s, const stats *like, diag *d)
{
    *s = (stats){.graph = like->graph, .values = calloc((size_t)like->count + 1, sizeof *s->values)};
    bool good = s->values != NULL || diag_out_of_memory(d, NULL);
    for (int i = 0; good && i < like->count; i++)
        good = add_value(s, like->values[i].value, d);
    if (!good)
        stats_free(s);
    return good;
}

void stats_free(stats *s)
{
    for (int i = 0; i < s->count; i++) {
        observer_free(&s->values[i].seen);
        free(s->values[i].channel_low);
        free(s->values[i].channel_high);
        free(s->values[i].channel_squares);
    }
    free(s->values);
    *s = (stats){0};
}

static void widen(stats_value *to, const float low[], const float high[])
{
    for (int64_t i = 0; i < to->channels; i++) {
        to->channel_low[i] = low[i] < to->channel_low[i] ? low[i] : to->channel_low[i];
        to->channel_high[i] = high[i] > to->channel_high[i] ? high[i] : to->channel_high[i];
    }
}

void stats_see_channels(stats_value *s, const float values[])
{
    const int64_t count = ir_type_elements(&s->value->type);
    for (int64_t i = 0; i < count; i += s->channels) {
        widen(s, values + i, values + i);
        for (int64_t k = 0; k < s->channels; k++)
            s->channel_squares[k] += (double)values[i + k] * (double)values[i + k];
    }
}

void stats_move_squares(stats_value *from, stats_value *to)
{
    for (int64_t i = 0; i < to->channels; i++) {
        to->channel_squares[i] += from->channel_squares[i];
        from->channel_squares[i] = 0;
    }
}

bool stats_merge(stats *s, const stats *other, diag *d)
{
    for (int i = 0; i < s->count; i++) {
        if (!observer_merge(&s->values[i].seen, &other->values[i].seen))
            return diag_out_of_memory(d, NULL);
        widen(&s->values[i], other->values[i].channel_low, other->values[i].channel_high);
        for (int64_t k = 0; k < s->values[i].channels; k++)
            s->values[i].channel_squares[k] += other->values[i].channel_squares[k];
    }
    s->samples += other->samples;
    return true;
}

/* ---- What they are of ---- */

static uint64_t hash_type(const ir_type *t, uint64_t h)
{
    h = ir_hash_bytes(&t->dtype, sizeof t->dtype, h);
    return ir_hash_bytes(t->dims, (size_t)t->rank * sizeof t->dims[0], h);
}

uint64_t stats_graph_hash(const ir_graph *g)
{
    uint64_t h = 0;
    for (int32_t i = 0; i < g->input_count; i++)
        h = hash_type(&g->inputs[i]->type, h);
    for (const ir_op *op = g->first; op; op = op->next) {
        const uint64_t own = ir_op_hash(op);
        h = ir_hash_bytes(&own, sizeof own, h);
        for (int i = 0; i < op->operand_count; i++) {
            const ir_value *v = op->operands[i].value;
            if (v && ir_is_const(v))
                h = ir_hash_bytes(v->data, ir_type_bytes(&v->type), hash_type(&v->type, h));
        }
    }
    return h;
}

const char *stats_name(const ir_value *v, char text[STATS_NAME_BYTES])
{
    if (v->name && *v->name)
        snprintf(text, STATS_NAME_BYTES, "%s", v->name);
    else
        snprintf(text, STATS_NAME_BYTES, "%%%u", v->id);
    return text;
}
