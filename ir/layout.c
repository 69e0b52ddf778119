/* layout.c: which strides a kernel can work on, by its layout (LAYOUT in enums.def).  The memory plan asks before it
 * makes a value a part of another, code generation before it emits. */
#include "ir/ir.h"

/* Rows shorter than this are not worth kernels that jump from one to the next. */
enum { LEAST_ROW_BYTES = 16 };

static bool has_long_rows(const ir_type *t, const int64_t stride[])
{
    const int last = t->rank - 1;
    return stride[last] == 1 && t->dims[last] * (int64_t)ir_dtype_bytes(t->dtype) >= LEAST_ROW_BYTES;
}

/* Are the leading dimensions, all but the last two, at constant distances when counted as one? */
static bool matrices_are_even(const ir_type *t, const int64_t stride[])
{
    int64_t distance = 0, count = 1;
    for (int d = t->rank - 3; d >= 0; d--) {
        if (t->dims[d] == 1)
            continue;
        if (count > 1 && stride[d] != distance * count)
            return false;
        distance = count > 1 ? distance : stride[d];
        count *= t->dims[d];
    }
    return true;
}

static bool takes_matrices(ir_enum_LAYOUT layout, const ir_op *op, int slot, const ir_type *t, const int64_t stride[])
{
    const int last = t->rank - 1;
    if (last < 1)
        return false;
    if (slot == 1)
        return (stride[last] == 1 || stride[last - 1] == 1) &&
               (layout == IR_LAYOUT_MATRICES || matrices_are_even(t, stride));
    const bool turned = slot == 0 && ir_int(op, IR_ATTR_ADJ_A);
    return stride[turned ? last - 1 : last] == 1 && matrices_are_even(t, stride);
}

bool ir_layout_takes(ir_enum_LAYOUT layout, const ir_op *op, int slot, const ir_type *t, const int64_t stride[])
{
    ir_place place = {.space = IR_SPACE_NONE};
    for (int d = 0; d < t->rank; d++)
        place.stride[d] = stride[d];
    if (ir_place_is_dense(&place, t))
        return true;
    switch (layout) {
    case IR_LAYOUT_ROWS: return has_long_rows(t, stride);
    case IR_LAYOUT_IMAGES: return (slot == IR_SLOT_RESULT || slot == 0 || slot == 3) && has_long_rows(t, stride);
    case IR_LAYOUT_MATRICES:
    case IR_LAYOUT_EVEN_MATRICES: return takes_matrices(layout, op, slot, t, stride);
    default: return false;
    }
}
