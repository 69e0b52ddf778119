/* semantics.h: what each instruction does: tables (*.def), a group of instructions each. */
#ifndef QCC_EMULATE_SEMANTICS_H
#define QCC_EMULATE_SEMANTICS_H

#include <Zydis/Zydis.h>

#include "instruction.h"

typedef struct semantics_row {
    ZydisMnemonic mnemonic;
    semantics *run;
} semantics_row;

typedef struct semantics_table {
    const semantics_row *rows;
    size_t count;
} semantics_table;

extern const semantics_table semantics_integer, semantics_float, semantics_convert, semantics_move, semantics_permute,
    semantics_mask;

/* NULL when the emulator does not know it. */
semantics *semantics_find(ZydisMnemonic);

#endif
