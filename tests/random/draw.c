/* draw.c: what rules are made of: numbers, shapes, quantization, operands. */
#include "tests/random/draw.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ir/shape/shape.h"
#include "tests/codegen/fill.h"

/* ---- Numbers ---- */

uint64_t draw_number(draw *d) { return fill_random(&d->random); }
int64_t draw_below(draw *d, int64_t limit) { return limit > 1 ? (int64_t)(draw_number(d) >> 1) % limit : 0; }
int64_t draw_between(draw *d, int64_t low, int64_t high) { return low + draw_below(d, high - low + 1); }
bool draw_chance(draw *d, int percent) { return draw_below(d, 100) < percent; }

/* ---- Shapes ---- */

int64_t draw_extent(draw *d)
{
    static const int8_t extents[] = {1, 1, 1, 2, 2, 2, 3, 3, 4, 5, 6, 7, 8, 9, 11, 15, 16, 17, 20};
    return DRAW_OF(d, extents);
}

int64_t draw_channels(draw *d)
{
    static const int8_t channels[] = {1, 1, 2, 3, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 31, 32, 33, 63, 64, 65};
    return DRAW_OF(d, channels);
}

bool draw_fits(const ir_type *t)
{
    int64_t n = 1;

    for (int i = 0; i < t->rank; i++) {
        n *= t->dims[i];
        if (n > DRAW_MOST_ELEMENTS)
            return false;
    }
    return true;
}

/* Halves extents, the first ones first, until the value is small enough. */
static void shrink(ir_type *t)
{
    for (int i = 0; !draw_fits(t); i = (i + 1) % t->rank)
        t->dims[i] = (t->dims[i] + 1) / 2;
}

ir_type draw_image_shape(draw *d, ir_dtype dtype)
{
    ir_type t = ir_type_make(dtype, 4, d->image);

    for (int i = 0; i < 4; i++)
        if (draw_chance(d, 25))
            t.dims[i] = i == 0 ? draw_between(d, 1, 3) : i == 3 ? draw_channels(d) : draw_extent(d);
    shrink(&t);
    return t;
}

ir_type draw_shape(draw *d, ir_dtype dtype, int least_rank, int most_rank)
{
    ir_type t = {.dtype = dtype};

    if (least_rank <= 4 && most_rank >= 4 && draw_chance(d, 60))
        return draw_image_shape(d, dtype);
    t.rank = (int)draw_between(d, least_rank, most_rank > 5 && !draw_chance(d, 10) ? 5 : most_rank);
    for (int i = 0; i < t.rank; i++)
        t.dims[i] = i == t.rank - 1 ? draw_channels(d) : draw_chance(d, 50) ? draw_between(d, 1, 3) : draw_extent(d);
    shrink(&t);
    return t;
}

/* ---- Quantization ---- */

bool draw_is_small_int(ir_dtype t) { return t == IR_I8 || t == IR_U8 || t == IR_I16; }

int32_t draw_zero(draw *d, ir_dtype t)
{
    int32_t min, max;

    if (t == IR_I16 || t == IR_I32)
        return 0; /* what products of such integers demand, and all that files have */
    ir_dtype_range(t, &min, &max);
    switch (draw_below(d, 5)) {
    case 0: return min;
    case 1: return max;
    case 2: return (min + max + 1) / 2;
    default: return (int32_t)draw_between(d, min, max);
    }
}

float draw_scale(draw *d)
{
    static const float scales[] = {0.0078125f, 0.00390625f, 0.05f,   0.1f, 0.023528f,   0.5f,
                                   1,          0.25f,       0.0001f, 3.7f, 0.007843138f};
    return draw_chance(d, 60) ? DRAW_OF(d, scales)
                              : ldexpf((float)draw_between(d, 1000, 1999) / 1000, (int)draw_between(d, -10, 0));
}

