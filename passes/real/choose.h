/* choose.h: what --quantized-ops and --keep-float say about an op. */
#ifndef QCC_PASS_CHOOSE_H
#define QCC_PASS_CHOOSE_H

#include "passes/pass.h"

/* Does --quantized-ops name this kind of op? */
bool choose_is_asked_for(const pass_options *, const ir_op *);

/* The ops of a group that --keep-float knows (choose_groups.c), by id; NULL: there is no such group.  In the arena. */
const bool *choose_group(const ir_graph *, const char *name, size_t length, arena *);

#endif
