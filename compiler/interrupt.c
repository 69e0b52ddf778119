/* interrupt.c: the signal is blocked, and asked for. */
#include "compiler/interrupt.h"

#include <stddef.h>
#include <time.h>

static sigset_t interrupt_set(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    return set;
}

void interrupt_hold(interrupt *i)
{
    struct sigaction action;
    const sigset_t set = interrupt_set();
    *i = (interrupt){.came = false};
    pthread_sigmask(SIG_BLOCK, &set, &i->before);
    i->watched = sigaction(SIGINT, NULL, &action) == 0 && action.sa_handler != SIG_IGN;
}

bool interrupt_came(interrupt *i)
{
    sigset_t pending;
    if (i->watched && sigpending(&pending) == 0 && sigismember(&pending, SIGINT))
        i->came = true;
    return i->came;
}

void interrupt_release(interrupt *i)
{
    const struct timespec now = {0};
    const sigset_t set = interrupt_set();
    if (i->came)
        sigtimedwait(&set, NULL, &now);
    pthread_sigmask(SIG_SETMASK, &i->before, NULL);
}
