/* rule_layers.c: whole layers as one op: recurrent ones, detection, state. */
#include <string.h>

#include "tests/random/rules.h"

/* ---- Recurrent layers ---- */

typedef struct layer {
    int64_t steps, batch, units, sequence[2]; /* sequence: the first two extents of what has all steps */
    int time_axis;
} layer;

static layer draw_layer(draw *d)
{
    layer l = {draw_between(d, 1, 5), draw_between(d, 1, 3), draw_channels(d), {0, 0}, (int)draw_below(d, 2)};

    if (l.units > 33)
        l.units = 33;
    l.sequence[l.time_axis] = l.steps;
    l.sequence[1 - l.time_axis] = l.batch;
    return l;
}

static ir_value *draw_matrix(draw *d, ir_dtype t, int64_t rows, int64_t columns, const ir_quant *quant,
                             int constant_percent)
{
    const ir_type type = ir_type_make(t, 2, (int64_t[]){rows, columns});
    return draw_take(d, &(draw_want){.dtype = t,
                                     .kind = DRAW_PLAIN,
                                     .type = &type,
                                     .quant = quant,
                                     .exact = true,
                                     .constant_percent = constant_percent});
}

/* Recurrent weights are constants in all files. */
static ir_value *draw_weights(draw *d, ir_dtype t, int64_t rows, int64_t columns, const ir_quant *quant)
{
    return draw_constant(d, ir_type_make(t, 2, (int64_t[]){rows, columns}), quant, -1);
}

static const ir_quant *symmetric(draw *d, int64_t channels)
{
    float scales[512];
    const int32_t zeros[512] = {0};

    for (int64_t c = 0; c < channels; c++)
        scales[c] = (float)draw_between(d, 100, 900) / 100000;
    return draw_chance(d, 50) ? ir_quant_new(d->graph, 0, (int32_t)channels, scales, zeros)
                              : ir_quant_tensor(d->graph, scales[0], 0);
}

bool rule_recurrent(draw *d, ir_opcode code, const draw_types *t)
{
    const layer l = draw_layer(d);
    const int64_t gates = code == IR_LSTM ? 4 : code == IR_GRU ? 3 : 1;
    const ir_type xw = ir_type_make(t->operand[0], 3, (int64_t[]){l.sequence[0], l.sequence[1], gates * l.units});
    ir_value *operands[4] = {draw_take(d, &(draw_want){.dtype = IR_F32, .type = &xw, .exact = true}),
                             draw_weights(d, t->operand[1], gates * l.units, l.units,
                                          t->operand[1] == IR_I8 ? symmetric(d, gates * l.units) : NULL),
                             draw_matrix(d, IR_F32, l.batch, l.units, NULL, 30)};
    int count = 3;

    if (code == IR_LSTM)
        operands[count++] = draw_matrix(d, IR_F32, l.batch, l.units, NULL, 30);
    if (code == IR_GRU && draw_chance(d, 60))
        operands[count++] = draw_constant(d, ir_type_make(IR_F32, 1, &l.units), NULL, -1);
    draw_op(d, code, count, operands);
    ir_set_int(d->op, IR_ATTR_TIME_AXIS, l.time_axis);
    ir_set_int(d->op, IR_ATTR_REVERSED, draw_below(d, 2));
    if (code == IR_LSTM && draw_chance(d, 30))
        ir_set_float(d->op, IR_ATTR_CELL_CLIP, 0.75f);
    if (code == IR_RNN)
        ir_set_int(d->op, IR_ATTR_RECTIFIED, draw_below(d, 2));
    for (int i = 0; i < ir_op_info_of(code)->results; i++)
        if (!draw_result(d, i, IR_F32, NULL))
            return false;
    return true;
}

