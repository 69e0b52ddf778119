/* fuzz_import.c: the importers under libFuzzer, with mutations that keep a file's structure; where PASSES is set, the
 * passes, too.  fuzz.sh gathers what to begin with, and runs it. */
#include "check_import.h"
#include "mutation.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t room, unsigned int seed);
size_t LLVMFuzzerMutate(uint8_t *bytes, size_t size, size_t room); /* libFuzzer's own */

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    check_import(bytes, size, PASSES);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t room, unsigned int seed)
{
    mutation m = {bytes, size, room, seed};
    switch (mutation_below(&m, 16)) {
    case 0: return LLVMFuzzerMutate(bytes, size, room);
    case 1: mutation_bytes(&m, (int)mutation_below(&m, MUTATION_KINDS)); break;
    default:
        for (size_t i = 1 + mutation_below(&m, 3); i > 0; i--)
            if (!mutation_structure(&m))
                return LLVMFuzzerMutate(bytes, m.size, room);
    }
    return m.size;
}
