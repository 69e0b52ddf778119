/* apart.h: work that is carried through, or undone, even when this process is killed in the middle of it.
 *
 *     apart_run(publish_files, &files, &d);
 *
 * The work is done by a child in a session of its own, with all signals blocked, so that neither a signal to qcc,
 * SIGKILL included, nor one to its whole process group or terminal reaches it.  A signal that ends qcc is held back
 * until the child is done: whoever waits for qcc finds everything cleaned up. */
#ifndef QCC_APART_H
#define QCC_APART_H

#include "ir/diag.h"

/* `cancel` becomes readable (end of file) when qcc is to end early or has died: long work then cleans up and returns
 * false.  What the work changes in memory is lost; its files and its diagnostic are not. */
typedef bool apart_fn(void *context, int cancel, diag *);

bool apart_run(apart_fn *, void *context, diag *);

#endif
