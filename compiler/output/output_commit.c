/* output_commit.c: contents -> names.  What goes to stdout, devices and pipes comes first, because it can't be taken
 * back; then, in a process that outlives this one (apart.h), every file:
 *
 *     name is free    link the unnamed file to it
 *     name is taken   link the unnamed file to .qcc-xxxx, exchange the two names: .qcc-xxxx is now the old file
 *
 * When a file fails, those before it get their old file back (or lose their name); at the end the old files go.
 * Where names can't be exchanged, the old file is linked to .qcc-xxxx and replaced; where nothing can be linked
 * either, it is replaced.  The folders are locked meanwhile, so that two compilations to the same names don't mix
 * their files. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "compiler/output/apart.h"
#include "compiler/output/output.h"
#include "ir/ir.h"

enum { NAME_TRIES = 100, LOCK_TRIES = 2000, LOCK_WAIT_NS = 1000000 };

static bool file_error(const output_file *f, diag *d)
{
    const ir_loc loc = {.file = strcmp(f->path, "-") == 0 ? "<stdout>" : f->path, .subgraph = -1, .node = -1};
    return diag_error(d, &loc, "cannot write: %s", strerror(errno));
}

/* ---- In place ---- */

static bool write_in_place(const output_file *f, diag *d)
{
    const int truncate = f->identity.regular ? O_TRUNC : 0;
    const int fd = f->to_stdout ? STDOUT_FILENO : open(f->path, O_WRONLY | O_CLOEXEC | O_NOCTTY | truncate);
    bool good = fd >= 0 && (!f->to_stdout || fflush(stdout) == 0) && output_copy(f->contents, fd);
    if (fd >= 0 && !f->to_stdout)
        good = close(fd) == 0 && good;
    return good || file_error(f, d);
}

/* ---- One file ---- */

/* A free name in the folder; the caller tries again when it is not. */
static bool choose_aside(output_file *f)
{
    unsigned long long number;
    if (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number)
        return false;
    snprintf(f->aside, sizeof f->aside, ".qcc-%016llx", number);
    return true;
}

static bool link_contents(const output_file *f, const char *name)
{
    char from[64];
    snprintf(from, sizeof from, "/proc/self/fd/%d", f->contents);
    return linkat(AT_FDCWD, from, f->folder, name, AT_SYMLINK_FOLLOW) == 0;
}

static bool copy_contents(output_file *f)
{
    const int fd = openat(f->folder, f->aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, f->mode);
    if (fd < 0)
        return false;
    bool good = output_copy(f->contents, fd);
    good = close(fd) == 0 && good;
    if (good)
        return true;
    const int reason = errno;
    unlinkat(f->folder, f->aside, 0);
    errno = reason;
    return false;
}

/* The contents, in the folder, under another name. */
static bool put_aside(output_file *f)
{
    for (int i = 0; i < NAME_TRIES; i++) {
        if (!choose_aside(f))
            break;
        if (link_contents(f, f->aside) || copy_contents(f))
            return true;
        if (errno != EEXIST)
            break;
    }
    f->aside[0] = 0;
    return false;
}

/* For file systems that can't exchange names: the old file keeps a name beside the one it loses. */
static bool replace(output_file *f)
{
    output_file old = *f;
    old.aside[0] = 0;
    if (choose_aside(&old) && linkat(f->folder, f->leaf, f->folder, old.aside, 0) != 0)
        old.aside[0] = 0;
    if (renameat(f->folder, f->aside, f->folder, f->leaf) != 0) {
        const int reason = errno;
        if (old.aside[0])
            unlinkat(f->folder, old.aside, 0);
        errno = reason;
        return false;
    }
    memcpy(f->aside, old.aside, sizeof f->aside);
    return true;
}

/* Gives the contents their name; errno. */
static bool publish(output_file *f)
{
    struct stat info;
    f->published = link_contents(f, f->leaf);
    if (f->published)
        return true;
    if (!put_aside(f))
        return false;
    f->replaced = fstatat(f->folder, f->leaf, &info, AT_SYMLINK_NOFOLLOW) == 0;
    errno = EISDIR;
    if (!f->replaced)
        f->published = renameat(f->folder, f->aside, f->folder, f->leaf) == 0;
    else if (!S_ISDIR(info.st_mode))
        f->published = renameat2(f->folder, f->aside, f->folder, f->leaf, RENAME_EXCHANGE) == 0 || replace(f);
    if (f->published && !f->replaced)
        f->aside[0] = 0;
    return f->published;
}

