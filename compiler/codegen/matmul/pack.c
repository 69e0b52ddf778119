/* pack.c: see pack.h.  A unit of work is one block of 16 columns of one group.
 *
 *     n contiguous   4 lines of 16 bytes, interleaved:   a0 a1 …, b0 b1 …, c0 …, d0 …  ->  a0 b0 c0 d0 a1 b1 c1 d1 …
 *     k contiguous   16 columns, 4 bytes of each gathered */
#include "compiler/codegen/matmul/pack.h"

#include "compiler/codegen/move/copy.h"

cg_group_offsets cg_group_offsets_of(const int64_t offsets[], int64_t count)
{
    cg_group_offsets g = {.count = count, .step = count > 1 ? offsets[1] - offsets[0] : 0};
    for (int64_t i = 0; i < count; i++)
        if (offsets[i] != i * g.step)
            g.table = offsets;
    return g;
}

static LLVMValueRef group_at(cg_kernel *k, const cg_group_offsets *o, LLVMValueRef base, LLVMValueRef table,
                             LLVMValueRef group)
{
    LLVMValueRef offset = o->table ? cg_load(k, k->m->i64, cg_at(k, table, cg_mul_const(k, group, 8)), 8)
                                   : cg_mul_const(k, group, o->step);
    return cg_at(k, base, offset);
}

static const char *offsets_key(cg_module *m, const cg_group_offsets *o)
{
    return arena_format(m->arena, "%lld:%s%lld", (long long)o->count, o->table ? "t" : "",
                        o->table ? 0ll : (long long)o->step);
}

static cg_arg offsets_arg(cg_module *m, const cg_group_offsets *o)
{
    return cg_arg_constant(cg_constant(m, o->table, (size_t)o->count * 8, "groups"));
}

typedef struct packer {
    cg_kernel k;
    const cg_pack *p;
    LLVMValueRef column; /* address of element (0, first column of the block) */
    LLVMValueRef mask;   /* columns of the block that exist; NULL: all */
} packer;

static LLVMValueRef load_line(packer *e, LLVMTypeRef element, LLVMValueRef from)
{
    LLVMTypeRef type = cg_vector(element, CG_BLOCK_COLUMNS);
    return e->mask ? cg_load_masked(&e->k, type, from, e->mask) : cg_load(&e->k, type, from, 1);
}

/* 16 elements of `type`, a column apart. */
static LLVMValueRef gather(packer *e, LLVMTypeRef element, LLVMValueRef from)
{
    cg_kernel *k = &e->k;
    LLVMTypeRef type = cg_vector(element, CG_BLOCK_COLUMNS), pointers = cg_vector(k->m->ptr, CG_BLOCK_COLUMNS),
                overloads[2] = {type, pointers};
    LLVMValueRef index[CG_BLOCK_COLUMNS], all[CG_BLOCK_COLUMNS];
    for (int i = 0; i < CG_BLOCK_COLUMNS; i++) {
        index[i] = cg_i64(k, i * e->p->n_stride);
        all[i] = LLVMConstInt(k->m->i1, 1, 0);
    }
    LLVMValueRef offsets = LLVMConstVector(index, CG_BLOCK_COLUMNS);
    LLVMValueRef address = LLVMBuildGEP2(k->b, k->m->i8, from, &offsets, 1, "");
    LLVMValueRef args[4] = {address, cg_i32(k, 1), e->mask ? e->mask : LLVMConstVector(all, CG_BLOCK_COLUMNS),
                            LLVMConstNull(type)};
    return cg_intrinsic(k, "llvm.masked.gather", overloads, 2, args, 4);
}

static LLVMValueRef interleave(cg_kernel *k, LLVMValueRef line[CG_STEP_BYTES])
{
    enum { TWO = 2 * CG_BLOCK_COLUMNS };
    int lanes[CG_BLOCK_BYTES];
    for (int i = 0; i < TWO; i++)
        lanes[i] = i;
    LLVMValueRef low = cg_shuffle(k, line[0], line[1], lanes, TWO), high = cg_shuffle(k, line[2], line[3], lanes, TWO);
    for (int i = 0; i < CG_BLOCK_BYTES; i++)
        lanes[i] = i % CG_STEP_BYTES * CG_BLOCK_COLUMNS + i / CG_STEP_BYTES;
    return cg_shuffle(k, low, high, lanes, CG_BLOCK_BYTES);
}

