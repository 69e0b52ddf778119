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

bool opt_ranges(const ir_graph *g, const driver_list *items, pass_calibration *out, diag *d)
{
    pass_range *ranges = ARENA_ARRAY(g->arena, pass_range, g->next_id);
    out->ranges = ranges;
    out->count = g->next_id;
    for (int i = 0; i < items->count; i++) {
        const char *text = items->item[i], *equals = strrchr(text, '=');
        char *colon = NULL, *end = NULL;
        pass_range range = {.known = true, .note = "given"};
        if (equals)
            range.low = strtof(equals + 1, &colon);
        if (colon && *colon == ':')
            range.high = strtof(colon + 1, &end);
        if (!end || end == colon + 1 || *end || colon == equals + 1 || !(range.low <= range.high))
            return diag_error(d, NULL, "--range: '%s' is not of the form VALUE=LOW:HIGH", text);
        const ir_value *v = find(g, text, (size_t)(equals - text));
        if (!v)
            return diag_error(d, NULL, "--range: there is no value '%.*s'", (int)(equals - text), text);
        ranges[v->id] = range;
    }
    return true;
}
