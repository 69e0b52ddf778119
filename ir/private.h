/* private.h: what the files of ir/ share and nobody else needs. */
#ifndef QCC_IR_PRIVATE_H
#define QCC_IR_PRIVATE_H

#include "ir/ir.h"

void ir_attr_set_default(arena *, ir_attr_id, ir_attr *out);
bool ir_attr_equal(ir_attr_id, const ir_attr *, const ir_attr *); /* bit for bit */

/* Constants of equal elements print as `splat x` up to this size; the parser grants so much memory to each. */
enum { IR_SPLAT_MAX = 1 << 24 };

#endif
