/* semantics.c: from a mnemonic to its function. */
#include "semantics.h"

semantics *semantics_find(ZydisMnemonic mnemonic)
{
    const semantics_table *tables[] = {&semantics_integer, &semantics_float,   &semantics_convert,
                                       &semantics_move,    &semantics_permute, &semantics_mask};

    for (size_t t = 0; t < sizeof tables / sizeof *tables; t++)
        for (size_t i = 0; i < tables[t]->count; i++)
            if (tables[t]->rows[i].mnemonic == mnemonic)
                return tables[t]->rows[i].run;
    return NULL;
}
