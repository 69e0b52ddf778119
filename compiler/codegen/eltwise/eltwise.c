/* eltwise.c: the loops around element-wise bodies, see eltwise.h. */
#include "compiler/codegen/eltwise/eltwise.h"

#include <assert.h>
#include <math.h>

#include "compiler/codegen/build/shape.h"
#include "compiler/codegen/isa/isa.h"

enum { BLOCK = 4096, MAX_ARRAYS = CG_ELTWISE_INPUTS + 1 };

/* Extents and strides after collapsing; array number `inputs` is the result. */
typedef struct nest {
    int rank;
    int64_t extent[IR_MAX_RANK];
    int64_t stride[MAX_ARRAYS][IR_MAX_RANK]; /* elements */
    int64_t bytes[MAX_ARRAYS];
    int64_t rows, run; /* the run is the last dimension */
    bool contiguous;   /* every stride along the run is 0 or 1, the result's 1 */
} nest;

cg_eltwise cg_eltwise_of(const ir_op *op, cg_eltwise_body *body)
{
    cg_eltwise e = {.op = op, .inputs = op->operand_count, .out = op->results[0], .body = body, .key = ""};

    assert(op->operand_count <= CG_ELTWISE_INPUTS);
    for (int i = 0; i < e.inputs; i++)
        e.in[i] = op->operands[i].value;
    return e;
}

/* ---- Constants ---- */

LLVMTypeRef cg_elt_type(cg_kernel *k, const cg_eltwise *e, ir_dtype t) { return cg_vector(cg_type_of(k, t), e->width); }
LLVMValueRef cg_elt_f32(cg_kernel *k, const cg_eltwise *e, float v) { return cg_splat_f32(k, v, e->width); }
LLVMValueRef cg_elt_i32(cg_kernel *k, const cg_eltwise *e, int32_t v) { return cg_splat_i32(k, v, e->width); }

LLVMValueRef cg_elt_int(cg_kernel *k, const cg_eltwise *e, ir_dtype t, int64_t v)
{
    return cg_splat(k, LLVMConstInt(cg_type_of(k, t), (uint64_t)v, 1), e->width);
}

/* Without the instruction: the bits in a float's places, times 2^112 to correct the exponent (subnormals come out
 * right, too), but infinities and NaN have the largest exponent there as here. */
LLVMValueRef cg_elt_half(cg_kernel *k, const cg_eltwise *e, LLVMValueRef x)
{
    LLVMTypeRef wide = cg_elt_type(k, e, IR_I32), real = cg_elt_type(k, e, IR_F32);
    LLVMValueRef bits, sign, y, special;

    if (target_has(k->m->target, TARGET_F16C))
        return LLVMBuildFPExt(k->b, x, real, "");
    bits = LLVMBuildZExt(k->b, cg_bitcast(k, x, cg_elt_type(k, e, IR_I16)), wide, "");
    sign = LLVMBuildShl(k->b, LLVMBuildAnd(k->b, bits, cg_elt_i32(k, e, 0x8000), ""), cg_elt_i32(k, e, 16), "");
    bits = LLVMBuildShl(k->b, LLVMBuildAnd(k->b, bits, cg_elt_i32(k, e, 0x7fff), ""), cg_elt_i32(k, e, 13), "");
    y = LLVMBuildFMul(k->b, cg_bitcast(k, bits, real), cg_elt_f32(k, e, 0x1p112f), "");
    special = LLVMBuildICmp(k->b, LLVMIntSGE, bits, cg_elt_i32(k, e, 31 << 23), "");
    bits = LLVMBuildOr(k->b, bits, cg_elt_i32(k, e, 0x7f800000), "");
    bits = LLVMBuildSelect(k->b, special, bits, cg_bitcast(k, y, wide), "");
    return cg_bitcast(k, LLVMBuildOr(k->b, bits, sign, ""), real);
}

/* Without the instruction, ties to even: a half of normal size is the float's bits with another bias, rounded by a sum; one
 * below is what a sum with 1/2, whose last bit is 2^-24, leaves in its fraction; what is too large is infinite. */
