/* program.c: streams that the caller closed, and streams that could not take all that was written. */
#define _GNU_SOURCE
#include "compiler/output/program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ir/arena.h"

/* A stream that was closed fails at the first use, as it would if its number stayed free: it becomes a folder that is
 * not even open for reading. */
static void occupy(int fd)
{
    if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
        open("/", O_PATH); /* gets the lowest free number, which is this one */
}

/* LLVM ends the process where an allocation of its own fails.  Outputs have no names yet (output.h), so none is left. */
static void on_abort(int signal_number)
{
    static const char text[] = "error: out of memory, or an internal error\n";
    (void)signal_number;
    if (write(STDERR_FILENO, text, sizeof text - 1) < 0) {
        /* nobody is left to tell */
    }
    _exit(EXIT_FAILURE);
}

static void begin(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        occupy(fd);
    signal(SIGXFSZ, SIG_IGN);
    signal(SIGABRT, on_abort);
}

/* Some file systems (NFS, quotas) tell of a failure only when the file is closed; the number must stay occupied. */
static bool flushed(FILE *stream, int fd)
{
    bool good = !ferror(stream);
    errno = 0;
    good = fflush(stream) == 0 && good;
    const int copy = good ? dup(fd) : -1;
    return good && (copy < 0 || close(copy) == 0);
}

static int end(option_program program, int status)
{
    if (!flushed(stdout, STDOUT_FILENO)) {
        fprintf(stderr, "%s: error: cannot write to standard output%s%s\n", options_program_name(program),
                errno ? ": " : "", errno ? strerror(errno) : "");
        status = status == EXIT_SUCCESS ? EXIT_FAILURE : status;
    }
    if (!flushed(stderr, STDERR_FILENO)) /* nobody is left to tell */
        status = status == EXIT_SUCCESS ? EXIT_FAILURE : status;
    return status;
}

typedef struct program_call {
    int (*perform)(int, char **);
    int argc;
    char **argv;
    int status;
} program_call;

static void run_program(void *context)
{
    program_call *c = context;
    c->status = c->perform(c->argc, c->argv);
}

int program_main(option_program program, int (*perform)(int, char **), int argc, char **argv)
{
    program_call call = {perform, argc, argv, EXIT_FAILURE};
    begin();
    if (arena_guard(run_program, &call) != ARENA_DONE) {
        fprintf(stderr, "%s: error: out of memory\n", options_program_name(program));
        call.status = EXIT_FAILURE;
    }
    return end(program, call.status);
}
