/* failure.h: the emulator can't go on.  The program ends, with status 121 and a line that names the instruction: a test
 * that would run on with wrong results is worse. */
#ifndef QCC_EMULATE_FAILURE_H
#define QCC_EMULATE_FAILURE_H

enum { FAILURE_STATUS = 121 };

_Noreturn void failure(const char *what);
/* With the instruction at `code`. */
_Noreturn void failure_at(const char *what, const void *code);

#endif
