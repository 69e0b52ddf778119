/* lanes.h: vectors over channels: blocks that overlap or are masked at the end, and the order in which four rows of
 * bytes interleave.
 *
 * interleave: rows a b c d of V bytes become 4 vectors, in whose 32-bit elements the four rows of one channel lie side
 * by side, as a dot product of 4 wants them.  unpack works within 16-byte lanes, so element i of lane l of vector j is
 * channel 16*l + 4*j + i; joining (pack) restores the order. */
#ifndef QCC_CG_LANES_H
#define QCC_CG_LANES_H

#include "compiler/codegen/isa/isa.h"

/* Calls body for first = 0, lanes, … with mask NULL; the last block is moved back to overlap its neighbour.  When there
 * are fewer than `lanes`, once with first 0 and a mask.  body must not mind doing elements twice. */
typedef void cg_lanes_body(cg_kernel *, void *context, LLVMValueRef first, LLVMValueRef mask);
void cg_for_lanes(cg_kernel *, int64_t count, unsigned lanes, cg_lanes_body *, void *context);

LLVMValueRef cg_load_lanes(cg_kernel *, LLVMTypeRef vector, LLVMValueRef pointer,
                           LLVMValueRef mask); /* mask may be NULL */
void cg_store_lanes(cg_kernel *, LLVMValueRef value, LLVMValueRef pointer, LLVMValueRef mask);

/* Channel of element `at` (0…V-1) of the interleaved vectors laid end to end. */
static inline int cg_interleaved_channel(int vector_bytes, int at)
{
    int quarter = vector_bytes / 4, j = at / quarter, e = at % quarter;
    return 16 * (e / 4) + 4 * j + e % 4;
}
void cg_interleave(cg_kernel *, LLVMValueRef const rows[4], LLVMValueRef out[4]);
/* Four vectors of V/4 i32 (values within a byte's range, 0…255) in interleaved order -> V bytes in channel order. */
LLVMValueRef cg_pack_interleaved(cg_kernel *, LLVMValueRef const values[4]);

#endif
