/* size_limits.c: see size_limits.h.
 *
 *     file            memory and object    workspace     workspace worth a warning
 *     small                     128 MiB        1 GiB                        64 MiB
 *     large            256 times as much   256 times                      32 times
 *
 * What people's models need is far below: a few times the file, tens of times for the workspace of a small network on
 * large pictures.  Most goes to graphs of tiny ops in text, where 30 bytes make an op of the IR, tables of the passes
 * and code. */
#include "ir/size_limits.h"

enum { SMALL_MIB = 128, SMALL_WORKSPACE_MIB = 1024, SMALL_REMARK_MIB = 64, GROWTH = 256, REMARK_GROWTH = 32 };

static size_t limit(size_t file_bytes, size_t growth, size_t small_mib)
{
    const size_t small = small_mib << 20, large = file_bytes > SIZE_MAX / growth ? SIZE_MAX : file_bytes * growth;
    return large > small ? large : small;
}

ir_limits ir_limits_of(size_t file_bytes, size_t max_bytes)
{
    return (ir_limits){
        .bytes = max_bytes ? max_bytes : limit(file_bytes, GROWTH, SMALL_MIB),
        .workspace = max_bytes ? max_bytes : limit(file_bytes, GROWTH, SMALL_WORKSPACE_MIB),
        .remark = limit(file_bytes, REMARK_GROWTH, SMALL_REMARK_MIB),
    };
}

/* ---- Diagnostics ---- */

static const char advice[] = "more than a file of this size may take; --max-size=BYTES allows more";

/* The op with the largest result: where most of it comes from. */
static const ir_op *largest_op(const ir_graph *g)
{
    const ir_op *largest = g->first;
    size_t bytes = 0;
    for (const ir_op *op = g->first; op; op = op->next)
        for (int i = 0; i < ir_op_info_of(op->code)->results; i++)
            if (ir_type_bytes(&op->results[i]->type) > bytes) {
                bytes = ir_type_bytes(&op->results[i]->type);
                largest = op;
            }
    return largest;
}

bool ir_limits_memory(diag *d, const ir_loc *loc, arena_outcome outcome)
{
    if (outcome == ARENA_OUT_OF_MEMORY)
        return diag_out_of_memory(d, loc);
    return diag_final(d, loc, "the constants and tables of this model need %s", advice);
}

bool ir_limits_object(const ir_graph *g, size_t bytes, diag *d)
{
    if (bytes <= g->limits.bytes)
        return true;
    const ir_op *op = largest_op(g);
    return diag_error(d, op ? &op->loc : NULL, "the object has %zu bytes, %s", bytes, advice);
}

bool ir_limits_workspace(const ir_graph *g, size_t bytes, diag *d)
{
    if (bytes <= g->limits.workspace)
        return true;
    const ir_op *op = largest_op(g);
    return diag_error(d, op ? &op->loc : NULL, "the model needs a workspace of %zu bytes, %s", bytes, advice);
}

const char *ir_limits_remark(const ir_graph *g)
{
    if (g->workspace_bytes <= g->limits.remark)
        return NULL;
    return arena_format(g->arena, "the model needs a workspace of %zu bytes, which is large for a file of this size",
                        g->workspace_bytes);
}
