/* spot.c: hears words in sound, piece by piece, as it would come from a microphone.
 *
 *     qcc keyword.tflite --calib=calibration.npy --target=avx512vnni,avx2,generic -o keyword.o
 *     cc spot.c keyword.o $(pkg-config --cflags --libs qcc) -o spot && ./spot sound.wav
 *
 * What a word needs of earlier pieces is the model's state: KEYWORD_STATE_BYTES at the start of the workspace, which
 * qcc_reset sets to its beginning and each qcc_run takes on.  Several sounds at once need a workspace each, and nothing
 * else. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <qcc.h>

#include "keyword.h" /* written by qcc beside keyword.o */

enum {
    RATE = 8000,
    HEADING = 44, /* bytes of a WAV file before its samples */
    PIECE = KEYWORD_INPUT_0_ELEMENTS,
    CLASSES = KEYWORD_OUTPUT_0_DIM_3,
    SCORES = KEYWORD_OUTPUT_0_ELEMENTS / CLASSES, /* of a piece, one behind the other */
    LASTS = 2                                     /* as many scores in a row make a word */
};

static const char *const words[CLASSES] = {"nothing", "up", "down", "twice"};

typedef struct hearing {
    int word, length; /* the word that the last scores were for, and how many these were */
    long samples;     /* that have been heard */
} hearing;

/* Says a word when it has come, with the second at which that was. */
static void hear(hearing *so_far, float scores[SCORES][CLASSES])
{
    for (int i = 0; i < SCORES; i++) {
        int best = 0;
        for (int k = 1; k < CLASSES; k++)
            if (scores[i][k] > scores[i][best])
                best = k;
        so_far->length = best == so_far->word ? so_far->length + 1 : 1;
        so_far->word = best;
        so_far->samples += PIECE / SCORES;
        if (best != 0 && so_far->length == LASTS)
            printf("%s %.2f\n", words[best], (double)so_far->samples / RATE);
    }
}

int main(int argc, char **argv)
{
    static float input[PIECE], scores[SCORES][CLASSES];
    unsigned char bytes[PIECE];
    const void *inputs[KEYWORD_INPUT_COUNT] = {input};
    void *outputs[KEYWORD_OUTPUT_COUNT] = {scores};
    void *workspace = aligned_alloc(64, (KEYWORD_WORKSPACE_BYTES + 63) / 64 * 64);
    FILE *sound = argc == 2 ? fopen(argv[1], "rb") : NULL;
    hearing so_far = {0};

    if (!workspace || !sound || fread(bytes, 1, HEADING, sound) != HEADING || memcmp(bytes, "RIFF", 4) != 0) {
        fprintf(stderr, "usage: spot SOUND.wav (of 8 bits, one channel, %d Hz)\n", RATE);
        return EXIT_FAILURE;
    }
    qcc_reset(&keyword, workspace);
    while (fread(bytes, 1, PIECE, sound) == PIECE) {
        for (int i = 0; i < PIECE; i++)
            input[i] = bytes[i] - 128.0f;
        const qcc_status status = qcc_run(&keyword, inputs, outputs, workspace, NULL);
        if (status != QCC_OK) {
            fprintf(stderr, "spot: %s\n", qcc_status_text(status));
            return EXIT_FAILURE;
        }
        hear(&so_far, scores);
    }
    fclose(sound);
    free(workspace);
    return EXIT_SUCCESS;
}
