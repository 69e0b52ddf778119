/* output.c: each file is written under a temporary name in its own folder and renamed when all are complete. */
#define _GNU_SOURCE
#include "compiler/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ir/ir.h"

static bool file_error(const char *path, const char *what, diag *d)
{
    const ir_loc loc = {.file = path, .subgraph = -1, .node = -1};
    return diag_error(d, &loc, "%s: %s", what, strerror(errno));
}

static bool write_all(int fd, const void *bytes, size_t size)
{
    const char *at = bytes;
    while (size > 0) {
        const ssize_t done = write(fd, at, size);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        at += done;
        size -= (size_t)done;
    }
    return true;
}

/* Devices and pipes can't be replaced by renaming. */
bool output_in_place(const char *path)
{
    struct stat info;
    return strcmp(path, "-") == 0 || (stat(path, &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode));
}

static bool write_parts(int fd, const cg_part parts[], size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!write_all(fd, parts[i].bytes, parts[i].size))
            return false;
    return true;
}

static bool write_in_place(const char *path, const cg_part parts[], size_t count, diag *d)
{
    const bool is_stdout = strcmp(path, "-") == 0;
    const int fd = is_stdout ? STDOUT_FILENO : open(path, O_WRONLY | O_CLOEXEC);
    const bool good = fd >= 0 && write_parts(fd, parts, count);
    if (!good)
        file_error(is_stdout ? "<stdout>" : path, "cannot write", d);
    if (fd >= 0 && !is_stdout)
        close(fd);
    return good;
}

static int create_temporary(output_set *s, const char *path, unsigned mode, diag *d)
{
    if (s->count == OUTPUT_MAX_FILES)
        return diag_error(d, NULL, "too many output files"), -1;
    struct output_file *file = &s->file[s->count];
    file->path = strdup(path);
    if (!file->path || asprintf(&file->temporary, "%s.XXXXXX", path) < 0) {
        free(file->path);
        return diag_error(d, NULL, "out of memory"), -1;
    }
    const int fd = mkostemp(file->temporary, O_CLOEXEC);
    if (fd < 0) {
        file_error(path, "cannot create", d);
        free(file->path);
        free(file->temporary);
        return -1;
    }
    const mode_t mask = umask(0); /* mkostemp is stricter than what a compiler's output should be */
    umask(mask);
    fchmod(fd, (mode_t)mode & ~mask);
    s->count++;
    return fd;
}

const char *output_reserve(output_set *s, const char *path, unsigned mode, diag *d)
{
    const int fd = create_temporary(s, path, mode, d);
    if (fd < 0)
        return NULL;
    close(fd);
    return s->file[s->count - 1].temporary;
}

bool output_add(output_set *s, const char *path, const void *bytes, size_t size, diag *d)
{
    return output_add_parts(s, path, &(cg_part){bytes, size}, 1, d);
}

bool output_add_parts(output_set *s, const char *path, const cg_part parts[], size_t count, diag *d)
{
    if (output_in_place(path))
        return write_in_place(path, parts, count, d);
    const int fd = create_temporary(s, path, 0666, d);
    if (fd < 0)
        return false;
    bool good = write_parts(fd, parts, count);
    good = close(fd) == 0 && good;
    return good || file_error(path, "cannot write", d);
}

bool output_commit(output_set *s, diag *d)
{
    for (int i = 0; i < s->count; i++) {
        struct output_file *file = &s->file[i];
        if (rename(file->temporary, file->path) != 0) {
            file_error(file->path, "cannot write", d);
            for (int k = 0; k < i; k++) /* nothing, rather than a part */
                unlink(s->file[k].path);
            return false;
        }
        free(file->temporary);
        file->temporary = NULL;
    }
    return true;
}

void output_discard(output_set *s)
{
    for (int i = 0; i < s->count; i++) {
        if (s->file[i].temporary)
            unlink(s->file[i].temporary);
        free(s->file[i].temporary);
        free(s->file[i].path);
    }
    s->count = 0;
}
