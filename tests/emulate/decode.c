/* decode.c: from Zydis's view of an instruction to ours. */
#include "decode.h"

#include <string.h>

#include "failure.h"
#include "hide.h"
#include "semantics/semantics.h"

bool decode(const uint8_t *code, decoded *out)
{
    enum { PAGE = 4096 };
    const size_t here = PAGE - (uintptr_t)code % PAGE, most = ZYDIS_MAX_INSTRUCTION_LENGTH;
    uint8_t bytes[ZYDIS_MAX_INSTRUCTION_LENGTH];
    ZydisDecoder decoder;

    ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    out->code = code;
    if (!hide_is_hidden(code))
        return ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, code, most, &out->in, out->o));
    for (size_t count = here < most ? here : most;; count = most) { /* beyond the page only if it goes on there */
        hide_reveal(code, bytes, count);
        const ZyanStatus status = ZydisDecoderDecodeFull(&decoder, bytes, count, &out->in, out->o);
        if (status != ZYDIS_STATUS_NO_MORE_DATA || count == most)
            return ZYAN_SUCCESS(status);
    }
}

static bool is_direct(const decoded *d)
{
    return d->o[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE && d->o[0].imm.is_relative;
}

branch decode_branch(const decoded *d)
{
    switch (d->in.meta.category) {
    case ZYDIS_CATEGORY_COND_BR:
        if (d->in.opcode >= 0xe0 && d->in.opcode <= 0xe3 && d->in.opcode_map == ZYDIS_OPCODE_MAP_DEFAULT)
            failure_at("not translated", d->code); /* loop, jrcxz */
        return BRANCH_CONDITIONAL;
    case ZYDIS_CATEGORY_CALL:
        return is_direct(d) ? BRANCH_CALL : BRANCH_NONE; /* an indirect one goes to the original */
    case ZYDIS_CATEGORY_UNCOND_BR:
        if (is_direct(d))
            return BRANCH_JUMP;
        return d->o[0].type == ZYDIS_OPERAND_TYPE_MEMORY && d->o[0].mem.base == ZYDIS_REGISTER_RIP
                   ? BRANCH_AWAY
                   : BRANCH_JUMP_INDIRECT;
    case ZYDIS_CATEGORY_RET: return BRANCH_END;
    default: break;
    }
    switch (d->in.mnemonic) {
    case ZYDIS_MNEMONIC_UD2:
    case ZYDIS_MNEMONIC_INT3:
    case ZYDIS_MNEMONIC_HLT: return BRANCH_END;
    default: return BRANCH_NONE;
    }
}

const uint8_t *decode_target(const decoded *d) { return d->code + d->in.length + d->o[0].imm.value.s; }

bool decode_is_import(const uint8_t *target)
{
    static const uint8_t marked[4] = {0xf3, 0x0f, 0x1e, 0xfa}; /* endbr64 */

    if (!memcmp(target, marked, sizeof marked))
        target += sizeof marked;
    target += *target == 0xf2; /* bnd */
    return target[0] == 0xff && target[1] == 0x25;
}

static uint8_t general_number(ZydisRegister r)
{
    return r == ZYDIS_REGISTER_NONE || r == ZYDIS_REGISTER_RIP ? REGISTER_NONE : (uint8_t)ZydisRegisterGetId(r);
}

static void decode_memory(const decoded *d, const ZydisDecodedOperand *o, operand *out)
{
    const bool broadcast = d->in.avx.broadcast.mode != ZYDIS_BROADCAST_MODE_INVALID && !d->in.avx.broadcast.is_static;

    out->kind = OPERAND_MEMORY;
    out->bytes = (uint8_t)(o->size / 8);
    out->broadcast = broadcast ? (uint8_t)(o->element_size / 8) : 0;
    out->base = general_number(o->mem.base);
    out->index = general_number(o->mem.index);
    out->scale = o->mem.scale;
    out->thread = o->mem.segment == ZYDIS_REGISTER_FS;
    out->value = o->mem.disp.value;
    if (o->mem.base == ZYDIS_REGISTER_RIP)
        out->value += (int64_t)(uintptr_t)d->code + d->in.length;
}

void decode_operand(const decoded *d, const ZydisDecodedOperand *o, operand *out)
{
    *out = (operand){.base = REGISTER_NONE, .index = REGISTER_NONE, .bytes = (uint8_t)(o->size / 8)};
    if (o->type == ZYDIS_OPERAND_TYPE_MEMORY) {
        decode_memory(d, o, out);
    } else if (o->type == ZYDIS_OPERAND_TYPE_IMMEDIATE) {
        out->kind = OPERAND_IMMEDIATE;
        out->value = o->imm.value.s;
    } else if (o->type == ZYDIS_OPERAND_TYPE_REGISTER) {
        const bool mask = ZydisRegisterGetClass(o->reg.value) == ZYDIS_REGCLASS_MASK;
        out->kind = decode_is_vector(o) ? OPERAND_VECTOR : mask ? OPERAND_MASK : OPERAND_GENERAL;
        out->number = (uint8_t)ZydisRegisterGetId(o->reg.value);
    }
}

static void run_unknown(const instruction *in, state *s)
{
    (void)s;
    failure_at("not emulated", in->code);
}

void decode_instruction(const decoded *d, instruction *out)
{
    int count = 0;

    *out = (instruction){
        .run = semantics_find(d->in.mnemonic),
        .bytes = (uint8_t)(d->in.avx.vector_length / 8),
        .zeroing =
            d->in.avx.mask.mode == ZYDIS_MASK_MODE_ZEROING || d->in.avx.mask.mode == ZYDIS_MASK_MODE_CONTROL_ZEROING,
        .rounding = (uint8_t)d->in.avx.rounding.mode,
        .code = d->code,
    };
    if (!out->run) {
        out->run = run_unknown;
        return;
    }
    for (int i = 0; i < d->in.operand_count_visible; i++) {
        const ZydisDecodedOperand *o = &d->o[i];
        if (o->encoding == ZYDIS_OPERAND_ENCODING_MASK) {
            out->mask = (uint8_t)ZydisRegisterGetId(o->reg.value);
            continue;
        }
        if (count == INSTRUCTION_OPERANDS)
            failure_at("not emulated", d->code);
        decode_operand(d, o, &out->o[count++]);
    }
}