/* The packed bytes of a step whose lines begin at k = first; `live`: which of them count. */
static LLVMValueRef step_bytes(packer *e, LLVMValueRef first, const bool live[CG_STEP_BYTES])
{
    cg_kernel *k = &e->k;
    const cg_pack *p = e->p;
    LLVMTypeRef bytes = cg_vector(k->m->i8, CG_BLOCK_BYTES);
    LLVMValueRef from = cg_at(k, e->column, cg_mul_const(k, first, p->k_stride)), v;
    if (p->n_stride != 1 && p->k_stride == 1 && p->depth >= CG_STEP_BYTES) {
        v = cg_bitcast(k, gather(e, k->m->i32, from), bytes);
    } else {
        LLVMValueRef line[CG_STEP_BYTES];
        for (int i = 0; i < CG_STEP_BYTES; i++) {
            LLVMValueRef at = cg_at_const(k, from, i * p->k_stride);
            line[i] = !live[i]           ? LLVMConstNull(cg_vector(k->m->i8, CG_BLOCK_COLUMNS))
                      : p->n_stride == 1 ? load_line(e, k->m->i8, at)
                                         : gather(e, k->m->i8, at);
        }
        v = interleave(k, line);
    }
    if (p->is_unsigned)
        v = LLVMBuildXor(k->b, v, cg_splat(k, cg_i8(k, 0x80), CG_BLOCK_BYTES), "");
    LLVMValueRef keep[CG_BLOCK_BYTES];
    for (int i = 0; i < CG_BLOCK_BYTES; i++)
        keep[i] = cg_i8(k, live[i % CG_STEP_BYTES] ? 255 : 0);
    return LLVMBuildAnd(k->b, v, LLVMConstVector(keep, CG_BLOCK_BYTES), "");
}

/* Of a block's columns: the sums, and, when products are flipped, those of what is not negative. */
typedef struct column_sums {
    LLVMValueRef all, positive;
} column_sums;

static LLVMValueRef add_bytes(cg_kernel *k, LLVMValueRef sum, LLVMValueRef bytes)
{
    LLVMTypeRef ints = cg_vector(k->m->i32, CG_BLOCK_COLUMNS);
    return cg_dot4_narrow(k, sum, cg_bitcast(k, cg_splat(k, cg_i8(k, 1), CG_BLOCK_BYTES), ints),
                          cg_bitcast(k, bytes, ints));
}

static column_sums pack_bytes_step(packer *e, LLVMValueRef first, const bool live[CG_STEP_BYTES], LLVMValueRef to,
                                   column_sums sums)
{
    cg_kernel *k = &e->k;
    LLVMValueRef v = step_bytes(e, first, live);
    cg_store(k, v, to, CG_BLOCK_BYTES);
    sums.all = add_bytes(k, sums.all, v);
    if (e->p->flipped)
        sums.positive = add_bytes(k, sums.positive, cg_max(k, v, LLVMConstNull(LLVMTypeOf(v))));
    return sums;
}

/* All steps of one block. */
static column_sums pack_block_bytes(packer *e, LLVMValueRef to, int64_t step_bytes_apart)
{
    cg_kernel *k = &e->k;
    static const bool all[CG_STEP_BYTES] = {true, true, true, true};
    const int64_t whole = e->p->depth / CG_STEP_BYTES, rest = e->p->depth % CG_STEP_BYTES;
    cg_loop loop = cg_loop_begin(k, cg_i64(k, 0), cg_i64(k, whole), 1);
    column_sums sums = {.all = cg_loop_carry(k, &loop, LLVMConstNull(cg_vector(k->m->i32, CG_BLOCK_COLUMNS)))};
    if (e->p->flipped)
        sums.positive = cg_loop_carry(k, &loop, LLVMConstNull(cg_vector(k->m->i32, CG_BLOCK_COLUMNS)));
    LLVMValueRef at = cg_at(k, to, cg_mul_const(k, loop.index, step_bytes_apart));
    const column_sums next = pack_bytes_step(e, cg_mul_const(k, loop.index, CG_STEP_BYTES), all, at, sums);
    cg_loop_update(k, &loop, 0, next.all);
    if (e->p->flipped)
        cg_loop_update(k, &loop, 1, next.positive);
    cg_loop_hint_vectorize(k, &loop, false);
    cg_loop_end(k, &loop);
    if (!rest)
        return sums;
    /* As cg_steps_of_runs has it: the last step reaches back, unless there is nothing to reach back to. */
    bool live[CG_STEP_BYTES];
    for (int i = 0; i < CG_STEP_BYTES; i++)
        live[i] = whole ? i >= CG_STEP_BYTES - rest : i < rest;
    return pack_bytes_step(e, cg_i64(k, whole ? e->p->depth - CG_STEP_BYTES : 0), live,
                           cg_at_const(k, to, whole * step_bytes_apart), sums);
}

