/* read_line.c: reads a line of digits.
 *
 *     qcc line.tflite --calib=calibration.npy --target=avx512vnni,avx2,generic -o line.o
 *     cc read_line.c line.o $(pkg-config --cflags --libs qcc libpng) -o read_line && ./read_line line.png
 *
 * The model gives scores of "blank" and of each digit for each step from left to right.  They become text by the greedy way of CTC
 * (connectionist temporal classification): the best of each step, once where it is repeated, without blanks. */
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <qcc.h>

#include "line.h" /* written by qcc beside line.o */

enum {
    HEIGHT = LINE_INPUT_0_DIM_1,
    WIDTH = LINE_INPUT_0_DIM_2,
    STEPS = LINE_OUTPUT_0_DIM_2,
    CLASSES = LINE_OUTPUT_0_DIM_3,
    BLANK = 0
};

static int best_of(const float scores[CLASSES])
{
    int best = 0;
    for (int i = 1; i < CLASSES; i++)
        if (scores[i] > scores[best])
            best = i;
    return best;
}

static void read_steps(float scores[STEPS][CLASSES], char text[STEPS + 1])
{
    int length = 0, before = BLANK;
    for (int step = 0; step < STEPS; step++) {
        const int best = best_of(scores[step]);
        if (best != BLANK && best != before)
            text[length++] = "0123456789"[best - 1];
        before = best;
    }
    text[length] = '\0';
}

int main(int argc, char **argv)
{
    static unsigned char pixels[HEIGHT * WIDTH];
    static float input[HEIGHT * WIDTH], scores[STEPS][CLASSES];
    char text[STEPS + 1];
    const void *inputs[LINE_INPUT_COUNT] = {input};
    void *outputs[LINE_OUTPUT_COUNT] = {scores};
    void *workspace = aligned_alloc(64, (LINE_WORKSPACE_BYTES + 63) / 64 * 64);
    png_image png = {.version = PNG_IMAGE_VERSION};

    if (argc != 2 || !workspace || !png_image_begin_read_from_file(&png, argv[1]) || png.width != WIDTH ||
        png.height != HEIGHT) {
        fprintf(stderr, "usage: read_line PICTURE.png (%d wide, %d high, white on black)\n", WIDTH, HEIGHT);
        return EXIT_FAILURE;
    }
    png.format = PNG_FORMAT_GRAY;
    if (!png_image_finish_read(&png, NULL, pixels, 0, NULL)) {
        fprintf(stderr, "read_line: %s: %s\n", argv[1], png.message);
        return EXIT_FAILURE;
    }
    for (int i = 0; i < HEIGHT * WIDTH; i++)
        input[i] = pixels[i];
    qcc_reset(&line, workspace);
    const qcc_status status = qcc_run(&line, inputs, outputs, workspace, NULL);
    if (status != QCC_OK) {
        fprintf(stderr, "read_line: %s\n", qcc_status_text(status));
        return EXIT_FAILURE;
    }
    read_steps(scores, text);
    puts(text);
    free(workspace);
    return EXIT_SUCCESS;
}
