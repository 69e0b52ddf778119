/* forms_macros.h: `form TEXT` assembles an instruction and puts it into the table; behind it families of forms.
 *
 * `kind` says what is known of the forms behind it (check.h).  `twin` is a function that runs the AVX2 instruction of
 * the same meaning on halves of vectors in memory at rdi: destination, sources. */

.macro form text:vararg
    .section .rodata
1:  .asciz "\text"
    .text
2:  \text
3:  .section .data.rel.ro.forms, "aw"
    .quad 1b, 2b, 3b
    .long twin_now, lane_now, sources_now, 0
.endm

.macro twin text:vararg
    .text
    .p2align 4
1:  vmovdqu (%rdi), %ymm0
    vmovdqu 32(%rdi), %ymm1
    vmovdqu 64(%rdi), %ymm2
    \text
    vmovdqu %ymm0, (%rdi)
    vzeroupper
    ret
    .section .data.rel.ro.twins, "aw"
    .quad 1b
    .set twin_count, twin_count + 1
    .set twin_now, twin_count
.endm

.macro kind lane, sources
    .set lane_now, \lane
    .set sources_now, \sources
.endm
.macro no_twin
    .set twin_now, 0
.endm

/* name a, b -> d, in lanes, all lengths and maskings; behind an immediate if there is one. */
.macro two_any name, imm:vararg
    form \name \imm %zmm2, %zmm1, %zmm0
    form \name \imm %zmm2, %zmm1, %zmm0{%k1}
    form \name \imm (%rdi), %ymm1, %ymm0{%k1}{z}
    form \name \imm %xmm18, %xmm17, %xmm16{%k1}
.endm
.macro one_any name, imm:vararg
    form \name \imm %zmm1, %zmm0
    form \name \imm %zmm1, %zmm0{%k1}
    form \name \imm (%rdi), %ymm0{%k1}{z}
    form \name \imm %xmm17, %xmm16{%k1}
.endm
.macro two_repeated name, lane, imm:vararg /* memory of one lane for all */
    .if \lane == 4
    form \name \imm (%rdi){1to16}, %zmm1, %zmm0{%k1}
    .elseif \lane == 8
    form \name \imm (%rdi){1to8}, %zmm1, %zmm0{%k1}
    .endif
.endm
.macro two lane, names:vararg /* AVX2 has them, too */
    kind \lane, 2
    .irp name, \names
    twin \name %ymm2, %ymm1, %ymm0
    two_any \name
    two_repeated \name, \lane
    .endr
.endm
.macro two_as lane, like, names:vararg /* it has `like` */
    kind \lane, 2
    .irp name, \names
    twin \like %ymm2, %ymm1, %ymm0
    two_any \name
    two_repeated \name, \lane
    .endr
.endm
.macro two_alone lane, names:vararg /* it hasn't */
    kind \lane, 2
    no_twin
    .irp name, \names
    two_any \name
    two_repeated \name, \lane
    .endr
.endm
.macro one lane, names:vararg
    kind \lane, 1
    .irp name, \names
    twin \name %ymm1, %ymm0
    one_any \name
    .endr
.endm
.macro one_as lane, like, names:vararg
    kind \lane, 1
    .irp name, \names
    twin \like %ymm1, %ymm0
    one_any \name
    .endr
.endm
.macro one_alone lane, names:vararg
    kind \lane, 1
    no_twin
    .irp name, \names
    one_any \name
    .endr
.endm
.macro one_imm lane, name, values:vararg
    kind \lane, 1
    .irp value, \values
    twin \name $\value, %ymm1, %ymm0
    one_any \name, $\value,
    .endr
.endm
.macro one_imm_alone lane, name, values:vararg
    kind \lane, 1
    no_twin
    .irp value, \values
    one_any \name, $\value,
    .endr
.endm
.macro two_imm lane, name, values:vararg
    kind \lane, 2
    .irp value, \values
    twin \name $\value, %ymm2, %ymm1, %ymm0
    two_any \name, $\value,
    .endr
.endm
.macro two_imm_alone lane, name, values:vararg
    kind \lane, 2
    no_twin
    .irp value, \values
    two_any \name, $\value,
    two_repeated \name, \lane, $\value,
    .endr
.endm
