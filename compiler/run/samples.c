/* samples.c: finds samples, and reads them. */
#define _GNU_SOURCE
#include "compiler/run/samples.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "compiler/driver.h"
#include "compiler/run/image.h"

static bool ends_in(const char *path, const char *extension)
{
    const char *dot = strrchr(path, '.');
    return dot && strcasecmp(dot, extension) == 0;
}

bool samples_is_picture(const char *path)
{
    return ends_in(path, ".jpg") || ends_in(path, ".jpeg") || ends_in(path, ".png");
}

/* ---- Sets ---- */

bool samples_add(sample_set *set, char *path, int64_t row, diag *d)
{
    if (set->count == set->room) {
        const int room = set->room ? set->room * 2 : 256;
        sample *more = realloc(set->items, sizeof *more * (size_t)room);
        if (!more) {
            free(path);
            return diag_out_of_memory(d, NULL);
        }
        set->items = more;
        set->room = room;
    }
    set->items[set->count++] = (sample){path, row, -1};
    return true;
}

void samples_cut(sample_set *s, int count)
{
    while (s->count > count)
        free(s->items[--s->count].path);
}

void samples_free(sample_set *s)
{
    samples_cut(s, 0);
    free(s->items);
    npy_close(&s->all);
    *s = SAMPLES_NONE;
}

/* "FOLDER/NAME" */
static bool add_file(sample_set *set, const char *folder, int length, const char *name, diag *d)
{
    char *path = NULL;
    if (asprintf(&path, "%.*s%s%s", length, folder, length ? "/" : "", name) < 0)
        return diag_out_of_memory(d, NULL);
    return samples_add(set, path, 0, d);
}

/* ---- Folders ---- */

static int is_sample_file(const struct dirent *entry)
{
    return samples_is_picture(entry->d_name) || ends_in(entry->d_name, ".npy");
}

int samples_folder(const char *path, char ***out_names)
{
    struct dirent **entries;
    const int count = scandir(path, &entries, is_sample_file, alphasort);
    if (count < 0)
        return -1;
    char **names = calloc((size_t)count + 1, sizeof *names);
    bool good = names != NULL;
    for (int i = 0; i < count; i++) {
        good = good && (names[i] = strdup(entries[i]->d_name)) != NULL;
        free(entries[i]);
    }
    free(entries);
    *out_names = names;
    if (good)
        return count;
    for (int i = 0; names && i < count; i++)
        free(names[i]);
    free(names);
    *out_names = NULL;
    errno = ENOMEM;
    return -1;
}

static bool load_folder(const char *path, sample_set *set, const ir_loc *loc, diag *d)
{
    char **names;
    const int count = samples_folder(path, &names);
    if (count < 0)
        return diag_error(d, loc, "cannot read the folder: %s", strerror(errno));
    bool good = true;
    for (int i = 0; i < count; i++) {
        good = good && add_file(set, path, (int)strlen(path), names[i], d);
        free(names[i]);
    }
    free(names);
    return good &&
           (count > 0 ||
            diag_error(d, loc, "no samples: the folder has neither pictures (.jpg, .jpeg, .png) nor arrays (.npy)"));
}

/* ---- Files ---- */

/* All samples of one array. */
static bool load_array(const char *path, const preprocess_raw *raw, const qcc_tensor_info *info, sample_set *set,
                       const ir_loc *loc, diag *d)
{
    if (raw->sample.dtype ? !npy_open_raw(path, &raw->sample, ir_dtype_bytes(raw->labels), &set->all, d)
                          : !npy_open(path, &set->all, d))
        return false;
    const ir_type *all = &set->all.type, input = preprocess_type(info);
    char have[IR_TYPE_TEXT_BYTES], wanted[IR_TYPE_TEXT_BYTES];
    const int64_t rows = all->rank ? all->dims[0] : 0, elements = ir_type_elements(&input);
    int64_t row = 1;
    for (int i = 1; i < all->rank; i++)
        row *= all->dims[i];
    if (all->rank > 0 && row == elements && rows <= INT32_MAX) {
        for (int64_t i = 0; i < rows; i++)
            if (!samples_add(set, NULL, i, d))
                return false;
        return rows > 0 || diag_error(d, loc, "no samples: the array is %s", ir_type_text(all, have));
    }
    if (ir_type_valid(all) && ir_type_elements(all) == elements)
        return samples_add(set, NULL, 0, d);
    return diag_error(d, loc, "the array is %s; neither it nor its rows are what the model's input '%s' takes, %s",
                      ir_type_text(all, have), info->name, ir_type_text(&input, wanted));
}

