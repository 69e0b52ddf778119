/* test.h: the smallest test program.  CHECK counts; test_end gives the exit code; 77 tells meson "skipped". */
#ifndef QCC_TEST_H
#define QCC_TEST_H

#include <stdio.h>
#include <stdlib.h>

static int test_failures;

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #condition);                                    \
            test_failures++;                                                                                           \
        }                                                                                                              \
    } while (0)

static inline int test_end(void) { return test_failures ? EXIT_FAILURE : EXIT_SUCCESS; }

#endif
