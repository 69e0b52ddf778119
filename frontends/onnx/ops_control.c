/* ops_control.c: control flow that is none: a condition that is known while importing chooses the branch. */
#include "frontends/onnx/import.h"

bool ort_op_if(ort_node *n)
{
    ir_value *condition = ort_plain(n, 0);
    if (!condition)
        return false;
    if (!ir_is_const(condition) || condition->type.dtype != IR_BOOL || ir_type_elements(&condition->type) != 1)
        return node_error(n, "control flow is not supported: the condition depends on the inputs");
    const onnx_graph *no = ort_graph_attr(n, "else_branch"), *yes = ort_graph_attr(n, "then_branch");
    return ort_import_branch(n, ir_const_int(condition, 0) ? yes : no);
}
