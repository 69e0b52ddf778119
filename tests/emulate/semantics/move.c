/* move.c: move.def.  Numbers in names are widths in bytes: of a lane, and of a part or of an index. */
#include <string.h>

#include "failure.h"
#include "operand.h"
#include "semantics.h"
#include "shapes.h"

static void move(const instruction *in, state *s, unsigned lane)
{
    vector room;

    operand_write(in, s, operand_vector(in, s, 1, lane, &room), lane, in->bytes);
}

static void move_aligned(const instruction *in, state *s, unsigned lane)
{
    for (int i = 0; i < 2; i++)
        if (in->o[i].kind == OPERAND_MEMORY && (uintptr_t)operand_address(s, &in->o[i]) % in->bytes)
            failure_at("misaligned", in->code);
    move(in, s, lane);
}

RUN(move_1) { move(in, s, 1); }
RUN(move_2) { move(in, s, 2); }
RUN(move_4) { move(in, s, 4); }
RUN(move_8) { move(in, s, 8); }
RUN(move_aligned_4) { move_aligned(in, s, 4); }
RUN(move_aligned_8) { move_aligned(in, s, 8); }

/* Memory of which no lane is active isn't touched. */
static void repeat(const instruction *in, state *s, unsigned lane, unsigned part)
{
    vector room, d;
    const bool untouched = in->o[1].kind == OPERAND_MEMORY && !(active_lanes(in, s) & low_bits(in->bytes / lane));
    const vector *x = untouched ? &s->z[in->o[0].number] : operand_vector(in, s, 1, 0, &room);

    for (unsigned at = 0; at < sizeof d; at += part)
        memcpy(d.u8 + at, x, part);
    operand_write(in, s, &d, lane, in->bytes);
}
RUN(repeat_1_1) { repeat(in, s, 1, 1); }
RUN(repeat_2_2) { repeat(in, s, 2, 2); }
RUN(repeat_4_4) { repeat(in, s, 4, 4); }
RUN(repeat_8_8) { repeat(in, s, 8, 8); }
RUN(repeat_4_8) { repeat(in, s, 4, 8); }
RUN(repeat_4_16) { repeat(in, s, 4, 16); }
RUN(repeat_8_16) { repeat(in, s, 8, 16); }
RUN(repeat_4_32) { repeat(in, s, 4, 32); }
RUN(repeat_8_32) { repeat(in, s, 8, 32); }

static void extract(const instruction *in, state *s, unsigned lane, unsigned part)
{
    const vector *x = &s->z[in->o[1].number];
    const unsigned which = operand_immediate(in, 2) & (in->bytes / part - 1);
    vector d = {{0}};

    memcpy(&d, x->u8 + which * part, part);
    operand_write(in, s, &d, lane, part);
}
RUN(extract_4_16) { extract(in, s, 4, 16); }
RUN(extract_8_16) { extract(in, s, 8, 16); }
RUN(extract_4_32) { extract(in, s, 4, 32); }
RUN(extract_8_32) { extract(in, s, 8, 32); }

static void insert(const instruction *in, state *s, unsigned lane, unsigned part)
{
    vector room, d = s->z[in->o[1].number];
    const unsigned which = operand_immediate(in, 3) & (in->bytes / part - 1);

    memcpy(d.u8 + which * part, operand_vector(in, s, 2, 0, &room), part);
    operand_write(in, s, &d, lane, in->bytes);
}
RUN(insert_4_16) { insert(in, s, 4, 16); }
RUN(insert_8_16) { insert(in, s, 8, 16); }
RUN(insert_4_32) { insert(in, s, 4, 32); }
RUN(insert_8_32) { insert(in, s, 8, 32); }

/* Active lanes of the second source, the others of the first, or zero. */
static void blend(const instruction *in, state *s, unsigned lane)
{
    vector room, d = s->z[in->o[1].number];
    const vector *y = operand_vector(in, s, 2, lane, &room);
    const uint64_t active = active_lanes(in, s);

    if (in->zeroing)
        memset(&d, 0, sizeof d);
    for (unsigned i = 0; i < in->bytes / lane; i++)
        if (active >> i & 1)
            memcpy(d.u8 + i * lane, y->u8 + i * lane, lane);
    operand_write_whole(in, s, &d, in->bytes);
}
RUN(blend_1) { blend(in, s, 1); }
RUN(blend_2) { blend(in, s, 2); }
RUN(blend_4) { blend(in, s, 4); }
RUN(blend_8) { blend(in, s, 8); }

/* The address of lane i, of memory operand o with a vector of indices. */
static uint8_t *lane_address(const state *s, const operand *o, unsigned index_bytes, unsigned i)
{
    const vector *indices = &s->z[o->index];
    const int64_t index = index_bytes == 4 ? indices->i32[i] : indices->i64[i];
    operand base = *o;

    base.index = REGISTER_NONE;
    return operand_address(s, &base) + index * o->scale;
}

static unsigned lane_count(const instruction *in, unsigned lane, unsigned index_bytes)
{
    return in->bytes / (lane > index_bytes ? lane : index_bytes);
}

