/* choose.c: which kernel does an op on each target (kernels.def): asked before memory is planned, obeyed when code is
 * emitted. */
#include "compiler/codegen/object/module.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

typedef struct kernel_row {
    const char *family, *name;
    cg_fit (*fits)(const ir_op *, const target_info *);
    ir_enum_LAYOUT layout;
    size_t (*scratch)(const ir_op *, const target_info *);
    bool (*emit)(cg_module *, const ir_op *);
} kernel_row;

#define OP(CODE, FAMILY)
#define KERNEL(FAMILY, name, fits, LAYOUT, scratch, emit) {#FAMILY, #name, fits, IR_LAYOUT_##LAYOUT, scratch, emit},
static const kernel_row rows[] = {
#include "compiler/codegen/kernels.def"
};
#undef OP
#undef KERNEL
enum { ROWS = sizeof rows / sizeof *rows };

static const char *family_of(ir_opcode code)
{
    switch (code) {
#define OP(CODE, FAMILY)                                                                                               \
    case IR_##CODE:                                                                                                    \
        return #FAMILY;
#define KERNEL(FAMILY, name, fits, LAYOUT, scratch, emit)
#include "compiler/codegen/kernels.def"
#undef OP
#undef KERNEL
    default: return "";
    }
}

cg_fit cg_fits(const ir_op *op, const target_info *target)
{
    (void)op, (void)target;
    return (cg_fit){.how = CG_BEST};
}

size_t cg_scratch_none(const ir_op *op, const target_info *target)
{
    (void)op, (void)target;
    return 0;
}

const char *cg_kernel_name(ir_opcode code, int i)
{
    for (int at = 0; at < ROWS; at++)
        if (strcmp(rows[at].family, family_of(code)) == 0 && i-- == 0)
            return rows[at].name;
    return NULL;
}

/* ---- The choice ---- */

/* NULL when none can; *why is then what for, where a kernel says that. */
static const kernel_row *choose(const ir_op *op, const target_info *target, const char *forced, const char **why)
{
    const char *family = family_of(op->code);
    const kernel_row *best = NULL;
    for (int i = 0; i < ROWS; i++) {
        if (strcmp(rows[i].family, family) != 0 || (forced && strcmp(rows[i].name, forced) != 0))
            continue;
        const cg_fit fit = rows[i].fits(op, target);
        if (fit.how == CG_BEST)
            return &rows[i];
        if (fit.how == CG_CAN && !best)
            best = &rows[i];
        if (fit.why)
            *why = fit.why;
    }
    return best;
}

bool cg_choose_kernel(const ir_op *op, target_set targets, const char *forced, arena *a, ir_kernel *out)
{
    const char *names = NULL, *why = NULL;
    bool differ = false;
    ir_kernel kernel = {.name = NULL};
    for (target_set left = targets; left; left = target_set_rest(left)) {
        const target_info *target = target_set_best(left);
        const kernel_row *row = choose(op, target, forced, &why);
        if (!row)
            return false;
        const int64_t scratch = (int64_t)row->scratch(op, target);
        differ = differ || (kernel.name && strcmp(kernel.name, row->name) != 0);
        names = names ? arena_format(a, "%s, %s", names, row->name) : row->name;
        kernel.layout = !kernel.name || kernel.layout == row->layout ? row->layout : IR_LAYOUT_DENSE;
        kernel.scratch_bytes = scratch > kernel.scratch_bytes ? scratch : kernel.scratch_bytes;
        kernel.name = row->name;
    }
    if (differ)
        kernel.name = names;
    *out = kernel;
    return kernel.name != NULL;
}

/* ---- What has been chosen ---- */

/* Name number `nth` of "a, b", or the only one. */
static const kernel_row *row_of(const ir_op *op, int nth)
{
    const char *name = op->kernel.name, *comma = name ? strchr(name, ',') : NULL;
    for (; comma && nth > 0; nth--) {
        name = comma + 2;
        comma = strchr(name, ',');
    }
    const size_t length = comma ? (size_t)(comma - name) : name ? strlen(name) : 0;
    for (int i = 0; i < ROWS; i++)
        if (strlen(rows[i].name) == length && strncmp(rows[i].name, name, length) == 0 &&
            strcmp(rows[i].family, family_of(op->code)) == 0)
            return &rows[i];
    return NULL;
}

/* "conv2d: no kernel for u8, i8, i32 -> f16", and what for if a kernel says that. */
static bool refuse(cg_module *m, const ir_op *op)
{
    const char *text = "", *why = NULL;
    choose(op, m->target, NULL, &why);
    for (int i = 0; i < op->operand_count; i++)
        if (op->operands[i].value)
            text = arena_format(m->arena, "%s%s%s", text, *text ? ", " : "",
                                ir_dtype_text(op->operands[i].value->type.dtype));
    for (int i = 0; i < ir_op_info_of(op->code)->results; i++)
        text = arena_format(m->arena, "%s%s%s", text, i ? ", " : " -> ", ir_dtype_text(op->results[i]->type.dtype));
    return diag_error(m->diag, &op->loc, "%s: no kernel for %s%s%s", ir_op_info_of(op->code)->text, text,
                      why ? ": " : "", why ? why : "");
}

static bool lies_well(const kernel_row *row, const ir_op *op, int slot, const ir_value *v)
{
    return !v || ir_is_const(v) || ir_layout_takes(row->layout, op, slot, &v->type, v->place.stride);
}

/* The plan sees to it; kernels rely on it. */
static bool all_lie_well(const kernel_row *row, const ir_op *op)
{
    bool well = true;
    if (op->code == IR_TRANSPOSE) /* moves what lies in whatever way */
        return true;
    for (int i = 0; i < op->operand_count; i++)
        well = well && lies_well(row, op, i, op->operands[i].value);
    for (int i = 0; i < ir_op_info_of(op->code)->results; i++)
        well = well && lies_well(row, op, IR_SLOT_RESULT, op->results[i]);
    return well;
}

/* What a kernel needs follows from op and target alone; nothing may have changed since it was chosen. */
static bool is_as_planned(const kernel_row *row, const ir_op *op, const target_info *target)
{
    assert(row->fits(op, target).how != CG_CANNOT);
    return (int64_t)row->scratch(op, target) <= op->kernel.scratch_bytes;
}

bool cg_emit_op(cg_module *m, const ir_op *op, int nth)
{
    const kernel_row *row = row_of(op, nth);
    if (!row)
        return refuse(m, op);
    if (!is_as_planned(row, op, m->target))
        return diag_error(m->diag, &op->loc, "internal error: %s: kernel %s needs more memory than was planned",
                          ir_op_info_of(op->code)->text, row->name);
    if (!all_lie_well(row, op))
        return diag_error(m->diag, &op->loc, "internal error: %s: kernel %s can't work on values that lie so in memory",
                          ir_op_info_of(op->code)->text, row->name);
    return row->emit(m, op);
}
