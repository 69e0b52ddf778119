/* fuzz_import.c: the importers and the passes under libFuzzer.  Build with clang and -Dfuzz=true, run with a folder of models:
 *     fuzz_import -max_len=65536 CORPUS tests/data tests/data/onnx */
#include "check_import.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    check_import(bytes, size, true);
    return 0;
}
