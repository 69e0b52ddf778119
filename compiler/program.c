/* program.c: streams that the caller closed, and streams that could not take all that was written. */
#define _GNU_SOURCE
#include "compiler/program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A stream that was closed fails at the first use, as it would if its number stayed free: it becomes a folder that is not even
 * open for reading. */
static void occupy(int fd)
{
    if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
        open("/", O_PATH); /* gets the lowest free number, which is this one */
}

void program_begin(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        occupy(fd);
    signal(SIGXFSZ, SIG_IGN);
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

int program_end(option_program program, int status)
{
    if (!flushed(stdout, STDOUT_FILENO)) {
        fprintf(stderr, "%s: error: cannot write to standard output%s%s\n", options_program_name(program), errno ? ": " : "",
                errno ? strerror(errno) : "");
        status = status == EXIT_SUCCESS ? EXIT_FAILURE : status;
    }
    if (!flushed(stderr, STDERR_FILENO)) /* nobody is left to tell */
        status = status == EXIT_SUCCESS ? EXIT_FAILURE : status;
    return status;
}
