/* copy.c: see copy.h. */
#include "compiler/codegen/move/copy.h"

enum { VECTOR = 64 };

/* The bytes behind the whole vectors: one overlapping vector where the run is long enough, otherwise powers of two. */
static void tail(cg_kernel *k, LLVMValueRef from, LLVMValueRef to, int64_t bytes, LLVMValueRef byte)
{
    const int64_t rest = bytes % VECTOR;
    if (rest && bytes > VECTOR) {
        LLVMTypeRef type = cg_vector(k->m->i8, VECTOR);
        LLVMValueRef v = from ? cg_load(k, type, cg_at_const(k, from, bytes - VECTOR), 1) : cg_splat(k, byte, VECTOR);
        cg_store(k, v, cg_at_const(k, to, bytes - VECTOR), 1);
        return;
    }
    for (int64_t done = bytes - rest, size = VECTOR / 2; size; size /= 2)
        if (rest & size) {
            LLVMTypeRef type = cg_vector(k->m->i8, (unsigned)size);
            LLVMValueRef v = from ? cg_load(k, type, cg_at_const(k, from, done), 1) : cg_splat(k, byte, (unsigned)size);
            cg_store(k, v, cg_at_const(k, to, done), 1);
            done += size;
        }
}

static void run(cg_kernel *k, LLVMValueRef from, LLVMValueRef to, int64_t bytes, LLVMValueRef byte)
{
    LLVMTypeRef type = cg_vector(k->m->i8, VECTOR);
    if (bytes >= VECTOR) {
        cg_loop loop = cg_loop_begin(k, cg_i64(k, 0), cg_i64(k, bytes - bytes % VECTOR), VECTOR);
        LLVMValueRef v = from ? cg_load(k, type, cg_at(k, from, loop.index), 1) : cg_splat(k, byte, VECTOR);
        cg_store(k, v, cg_at(k, to, loop.index), 1);
        cg_loop_hint_vectorize(k, &loop, false);
        cg_loop_end(k, &loop);
    }
    tail(k, from, to, bytes, byte);
}

void cg_copy_run(cg_kernel *k, LLVMValueRef from, LLVMValueRef to, int64_t bytes) { run(k, from, to, bytes, NULL); }
void cg_fill_run(cg_kernel *k, LLVMValueRef to, int64_t bytes, LLVMValueRef byte) { run(k, NULL, to, bytes, byte); }

/* Pixels first…first+count-1 of an input line. */
static void copy_pixels(cg_kernel *k, const cg_pad_copy *c, LLVMValueRef from, LLVMValueRef to, int64_t count)
{
    if (count <= 0)
        return;
    if (c->from.x == c->pixel_bytes && (c->to.x == c->pixel_bytes || count == 1)) {
        cg_copy_run(k, from, to, count * c->pixel_bytes);
        return;
    }
    cg_loop loop = cg_loop_begin(k, cg_i64(k, 0), cg_i64(k, count), 1);
    cg_copy_run(k, cg_at(k, from, cg_mul_const(k, loop.index, c->from.x)),
                cg_at(k, to, cg_mul_const(k, loop.index, c->to.x)), c->pixel_bytes);
    cg_loop_hint_vectorize(k, &loop, false);
    cg_loop_end(k, &loop);
}

static void copy_line(cg_kernel *k, const cg_pad_copy *c, LLVMValueRef from, LLVMValueRef to, LLVMValueRef fill)
{
    const int64_t left = c->left < c->out_w ? c->left : c->out_w, room = c->out_w - left;
    const int64_t inside = room < c->in_w ? room : c->in_w, right = room - inside;
    cg_fill_run(k, to, left * c->pixel_bytes, fill);
    copy_pixels(k, c, from, cg_at_const(k, to, left * c->pixel_bytes), inside);
    cg_fill_run(k, cg_at_const(k, to, (left + inside) * c->pixel_bytes), right * c->pixel_bytes, fill);
}

static void emit_lines(cg_kernel *k, const cg_pad_copy *c)
{
    cg_loop loop = cg_loop_begin(k, k->begin, k->end, 1);
    LLVMValueRef image = LLVMBuildUDiv(k->b, loop.index, cg_i64(k, c->out_h), "");
    LLVMValueRef line = LLVMBuildURem(k->b, loop.index, cg_i64(k, c->out_h), "");
    LLVMValueRef to =
        cg_at(k, k->arg[1], cg_add(k, cg_mul_const(k, image, c->to.image), cg_mul_const(k, line, c->to.y)));
    LLVMValueRef fill = cg_i8(k, c->fill);
    if (c->fills.value)
        fill = cg_load(k, k->m->i8, cg_at(k, k->arg[2], cg_mul_const(k, image, c->fill_step)), 1);
    LLVMValueRef y = cg_add(k, line, cg_i64(k, -c->top));
    LLVMValueRef exists = LLVMBuildICmp(k->b, LLVMIntULT, y, cg_i64(k, c->in_h), "");
    cg_if inside = cg_if_begin(k, exists);
    LLVMValueRef from = cg_add(k, cg_mul_const(k, image, c->from.image), cg_mul_const(k, y, c->from.y));
    copy_line(k, c, cg_at(k, k->arg[0], from), to, fill);
    cg_if_else(k, &inside);
    cg_fill_run(k, to, c->out_w * c->pixel_bytes, fill);
    cg_if_end(k, &inside);
    cg_loop_end(k, &loop);
}

void cg_pad_copy_emit(cg_module *m, const cg_pad_copy *c)
{
    const char *key = arena_format(
        m->arena, "pad_copy [%lld,%lld,%lld][%lld,%lld,%lld] %lld %lldx%lld>%lldx%lld %lld,%lld %lld %d%s",
        (long long)c->from.image, (long long)c->from.y, (long long)c->from.x, (long long)c->to.image,
        (long long)c->to.y, (long long)c->to.x, (long long)c->images, (long long)c->in_h, (long long)c->in_w,
        (long long)c->out_h, (long long)c->out_w, (long long)c->top, (long long)c->left, (long long)c->pixel_bytes,
        c->fill, c->fills.value ? c->fill_step ? "f1" : "f0" : "");
    cg_kernel k;
    const cg_arg args[3] = {c->from.arg, c->to.arg, c->fills};
    const int count = c->fills.value ? 3 : 2;
    if (cg_kernel_begin(m, &k, key, c->op, count)) {
        emit_lines(&k, c);
        cg_kernel_end(&k);
    }
    const cg_step_info info = {.units = (uint32_t)(c->images * c->out_h), .part = QCC_STEP_PAD};
    cg_step_add(m, &k, c->op, &info, count, args);
}
