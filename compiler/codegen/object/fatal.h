/* fatal.h: when LLVM gives up, the compilation ends, and not the process.
 *
 *     cg_fatal_watch(true);
 *     outcome = arena_guard(work, context);        // ARENA_ABANDONED: work came to a fatal error of LLVM
 *     cg_fatal_watch(false);
 *     … cg_fatal_report(loc, d) …
 *
 * It is what LLVM does with code that its backend can't select, which is a defect of an emitter.  What LLVM held then
 * is lost: nothing of its module, context and target machine may be touched again. */
#ifndef QCC_FATAL_H
#define QCC_FATAL_H

#include <stdbool.h>

#include "ir/diag.h"

/* Of this thread; without it LLVM prints the error and ends the process. */
void cg_fatal_watch(bool on);
/* The diagnostic of the last fatal error.  Always false. */
bool cg_fatal_report(const struct ir_loc *, diag *);

#endif
