/* link.c: object -> shared library.  The runtime's archive is part of this program (runtime_archive.S), so that nothing
 * has to be found at run time but a linker. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compiler/driver.h"

extern const unsigned char driver_runtime_archive[], driver_runtime_archive_end[];
extern char **environ;

enum { NOT_STARTED = 127 };

static bool put(const char *path, const void *bytes, size_t size, const cg_part parts[], size_t count, diag *d)
{
    FILE *file = fopen(path, "wbe");
    bool good = file && fwrite(bytes, 1, size, file) == size;
    for (size_t i = 0; good && i < count; i++)
        good = fwrite(parts[i].bytes, 1, parts[i].size, file) == parts[i].size;
    good = file && fclose(file) == 0 && good;
    return good || diag_error(d, NULL, "cannot write %s: %s", path, strerror(errno));
}

/* Exit status of the program, NOT_STARTED when there is none of that name. */
static int run(const char *const arguments[])
{
    pid_t child;
    int status;
    if (posix_spawnp(&child, arguments[0], NULL, NULL, (char *const *)(uintptr_t)arguments, environ) != 0)
        return NOT_STARTED;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return NOT_STARTED;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/* A compiler's driver knows where libc and libm are; the bare linker leaves those symbols to the loading program. */
static bool link_with(const char *linker, const char *const files[3], const char *output, int *out_status)
{
    const bool bare = strcmp(linker, "ld") == 0;
    const char *const arguments[] = {
        linker, "-shared", bare ? "-Bsymbolic" : "-Wl,-Bsymbolic", "-z", "noexecstack", "-o", output, files[0],
        bare ? "--whole-archive" : "-Wl,--whole-archive", files[1],
        bare ? "--no-whole-archive" : "-Wl,--no-whole-archive",
        bare ? files[2] + strlen("-Wl,") : files[2],
        bare ? NULL : "-lm", "-pthread", NULL,
    };
    *out_status = run(arguments);
    return *out_status == 0;
}

static bool link_files(const char *const files[3], const char *output, diag *d)
{
    const char *chosen = getenv("CC");
    const char *const linkers[] = {chosen && *chosen && !strchr(chosen, ' ') ? chosen : "cc", "cc", "gcc", "clang", "ld"};
    for (size_t i = 0; i < sizeof linkers / sizeof linkers[0]; i++) {
        int status;
        if (link_with(linkers[i], files, output, &status))
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

bool driver_link_shared(const driver_options *o, const cg_output *object, const char *path, diag *d)
{
    const char *base = getenv("TMPDIR");
    char folder[4096], file[3][4200], map_option[4300], map[1024];
    snprintf(folder, sizeof folder, "%s/qcc.XXXXXX", base && *base ? base : "/tmp");
    if (!mkdtemp(folder))
        return diag_error(d, NULL, "cannot make a folder for temporary files, %s: %s", folder, strerror(errno));
    static const char *const leaf[3] = {"model.o", "libqcc.a", "exports.map"};
    for (int i = 0; i < 3; i++)
        snprintf(file[i], sizeof file[i], "%s/%s", folder, leaf[i]);
    snprintf(map_option, sizeof map_option, "-Wl,--version-script=%s", file[2]);
    const int map_length = write_map(map, sizeof map, o->name);
    const size_t archive_size = (size_t)(driver_runtime_archive_end - driver_runtime_archive);
    const bool good = put(file[0], object->bytes, object->size, object->parts, object->separate ? 0 : object->part_count, d) &&
                      put(file[1], driver_runtime_archive, archive_size, NULL, 0, d) &&
                      put(file[2], map, (size_t)map_length, NULL, 0, d) &&
                      link_files((const char *const[]){file[0], file[1], map_option}, path, d);
    for (int i = 0; i < 3; i++)
        unlink(file[i]);
    rmdir(folder);
    return good;
}
