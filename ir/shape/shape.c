/* shape.c: the result types that follow from an op's operands and attributes.
 *
 * Where the op leaves something free (the shape of reshape, the element type of cast), that part is taken from the
 * result's present type and checked: frontends set it first, then ask; ir_verify compares.
 *
 * All arithmetic stays far from overflow: dims are below 2^31, attributes below 2^31 (2^24 for windows). */
#include "ir/shape/shape.h"

#include <assert.h>

#include "ir/shape/rules.h"

typedef struct row {
    ir_shape_rule *rule;
    bool dtype_is_free;
} row;

enum { FREE_DTYPE = 1 };

/* Functions of one operand may have 8-bit results of the other signedness, or real ones, until passes settle that. */
static row row_of(ir_opcode code)
{
    const bool is_lookup = ir_op_info_of(code)->flags & IR_LOOKUP;
    switch (code) {
/* clang-format off */
#define SHAPE(CODE, rule, flags) case IR_##CODE: return (row){ir_shape_##rule, (flags) & FREE_DTYPE || is_lookup};
/* clang-format on */
#include "ir/shape/rules.def"
#undef SHAPE
    case IR_OPCODE_COUNT: break;
    }
    assert(false);
    return (row){ir_shape_same_as_first, false};
}

bool ir_infer_shape(const ir_op *op, int result, ir_type *out, diag *d)
{
    const ir_type *present = &op->results[result]->type;
    const ir_value *first = ir_operand_value(op, 0);
    *out = (ir_type){.dtype = first ? first->type.dtype : present->dtype};
    const row r = row_of(op->code);
    if (r.dtype_is_free && present->dtype != IR_DTYPE_NONE)
        out->dtype = present->dtype;
    inference i = {.op = op, .result = result, .present = present, .out = out, .d = d};
    if (!r.rule(&i))
        return false;
    return ir_type_valid(out) || refuse(&i, "%s: the result would be too large", text_of(&i));
}
