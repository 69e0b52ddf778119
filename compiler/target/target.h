/* target.h: what is known of the machines that code is made for.  No LLVM.
 *
 *     target_find("native")                 the best that this machine can run
 *     target_lacking(target_find(name))     NULL, or why this machine can't run its code: "this CPU lacks AVX-512 VNNI" */
#ifndef QCC_TARGET_H
#define QCC_TARGET_H

#include <stdbool.h>
#include <stdint.h>

typedef struct target_info { /* targets.h says what each is */
    const char *name, *who;
    const char *cpu, *features, *tune;
    unsigned vector_bytes;
    bool avx512, vbmi, vnni;
    uint32_t needs;
} target_info;

/* All of them, best first. */
const target_info *target_list(int *out_count);
/* NULL when there is none of that name. */
const target_info *target_find(const char *name);
/* Static text; NULL when this machine can run code for the target.  The same of a target's name, which may be unknown. */
const char *target_lacking(const target_info *);
const char *target_refuses(const char *name);

#endif
