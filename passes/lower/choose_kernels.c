/* choose_kernels.c: how code generation will do every op.
 *
 *     %1:u8<…> = depthwise_conv2d %0, …        %1:u8<…> = depthwise_conv2d %0, … kernel "depthwise_rows" images
 *
 * The choice is code generation's, and made once, here: the memory plan makes room for what the kernel needs, and lays
 * values out as it can take them; the kernel named here is the one that is emitted.  An op that no kernel does keeps
 * none: the graph is still good for the interpreter, and code generation refuses it. */
#include <string.h>

#include "passes/common/util.h"
#include "passes/lower/place.h"

/* The kernel that the options force on the op, where it can do it; counts in used[] which were. */
static bool choose_forced(ir_op *op, const pass_options *o, bool used[])
{
    for (int i = 0; i < o->kernels.count; i++)
        if (o->choose_kernel(op, o->targets, o->kernels.item[i], op->graph->arena, &op->kernel))
            return used[i] = true;
    return false;
}

/* A kernel that was forced in vain is a mistake: whoever asks for it believes that it runs. */
static bool check_forced(const ir_graph *g, const pass_options *o, const bool used[], diag *d)
{
    const ir_loc loc = ir_graph_loc(g);
    for (int i = 0; i < o->kernels.count; i++)
        if (!used[i])
            return diag_error(d, &loc, "no op that kernel '%s' can do", o->kernels.item[i]);
    return true;
}

pass_result pass_choose_kernels(ir_graph *g, pass_context *c)
{
    const pass_options *o = c->options;
    bool *used = ARENA_ARRAY(c->scratch, bool, o->kernels.count + 1);
    place_copy_outputs(g);
    for (ir_op *op = g->first; op && o->choose_kernel; op = op->next) {
        op->kernel = (ir_kernel){0};
        if (!choose_forced(op, o, used))
            o->choose_kernel(op, o->targets, NULL, g->arena, &op->kernel);
    }
    return check_forced(g, o, used, c->diag) ? PASS_CHANGED : PASS_FAILED;
}
