/* preprocess.c: pictures are cropped, scaled, normalised and quantized with the input's own parameters; arrays are
 * taken as they are, and converted where their elements are of another type. */
#include "compiler/run/preprocess.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/run/image.h"
#include "ir/ref/interp.h"

/* ---- Options ---- */

static bool fail(char *error, size_t size, const char *format, const char *value)
{
    snprintf(error, size, format, value);
    return false;
}

/* "224" or "240x320": height, width; *out_one says that there was one number only. */
static bool set_size(const char *value, int *width, int *height, bool *out_one, char *error, size_t size)
{
    char *end;
    const long first = strtol(value, &end, 10);
    long second = first;
    *out_one = *end == 0;
    if (*end == 'x')
        second = strtol(end + 1, &end, 10);
    if (*end || first < 1 || second < 1 || first > 16384 || second > 16384)
        return fail(error, size, "'%s' is neither a size nor of the form HxW", value);
    *height = (int)first;
    *width = (int)second;
    return true;
}

static bool set_channels(const char *value, double channels[3], char *error, size_t size)
{
    char end;
    const int count = sscanf(value, "%lf,%lf,%lf%c", &channels[0], &channels[1], &channels[2], &end);
    if (count == 1 && !strchr(value, ','))
        channels[1] = channels[2] = channels[0];
    else if (count != 3)
        return fail(error, size, "'%s' is neither one number nor three", value);
    return true;
}

static bool set_layout(preprocessing *p, const char *value, char *error, size_t size)
{
    p->layout = strcmp(value, "nhwc") == 0 ? LAYOUT_NHWC : strcmp(value, "nchw") == 0 ? LAYOUT_NCHW : LAYOUT_AUTO;
    return p->layout != LAYOUT_AUTO || fail(error, size, "'%s' is neither nhwc nor nchw", value);
}

/* "f32:3x224x224" or "f32:3x224x224,i64" */
static bool set_raw(preprocess_raw *raw, const char *value, char *error, size_t size)
{
    const char *colon = strchr(value, ':'), *at = colon;
    raw->sample = (ir_type){.dtype = colon ? ir_dtype_from_text(value, (size_t)(colon - value)) : IR_DTYPE_NONE};
    while (at && (at == colon || *at == 'x') && raw->sample.rank < IR_MAX_RANK) {
        char *end;
        const long extent = isdigit((unsigned char)at[1]) ? strtol(at + 1, &end, 10) : 0;
        if (extent < 1)
            break;
        raw->sample.dims[raw->sample.rank++] = extent;
        at = end;
    }
    raw->labels = at && *at == ',' ? ir_dtype_from_text(at + 1, strlen(at + 1)) : IR_DTYPE_NONE;
    const bool labelled = at && *at == ',' && (raw->labels == IR_I64 || raw->labels == IR_I32 || raw->labels == IR_U8);
    return (at && raw->sample.rank > 0 && raw->sample.dtype != IR_DTYPE_NONE && ir_type_valid(&raw->sample) &&
            (*at == 0 || labelled)) ||
           fail(error, size, "'%s' is neither of the form f32:3x224x224 nor of the form f32:3x224x224,i64", value);
}

/* What classifiers of that name are trained with. */
static bool set_preset(preprocessing *p, const char *value, char *error, size_t size)
{
    static const struct {
        const char *name;
        double middle;
        bool normalized;
        double mean[3], std[3];
    } presets[] = {
        {"imagenet", 0.875, true, {123.675, 116.28, 103.53}, {58.395, 57.12, 57.375}},
        {"tf", 0.875, true, {127.5, 127.5, 127.5}, {127.5, 127.5, 127.5}},
        {"raw", 1, false, {0, 0, 0}, {1, 1, 1}},
    };
    size_t i = 0;
    while (i < sizeof presets / sizeof presets[0] && strcmp(presets[i].name, value) != 0)
        i++;
    if (i == sizeof presets / sizeof presets[0])
        return fail(error, size, "'%s' is none of imagenet, tf, raw", value);
    p->resize_width = p->resize_height = p->crop_width = p->crop_height = 0;
    p->middle = presets[i].middle;
    p->normalized = presets[i].normalized;
    memcpy(p->mean, presets[i].mean, sizeof p->mean);
    memcpy(p->std, presets[i].std, sizeof p->std);
    return true;
}

bool preprocess_set(preprocessing *p, option_id id, const char *value, bool *out_known, char *error, size_t size)
{
    bool one;
    *out_known = true;
    switch (id) {
    case OPT_PREPROCESS: return set_preset(p, value, error, size);
    case OPT_RESIZE:
        if (!set_size(value, &p->resize_width, &p->resize_height, &one, error, size))
            return false;
        if (one)
            p->resize_height = -1;
        return true;
    case OPT_CROP:
        p->crop_first = p->resize_width == 0;
        return set_size(value, &p->crop_width, &p->crop_height, &one, error, size);
    case OPT_MEAN: p->normalized = true; return set_channels(value, p->mean, error, size);
    case OPT_STD:
        p->normalized = true;
        if (!set_channels(value, p->std, error, size))
            return false;
        return (p->std[0] != 0 && p->std[1] != 0 && p->std[2] != 0) || fail(error, size, "'%s' divides by 0", value);
    case OPT_LAYOUT: return set_layout(p, value, error, size);
    case OPT_RAW: return set_raw(&p->raw, value, error, size);
    case OPT_BGR: p->bgr = true; return true;
    default: *out_known = false; return true;
    }
}

