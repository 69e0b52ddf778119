/* samples.c: the labels file says which samples there are; pictures are cropped, scaled, normalised and quantized with the
 * input's own parameters, arrays are taken as they are. */
#define _GNU_SOURCE
#include "tools/samples.h"

#include <ctype.h>
#include <dirent.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tools/image.h"

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

/* The column of class numbers: the one that the option names or numbers; otherwise one that the heading says is for this
 * many classes; otherwise 1.  -1: the heading has no such name. */
static int label_column(const sample_options *o, char *const heading[], int count)
{
    long number;
    if (o->label_column && whole_number(o->label_column, &number))
        return (int)number;
    for (int i = 0; i < count; i++)
        if (o->label_column ? strcmp(heading[i], o->label_column) == 0 : i > 0 && ends_in_number(heading[i], o->classes))
            return i;
    return o->label_column ? -1 : 1;
}

static bool add_sample(sample_set *set, char *path, int64_t row, long label, diag *d)
{
    if (set->count == set->room) {
        const int room = set->room ? set->room * 2 : 256;
        sample *more = realloc(set->items, sizeof *more * (size_t)room);
        if (!more)
            return diag_error(d, NULL, "out of memory");
        set->items = more;
        set->room = room;
    }
    set->items[set->count++] = (sample){path, row, label};
    return true;
}

static int is_sample_file(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');
    return dot && (strcasecmp(dot, ".jpg") == 0 || strcasecmp(dot, ".jpeg") == 0 || strcasecmp(dot, ".png") == 0 ||
                   strcasecmp(dot, ".npy") == 0);
}

/* Names for lines that have class numbers alone. */
typedef struct folder {
    struct dirent **entries;
    int count;
} folder;

static bool add_line(const sample_options *o, sample_set *set, const folder *names, char *const columns[], int count,
                     int column, const ir_loc *loc, diag *d)
{
    long label;
    const bool alone = count == 1 && column == 1; /* a class number and no name */
    const int at = alone ? 0 : column;
    if (at >= count || !whole_number(columns[at], &label))
        return diag_error(d, loc, "column %d is no class number", at);
    char *path = NULL;
    if (!set->all.bytes) {
        if (alone && set->count >= names->count)
            return diag_error(d, loc, "more class numbers than files in %s", o->data);
        if (asprintf(&path, "%s/%s", o->data, alone ? names->entries[set->count]->d_name : columns[0]) < 0)
            return diag_error(d, NULL, "out of memory");
    } else if (set->count >= set->all.type.dims[0])
        return diag_error(d, loc, "more class numbers than rows in %s", o->data);
    if (add_sample(set, path, set->count, label + o->label_offset, d))
        return true;
    free(path);
    return false;
}

static bool read_labels(const sample_options *o, sample_set *set, const folder *names, char *text, diag *d)
{
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
        if (o->limit && set->count >= o->limit)
            break;
        if (!add_line(o, set, names, columns, count, column, &loc, d))
            return false;
    }
    return set->count > 0 || diag_error(d, &loc, "no samples");
}

bool samples_load(const sample_options *o, sample_set *out, diag *d)
{
    struct stat info;
    folder names = {0};
    uint8_t *text = NULL;
    size_t size;
    *out = (sample_set){0};
    bool good = true;
    if (stat(o->data, &info) == 0 && S_ISREG(info.st_mode))
        good = npy_read(o->data, &out->all, d);
    else if ((names.count = scandir(o->data, &names.entries, is_sample_file, alphasort)) < 0)
        good = diag_error(d, NULL, "cannot read the folder %s", o->data);
    if (good && out->all.bytes && out->all.type.rank < 1)
        good = diag_error(d, NULL, "%s: not an array of samples", o->data);
    good = good && driver_read_file(o->labels, &text, &size, d) && read_labels(o, out, &names, (char *)text, d);
    free(text);
    for (int i = 0; i < names.count; i++)
        free(names.entries[i]);
    free(names.entries);
    if (!good)
        samples_free(out);
    return good;
}

void samples_free(sample_set *s)
{
    for (int i = 0; i < s->count; i++)
        free(s->items[i].path);
    free(s->items);
    free(s->all.bytes);
    *s = (sample_set){0};
}

/* ---- Into the model's input ---- */

static void store_real(const qcc_tensor_info *info, const ir_type *type, uint8_t *to, int64_t index, double real)
{
    const float f = (float)real;
    if (type->dtype == IR_F32) {
        memcpy(to + 4 * index, &f, sizeof f);
        return;
    }
    double low = 0, high = 255;
    if (type->dtype == IR_I8 || type->dtype == IR_I16) {
        low = type->dtype == IR_I8 ? -128 : -32768;
        high = -low - 1;
    }
    double q = info->scale > 0 ? nearbyint((double)(f / info->scale)) + info->zero_point : nearbyint(real);
    q = (double)ir_truncated(q, low, high);
    const int16_t wide = (int16_t)q;
    if (type->dtype == IR_I16)
        memcpy(to + 2 * index, &wide, sizeof wide);
    else
        to[index] = (uint8_t)(int)q;
}

/* Where height, width and channels are in the input's shape. */
typedef struct input_shape { int height, width, channels; bool channels_first; } input_shape;

