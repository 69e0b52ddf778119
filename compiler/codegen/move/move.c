/* move.c: boxes of elements copied, filled and transposed; see move.h. */
#include "compiler/codegen/move/move.h"

#include <assert.h>
#include <string.h>

#include "compiler/codegen/isa/isa.h"
#include "ir/ref/ref_move.h"

enum { PIECES_PER_STEP = CG_MAX_ARGS / 2, PARALLEL_BYTES = 64 * 1024 };

void cg_piece_dim(cg_piece *p, int64_t count, int64_t from_stride, int64_t to_stride)
{
    assert(p->rank < CG_BOX_RANK);
    p->count[p->rank] = count;
    p->from_stride[p->rank] = from_stride;
    p->to_stride[p->rank] = to_stride;
    p->rank++;
}

uint64_t cg_element_bits(const ir_value *v, double value)
{
    unsigned char bytes[8];
    uint64_t bits;
    ir_element_of(v->type.dtype, v->quant, (float)value, bytes);
    memcpy(&bits, bytes, 8);
    return bits;
}

/* ---- Normal form: no extents of 1, descending strides of the result, neighbours merged ---- */

static void swap_dims(cg_piece *p, int a, int b)
{
    int64_t *lists[] = {p->count, p->from_stride, p->to_stride};
    for (int i = 0; i < 3; i++) {
        int64_t t = lists[i][a];
        lists[i][a] = lists[i][b];
        lists[i][b] = t;
    }
}

static void normalize(cg_piece *p)
{
    int n = 0;
    for (int i = 0; i < p->rank; i++)
        if (p->count[i] != 1) {
            p->count[n] = p->count[i];
            p->from_stride[n] = p->from ? p->from_stride[i] : 0;
            p->to_stride[n++] = p->to_stride[i];
        }
    p->rank = n;
    for (int i = 1; i < n; i++)
        for (int j = i; j > 0 && p->to_stride[j - 1] < p->to_stride[j]; j--)
            swap_dims(p, j - 1, j);
    n = 0;
    for (int i = 0; i < p->rank; i++) {
        if (n > 0 && p->to_stride[n - 1] == p->to_stride[i] * p->count[i] &&
            p->from_stride[n - 1] == p->from_stride[i] * p->count[i]) {
            p->count[n - 1] *= p->count[i];
        } else {
            p->count[n] = p->count[i];
            n++;
        }
        p->from_stride[n - 1] = p->from_stride[i];
        p->to_stride[n - 1] = p->to_stride[i];
    }
    p->rank = n;
}

static int64_t elements_of(const cg_piece *p)
{
    int64_t n = 1;
    for (int i = 0; i < p->rank; i++)
        n *= p->count[i];
    return n;
}

/* True when source and destination are the same bytes. */
static bool in_place(const cg_piece *p, const ir_value *to, int64_t bytes)
{
    if (!p->from || p->from->place.space == IR_SPACE_NONE || p->from->place.space != to->place.space ||
        p->from->place.index != to->place.index || p->from->place.space == IR_SPACE_CONST)
        return false;
    if (p->from->place.offset + p->from_offset * bytes != to->place.offset + p->to_offset * bytes)
        return false;
    for (int i = 0; i < p->rank; i++)
        if (p->from_stride[i] != p->to_stride[i])
            return false;
    return true;
}

/* ---- Emission ---- */

static LLVMValueRef constant_bits(const cg_kernel *k, uint64_t bits, int64_t bytes)
{
    return LLVMConstInt(cg_bits_type(k->m, bytes), bits, 0);
}

