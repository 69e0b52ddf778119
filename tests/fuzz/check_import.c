/* check_import.c: one import of untrusted bytes, and what must hold after it. */
#include "check_import.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontends/frontend.h"
#include "ir/size_limits.h"

void check_fail(const char *what, const char *detail)
{
    fprintf(stderr, "check_import: %s%s%s\n", what, *detail ? ": " : "", detail);
    abort();
}

static void check_line(const char *text)
{
    if (!strstr(text, "error: ") || strchr(text, '\n'))
        check_fail("not a diagnostic", text);
}

void check_diagnostic(const diag *d)
{
    if (!d->failed)
        check_fail("refused without a diagnostic", "");
    check_line(d->text);
}

/* What is printed reads back as the same graph. */
static void check_text(const ir_graph *g)
{
    diag d = {0};
    char *text, *again_text;
    size_t length, again_length;
    if (!ir_print(g, &text, &length))
        check_fail("the graph can't be printed", "");
    ir_graph *again = ir_parse(text, length, "m", &d);
    if (!again || !ir_verify(again, &d))
        check_fail("what was printed does not read back", d.text);
    if (!ir_print(again, &again_text, &again_length))
        check_fail("the graph that was read back can't be printed", "");
    if (again_length != length || memcmp(again_text, text, length) != 0)
        check_fail("what was printed reads back as another graph", "");
    ir_graph_free(again);
    free(again_text);
    free(text);
}

static void check_refusals(const diag *d, const diag_refusals *r)
{
    check_diagnostic(d);
    if (r->count > r->places)
        check_fail("refusals are miscounted", d->text);
    for (int i = 0; i < r->count; i++) {
        check_line(r->text[i]);
        for (int k = 0; k < i; k++)
            if (strcmp(r->text[i], r->text[k]) == 0)
                check_fail("a refusal is there twice", r->text[i]);
    }
}

int check_import(const uint8_t *bytes, size_t size, bool passes)
{
    diag_refusals refusals = {0};
    diag d = {.refusals = &refusals};
    uint8_t *copy = malloc(size ? size : 1); /* the exact size, so that a sanitizer sees the first byte past the end */
    memcpy(copy, bytes, size);
    ir_graph *g = frontend_import(copy, size, "m", NULL, &d);
    if (!g) {
        check_refusals(&d, &refusals);
        free(copy);
        return 0;
    }
    if (d.failed || refusals.count)
        check_fail("imported with a diagnostic", d.text);
    if (arena_bytes(g->arena) > ir_limits_of(size, 0).bytes)
        check_fail("the graph takes more memory than a file of this size may", "");
    if (!ir_verify(g, &d))
        check_fail("the imported graph does not verify", d.text);
    check_text(g);
    if (passes)
        check_passes(g, bytes, size);
    ir_graph_free(g);
    free(copy);
    return 1;
}
