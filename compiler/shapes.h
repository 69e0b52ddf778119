/* shapes.h: the shapes that one object is made for, when --batch and --input-shape have lists (docs/shapes.md).
 *
 *     --batch={1,8} --input-shape=x:1x3x32x{100,320}     four shapes: each choice of the first list with each of the second */
#ifndef QCC_SHAPES_H
#define QCC_SHAPES_H

#include "compiler/driver.h"

/* Is it of the form 1x224x{224,320}x3, or what is behind --batch= where that is a list? */
bool shapes_well_formed(const char *numbers);
/* How many the options list; 1 without lists, SHAPES_MOST + 1 for more than there may be. */
int shapes_count(const driver_options *);
/* The options of one of them; texts are in the arena. */
driver_options shapes_take(const driver_options *, int index, arena *);
/* No two graphs may have the same input shapes, and none a state, whose place depends on the shape. */
bool shapes_fit(const driver_module *, diag *);

#endif
