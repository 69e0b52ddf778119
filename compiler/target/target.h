/* target.h: what is known of the machines that code is made for.  No LLVM.
 *
 *     target_find("native")                 the best that this machine can run
 *     target_set_of("generic,avx2")         several, for one object; the best first, in whatever order they are named
 *     target_lacking(target_find(name))     NULL, or why this machine can't run its code: "this CPU lacks AVX-512 VNNI" */
#ifndef QCC_TARGET_H
#define QCC_TARGET_H

#include <stdbool.h>
#include <stdint.h>

enum {
    TARGET_FMA = 1 << 0,   /* a * b + c with one rounding */
    TARGET_F16C = 1 << 1,  /* halves to floats */
    TARGET_ROUND = 1 << 2, /* floats to whole floats, in each direction */
    TARGET_BYTE_PAIRS =
        1 << 3, /* sums of two neighbouring products of bytes, unsigned by signed, which saturate at 16 bits */
    TARGET_DOT4 = 1 << 4,        /* sums of four neighbouring products of bytes, unsigned by signed */
    TARGET_MASKS = 1 << 5,       /* loads and stores of some lanes */
    TARGET_SHUFFLES = 1 << 6,    /* bytes of 16 by their indices */
    TARGET_BYTE_TABLES = 1 << 7, /* tables of 256 bytes in registers */
};

typedef struct target_info { /* targets.h says what each is */
    const char *name, *who;
    const char *cpu, *features, *tune;
    unsigned vector_bytes, registers;
    uint32_t traits, needs;
} target_info;

static inline bool target_has(const target_info *t, uint32_t traits) { return (t->traits & traits) == traits; }
/* Whether bytes are multiplied by sums of two products, which have to fit 16 bits. */
static inline bool target_in_pairs(const target_info *t)
{
    return target_has(t, TARGET_BYTE_PAIRS) && !target_has(t, TARGET_DOT4);
}

/* All of them, best first. */
const target_info *target_list(int *out_count);
/* NULL when there is none of that name. */
const target_info *target_find(const char *name);
/* Static text; NULL when this machine can run code for the target. */
const char *target_lacking(const target_info *);

/* ---- Several ---- */

/* Bit i: row i of the table; so the lowest is the best, and nothing is in it twice.
 *
 *     for (target_set left = set; left; left = target_set_rest(left))
 *         … target_set_best(left) … */
typedef uint32_t target_set;

/* "avx2,generic": names between commas, native among them, in any order and as often as one likes.  NULL, or the
 * first name that is none, which ends at a comma or with the text. */
const char *target_set_parse(const char *names, target_set *out);
/* The same of names that are known; empty when one is not. */
target_set target_set_of(const char *names);
const target_info *target_set_best(target_set); /* NULL of an empty one */
static inline target_set target_set_rest(target_set set) { return set & (set - 1); }
static inline bool target_set_has_one(target_set set) { return set && !target_set_rest(set); }
/* "avx2,generic". */
enum { TARGET_SET_TEXT = 256 };
const char *target_set_text(target_set, char text[TARGET_SET_TEXT]);
/* Static text; NULL when this machine can run one of them.  The same of names, which may be unknown. */
const char *target_set_lacking(target_set);
const char *target_refuses(const char *names);

#endif