/* ---- Into the model's input ---- */

ir_type preprocess_type(const qcc_tensor_info *info)
{
    return ir_type_make((ir_dtype)info->dtype, (int)info->rank, info->dims); /* the numbers agree */
}

static void store_real(const qcc_tensor_info *info, uint8_t *to, int64_t index, double real)
{
    const float f = (float)real;
    if (info->dtype == QCC_F32) {
        memcpy(to + 4 * index, &f, sizeof f);
        return;
    }
    if (info->dtype == QCC_F16) {
        const uint16_t half = ir_f32_to_f16(f);
        memcpy(to + 2 * index, &half, sizeof half);
        return;
    }
    if (info->dtype == QCC_F64) {
        memcpy(to + 8 * index, &real, sizeof real);
        return;
    }
    double low = 0, high = 255;
    if (info->dtype == QCC_I8 || info->dtype == QCC_I16) {
        low = info->dtype == QCC_I8 ? -128 : -32768;
        high = -low - 1;
    }
    double q = info->scale > 0 ? nearbyint((double)(f / info->scale)) + info->zero_point : nearbyint(real);
    q = (double)ir_truncated(q, low, high);
    const int16_t wide = (int16_t)q;
    if (info->dtype == QCC_I16)
        memcpy(to + 2 * index, &wide, sizeof wide);
    else
        to[index] = (uint8_t)(int)q;
}

/* ---- Pictures ---- */

/* Where height, width and channels are in the input's shape. */
typedef struct input_shape {
    int height, width, channels;
    bool channels_first;
} input_shape;

static bool shape_of_input(const qcc_tensor_info *info, preprocess_layout layout, input_shape *out, diag *d)
{
    int64_t dims[3] = {1, 1, 1};
    const int extra = (int)info->rank - 3;
    if (extra < 0 || extra > 1 || (extra == 1 && info->dims[0] != 1))
        return diag_error(d, NULL, "input '%s' is no picture of batch size 1", info->name);
    for (int i = 0; i < 3; i++)
        dims[i] = info->dims[extra + i];
    const bool last = dims[2] == 1 || dims[2] == 3, first = dims[0] == 1 || dims[0] == 3;
    if (layout == LAYOUT_AUTO)
        layout = last || !first ? LAYOUT_NHWC : LAYOUT_NCHW;
    const bool planes = layout == LAYOUT_NCHW;
    *out = (input_shape){(int)dims[planes ? 1 : 0], (int)dims[planes ? 2 : 1], (int)dims[planes ? 0 : 2], planes};
    if (out->channels != 1 && out->channels != 3)
        return diag_error(d, NULL, "input '%s' has %d channels, a picture has 1 or 3", info->name, out->channels);
    return true;
}

static bool crop(const preprocessing *p, image *i)
{
    return p->crop_width == 0 || image_crop(i, p->crop_width, p->crop_height);
}

/* Cut to the input's proportions first: what is scaled is never larger than what is seen needs. */
static bool fit_middle(const preprocessing *p, const input_shape *shape, image *i)
{
    const double middle = p->middle > 0 ? p->middle : 1;
    const double across = (double)i->height * shape->width / shape->height;
    const double down = (double)i->width * shape->height / shape->width;
    const int width = across < i->width ? (int)fmax(1, round(across)) : i->width;
    const int height = down < i->height ? (int)fmax(1, round(down)) : i->height;
    return image_crop(i, width, height) &&
           image_resize(i, (int)round(shape->width / middle), (int)round(shape->height / middle)) &&
           image_crop(i, shape->width, shape->height);
}

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

static bool fit(const preprocessing *p, const input_shape *shape, image *i)
{
    if (p->resize_width == 0 && p->crop_width == 0)
        return fit_middle(p, shape, i);
    return p->crop_first ? crop(p, i) && scale(p, shape, i) : scale(p, shape, i) && crop(p, i);
}

static void store_picture(const preprocessing *p, const input_shape *shape, const image *i, const qcc_tensor_info *info,
                          uint8_t *to)
{
    const int64_t pixels = (int64_t)shape->width * shape->height;
    for (int64_t at = 0; at < pixels; at++) {
        const uint8_t *rgb = i->rgb + 3 * at;
        for (int c = 0; c < shape->channels; c++) {
            const int from = p->bgr ? 2 - c : c;
            const double byte = shape->channels == 1 ? 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2] : rgb[from];
            const int64_t index = shape->channels_first ? c * pixels + at : at * shape->channels + c;
            if (!p->normalized && info->dtype == QCC_U8)
                to[index] = (uint8_t)(byte + 0.5); /* the bytes themselves, whatever they mean */
            else if (!p->normalized && info->dtype == QCC_I8)
                to[index] = (uint8_t)((int)(byte + 0.5) - 128);
            else
                store_real(info, to, index, (byte - p->mean[c]) / p->std[c]);
        }
    }
}

