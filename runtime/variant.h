/* variant.h: which of a model's variants a machine runs.  Internal to the runtime and its tools. */
#ifndef QCC_VARIANT_H
#define QCC_VARIANT_H

#include "model_abi.h"

/* The first whose instructions are all among `features` (QCC_CPU_* bits); NULL: there is none. */
const qcc_variant *qcc_variant_for(const qcc_model *, uint32_t features);
/* The same for this machine.  Cheap enough for each run: the CPU is asked once. */
const qcc_variant *qcc_variant_here(const qcc_model *);

#endif
