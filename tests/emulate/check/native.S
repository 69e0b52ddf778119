/* native.S: around a form that runs on the CPU itself: all registers from a state (rdi; rsi: the frame of its general
 * ones) and back.  instructions.c copies [native_begin, native_middle), the form, [native_middle, native_end)
 * behind one another. */
#include "enter.h"

    .globl native_begin, native_middle, native_end
    .hidden native_begin, native_middle, native_end
    .section .rodata
native_begin:
    push %rbx
    push %rbp
    push %r12
    push %r13
    mov %rdi, %r12
    mov %rsi, %r13
    .irp i, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    vmovdqu64 STATE_Z + \i * 64(%r12), %zmm\i
    .endr
    .irp i, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    vmovdqu64 STATE_Z + \i * 64(%r12), %zmm\i
    .endr
    .irp i, 0, 1, 2, 3, 4, 5, 6, 7
    kmovq STATE_K + \i * 8(%r12), %k\i
    .endr
    pushq 128(%r13)
    popfq
    mov (%r13), %rax
    mov 8(%r13), %rcx
    mov 56(%r13), %rdi
native_middle:
    pushfq
    pop %rbx
    mov %rbx, 128(%r13)
    mov %rax, (%r13)
    mov %rcx, 8(%r13)
    .irp i, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    vmovdqu64 %zmm\i, STATE_Z + \i * 64(%r12)
    .endr
    .irp i, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    vmovdqu64 %zmm\i, STATE_Z + \i * 64(%r12)
    .endr
    .irp i, 0, 1, 2, 3, 4, 5, 6, 7
    kmovq %k\i, STATE_K + \i * 8(%r12)
    .endr
    vzeroupper
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret
native_end:
    .section .note.GNU-stack, "", @progbits