ir_unused draw_unused(draw *d, ir_dtype t, int32_t zero)
{
    int32_t min, max;

    if ((t != IR_I8 && t != IR_U8) || !draw_chance(d, 15))
        return (ir_unused){0, 0};
    ir_dtype_range(t, &min, &max);
    if (zero > min && draw_chance(d, 20))
        return (ir_unused){1, 0};
    const ir_unused u = {(uint8_t)draw_between(d, 0, zero - min), (uint8_t)draw_between(d, 0, max - zero)};
    return ir_unused_leaves_two(u) ? u : (ir_unused){0, 0};
}

static const ir_quant *quant_of(draw *d, ir_dtype t, float scale)
{
    const int32_t zero = draw_zero(d, t);
    ir_quant *q = ir_quant_tensor(d->graph, scale, zero);

    q->unused = draw_unused(d, t, zero);
    return q;
}

const ir_quant *draw_quant(draw *d, ir_dtype t)
{
    const float scale = draw_scale(d) * (t == IR_I16 ? 1.0f / 128 : 1);
    return draw_is_small_int(t) ? quant_of(d, t, scale) : NULL;
}

/* Results saturate, fill the range or only a few steps of it; multipliers that are powers of two make ties. */
const ir_quant *draw_result_quant(draw *d, ir_dtype t, double magnitude)
{
    static const float parts[] = {1, 1, 1, 0.5f, 2, 0.1f, 8};
    double scale = magnitude / (t == IR_I16 ? 32767 : 127) * (double)DRAW_OF(d, parts);

    if (!draw_is_small_int(t))
        return NULL;
    if (!(scale > 1e-9) || !(scale < 1e9))
        scale = (double)draw_scale(d);
    if (draw_chance(d, 25))
        scale = exp2(rint(log2(scale)));
    return quant_of(d, t, (float)scale);
}

/* ---- Values ---- */

/* Has the type all zero points?  Parameters are shared by values of one type only. */
static bool has_zeros(ir_dtype t, const ir_quant *q)
{
    int32_t min, max;

    if (!q || !draw_is_small_int(t))
        return true;
    ir_dtype_range(t, &min, &max);
    for (int32_t c = 0; c < q->count; c++)
        if (q->zero[c] < min || q->zero[c] > max)
            return false;
    return true;
}

static void put(draw *d, ir_value *v, bool bounded, bool from_scales)
{
    if (!has_zeros(v->type.dtype, v->quant)) {
        fprintf(stderr, "random-graphs: a rule drew a zero point outside its type\n");
        abort();
    }
    if (d->count < DRAW_MOST_VALUES)
        d->pool[d->count++] = (draw_value){v, bounded, from_scales};
}

static bool same_dims(const ir_type *a, const ir_type *b)
{
    return a->rank == b->rank && memcmp(a->dims, b->dims, (size_t)a->rank * sizeof a->dims[0]) == 0;
}

static bool quantized_as_wanted(const draw_want *w, const ir_value *v)
{
    if (w->quant)
        return ir_quant_equal(v->quant, w->quant);
    return !draw_is_small_int(w->dtype) || w->kind == DRAW_ANY || (v->quant != NULL) == (w->kind == DRAW_QUANTIZED);
}

static bool suits(const draw *d, const draw_want *w, const draw_value *x)
{
    const ir_type *t = &x->value->type;

    if (t->dtype != w->dtype || (x->bounded && (w->exact || !d->takes_bounded)) || (x->from_scales && w->no_scales))
        return false;
    return (w->type ? same_dims(t, w->type) : t->rank >= w->least_rank && t->rank <= w->most_rank) &&
           quantized_as_wanted(w, x->value);
}

ir_value *draw_constant(draw *d, ir_type t, const ir_quant *quant, int kind)
{
    void *data = arena_alloc(d->graph->arena, ir_type_bytes(&t) + 1);
    ir_value *v = ir_const_new(d->graph, t, quant, data);

    fill_value(data, v, draw_number(d), kind);
    for (int64_t at; (at = ir_first_nan(&t, data)) >= 0;) /* no file may hold it; FILL of f16 are random bits */
        memset((char *)data + at * ir_dtype_bytes(t.dtype), 0, (size_t)ir_dtype_bytes(t.dtype));
    return v;
}

