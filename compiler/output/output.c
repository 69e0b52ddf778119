/* output.c: where outputs go, whether they can, and their contents up to the moment when output_commit.c gives them
 * names.
 *
 *     "lib/m.o" ── symbolic links followed ──▶ folder, leaf      checked when declared
 *     bytes ──▶ file without a name (O_TMPFILE in the folder)    gone with the process, however it ends
 *               or in memory: other file systems, stdout, devices, pipes */
#define _GNU_SOURCE
#include "compiler/output/output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "ir/ir.h"

enum { MAX_LINKS = 40 };

static bool file_error(const output_file *f, const char *what, diag *d)
{
    const ir_loc loc = {.file = strcmp(f->path, "-") == 0 ? "<stdout>" : f->path, .subgraph = -1, .node = -1};
    return diag_error(d, &loc, "%s: %s", what, strerror(errno));
}

/* ---- Which file a path is ---- */

static void identify(output_identity *out, const struct stat *info)
{
    out->exists = true;
    out->regular = S_ISREG(info->st_mode);
    out->sink = S_ISCHR(info->st_mode) && info->st_rdev == makedev(1, 3);
    out->device = info->st_dev;
    out->number = info->st_ino;
}

static bool same_number(const output_identity *a, const struct stat *b)
{
    return a->exists && a->device == b->st_dev && a->number == b->st_ino;
}

/* A name of stdout (/dev/stdout, /dev/fd/1) that leads to a file: replacing the file is not what was asked for. */
static bool is_stdout(const struct stat *info)
{
    struct stat out;
    return S_ISREG(info->st_mode) && fstat(STDOUT_FILENO, &out) == 0 && out.st_dev == info->st_dev &&
           out.st_ino == info->st_ino;
}

bool output_in_place(const char *path)
{
    struct stat info;
    if (strcmp(path, "-") == 0)
        return true;
    return stat(path, &info) == 0 && !S_ISDIR(info.st_mode) && (!S_ISREG(info.st_mode) || is_stdout(&info));
}

