/* enter.h: the ways into the emulator (enter.S), and where state has what, for assembly and C. */
#ifndef QCC_EMULATE_ENTER_H
#define QCC_EMULATE_ENTER_H

#define STATE_Z 0
#define STATE_K 2048

#ifndef __ASSEMBLER__
#include "instruction.h"

_Static_assert(offsetof(state, z) == STATE_Z && offsetof(state, k) == STATE_K, "enter.S knows them");

extern _Thread_local state emulate_state __attribute__((tls_model("initial-exec")));

/* Called by translated code only, never from C. */
void emulate_enter(void);
void emulate_enter_zmm(void);

void emulate_group(const group *, frame *, state *);
#endif

#endif
