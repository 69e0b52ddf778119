/* code.h: memory for translated code, and what is written into it. */
#ifndef QCC_EMULATE_CODE_H
#define QCC_EMULATE_CODE_H

#include <stddef.h>
#include <stdint.h>

#include "instruction.h"

typedef struct code {
    uint8_t *at;
    const uint8_t *gate; /* a jump to the way into the emulator (enter.h), in reach of a call */
} code;

/* Room for so many bytes within reach (2 GiB) of the original code; code_done says how much was used. */
code code_begin(const void *original, size_t bytes, void (*enter)(void));
void code_done(const code *);

void code_bytes(code *, const void *bytes, size_t count);
void code_i32(code *, int64_t value);
/* jmp, call (0xe9, 0xe8) to a known address. */
void code_branch(code *, uint8_t opcode, const uint8_t *to);

/* Runs emulated instructions. */
void code_call_group(code *, const group *);
/* jmp to where an emulated jump went. */
void code_jump_next(code *);
/* Upper halves of vector registers have become zero: of one, of all. */
void code_note_stale(code *, unsigned number);
void code_note_all_stale(code *);
/* To an address anywhere: call, jmp. */
void code_call_far(code *, const uint8_t *to);
void code_jump_far(code *, const uint8_t *to);

#endif