/* Folder and name that a path leads to, whether or not there is a file; errno. */
static bool follow(output_file *f)
{
    char path[PATH_MAX], target[PATH_MAX];
    int from = AT_FDCWD;
    errno = ENAMETOOLONG;
    if (strlen(f->path) >= sizeof path)
        return false;
    memcpy(path, f->path, strlen(f->path) + 1);
    for (int i = 0; i < MAX_LINKS; i++) {
        char *slash = strrchr(path, '/');
        const char *leaf = slash ? slash + 1 : path;
        const char *folder = !slash ? "." : slash == path ? "/" : path;
        ssize_t length = readlinkat(from, path, target, sizeof target - 1);
        if (slash && slash != path)
            *slash = 0;
        const int next = openat(from, folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (from != AT_FDCWD)
            close(from);
        if (next < 0)
            return false;
        from = next;
        if (length < 0) {
            f->folder = from;
            f->leaf = *leaf ? strdup(leaf) : NULL;
            errno = *leaf ? ENOMEM : EISDIR;
            return f->leaf;
        }
        target[length] = 0;
        memcpy(path, target, (size_t)length + 1);
    }
    close(from);
    errno = ELOOP;
    return false;
}

/* Sets folder and leaf, and whether the file is written in place. */
static bool locate(output_file *f, diag *d)
{
    struct stat info, there;
    const bool dash = strcmp(f->path, "-") == 0;
    f->in_place = output_in_place(f->path);
    if (dash ? fstat(STDOUT_FILENO, &info) == 0 : stat(f->path, &info) == 0) {
        identify(&f->identity, &info);
        f->to_stdout = is_stdout(&info);
    }
    f->to_stdout |= dash;
    if (f->in_place)
        return true;
    if (f->identity.exists && !f->identity.regular) {
        errno = EISDIR;
        return file_error(f, "cannot write", d);
    }
    if (!follow(f))
        return file_error(f, "cannot create", d);
    if (f->identity.exists &&
        (fstatat(f->folder, f->leaf, &there, AT_SYMLINK_NOFOLLOW) != 0 || !same_number(&f->identity, &there))) {
        f->in_place = true; /* an open file that lost its name: /dev/fd/N */
        return true;
    }
    if (fstat(f->folder, &there) == 0) {
        f->identity.folder_device = there.st_dev;
        f->identity.folder_number = there.st_ino;
    }
    if (f->identity.exists && access(f->path, W_OK) != 0)
        return file_error(f, "cannot write", d);
    return faccessat(f->folder, ".", W_OK | X_OK, 0) == 0 || file_error(f, "cannot create", d);
}

/* ---- Declaring ---- */

static bool is_same(const output_file *a, const output_file *b)
{
    const output_identity *x = &a->identity, *y = &b->identity;
    if (a->to_stdout && b->to_stdout)
        return true;
    if (x->exists && y->exists && x->device == y->device && x->number == y->number)
        return !x->sink && (!(a->read || b->read) || x->regular); /* a terminal or socket is read and written */
    return a->leaf && b->leaf && x->folder_device == y->folder_device && x->folder_number == y->folder_number &&
           strcmp(a->leaf, b->leaf) == 0;
}

static bool is_alone(const output_set *s, const output_file *f, diag *d)
{
    const ir_loc loc = {.file = f->path, .subgraph = -1, .node = -1};
    for (int i = 0; i < s->count; i++)
        if (is_same(&s->file[i], f))
            return s->file[i].read
                       ? diag_error(d, &loc, "this output is the same file as %s, which is read", s->file[i].path)
                       : diag_error(d, &loc, "this output is the same file as another output, %s", s->file[i].path);
    return true;
}

static output_file *next_file(output_set *s, const char *path, diag *d)
{
    if (s->count == OUTPUT_MAX_FILES) {
        diag_error(d, NULL, "too many files");
        return NULL;
    }
    output_file *f = &s->file[s->count];
    *f = (output_file){.path = strdup(path), .folder = OUTPUT_NONE, .contents = OUTPUT_NONE};
    if (f->path)
        return f;
    diag_out_of_memory(d, NULL);
    return NULL;
}

bool output_keep(output_set *s, const char *path, diag *d)
{
    struct stat info;
    output_file *f = next_file(s, path, d);
    if (!f)
        return false;
    f->read = true;
    if (strcmp(path, "-") == 0 ? fstat(STDIN_FILENO, &info) == 0 : stat(path, &info) == 0)
        identify(&f->identity, &info);
    s->count++;
    return true;
}

bool output_spares(const output_set *s, const char *path, diag *d)
{
    struct stat info;
    output_file f = {.read = true};
    if (stat(path, &info) != 0)
        return true; /* which whoever reads it will say */
    identify(&f.identity, &info);
    for (int i = 0; i < s->count; i++) {
        const ir_loc loc = {.file = s->file[i].path, .subgraph = -1, .node = -1};
        if (!s->file[i].read && is_same(&s->file[i], &f))
            return diag_error(d, &loc, "this output is the same file as %s, which is read", path);
    }
    return true;
}

static void release(output_file *f)
{
    if (f->folder >= 0)
        close(f->folder);
    if (f->contents >= 0)
        close(f->contents);
    free(f->leaf);
    free(f->path);
}

int output_declare(output_set *s, const char *path, unsigned mode, diag *d)
{
    output_file *f = next_file(s, path, d);
    if (!f)
        return OUTPUT_NONE;
    f->mode = mode;
    if (locate(f, d) && is_alone(s, f, d))
        return s->count++;
    release(f);
    return OUTPUT_NONE;
}

void output_discard(output_set *s)
{
    for (int i = 0; i < s->count; i++)
        release(&s->file[i]);
    s->count = 0;
}

/* ---- Contents ---- */

bool output_write(int fd, const void *bytes, size_t size)
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

bool output_copy(int from, int to)
{
    struct stat info;
    if (fstat(from, &info) != 0)
        return false;
    if (info.st_size == 0)
        return true;
    void *bytes = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_SHARED, from, 0);
    if (bytes == MAP_FAILED)
        return false;
    const bool good = output_write(to, bytes, (size_t)info.st_size);
    const int reason = errno;
    munmap(bytes, (size_t)info.st_size);
    errno = reason;
    return good;
}

int output_open(output_set *s, int file, diag *d)
{
    output_file *f = &s->file[file];
    if (f->contents < 0 && !f->in_place)
        f->contents = openat(f->folder, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, f->mode);
    if (f->contents < 0) /* a reason that lasts shows again when the file gets its name */
        f->contents = memfd_create("qcc", MFD_CLOEXEC);
    if (f->contents < 0)
        file_error(f, "cannot create", d);
    return f->contents;
}

bool output_add(output_set *s, int file, const void *bytes, size_t size, diag *d)
{
    return output_add_parts(s, file, &(cg_part){bytes, size}, 1, d);
}

bool output_add_parts(output_set *s, int file, const cg_part parts[], size_t count, diag *d)
{
    const int fd = output_open(s, file, d);
    if (fd < 0)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!output_write(fd, parts[i].bytes, parts[i].size))
            return file_error(&s->file[file], "cannot write", d);
    return true;
}
