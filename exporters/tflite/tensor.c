/* tensor.c: values as tensors.
 *
 *     %3:i8<1x8; 0.5, 3> "y"  ──▶  Tensor{type = INT8, shape = [1, 8], quantization = {[0.5], [3]}, name = "y"} */
#include <string.h>

#include "exporters/tflite/write.h"

int32_t export_tensor_new(export_model *m, ir_type type, const ir_quant *quant, const void *data, const char *name)
{
    if (m->tensor_count == m->tensor_room) {
        m->tensor_room = m->tensor_room ? 2 * m->tensor_room : 64;
        export_tensor *more = ARENA_ARRAY(m->memory, export_tensor, m->tensor_room);
        if (m->tensor_count)
            memcpy(more, m->tensors, (size_t)m->tensor_count * sizeof *more);
        m->tensors = more;
    }
    m->tensors[m->tensor_count] = (export_tensor){.type = type, .quant = quant, .data = data, .name = name};
    return m->tensor_count++;
}

int32_t export_value(export_model *m, const ir_value *v)
{
    if (!v)
        return EXPORT_ABSENT;
    if (m->tensor_of[v->id] == EXPORT_ABSENT)
        m->tensor_of[v->id] = export_tensor_new(m, v->type, v->quant, v->data, v->name);
    return m->tensor_of[v->id];
}

int32_t export_between(export_node *n, ir_type type, const ir_quant *quant)
{
    return export_tensor_new(n->model, type, quant, NULL, NULL);
}

int32_t export_const(export_node *n, ir_type type, const ir_quant *quant, const void *data, const ir_value *like)
{
    return export_tensor_new(n->model, type, quant, data, like ? like->name : NULL);
}

int32_t export_ints(export_node *n, int rank, const int64_t dims[], const int64_t values[])
{
    const ir_type type = ir_type_make(IR_I32, rank, dims);
    const int64_t count = ir_type_elements(&type);
    int32_t *data = ARENA_ARRAY(n->model->memory, int32_t, count + 1);
    for (int64_t i = 0; i < count; i++)
        data[i] = (int32_t)values[i];
    return export_const(n, type, NULL, data, NULL);
}

int32_t export_list(export_node *n, int count, const int64_t values[])
{
    const int64_t dims[1] = {count};
    return export_ints(n, 1, dims, values);
}

int32_t export_int(export_node *n, int64_t value) { return export_ints(n, 0, NULL, &value); }

int32_t export_float(export_node *n, float value)
{
    return export_const(n, ir_type_make(IR_F32, 0, NULL), NULL, arena_copy(n->model->memory, &value, sizeof value),
                        NULL);
}