static void pack_block_floats(packer *e, LLVMValueRef to, int64_t step_bytes_apart)
{
    cg_kernel *k = &e->k;
    cg_loop loop = cg_loop_begin(k, cg_i64(k, 0), cg_i64(k, e->p->depth), 1);
    LLVMValueRef from = cg_at(k, e->column, cg_mul_const(k, loop.index, e->p->k_stride));
    LLVMValueRef v = e->p->n_stride == 4 ? load_line(e, k->m->f32, from) : gather(e, k->m->f32, from);
    cg_store(k, v, cg_at(k, to, cg_mul_const(k, loop.index, step_bytes_apart)), CG_BLOCK_BYTES);
    cg_loop_hint_vectorize(k, &loop, false);
    cg_loop_end(k, &loop);
}

/* 128 w where w >= 0, 127 w elsewhere, summed up. */
static LLVMValueRef lacking(cg_kernel *k, const column_sums *sums)
{
    return LLVMBuildAdd(k->b, LLVMBuildMul(k->b, sums->all, cg_splat_i32(k, 127, CG_BLOCK_COLUMNS), ""), sums->positive,
                        "");
}

static void store_bias(packer *e, LLVMValueRef first, LLVMValueRef bias, LLVMValueRef base, const column_sums *sums)
{
    cg_kernel *k = &e->k;
    const cg_pack *p = e->p;
    LLVMTypeRef element = p->is_float ? k->m->f32 : k->m->i32;
    LLVMValueRef v = base ? load_line(e, element, cg_at(k, base, cg_mul_const(k, first, 4)))
                          : LLVMConstNull(cg_vector(element, CG_BLOCK_COLUMNS));
    if (!p->is_float) {
        const int32_t constant = (int32_t)((uint32_t)p->depth * (uint32_t)p->x_zero * (uint32_t)p->zero);
        v = LLVMBuildSub(k->b, v, LLVMBuildMul(k->b, sums->all, cg_splat_i32(k, p->x_zero, CG_BLOCK_COLUMNS), ""), "");
        v = LLVMBuildAdd(k->b, v, cg_splat_i32(k, constant, CG_BLOCK_COLUMNS), "");
        v = p->flipped ? LLVMBuildAdd(k->b, v, lacking(k, sums), "") : v;
    }
    cg_store(k, v, bias, CG_BLOCK_SUMS);
}

static void emit_block(packer *e, LLVMValueRef args[], LLVMValueRef group, LLVMValueRef block, int64_t wide)
{
    cg_kernel *k = &e->k;
    const cg_pack *p = e->p;
    const int64_t all = cg_prepacked_blocks(p->columns), block_bytes = p->steps->count * CG_BLOCK_BYTES;
    LLVMValueRef panel = LLVMBuildUDiv(k->b, block, cg_i64(k, p->blocks), "");
    LLVMValueRef in_panel = LLVMBuildURem(k->b, block, cg_i64(k, p->blocks), "");
    LLVMValueRef to =
        cg_add(k, cg_mul_const(k, group, all * block_bytes),
               cg_add(k, cg_mul_const(k, panel, p->blocks * block_bytes), cg_mul_const(k, in_panel, CG_BLOCK_BYTES)));
    e->column = cg_at(k, group_at(k, &p->offsets, args[0], args[4], group),
                      cg_mul_const(k, block, CG_BLOCK_COLUMNS * p->n_stride));
    column_sums sums = {0};
    if (p->is_float)
        pack_block_floats(e, cg_at(k, args[1], to), CG_BLOCK_BYTES * wide);
    else
        sums = pack_block_bytes(e, cg_at(k, args[1], to), CG_BLOCK_BYTES * wide);
    LLVMValueRef bias =
        cg_at(k, args[2], cg_mul_const(k, cg_add(k, cg_mul_const(k, group, all), block), CG_BLOCK_SUMS));
    LLVMValueRef first = cg_add(k, cg_mul_const(k, group, p->columns), cg_mul_const(k, block, CG_BLOCK_COLUMNS));
    store_bias(e, first, bias, args[3], &sums);
}