ir_value *draw_new(draw *d, const draw_want *w)
{
    const ir_type t = w->type ? ir_type_make(w->dtype, w->type->rank, w->type->dims)
                              : draw_shape(d, w->dtype, w->least_rank, w->most_rank);
    const bool quantized = w->kind == DRAW_QUANTIZED || (w->kind == DRAW_ANY && draw_chance(d, 80));
    const ir_quant *quant = w->quant ? w->quant : quantized ? draw_quant(d, w->dtype) : NULL;
    ir_value *v;

    if (draw_chance(d, w->constant_percent))
        v = draw_constant(d, t, quant, draw_chance(d, 50) ? FILL_CONSTANT : (int)draw_below(d, FILL_KINDS));
    else
        v = ir_input_new(d->graph, t, quant, arena_format(d->graph->arena, "x%d", (int)d->graph->input_count));
    put(d, v, false, false);
    return v;
}

ir_value *draw_take(draw *d, const draw_want *w)
{
    const draw_value *found[DRAW_MOST_VALUES];
    int64_t n = 0, late;

    for (int i = 0; i < d->count; i++)
        if (suits(d, w, &d->pool[i]))
            found[n++] = &d->pool[i];
    if (!n || draw_chance(d, 20))
        return draw_new(d, w);
    late = n > 2 && draw_chance(d, 60) ? n / 2 : 0; /* chains grow from what came last */
    return found[late + draw_below(d, n - late)]->value;
}

ir_value *draw_image(draw *d, ir_dtype dtype, draw_kind kind)
{
    const draw_want w = {.dtype = dtype, .kind = kind, .least_rank = 4, .most_rank = 4};
    ir_type t;

    if (draw_chance(d, 70))
        return draw_take(d, &w);
    t = draw_image_shape(d, dtype);
    return draw_new(d, &(draw_want){.dtype = dtype, .kind = kind, .type = &t});
}

ir_value *draw_indices(draw *d, ir_dtype dtype, int rank, const int64_t dims[], int64_t limit)
{
    const ir_type t = ir_type_make(dtype, rank, dims);
    const draw_want w = {.dtype = dtype, .kind = DRAW_PLAIN, .type = &t};

    if (draw_chance(d, 30))
        return draw_take(d, &w);
    unsigned char *data = arena_alloc(d->graph->arena, ir_type_bytes(&t) + 1);
    const bool outside = draw_chance(d, 20);
    for (int64_t i = 0; i < ir_type_elements(&t); i++) {
        const int64_t index =
            outside && draw_chance(d, 20) ? draw_between(d, -limit - 2, 2 * limit + 2) : draw_below(d, limit);
        memcpy(data + (size_t)i * ir_dtype_bytes(dtype), &index, ir_dtype_bytes(dtype));
    }
    return ir_const_new(d->graph, t, NULL, data);
}

/* ---- Ops ---- */

ir_op *draw_op(draw *d, ir_opcode code, int operand_count, ir_value *const operands[])
{
    d->op = ir_op_new(d->graph, code, NULL, operand_count, operands);
    if (ir_has_attr(d->op, IR_ATTR_ROUNDING))
        ir_set_rounding(d->op, d->rounding);
    return d->op;
}

bool draw_result_as(draw *d, int result, const ir_type *t, const ir_quant *quant)
{
    ir_result_set(d->op, result, *t, quant);
    return true;
}

bool draw_result(draw *d, int result, ir_dtype dtype, const ir_quant *quant)
{
    ir_type t = {.dtype = dtype};
    diag ignored = {0};

    ir_result_set(d->op, result, t, quant);
    if (!ir_verify_attrs(d->op, &ignored) || !ir_infer_shape(d->op, result, &t, &ignored) || !draw_fits(&t))
        return false;
    ir_result_set(d->op, result, t, quant);
    return true;
}

ir_enum_ACT draw_act(draw *d) { return draw_chance(d, 50) ? IR_ACT_NONE : (ir_enum_ACT)draw_below(d, IR_ACT_COUNT); }

void draw_ints(draw *d, ir_attr_id id, int count, const int64_t values[]) { ir_set_ints(d->op, id, count, values); }