/* A whole number up to the end or the next column; -1: something else. */
static long label_of(const char *text)
{
    char *end;
    const long label = strtol(text, &end, 10);
    return end != text && (*end == 0 || *end == '\t') && label >= 0 ? label : -1;
}

static bool load_list(const char *path, sample_set *set, const ir_loc *loc, diag *d)
{
    uint8_t *bytes;
    size_t size;
    if (!driver_read_file(path, &bytes, &size, d))
        return false;
    const char *slash = strrchr(path, '/');
    char *rest = (char *)bytes;
    bool good =
        strlen(rest) == size || diag_error(d, loc, "neither a picture, nor an array (.npy), nor a list of such files");
    for (char *line; good && (line = strsep(&rest, "\n"));) {
        line[strcspn(line, "\r")] = 0;
        char *rest_of_line = line + strcspn(line, "\t");
        const long label = *rest_of_line ? label_of(rest_of_line + 1) : -1;
        *rest_of_line = 0;
        if (!*line || *line == '#')
            continue;
        good = add_file(set, path, *line == '/' || !slash ? 0 : (int)(slash - path), line, d);
        if (good)
            set->items[set->count - 1].label = label;
    }
    free(bytes);
    return good && (set->count > 0 || diag_error(d, loc, "no samples: the list is empty"));
}

bool samples_load(const char *path, const preprocess_raw *raw, const qcc_tensor_info *info, sample_set *out, diag *d)
{
    const ir_loc loc = {.file = path, .subgraph = -1, .node = -1};
    struct stat status;
    *out = SAMPLES_NONE;
    bool good;
    if (stat(path, &status) != 0)
        good = diag_error(d, &loc, "%s", strerror(errno));
    else if (S_ISDIR(status.st_mode))
        good = load_folder(path, out, &loc, d);
    else if (raw->sample.dtype || ends_in(path, ".npy"))
        good = load_array(path, raw, info, out, &loc, d);
    else if (samples_is_picture(path))
        good = add_file(out, "", 0, path, d);
    else
        good = load_list(path, out, &loc, d);
    if (!good)
        samples_free(out);
    return good;
}

/* ---- Into the model ---- */

const char *sample_name(const sample_set *set, int index, char text[SAMPLE_NAME_BYTES])
{
    const sample *item = &set->items[index];
    if (item->path)
        snprintf(text, SAMPLE_NAME_BYTES, "%s", item->path);
    else
        snprintf(text, SAMPLE_NAME_BYTES, "%s, row %" PRId64, set->all.path, item->row);
    return text;
}

/* The array itself where it is the one sample of so many elements, otherwise what its first dimension counts. */
static ir_type row_type(const ir_type *all, int64_t elements)
{
    int64_t row = 1;
    for (int i = 1; i < all->rank; i++)
        row *= all->dims[i];
    return all->rank > 0 && row == elements ? ir_type_make(all->dtype, all->rank - 1, &all->dims[1]) : *all;
}

bool sample_label(const sample_set *set, const preprocess_raw *raw, int index, long *out_label, diag *d)
{
    *out_label = set->items[index].label;
    if (!raw->labels || set->all.descriptor < 0)
        return true;
    const npy_file tail = {
        set->all.path, {.dtype = raw->labels}, set->all.descriptor, set->count * (int64_t)ir_type_bytes(&raw->sample)};
    uint8_t bytes[8];
    if (!npy_read_elements(&tail, index, 1, bytes, d))
        return false;
    *out_label = (long)npy_element(&tail.type, bytes, 0);
    return true;
}

static bool fill_from_row(const sample_set *set, int index, const qcc_tensor_info *info, void *to, diag *d)
{
    char name[SAMPLE_NAME_BYTES];
    const ir_type input = preprocess_type(info), type = row_type(&set->all.type, ir_type_elements(&input));
    const int64_t count = ir_type_elements(&type), first = set->items[index].row * count;
    void *elements = malloc(ir_type_bytes(&type) + 1);
    const bool good = (elements || diag_out_of_memory(d, NULL)) &&
                      npy_read_elements(&set->all, first, count, elements, d) &&
                      preprocess_array(&type, elements, sample_name(set, index, name), info, to, d);
    free(elements);
    return good;
}

bool sample_fill(const sample_set *set, int index, const preprocessing *p, const qcc_tensor_info *info, void *to,
                 diag *d)
{
    const char *path = set->items[index].path;
    if (!path)
        return fill_from_row(set, index, info, to, d);
    if (!ends_in(path, ".npy"))
        return preprocess_picture(path, p, info, to, d);
    npy_array array;
    if (!npy_read(path, &array, d))
        return false;
    const bool good = preprocess_array(&array.type, array.bytes, path, info, to, d);
    free(array.bytes);
    return good;
}
