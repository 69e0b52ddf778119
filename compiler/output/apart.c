/* apart.c: one child and two pipes.
 *
 *     qcc                                    child
 *     holds back signals, forks ───────────▶ own session, all signals blocked
 *     end of `cancel`: a signal, or death ─▶ (the work may look at it)
 *     reads `result` ◀────────────────────── '+', or '-' and the diagnostic
 *     takes the signals that came */
#define _GNU_SOURCE
#include "compiler/output/apart.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum { READ, WRITE };

/* Those that would end this process; what it ignores (nohup) does not count. */
static sigset_t ending_signals(void)
{
    static const int ending[] = {SIGHUP,  SIGINT,  SIGQUIT,   SIGTERM, SIGPIPE, SIGALRM,
                                 SIGUSR1, SIGUSR2, SIGVTALRM, SIGPROF, SIGXCPU};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof ending / sizeof ending[0]; i++) {
        struct sigaction action;
        if (sigaction(ending[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
            sigaddset(&set, ending[i]);
    }
    return set;
}

static void block_all(sigset_t *out_before)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, out_before);
}

_Noreturn static void be_child(apart_fn *work, void *context, int cancel, int result, diag *d)
{
    block_all(NULL);
    setsid();
    signal(SIGCHLD, SIG_DFL);
    const bool good = work(context, cancel, d);
    char text[1 + DIAG_TEXT_BYTES] = {good ? '+' : '-'};
    if (!good)
        memcpy(text + 1, d->text, strlen(d->text));
    const ssize_t written =
        write(result, text, 1 + strlen(text + 1)); /* short enough for one piece; without a reader, in vain */
    _exit(written > 0 ? 0 : 1);
}

/* Reads the result to its end; a signal on the way ends `cancel`. */
static size_t await(int result, int cancel, const sigset_t *ending, char text[], size_t size)
{
    struct pollfd on[] = {{.fd = result, .events = POLLIN},
                          {.fd = signalfd(-1, ending, SFD_CLOEXEC), .events = POLLIN}};
    const int signals = on[1].fd;
    size_t length = 0;
    for (;;) {
        if (poll(on, 2, -1) < 0)
            continue;
        if (on[1].revents && on[1].fd >= 0) {
            close(cancel);
            cancel = on[1].fd = -1;
        }
        const ssize_t got = on[0].revents ? read(result, text + length, size - length) : 1;
        if (got <= 0 && !(got < 0 && errno == EINTR))
            break;
        length += on[0].revents && got > 0 ? (size_t)got : 0;
    }
    if (cancel >= 0)
        close(cancel);
    if (signals >= 0)
        close(signals);
    return length;
}

/* No child to be had: at least no signal comes between. */
static bool run_here(apart_fn *work, void *context, diag *d)
{
    sigset_t before;
    block_all(&before);
    const bool good = work(context, -1, d);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return good;
}

static bool run_child(apart_fn *work, void *context, int result[2], int cancel[2], const sigset_t *ending, diag *d)
{
    char text[1 + DIAG_TEXT_BYTES];
    const pid_t child = fork();
    if (child == 0) {
        close(result[READ]);
        close(cancel[WRITE]);
        be_child(work, context, cancel[READ], result[WRITE], d);
    }
    close(result[WRITE]);
    close(cancel[READ]);
    if (child < 0) {
        close(cancel[WRITE]);
        close(result[READ]);
        return run_here(work, context, d);
    }
    const size_t length = await(result[READ], cancel[WRITE], ending, text, sizeof text);
    close(result[READ]);
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
        continue;
    if (length > 0 && text[0] == '+')
        return true;
    if (length <= 1)
        return diag_error(d, NULL, "the process that finishes the output files was killed");
    memcpy(d->text, text + 1, length - 1); /* complete with its place */
    d->text[length - 1] = 0;
    d->failed = true;
    return false;
}

bool apart_run(apart_fn *work, void *context, diag *d)
{
    int result[2], cancel[2];
    if (pipe2(result, O_CLOEXEC) != 0)
        return run_here(work, context, d);
    if (pipe2(cancel, O_CLOEXEC) != 0) {
        close(result[READ]);
        close(result[WRITE]);
        return run_here(work, context, d);
    }
    const sigset_t ending = ending_signals();
    sigset_t before;
    sigprocmask(SIG_BLOCK, &ending, &before);
    const bool good = run_child(work, context, result, cancel, &ending, d);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return good;
}
