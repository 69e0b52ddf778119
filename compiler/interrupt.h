/* interrupt.h: SIGINT (Ctrl-C) that waits until the work is at a place where it can stop.
 *
 *     interrupt i;
 *     interrupt_hold(&i);
 *     while (…) { …; if (interrupt_came(&i)) { save, and leave } }
 *     interrupt_release(&i);
 *
 * Whoever has it ignored goes on ignoring it.  Threads that are made meanwhile hold it, too. */
#ifndef QCC_INTERRUPT_H
#define QCC_INTERRUPT_H

#include <signal.h>
#include <stdbool.h>

typedef struct interrupt {
    sigset_t before;
    bool watched, came;
} interrupt;

void interrupt_hold(interrupt *);
bool interrupt_came(interrupt *);    /* since it is held */
void interrupt_release(interrupt *); /* one that came has had its effect */

#endif