LLVMValueRef cg_elt_to_half(cg_kernel *k, const cg_eltwise *e, LLVMValueRef x)
{
    LLVMTypeRef wide = cg_elt_type(k, e, IR_I32), real = cg_elt_type(k, e, IR_F32), half = cg_elt_type(k, e, IR_F16);
    LLVMValueRef bits, sign, size, odd, normal, small, special, y;

    if (target_has(k->m->target, TARGET_F16C))
        return LLVMBuildFPTrunc(k->b, x, half, "");
    bits = cg_bitcast(k, x, wide);
    size = LLVMBuildAnd(k->b, bits, cg_elt_i32(k, e, 0x7fffffff), "");
    sign = LLVMBuildAnd(k->b, LLVMBuildLShr(k->b, bits, cg_elt_i32(k, e, 16), ""), cg_elt_i32(k, e, 0x8000), "");
    odd = LLVMBuildAnd(k->b, LLVMBuildLShr(k->b, size, cg_elt_i32(k, e, 13), ""), cg_elt_i32(k, e, 1), "");
    normal = LLVMBuildAdd(k->b, LLVMBuildSub(k->b, size, cg_elt_i32(k, e, (112 << 23) - 0xfff), ""), odd, "");
    normal = LLVMBuildLShr(k->b, normal, cg_elt_i32(k, e, 13), "");
    small = LLVMBuildFAdd(k->b, cg_bitcast(k, size, real), cg_elt_f32(k, e, 0.5f), "");
    small = LLVMBuildSub(k->b, cg_bitcast(k, small, wide), cg_elt_i32(k, e, 126 << 23), "");
    special = LLVMBuildSelect(k->b, LLVMBuildICmp(k->b, LLVMIntSGT, size, cg_elt_i32(k, e, 0x7f800000), ""),
                              cg_elt_i32(k, e, 0x7e00), cg_elt_i32(k, e, 0x7c00), "");
    y = LLVMBuildSelect(k->b, LLVMBuildICmp(k->b, LLVMIntSLT, size, cg_elt_i32(k, e, 113 << 23), ""), small, normal,
                        "");
    y = LLVMBuildSelect(k->b, LLVMBuildICmp(k->b, LLVMIntSGE, size, cg_elt_i32(k, e, 143 << 23), ""), special, y, "");
    y = LLVMBuildTrunc(k->b, LLVMBuildOr(k->b, y, sign, ""), cg_elt_type(k, e, IR_I16), "");
    return cg_bitcast(k, y, half);
}

/* ---- Shapes ---- */

/* Strides of v along the result's dimensions: 0 where it is broadcast. */
static bool aligned_strides(cg_module *m, const cg_eltwise *e, const ir_value *v, int64_t out[])
{
    const ir_type *result = &e->out->type;
    cg_shape s = cg_shape_of(v);
    int missing = result->rank - s.rank;

    if (missing < 0)
        return diag_error(m->diag, &e->op->loc, "operand of rank %d, result of rank %d", s.rank, result->rank);
    for (int i = 0; i < result->rank; i++) {
        int64_t extent = i < missing ? 1 : s.dims[i - missing];
        if (extent != 1 && extent != result->dims[i])
            return diag_error(m->diag, &e->op->loc, "operand does not broadcast to the result's shape");
        out[i] = extent == 1 ? 0 : s.stride[i - missing];
    }
    return true;
}

static bool mergeable(const nest *n, int arrays, int inner, int64_t const stride[][IR_MAX_RANK], int outer)
{
    for (int a = 0; a < arrays; a++)
        if (stride[a][outer] != n->stride[a][inner] * n->extent[inner])
            return false;
    return true;
}

/* From the innermost dimension outwards, into n in reverse order; then turned around. */
static bool nest_make(cg_module *m, const cg_eltwise *e, nest *n)
{
    int64_t stride[MAX_ARRAYS][IR_MAX_RANK];
    const ir_type *result = &e->out->type;
    int arrays = e->inputs + 1;

    *n = (nest){.rows = 1, .contiguous = true};
    for (int a = 0; a < arrays; a++) {
        const ir_value *v = a < e->inputs ? e->in[a] : e->out;
        n->bytes[a] = (int64_t)ir_dtype_bytes(v->type.dtype);
        if (!aligned_strides(m, e, v, stride[a]))
            return false;
    }
    for (int d = result->rank; d-- > 0;) {
        if (result->dims[d] == 1)
            continue;
        if (n->rank && mergeable(n, arrays, n->rank - 1, (int64_t const(*)[IR_MAX_RANK])stride, d)) {
            n->extent[n->rank - 1] *= result->dims[d];
            continue;
        }
        n->extent[n->rank] = result->dims[d];
        for (int a = 0; a < arrays; a++)
            n->stride[a][n->rank] = stride[a][d];
        n->rank++;
    }
    if (!n->rank) {
        n->rank = 1;
        n->extent[0] = 1;
        for (int a = 0; a < arrays; a++)
            n->stride[a][0] = 1;
    }
    n->run = n->extent[0];
    for (int a = 0; a < arrays; a++)
        n->contiguous &= n->stride[a][0] == 1 || (n->stride[a][0] == 0 && a < e->inputs);
    for (int d = 1; d < n->rank; d++)
        n->rows *= n->extent[d];
    return true;
}

