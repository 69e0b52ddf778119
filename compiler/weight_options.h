/* weight_options.h: which scales the weights of a model of real numbers get, and how many bits its values. */
#ifndef QCC_WEIGHT_OPTIONS_H
#define QCC_WEIGHT_OPTIONS_H

#include "compiler/options.h"
#include "passes/pass.h"

/* Takes --weight-algo, --weight-bits and --weight-scales; *out_known is false when it is none. */
bool weight_options_set(pass_calibration *, option_id, const char *value, bool *out_known, char *error, size_t size);
/* --activation-bits. */
bool weight_options_activation_bits(pass_calibration *, const char *value, char *error, size_t size);
/* What they say together; NULL, or what is wrong. */
const char *weight_options_problem(const pass_calibration *);

#endif