bool rule_lstm_quant(draw *d, ir_opcode code, const draw_types *t)
{
    const layer l = draw_layer(d);
    const ir_type type = ir_type_make(t->operand[0], 3, (int64_t[]){l.sequence[0], l.sequence[1], draw_channels(d)});
    const ir_quant *h = ir_quant_tensor(d->graph, 1 / 128.0f, draw_zero(d, t->operand[4]));
    const ir_quant *c = ir_quant_tensor(d->graph, 1 / (float)((int64_t)1 << draw_between(d, 9, 15)), 0);
    const int64_t gates = 4 * l.units;
    ir_value *x = draw_take(d, &(draw_want){.dtype = type.dtype, .kind = DRAW_QUANTIZED, .type = &type});
    ir_value *operands[] = {x,
                            draw_weights(d, IR_I8, gates, type.dims[2], symmetric(d, gates)),
                            draw_weights(d, IR_I8, gates, l.units, symmetric(d, gates)),
                            draw_constant(d, ir_type_make(IR_I32, 1, &gates), NULL, -1),
                            draw_matrix(d, t->operand[4], l.batch, l.units, h, 20),
                            draw_matrix(d, IR_I16, l.batch, l.units, c, 20)};

    draw_op(d, code, 6, operands);
    ir_set_int(d->op, IR_ATTR_TIME_AXIS, l.time_axis);
    if (draw_chance(d, 30))
        ir_set_float(d->op, IR_ATTR_CELL_CLIP, 1.5f);
    return draw_result(d, 0, t->result[0], h) && draw_result(d, 1, t->result[1], h) &&
           draw_result(d, 2, t->result[2], c);
}

/* ---- Detection ---- */

static ir_value *draw_cube(draw *d, ir_dtype t, int64_t a, int64_t b, int64_t c)
{
    const ir_type type = ir_type_make(t, 3, (int64_t[]){a, b, c});
    return draw_take(d, &(draw_want){.dtype = t, .kind = DRAW_QUANTIZED, .type = &type, .exact = true});
}

bool rule_detection(draw *d, ir_opcode code, const draw_types *t)
{
    const int64_t n = draw_between(d, 1, 40), classes = draw_between(d, 1, 5), rows = draw_between(d, 1, 12),
                  most = draw_between(d, 1, 3);
    const int64_t regular = draw_below(d, 2), taken = regular ? 1 : most < classes ? most : classes, out = rows * taken;
    const ir_type anchors = ir_type_make(t->operand[2], 2, (int64_t[]){n, 4});
    ir_value *operands[] = {draw_cube(d, t->operand[0], 1, n, 4),
                            draw_cube(d, t->operand[1], 1, n, classes + draw_below(d, 2)),
                            draw_take(d, &(draw_want){.dtype = anchors.dtype,
                                                      .kind = DRAW_QUANTIZED,
                                                      .type = &anchors,
                                                      .exact = true,
                                                      .constant_percent = 70})};
    const ir_type results[] = {ir_type_make(IR_F32, 3, (int64_t[]){1, out, 4}),
                               ir_type_make(IR_F32, 2, (int64_t[]){1, out}),
                               ir_type_make(IR_F32, 2, (int64_t[]){1, out}), ir_type_make(IR_F32, 1, (int64_t[]){1})};

    draw_op(d, code, 3, operands);
    ir_set_int(d->op, IR_ATTR_MAX_DETECTIONS, rows);
    ir_set_int(d->op, IR_ATTR_MAX_CLASSES, most);
    ir_set_int(d->op, IR_ATTR_PER_CLASS, draw_between(d, 1, 20));
    ir_set_int(d->op, IR_ATTR_NUM_CLASSES, classes);
    ir_set_int(d->op, IR_ATTR_REGULAR_NMS, regular);
    ir_set_float(d->op, IR_ATTR_SCORE_THRESHOLD, (float)draw_between(d, -20, 60) / 100);
    ir_set_float(d->op, IR_ATTR_IOU_THRESHOLD, (float)draw_between(d, 10, 90) / 100);
    ir_set_floats(d->op, IR_ATTR_SCALES, 4, (float[]){10, 10, 5, 5});
    for (int i = 0; i < 4; i++)
        draw_result_as(d, i, &results[i], NULL);
    return true;
}