static void emit_run(cg_kernel *k, const cg_piece *p, int64_t bytes, LLVMValueRef to, LLVMValueRef from)
{
    int64_t count = p->rank ? p->count[p->rank - 1] : 1;
    int64_t from_step = p->rank ? p->from_stride[p->rank - 1] : 1, to_step = p->rank ? p->to_stride[p->rank - 1] : 1;
    if (p->from && from_step == 1 && to_step == 1) {
        LLVMBuildMemCpy(k->b, to, 1, from, 1, cg_i64(k, count * bytes));
        return;
    }
    if (!p->from && bytes == 1 && to_step == 1) {
        LLVMBuildMemSet(k->b, to, cg_i8(k, (int)(p->fill & 255)), cg_i64(k, count), 1);
        return;
    }
    LLVMTypeRef type = cg_bits_type(k->m, bytes);
    LLVMValueRef value = p->from ? NULL : constant_bits(k, p->fill, bytes);
    if (p->from && from_step == 0)
        value = cg_load(k, type, from, 1);
    cg_loop loop = cg_loop_begin(k, cg_i64(k, 0), cg_i64(k, count), 1);
    LLVMValueRef v =
        value ? value : cg_load(k, type, cg_at(k, from, cg_mul_const(k, loop.index, from_step * bytes)), 1);
    cg_store(k, v, cg_at(k, to, cg_mul_const(k, loop.index, to_step * bytes)), 1);
    cg_loop_end(k, &loop);
}

/* Edge of the square blocks in which elements of this width are transposed. */
static int64_t block_edge(int64_t bytes) { return bytes == 1 ? 16 : 8; }

/* The dimension along which the source is contiguous, when the destination is so along another one and both are long
 * enough for blocks; otherwise -1. */
static int transposed_dim(const cg_piece *p, int64_t bytes, int first)
{
    int last = p->rank - 1;
    if (!p->from || last < first + 1 || p->to_stride[last] != 1 || p->from_stride[last] == 1 ||
        p->from_stride[last] <= 0 || p->count[last] < block_edge(bytes))
        return -1;
    for (int i = first; i < last; i++)
        if (p->from_stride[i] == 1 && p->count[i] >= block_edge(bytes))
            return i;
    return -1;
}

/* rows[i][j] becomes rows[j][i], by log2(edge) rounds of interleaving row i with row i + edge/2. */
static void transpose_registers(cg_kernel *k, LLVMValueRef rows[], int edge)
{
    int low[16], high[16];
    for (int i = 0; i < edge; i++) {
        low[i] = (i >> 1) + (i & 1) * edge;
        high[i] = low[i] + edge / 2;
    }
    for (int round = 1; round < edge; round *= 2) {
        LLVMValueRef next[16];
        for (int i = 0; i < edge / 2; i++) {
            next[2 * i] = cg_shuffle(k, rows[i], rows[i + edge / 2], low, (unsigned)edge);
            next[2 * i + 1] = cg_shuffle(k, rows[i], rows[i + edge / 2], high, (unsigned)edge);
        }
        memcpy(rows, next, sizeof next[0] * (size_t)edge);
    }
}

/* Blocks of edge x edge; the last ones overlap their neighbours, so that nothing outside is touched. */
static void emit_transposed(cg_kernel *k, const cg_piece *p, int across, int64_t bytes, LLVMValueRef to,
                            LLVMValueRef from)
{
    int along = p->rank - 1;
    int64_t edge = block_edge(bytes);
    LLVMTypeRef row_type = cg_vector(cg_bits_type(k->m, bytes), (unsigned)edge);
    cg_loop outer = cg_loop_begin(k, cg_i64(k, 0), cg_i64(k, p->count[across]), edge);
    LLVMValueRef a = cg_min(k, outer.index, cg_i64(k, p->count[across] - edge));
    cg_loop inner = cg_loop_begin(k, cg_i64(k, 0), cg_i64(k, p->count[along]), edge);
    LLVMValueRef b = cg_min(k, inner.index, cg_i64(k, p->count[along] - edge));
    LLVMValueRef source =
        cg_at(k, from, cg_add(k, cg_mul_const(k, a, bytes), cg_mul_const(k, b, p->from_stride[along] * bytes)));
    LLVMValueRef target =
        cg_at(k, to, cg_add(k, cg_mul_const(k, a, p->to_stride[across] * bytes), cg_mul_const(k, b, bytes)));
    LLVMValueRef rows[16];
    for (int i = 0; i < edge; i++)
        rows[i] = cg_load(k, row_type, cg_at_const(k, source, i * p->from_stride[along] * bytes), 1);
    transpose_registers(k, rows, (int)edge);
    for (int i = 0; i < edge; i++)
        cg_store(k, rows[i], cg_at_const(k, target, i * p->to_stride[across] * bytes), 1);
    cg_loop_end(k, &inner);
    cg_loop_end(k, &outer);
}

