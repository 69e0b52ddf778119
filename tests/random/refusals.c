/* refusals.c: see refusals.h. */
#include "tests/random/refusals.h"

#include <string.h>

static const struct {
    ir_opcode code;
    const char *text;
} refusals[] = {
#define REFUSAL(CODE, text, reason) {IR_##CODE, text},
#define TYPES(CODE, types, reason)
#include "tests/random/refusals.def"
#undef REFUSAL
#undef TYPES
    {IR_OPCODE_COUNT, ""},
};

bool refusal_is_known(ir_opcode code, const char *diagnostic)
{
    for (size_t i = 0; refusals[i].code != IR_OPCODE_COUNT; i++)
        if (refusals[i].code == code && strstr(diagnostic, refusals[i].text))
            return true;
    return false;
}

static const struct {
    ir_opcode code;
    const char *types;
} refused_types[] = {
#define REFUSAL(CODE, text, reason)
#define TYPES(CODE, types, reason) {IR_##CODE, types},
#include "tests/random/refusals.def"
#undef REFUSAL
#undef TYPES
    {IR_OPCODE_COUNT, ""},
};

bool refusal_of_types(ir_opcode code, const char *types)
{
    for (size_t i = 0; refused_types[i].code != IR_OPCODE_COUNT; i++)
        if (refused_types[i].code == code && !strcmp(types, refused_types[i].types))
            return true;
    return false;
}
