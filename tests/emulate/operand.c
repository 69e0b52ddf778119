/* operand.c: operands of emulated instructions. */
#include "operand.h"

#include <string.h>

static uint64_t general(const state *s, unsigned number) { return number == REGISTER_NONE ? 0 : s->f->general[number]; }

uint8_t *operand_address(const state *s, const operand *o)
{
    uint64_t at = general(s, o->base) + general(s, o->index) * o->scale + (uint64_t)o->value;

    if (o->thread)
        at += (uint64_t)(uintptr_t)__builtin_thread_pointer();
    return (uint8_t *)(uintptr_t)at;
}

static void load_lanes(vector *room, const uint8_t *from, unsigned lanes, unsigned lane, uint64_t active)
{
    for (unsigned i = 0; i < lanes; i++)
        if (active >> i & 1)
            memcpy(room->u8 + i * lane, from + i * lane, lane);
}

static void load_repeated(vector *room, const uint8_t *from, unsigned width, unsigned total)
{
    for (unsigned at = 0; at < total; at += width)
        memcpy(room->u8 + at, from, width);
}

const vector *operand_load(const instruction *in, const state *s, int i, unsigned lane, vector *room)
{
    const operand *o = &in->o[i];
    const bool masked = in->mask && lane;
    const uint64_t active = active_lanes(in, s);

    memset(room, 0, sizeof *room);
    if (o->kind != OPERAND_MEMORY) {
        room->u64[0] = operand_scalar(in, s, i);
        return room;
    }
    const uint8_t *from = operand_address(s, o);
    if (o->broadcast) {
        if (!masked || active & low_bits(in->bytes / lane))
            load_repeated(room, from, o->broadcast, in->bytes);
    } else if (masked) {
        load_lanes(room, from, o->bytes / lane, lane, active);
    } else {
        memcpy(room, from, o->bytes);
    }
    return room;
}

uint64_t operand_scalar(const instruction *in, const state *s, int i)
{
    const operand *o = &in->o[i];
    uint64_t value = 0;

    switch (o->kind) {
    case OPERAND_GENERAL: return s->f->general[o->number] & low_bits(8u * o->bytes);
    case OPERAND_MASK: return s->k[o->number];
    case OPERAND_IMMEDIATE: return (uint64_t)o->value;
    case OPERAND_MEMORY: memcpy(&value, operand_address(s, o), o->bytes); return value;
    default: return s->z[o->number].u64[0];
    }
}

static void store_lanes(uint8_t *to, const vector *v, unsigned lane, unsigned total, uint64_t active)
{
    for (unsigned i = 0; i * lane < total; i++)
        if (active >> i & 1)
            memcpy(to + i * lane, v->u8 + i * lane, lane);
}

#define MERGE(T)                                                                                                       \
    for (unsigned i = 0; i < sizeof *to / sizeof to->T[0]; i++)                                                        \
    to->T[i] = active >> i & 1 ? v->T[i] : zeroing ? 0 : to->T[i]

static void merge(vector *to, const vector *v, unsigned lane, uint64_t active, bool zeroing)
{
    switch (lane) {
    case 1: MERGE(u8); break;
    case 2: MERGE(u16); break;
    case 4: MERGE(u32); break;
    default: MERGE(u64); break;
    }
}

static void zero_above(vector *v, unsigned total) { memset(v->u8 + total, 0, sizeof *v - total); }

void operand_write_whole(const instruction *in, state *s, const vector *v, unsigned total)
{
    vector *to = &s->z[in->o[0].number];

    *to = *v;
    if (total < sizeof *v)
        zero_above(to, total);
}

void operand_write(const instruction *in, state *s, const vector *v, unsigned lane, unsigned total)
{
    if (in->o[0].kind == OPERAND_MEMORY) {
        uint8_t *to = operand_address(s, &in->o[0]);
        if (in->mask)
            store_lanes(to, v, lane, total, s->k[in->mask]);
        else
            memcpy(to, v, total);
    } else if (in->mask) {
        vector *to = &s->z[in->o[0].number];
        merge(to, v, lane, s->k[in->mask], in->zeroing);
        zero_above(to, total);
    } else {
        operand_write_whole(in, s, v, total);
    }
}

void operand_write_mask(const instruction *in, state *s, uint64_t bits, unsigned lanes)
{
    s->k[in->o[0].number] = bits & low_bits(lanes) & active_lanes(in, s);
}

void operand_write_scalar(const instruction *in, state *s, uint64_t value, unsigned bytes)
{
    const operand *o = &in->o[0];

    if (o->kind == OPERAND_MEMORY)
        memcpy(operand_address(s, o), &value, bytes);
    else
        s->f->general[o->number] = o->bytes == 8 ? value : (uint32_t)value;
}

void operand_write_flags(state *s, bool zero, bool parity, bool carry)
{
    enum { CARRY = 1, PARITY = 4, ADJUST = 0x10, ZERO = 0x40, SIGN = 0x80, OVERFLOW = 0x800 };
    const uint64_t all = CARRY | PARITY | ADJUST | ZERO | SIGN | OVERFLOW;

    s->f->flags = (s->f->flags & ~all) | (zero ? ZERO : 0) | (parity ? PARITY : 0) | (carry ? CARRY : 0);
}