/* ---- A few planes become neighbours: pictures that come as 3 planes ---- */

enum { MAX_PLANES = 4 };

static int64_t interleaved_lanes(const cg_kernel *k, int64_t bytes) { return k->m->target->vector_bytes / bytes; }

/* Is the last dimension that of 2 to 4 planes, each contiguous along the one before, which is also dense in the result?
 */
static bool is_interleaving(const cg_kernel *k, const cg_piece *p, int64_t bytes)
{
    const int last = p->rank - 1;
    return p->from && last >= 1 && bytes <= 4 && p->count[last] >= 2 && p->count[last] <= MAX_PLANES &&
           p->to_stride[last] == 1 && p->from_stride[last - 1] == 1 && p->to_stride[last - 1] == p->count[last] &&
           p->count[last - 1] >= interleaved_lanes(k, bytes);
}

/* Vector `part` of the planes' elements side by side: a0 b0 c0 a1 b1 c1 … */
static LLVMValueRef interleave(cg_kernel *k, LLVMValueRef const plane[], int planes, int lanes, int part)
{
    int order[64];
    LLVMValueRef v = plane[0];
    for (int c = 1; c < planes; c++) {
        for (int i = 0; i < lanes; i++) {
            const int at = part * lanes + i, from = at % planes;
            order[i] = from == c ? lanes + at / planes : from > c ? -1 : c == 1 ? at / planes : i;
        }
        v = cg_shuffle(k, v, plane[c], order, (unsigned)lanes);
    }
    return v;
}

/* Vectors of each plane at a time; the last ones overlap their neighbours. */
static void emit_interleaved(cg_kernel *k, const cg_piece *p, int64_t bytes, LLVMValueRef to, LLVMValueRef from)
{
    const int last = p->rank - 1, planes = (int)p->count[last];
    const int64_t lanes = interleaved_lanes(k, bytes), count = p->count[last - 1];
    LLVMTypeRef type = cg_vector(cg_bits_type(k->m, bytes), (unsigned)lanes);
    LLVMValueRef plane[MAX_PLANES];
    cg_loop loop = cg_loop_begin(k, cg_i64(k, 0), cg_i64(k, count), lanes);
    LLVMValueRef first = cg_min(k, loop.index, cg_i64(k, count - lanes));
    LLVMValueRef source = cg_at(k, from, cg_mul_const(k, first, bytes)),
                 target = cg_at(k, to, cg_mul_const(k, first, bytes * planes));
    for (int c = 0; c < planes; c++)
        plane[c] = cg_load(k, type, cg_at_const(k, source, c * p->from_stride[last] * bytes), 1);
    for (int part = 0; part < planes; part++)
        cg_store(k, interleave(k, plane, planes, (int)lanes, part), cg_at_const(k, target, part * lanes * bytes), 1);
    cg_loop_end(k, &loop);
}

/* Dimensions `dim`… of the piece; `skip` is the one that emit_transposed does together with the last. */
static void emit_dims(cg_kernel *k, const cg_piece *p, int dim, int skip, int64_t bytes, bool units, LLVMValueRef to,
                      LLVMValueRef from)
{
    if (dim == p->rank - 2 && !(units && dim == 0) && is_interleaving(k, p, bytes)) {
        emit_interleaved(k, p, bytes, to, from);
        return;
    }
    if (dim >= p->rank - 1 && !(units && dim == 0)) {
        if (skip >= 0)
            emit_transposed(k, p, skip, bytes, to, from);
        else
            emit_run(k, p, bytes, to, from);
        return;
    }
    if (dim == skip) {
        emit_dims(k, p, dim + 1, skip, bytes, units, to, from);
        return;
    }
    bool split = units && dim == 0;
    cg_loop loop = cg_loop_begin(k, split ? k->begin : cg_i64(k, 0), split ? k->end : cg_i64(k, p->count[dim]), 1);
    LLVMValueRef next_to = cg_at(k, to, cg_mul_const(k, loop.index, p->to_stride[dim] * bytes));
    LLVMValueRef next_from = p->from ? cg_at(k, from, cg_mul_const(k, loop.index, p->from_stride[dim] * bytes)) : from;
    emit_dims(k, p, dim + 1, skip, bytes, units, next_to, next_from);
    cg_loop_end(k, &loop);
}

