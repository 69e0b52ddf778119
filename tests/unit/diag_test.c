/* diag_test.c: what a diagnostic says is in its text, however long the names of the file and of the operator are. */
#include <string.h>

#include "ir/ir.h"
#include "test.h"

static char long_name[5000];

static void test_place(void)
{
    diag d = {0};
    const ir_loc loc = {.file = "m.tflite", .subgraph = 0, .node = 17, .kind = "CONV_2D"};
    CHECK(!diag_error(&d, &loc, "weight scale count %d, expected %d", 31, 32));
    CHECK(strcmp(d.text, "m.tflite: subgraph 0, node 17 (CONV_2D): error: weight scale count 31, expected 32") == 0);
    d = (diag){0};
    diag_error(&d, &(ir_loc){.file = "g.qir", .subgraph = -1, .node = 3}, "no value %s", "%7");
    CHECK(strcmp(d.text, "g.qir: line 3: error: no value %7") == 0);
    d = (diag){0};
    diag_error(&d, &(ir_loc){.file = "m.nb", .subgraph = -1, .node = -1}, "the file is empty");
    CHECK(strcmp(d.text, "m.nb: error: the file is empty") == 0);
    d = (diag){0};
    diag_error(&d, NULL, "no file");
    CHECK(strcmp(d.text, "error: no file") == 0);
}

static void test_long_names(void)
{
    diag d = {0};
    memset(long_name, 'x', sizeof long_name - 1);
    const ir_loc loc = {.file = "m.ort", .subgraph = 0, .node = 3, .kind = long_name};
    diag_error(&d, &loc, "the operator is not supported");
    CHECK(strncmp(d.text, "m.ort: subgraph 0, node 3 (xxx", 30) == 0);
    CHECK(strstr(d.text, "xxx...): error: the operator is not supported") != NULL);
    d = (diag){0};
    memcpy(long_name + sizeof long_name - 8, "/m.ort", 7);
    diag_error(&d, &(ir_loc){.file = long_name, .subgraph = 0, .node = 3, .kind = long_name},
               "the operator is not supported");
    CHECK(strncmp(d.text, "...xxx", 6) == 0);
    CHECK(strstr(d.text, "/m.ort: subgraph 0, node 3 (xxx") != NULL);
    CHECK(strstr(d.text, "xxx...): error: the operator is not supported") != NULL);
    d = (diag){0};
    diag_error(&d, &(ir_loc){.file = "m.ort", .subgraph = -1, .node = -1}, "no tensor '%s'", long_name);
    CHECK(strlen(d.text) < DIAG_TEXT_BYTES && strncmp(d.text, "m.ort: error: no tensor 'xxx", 28) == 0);
}

static bool refuse(diag *d, int node, const char *kind, int reason)
{
    diag_error(d, &(ir_loc){.file = "m, node 1.ort", .subgraph = 0, .node = node, .kind = kind}, "reason %d", reason);
    return diag_put_off(d);
}

static void test_refusals(void)
{
    const ir_loc file = {.file = "m, node 1.ort", .subgraph = -1, .node = -1};
    diag_refusals r = {0};
    diag d = {.refusals = &r};
    CHECK(!diag_settle(&d, &file) && !d.failed);
    CHECK(refuse(&d, 1, "A", 1) && refuse(&d, 7, "A", 1) && refuse(&d, 8, "B", 1) && !d.failed);
    CHECK(r.count == 2 && r.places == 3 && r.more[0] == 1 && r.more[1] == 0);
    CHECK(diag_settle(&d, &file) && d.failed && !d.final);
    CHECK(strcmp(d.text, "m, node 1.ort: subgraph 0, node 1 (A): error: reason 1") == 0);
    CHECK(strcmp(r.summary, "m, node 1.ort: error: refused at 3 places, for 2 reasons") == 0);
}

/* One error needs no summary, more than there is room for are counted, and what is final stays the error. */
static void test_ends_of_refusals(void)
{
    const ir_loc file = {.file = "m.ort", .subgraph = -1, .node = -1};
    diag_refusals r = {0};
    diag d = {.refusals = &r};
    CHECK(refuse(&d, 1, "A", 1) && diag_settle(&d, &file) && !*r.summary);
    r = (diag_refusals){0};
    d = (diag){.refusals = &r};
    for (int i = 0; i < 30; i++)
        CHECK(refuse(&d, i, "A", i));
    CHECK(r.count == DIAG_MOST_REFUSALS && r.full && diag_settle(&d, &file));
    CHECK(strcmp(r.summary, "m.ort: error: refused at 30 places, for more than the above 20 reasons") == 0);
    r = (diag_refusals){0};
    d = (diag){.refusals = &r};
    CHECK(refuse(&d, 1, "A", 1));
    diag_final(&d, &file, "damaged");
    CHECK(!diag_put_off(&d) && diag_settle(&d, &file) && strcmp(d.text, "m.ort: error: damaged") == 0 && r.count == 1);
    d = (diag){0};
    diag_error(&d, &file, "the only one");
    CHECK(!diag_put_off(&d) && d.failed);
}

int main(void)
{
    test_place();
    test_refusals();
    test_ends_of_refusals();
    test_long_names();
    return test_end();
}
