/* run.h: a drawn graph, compiled and compared (tests/codegen/compiled.h), from its text: what fails can run again. */
#ifndef TESTS_RANDOM_RUN_H
#define TESTS_RANDOM_RUN_H

#include "tests/codegen/compiled.h"

typedef enum run_outcome {
    RUN_SAME,
    RUN_REFUSED, /* a diagnostic of code generation */
    RUN_DIFFERENT,
    RUN_CRASHED, /* or did not end */
    RUN_INVALID  /* no graph that the interpreter defines */
} run_outcome;

typedef struct run_report {
    run_outcome outcome;
    ir_opcode refused; /* whose op code generation refuses; IR_OPCODE_COUNT: unknown */
    compiled_report compiled;
} run_report;

void run_text(const char *text, size_t length, const compiled_options *, run_report *);
/* The same in a process of its own, which may crash. */
void run_apart(const char *text, size_t length, const compiled_options *, run_report *);

enum { RUN_SECONDS = 60 }; /* of the process's own time, after which a graph counts as one that does not end */

/* For processes that run graphs: they end with their parent; from run_limit on after RUN_SECONDS. */
void run_as_child(void);
void run_limit(void);

#endif
