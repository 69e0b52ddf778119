/* config.h: training as PaddleSlim's users write it down: a JSON object, whose keys are options of the command line.
 *
 *     {"weight_quantize_type": "channel_wise_abs_max",            --weight-scales=channel
 *      "activation_quantize_type": "moving_average_abs_max",      --activation-quantize=moving-average
 *      "activation_preprocess_type": "PACT",                      --pact=0.0001
 *      "moving_rate": 0.9, "weight_bits": 8,                      --moving-rate=0.9 --weight-bits=8
 *      "quantizable_layer_type": ["Conv2D", "Linear"]}            --quantized-ops=conv2d,depthwise_conv2d --quantized-ops=fc
 *
 * A key that is none, and a value that means something else here, are errors. */
#ifndef QCC_TUNE_CONFIG_H
#define QCC_TUNE_CONFIG_H

#include "compiler/options.h"

typedef struct tune_config {
    void *root; /* what values of options point into; NULL: none was read */
    char *patterns[64];
    int pattern_count;
} tune_config;

/* Calls for each option that the file means, as options_parse does.  False with a reason.  The configuration has to stay open
 * as long as the options are in use. */
bool tune_config_read(tune_config *, const char *path, option_fn *, void *context, char *error, size_t error_size);
void tune_config_close(tune_config *);

#endif
