/* diag.c: one diagnostic with its place in the file, or several that were put off. */
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

/* *out_node: behind the number of the node. */
static int place_text(char *to, size_t size, const ir_loc *loc, int *out_node)
{
    *out_node = 0;
    if (!loc || !loc->file)
        return 0;
    int n = file_text(to, size, loc->file);
    const char *kind = loc->kind ? loc->kind : "";
    *out_node = n;
    if (loc->node < 0)
        return n;
    if (loc->subgraph < 0)
        return n + snprintf(to + n, size - (size_t)n, "line %d: ", loc->node);
    n += snprintf(to + n, size - (size_t)n, "subgraph %d, node %d", loc->subgraph, loc->node);
    *out_node = n;
    return n + snprintf(to + n, size - (size_t)n, "%s%.*s%s%s: ", loc->kind ? " (" : "", MOST_OF_KIND, kind,
                        strlen(kind) > MOST_OF_KIND ? "..." : "", loc->kind ? ")" : "");
}

/* Names come from files: keep terminals safe. */
static void make_safe(char *text)
{
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
}

/* Where the place ends, but for the node's kind. */
static int write_text(char *to, size_t size, const ir_loc *loc, const char *kind, const char *format, va_list args)
{
    int node, n = place_text(to, size, loc, &node);
    n += snprintf(to + n, size - (size_t)n, "%s: ", kind);
    vsnprintf(to + n, size - (size_t)n, format, args);
    make_safe(to);
    return node;
}

bool diag_fail(diag *d, const ir_loc *loc, bool final, const char *format, va_list args)
{
    if (!d || d->failed)
        return false;
    d->what_at = write_text(d->text, sizeof d->text, loc, "error", format, args);
    d->failed = true;
    d->final = final;
    return false;
}

bool diag_error(diag *d, const ir_loc *loc, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    diag_fail(d, loc, false, format, args);
    va_end(args);
    return false;
}

bool diag_final(diag *d, const ir_loc *loc, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    diag_fail(d, loc, true, format, args);
    va_end(args);
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
    return diag_final(d, loc, "out of memory");
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

/* ---- Refusals ---- */

bool diag_put_off(diag *d)
{
    diag_refusals *r = d->refusals;
    if (!r || !d->failed || d->final)
        return false;
    d->failed = false;
    r->places++;
    for (int i = 0; i < r->count; i++)
        if (strcmp(r->text[i] + r->what_at[i], d->text + d->what_at) == 0) {
            r->more[i]++;
            return true;
        }
    r->full = r->count == DIAG_MOST_REFUSALS;
    if (r->full)
        return true;
    r->what_at[r->count] = d->what_at;
    memcpy(r->text[r->count++], d->text, sizeof d->text);
    return true;
}

bool diag_settle(diag *d, const ir_loc *loc)
{
    diag_refusals *r = d->refusals;
    if (!r || !r->count || d->failed)
        return d->failed;
    if (r->places > 1) {
        diag_error(d, loc, "refused at %d places, for %s%d reason%s", r->places, r->full ? "more than the above " : "",
                   r->count, r->count == 1 ? "" : "s");
        memcpy(r->summary, d->text, sizeof r->summary);
    }
    memcpy(d->text, r->text[0], sizeof d->text);
    return d->failed = true;
}