bool rule_nms(draw *d, ir_opcode code, const draw_types *t)
{
    const int64_t images = draw_between(d, 1, 3), n = draw_between(d, 1, 30), classes = draw_between(d, 1, 5),
                  rows = draw_between(d, 1, 20);
    ir_value *operands[] = {draw_cube(d, t->operand[0], images, n, 4), draw_cube(d, t->operand[1], images, classes, n)};
    const ir_type results[] = {ir_type_make(IR_F32, 2, (int64_t[]){images * rows, 6}),
                               ir_type_make(IR_I32, 1, (int64_t[]){images * rows}), ir_type_make(IR_I32, 1, &images)};

    draw_op(d, code, 2, operands);
    ir_set_int(d->op, IR_ATTR_MAX_DETECTIONS, rows);
    ir_set_int(d->op, IR_ATTR_BACKGROUND, draw_between(d, -1, classes - 1));
    ir_set_int(d->op, IR_ATTR_CANDIDATES, draw_between(d, 1, n));
    ir_set_float(d->op, IR_ATTR_SCORE_THRESHOLD, (float)draw_between(d, -20, 60) / 100);
    ir_set_int(d->op, IR_ATTR_PIXELS, draw_below(d, 2));
    if (code == IR_CLASS_NMS) {
        ir_set_float(d->op, IR_ATTR_IOU_THRESHOLD, (float)draw_between(d, 10, 90) / 100);
        ir_set_float(d->op, IR_ATTR_ETA, draw_chance(d, 60) ? 1 : 0.9f);
        ir_set_int(d->op, IR_ATTR_CLASS_LIMIT, draw_below(d, 5));
        ir_set_int(d->op, IR_ATTR_EMPTY_STAYS, draw_below(d, 2));
    } else {
        ir_set_float(d->op, IR_ATTR_POST_THRESHOLD, (float)draw_between(d, -20, 60) / 100);
        ir_set_float(d->op, IR_ATTR_SIGMA, draw_chance(d, 50) ? 0 : (float)draw_between(d, 5, 300) / 100);
    }
    for (int i = 0; i < 3; i++)
        draw_result_as(d, i, &results[i], NULL);
    return true;
}

/* ---- State: a variable that the same graph reads and writes; the memory plan alone gives it a place ---- */

static const char *variable_name(draw *d) { return arena_format(d->graph->arena, "v%d", (int)draw_below(d, 3)); }

/* The type that another op has for the variable; NULL: it is new. */
static const ir_value *variable_value(const ir_graph *g, const char *name)
{
    for (const ir_op *op = g->first; op; op = op->next)
        if ((op->code == IR_READ_VARIABLE || op->code == IR_WRITE_VARIABLE) &&
            !strcmp(ir_str(op, IR_ATTR_VARIABLE), name))
            return op->code == IR_READ_VARIABLE ? op->results[0] : op->operands[0].value;
    return NULL;
}

bool rule_read_variable(draw *d, ir_opcode code, const draw_types *t)
{
    if (!d->options->pipeline)
        return false;
    const char *name = variable_name(d);
    const ir_value *known = variable_value(d->graph, name);
    const ir_type fresh = draw_shape(d, t->result[0], 0, 4), type = known ? known->type : fresh;
    const ir_quant *quant = known ? known->quant : draw_quant(d, type.dtype);

    draw_op(d, code, 0, NULL);
    ir_set_str(d->op, IR_ATTR_VARIABLE, name);
    return draw_result_as(d, 0, &type, quant);
}

bool rule_write_variable(draw *d, ir_opcode code, const draw_types *t)
{
    if (!d->options->pipeline)
        return false;
    const char *name = variable_name(d);
    const ir_value *known = variable_value(d->graph, name);
    const draw_want same = {.dtype = known ? known->type.dtype : t->operand[0],
                            .kind = known && !known->quant ? DRAW_PLAIN : DRAW_QUANTIZED,
                            .type = known ? &known->type : NULL,
                            .quant = known ? known->quant : NULL,
                            .most_rank = 4,
                            .exact = true};
    ir_value *x = draw_take(d, &same);

    draw_op(d, code, 1, &x);
    ir_set_str(d->op, IR_ATTR_VARIABLE, name);
    return true;
}