static void take_back(output_file *f)
{
    if (f->published && !f->replaced)
        unlinkat(f->folder, f->leaf, 0);
    else if (f->published && f->aside[0])
        renameat(f->folder, f->aside, f->folder, f->leaf);
    else if (f->aside[0])
        unlinkat(f->folder, f->aside, 0);
}

/* ---- All files ---- */

static int by_folder(const void *a, const void *b)
{
    const output_identity *x = &(*(const output_file *const *)a)->identity,
                          *y = &(*(const output_file *const *)b)->identity;
    if (x->folder_device != y->folder_device)
        return x->folder_device < y->folder_device ? -1 : 1;
    return (x->folder_number > y->folder_number) - (x->folder_number < y->folder_number);
}

/* The lock goes when the descriptor is closed.  Somebody else may hold it for longer than a commit takes ("flock
 * FOLDER make"): then it is done without. */
static int lock_folder(const output_file *f)
{
    const int fd = openat(f->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; fd >= 0 && i < LOCK_TRIES && flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK; i++)
        nanosleep(&(struct timespec){.tv_nsec = LOCK_WAIT_NS}, NULL);
    return fd;
}

/* Each folder once, all in one order, so that nobody waits in a circle; returns how many descriptors there are to
 * close. */
static int lock_folders(output_file *const files[], int count, int out_locks[])
{
    output_file *sorted[OUTPUT_MAX_FILES];
    int locks = 0;
    memcpy(sorted, files, (size_t)count * sizeof sorted[0]);
    qsort(sorted, (size_t)count, sizeof sorted[0], by_folder);
    for (int i = 0; i < count; i++)
        if (i == 0 || by_folder(&sorted[i - 1], &sorted[i]) != 0)
            out_locks[locks++] = lock_folder(sorted[i]);
    return locks;
}

static bool publish_all(output_file *const files[], int count, diag *d)
{
    for (int i = 0; i < count; i++) {
        if (publish(files[i]))
            continue;
        file_error(files[i], d);
        for (int k = i; k >= 0; k--)
            take_back(files[k]);
        return false;
    }
    for (int i = 0; i < count; i++)
        if (files[i]->aside[0])
            unlinkat(files[i]->folder, files[i]->aside, 0);
    return true;
}

static int named_files(output_set *s, output_file *out_files[])
{
    int count = 0;
    for (int i = 0; i < s->count; i++)
        if (s->file[i].contents >= 0 && !s->file[i].in_place)
            out_files[count++] = &s->file[i];
    return count;
}

static bool commit_named(void *context, int cancel, diag *d)
{
    (void)cancel; /* it takes no time */
    output_file *files[OUTPUT_MAX_FILES];
    int locks[OUTPUT_MAX_FILES];
    const int count = named_files(context, files), lock_count = lock_folders(files, count, locks);
    const bool good = publish_all(files, count, d);
    for (int i = 0; i < lock_count; i++)
        if (locks[i] >= 0)
            close(locks[i]);
    return good;
}

/* Some file systems tell of a failed write only when the file is closed. */
static bool flushed(const output_file *f)
{
    const int copy = dup(f->contents);
    return copy < 0 || close(copy) == 0;
}

static bool commit(output_set *s, diag *d)
{
    output_file *files[OUTPUT_MAX_FILES];
    const int count = named_files(s, files);
    for (int i = 0; i < count; i++)
        if (!flushed(files[i]))
            return file_error(files[i], d);
    for (int i = 0; i < s->count; i++)
        if (s->file[i].contents >= 0 && s->file[i].in_place && !write_in_place(&s->file[i], d))
            return false;
    if (count == 0 || (count == 1 && link_contents(files[0], files[0]->leaf))) /* one name appears at once by itself */
        return true;
    return apart_run(commit_named, s, d);
}

bool output_commit(output_set *s, diag *d)
{
    const bool good = commit(s, d);
    for (int i = 0; i < s->count; i++) {
        if (s->file[i].contents >= 0)
            close(s->file[i].contents);
        s->file[i].contents = OUTPUT_NONE;
    }
    return good;
}
