/* forms.S: instructions to be tested, in all their forms, assembled: a table of forms (check.h).
 *
 * Registers 0 (or 16) are the destination, 1 and 2 the sources; the last source may be memory at rdi, k1 is the
 * mask, rax and rcx are general.  A twin tells what the result has to be on a CPU that lacks the form itself. */
#include "forms_macros.h"

    .globl emulate_forms, emulate_forms_end, emulate_twins
    .hidden emulate_forms, emulate_forms_end, emulate_twins
    .section .data.rel.ro.twins, "aw"
    .p2align 3
emulate_twins: /* counted from 1; 0 is none */
    .quad 0
    .set twin_count, 0
    .section .data.rel.ro.forms, "aw"
    .p2align 3
emulate_forms:

/* ---- integer.def ---- */
two 1, vpaddb, vpsubb, vpminsb, vpminub, vpmaxsb, vpmaxub, vpaddsb, vpaddusb, vpsubsb, vpsubusb, vpavgb, vpshufb
two 2, vpaddw, vpsubw, vpminsw, vpminuw, vpmaxsw, vpmaxuw, vpaddsw, vpaddusw, vpsubsw, vpsubusw, vpavgw
two 2, vpmullw, vpmulhw, vpmulhuw, vpmulhrsw, vpmaddubsw
two 4, vpaddd, vpsubd, vpminsd, vpminud, vpmaxsd, vpmaxud, vpmulld, vpsllvd, vpsrlvd, vpsravd
two 8, vpaddq, vpsubq, vpmuldq, vpmuludq, vpsllvq, vpsrlvq
two_as 4, vpand, vpandd
two_as 8, vpand, vpandq
two_as 4, vpandn, vpandnd
two_as 8, vpandn, vpandnq
two_as 4, vpor, vpord
two_as 8, vpor, vporq
two_as 4, vpxor, vpxord
two_as 8, vpxor, vpxorq
two_alone 8, vpminsq, vpminuq, vpmaxsq, vpmaxuq, vpmullq, vpsravq, vprolvq, vprorvq
two_alone 4, vprolvd, vprorvd, vpdpbusd, vpdpbusds, vpdpwssd, vpdpwssds
two_alone 2, vpsllvw, vpsrlvw, vpsravw
one 1, vpabsb
one 2, vpabsw
one 4, vpabsd
one_alone 8, vpabsq, vplzcntq
one_alone 4, vplzcntd
two_imm_alone 4, vpternlogd, 0x1e, 0xca, 0x80
two_imm_alone 8, vpternlogq, 0xe8, 0x35, 0xff
kind 4, 2
twin vpmaddwd %ymm2, %ymm1, %ymm0
two_any vpmaddwd
kind 8, 2
twin vpsadbw %ymm2, %ymm1, %ymm0
form vpsadbw %zmm2, %zmm1, %zmm0
form vpsadbw (%rdi), %ymm17, %ymm16

.irp value, 0, 3, 15, 16, 200
one_imm 2, vpsllw, \value
one_imm 2, vpsrlw, \value
one_imm 2, vpsraw, \value
.endr
.irp value, 0, 13, 31, 32
one_imm 4, vpslld, \value
one_imm 4, vpsrld, \value
one_imm 4, vpsrad, \value
one_imm_alone 4, vprold, \value
one_imm_alone 4, vprord, \value
.endr
.irp value, 0, 33, 63, 64
one_imm 8, vpsllq, \value
one_imm 8, vpsrlq, \value
one_imm_alone 8, vpsraq, \value
one_imm_alone 8, vprolq, \value
one_imm_alone 8, vprorq, \value
.endr
.macro by_register lane, name
    kind \lane, 2
    twin \name %xmm2, %ymm1, %ymm0
    form \name %xmm2, %zmm1, %zmm0
    form \name %xmm18, %ymm17, %ymm16{%k1}
    form \name (%rdi), %xmm1, %xmm0{%k1}{z}
.endm
by_register 2, vpsllw
by_register 2, vpsrlw
by_register 2, vpsraw
by_register 4, vpslld
by_register 4, vpsrld
by_register 4, vpsrad
by_register 8, vpsllq
by_register 8, vpsrlq
kind 8, 2
no_twin
form vpsraq %xmm2, %zmm1, %zmm0{%k1}
form vpsraq (%rdi), %ymm1, %ymm0

