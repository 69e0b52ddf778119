/* program.h: how every program of the compiler begins and ends.
 *
 *     program_begin();
 *     …
 *     return program_end(OPTION_QCC, EXIT_SUCCESS);
 */
#ifndef QCC_PROGRAM_H
#define QCC_PROGRAM_H

#include "compiler/options.h"

/* Makes sure that no file that is opened later becomes stdin, stdout or stderr, and that a file that grows past the limit on
 * its size (setrlimit) is an error of write, not the end of the process. */
void program_begin(void);

/* The status to leave with: `status`, or EXIT_FAILURE with one line on stderr when something that was written to stdout or
 * stderr did not get there. */
int program_end(option_program, int status);

#endif
