/* program.h: how every program of the compiler begins and ends. */
#ifndef QCC_PROGRAM_H
#define QCC_PROGRAM_H

#include "compiler/options.h"

/* What main returns: the status that `perform` gives, but EXIT_FAILURE with one line on stderr when memory runs out,
 * or when something that was written to stdout or stderr did not get there.
 *
 * Before, it makes sure that no file that is opened later becomes stdin, stdout or stderr, and that a file that grows
 * past the limit on its size (setrlimit) is an error of write, not the end of the process. */
int program_main(option_program, int (*perform)(int argc, char **argv), int argc, char **argv);

#endif
