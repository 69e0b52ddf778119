/* forms_moves.h: forms of permute.def, move.def, mask.def, and AVX-VNNI's; part of forms.S. */

/* ---- permute.def ---- */
two 1, vpunpcklbw, vpunpckhbw, vpacksswb, vpackuswb
two 2, vpunpcklwd, vpunpckhwd, vpackssdw, vpackusdw
two 4, vpunpckldq, vpunpckhdq, vunpcklps, vunpckhps, vpermilps
two 8, vpunpcklqdq, vpunpckhqdq, vunpcklpd, vunpckhpd, vpermilpd
one_imm 4, vpshufd, 0x1b, 0xd2
one_imm 2, vpshuflw, 0x1b, 0xd2
one_imm 2, vpshufhw, 0x1b, 0xd2
one_imm 4, vpermilps, 0x1b, 0xd2
two_imm 4, vshufps, 0x1b, 0xd2
two_imm 1, vpalignr, 0, 5, 16, 21, 40
one 4, vmovshdup, vmovsldup
one 8, vmovddup
kind 1, 1
.irp value, 0, 5, 15, 16
twin vpslldq $\value, %ymm1, %ymm0
form vpslldq $\value, %zmm1, %zmm0
twin vpsrldq $\value, %ymm1, %ymm0
form vpsrldq $\value, %ymm17, %ymm16
.endr
two_imm_alone 8, vshufpd, 0, 0x5a, 0xff
one_imm_alone 8, vpermilpd, 0, 0x5a, 0xff
.macro wide lane, names:vararg /* not of 128 bits */
    kind \lane, 2
    no_twin
    .irp name, \names
    form \name %zmm2, %zmm1, %zmm0{%k1}
    form \name %ymm18, %ymm17, %ymm16
    .endr
.endm
wide 4, vpermd, vpermps
wide 8, vpermq, vpermpd
two_alone 2, vpermw, vpermi2w, vpermt2w
two_alone 1, vpermb, vpermi2b, vpermt2b
two_alone 4, vpermi2d, vpermt2d, vpermi2ps, vpermt2ps
two_alone 8, vpermi2q, vpermt2q, vpermi2pd, vpermt2pd
kind 8, 1
.irp value, 0x1b, 0xd2
form vpermq $\value, %zmm1, %zmm0
form vpermpd $\value, (%rdi), %ymm0{%k1}
.endr
two_imm_alone 4, valignd, 0, 3, 9
two_imm_alone 8, valignq, 0, 3, 5
kind 4, 2
.irp name, vshuff32x4, vshufi32x4
form \name $0x1b, %zmm2, %zmm1, %zmm0
form \name $0xd2, (%rdi), %zmm1, %zmm0{%k1}
form \name $2, %ymm18, %ymm17, %ymm16
.endr
kind 8, 2
.irp name, vshuff64x2, vshufi64x2
form \name $0x1b, %zmm2, %zmm1, %zmm0
form \name $0xd2, (%rdi), %zmm1, %zmm0{%k1}
form \name $1, %ymm18, %ymm17, %ymm16
.endr
one_alone 4, vpexpandd, vexpandps
one_alone 8, vpexpandq, vexpandpd
.macro compressed lane, name
    kind \lane, 1
    form \name %zmm1, %zmm0{%k1}
    form \name %ymm17, %ymm16{%k1}{z}
    form \name %zmm1, (%rdi){%k1}
.endm
compressed 4, vpcompressd
compressed 4, vcompressps
compressed 8, vpcompressq
compressed 8, vcompresspd

/* ---- move.def ---- */
one_as 1, vmovdqu, vmovdqu8
one_as 2, vmovdqu, vmovdqu16
one_as 4, vmovdqu, vmovdqu32, vmovups, vmovdqa32, vmovaps
one_as 8, vmovdqu, vmovdqu64, vmovupd, vmovdqa64, vmovapd
.macro store lane, name
    kind \lane, 1
    twin vmovdqu %ymm1, %ymm0
    form \name %zmm1, (%rdi)
    form \name %ymm17, (%rdi){%k1}
