/* instruction.h: an instruction as the emulator runs it, and the registers that it works on.
 *
 *     vpaddd zmm5{k1}, zmm6, [rdi + 64]
 *     {run_VPADDD, bytes 64, mask 1, operands: vector 5, vector 6, memory at rdi + 64, 64 bytes}
 *
 * The CPU at hand has sixteen ymm registers, the machine that is emulated thirty-two zmm and eight mask registers:
 *
 *     z[0..15]           bytes 0..31    the CPU's ymm, copied in and out around emulated instructions
 *                        bytes 32..63   here alone
 *     z[16..31], k[0..7]                here alone
 *
 * A VEX instruction zeroes the upper half of the register that it writes; the CPU does so with its own registers, the
 * translated code notes it in `stale` (translate.c).  On a CPU that has AVX-512 but lacks single instructions all of z
 * and k are copied in and out. */
#ifndef QCC_EMULATE_INSTRUCTION_H
#define QCC_EMULATE_INSTRUCTION_H

#include <immintrin.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef union vector {
    uint8_t u8[64];
    int8_t i8[64];
    uint16_t u16[32];
    int16_t i16[32];
    uint32_t u32[16];
    int32_t i32[16];
    uint64_t u64[8];
    int64_t i64[8];
    float f32[16];
    double f64[8];
    __m256i half[2];
    __m128i quarter[4];
} vector;

/* What enter.S leaves on the program's stack. */
typedef struct frame {
    uint64_t general[16]; /* in the order of their numbers: rax rcx rdx rbx rsp rbp rsi rdi r8 … r15 */
    uint64_t flags, back;
    uint8_t red_zone[128];
} frame;

typedef struct state {
    vector z[32];
    uint64_t k[8];
    uint8_t stale[16]; /* 1: the upper half is zero, whatever z holds */
    uint64_t rax;      /* the program's, while it enters the emulator */
    uint64_t next;     /* where an emulated jump goes on */
    frame *f;
} state;

typedef enum operand_kind {
    OPERAND_NONE,
    OPERAND_VECTOR,
    OPERAND_MASK,
    OPERAND_GENERAL,
    OPERAND_IMMEDIATE,
    OPERAND_MEMORY
} operand_kind;

enum { REGISTER_NONE = 0xff, REGISTER_RSP = 4 };

typedef struct operand {
    uint8_t kind;      /* operand_kind */
    uint8_t number;    /* of the register */
    uint8_t bytes;     /* of a general register, or in memory */
    uint8_t broadcast; /* 0, or the bytes in memory that fill the vector */
    uint8_t base, index, scale;
    bool thread;   /* relative to fs */
    int64_t value; /* an immediate, or a displacement; that of rip-relative memory is its address */
} operand;

typedef struct instruction instruction;
typedef void semantics(const instruction *, state *);

enum { INSTRUCTION_OPERANDS = 4 };

struct instruction {
    semantics *run;
    operand o[INSTRUCTION_OPERANDS]; /* without the mask */
    uint8_t bytes;                   /* of the vector */
    uint8_t mask;                    /* 0: all lanes */
    bool zeroing;
    uint8_t rounding; /* 0: as mxcsr says; 1 + its two bits */
    const uint8_t *code;
};

/* Emulated instructions that follow one another. */
typedef struct group {
    int count;
    instruction in[];
} group;

#endif