static void emit_pack(packer *e, LLVMValueRef args[])
{
    cg_kernel *k = &e->k;
    const cg_pack *p = e->p;
    const int64_t all = cg_prepacked_blocks(p->columns), tail_blocks = all % p->blocks, wide = p->blocks;
    cg_loop unit = cg_loop_begin(k, k->begin, k->end, 1);
    LLVMValueRef group = LLVMBuildUDiv(k->b, unit.index, cg_i64(k, all), "");
    LLVMValueRef block = LLVMBuildURem(k->b, unit.index, cg_i64(k, all), "");
    if (p->columns % CG_BLOCK_COLUMNS)
        e->mask =
            cg_lane_mask(k, LLVMBuildNSWSub(k->b, cg_i64(k, p->columns), cg_mul_const(k, block, CG_BLOCK_COLUMNS), ""),
                         CG_BLOCK_COLUMNS);
    if (tail_blocks) {
        cg_if whole = cg_if_begin(k, LLVMBuildICmp(k->b, LLVMIntSLT, block, cg_i64(k, all - tail_blocks), ""));
        emit_block(e, args, group, block, wide);
        cg_if_else(k, &whole);
        emit_block(e, args, group, block, tail_blocks);
        cg_if_end(k, &whole);
    } else {
        emit_block(e, args, group, block, wide);
    }
    cg_loop_end(k, &unit);
}

void cg_pack_emit(cg_module *m, const cg_pack *p)
{
    const bool base = cg_arg_is_bound(&p->base), table = p->offsets.table != NULL;
    const char *key = arena_format(m->arena, "pack %s%d%d %s %lld,%lld %lldx%lld c%d %d,%d %d",
                                   p->is_float ? "f32" : "8", p->is_unsigned, p->flipped, offsets_key(m, &p->offsets),
                                   (long long)p->k_stride, (long long)p->n_stride, (long long)p->depth,
                                   (long long)p->columns, p->blocks, p->x_zero, p->zero, base);
    cg_arg args[5] = {p->source, p->packed, p->bias};
    int count = 3;
    if (base)
        args[count++] = p->base;
    if (table)
        args[count++] = offsets_arg(m, &p->offsets);
    packer e = {.p = p};
    if (cg_kernel_begin(m, &e.k, key, p->op, count)) {
        LLVMValueRef slots[5] = {e.k.arg[0], e.k.arg[1], e.k.arg[2], base ? e.k.arg[3] : NULL,
                                 table ? e.k.arg[count - 1] : NULL};
        emit_pack(&e, slots);
        cg_kernel_end(&e.k);
    }
    const cg_step_info info = {.units = (uint32_t)(p->offsets.count * cg_prepacked_blocks(p->columns)),
                               .is_int8 = !p->is_float,
                               .part = QCC_STEP_PACK};
    cg_step_add(m, &e.k, p->op, &info, count, args);
}

static void emit_gather_rows(cg_kernel *k, const cg_gather_rows *c)
{
    cg_loop unit = cg_loop_begin(k, k->begin, k->end, 1);
    LLVMValueRef group = LLVMBuildUDiv(k->b, unit.index, cg_i64(k, c->rows), "");
    LLVMValueRef row = LLVMBuildURem(k->b, unit.index, cg_i64(k, c->rows), "");
    LLVMValueRef from = group_at(k, &c->offsets, k->arg[0], k->arg[2], group);
    from = cg_at(k, from, cg_mul_const(k, row, c->row_stride));
    LLVMValueRef to = cg_at(k, k->arg[1], cg_mul_const(k, unit.index, c->width * c->element));
    if (c->element_stride == c->element) {
        cg_copy_run(k, from, to, c->width * c->element);
    } else {
        LLVMTypeRef type = c->element == 1 ? k->m->i8 : k->m->i32;
        cg_loop loop = cg_loop_begin(k, cg_i64(k, 0), cg_i64(k, c->width), 1);
        LLVMValueRef v = cg_load(k, type, cg_at(k, from, cg_mul_const(k, loop.index, c->element_stride)), 1);
        cg_store(k, v, cg_at(k, to, cg_mul_const(k, loop.index, c->element)), 1);
        cg_loop_end(k, &loop);
    }
    cg_loop_end(k, &unit);
}

void cg_gather_rows_emit(cg_module *m, const cg_gather_rows *c)
{
    const char *key = arena_format(m->arena, "rows %s %lldx%lld %lld,%lld %lld", offsets_key(m, &c->offsets),
                                   (long long)c->rows, (long long)c->width, (long long)c->row_stride,
                                   (long long)c->element_stride, (long long)c->element);
    cg_arg args[3] = {c->from, c->to};
    const int count = c->offsets.table ? 3 : 2;
    if (c->offsets.table)
        args[2] = offsets_arg(m, &c->offsets);
    cg_kernel k;
    if (cg_kernel_begin(m, &k, key, c->op, count)) {
        emit_gather_rows(&k, c);
        cg_kernel_end(&k);
    }
    const cg_step_info info = {.units = (uint32_t)(c->offsets.count * c->rows), .part = QCC_STEP_PACK};
    cg_step_add(m, &k, c->op, &info, count, args);
}
