/* failure.c: "qcc-emulate: not emulated: vrcp14ps zmm0, zmm1". */
#include "failure.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <Zydis/Zydis.h>

#include "hide.h"

_Noreturn void failure(const char *what)
{
    fprintf(stderr, "qcc-emulate: %s\n", what);
    _exit(FAILURE_STATUS);
}

_Noreturn void failure_at(const char *what, const void *code)
{
    ZydisDisassembledInstruction in;
    uint8_t bytes[ZYDIS_MAX_INSTRUCTION_LENGTH];
    char line[256];

    hide_reveal(code, bytes, sizeof bytes);
    const bool known =
        ZYAN_SUCCESS(ZydisDisassembleIntel(ZYDIS_MACHINE_MODE_LONG_64, (uintptr_t)code, bytes, sizeof bytes, &in));

    snprintf(line, sizeof line, "%s: %s", what, known ? in.text : "no instruction");
    failure(line);
}