void cg_move_box(cg_kernel *k, const cg_piece *piece, int64_t bytes, LLVMValueRef to, LLVMValueRef from)
{
    cg_piece p = *piece;
    normalize(&p);
    if (elements_of(&p) > 0)
        emit_dims(k, &p, 0, transposed_dim(&p, bytes, 0), bytes, false, to, from);
}

/* Work units: the outermost dimension, when all pieces share it and there is enough to do. */
static int64_t units_of(int count, const cg_piece pieces[], int64_t bytes)
{
    int64_t total = 0;
    for (int i = 0; i < count; i++) {
        const cg_piece *p = &pieces[i];
        if (p->rank < 2 || p->count[0] != pieces[0].count[0] || p->count[0] > UINT32_MAX)
            return 1;
        if (p->rank == 2 && p->count[1] <= MAX_PLANES) /* whole vectors of planes, rather than pixels */
            return 1;
        total += elements_of(p) * bytes;
    }
    return total >= PARALLEL_BYTES ? pieces[0].count[0] : 1;
}

static bool emit_step(cg_module *m, const ir_op *op, const ir_value *to, int count, const cg_piece pieces[],
                      bool ordered)
{
    int64_t bytes = (int64_t)ir_dtype_bytes(to->type.dtype);
    int64_t units = ordered ? 1 : units_of(count, pieces, bytes);
    cg_key key = {.length = 0};
    cg_arg args[CG_MAX_ARGS];
    cg_key_add(&key, "move%lld u%d", (long long)bytes, units > 1);
    for (int i = 0; i < count; i++) {
        const cg_piece *p = &pieces[i];
        cg_key_add(&key, p->from ? " copy" : " fill:%llx", (unsigned long long)p->fill);
        for (int d = 0; d < p->rank; d++)
            cg_key_add(&key, ",%lld:%lld:%lld", (long long)p->count[d], (long long)p->from_stride[d],
                       (long long)p->to_stride[d]);
        args[2 * i] = cg_arg_value(to);
        args[2 * i].offset = p->to_offset * bytes;
        args[2 * i + 1] = cg_arg_value(p->from ? p->from : to);
        args[2 * i + 1].offset = p->from ? p->from_offset * bytes : 0;
    }
    cg_kernel k;
    if (cg_kernel_begin(m, &k, key.text, op, 2 * count)) {
        for (int i = 0; i < count; i++) {
            int skip = transposed_dim(&pieces[i], bytes, units > 1 ? 1 : 0);
            emit_dims(&k, &pieces[i], 0, skip, bytes, units > 1, k.arg[2 * i], k.arg[2 * i + 1]);
        }
        cg_kernel_end(&k);
    }
    cg_step_info info = {.units = (uint32_t)units, .max_threads = units > 1 ? 0 : 1};
    cg_step_add(m, &k, op, &info, 2 * count, args);
    return true;
}

bool cg_move(cg_module *m, const ir_op *op, const ir_value *to, int count, const cg_piece pieces[], bool ordered)
{
    int64_t bytes = (int64_t)ir_dtype_bytes(to->type.dtype);
    cg_piece ready[PIECES_PER_STEP];
    int n = 0;
    for (int i = 0; i < count; i++) {
        ready[n] = pieces[i];
        normalize(&ready[n]);
        if (elements_of(&ready[n]) == 0 || in_place(&ready[n], to, bytes))
            continue;
        if (++n == PIECES_PER_STEP) {
            if (!emit_step(m, op, to, n, ready, ordered))
                return false;
            n = 0;
        }
    }
    return n == 0 || emit_step(m, op, to, n, ready, ordered);
}
