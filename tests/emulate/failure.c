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

    enum { PAGE = 4096 };
    const size_t here = PAGE - (uintptr_t)code % PAGE, most = sizeof bytes;
    bool known = false;

    for (size_t count = here < most ? here : most; !known;
         count = most) { /* beyond the page only if it goes on there */
        hide_reveal(code, bytes, count);
        known = ZYAN_SUCCESS(ZydisDisassembleIntel(ZYDIS_MACHINE_MODE_LONG_64, (uintptr_t)code, bytes, count, &in));
        if (count == most)
            break;
    }

    snprintf(line, sizeof line, "%s: %s", what, known ? in.text : "no instruction");
    failure(line);
}
