/* diag.c: one diagnostic with its place in the file. */
#include "ir/diag.h"

#include <stdio.h>
#include <string.h>

#include "ir/ir.h"

static int place_text(char *to, size_t size, const ir_loc *loc)
{
    int n = 0;
    if (!loc || !loc->file)
        return 0;
    n += snprintf(to, size, "%s: ", loc->file);
    if (loc->subgraph >= 0 && loc->node >= 0 && n < (int)size)
        n += snprintf(to + n, size - (size_t)n, "subgraph %d, node %d%s%s%s: ", loc->subgraph, loc->node,
                      loc->kind ? " (" : "", loc->kind ? loc->kind : "", loc->kind ? ")" : "");
    else if (loc->node >= 0 && n < (int)size)
        n += snprintf(to + n, size - (size_t)n, "line %d: ", loc->node);
    return n < (int)size ? n : (int)size - 1;
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
    if (n < (int)size)
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
