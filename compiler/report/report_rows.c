#include "compiler/report/report_rows.h"

#include "compiler/codegen/object/cost.h"

report_rows report_rows_make(const ir_graph *g, const double seconds[], const target_info *estimated_for, arena *a)
{
    int64_t position = 0;
    for (const ir_op *op = g->first; op; op = op->next)
        position++;
    report_rows rows = {.row = ARENA_ARRAY(a, report_row, position), .of_op = ARENA_ARRAY(a, int64_t, g->next_id)};
    position = 0;
    for (const ir_op *op = g->first; op; op = op->next, position++) {
        const int64_t at = op->repeats ? rows.of_op[op->repeats->id] : rows.count++;
        report_row *row = &rows.row[at];
        rows.of_op[op->id] = at;
        if (!row->parts++)
            row->seconds = -1;
        row->macs += cg_multiply_adds(op);
        row->estimated_seconds += cg_op_cost(op, estimated_for);
        if (seconds && seconds[position] >= 0)
            row->seconds = (row->seconds > 0 ? row->seconds : 0) + seconds[position];
    }
    return rows;
}
