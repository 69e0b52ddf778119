/* link.c: object -> shared library.  The runtime's archive is part of this program (runtime_archive.S), so that
 * nothing has to be found at run time but a linker.
 *
 * The linker takes and makes named files.  They are in a folder of their own, the linker's own temporary files
 * included, and a process apart (apart.h) removes it, whatever happens to this one. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compiler/driver.h"
#include "compiler/output/apart.h"
#include "compiler/output/output.h"

extern const unsigned char driver_runtime_archive[], driver_runtime_archive_end[];
extern char **environ;

enum { NOT_STARTED = 127, SIGNALLED = 128, FOLDER_BYTES = 4096, PATH_BYTES = FOLDER_BYTES + 32, OPEN_FOLDERS = 8 };

typedef struct linking {
    const driver_options *options;
    const cg_output *object;
    int to; /* descriptor of the library */
    char folder[FOLDER_BYTES];
} linking;

static bool put(const char *path, const void *bytes, size_t size, const cg_part parts[], size_t count, diag *d)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool good = fd >= 0 && output_write(fd, bytes, size);
    for (size_t i = 0; good && i < count; i++)
        good = output_write(fd, parts[i].bytes, parts[i].size);
    const int reason = errno;
    if (fd >= 0 && close(fd) != 0 && good)
        return diag_error(d, NULL, "cannot write %s: %s", path, strerror(errno));
    return good || diag_error(d, NULL, "cannot write %s: %s", path, strerror(reason));
}

/* ---- The linker ---- */

/* Until the child ends, or is to: then all of its process group, whose orphans this process inherits, has ended, too. */
static int await(pid_t child, int cancel)
{
    sigset_t children;
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    struct pollfd on[] = {{.fd = cancel},
                          {.fd = signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK), .events = POLLIN}};
    struct signalfd_siginfo news;
    int status = 0;
    bool cancelled = false;
    pid_t ended;
    while ((ended = waitpid(child, &status, cancelled ? 0 : WNOHANG)) == 0 || (ended < 0 && errno == EINTR)) {
        if (!cancelled && poll(on, 2, -1) > 0 && on[0].revents)
            cancelled = kill(-child, SIGKILL) == 0;
        while (read(on[1].fd, &news, sizeof news) > 0)
            continue;
    }
    while (cancelled && (waitpid(-child, NULL, 0) > 0 || errno == EINTR))
        continue;
    if (on[1].fd >= 0)
        close(on[1].fd);
    return WIFEXITED(status) ? WEXITSTATUS(status) : SIGNALLED + WTERMSIG(status);
}

