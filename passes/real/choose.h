/* choose.h: what --quantized-ops and --keep-float say about an op. */
#ifndef QCC_PASS_CHOOSE_H
#define QCC_PASS_CHOOSE_H

#include "passes/pass.h"

/* Does --quantized-ops name this kind of op? */
bool choose_is_asked_for(const pass_options *, const ir_op *);

#endif
