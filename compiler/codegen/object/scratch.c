/* scratch.c: temporary memory of each op's kernels, asked for by the memory plan before code is generated. */
#include "compiler/codegen/codegen.h"

#include "compiler/codegen/object/module.h"

size_t cg_scratch_of(const ir_op *op, const target_info *target)
{
    switch (op->code) {
#define SCRATCH(CODE, function) case IR_##CODE: return function(op, target);
#include "compiler/codegen/scratch.def"
#undef SCRATCH
    default: return 0;
    }
}

size_t cg_scratch_bytes(const ir_op *op, target_set targets)
{
    size_t most = 0;

    for (; targets; targets = target_set_rest(targets)) {
        const size_t bytes = cg_scratch_of(op, target_set_best(targets));
        most = bytes > most ? bytes : most;
    }
    return most;
}