/* Exit status of the program, NOT_STARTED when there is none of that name. */
static int run(const char *const arguments[], int cancel)
{
    posix_spawnattr_t as;
    sigset_t none, all;
    pid_t child;
    sigemptyset(&none);
    sigfillset(&all);
    if (posix_spawnattr_init(&as) != 0)
        return NOT_STARTED;
    posix_spawnattr_setflags(&as, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setpgroup(&as, 0);
    posix_spawnattr_setsigmask(&as, &none);
    posix_spawnattr_setsigdefault(&as, &all);
    const int error = posix_spawnp(&child, arguments[0], NULL, &as, (char *const *)(uintptr_t)arguments, environ);
    posix_spawnattr_destroy(&as);
    return error ? NOT_STARTED : await(child, cancel);
}

/* A compiler's driver knows where libc and libm are; the bare linker leaves those symbols to the loading program. */
static bool link_with(const char *linker, const char *const files[3], const char *output, int cancel, int *out_status)
{
    const bool bare = strcmp(linker, "ld") == 0;
    /* clang-format off */
    const char *const arguments[] = {
        linker, "-shared", bare ? "-Bsymbolic" : "-Wl,-Bsymbolic", "-z", "noexecstack", "-o", output, files[0],
        bare ? "--whole-archive" : "-Wl,--whole-archive", files[1],
        bare ? "--no-whole-archive" : "-Wl,--no-whole-archive",
        bare ? files[2] + strlen("-Wl,") : files[2],
        bare ? NULL : "-lm", "-pthread", NULL,
    };
    /* clang-format on */
    *out_status = run(arguments, cancel);
    return *out_status == 0;
}

static bool link_files(const char *const files[3], const char *output, int cancel, diag *d)
{
    const char *chosen = getenv("CC");
    const char *const linkers[] = {chosen && *chosen && !strchr(chosen, ' ') ? chosen : "cc", "cc", "gcc", "clang",
                                   "ld"};
    for (size_t i = 0; i < sizeof linkers / sizeof linkers[0]; i++) {
        int status;
        if (link_with(linkers[i], files, output, cancel, &status))
            return true;
        if (status != NOT_STARTED)
            return diag_error(d, NULL, "%s failed to link the shared library (exit status %d)", linkers[i], status);
    }
    return diag_error(d, NULL, "no linker found to make a shared library: looked for $CC, cc, gcc, clang, ld");
}

/* What the library exports; the rest stays inside. */
static int write_map(char *text, size_t size, const char *name)
{
    return snprintf(text, size,
                    "{ global: %s; %s_weights; qcc_default_model; qcc_model_*; qcc_run; qcc_reset; qcc_pool_create; "
                    "qcc_pool_destroy; qcc_set_weights; qcc_status_text; local: *; };\n",
                    name, name);
}

/* ---- The folder ---- */

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *at)
{
    (void)info, (void)kind, (void)at;
    return remove(path);
}

/* The library's bytes go where they are wanted. */
static bool fetch(const char *path, int to, diag *d)
{
    const int from = open(path, O_RDONLY | O_CLOEXEC);
    const bool good = from >= 0 && output_copy(from, to);
    if (!good)
        diag_error(d, NULL, "cannot copy %s: %s", path, strerror(errno));
    if (from >= 0)
        close(from);
    return good;
}

static bool link_in_folder(const linking *l, int cancel, diag *d)
{
    static const char *const leaf[] = {"model.o", "libqcc.a", "exports.map", "model.so"};
    char file[4][PATH_BYTES], map_option[PATH_BYTES + 32], map[1024];
    for (int i = 0; i < 4; i++)
        snprintf(file[i], sizeof file[i], "%s/%s", l->folder, leaf[i]);
    snprintf(map_option, sizeof map_option, "-Wl,--version-script=%s", file[2]);
    const int map_length = write_map(map, sizeof map, l->options->name);
    const size_t archive_size = (size_t)(driver_runtime_archive_end - driver_runtime_archive);
    const cg_output *o = l->object;
    return put(file[0], o->bytes, o->size, o->parts, o->separate ? 0 : o->part_count, d) &&
           put(file[1], driver_runtime_archive, archive_size, NULL, 0, d) &&
           put(file[2], map, (size_t)map_length, NULL, 0, d) &&
           link_files((const char *const[]){file[0], file[1], map_option}, file[3], cancel, d) &&
           fetch(file[3], l->to, d);
}

static bool link_apart(void *context, int cancel, diag *d)
{
    linking *l = context;
    const char *base = getenv("TMPDIR");
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    snprintf(l->folder, sizeof l->folder, "%s/qcc.XXXXXX", base && *base ? base : "/tmp");
    if (!mkdtemp(l->folder))
        return diag_error(d, NULL, "cannot make a folder for temporary files, %s: %s", l->folder, strerror(errno));
    setenv("TMPDIR", l->folder, 1);
    const bool good = link_in_folder(l, cancel, d);
    nftw(l->folder, remove_one, OPEN_FOLDERS, FTW_DEPTH | FTW_PHYS);
    return good;
}

bool driver_link_shared(const driver_options *o, const cg_output *object, int to, diag *d)
{
    linking l = {.options = o, .object = object, .to = to};
    return apart_run(link_apart, &l, d);
}
