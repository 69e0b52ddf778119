/* grid.h: what kernels of grids from run time share. */
#ifndef QCC_CG_GRID_H
#define QCC_CG_GRID_H

#include "compiler/codegen/eltwise/eltwise.h"

/* min(max(x, low), high) / scale, floats of any width; NaN passes. */
LLVMValueRef cg_grid_steps(cg_kernel *, LLVMValueRef x, LLVMValueRef low, LLVMValueRef high, LLVMValueRef scale);

#endif