.endm
store 1, vmovdqu8
store 2, vmovdqu16
store 4, vmovdqu32
store 8, vmovdqu64
kind 8, 1
twin vmovdqu %ymm1, %ymm0
form vmovntdq %zmm1, (%rdi)
form vmovntps %zmm1, (%rdi)
form vmovntpd %zmm1, (%rdi)
form vmovntdqa (%rdi), %zmm0
two_alone 1, vpblendmb
two_alone 2, vpblendmw
two_alone 4, vpblendmd, vblendmps
two_alone 8, vpblendmq, vblendmpd
.macro repeated part, lane, name, register
    kind \lane, \part
    no_twin
    form \name (%rdi), %zmm0
    form \name (%rdi), %ymm16{%k1}
    .ifnb \register
    form \name \register, %zmm0{%k1}{z}
    .endif
.endm
repeated 1, 1, vpbroadcastb, %xmm1
repeated 2, 2, vpbroadcastw, %xmm1
repeated 4, 4, vpbroadcastd, %xmm1
repeated 8, 8, vpbroadcastq, %xmm1
repeated 4, 4, vbroadcastss, %xmm1
repeated 8, 8, vbroadcastsd, %xmm1
repeated 8, 4, vbroadcastf32x2, %xmm1
repeated 8, 4, vbroadcasti32x2, %xmm1
repeated 16, 4, vbroadcastf32x4
repeated 16, 4, vbroadcasti32x4
repeated 16, 8, vbroadcastf64x2
repeated 16, 8, vbroadcasti64x2
.irp name, vbroadcastf32x8, vbroadcasti32x8
kind 4, 32
form \name (%rdi), %zmm0
form \name (%rdi), %zmm0{%k1}
.endr
.irp name, vbroadcastf64x4, vbroadcasti64x4
kind 8, 32
form \name (%rdi), %zmm0
form \name (%rdi), %zmm0{%k1}
.endr
.macro general part, name, register
    kind \part, \part
    form \name \register, %zmm0
    form \name \register, %ymm16{%k1}
.endm
general 1, vpbroadcastb, %ecx
general 2, vpbroadcastw, %ecx
general 4, vpbroadcastd, %ecx
general 8, vpbroadcastq, %rcx
.macro part lane, bytes, name, which, values:vararg
    kind \lane, \bytes
    .irp value, \values
    .if \bytes == 16
    form vextract\name $\value, %zmm1, %xmm0
    form vextract\name $\value, %ymm17, %xmm16{%k1}
    form vextract\name $\value, %zmm1, (%rdi){%k1}
    form vinsert\name $\value, %xmm2, %zmm1, %zmm0
    form vinsert\name $\value, (%rdi), %ymm17, %ymm16{%k1}
    .else
    form vextract\name $\value, %zmm1, %ymm0
    form vextract\name $\value, %zmm17, %ymm16{%k1}
    form vinsert\name $\value, %ymm2, %zmm1, %zmm0
    form vinsert\name $\value, (%rdi), %zmm17, %zmm16{%k1}
    .endif
    .endr
.endm
part 4, 16, f32x4, , 0, 1, 3
part 4, 16, i32x4, , 0, 1, 3
part 8, 16, f64x2, , 0, 1, 3
part 8, 16, i64x2, , 0, 1, 3
part 4, 32, f32x8, , 0, 1
part 4, 32, i32x8, , 0, 1
part 8, 32, f64x4, , 0, 1
part 8, 32, i64x4, , 0, 1

/* Indices are in register 2; kind: width of a lane, of an index. */
.macro indexed lane, index, suffix, wide, wider
    kind \lane, \index
    form vpgather\suffix (%rdi,%\wider\()2), %\wide\()0{%k1}
    form vpscatter\suffix %\wide\()1, (%rdi,%\wider\()2){%k1}
.endm
indexed 4, 4, dd, zmm, zmm
indexed 8, 4, dq, zmm, ymm
indexed 4, 8, qd, ymm, zmm
indexed 8, 8, qq, zmm, zmm
.macro indexed_float lane, index, suffix, wide, wider
    kind \lane, \index
    form vgather\suffix (%rdi,%\wider\()2), %\wide\()0{%k1}
    form vscatter\suffix %\wide\()1, (%rdi,%\wider\()2){%k1}
.endm
indexed_float 4, 4, dps, zmm, zmm
indexed_float 8, 4, dpd, zmm, ymm
indexed_float 4, 8, qps, ymm, zmm
indexed_float 8, 8, qpd, zmm, zmm

