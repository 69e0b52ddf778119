/* preload.c: the library for LD_PRELOAD.
 *
 *     LD_PRELOAD=libqcc-emulate.so QCC_EMULATE=avx512vnni PROGRAM
 *
 * The program sees a machine of machines.def.  An instruction that this one has and the CPU at hand lacks raises
 * SIGILL; from there on the function runs translated (translate.h) until it returns.  With QCC_EMULATE_HOST=avx2 the CPU
 * at hand is taken for no more than that machine: instructions beyond it are hidden (hide.h) where code is loaded, and
 * trap like those that the CPU lacks.  Without either variable, or on a CPU without AVX2, the library does nothing. */
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "cpuid_trap.h"
#include "failure.h"
#include "hide.h"
#include "translate/translate.h"

typedef int sigaction_fn(int, const struct sigaction *, struct sigaction *);
typedef void *dlopen_fn(const char *, int);
typedef int mprotect_fn(void *, size_t, int);

static const machine *emulated;     /* NULL: nothing is */
static bool hiding;                 /* of what the CPU has */
static struct sigaction of_program; /* what the program wants done on SIGILL */

static sigaction_fn *real_sigaction(void) { return (sigaction_fn *)dlsym(RTLD_NEXT, "sigaction"); }

static void on_sigill(int signal_number, siginfo_t *info, void *context)
{
    mcontext_t *m = &((ucontext_t *)context)->uc_mcontext;
    const uint8_t *code = (const uint8_t *)m->gregs[REG_RIP];
    decoded d;

    (void)info;
    if (cpuid_answer(emulated, m))
        return;
    if (!decode(code, &d) || !translate_needed(&d)) {
        /* The program's own: it traps again, to the program's handler or its end.  From then on nothing is emulated. */
        real_sigaction()(signal_number, &of_program, NULL);
        return;
    }
    translate_enter_function();
    m->gregs[REG_RIP] = (greg_t)(uintptr_t)translate_code(code);
}

/* The program's handlers of SIGILL are for what is not emulated. */
int sigaction(int signal_number, const struct sigaction *new, struct sigaction *old)
{
    if (signal_number != SIGILL || !emulated)
        return real_sigaction()(signal_number, new, old);
    if (old)
        *old = of_program;
    if (new)
        of_program = *new;
    return 0;
}

sighandler_t signal(int signal_number, sighandler_t handler)
{
    struct sigaction old, new = {.sa_handler = handler, .sa_flags = SA_RESTART};

    return sigaction(signal_number, &new, &old) ? SIG_ERR : old.sa_handler;
}

void *dlopen(const char *file, int mode)
{
    void *handle = ((dlopen_fn *)dlsym(RTLD_NEXT, "dlopen"))(file, mode);

    if (handle && emulated)
        cpuid_patch_objects();
    return handle;
}

/* Code that has been made in memory, as a JIT does. */
int mprotect(void *address, size_t bytes, int protection)
{
    mprotect_fn *real = (mprotect_fn *)dlsym(RTLD_NEXT, "mprotect");

    if (hiding && protection & PROT_EXEC && !real(address, bytes, PROT_READ | PROT_WRITE))
        hide_code(address, bytes);
    return real(address, bytes, protection);
}

__attribute__((constructor)) static void setup(void)
{
    const char *name = getenv("QCC_EMULATE");
    struct sigaction action = {.sa_sigaction = on_sigill, .sa_flags = SA_SIGINFO | SA_NODEFER};
    const machine *host = machine_host_named();

    if ((!name && !host) || !machine_host_suffices())
        return;
    const machine *m = name ? machine_find(name) : host;
    if (!m)
        failure("QCC_EMULATE names no machine");
    translate_setup(m);
    real_sigaction()(SIGILL, &action, &of_program);
    emulated = m;
    cpuid_setup(host && m->features & ~machine_host_features()); /* otherwise cpuid's answer keeps them from it */
    cpuid_patch_objects();
    hiding = host && !cpuid_is_system(""); /* a browser's JIT is not ours */
}