/* The mask is used up. */
static void gather(const instruction *in, state *s, unsigned lane, unsigned index_bytes)
{
    const unsigned lanes = lane_count(in, lane, index_bytes);
    vector d = s->z[in->o[0].number];

    for (unsigned i = 0; i < lanes; i++)
        if (s->k[in->mask] >> i & 1)
            memcpy(d.u8 + i * lane, lane_address(s, &in->o[1], index_bytes, i), lane);
    operand_write_whole(in, s, &d, lanes * lane);
    s->k[in->mask] = 0;
}
RUN(gather_4_4) { gather(in, s, 4, 4); }
RUN(gather_4_8) { gather(in, s, 4, 8); }
RUN(gather_8_4) { gather(in, s, 8, 4); }
RUN(gather_8_8) { gather(in, s, 8, 8); }

static void scatter(const instruction *in, state *s, unsigned lane, unsigned index_bytes)
{
    const vector *x = &s->z[in->o[1].number];

    for (unsigned i = 0; i < lane_count(in, lane, index_bytes); i++)
        if (s->k[in->mask] >> i & 1)
            memcpy(lane_address(s, &in->o[0], index_bytes, i), x->u8 + i * lane, lane);
    s->k[in->mask] = 0;
}
RUN(scatter_4_4) { scatter(in, s, 4, 4); }
RUN(scatter_4_8) { scatter(in, s, 4, 8); }
RUN(scatter_8_4) { scatter(in, s, 8, 4); }
RUN(scatter_8_8) { scatter(in, s, 8, 8); }

/* Between registers the upper lanes are the first source's; a load zeroes them. */
static void move_scalar(const instruction *in, state *s, unsigned lane)
{
    const bool between = in->o[2].kind != OPERAND_NONE;
    vector room, d = {{0}};
    const vector *x = operand_vector(in, s, between ? 2 : 1, lane, &room);

    if (in->o[0].kind == OPERAND_MEMORY) {
        operand_write(in, s, x, lane, lane);
        return;
    }
    if (between)
        d = s->z[in->o[1].number];
    if (active_lanes(in, s) & 1)
        memcpy(&d, x, lane);
    else if (in->zeroing)
        memset(&d, 0, lane);
    else
        memcpy(&d, &s->z[in->o[0].number], lane);
    operand_write_whole(in, s, &d, 16);
}
RUN(VMOVSS) { move_scalar(in, s, 4); }
RUN(VMOVSD) { move_scalar(in, s, 8); }

/* To and from general registers and memory. */
static void move_general(const instruction *in, state *s, unsigned bytes)
{
    vector d = {{0}};

    d.u64[0] = operand_scalar(in, s, 1) & low_bits(8 * bytes);
    if (in->o[0].kind == OPERAND_VECTOR)
        operand_write_whole(in, s, &d, 16);
    else
        operand_write_scalar(in, s, d.u64[0], bytes);
}
RUN(VMOVD) { move_general(in, s, 4); }
RUN(VMOVQ) { move_general(in, s, 8); }

/* 8 bytes of memory are one half of 16, the first source has the other. */
static void move_eight(const instruction *in, state *s, int which)
{
    vector room, d = s->z[in->o[1].number];

    if (in->o[0].kind == OPERAND_MEMORY) {
        operand_write_scalar(in, s, d.u64[which], 8);
        return;
    }
    d.u64[which] = operand_vector(in, s, 2, 0, &room)->u64[0];
    operand_write_whole(in, s, &d, 16);
}
RUN(move_low) { move_eight(in, s, 0); }
RUN(move_high) { move_eight(in, s, 1); }

RUN(VMOVLHPS)
{
    vector d = s->z[in->o[1].number];

    d.u64[1] = s->z[in->o[2].number].u64[0];
    operand_write_whole(in, s, &d, 16);
}

RUN(VMOVHLPS)
{
    vector d = s->z[in->o[1].number];

    d.u64[0] = s->z[in->o[2].number].u64[1];
    operand_write_whole(in, s, &d, 16);
}

static void take(const instruction *in, state *s, unsigned lane)
{
    uint64_t value = 0;

    memcpy(&value, s->z[in->o[1].number].u8 + (operand_immediate(in, 2) & (16 / lane - 1)) * lane, lane);
    operand_write_scalar(in, s, value, lane);
}
RUN(take_1) { take(in, s, 1); }
RUN(take_2) { take(in, s, 2); }
RUN(take_4) { take(in, s, 4); }
RUN(take_8) { take(in, s, 8); }

static void put(const instruction *in, state *s, unsigned lane)
{
    vector d = s->z[in->o[1].number];
    const uint64_t value = operand_scalar(in, s, 2);

    memcpy(d.u8 + (operand_immediate(in, 3) & (16 / lane - 1)) * lane, &value, lane);
    operand_write_whole(in, s, &d, 16);
}
RUN(put_1) { put(in, s, 1); }
RUN(put_2) { put(in, s, 2); }
RUN(put_4) { put(in, s, 4); }
RUN(put_8) { put(in, s, 8); }

/* The immediate: lanes to be zero, lane of the destination, lane of a source in a register. */
RUN(VINSERTPS)
{
    const unsigned imm = operand_immediate(in, 3);
    const bool memory = in->o[2].kind == OPERAND_MEMORY;
    vector room, d = s->z[in->o[1].number];

    d.u32[imm >> 4 & 3] = operand_vector(in, s, 2, 0, &room)->u32[memory ? 0 : imm >> 6];
    for (int i = 0; i < 4; i++)
        if (imm >> i & 1)
            d.u32[i] = 0;
    operand_write_whole(in, s, &d, 16);
}

#include "rows.h"

static const semantics_row rows[] = {
#include "move.def"
};
const semantics_table semantics_move = {rows, sizeof rows / sizeof *rows};
