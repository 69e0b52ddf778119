# enter.S: from translated code into the emulator and back, with the registers of the program in memory between.
#
#     mov %rax, %fs:state.rax
#     lea -128(%rsp), %rsp          the red zone stays as it is
#     mov $group, %rax
#     call emulate_enter            -> emulate_group(group, frame, state)
#     lea 128(%rsp), %rsp
#
# emulate_enter is for CPUs without zmm registers, emulate_enter_zmm for those that have them.
#include "enter.h"


.macro enter_with name
    .globl \name
    .hidden \name
    .type \name, @function
    .p2align 4
\name:
    pushfq
    .irp r, r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rsp, rbx, rdx, rcx, rax
    push %\r
    .endr
    cld
    mov %rsp, %rbp
    mov emulate_state@gottpoff(%rip), %rbx
    add %fs:0, %rbx
    save
    mov %rax, %rdi
    mov %rsp, %rsi
    mov %rbx, %rdx
    and $-64, %rsp
    call emulate_group
    restore
    mov %rbp, %rsp
    .irp r, rax, rcx, rdx, rbx
    pop %\r
    .endr
    lea 8(%rsp), %rsp
    .irp r, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15
    pop %\r
    .endr
    popfq
    ret
    .size \name, . - \name
.endm

.text
.macro save
    .irp i, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    vmovdqu %ymm\i, STATE_Z + \i * 64(%rbx)
    .endr
.endm
.macro restore
    .irp i, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    vmovdqu STATE_Z + \i * 64(%rbx), %ymm\i
    .endr
.endm
enter_with emulate_enter

.purgem save
.purgem restore
.macro save
    .irp i, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    vmovdqu64 %zmm\i, STATE_Z + \i * 64(%rbx)
    .endr
    .irp i, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    vmovdqu64 %zmm\i, STATE_Z + \i * 64(%rbx)
    .endr
    .irp i, 0, 1, 2, 3, 4, 5, 6, 7
    kmovq %k\i, STATE_K + \i * 8(%rbx)
    .endr
.endm
.macro restore
    .irp i, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    vmovdqu64 STATE_Z + \i * 64(%rbx), %zmm\i
    .endr
    .irp i, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    vmovdqu64 STATE_Z + \i * 64(%rbx), %zmm\i
    .endr
    .irp i, 0, 1, 2, 3, 4, 5, 6, 7
    kmovq STATE_K + \i * 8(%rbx), %k\i
    .endr
.endm
enter_with emulate_enter_zmm

.section .note.GNU-stack, "", @progbits
