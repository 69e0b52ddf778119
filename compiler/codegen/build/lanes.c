/* lanes.c: vectors over channels, see lanes.h. */
#include "compiler/codegen/build/lanes.h"

void cg_for_lanes(cg_kernel *k, int64_t count, unsigned lanes, cg_lanes_body *body, void *context)
{
    if (count < (int64_t)lanes) {
        if (count > 0)
            body(k, context, cg_i64(k, 0), cg_lane_mask(k, cg_i64(k, count), lanes));
        return;
    }
    if (count == (int64_t)lanes) {
        body(k, context, cg_i64(k, 0), NULL);
        return;
    }
    cg_loop loop = cg_loop_begin(k, cg_i64(k, 0), cg_i64(k, count), lanes);
    LLVMValueRef first = loop.index;
    if (count % lanes)
        first = cg_min(k, first, cg_i64(k, count - lanes));
    body(k, context, first, NULL);
    cg_loop_end(k, &loop);
}

LLVMValueRef cg_load_lanes(cg_kernel *k, LLVMTypeRef vector, LLVMValueRef pointer, LLVMValueRef mask)
{
    return mask ? cg_load_masked(k, vector, pointer, mask) : cg_load(k, vector, pointer, 1);
}

void cg_store_lanes(cg_kernel *k, LLVMValueRef value, LLVMValueRef pointer, LLVMValueRef mask)
{
    if (mask)
        cg_store_masked(k, value, pointer, mask);
    else
        cg_store(k, value, pointer, 1);
}

/* unpcklXX / unpckhXX with elements of `width` bytes, within each 16 bytes. */
static LLVMValueRef unpack(cg_kernel *k, LLVMValueRef a, LLVMValueRef b, int width, bool high)
{
    int bytes = (int)LLVMGetVectorSize(LLVMTypeOf(a)), lanes[64], n = 0;
    for (int lane = 0; lane < bytes; lane += 16)
        for (int i = 0; i < 16; i++) {
            int element = i / width, in = i % width;
            int source = lane + (high ? 8 : 0) + element / 2 * width + in;
            lanes[n++] = element % 2 ? bytes + source : source;
        }
    return cg_shuffle(k, a, b, lanes, (unsigned)bytes);
}

void cg_interleave(cg_kernel *k, LLVMValueRef const rows[4], LLVMValueRef out[4])
{
    for (int high = 0; high < 2; high++) {
        LLVMValueRef ab = unpack(k, rows[0], rows[1], 1, high), cd = unpack(k, rows[2], rows[3], 1, high);
        out[2 * high] = unpack(k, ab, cd, 2, false);
        out[2 * high + 1] = unpack(k, ab, cd, 2, true);
    }
}

LLVMValueRef cg_pack_interleaved(cg_kernel *k, LLVMValueRef const v[4])
{
    unsigned quarter = LLVMGetVectorSize(LLVMTypeOf(v[0]));
    if (quarter == 4 || quarter == 8 || quarter == 16) {
        LLVMValueRef words[2] = {cg_pack_words(k, v[0], v[1]), cg_pack_words(k, v[2], v[3])};
        return cg_pack_bytes(k, words[0], words[1]);
    }
    LLVMTypeRef bytes = cg_vector(k->m->i8, quarter);
    int join[64], order[64];
    LLVMValueRef half[2];
    for (unsigned i = 0; i < 2 * quarter; i++)
        join[i] = (int)i;
    for (int h = 0; h < 2; h++)
        half[h] = cg_shuffle(k, LLVMBuildTrunc(k->b, v[2 * h], bytes, ""),
                             LLVMBuildTrunc(k->b, v[2 * h + 1], bytes, ""), join, 2 * quarter);
    for (int at = 0; at < (int)(4 * quarter); at++)
        order[cg_interleaved_channel((int)(4 * quarter), at)] = at;
    return cg_shuffle(k, half[0], half[1], order, 4 * quarter);
}
