/* refusals.h: which diagnostics of code generation are expected (refusals.def). */
#ifndef TESTS_RANDOM_REFUSALS_H
#define TESTS_RANDOM_REFUSALS_H

#include "ir/ir.h"

bool refusal_is_known(ir_opcode, const char *diagnostic);
bool refusal_of_types(ir_opcode, const char *types); /* is it expected that no such op is compiled? */

#endif