static unsigned choose_lanes(const cg_module *m, const cg_eltwise *e, const nest *n)
{
    int64_t widest = 0;

    if (!n->contiguous)
        return 1;
    if (e->lanes && n->run >= e->lanes)
        return e->lanes;
    for (int a = 0; a <= e->inputs; a++)
        widest = n->bytes[a] > widest ? n->bytes[a] : widest;
    if (widest == 1)
        return m->target->vector_bytes;
    return m->target->vector_bytes / (unsigned)(widest < 4 ? 4 : widest);
}

/* ---- Kernels ---- */

typedef struct span {
    cg_kernel *k;
    cg_eltwise *e;
    const nest *n;
    LLVMValueRef pointer[MAX_ARRAYS]; /* to the run's first element */
    LLVMValueRef scalar[MAX_ARRAYS];  /* of operands that don't move along the run */
} span;

static LLVMValueRef element_at(const span *s, int a, LLVMValueRef x)
{
    return cg_at(s->k, s->pointer[a], cg_mul_const(s->k, x, s->n->stride[a][0] * s->n->bytes[a]));
}

/* Elements x … x + width - 1; mask may be NULL. */
static void emit_block(const span *s, LLVMValueRef x, unsigned width, LLVMValueRef mask)
{
    cg_kernel *k = s->k;
    cg_eltwise *e = s->e;
    LLVMValueRef in[CG_ELTWISE_INPUTS], result;
    int a;

    e->width = width;
    for (a = 0; a < e->inputs; a++) {
        LLVMTypeRef type = cg_elt_type(k, e, e->in[a]->type.dtype);
        in[a] = s->scalar[a] ? cg_splat(k, s->scalar[a], width)
                : mask       ? cg_load_masked(k, type, element_at(s, a, x), mask)
                             : cg_load(k, type, element_at(s, a, x), 1);
    }
    result = e->body(k, e, in);
    if (mask)
        cg_store_masked(k, result, element_at(s, a, x), mask);
    else
        cg_store(k, result, element_at(s, a, x), 1);
}

/* `count` elements from the pointers on; fixed: count if it is known. */
static void emit_span(span *s, LLVMValueRef count, int64_t fixed, unsigned lanes)
{
    cg_kernel *k = s->k;
    LLVMValueRef full = cg_i64(k, 0), rest;
    cg_loop loop;

    for (int a = 0; a < s->e->inputs; a++)
        s->scalar[a] = s->n->stride[a][0] ? NULL : cg_load(k, cg_type_of(k, s->e->in[a]->type.dtype), s->pointer[a], 1);
    if (lanes > 1 && (fixed < 0 || fixed >= lanes)) {
        full = LLVMBuildAnd(k->b, count, cg_i64(k, -(int64_t)lanes), "");
        loop = cg_loop_begin(k, cg_i64(k, 0), full, lanes);
        emit_block(s, loop.index, lanes, NULL);
        cg_loop_end(k, &loop);
    }
    if (fixed >= 0 && fixed % lanes == 0 && lanes > 1)
        return;
    if ((fixed >= 0 || target_has(k->m->target, TARGET_MASKS)) && lanes > 1) {
        rest = LLVMBuildSub(k->b, count, full, "");
        cg_if some = cg_if_begin(k, LLVMBuildICmp(k->b, LLVMIntSGT, rest, cg_i64(k, 0), ""));
        emit_block(s, full, lanes, cg_lane_mask(k, rest, lanes));
        cg_if_end(k, &some);
        return;
    }
    loop = cg_loop_begin(k, full, count, 1);
    emit_block(s, loop.index, 1, NULL);
    if (lanes > 1)
        cg_loop_hint_vectorize(k, &loop, false);
    cg_loop_end(k, &loop);
}

