/* machine.c: from a target's registers and traits to the numbers of the cost model.
 *
 * The model counts in vectors of a block's 16 sums.  With registers of 64 bytes such a vector is one register, otherwise a
 * few: all that is done to it takes as many instructions, and as many fewer fit.  Beside the sums, a tile needs its
 * weights, one broadcast, and where bytes are multiplied in two instructions (vpmaddubsw, vpmaddwd) a constant and an
 * intermediate result.  Measured where docs/performance.md says so: 64-byte registers with VNNI on Zen 5, 32-byte
 * ones on Zen 3. */
#include "compiler/schedule/machine.h"

#include <limits.h>

enum { VECTOR_BYTES = 4 * SCHEDULE_BLOCK, MAX_ROWS = 16 };

schedule_machine schedule_machine_of(const target_info *t, schedule_numbers numbers)
{
    const int parts = VECTOR_BYTES / (int)t->vector_bytes;
    const bool at_once = numbers == SCHEDULE_FLOATS ? target_has(t, TARGET_FMA) : target_has(t, TARGET_DOT4);
    /* clang-format off */
    schedule_machine m = {
        .registers = (int)t->registers / parts, .max_rows = MAX_ROWS, .multiply = 0.5 * parts, .load = 0.5 * parts, .chain = 4.0,
        .epilogue = {2.0 * parts, 2.0 * parts}, .whole = 1.0, .tile_start = 10.0, .step = 0.1, .near_bytes = INT_MAX,
    };
    /* clang-format on */
    if (numbers == SCHEDULE_WORDS && !at_once) { /* a multiplication and an addition */
        m.registers -= 1;
        m.chain = 1.0;
    } else if (!at_once) { /* two multiplications; only the last addition waits for the one before */
        if (target_has(t, TARGET_BYTE_PAIRS)) {
            m.registers -= 1;
            m.prepare = 0.75 * parts; /* three instructions make |w| and its flip: flip.h */
        } else {
            m.registers *= 2; /* sums in memory cost less than making words of the weights for fewer rows */
        }
        m.multiply *= 2;
        m.chain = 1.0;
    }
    if (parts == 1) {
        m.registers -= 1;
        m.overlapped = 16;
        m.epilogue[0] = 1.1;
        m.epilogue[1] = 1.6;
        m.whole = 0.9;
        m.near_bytes = 36 << 10;
        m.far = 0.2;
    }
    return m;
}
