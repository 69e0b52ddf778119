/* operand.h: reading and writing operands, under masks.
 *
 * `lane` is the width of what a mask's bit stands for.  Memory is touched in active lanes alone, as the CPU does: a
 * masked load may begin or end in a page that isn't there. */
#ifndef QCC_EMULATE_OPERAND_H
#define QCC_EMULATE_OPERAND_H

#include "instruction.h"

static inline uint64_t low_bits(unsigned n) { return n >= 64 ? ~0ull : (1ull << n) - 1; }

static inline uint64_t active_lanes(const instruction *in, const state *s) { return in->mask ? s->k[in->mask] : ~0ull; }

uint8_t *operand_address(const state *, const operand *);

/* The vector of operand i, in its register or loaded into *room; lane 0: a mask does not matter. */
const vector *operand_load(const instruction *, const state *, int i, unsigned lane, vector *room);

static inline const vector *operand_vector(const instruction *in, const state *s, int i, unsigned lane, vector *room)
{
    return in->o[i].kind == OPERAND_VECTOR ? &s->z[in->o[i].number] : operand_load(in, s, i, lane, room);
}

/* General and mask registers, immediates, memory of up to 8 bytes, zero-extended. */
uint64_t operand_scalar(const instruction *, const state *, int i);

static inline unsigned operand_immediate(const instruction *in, int i)
{
    return i < INSTRUCTION_OPERANDS && in->o[i].kind == OPERAND_IMMEDIATE ? (uint8_t)in->o[i].value : 0;
}

/* Operand 0 becomes the first `total` bytes of a vector, under the mask; a register's rest becomes zero. */
void operand_write(const instruction *, state *, const vector *, unsigned lane, unsigned total);
/* The same without regard to the mask; operand 0 is a register. */
void operand_write_whole(const instruction *, state *, const vector *, unsigned total);
void operand_write_mask(const instruction *, state *, uint64_t bits, unsigned lanes);
/* A general register (32 bits zero the upper ones) or memory. */
void operand_write_scalar(const instruction *, state *, uint64_t value, unsigned bytes);
/* The flags that comparisons set: OF, SF and AF become 0. */
void operand_write_flags(state *, bool zero, bool parity, bool carry);

#endif
