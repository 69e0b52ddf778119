/* classes.c: reads names, ranks scores. */
#define _GNU_SOURCE
#include "tools/classes.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/run/show_output.h"

typedef struct class_names {
    char *text; /* owned, in it the lines */
    char **lines;
    int64_t count;
} class_names;

/* A name may be on a terminal: no bytes that do something there. */
static void make_safe(char *line)
{
    for (; *line; line++)
        if (iscntrl((unsigned char)*line))
            *line = ' ';
}

static bool split(class_names *n, size_t size, diag *d)
{
    size_t room = 1;
    for (size_t i = 0; i < size; i++)
        room += n->text[i] == '\n';
    n->lines = calloc(room, sizeof *n->lines);
    if (!n->lines)
        return diag_out_of_memory(d, NULL);
    char *rest = n->text;
    for (char *line; (line = strsep(&rest, "\n"));) {
        line[strcspn(line, "\r")] = 0;
        make_safe(line);
        n->lines[n->count++] = line;
    }
    while (n->count > 0 && !*n->lines[n->count - 1]) /* what follows the last one */
        n->count--;
    return true;
}

static bool load(const char *path, class_names *out, diag *d)
{
    uint8_t *text;
    size_t size;
    *out = (class_names){0};
    if (!path)
        return true;
    if (!driver_read_file(path, &text, &size, d))
        return false;
    out->text = (char *)text;
    return split(out, size, d);
}

static void release(class_names *n)
{
    free(n->lines);
    free(n->text);
}

/* The output that has the scores. */
static bool find_scores(const session *s, const class_options *o, const class_names *n, uint32_t *out, diag *d)
{
    const ir_loc loc = {.file = o->names, .subgraph = -1, .node = -1};
    for (*out = 0; *out < s->output_count; (*out)++) {
        const ir_type *type = &s->output_types[*out];
        if (show_is_row(type) && (!o->names || ir_type_elements(type) == n->count + o->offset))
            return true;
    }
    if (!o->names)
        return diag_error(d, NULL, "no output has a score for each class");
    const bool one = s->output_count == 1 && show_is_row(&s->output_types[0]);
    diag_error(d, &loc, "%" PRId64 " names, and no output with as many scores", n->count);
    if (one)
        diag_add(d, ": there are %" PRId64 "; --label-offset=N says that the first name is of class N",
                 ir_type_elements(&s->output_types[0]));
    return false;
}

/* Whether class a comes before class b: a larger score, or an equal one and a smaller number. */
static bool is_before(const session *s, uint32_t output, int64_t a, int64_t b)
{
    const double x = session_real(s, output, a), y = session_real(s, output, b);
    return x > y || (x == y && a < b) || (isnan(y) && !isnan(x));
}

/* The best of those that come after `last`; -1: there is none, or, as `last`, all are asked. */
static int64_t next(const session *s, uint32_t output, int64_t last)
{
    const int64_t count = ir_type_elements(&s->output_types[output]);
    int64_t best = -1;
    for (int64_t i = 0; i < count; i++)
        if (!isnan(session_real(s, output, i)) && (last < 0 || is_before(s, output, last, i)) &&
            (best < 0 || is_before(s, output, i, best)))
            best = i;
    return best;
}

static void print(const session *s, uint32_t output, const class_options *o, const class_names *n)
{
    const int64_t count = ir_type_elements(&s->output_types[output]), shown = o->top < count ? o->top : count;
    int64_t at = -1;
    printf("%s: %" PRId64 " best of %" PRId64 " classes\n", s->outputs[output].name, shown, count);
    for (int64_t i = 0; i < shown && (at = next(s, output, at)) >= 0; i++) {
        const int64_t line = at - o->offset;
        const bool named = line >= 0 && line < n->count;
        printf("%10.4f  class %" PRId64 "%s%s\n", session_real(s, output, at), at, named ? ": " : "",
               named ? n->lines[line] : "");
    }
}

bool classes_print(const session *s, const class_options *o, diag *d)
{
    class_names names;
    uint32_t output;
    const bool good = load(o->names, &names, d) && find_scores(s, o, &names, &output, d);
    if (good)
        print(s, output, o, &names);
    release(&names);
    return good;
}
