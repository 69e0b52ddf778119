/* labels.c: a line of the labels file is a sample: its file's name and its class, or its class alone. */
#define _GNU_SOURCE
#include "compiler/run/labels.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "compiler/driver.h"

enum { MAX_COLUMNS = 32 };

/* ---- The labels file ---- */

/* Cuts a line into its columns, in place: at tabs if it has any, at blanks otherwise. */
static int split(char *line, char *columns[MAX_COLUMNS])
{
    const char *separators = strchr(line, '\t') ? "\t\r" : " ,\r";
    int count = 0;
    char *rest, *at = strtok_r(line, separators, &rest);
    for (; at && count < MAX_COLUMNS; at = strtok_r(NULL, separators, &rest))
        columns[count++] = at;
    return count;
}

static bool whole_number(const char *text, long *out)
{
    char *end;
    *out = strtol(text, &end, 10);
    return end != text && !*end;
}

/* "index1001" ends in 1001. */
static bool ends_in_number(const char *text, int64_t number)
{
    char digits[24];
    const int length = snprintf(digits, sizeof digits, "%" PRId64, number), at = (int)strlen(text) - length;
    return at > 0 && strcmp(text + at, digits) == 0 && !isdigit((unsigned char)text[at - 1]);
}

/* The column of class numbers: the one that the option names or numbers; otherwise one that the heading says is for
 * this many classes; otherwise 1.  -1: the heading has no such name. */
static int label_column(const label_options *o, char *const heading[], int count)
{
    long number;
    if (o->label_column && whole_number(o->label_column, &number))
        return (int)number;
    for (int i = 0; i < count; i++)
        if (o->label_column ? strcmp(heading[i], o->label_column) == 0
                            : i > 0 && ends_in_number(heading[i], o->classes))
            return i;
    return o->label_column ? -1 : 1;
}

/* Names for lines that have class numbers alone. */
typedef struct folder {
    char **names;
    int count;
} folder;

/* The sample of a line in a folder: a file that it names, or the next one. */
static bool add_of_folder(const label_options *o, labelled_samples *s, const folder *files, const char *name,
                          const ir_loc *loc, diag *d)
{
    char *path;
    if (!name && s->set.count >= files->count)
        return diag_error(d, loc, "more class numbers than files in %s", o->data);
    if (asprintf(&path, "%s/%s", o->data, name ? name : files->names[s->set.count]) < 0)
        return diag_out_of_memory(d, NULL);
    return samples_add(&s->set, path, 0, d);
}

typedef struct reading {
    const label_options *options;
    labelled_samples *samples;
    folder files;     /* names NULL: the samples are there already */
    int labels, room; /* so many lines have been read */
} reading;

static bool add_line(reading *r, char *const columns[], int count, int column, const ir_loc *loc, diag *d)
{
    const label_options *o = r->options;
    labelled_samples *s = r->samples;
    long label;
    const bool alone = count == 1 && column == 1; /* a class number and no name */
    const int at = alone ? 0 : column;
    if (at >= count || !whole_number(columns[at], &label))
        return diag_error(d, loc, "column %d is no class number", at);
    if (r->files.names && !add_of_folder(o, s, &r->files, alone ? NULL : columns[0], loc, d))
        return false;
    if (!r->files.names && r->labels >= s->set.count)
        return diag_error(d, loc, "more class numbers than samples in %s", o->data);
    if (r->labels == r->room) {
        r->room = r->room ? r->room * 2 : 256;
        long *more = realloc(s->labels, sizeof *more * (size_t)r->room);
        if (!more)
            return diag_out_of_memory(d, loc);
        s->labels = more;
    }
    s->labels[r->labels++] = label + o->label_offset;
    return true;
}

static bool read_labels(reading *r, char *text, diag *d)
{
    const label_options *o = r->options;
    ir_loc loc = {.file = o->labels, .subgraph = -1, .node = 0};
    int column = 1;
    char *rest = text;
    for (char *line; (line = strsep(&rest, "\n"));) {
        char *columns[MAX_COLUMNS];
        const int count = split(line, columns);
        long number;
        loc.node++;
        if (count == 0)
            continue;
        if (loc.node == 1) {
            column = label_column(o, columns, count);
            if (column < 0)
                return diag_error(d, &loc, "no column '%s' in the heading", o->label_column);
            const int at = count == 1 && column == 1 ? 0 : column;
            if (at < count && !whole_number(columns[at], &number))
                continue; /* a heading */
        }
        if (o->limit && r->labels >= o->limit)
            break;
        if (!add_line(r, columns, count, column, &loc, d))
            return false;
    }
    return r->labels > 0 || diag_error(d, &loc, "no samples");
}

static bool is_folder(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

static bool find_samples(reading *r, const qcc_tensor_info *info, diag *d)
{
    const char *data = r->options->data;
    const ir_loc loc = {.file = data, .subgraph = -1, .node = -1};
    if (!is_folder(data))
        return samples_load(data, &r->options->raw, info, &r->samples->set, d);
    r->files.count = samples_folder(data, &r->files.names);
    return r->files.count >= 0 || diag_error(d, &loc, "cannot read the folder: %s", strerror(errno));
}

/* Behind the samples. */
static bool read_raw_labels(reading *r, diag *d)
{
    const label_options *o = r->options;
    const int count = o->limit && o->limit < r->samples->set.count ? (int)o->limit : r->samples->set.count;
    r->samples->labels = calloc((size_t)count + 1, sizeof *r->samples->labels);
    if (!r->samples->labels)
        return diag_out_of_memory(d, NULL);
    for (r->labels = 0; r->labels < count; r->labels++) {
        long *label = &r->samples->labels[r->labels];
        if (!sample_label(&r->samples->set, &o->raw, r->labels, label, d))
            return false;
        *label += o->label_offset;
    }
    return true;
}

static bool read_file(reading *r, diag *d)
{
    uint8_t *text = NULL;
    size_t size;
    const bool good = driver_read_file(r->options->labels, &text, &size, d) && read_labels(r, (char *)text, d);
    free(text);
    return good;
}

static bool load_unlabelled(reading *r, const qcc_tensor_info *info, diag *d)
{
    const label_options *o = r->options;
    sample_set *set = &r->samples->set;
    if (!samples_load(o->data, &o->raw, info, set, d))
        return false;
    r->labels = o->limit && o->limit < set->count ? (int)o->limit : set->count;
    return true;
}

bool labels_load(const label_options *o, const qcc_tensor_info *info, labelled_samples *out, diag *d)
{
    *out = (labelled_samples){.set = SAMPLES_NONE};
    reading r = {.options = o, .samples = out};
    const bool good = o->labels       ? find_samples(&r, info, d) && read_file(&r, d)
                      : o->raw.labels ? find_samples(&r, info, d) && read_raw_labels(&r, d)
                                      : load_unlabelled(&r, info, d);
    for (int i = 0; i < r.files.count; i++)
        free(r.files.names[i]);
    free(r.files.names);
    if (good)
        samples_cut(&out->set, r.labels);
    else
        labels_free(out);
    return good;
}

void labels_free(labelled_samples *s)
{
    samples_free(&s->set);
    free(s->labels);
    *s = (labelled_samples){.set = SAMPLES_NONE};
}
