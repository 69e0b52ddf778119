/* diag.c: one diagnostic with its place in the file. */
#include "ir/diag.h"

#include <stdio.h>
#include <string.h>

#include "ir/ir.h"

/* Of a place, so that no name, however long, takes the room of what it is about. */
enum { MOST_OF_FILE = 400, MOST_OF_KIND = 100 };

/* The end of the file's name says most. */
static int file_text(char *to, size_t size, const char *file)
{
    const size_t length = strlen(file);
    if (length <= MOST_OF_FILE)
        return snprintf(to, size, "%s: ", file);
    const char *end = file + length - MOST_OF_FILE;
    while (((unsigned char)*end & 0xc0) == 0x80) /* not from the middle of a character */
        end++;
    return snprintf(to, size, "...%s: ", end);
}

static int place_text(char *to, size_t size, const ir_loc *loc)
{
    if (!loc || !loc->file)
        return 0;
    const int n = file_text(to, size, loc->file);
    const char *kind = loc->kind ? loc->kind : "";
    if (loc->node < 0)
        return n;
    if (loc->subgraph < 0)
        return n + snprintf(to + n, size - (size_t)n, "line %d: ", loc->node);
    return n + snprintf(to + n, size - (size_t)n, "subgraph %d, node %d%s%.*s%s%s: ", loc->subgraph, loc->node,
                        loc->kind ? " (" : "", MOST_OF_KIND, kind, strlen(kind) > MOST_OF_KIND ? "..." : "",
                        loc->kind ? ")" : "");
}

/* Names come from files: keep terminals safe. */
static void make_safe(char *text)
{
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
}

static void write_text(char *to, size_t size, const ir_loc *loc, const char *kind, const char *format, va_list args)
{
    int n = place_text(to, size, loc);
    n += snprintf(to + n, size - (size_t)n, "%s: ", kind);
    vsnprintf(to + n, size - (size_t)n, format, args);
    make_safe(to);
}

bool diag_error(diag *d, const ir_loc *loc, const char *format, ...)
{
    if (!d || d->failed)
        return false;
    va_list args;
    va_start(args, format);
    write_text(d->text, sizeof d->text, loc, "error", format, args);
    va_end(args);
    d->failed = true;
    return false;
}

void diag_add(diag *d, const char *format, ...)
{
    const size_t length = strlen(d->text);
    va_list args;
    va_start(args, format);
    vsnprintf(d->text + length, sizeof d->text - length, format, args);
    va_end(args);
    make_safe(d->text + length);
}

bool diag_out_of_memory(diag *d, const ir_loc *loc)
{
    if (d && !d->failed)
        d->out_of_memory = true;
    return diag_error(d, loc, "out of memory");
}

void diag_warn(diag *d, const ir_loc *loc, const char *format, ...)
{
    if (!d || !d->warn)
        return;
    char text[DIAG_TEXT_BYTES];
    va_list args;
    va_start(args, format);
    write_text(text, sizeof text, loc, "warning", format, args);
    va_end(args);
    d->warn(d->context, text);
}