static void emit_blocks(span *s, unsigned lanes)
{
    cg_kernel *k = s->k;
    LLVMValueRef first = cg_mul_const(k, k->begin, BLOCK);
    LLVMValueRef last = cg_min(k, cg_mul_const(k, k->end, BLOCK), cg_i64(k, s->n->run));

    for (int a = 0; a <= s->e->inputs; a++)
        s->pointer[a] = element_at(s, a, first);
    emit_span(s, LLVMBuildSub(k->b, last, first, ""), s->n->run <= BLOCK ? s->n->run : -1, lanes);
}

static void emit_rows(span *s, unsigned lanes)
{
    cg_kernel *k = s->k;
    LLVMValueRef base[MAX_ARRAYS], rest;
    cg_loop row = cg_loop_begin(k, k->begin, k->end, 1);

    rest = row.index;
    for (int a = 0; a <= s->e->inputs; a++)
        base[a] = s->pointer[a];
    for (int d = 1; d < s->n->rank; d++) {
        LLVMValueRef extent = cg_i64(k, s->n->extent[d]);
        LLVMValueRef index = d == s->n->rank - 1 ? rest : LLVMBuildURem(k->b, rest, extent, "");
        for (int a = 0; a <= s->e->inputs; a++)
            if (s->n->stride[a][d])
                s->pointer[a] = cg_at(k, s->pointer[a], cg_mul_const(k, index, s->n->stride[a][d] * s->n->bytes[a]));
        rest = LLVMBuildUDiv(k->b, rest, extent, "");
    }
    emit_span(s, cg_i64(k, s->n->run), s->n->run, lanes);
    for (int a = 0; a <= s->e->inputs; a++)
        s->pointer[a] = base[a];
    cg_loop_end(k, &row);
}

static const char *key_of(cg_module *m, const cg_eltwise *e, const nest *n, unsigned lanes)
{
    cg_key key = {.length = 0};

    cg_key_add(&key, "eltwise %s %u [%s]", ir_op_info_of(e->op->code)->text, lanes, e->key);
    for (int d = 0; d < n->rank; d++)
        cg_key_add(&key, " %lld", (long long)n->extent[d]);
    for (int a = 0; a <= e->inputs; a++) {
        cg_key_add(&key, " %s", ir_dtype_text(a < e->inputs ? e->in[a]->type.dtype : e->out->type.dtype));
        for (int d = 0; d < n->rank; d++)
            cg_key_add(&key, ",%lld", (long long)n->stride[a][d]);
    }
    return arena_string(m->arena, key.text, (size_t)key.length);
}

static void emit_kernel(cg_kernel *k, cg_eltwise *e, const nest *n, unsigned lanes)
{
    span s = {.k = k, .e = e, .n = n};

    for (int a = 0; a <= e->inputs; a++)
        s.pointer[a] = k->arg[a];
    if (e->constant)
        e->constant_pointer = k->arg[e->inputs + 1];
    if (e->wants_table)
        e->table = cg_table_load(k, e->constant_pointer);
    if (n->rank == 1)
        emit_blocks(&s, lanes);
    else
        emit_rows(&s, lanes);
    cg_kernel_end(k);
}

bool cg_eltwise_emit(cg_module *m, cg_eltwise *e)
{
    int args = e->inputs + 1 + (e->constant != NULL);
    cg_arg arg[MAX_ARRAYS + 1];
    cg_step_info info = {.is_int8 = e->is_int8};
    unsigned lanes;
    cg_kernel k;
    nest n;

    if (!nest_make(m, e, &n))
        return false;
    if (!ir_type_elements(&e->out->type))
        return true;
    lanes = choose_lanes(m, e, &n);
    if (cg_kernel_begin(m, &k, key_of(m, e, &n, lanes), e->op, args))
        emit_kernel(&k, e, &n, lanes);
    for (int a = 0; a < e->inputs; a++)
        arg[a] = cg_arg_value(e->in[a]);
    arg[e->inputs] = cg_arg_value(e->out);
    if (e->constant)
        arg[e->inputs + 1] = cg_arg_constant(e->constant);
    info.units = (uint32_t)(n.rank == 1 ? (n.run + BLOCK - 1) / BLOCK : n.rows);
    cg_step_add(m, &k, e->op, &info, args, arg);
    return true;
}
