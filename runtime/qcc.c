/* qcc.c: walks the steps of a model.  Everything that could fail is checked before the first step. */
#include "qcc.h"

#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "model_abi.h"
#include "pool.h"
#include "profile.h"
#include "variant.h"

enum { ALIGNMENT = 64 }; /* of the workspace and of weights */

unsigned qcc_model_input_count(const qcc_model *model) { return model ? model->input_count : 0; }
unsigned qcc_model_output_count(const qcc_model *model) { return model ? model->output_count : 0; }

const qcc_tensor_info *qcc_model_input(const qcc_model *model, unsigned index)
{
    return index < qcc_model_input_count(model) ? &model->inputs[index] : NULL;
}

const qcc_tensor_info *qcc_model_output(const qcc_model *model, unsigned index)
{
    return index < qcc_model_output_count(model) ? &model->outputs[index] : NULL;
}

size_t qcc_model_workspace_bytes(const qcc_model *model) { return model ? (size_t)model->workspace_bytes : 0; }

static bool buffers_present(const void *const buffers[], uint32_t count, const qcc_tensor_info *info)
{
    if (count > 0 && !buffers)
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (!buffers[i] && info[i].bytes > 0)
            return false;
    return true;
}

static bool is_aligned(const void *pointer) { return (uintptr_t)pointer % ALIGNMENT == 0; }

static bool weights_fit(const qcc_weights_slot *slot, const void *bytes)
{
    const qcc_weights_header *header = bytes;
    return header->magic == QCC_WEIGHTS_MAGIC && header->abi_version == QCC_ABI_VERSION && header->id == slot->id;
}

/* A program may also have set the pointer itself; how long its buffer is can't be seen then. */
static qcc_status check_weights(const qcc_weights_slot *slot)
{
    if (!slot)
        return QCC_OK;
    if (!slot->bytes)
        return QCC_NO_WEIGHTS;
    return is_aligned(slot->bytes) && weights_fit(slot, slot->bytes) ? QCC_OK : QCC_BAD_WEIGHTS;
}

const char *qcc_model_target(const qcc_model *model)
{
    const qcc_variant *variant = model && qcc_model_is_known(model) ? qcc_variant_here(model) : NULL;
    return variant ? variant->target : NULL;
}

/* Everything that qcc_run may refuse; fills in the frame. */
static qcc_status prepare(const qcc_model *model, const void *const inputs[], void *const outputs[], void *workspace,
                          qcc_frame *out_frame, const qcc_variant **out_variant)
{
    if (!model)
        return QCC_BAD_ARGUMENT;
    if (!qcc_model_is_known(model))
        return QCC_BAD_MODEL;
    if (!buffers_present(inputs, model->input_count, model->inputs) ||
        !buffers_present((const void *const *)outputs, model->output_count, model->outputs))
        return QCC_BAD_ARGUMENT;
    if ((!workspace && model->workspace_bytes > 0) || !is_aligned(workspace))
        return QCC_BAD_ARGUMENT;
    *out_variant = qcc_variant_here(model);
    if (!*out_variant)
        return QCC_UNSUPPORTED_CPU;
    *out_frame = (qcc_frame){inputs, outputs, workspace, model->weights ? model->weights->bytes : NULL};
    return check_weights(model->weights);
}

qcc_status qcc_run_timed(const qcc_model *model, const void *const inputs[], void *const outputs[], void *workspace,
                         qcc_pool *pool, double seconds[])
{
    qcc_frame frame;
    const qcc_variant *variant;
    const qcc_status status = prepare(model, inputs, outputs, workspace, &frame, &variant);
    if (status != QCC_OK)
        return status;
    qcc_pool *workers = qcc_pool_here(pool);
    const uint32_t mode = qcc_float_mode_default();
    double before = seconds ? qcc_clock_seconds() : 0;
    for (uint32_t i = 0; i < variant->step_count; i++) {
        qcc_pool_run_step(workers, &variant->steps[i], &frame);
        if (seconds) {
            const double now = qcc_clock_seconds();
            seconds[i] += now - before;
            before = now;
        }
    }
    qcc_float_mode_restore(mode);
    return QCC_OK;
}

qcc_status qcc_run(const qcc_model *model, const void *const inputs[], void *const outputs[], void *workspace,
                   qcc_pool *pool)
{
    return qcc_run_timed(model, inputs, outputs, workspace, pool, NULL);
}

void qcc_reset(const qcc_model *model, void *workspace)
{
    if (model && workspace && qcc_model_is_known(model) && model->state_bytes > 0)
        memcpy((unsigned char *)workspace + model->state_offset, model->initial_state, (size_t)model->state_bytes);
}

qcc_status qcc_set_weights(const qcc_model *model, const void *weights, size_t size)
{
    if (!model || !weights)
        return QCC_BAD_ARGUMENT;
    if (!qcc_model_is_known(model))
        return QCC_BAD_MODEL;
    if (!model->weights || !is_aligned(weights))
        return QCC_BAD_ARGUMENT;
    if (size != model->weights_bytes || !weights_fit(model->weights, weights))
        return QCC_BAD_WEIGHTS;
    model->weights->bytes = weights;
    return QCC_OK;
}

const char *qcc_status_text(qcc_status status)
{
    switch (status) {
    case QCC_OK: return "ok";
    case QCC_UNSUPPORTED_CPU: return "the CPU lacks instructions that the model was compiled for";
    case QCC_BAD_ARGUMENT: return "a pointer is NULL, or not 64-byte aligned where it has to be";
    case QCC_BAD_MODEL: return "the model was compiled for another version of the runtime library";
    case QCC_NO_WEIGHTS: return "the model's weights are in a file that the program has not loaded";
    case QCC_BAD_WEIGHTS: return "the weights are not those that the model was compiled with";
    }
    return "unknown status";
}

double qcc_clock_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}
