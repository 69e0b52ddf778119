/* phases.c: protects the cut between the phases of the pipeline: run apart they do what they do together, dumps are
 * numbered through, and a copy of the graph made in between ends as the original does, and leaves it as it was. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "passes/pass.h"
#include "tests/tools/parsed.h"

static int failures;
#define CHECK(x) ((x) ? (void)0 : (void)(failures++, fprintf(stderr, "line %d: %s\n", __LINE__, #x)))

static const char graph[] = "graph \"g\" {\n"
                            "  variable \"s\":f32<1x4x4x3> = splat 0.5\n"
                            "  input %0:f32<1x4x4x2> \"x\"\n"
                            "  const %1:f32<3x1x1x2> = [1, -2, 0.5, 0.25, -1, 3]\n"
                            "  const %2:f32<3> = [0.5, 0, -0.5]\n"
                            "  %3:f32<1x4x4x2> = fake_quant %0 {min = -1, max = 1}\n"
                            "  %4:f32<1x4x4x3> = conv2d %3, %1, %2 {stride = [1, 1], pad = [0, 0, 0, 0]}\n"
                            "  %5:f32<1x4x4x3> = relu %4 {act = relu}\n"
                            "  %6:f32<1x4x4x3> = fake_quant %5 {min = 0, max = 6}\n"
                            "  %7:f32<1x4x4x3> = read_variable {variable = \"s\"}\n"
                            "  %8:f32<1x4x4x3> = add %6, %7\n"
                            "  write_variable %8 {variable = \"s\"}\n"
                            "  output %6 \"q\"\n"
                            "  output %8 \"a\"\n"
                            "  output %6 \"again\"\n"
                            "}\n";

static const pass_options options = {.opt_level = 3, .lower = true};

static char *text_of(const ir_graph *g)
{
    char *text = NULL;
    size_t length;
    CHECK(ir_print(g, &text, &length));
    return text;
}

static void check_same(const char *a, const char *b)
{
    if (a && b && strcmp(a, b) == 0)
        return;
    failures++;
    fprintf(stderr, "---- expected\n%s---- found\n%s", a ? a : "nothing\n", b ? b : "nothing\n");
}

typedef struct seen {
    int next, inputs;
} seen;

static bool dump(void *context, int number, const char *name, const char *text, size_t length, diag *d)
{
    seen *s = context;
    (void)text, (void)length, (void)d;
    CHECK(number == s->next++);
    s->inputs += strcmp(name, "input") == 0;
    return true;
}

static int run_apart(ir_graph *g, diag *d)
{
    seen s = {0};
    int number = 0;
    const pass_debug debug = {.verify_each = true, .dump = dump, .context = &s, .number = &number};
    for (int phase = 0; phase < PASS_PHASES; phase++)
        CHECK(pass_run_phases(g, &options, &debug, (pass_phase)phase, (pass_phase)phase, d));
    CHECK(s.inputs == 1);
    return s.next;
}

static void check_phases(void)
{
    diag d = {0};
    seen s = {0};
    const pass_debug debug = {.verify_each = true, .dump = dump, .context = &s};
    ir_graph *together = parsed(graph, &d), *apart = parsed(graph, &d);
    CHECK(pass_run(together, &options, &debug, NULL, 0, &d));
    CHECK(run_apart(apart, &d) == s.next);
    char *expected = text_of(together), *found = text_of(apart);
    check_same(expected, found);
    CHECK(together->workspace_bytes > 0 && apart->workspace_bytes == together->workspace_bytes);
    free(expected);
    free(found);
    ir_graph_free(together);
    ir_graph_free(apart);
}

/* Ids are equal, and nothing of the original is reached from the copy. */
static void check_ids(const ir_graph *g, const ir_graph *copy)
{
    const ir_op *b = copy->first;
    CHECK(g->next_id == copy->next_id);
    for (const ir_op *a = g->first; a; a = a->next, b = b ? b->next : NULL) {
        CHECK(b && a != b && a->id == b->id && b->graph == copy && a->operand_count == b->operand_count);
        for (int i = 0; b && i < ir_op_info_of(a->code)->results; i++)
            CHECK(a->results[i] != b->results[i] && a->results[i]->id == b->results[i]->id && b->results[i]->def == b);
        for (int i = 0; b && i < a->operand_count; i++)
            CHECK(!a->operands[i].value || (a->operands[i].value != b->operands[i].value &&
                                            a->operands[i].value->id == b->operands[i].value->id));
    }
    CHECK(!b);
}

static void check_copy(void)
{
    diag d = {0};
    ir_graph *g = parsed(graph, &d);
    CHECK(pass_run_phases(g, &options, NULL, PASS_PHASE_real, PASS_PHASE_real, &d));
    ir_graph *copy = ir_graph_copy(g);
    char *before = text_of(g), *copied = text_of(copy);
    CHECK(ir_verify(copy, &d));
    check_same(before, copied);
    check_ids(g, copy);
    CHECK(pass_run_phases(copy, &options, NULL, PASS_PHASE_integer, PASS_PHASE_integer, &d));
    char *after = text_of(g);
    check_same(before, after);
    CHECK(pass_run_phases(g, &options, NULL, PASS_PHASE_integer, PASS_PHASE_integer, &d));
    char *ended = text_of(g), *copy_ended = text_of(copy);
    check_same(ended, copy_ended);
    ir_graph *planned = ir_graph_copy(g); /* with places, state and scratch */
    char *planned_text = text_of(planned);
    check_same(ended, planned_text);
    CHECK(planned->workspace_bytes == g->workspace_bytes && planned->state_bytes == g->state_bytes &&
          g->state_bytes > 0);
    free(before), free(copied), free(after), free(ended), free(copy_ended), free(planned_text);
    ir_graph_free(planned);
    ir_graph_free(copy);
    ir_graph_free(g);
}

int main(void)
{
    check_phases();
    check_copy();
    return failures != 0;
}