static bool shape_of_input(const session *s, sample_layout layout, input_shape *out, diag *d)
{
    const ir_type *t = &s->input_types[0];
    int64_t dims[3] = {1, 1, 1};
    int extra = t->rank - 3;
    if (extra < 0 || extra > 1 || (extra == 1 && t->dims[0] != 1))
        return diag_error(d, NULL, "input 0 (%s) is no picture of batch size 1", s->inputs[0].name);
    for (int i = 0; i < 3; i++)
        dims[i] = t->dims[extra + i];
    const bool last = dims[2] == 1 || dims[2] == 3, first = dims[0] == 1 || dims[0] == 3;
    if (layout == LAYOUT_AUTO)
        layout = last || !first ? LAYOUT_NHWC : LAYOUT_NCHW;
    const bool planes = layout == LAYOUT_NCHW;
    *out = (input_shape){(int)dims[planes ? 1 : 0], (int)dims[planes ? 2 : 1], (int)dims[planes ? 0 : 2], planes};
    if (out->channels != 1 && out->channels != 3)
        return diag_error(d, NULL, "input 0 (%s) has %d channels, a picture has 1 or 3", s->inputs[0].name, out->channels);
    return true;
}

static bool crop(const preprocessing *p, image *i) { return p->crop_width == 0 || image_crop(i, p->crop_width, p->crop_height); }

static bool scale(const preprocessing *p, const input_shape *shape, image *i)
{
    int width = p->resize_width, height = p->resize_height;
    if (width == 0) { /* not given */
        const bool crop_after = p->crop_width && !p->crop_first;
        return crop_after || image_resize(i, shape->width, shape->height);
    }
    if (height < 0) { /* the short side */
        const int side = width, small = i->width < i->height ? i->width : i->height;
        width = (int)((int64_t)i->width * side / small);
        height = (int)((int64_t)i->height * side / small);
    }
    return image_resize(i, width, height);
}

static void store_picture(const preprocessing *p, const input_shape *shape, const image *i, session *s)
{
    const qcc_tensor_info *info = &s->inputs[0];
    const ir_type *type = &s->input_types[0];
    uint8_t *to = s->input_buffers[0];
    const int64_t pixels = (int64_t)shape->width * shape->height;
    for (int64_t at = 0; at < pixels; at++) {
        const uint8_t *rgb = i->rgb + 3 * at;
        for (int c = 0; c < shape->channels; c++) {
            const int from = p->bgr ? 2 - c : c;
            const double byte = shape->channels == 1 ? 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2] : rgb[from];
            const int64_t index = shape->channels_first ? c * pixels + at : at * shape->channels + c;
            if (!p->normalized && type->dtype == IR_U8)
                to[index] = (uint8_t)(byte + 0.5); /* the bytes themselves, whatever they mean */
            else if (!p->normalized && type->dtype == IR_I8)
                to[index] = (uint8_t)((int)(byte + 0.5) - 128);
            else
                store_real(info, type, to, index, (byte - p->mean[c]) / p->std[c]);
        }
    }
}

static bool prepare_picture(const char *path, const preprocessing *p, session *s, diag *d)
{
    image i;
    input_shape shape = {0};
    if (!shape_of_input(s, p->layout, &shape, d) || !image_read(path, &i, d))
        return false;
    bool good = p->crop_first ? crop(p, &i) && scale(p, &shape, &i) : scale(p, &shape, &i) && crop(p, &i);
    if (!good)
        diag_error(d, NULL, "out of memory");
    else if (i.width != shape.width || i.height != shape.height)
        good = diag_error(d, NULL, "%s: %dx%d after --resize and --crop, the model takes %dx%d (height x width)", path,
                          i.height, i.width, shape.height, shape.width);
    else
        store_picture(p, &shape, &i, s);
    image_free(&i);
    return good;
}

/* Elements as they are when the types agree, otherwise reals that are converted. */
static bool prepare_array(const ir_type *from, const uint8_t *bytes, int64_t first, int64_t count, const char *path,
                          session *s, diag *d)
{
    const ir_type *type = &s->input_types[0];
    const size_t size = ir_dtype_bytes(type->dtype);
    if (count != ir_type_elements(type))
        return diag_error(d, NULL, "%s: %" PRId64 " elements a sample, the model takes %" PRId64, path, count,
                          ir_type_elements(type));
    if (from->dtype == type->dtype) {
        memcpy(s->input_buffers[0], bytes + (size_t)first * size, (size_t)count * size);
        return true;
    }
    if (size > 4 || (type->dtype != IR_F32 && size > 2))
        return diag_error(d, NULL, "%s: elements are %s, the model takes %s", path, ir_dtype_text(from->dtype),
                          ir_dtype_text(type->dtype));
    for (int64_t i = 0; i < count; i++)
        store_real(&s->inputs[0], type, s->input_buffers[0], i, npy_element(from, bytes, first + i));
    return true;
}

bool sample_prepare(const sample_set *set, int index, const preprocessing *p, session *s, diag *d)
{
    const sample *item = &set->items[index];
    if (!item->path) {
        const int64_t count = ir_type_elements(&set->all.type) / set->all.type.dims[0];
        return prepare_array(&set->all.type, set->all.bytes, item->row * count, count, "the data", s, d);
    }
    const char *dot = strrchr(item->path, '.');
    if (!dot || strcasecmp(dot, ".npy") != 0)
        return prepare_picture(item->path, p, s, d);
    npy_array array;
    if (!npy_read(item->path, &array, d))
        return false;
    const bool good = prepare_array(&array.type, array.bytes, 0, ir_type_elements(&array.type), item->path, s, d);
    free(array.bytes);
    return good;
}
