/* augment.c: where pixels come from. */
#include "compiler/run/augment.h"

#include <stdlib.h>
#include <string.h>

bool augment_is_asked(const augmentation *a) { return a->flip || a->shift || a->mix; }

bool augment_check(const augmentation *a, const qcc_tensor_info *info, diag *d)
{
    if ((a->flip || a->shift) && (info->dtype != QCC_F32 || info->rank != 4))
        return diag_error(d, NULL, "--augment=flip and shift change pictures, and the model's input '%s' is none",
                          info->name);
    if (a->mix && info->dtype != QCC_F32)
        return diag_error(d, NULL, "--augment=mix takes real numbers, and the model's input '%s' has none", info->name);
    return true;
}

/* Where the lines, columns and channels of a picture are: elements from one to the next. */
typedef struct picture {
    int64_t height, width, channels, line, column, channel;
} picture;

static picture picture_of(preprocess_layout layout, const int64_t dims[])
{
    const bool first = layout == LAYOUT_NCHW || (layout == LAYOUT_AUTO && dims[3] != 1 && dims[3] != 3 && dims[1] <= 3);
    return first ? (picture){dims[2], dims[3], dims[1], dims[3], 1, dims[2] * dims[3]}
                 : (picture){dims[1], dims[2], dims[3], dims[2] * dims[3], dims[3], 1};
}

static int64_t within(int64_t x, int64_t count) { return x < 0 ? 0 : x < count ? x : count - 1; }

static bool mix(const qcc_tensor_info *info, chance *c, const augment_others *others, float *to, diag *d)
{
    const float share = (float)(chance_next(c) >> 40) / 0x1p24f;
    const int64_t other = chance_below(c, others->count);
    float *from = malloc(info->bytes + 1);
    const bool good = (from || diag_out_of_memory(d, NULL)) && others->read(others->context, other, from, d);
    for (size_t i = 0; good && i < info->bytes / sizeof *to; i++)
        to[i] = share * to[i] + (1 - share) * from[i];
    free(from);
    return good;
}

static bool move(const augmentation *a, const picture *p, size_t bytes, chance *c, float *to, diag *d)
{
    const bool flip = (chance_next(c) & 1) && a->flip;
    const int64_t down = chance_below(c, 2 * a->shift + 1) - a->shift;
    const int64_t right = chance_below(c, 2 * a->shift + 1) - a->shift;
    float *from = malloc(bytes + 1);
    if (!from)
        return diag_out_of_memory(d, NULL);
    memcpy(from, to, bytes);
    for (int64_t y = 0; y < p->height; y++)
        for (int64_t x = 0; x < p->width; x++) {
            const int64_t column = within((flip ? p->width - 1 - x : x) - right, p->width);
            const float *source = &from[within(y - down, p->height) * p->line + column * p->column];
            for (int64_t k = 0; k < p->channels; k++)
                to[y * p->line + x * p->column + k * p->channel] = source[k * p->channel];
        }
    free(from);
    return true;
}

bool augment_sample(const augmentation *a, preprocess_layout layout, const qcc_tensor_info *info, chance c,
                    const augment_others *others, float *data, diag *d)
{
    if (a->flip || a->shift) {
        const picture p = picture_of(layout, info->dims);
        if (!move(a, &p, info->bytes, &c, data, d))
            return false;
    }
    return !a->mix || (chance_next(&c) & 1) || mix(info, &c, others, data, d);
}
