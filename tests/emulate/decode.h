/* decode.h: machine code as the translator sees it. */
#ifndef QCC_EMULATE_DECODE_H
#define QCC_EMULATE_DECODE_H

#include <Zydis/Zydis.h>

#include "instruction.h"

typedef struct decoded {
    const uint8_t *code;
    ZydisDecodedInstruction in;
    ZydisDecodedOperand o[ZYDIS_MAX_OPERAND_COUNT];
} decoded;

/* Where control goes behind an instruction. */
typedef enum branch {
    BRANCH_NONE,
    BRANCH_CONDITIONAL,
    BRANCH_JUMP,
    BRANCH_CALL,
    BRANCH_AWAY,          /* a jump through the table of a shared object's imports */
    BRANCH_JUMP_INDIRECT, /* to an address that is computed */
    BRANCH_END,           /* return, trap */
} branch;

/* False: no instruction. */
bool decode(const uint8_t *code, decoded *out);
branch decode_branch(const decoded *);
/* Of a direct jump or call. */
const uint8_t *decode_target(const decoded *);
/* Code there belongs to another object, behind a jump through a table: it isn't translated. */
bool decode_is_import(const uint8_t *target);

static inline bool decode_is_vector(const ZydisDecodedOperand *o)
{
    const ZydisRegisterClass c =
        o->type == ZYDIS_OPERAND_TYPE_REGISTER ? ZydisRegisterGetClass(o->reg.value) : ZYDIS_REGCLASS_INVALID;

    return c == ZYDIS_REGCLASS_XMM || c == ZYDIS_REGCLASS_YMM || c == ZYDIS_REGCLASS_ZMM;
}

/* The form that is emulated; where there are no semantics for it, running it ends the program. */
void decode_instruction(const decoded *, instruction *out);
/* One operand alone, of a jump. */
void decode_operand(const decoded *, const ZydisDecodedOperand *, operand *out);

#endif
