/* fatal.c: LLVM calls one handler for the whole process, and ends the process when that comes back. */
#include "compiler/codegen/object/fatal.h"

#include <stdatomic.h>
#include <stdio.h>

#include <llvm-c/ErrorHandling.h>

#include "ir/arena.h"

static _Thread_local struct {
    bool watched;
    char reason[256];
} here;

static void give_up(const char *reason)
{
    if (!here.watched)
        return;
    snprintf(here.reason, sizeof here.reason, "%s", reason);
    arena_abandon();
}

void cg_fatal_watch(bool on)
{
    static atomic_flag installed = ATOMIC_FLAG_INIT;

    if (on && !atomic_flag_test_and_set(&installed))
        LLVMInstallFatalErrorHandler(give_up);
    here.watched = on;
}

bool cg_fatal_report(const struct ir_loc *loc, diag *d)
{
    return diag_error(d, loc, "internal error: LLVM can't compile this: %s", here.reason);
}