/* Into masks. */
.macro to_mask name, imm:vararg
    form \name \imm %zmm2, %zmm1, %k2
    form \name \imm %ymm18, %ymm17, %k2{%k1}
    form \name \imm (%rdi), %xmm1, %k2{%k1}
.endm
.macro comparisons letter, lane
    kind \lane, 2
    no_twin
    to_mask vpcmpeq\letter
    to_mask vpcmpgt\letter
    to_mask vptestm\letter
    to_mask vptestnm\letter
    .irp value, 0, 1, 2, 3, 4, 5, 6, 7
    to_mask vpcmp\letter, $\value,
    to_mask vpcmpu\letter, $\value,
    .endr
.endm
comparisons b, 1
comparisons w, 2
comparisons d, 4
comparisons q, 8

/* ---- float.def ---- */
two 4, vaddps, vsubps, vmulps, vdivps, vminps, vmaxps, vandps, vandnps, vorps, vxorps
two 8, vaddpd, vsubpd, vmulpd, vdivpd, vminpd, vmaxpd, vandpd, vandnpd, vorpd, vxorpd
one 4, vsqrtps
one 8, vsqrtpd
.macro scalar lane, name
    kind \lane, 2
    twin \name %xmm2, %xmm1, %xmm0
    form \name %xmm18, %xmm17, %xmm16
    form \name %xmm2, %xmm1, %xmm0{%k1}
    form \name (%rdi), %xmm1, %xmm0{%k1}{z}
.endm
.irp name, vadd, vsub, vmul, vdiv, vmin, vmax, vsqrt
scalar 4, \name\()ss
scalar 8, \name\()sd
.endr
.macro fused name
    two 4, \name\()ps
    two 8, \name\()pd
    scalar 4, \name\()ss
    scalar 8, \name\()sd
.endm
.irp order, 132, 213, 231
fused vfmadd\order
fused vfmsub\order
fused vfnmadd\order
fused vfnmsub\order
.endr
.irp order, 132, 213, 231
two 4, vfmaddsub\order\()ps, vfmsubadd\order\()ps
.endr
/* Rounding that the instruction names; the twin gets it from its environment. */
.irp mode, rn, rd, ru, rz
kind 4, 2
twin vaddps %ymm2, %ymm1, %ymm0
form vaddps {\mode\()-sae}, %zmm2, %zmm1, %zmm0
twin vfmadd213ps %ymm2, %ymm1, %ymm0
form vfmadd213ps {\mode\()-sae}, %zmm2, %zmm1, %zmm0{%k1}
twin vdivss %xmm2, %xmm1, %xmm0
form vdivss {\mode\()-sae}, %xmm2, %xmm1, %xmm0
kind 4, 1
twin vcvtps2dq %ymm1, %ymm0
form vcvtps2dq {\mode\()-sae}, %zmm1, %zmm0
kind 8, 2
twin vmulpd %ymm2, %ymm1, %ymm0
form vmulpd {\mode\()-sae}, %zmm2, %zmm1, %zmm0
.endr
two_alone 4, vscalefps
two_alone 8, vscalefpd
kind 4, 2
no_twin
form vscalefss %xmm2, %xmm1, %xmm0
kind 8, 2
form vscalefsd (%rdi), %xmm1, %xmm0
one_imm_alone 4, vrndscaleps, 0, 1, 2, 3, 4, 0x21, 0x42
one_imm_alone 8, vrndscalepd, 0, 1, 2, 3, 4, 0x21, 0x42
kind 4, 2
form vrndscaless $1, %xmm2, %xmm1, %xmm0
form vrndscaless $0x23, (%rdi), %xmm1, %xmm0{%k1}
kind 8, 2
form vrndscalesd $2, %xmm2, %xmm1, %xmm0
form vrndscalesd $0x13, (%rdi), %xmm1, %xmm0{%k1}{z}
.irp value, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 17, 30
kind 4, 2
to_mask vcmpps, $\value,
form vcmpss $\value, %xmm2, %xmm1, %k2
form vcmpss $\value, (%rdi), %xmm1, %k2{%k1}
kind 8, 2
to_mask vcmppd, $\value,
form vcmpsd $\value, %xmm2, %xmm1, %k2
form vcmpsd $\value, (%rdi), %xmm1, %k2{%k1}
.endr
kind 4, 2
form vucomiss %xmm18, %xmm17
form vcomiss %xmm18, %xmm17
kind 8, 2
form vucomisd %xmm18, %xmm17
form vcomisd %xmm18, %xmm17

