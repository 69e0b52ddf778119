/* ranges_file.c: a line a value: its ends, as short as they read back the same, and its name, which may have blanks. */
#define _GNU_SOURCE
#include "compiler/quantize/statistics/ranges_file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/driver.h"

const char *const *ranges_file_names(const stats *of, arena *a)
{
    char name[STATS_NAME_BYTES];
    const char **names = ARENA_ARRAY(a, const char *, of->count + 1);
    for (int i = 0; i < of->count; i++) {
        stats_name(of->values[i].value, name);
        names[i] = arena_string(a, name, strlen(name));
    }
    return names;
}

char *ranges_file_text(const stats *of, const char *const names[], const pass_range ranges[])
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    if (!out)
        return NULL;
    fprintf(out, "# low high value\n");
    for (int i = 0; i < of->count; i++) {
        const pass_range *r = &ranges[of->values[i].value->id];
        if (r->known)
            fprintf(out, "%.9g %.9g %s\n", (double)r->low, (double)r->high, names[i]);
    }
    const bool good = !ferror(out);
    if (fclose(out) == 0 && good)
        return text;
    free(text);
    return NULL;
}

/* All values of that name. */
static bool set(const stats *of, pass_range ranges[], const char *called, const pass_range *to)
{
    char name[STATS_NAME_BYTES];
    bool found = false;
    for (int i = 0; i < of->count; i++) {
        const ir_value *v = of->values[i].value;
        if (strcmp(stats_name(v, name), called) != 0)
            continue;
        ranges[v->id] = *to;
        found = true;
    }
    return found;
}

static bool read_line(char *line, const stats *of, pass_range ranges[], const char *note, const ir_loc *loc, diag *d)
{
    char *end, *name;
    const float low = strtof(line, &end), high = strtof(end, &name);
    if (end == line || name == end || (*name != ' ' && *name != '\t'))
        return diag_error(d, loc, "not of the form LOW HIGH VALUE");
    name += strspn(name, " \t");
    if (!isfinite(low) || !isfinite(high) || low > high)
        return diag_error(d, loc, "no range from %g to %g", (double)low, (double)high);
    return set(of, ranges, name, &(pass_range){true, low, high, 0, note}) ||
           diag_error(d, loc, "no value '%s' becomes integers", name);
}

bool ranges_file_read(const char *path, const stats *of, pass_range ranges[], const char *note, diag *d)
{
    ir_loc loc = {.file = path, .subgraph = -1, .node = 0};
    uint8_t *bytes;
    size_t size;
    if (!driver_read_file(path, &bytes, &size, d))
        return false;
    char *rest = (char *)bytes;
    bool good = true;
    for (char *line; good && (line = strsep(&rest, "\n"));) {
        loc.node++;
        line[strcspn(line, "\r")] = 0;
        line += strspn(line, " \t");
        if (*line && *line != '#')
            good = read_line(line, of, ranges, note, &loc, d);
    }
    free(bytes);
    return good;
}
