/* digits.c: classifies pictures of handwritten digits with a compiled model.
 *
 *     qcc digits.tflite --target=avx512vnni,avx2,generic -o digits.o
 *     cc digits.c digits.o $(pkg-config --cflags --libs qcc) -o digits && ./digits [THREADS] */
#include <stdio.h>
#include <stdlib.h>

#include <qcc.h>

#include "digits.h" /* written by qcc beside digits.o */
#include "images.h" /* the pictures that the training did not see */

static int largest(const int8_t *scores, int count)
{
    int best = 0;
    for (int i = 1; i < count; i++)
        if (scores[i] > scores[best])
            best = i;
    return best;
}

int main(int argc, char **argv)
{
    const int threads = argc > 1 ? atoi(argv[1]) : 1;
    qcc_pool *pool = threads > 1 ? qcc_pool_create((unsigned)threads) : NULL; /* NULL: this thread alone */
    void *workspace = aligned_alloc(64, (DIGITS_WORKSPACE_BYTES + 63) / 64 * 64);
    int8_t scores[DIGITS_OUTPUT_0_BYTES];
    int right = 0;

    qcc_reset(&digits, workspace);

    for (int i = 0; i < IMAGE_COUNT; i++) {
        const void *inputs[DIGITS_INPUT_COUNT] = {images[i]};
        void *outputs[DIGITS_OUTPUT_COUNT] = {scores};
        const qcc_status status = qcc_run(&digits, inputs, outputs, workspace, pool);
        if (status != QCC_OK) {
            fprintf(stderr, "digits: %s\n", qcc_status_text(status));
            return EXIT_FAILURE;
        }
        right += largest(scores, DIGITS_OUTPUT_0_BYTES) == classes[i];
    }
    printf("%d of %d right, %.1f %%, by the code for %s of %s\n", right, IMAGE_COUNT, 100.0 * right / IMAGE_COUNT,
           qcc_model_target(&digits), DIGITS_TARGETS);
    free(workspace);
    qcc_pool_destroy(pool);
    return EXIT_SUCCESS;
}
