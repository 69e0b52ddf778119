/* cpuid_trap.h: the program's questions for its CPU, answered for the machine that is emulated. */
#ifndef QCC_EMULATE_CPUID_TRAP_H
#define QCC_EMULATE_CPUID_TRAP_H

#include <stdbool.h>
#include <ucontext.h>

#include "machine.h"

/* Before anything else.  hides: in objects, too, instructions are hidden that the machine at hand is not to have
 * (hide.h); otherwise they are left as they are, and cpuid's answer keeps the program from them. */
void cpuid_setup(bool hides);
/* The file of an object, or "" for the program: is it the system's?  Python, libc and LLVM go on with the CPU that there
 * is. */
bool cpuid_is_system(const char *name);
/* Makes cpuid and xgetbv of the program, and of the objects that it has loaded, instructions that trap: of what is not
 * the system's.  Again after each dlopen. */
void cpuid_patch_objects(void);
/* If such an instruction has trapped, answers it and steps behind it. */
bool cpuid_answer(const machine *, mcontext_t *);

#endif
