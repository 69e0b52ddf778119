/* model_files.c: see model_files.h.  A file is read once, whole, when it is first asked for: mapped, one that others
 * shorten meanwhile would end qcc by a signal. */
#define _GNU_SOURCE
#include "compiler/model_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct model_file {
    model_file *next;
    char *name;
    uint8_t *bytes;
    size_t size;
};

static bool refuse(const ir_loc *loc, const char *name, const char *why, diag *d)
{
    return diag_error(d, loc, "the file '%.80s' that the model names: %s", name, why);
}

/* Names that lead out of the folder as they are written. */
static bool stays_inside(const char *name)
{
    if (!*name || *name == '/')
        return false;
    for (const char *part = name; part; part = strchr(part, '/')) {
        part += *part == '/';
        if (strncmp(part, "..", 2) == 0 && (!part[2] || part[2] == '/'))
            return false;
    }
    return true;
}

/* The path of the file, when no symbolic link leads out of the model's folder; malloc'd, NULL after a diagnostic. */
static char *path_of(const model_files *f, const char *name, const ir_loc *loc, diag *d)
{
    char folder[PATH_MAX], inside[PATH_MAX], path[PATH_MAX];
    const char *slash = strrchr(f->model, '/'), *above = f->folder ? f->folder : slash ? f->model : ".";
    const int above_length = f->folder || !slash ? (int)strlen(above) : (int)(slash - f->model);
    if (!f->folder && strcmp(f->model, "-") == 0)
        return refuse(loc, name, "a model from standard input has no folder", d), NULL;
    if (!stays_inside(name))
        return refuse(loc, name, "it is not in the model's folder", d), NULL;
    const int length = snprintf(path, sizeof path, "%.*s/%s", above_length, above, name);
    if (length < 0 || length >= (int)sizeof path)
        return refuse(loc, name, strerror(ENAMETOOLONG), d), NULL;
    if (!realpath(path, inside))
        return refuse(loc, name, strerror(errno), d), NULL;
    snprintf(path, sizeof path, "%.*s/.", above_length, above);
    if (!realpath(path, folder))
        return refuse(loc, name, strerror(errno), d), NULL;
    const size_t prefix = strcmp(folder, "/") == 0 ? 0 : strlen(folder);
    if (strncmp(inside, folder, prefix) != 0 || inside[prefix] != '/')
        return refuse(loc, name, "a symbolic link leads out of the model's folder", d), NULL;
    char *found = strdup(inside);
    if (!found)
        diag_out_of_memory(d, loc);
    return found;
}

static bool read_whole(int file, model_file *out, const ir_loc *loc, diag *d)
{
    struct stat info;
    if (fstat(file, &info) != 0)
        return refuse(loc, out->name, strerror(errno), d);
    if (!S_ISREG(info.st_mode))
        return refuse(loc, out->name, "it is no regular file", d);
    const size_t size = (size_t)info.st_size;
    out->bytes = malloc(size ? size : 1);
    if (!out->bytes)
        return diag_out_of_memory(d, loc);
    while (out->size < size) {
        const ssize_t got = read(file, out->bytes + out->size, size - out->size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return refuse(loc, out->name, got < 0 ? strerror(errno) : "it was cut while it was read", d);
        out->size += (size_t)got;
    }
    return true;
}

static bool read_file(const char *path, model_file *out, const ir_loc *loc, diag *d)
{
    const int file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (file < 0)
        return refuse(loc, out->name, strerror(errno), d);
    const bool good = read_whole(file, out, loc, d);
    close(file);
    return good;
}

static model_file *new_file(model_files *f, const char *name, const ir_loc *loc, diag *d)
{
    model_file *file = calloc(1, sizeof *file);
    if (!file || !(file->name = strdup(name))) {
        free(file);
        diag_out_of_memory(d, loc);
        return NULL;
    }
    file->next = f->first;
    f->first = file;
    return file;
}

const uint8_t *model_files_open(void *context, const char *name, const ir_loc *loc, size_t *out_size, diag *d)
{
    model_files *f = context;
    model_file *known = f->first;
    while (known && strcmp(known->name, name) != 0)
        known = known->next;
    if (!known) {
        char *path = path_of(f, name, loc, d);
        known = path ? new_file(f, name, loc, d) : NULL;
        const bool good =
            known && (!f->outputs || output_spares(f->outputs, path, d)) && read_file(path, known, loc, d);
        free(path);
        if (!good)
            return NULL;
    }
    *out_size = known->size;
    return known->bytes;
}

void model_files_free(model_files *f)
{
    while (f->first) {
        model_file *next = f->first->next;
        free(f->first->bytes);
        free(f->first->name);
        free(f->first);
        f->first = next;
    }
}

/* ---- A folder as a model ---- */

/* How much a file's name says that it is a program; 0: nothing. */
static int says_program(const char *name)
{
    const size_t length = strlen(name);
    if (strcmp(name, "__model__") == 0 || (length > 8 && strcmp(name + length - 8, ".pdmodel") == 0))
        return 2;
    return length > 5 && strcmp(name + length - 5, ".json") == 0;
}

static bool ambiguous(const ir_loc *loc, const char *a, const char *b, diag *d)
{
    const bool ordered = strcmp(a, b) < 0;
    return diag_error(d, loc, "the folder has several programs, '%.80s' and '%.80s' among them: name one of them",
                      ordered ? a : b, ordered ? b : a);
}

/* The name of the one program, in `found`, NAME_MAX + 1 bytes. */
static bool find_program(DIR *folder, const ir_loc *loc, char *found, diag *d)
{
    char other[NAME_MAX + 1] = "";
    int best = 0;
    for (const struct dirent *e; (e = readdir(folder));) {
        const int says = says_program(e->d_name);
        if (says && says >= best)
            snprintf(says == best ? other : found, NAME_MAX + 1, "%s", e->d_name);
        if (says > best)
            *other = 0;
        best = says > best ? says : best;
    }
    if (*other)
        return ambiguous(loc, found, other, d);
    return best || diag_error(d, loc,
                              "a folder stands for the Paddle program in it, and there is none: no __model__ and no "
                              "file that ends in .pdmodel or .json");
}

bool model_files_program(const char *path, char **out_path, diag *d)
{
    const ir_loc loc = {.file = path, .subgraph = -1, .node = -1};
    char found[NAME_MAX + 1] = "";
    struct stat info;
    *out_path = NULL;
    if (strcmp(path, "-") == 0 || stat(path, &info) != 0 || !S_ISDIR(info.st_mode))
        return true; /* who opens it says what is wrong */
    DIR *folder = opendir(path);
    if (!folder)
        return diag_error(d, &loc, "%s", strerror(errno));
    const bool good = find_program(folder, &loc, found, d);
    closedir(folder);
    const size_t length = strlen(path);
    if (good && asprintf(out_path, "%s%s%s", path, length && path[length - 1] == '/' ? "" : "/", found) < 0) {
        *out_path = NULL;
        return diag_out_of_memory(d, &loc);
    }
    return good;
}
