/* run.c: see run.h. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */

#include "tests/random/run.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ir/ref/interp.h"

static ir_graph *load(const char *text, size_t length, diag *d)
{
    ir_graph *g = ir_parse(text, length, "graph", d);
    bool ok = g && ir_verify(g, d);

    for (const ir_op *op = ok ? g->first : NULL; ok && op; op = op->next)
        ok = ir_op_supported(op, d);
    if (ok)
        return g;
    ir_graph_free(g);
    return NULL;
}

/* Diagnostics name the line of the text, which ops keep through all passes. */
static ir_opcode op_of(const ir_graph *g, const char *text)
{
    const char *line = strstr(text, "line ");
    const int number = line ? atoi(line + 5) : -1;

    for (const ir_op *op = g->first; op; op = op->next)
        if (op->loc.node == number)
            return op->code;
    return IR_OPCODE_COUNT;
}

void run_as_child(void) { prctl(PR_SET_PDEATHSIG, SIGKILL); }

/* Not the time of day, which a busy machine makes short. */
void run_limit(void) { setitimer(ITIMER_VIRTUAL, &(struct itimerval){.it_value = {.tv_sec = RUN_SECONDS}}, NULL); }

void run_text(const char *text, size_t length, const compiled_options *o, run_report *report)
{
    diag d = {0};
    ir_graph *reference = load(text, length, &d), *compiled = reference ? load(text, length, &d) : NULL;

    *report = (run_report){.outcome = RUN_INVALID, .refused = IR_OPCODE_COUNT};
    if (compiled) {
        const compiled_outcome outcome = compiled_check(reference, compiled, o, &report->compiled);
        report->outcome = outcome == COMPILED_SAME      ? RUN_SAME
                          : outcome == COMPILED_REFUSED ? RUN_REFUSED
                                                        : RUN_DIFFERENT;
        if (outcome == COMPILED_REFUSED)
            report->refused = op_of(reference, report->compiled.text);
    } else {
        snprintf(report->compiled.text, sizeof report->compiled.text, "%s", d.text);
    }
    ir_graph_free(reference);
    ir_graph_free(compiled);
}

void run_apart(const char *text, size_t length, const compiled_options *o, run_report *report)
{
    run_report *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status = 0;

    if (shared == MAP_FAILED)
        abort();
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0) {
        run_as_child();
        run_limit();
        run_text(text, length, o, shared);
        _exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child)
        abort();
    *report = *shared;
    munmap(shared, sizeof *shared);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return;
    *report = (run_report){.outcome = RUN_CRASHED, .refused = IR_OPCODE_COUNT};
    snprintf(report->compiled.text, sizeof report->compiled.text,
             WIFSIGNALED(status) ? "ended by signal %d" : "ended with status %d",
             WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}
