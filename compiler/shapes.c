/* shapes.c: see shapes.h. */
#include "compiler/shapes.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* ---- Texts ---- */

static const char *after_number(const char *c)
{
    while (isdigit((unsigned char)*c))
        c++;
    return c;
}

/* Behind "{1,2}", or a number; NULL: it is neither. */
static const char *after_extent(const char *c)
{
    if (*c != '{')
        return isdigit((unsigned char)*c) ? after_number(c) : NULL;
    do {
        if (!isdigit((unsigned char)*++c))
            return NULL;
        c = after_number(c);
    } while (*c == ',');
    return *c == '}' ? c + 1 : NULL;
}

bool shapes_well_formed(const char *numbers)
{
    const char *c = after_extent(numbers);
    while (c && *c == 'x')
        c = after_extent(c + 1);
    return c && !*c;
}

/* ---- Lists ---- */

/* Where the lists of all options are, in their order; the texts are well-formed. */
typedef struct lists {
    const char *at[SHAPES_MOST];
    int choices[SHAPES_MOST];
    int count;
    int shapes; /* of all choices; SHAPES_MOST + 1: too many */
} lists;

static void find_lists(lists *l, const char *text)
{
    for (const char *c = strchr(text, '{'); c; c = strchr(c + 1, '{')) {
        int choices = 1;
        for (const char *end = c; *end != '}'; end++)
            choices += *end == ',';
        if (l->count == SHAPES_MOST || choices > SHAPES_MOST / l->shapes) {
            l->shapes = SHAPES_MOST + 1;
            return;
        }
        l->shapes *= choices;
        l->at[l->count] = c;
        l->choices[l->count++] = choices;
    }
}

static const char *shape_of(const char *option) { return strrchr(option, ':') + 1; }

static lists lists_of(const driver_options *o)
{
    lists l = {.shapes = 1};
    if (o->batches)
        find_lists(&l, o->batches);
    for (int i = 0; i < o->input_shapes.count && l.shapes <= SHAPES_MOST; i++)
        find_lists(&l, shape_of(o->input_shapes.item[i]));
    return l;
}

int shapes_count(const driver_options *o) { return lists_of(o).shapes; }

/* The choice of each list. */
static void choose(lists *l, int index, int picks[])
{
    for (int i = l->count - 1; i >= 0; i--) {
        picks[i] = index % l->choices[i];
        index /= l->choices[i];
    }
}

/* The text with one number for each list; *nth is the number of its first list. */
static const char *chosen(const lists *l, const int picks[], const char *text, int *nth, arena *a)
{
    char *out = arena_string(a, text, strlen(text)), *to = out;
    for (const char *c = text; *c; c++) {
        if (*nth < l->count && c == l->at[*nth]) {
            const char *number = c + 1;
            for (int skip = picks[(*nth)++]; skip > 0; skip--)
                number = strchr(number, ',') + 1;
            const size_t length = (size_t)(after_number(number) - number);
            memcpy(to, number, length);
            to += length;
            c = strchr(c, '}');
        } else {
            *to++ = *c;
        }
    }
    *to = 0;
    return out;
}

driver_options shapes_take(const driver_options *o, int index, arena *a)
{
    driver_options one = *o;
    lists l = lists_of(o);
    int picks[SHAPES_MOST], nth = 0;
    choose(&l, index, picks);
    if (o->batches)
        one.batch = strtol(chosen(&l, picks, o->batches, &nth, a), NULL, 10);
    one.batches = NULL;
    for (int i = 0; i < o->input_shapes.count; i++)
        one.input_shapes.item[i] = chosen(&l, picks, o->input_shapes.item[i], &nth, a);
    return one;
}

/* ---- What they make ---- */

static const ir_graph *graph_of(const driver_module *m, int number)
{
    return number ? m->further[number - 1] : m->graph;
}

static bool same_inputs(const ir_graph *a, const ir_graph *b)
{
    for (int32_t i = 0; i < a->input_count; i++)
        if (!ir_type_equal(&a->inputs[i]->type, &b->inputs[i]->type))
            return false;
    return true;
}

bool shapes_fit(const driver_module *m, diag *d)
{
    const ir_loc loc = {.file = m->file, .subgraph = -1, .node = -1};
    for (const ir_op *op = m->graph->first; op && m->further_count; op = op->next)
        if (ir_op_info_of(op->code)->flags & IR_STATE)
            return diag_error(d, &op->loc, "a model with a state is compiled for one shape of its inputs");
    for (int i = 1; i <= m->further_count; i++)
        for (int k = 0; k < i; k++)
            if (same_inputs(graph_of(m, i), graph_of(m, k)))
                return diag_error(d, &loc, "shapes %d and %d of those listed are the same for all inputs", k + 1,
                                  i + 1);
    return true;
}
