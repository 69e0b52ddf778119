/* flow.h: the code that can be reached from an entry by direct jumps and calls.
 *
 *     entry:  vpaddd …            piece 0: entry … ret
 *             jne 1f
 *             ret
 *     1:      call 2f             piece 1: 1 … jmp, which reaches code that is known
 *             jmp entry
 *     2:      ret                 piece 2 */
#ifndef QCC_EMULATE_FLOW_H
#define QCC_EMULATE_FLOW_H

#include <stdbool.h>

#include "address_map.h"

typedef struct piece {
    const uint8_t *from, *to; /* instructions that follow one another */
    bool goes_on;             /* at `to`, which is in another piece */
} piece;

typedef struct flow {
    piece *pieces;
    int count;
    size_t instructions;
    address_map seen; /* instructions: FLOW_SEEN, or FLOW_TARGET where another way than from the one before leads */
} flow;

enum { FLOW_SEEN = 1, FLOW_TARGET = 2 };

void flow_find(const uint8_t *entry, flow *out);
void flow_free(flow *);

#endif
