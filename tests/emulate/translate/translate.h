/* translate.h: functions with emulated instructions, translated.
 *
 *     vpxord zmm16, zmm16, zmm16           call group {vpxord, vmovdqu64}
 *     vmovdqu64 zmm1, [rdi]
 *     vpaddd ymm0, ymm0, ymm1        ->    vpaddd ymm0, ymm0, ymm1;  stale[0] = 1
 *     add rdi, 64                          add rdi, 64
 *     jne …                                jne …, to the translated copy
 *
 * What the machine that is emulated lacks ends the program, and so does what the emulator does not know. */
#ifndef QCC_EMULATE_TRANSLATE_H
#define QCC_EMULATE_TRANSLATE_H

#include "decode.h"
#include "machine.h"

/* Once, before anything else. */
void translate_setup(const machine *);
/* An instruction that the CPU at hand, or the machine that is emulated, lacks. */
bool translate_needed(const decoded *);
/* The translation of code from an instruction on; made when there is none. */
const uint8_t *translate_code(const uint8_t *entry);
/* Before the first translated code of a function runs: what its registers hold. */
void translate_enter_function(void);

#endif
