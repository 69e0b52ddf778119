/* check.h: the emulator's instructions, one by one: forms.S, and what each has to do. */
#ifndef QCC_EMULATE_CHECK_H
#define QCC_EMULATE_CHECK_H

#include "instruction.h"

/* An instruction of forms.S. */
typedef struct form {
    const char *text;
    const uint8_t *code, *code_end;
    uint32_t twin;    /* index of emulate_twins, 0: none */
    uint32_t lane;    /* bytes of the destination that a bit of the mask stands for */
    uint32_t sources; /* how many; of conversions the source's width, of parts their bytes, of gathers an index's */
    uint32_t unused;
} form;

/* An AVX2 instruction on [destination, source 1, source 2], the destination changes. */
typedef void twin_fn(__m256i *);

extern const form emulate_forms[], emulate_forms_end[];
extern twin_fn *const emulate_twins[];

/* One execution of a form: what it reads, and where the result goes. */
typedef struct sample {
    const form *f;
    char name[24];
    unsigned bytes, imm; /* the vector's length; the immediate */
    unsigned rounding;   /* bits of mxcsr */
    vector own, x, y;    /* destination and sources before; memory that is repeated for all lanes is */
    uint64_t k1, k3, k4; /* masks; ~0 where k1 is not used */
    bool masked, zeroing, to_memory, to_general;
    unsigned general_bytes; /* of a general register among the operands */
} sample;

typedef enum outcome { OUTCOME_VECTOR, OUTCOME_BITS, OUTCOME_FLAGS } outcome;

/* What a result has to be, before masks; derived from the manual's text in another way than the emulator's tables. */
typedef struct expected {
    outcome what;
    vector v;
    unsigned total; /* bytes of v; those behind are zero */
    uint64_t bits;  /* a mask, a general register; flags: zero 1, parity 2, carry 4 */
} expected;

void oracle(const sample *, expected *out);

#endif
