/* classify.c: from a picture to a name.
 *
 *     qcc digits.tflite --target=avx512vnni,avx2,generic -o digits.o
 *     cc classify.c digits.o $(pkg-config --cflags --libs qcc libpng) -o classify && ./classify seven.png names.txt
 *
 * The picture is scaled to what the model takes by repeating or leaving out pixels; the model takes bytes of 0 to 255 as
 * its integers, counted from their smallest. */
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <qcc.h>

#include "digits.h" /* written by qcc beside digits.o */

enum { HEIGHT = DIGITS_INPUT_0_DIM_1, WIDTH = DIGITS_INPUT_0_DIM_2, CLASSES = DIGITS_OUTPUT_0_ELEMENTS };

static int read_picture(const char *path, DIGITS_INPUT_0_TYPE pixels[HEIGHT * WIDTH])
{
    png_image png = {.version = PNG_IMAGE_VERSION};
    if (!png_image_begin_read_from_file(&png, path))
        return 0;
    png.format = PNG_FORMAT_GRAY;
    unsigned char *grey = malloc(PNG_IMAGE_SIZE(png));
    const int good = grey && png_image_finish_read(&png, NULL, grey, 0, NULL);
    for (unsigned i = 0; good && i < HEIGHT * WIDTH; i++)
        pixels[i] =
            (DIGITS_INPUT_0_TYPE)(grey[i / WIDTH * png.height / HEIGHT * png.width + i % WIDTH * png.width / WIDTH] -
                                  128);
    free(grey);
    png_image_free(&png);
    return good;
}

/* The line of a class. */
static void print_name(FILE *names, int class)
{
    char line[256] = "";
    while (class -- >= 0 && fgets(line, sizeof line, names))
        continue;
    printf("%s\n", strtok(line, "\r\n"));
}

int main(int argc, char **argv)
{
    static DIGITS_INPUT_0_TYPE pixels[HEIGHT * WIDTH];
    static DIGITS_OUTPUT_0_TYPE scores[CLASSES];
    const void *inputs[DIGITS_INPUT_COUNT] = {pixels};
    void *outputs[DIGITS_OUTPUT_COUNT] = {scores};
    void *workspace = aligned_alloc(64, (DIGITS_WORKSPACE_BYTES + 63) / 64 * 64);
    FILE *names = argc == 3 ? fopen(argv[2], "r") : NULL;
    int best = 0;

    if (!names || !workspace || !read_picture(argv[1], pixels)) {
        fprintf(stderr, "usage: classify PICTURE.png NAMES.txt\n");
        return EXIT_FAILURE;
    }
    qcc_reset(&digits, workspace);
    const qcc_status status = qcc_run(&digits, inputs, outputs, workspace, NULL);
    if (status != QCC_OK) {
        fprintf(stderr, "classify: %s\n", qcc_status_text(status));
        return EXIT_FAILURE;
    }
    for (int i = 1; i < CLASSES; i++)
        if (scores[i] > scores[best])
            best = i;
    printf("%.3f ", DIGITS_OUTPUT_0_SCALE * (scores[best] - DIGITS_OUTPUT_0_ZERO_POINT));
    print_name(names, best);
    fclose(names);
    free(workspace);
    return EXIT_SUCCESS;
}