bool preprocess_picture(const char *path, const preprocessing *p, const qcc_tensor_info *info, void *to, diag *d)
{
    const ir_loc loc = {.file = path, .subgraph = -1, .node = -1};
    image i;
    input_shape shape = {0};
    if (!shape_of_input(info, p->layout, &shape, d) || !image_read(path, &i, d))
        return false;
    bool good = fit(p, &shape, &i);
    if (!good)
        diag_out_of_memory(d, &loc);
    else if (i.width != shape.width || i.height != shape.height)
        good = diag_error(d, &loc, "%dx%d after --resize and --crop, the model takes %dx%d (height x width)", i.height,
                          i.width, shape.height, shape.width);
    else
        store_picture(p, &shape, &i, info, to);
    image_free(&i);
    return good;
}

/* "123.675,116.28,103.53", or one number where all are the same */
static const char *channels_text(const double x[3], char text[64])
{
    const bool same = x[0] == x[1] && x[1] == x[2];
    snprintf(text, 64, same ? "%.6g" : "%.6g,%.6g,%.6g", x[0], x[1], x[2]);
    return text;
}

bool preprocess_describe(const preprocessing *p, const qcc_tensor_info *info, char text[PREPROCESS_TEXT], diag *d)
{
    input_shape shape = {0};
    char part[32] = "", mean[64], std[64], numbers[160];
    if (!shape_of_input(info, p->layout, &shape, d))
        return false;
    if (p->middle > 0 && p->middle < 1)
        snprintf(part, sizeof part, "%.4g %% of ", 100 * p->middle);
    const bool given = p->resize_width || p->crop_width, bytes = info->dtype == QCC_U8 || info->dtype == QCC_I8;
    if (p->normalized)
        snprintf(numbers, sizeof numbers, "minus %s, divided by %s", channels_text(p->mean, mean),
                 channels_text(p->std, std));
    else
        snprintf(numbers, sizeof numbers, bytes ? "bytes as they are" : "0 to 255 as they are");
    snprintf(text, PREPROCESS_TEXT, "%s%s %dx%d, %s, %s", given ? "" : part,
             given ? "as --resize and --crop say," : "the middle in the proportions of the input, scaled to",
             shape.height, shape.width,
             shape.channels == 1 ? "grey"
             : p->bgr            ? "BGR"
                                 : "RGB",
             numbers);
    return true;
}

/* ---- Arrays ---- */

/* Three extents, behind a batch of 1 or without one; NULL: no picture has that shape. */
static const int64_t *picture_extents(const ir_type *t)
{
    return t->rank == 3 ? t->dims : t->rank == 4 && t->dims[0] == 1 ? &t->dims[1] : NULL;
}

/* Are channels first in the sample and last in the model, or the other way?  Then element i of the input is element
 * i % inner * outer + i / inner of the sample. */
static bool is_turned(const ir_type *from, const ir_type *to, int64_t *out_outer, int64_t *out_inner)
{
    const int64_t *a = picture_extents(from), *b = picture_extents(to);
    if (!a || !b || memcmp(a, b, 3 * sizeof *a) == 0)
        return false;
    const bool last = a[0] == b[2] && a[1] == b[0] && a[2] == b[1],
               first = a[2] == b[0] && a[0] == b[1] && a[1] == b[2];
    *out_inner = last ? b[2] : b[1] * b[2];
    *out_outer = last ? b[0] * b[1] : b[0];
    return last || first;
}

/* Elements as they are when the types agree, otherwise reals that are converted. */
bool preprocess_array(const ir_type *from, const void *elements, const char *path, const qcc_tensor_info *info,
                      void *to, diag *d)
{
    const ir_loc loc = {.file = path, .subgraph = -1, .node = -1};
    const ir_type type = preprocess_type(info);
    char have[IR_TYPE_TEXT_BYTES], wanted[IR_TYPE_TEXT_BYTES];
    const int64_t count = ir_type_elements(from);
    const bool equal = from->dtype == type.dtype,
               reals = ir_dtype_is_float(type.dtype) || ir_dtype_bytes(type.dtype) <= 2;
    if (count != ir_type_elements(&type) || (!equal && !reals))
        return diag_error(d, &loc, "a sample is %s, the model's input '%s' takes %s", ir_type_text(from, have),
                          info->name, ir_type_text(&type, wanted));
    int64_t outer = count, inner = 1;
    const bool turned = is_turned(from, &type, &outer, &inner);
    if (equal && !turned) {
        memcpy(to, elements, info->bytes);
        return true;
    }
    const size_t size = ir_dtype_bytes(type.dtype);
    for (int64_t i = 0; i < count; i++) {
        const int64_t at = turned ? i % inner * outer + i / inner : i;
        if (equal)
            memcpy((char *)to + (size_t)i * size, (const char *)elements + (size_t)at * size, size);
        else
            store_real(info, to, i, npy_element(from, elements, at));
    }
    return true;
}
