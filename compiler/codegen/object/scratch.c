/* scratch.c: temporary memory of each op's kernels, asked for by the memory plan before code is generated. */
#include "compiler/codegen/codegen.h"

#include "compiler/codegen/object/module.h"

size_t cg_scratch_bytes(const ir_op *op, const char *target_name)
{
    const target_info *target = target_find(target_name);

    if (!target)
        return 0;
    switch (op->code) {
#define SCRATCH(CODE, function) case IR_##CODE: return function(op, target);
#include "compiler/codegen/scratch.def"
#undef SCRATCH
    default: return 0;
    }
}