kind 4, 2
twin vmovss %xmm2, %xmm1, %xmm0
form vmovss %xmm18, %xmm17, %xmm16
form vmovss %xmm2, %xmm1, %xmm0{%k1}
form vmovss %xmm2, %xmm1, %xmm0{%k1}{z}
kind 8, 2
twin vmovsd %xmm2, %xmm1, %xmm0
form vmovsd %xmm18, %xmm17, %xmm16
form vmovsd %xmm2, %xmm1, %xmm0{%k1}
kind 8, 2
twin vmovlhps %xmm2, %xmm1, %xmm0
form vmovlhps %xmm18, %xmm17, %xmm16
twin vmovhlps %xmm2, %xmm1, %xmm0
form vmovhlps %xmm18, %xmm17, %xmm16
no_twin
.macro inserted lane, name, register, which
    kind \lane, 2
    form \name $\which, (%rdi), %xmm17, %xmm16
    form \name $\which, \register, %xmm17, %xmm16
.endm
inserted 1, vpinsrb, %ecx, 11
inserted 2, vpinsrw, %ecx, 5
inserted 4, vpinsrd, %ecx, 2
inserted 8, vpinsrq, %rcx, 1
kind 4, 2
.irp value, 0x10, 0x25, 0xf8
twin vinsertps $\value, %xmm2, %xmm1, %xmm0
form vinsertps $\value, %xmm18, %xmm17, %xmm16
.endr
/* Between lane 0 and elsewhere; the oracle knows them by name. */
no_twin
kind 4, 1
form vmovss (%rdi), %xmm16
form vmovss (%rdi), %xmm0{%k1}
form vmovss %xmm17, (%rdi)
form vmovss %xmm1, (%rdi){%k1}
form vmovd %ecx, %xmm16
form vmovd %xmm17, %eax
form vmovd (%rdi), %xmm16
form vpextrb $11, %xmm17, %eax
form vpextrw $5, %xmm17, %eax
form vpextrd $2, %xmm17, %eax
form vextractps $3, %xmm17, %eax
kind 8, 1
form vmovsd (%rdi), %xmm16
form vmovsd (%rdi), %xmm0{%k1}{z}
form vmovsd %xmm17, (%rdi)
form vmovq %rcx, %xmm16
form vmovq %xmm17, %rax
form vmovq (%rdi), %xmm16
form vmovq %xmm17, (%rdi)
form vmovq %xmm17, %xmm16
form vpextrq $1, %xmm17, %rax
.irp name, vmovlps, vmovlpd, vmovhps, vmovhpd
form \name (%rdi), %xmm17, %xmm16
form \name %xmm17, (%rdi)
.endr

/* ---- mask.def ---- */
kind 1, 1
.macro mask_counts name
    .irp value, 0, 3, 7, 15, 40, 64
    form \name $\value, %k3, %k2
    .endr
.endm
.irp size, b, w, d, q
form kand\size %k4, %k3, %k2
form kandn\size %k4, %k3, %k2
form kor\size %k4, %k3, %k2
form kxor\size %k4, %k3, %k2
form kxnor\size %k4, %k3, %k2
form kadd\size %k4, %k3, %k2
form knot\size %k3, %k2
mask_counts kshiftl\size
mask_counts kshiftr\size
form kortest\size %k4, %k3
form ktest\size %k4, %k3
form kmov\size %k3, %k2
form kmov\size (%rdi), %k2
form kmov\size %k3, (%rdi)
form vpmov\size\()2m %zmm1, %k2
form vpmov\size\()2m %ymm17, %k2
form vpmovm2\size %k3, %zmm0
form vpmovm2\size %k3, %xmm16
.endr
.irp size, b, w, d
form kmov\size %ecx, %k2
form kmov\size %k3, %eax
.endr
form kmovq %rcx, %k2
form kmovq %k3, %rax
form kunpckbw %k4, %k3, %k2
form kunpckwd %k4, %k3, %k2
form kunpckdq %k4, %k3, %k2

/* ---- VEX encodings of AVX-VNNI ---- */
kind 4, 2
no_twin
.irp name, vpdpbusd, vpdpbusds, vpdpwssd, vpdpwssds
form {vex} \name %ymm2, %ymm1, %ymm0
form {vex} \name (%rdi), %xmm1, %xmm0
.endr
