/* hide.h: instructions that the machine at hand is not to have (QCC_EMULATE_HOST), made to trap.
 *
 *     62 f1 75 48 fe c2   vpaddd zmm0, zmm1, zmm2     ->     06 f1 75 48 fe c2   no instruction in 64-bit code */
#ifndef QCC_EMULATE_HIDE_H
#define QCC_EMULATE_HIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In code that may be written: one instruction behind the other from its first byte on. */
void hide_code(uint8_t *code, size_t bytes);
/* Whether code begins with an instruction that is hidden. */
bool hide_is_hidden(const uint8_t *code);
/* The first `count` bytes (at most 15) of such an instruction, as they were. */
void hide_reveal(const uint8_t *code, uint8_t *out, size_t count);

#endif
