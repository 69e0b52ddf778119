/* wide.h: the model once more, for a batch: the same graph but for the first dimension of its values.
 *
 *     wide w;
 *     if (wide_open(&w, options, "m.tflite", 32, graph, d)) {
 *         wide_take(&w)                constants of the graph that are others than in the file
 *         … w.module.graph …
 *     }
 *     wide_close(&w); */
#ifndef QCC_TUNE_WIDE_H
#define QCC_TUNE_WIDE_H

#include "compiler/driver.h"

typedef struct wide {
    driver_module module; /* its graph is at the end of PHASE(real) */
    ir_graph *narrow;
    ir_op **wide_ops, **narrow_ops; /* those that are one another, in the order of the graphs */
    int count;
    ir_op **narrow_by_id; /* the same by the id of the wide one */
} wide;

/* `narrow` is at the end of PHASE(real), of the same file and options.  An error where the batch changes more than types. */
bool wide_open(wide *, const driver_options *, const char *file, long batch, ir_graph *narrow, diag *);
void wide_close(wide *);

void wide_take(wide *);
/* By id of a value of the wide graph, what there is by id of the same one of the narrow graph; in the wide graph's arena. */
pass_range *wide_ranges(const wide *, const pass_range narrow[], uint32_t count);
/* The ends of ranges that the wide graph's values have now. */
void wide_give_ranges(const wide *, const pass_range from[], pass_range narrow[], uint32_t count);
/* The op of the narrow graph. */
ir_op *wide_narrow_op(const wide *, uint32_t wide_id);

#endif
