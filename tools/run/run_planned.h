/* run_planned.h: runs a planned graph the way compiled code does, in one workspace, with the interpreter's ops. */
#ifndef QCC_RUN_PLANNED_H
#define QCC_RUN_PLANNED_H

#include "ir/ir.h"

/* Sets the state variables in the workspace to their start. */
void planned_reset(const ir_graph *, unsigned char *workspace);
/* One run.  Every value is read from and written to its place only: a plan in which live values overlap gives wrong
 * outputs. */
bool planned_run(const ir_graph *, const void *const inputs[], void *const outputs[], unsigned char *workspace, diag *);

#endif
