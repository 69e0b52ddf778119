/* variant.c: see variant.h. */
#include "variant.h"

#include <stddef.h>

#include "cpu.h"

const qcc_variant *qcc_variant_for(const qcc_model *model, uint32_t features)
{
    for (uint64_t i = 0; i < model->variant_count; i++)
        if (!(model->variants[i].cpu_features & ~features))
            return &model->variants[i];
    return NULL;
}

const qcc_variant *qcc_variant_here(const qcc_model *model) { return qcc_variant_for(model, qcc_cpu_features()); }
