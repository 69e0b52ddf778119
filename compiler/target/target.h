/* target.h: what is known of the machines that code is made for.  No LLVM.
 *
 *     target_find("native")                 the best that this machine can run
 *     target_lacking(target_find(name))     NULL, or why this machine can't run its code: "this CPU lacks AVX-512 VNNI" */
#ifndef QCC_TARGET_H
#define QCC_TARGET_H

#include <stdbool.h>
#include <stdint.h>

enum {
    TARGET_FMA = 1 << 0,         /* a * b + c with one rounding */
    TARGET_F16C = 1 << 1,        /* halves to floats */
    TARGET_ROUND = 1 << 2,       /* floats to whole floats, in each direction */
    TARGET_PAIRS = 1 << 3,       /* sums of neighbouring products of 16-bit words, of whole registers */
    TARGET_DOT4 = 1 << 4,        /* sums of four neighbouring products of bytes, unsigned by signed */
    TARGET_MASKS = 1 << 5,       /* loads and stores of some lanes */
    TARGET_BYTE_TABLES = 1 << 6, /* tables of 256 bytes in registers */
    TARGET_BYTE_PAIRS = 1 << 7,  /* sums of neighbouring products of bytes, unsigned by signed, that saturate to 16 bits */
};

typedef struct target_info { /* targets.h says what each is */
    const char *name, *who;
    const char *cpu, *features, *tune;
    unsigned vector_bytes, registers;
    uint32_t traits, needs;
} target_info;

static inline bool target_has(const target_info *t, uint32_t traits) { return (t->traits & traits) == traits; }

/* All of them, best first. */
const target_info *target_list(int *out_count);
/* NULL when there is none of that name. */
const target_info *target_find(const char *name);
/* Static text; NULL when this machine can run code for the target.  The same of a target's name, which may be unknown. */
const char *target_lacking(const target_info *);
const char *target_refuses(const char *name);

#endif