/* ---- convert.def ---- */
.macro widen wide, narrow, name
    kind \wide, \narrow
    no_twin
    .if \wide / \narrow == 2
    form \name %ymm1, %zmm0
    form \name %xmm1, %ymm0{%k1}
    .elseif \wide / \narrow == 4
    form \name %xmm1, %zmm0
    form \name %xmm1, %ymm0{%k1}
    .else
    form \name %xmm1, %zmm0
    form \name %xmm1, %ymm0{%k1}
    .endif
    form \name (%rdi), %zmm16{%k1}{z}
.endm
widen 2, 1, vpmovzxbw
widen 4, 1, vpmovzxbd
widen 8, 1, vpmovzxbq
widen 4, 2, vpmovzxwd
widen 8, 2, vpmovzxwq
widen 8, 4, vpmovzxdq
widen 2, 1, vpmovsxbw
widen 4, 1, vpmovsxbd
widen 8, 1, vpmovsxbq
widen 4, 2, vpmovsxwd
widen 8, 2, vpmovsxwq
widen 8, 4, vpmovsxdq
widen 8, 4, vcvtdq2pd
widen 8, 4, vcvtudq2pd
widen 8, 4, vcvtps2pd
widen 8, 4, vcvtps2qq
widen 8, 4, vcvttps2qq
widen 8, 4, vcvtps2uqq
widen 8, 4, vcvttps2uqq
widen 4, 2, vcvtph2ps
.macro narrow wide, narrow, name
    kind \narrow, \wide
    no_twin
    .if \wide / \narrow == 2
    form \name %zmm1, %ymm0
    form \name %zmm1, %ymm0{%k1}
    .else
    form \name %zmm1, %xmm0
    form \name %zmm1, %xmm0{%k1}
    .endif
    form \name %xmm17, %xmm16{%k1}{z}
.endm
.irp sign, , s, us
narrow 2, 1, vpmov\sign\()wb
narrow 4, 1, vpmov\sign\()db
narrow 8, 1, vpmov\sign\()qb
narrow 4, 2, vpmov\sign\()dw
narrow 8, 2, vpmov\sign\()qw
narrow 8, 4, vpmov\sign\()qd
.endr
.macro narrow_float name
    kind 4, 8
    no_twin
    form \name %zmm1, %ymm0
    form \name %zmm1, %ymm0{%k1}
.endm
narrow_float vcvtpd2ps
narrow_float vcvtpd2dq
narrow_float vcvttpd2dq
narrow_float vcvtpd2udq
narrow_float vcvttpd2udq
narrow_float vcvtqq2ps
narrow_float vcvtuqq2ps
kind 2, 4
form vcvtps2ph $0, %zmm1, %ymm0
form vcvtps2ph $0, %ymm17, %xmm16{%k1}{z}
one 4, vcvtdq2ps, vcvtps2dq, vcvttps2dq
one_alone 4, vcvtudq2ps, vcvtps2udq, vcvttps2udq
one_alone 8, vcvtqq2pd, vcvtuqq2pd, vcvtpd2qq, vcvttpd2qq, vcvtpd2uqq, vcvttpd2uqq
kind 4, 2
form vcvtsi2ss %ecx, %xmm17, %xmm16
form vcvtsi2ss %rcx, %xmm17, %xmm16
form vcvtusi2ss %ecx, %xmm1, %xmm0
form vcvtusi2ss %rcx, %xmm1, %xmm0
form vcvtsd2ss %xmm18, %xmm17, %xmm16
kind 8, 2
form vcvtsi2sd %ecx, %xmm17, %xmm16
form vcvtsi2sd %rcx, %xmm17, %xmm16
form vcvtusi2sd %ecx, %xmm1, %xmm0
form vcvtusi2sd %rcx, %xmm1, %xmm0
form vcvtss2sd %xmm18, %xmm17, %xmm16
.irp name, vcvtss2si, vcvttss2si, vcvtsd2si, vcvttsd2si, vcvtss2usi, vcvttss2usi, vcvtsd2usi, vcvttsd2usi
form \name %xmm17, %eax
form \name %xmm17, %rax
.endr

#include "forms_moves.h"

    .section .data.rel.ro.forms, "aw"
emulate_forms_end:
    .section .note.GNU-stack, "", @progbits
