/* image.c: decoding with libjpeg and libpng, scaling, cropping. */
#include "compiler/run/image.h"

#include <math.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <png.h>

#include "compiler/driver.h"

enum { MAX_SIDE = 1 << 15 };

/* ---- JPEG ---- */

typedef struct jpeg_failure {
    struct jpeg_error_mgr base; /* first: libjpeg sees only this */
    jmp_buf back;
    char text[JMSG_LENGTH_MAX];
} jpeg_failure;

static void jpeg_fail(j_common_ptr info)
{
    jpeg_failure *failure = (jpeg_failure *)(void *)info->err;
    info->err->format_message(info, failure->text);
    longjmp(failure->back, 1);
}

static void jpeg_be_silent(j_common_ptr info) { (void)info; }

static bool read_jpeg(const uint8_t *bytes, size_t size, image *out, const ir_loc *loc, diag *d)
{
    struct jpeg_decompress_struct info;
    jpeg_failure failure;
    uint8_t *volatile rgb = NULL; /* kept over longjmp */
    info.err = jpeg_std_error(&failure.base);
    failure.base.error_exit = jpeg_fail;
    failure.base.output_message = jpeg_be_silent;
    jpeg_create_decompress(&info);
    if (setjmp(failure.back)) {
        jpeg_destroy_decompress(&info);
        free(rgb);
        return diag_error(d, loc, "%s", failure.text);
    }
    jpeg_mem_src(&info, bytes, size);
    jpeg_read_header(&info, TRUE);
    info.out_color_space = JCS_RGB;
    jpeg_start_decompress(&info);
    const size_t row = (size_t)info.output_width * 3;
    rgb = malloc(row * info.output_height);
    if (!rgb) {
        jpeg_destroy_decompress(&info);
        return diag_error(d, loc, "out of memory");
    }
    while (info.output_scanline < info.output_height) {
        JSAMPROW line = rgb + row * info.output_scanline;
        jpeg_read_scanlines(&info, &line, 1);
    }
    *out = (image){(int)info.output_width, (int)info.output_height, rgb};
    jpeg_finish_decompress(&info);
    jpeg_destroy_decompress(&info);
    return true;
}

/* ---- PNG ---- */

static bool read_png(const uint8_t *bytes, size_t size, image *out, const ir_loc *loc, diag *d)
{
    png_image png = {.version = PNG_IMAGE_VERSION};
    if (!png_image_begin_read_from_memory(&png, bytes, size))
        return diag_error(d, loc, "%s", png.message);
    png.format = PNG_FORMAT_RGB;
    if (png.width > MAX_SIDE || png.height > MAX_SIDE) {
        png_image_free(&png);
        return diag_error(d, loc, "picture too large");
    }
    uint8_t *rgb = malloc(PNG_IMAGE_SIZE(png));
    const png_color black = {0, 0, 0};
    if (!rgb || !png_image_finish_read(&png, &black, rgb, 0, NULL)) {
        free(rgb);
        png_image_free(&png);
        return diag_error(d, loc, "%s", rgb ? png.message : "out of memory");
    }
    *out = (image){(int)png.width, (int)png.height, rgb};
    return true;
}

bool image_read(const char *path, image *out, diag *d)
{
    const ir_loc loc = {.file = path, .subgraph = -1, .node = -1};
    uint8_t *bytes;
    size_t size;
    *out = (image){0};
    if (!driver_read_file(path, &bytes, &size, d))
        return false;
    bool good;
    if (size > 3 && memcmp(bytes, "\xff\xd8\xff", 3) == 0)
        good = read_jpeg(bytes, size, out, &loc, d);
    else if (size > 8 && memcmp(bytes, "\x89PNG\r\n\x1a\n", 8) == 0)
        good = read_png(bytes, size, out, &loc, d);
    else
        good = diag_error(d, &loc, "neither a JPEG nor a PNG");
    free(bytes);
    return good;
}

void image_free(image *i)
{
    free(i->rgb);
    *i = (image){0};
}

/* ---- Scaling ---- */

/* Scales one dimension of one line: pixels `pixel_step` bytes apart, 3 channels.  Weights have 22 fractional bits and
 * each dimension is rounded to bytes, so that results are bit for bit those of the usual Python preprocessing. */
static bool resize_line(const uint8_t *source, size_t pixel_step, int from, uint8_t *to, size_t to_step, int count)
{
    enum { BITS = 22 };
    const double factor = (double)from / count, support = factor > 1 ? factor : 1;
    double *weights = malloc(sizeof *weights * (2 * (size_t)ceil(support) + 2));
    const bool good = weights != NULL;
    for (int i = 0; good && i < count; i++) {
        const double centre = (i + 0.5) * factor;
        int first = (int)(centre - support + 0.5), last = (int)(centre + support + 0.5);
        first = first < 0 ? 0 : first;
        last = last > from ? from : last;
        double total = 0;
        for (int k = first; k < last; k++) {
            const double distance = fabs((k - centre + 0.5) / support);
            weights[k - first] = distance < 1 ? 1 - distance : 0;
            total += weights[k - first];
        }
        int64_t sum[3] = {1 << (BITS - 1), 1 << (BITS - 1), 1 << (BITS - 1)};
        for (int k = first; k < last; k++) {
            const int64_t weight = (int64_t)(0.5 + weights[k - first] / total * (1 << BITS));
            for (int c = 0; c < 3; c++)
                sum[c] += weight * source[(size_t)k * pixel_step + (size_t)c];
        }
        for (int c = 0; c < 3; c++)
            to[(size_t)i * to_step + (size_t)c] = (uint8_t)(sum[c] >> BITS > 255 ? 255 : sum[c] >> BITS);
    }
    free(weights);
    return good;
}

bool image_resize(image *i, int width, int height)
{
    if (width == i->width && height == i->height)
        return true;
    uint8_t *across = malloc((size_t)width * (size_t)i->height * 3);
    uint8_t *done = malloc((size_t)width * (size_t)height * 3);
    bool good = across && done;
    for (int y = 0; good && y < i->height; y++)
        good = resize_line(i->rgb + (size_t)y * (size_t)i->width * 3, 3, i->width,
                           across + (size_t)y * (size_t)width * 3, 3, width);
    for (int x = 0; good && x < width; x++)
        good = resize_line(across + (size_t)x * 3, (size_t)width * 3, i->height, done + (size_t)x * 3,
                           (size_t)width * 3, height);
    free(across);
    if (!good) {
        free(done);
        return false;
    }
    free(i->rgb);
    *i = (image){width, height, done};
    return true;
}

bool image_crop(image *i, int width, int height)
{
    width = width < i->width ? width : i->width;
    height = height < i->height ? height : i->height;
    const int left = (i->width - width) / 2, top = (i->height - height) / 2;
    uint8_t *rgb = malloc((size_t)width * (size_t)height * 3);
    if (!rgb)
        return false;
    for (int y = 0; y < height; y++)
        memcpy(rgb + (size_t)y * (size_t)width * 3, i->rgb + ((size_t)(y + top) * (size_t)i->width + (size_t)left) * 3,
               (size_t)width * 3);
    free(i->rgb);
    *i = (image){width, height, rgb};
    return true;
}
