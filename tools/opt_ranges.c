/* opt_ranges.c: --range of qcc-opt, as a table by the ids of the graph's values. */
#include "tools/opt_ranges.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool is_called(const ir_value *v, const char *name, size_t length)
{
    char number[16];
    const int digits = snprintf(number, sizeof number, "%%%u", v->id);
    const char *own = v->name ? v->name : "";
    return (strlen(own) == length && memcmp(own, name, length) == 0) ||
           ((size_t)digits == length && memcmp(number, name, length) == 0);
}

static const ir_value *find(const ir_graph *g, const char *name, size_t length)
{
    for (int32_t i = 0; i < g->input_count; i++)
        if (is_called(g->inputs[i], name, length))
            return g->inputs[i];
    for (const ir_op *op = g->first; op; op = op->next)
        for (int i = 0; i < ir_op_info_of(op->code)->results; i++)
            if (is_called(op->results[i], name, length))
                return op->results[i];
    return NULL;
}

/* "LOW:HIGH", behind which *text is then. */
static bool read_ends(const char **text, float *low, float *high)
{
    char *colon, *end;
    *low = strtof(*text, &colon);
    if (colon == *text || *colon != ':')
        return false;
    *high = strtof(colon + 1, &end);
    const bool good = end != colon + 1 && *low <= *high;
    *text = end;
    return good;
}

/* "LOW:HIGH", or as many as there are channels, with commas between; all numbers of a channel being as frequent. */
static bool read_range(const ir_value *v, const char *text, arena *a, pass_range *range, pass_channels *channels)
{
    const int64_t count = v->type.rank > 0 ? v->type.dims[v->type.rank - 1] : 1;
    float *low = ARENA_ARRAY(a, float, count + 1), *high = ARENA_ARRAY(a, float, count + 1);
    double *square = ARENA_ARRAY(a, double, count + 1);
    int64_t seen = 0;
    *range = (pass_range){.known = true, .low = INFINITY, .high = -INFINITY, .note = "given"};
    for (const char *rest = text; seen <= count; rest++) {
        if (!read_ends(&rest, &low[seen], &high[seen]))
            return false;
        const double l = (double)low[seen], h = (double)high[seen];
        square[seen] = (l * l + l * h + h * h) / 3;
        range->low = fminf(range->low, low[seen]);
        range->high = fmaxf(range->high, high[seen++]);
        if (!*rest) {
            *channels = seen == count ? (pass_channels){count, low, high, square} : (pass_channels){0};
            return seen == 1 || seen == count;
        }
        if (*rest != ',')
            return false;
    }
    return false;
}

bool opt_ranges(const ir_graph *g, const driver_list *items, pass_calibration *out, diag *d)
{
    pass_channels *channels = ARENA_ARRAY(g->arena, pass_channels, g->next_id);
    out->ranges = ARENA_ARRAY(g->arena, pass_range, g->next_id);
    out->channels = channels;
    out->count = g->next_id;
    for (int i = 0; i < items->count; i++) {
        const char *text = items->item[i], *equals = strrchr(text, '=');
        const ir_value *v = equals ? find(g, text, (size_t)(equals - text)) : NULL;
        if (equals && !v)
            return diag_error(d, NULL, "--range: there is no value '%.*s'", (int)(equals - text), text);
        if (!v || !read_range(v, equals + 1, g->arena, &out->ranges[v->id], &channels[v->id]))
            return diag_error(d, NULL, "--range: '%s' is not of the form VALUE=LOW:HIGH", text);
    }
    return true;
}
