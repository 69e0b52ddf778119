/* detect.c: finds shapes in a picture, says where they are, and draws boxes around them.
 *
 *     qcc detect.tflite --calib=calibration.npy --target=avx512vnni,avx2,generic -o detect.o
 *     cc detect.c detect.o $(pkg-config --cflags --libs qcc libpng) -lm -o detect && ./detect scene.png boxes.png
 *
 * train.py says what the model gives for each cell of the picture. */
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <qcc.h>

#include "detect.h" /* written by qcc beside detect.o */

enum { SIZE = DETECT_INPUT_0_DIM_1, CELLS = DETECT_OUTPUT_0_DIM_1, NUMBERS = DETECT_OUTPUT_0_DIM_3, CLASS = 5 };

typedef struct box {
    float sure, left, top, right, bottom;
    int class;
} box;

static float overlap(float a, float b, float c, float d)
{
    const float from = a > c ? a : c, to = b < d ? b : d;
    return to > from ? to - from : 0;
}

/* Intersection over union. */
static float same(const box *a, const box *b)
{
    const float both = overlap(a->left, a->right, b->left, b->right) * overlap(a->top, a->bottom, b->top, b->bottom);
    const float all = (a->right - a->left) * (a->bottom - a->top) + (b->right - b->left) * (b->bottom - b->top);
    return both / (all - both);
}

static box box_of(const float *cell, int row, int column)
{
    const float x = (column + cell[1]) * SIZE / CELLS, y = (row + cell[2]) * SIZE / CELLS;
    const float width = cell[3] * SIZE, height = cell[4] * SIZE;
    box it = {cell[0], x - width / 2, y - height / 2, x + width / 2, y + height / 2, 0};
    for (int i = 1; i < NUMBERS - CLASS; i++)
        if (cell[CLASS + i] > cell[CLASS + it.class])
            it.class = i;
    return it;
}

/* Cells that are sure; of boxes that are nearly the same, the surer one. */
static int find(float cells[CELLS][CELLS][NUMBERS], box boxes[CELLS * CELLS])
{
    int count = 0;
    for (int row = 0; row < CELLS; row++)
        for (int column = 0; column < CELLS; column++) {
            const box it = box_of(cells[row][column], row, column);
            int at = 0;
            while (at < count && same(&it, &boxes[at]) < 0.4f)
                at++;
            if (it.sure > 0.5f && (at == count || it.sure > boxes[at].sure))
                boxes[at] = it;
            count += at == count && it.sure > 0.5f;
        }
    return count;
}

static void draw(unsigned char pixels[SIZE][SIZE], const box *it)
{
    for (int y = 0; y < SIZE; y++)
        for (int x = 0; x < SIZE; x++) {
            const int inside = x >= (int)it->left && x <= (int)it->right && y >= (int)it->top && y <= (int)it->bottom;
            if (inside && (x == (int)it->left || x == (int)it->right || y == (int)it->top || y == (int)it->bottom))
                pixels[y][x] = 255;
        }
}

int main(int argc, char **argv)
{
    static const char *const names[NUMBERS - CLASS] = {"disc", "square", "triangle"};
    static unsigned char pixels[SIZE][SIZE];
    static float input[SIZE * SIZE], cells[CELLS][CELLS][NUMBERS];
    box boxes[CELLS * CELLS];
    const void *inputs[DETECT_INPUT_COUNT] = {input};
    void *outputs[DETECT_OUTPUT_COUNT] = {cells};
    void *workspace = aligned_alloc(64, (DETECT_WORKSPACE_BYTES + 63) / 64 * 64);
    png_image png = {.version = PNG_IMAGE_VERSION};

    if (argc != 3 || !workspace || !png_image_begin_read_from_file(&png, argv[1]) || png.width != SIZE ||
        png.height != SIZE) {
        fprintf(stderr, "usage: detect PICTURE.png BOXES.png (of %dx%d pixels)\n", SIZE, SIZE);
        return EXIT_FAILURE;
    }
    png.format = PNG_FORMAT_GRAY;
    if (!png_image_finish_read(&png, NULL, pixels, 0, NULL)) {
        fprintf(stderr, "detect: %s: %s\n", argv[1], png.message);
        return EXIT_FAILURE;
    }
    for (int i = 0; i < SIZE * SIZE; i++)
        input[i] = pixels[i / SIZE][i % SIZE];
    qcc_reset(&detect, workspace);
    const qcc_status status = qcc_run(&detect, inputs, outputs, workspace, NULL);
    if (status != QCC_OK) {
        fprintf(stderr, "detect: %s\n", qcc_status_text(status));
        return EXIT_FAILURE;
    }
    const int count = find(cells, boxes);
    for (int i = 0; i < count; i++) {
        const box *it = &boxes[i];
        printf("%s %.1f %.1f %.1f %.1f, sure by %.2f\n", names[it->class], it->left, it->top, it->right - it->left,
               it->bottom - it->top, it->sure);
        draw(pixels, it);
    }
    free(workspace);
    return png_image_write_to_file(&png, argv[2], 0, pixels, 0, NULL) ? EXIT_SUCCESS : EXIT_FAILURE;
}
