/* shapes.c: models that were compiled for several shapes of their inputs. */
#include "model_abi.h"

#include <stdbool.h>

static const qcc_model_set *set_of(const qcc_model *model)
{
    return model && qcc_model_is_known(model) && qcc_model_has_shapes(model)
               ? (const qcc_model_set *)(const void *)model
               : NULL;
}

unsigned qcc_model_shape_count(const qcc_model *model)
{
    const qcc_model_set *set = set_of(model);
    return set ? (unsigned)set->count : model != NULL;
}

const qcc_model *qcc_model_shape(const qcc_model *model, unsigned index)
{
    const qcc_model_set *set = set_of(model);
    if (index >= qcc_model_shape_count(model))
        return NULL;
    return set ? &set->shapes[index] : model;
}

static bool has_shapes(const qcc_model *model, const int64_t *const dims[])
{
    for (uint32_t i = 0; i < model->input_count; i++)
        for (uint32_t axis = 0; dims[i] && axis < model->inputs[i].rank; axis++)
            if (dims[i][axis] != model->inputs[i].dims[axis])
                return false;
    return true;
}

const qcc_model *qcc_model_with_shapes(const qcc_model *model, const int64_t *const dims[])
{
    const unsigned count = dims ? qcc_model_shape_count(model) : 0;
    for (unsigned i = 0; i < count; i++)
        if (has_shapes(qcc_model_shape(model, i), dims))
            return qcc_model_shape(model, i);
    return NULL;
}
