/* show_output.h: an output of a model in a few lines for people. */
#ifndef QCC_TOOLS_SHOW_OUTPUT_H
#define QCC_TOOLS_SHOW_OUTPUT_H

#include "compiler/run/session.h"

/*     scores: u8 1x10, scale 0.00390625, zero 0: 0 2 0 0 0 0 0 251 ...
 *       largest 251 (0.980469) at 7, smallest 0 (0) at 0; class 7
 *
 * The second line where there are several elements; the class where they lie along one dimension, as scores do. */
void show_output(const session *, uint32_t index);
/* Whether elements lie along one dimension. */
bool show_is_row(const ir_type *);

#endif
