/* cost.c: an op of a lowered graph -> an estimate of its time.
 *
 *     products   max(multiply-adds / (what the target's registers do in a cycle * the part of it that kernels reach),
 *                    bytes / bytes a cycle) + what is done to each result
 *     others     bytes / bytes a cycle + what is done to each result
 *
 * and what a step costs by itself.  Multiply-adds count as kernels make them: whole vectors of 16 columns, and of bytes four
 * of a run.  The constants are those of profiles of MobileNets and ResNets, on bytes and on floats, by one core of an AMD
 * Zen 4 with AVX-512: most ops are within a quarter of what they took there, the sums within a tenth. */
#include "compiler/codegen/object/cost.h"

#include <math.h>
#include <string.h>

#include "compiler/schedule/machine.h"

static const double hertz = 3e9, cycles_a_step = 100;
/* The part of the peak. */
static const double reached = 0.6, reached_depthwise = 0.66, reached_depthwise_bytes = 0.33;
/* Bytes a cycle: of values, which the second-level cache holds; of weights, which it holds in part. */
static const double value_bytes = 38, weight_bytes = 20;
/* Cycles to a vector of results. */
static const double of_rounding = 2; /* of sums of floats onto a grid */
static const double of_residual = 2.7, of_real_residual = 1.2;
/* Cycles to an element. */
static const double of_widening = 0.05;       /* a depthwise kernel makes a word of each byte */
static const double of_quantizing = 0.03;     /* to a grid, or from one */
static const double of_integer = 0.24;        /* integer arithmetic ends on a grid of its own */
static const double of_function_byte = 0.125; /* what is no plain arithmetic: to a byte of its operands and results */

enum { LANES = SCHEDULE_BLOCK, STEP_BYTES = 4 };

int64_t cg_multiply_adds(const ir_op *op)
{
    const ir_value *x = ir_operand_value(op, 0), *w = ir_operand_value(op, 1);
    if (op->code == IR_BATCH_MATMUL) {
        const ir_type *a = &x->type;
        return ir_type_elements(&op->results[0]->type) * a->dims[a->rank - (ir_int(op, IR_ATTR_ADJ_A) ? 2 : 1)];
    }
    if (!(ir_op_info_of(op->code)->flags & IR_MAC) || !w)
        return 0;
    const int64_t results = ir_type_elements(&op->results[0]->type), weights = ir_type_elements(&w->type);
    if (op->code == IR_DEPTHWISE_CONV2D)
        return results * w->type.dims[1] * w->type.dims[2];
    if (w->type.dims[0] == 0)
        return 0;
    if (op->code == IR_TRANSPOSE_CONV2D)
        return ir_type_elements(&x->type) * (w->type.dims[3] ? weights / w->type.dims[3] : 0);
    return results * (weights / w->type.dims[0]);
}

/* ---- Bytes ---- */

static bool lies_within(const ir_value *a, const ir_value *b)
{
    return a->place.space == b->place.space && a->place.index == b->place.index && a->place.offset >= b->place.offset &&
           a->place.offset < b->place.offset + (int64_t)ir_type_bytes(&b->type);
}

/* What only moves data moves none, where the memory plan has made operands and result one. */
static bool is_view(const ir_op *op)
{
    bool view = ir_op_info_of(op->code)->flags & IR_SAME_QUANT && op->operand_count > 0;
    for (int i = 0; i < op->operand_count && view; i++) {
        const ir_value *x = op->operands[i].value, *y = op->results[0];
        view = x && (lies_within(x, y) || lies_within(y, x));
    }
    return view;
}

static double bytes_of(const ir_op *op, bool constant)
{
    double bytes = 0;
    for (int i = 0; i < op->operand_count; i++) {
        const ir_value *v = op->operands[i].value;
        bytes += v && ir_is_const(v) == constant ? (double)ir_type_bytes(&v->type) : 0;
    }
    for (int i = 0; i < ir_op_info_of(op->code)->results && !constant; i++)
        bytes += (double)ir_type_bytes(&op->results[i]->type);
    return bytes;
}

static double memory_cycles(const ir_op *op)
{
    return bytes_of(op, false) / value_bytes + bytes_of(op, true) / weight_bytes;
}

/* ---- Products ---- */

typedef struct product {
    bool is_float, depthwise; /* its own kernels, not those of convolutions */
    double columns, run;      /* of a group; neighbouring numbers of a window */
} product;

static product product_of(const ir_op *op)
{
    const ir_type *x = &op->operands[0].value->type, *w = &op->operands[1].value->type, *y = &op->results[0]->type;
    const double out = y->rank > 0 ? (double)y->dims[y->rank - 1] : 1,
                 in = x->rank > 0 ? (double)x->dims[x->rank - 1] : 1;
    product p = {.is_float = ir_dtype_is_float(x->dtype), .columns = out, .run = in};
    if (op->code == IR_DEPTHWISE_CONV2D) {
        p.depthwise = strncmp(op->kernel.name, "depthwise", strlen("depthwise")) == 0;
        p.columns = p.depthwise ? out : out / fmax(in, 1);
        p.run = 1;
    } else if (op->code == IR_CONV2D) {
        const double groups = (double)ir_int(op, IR_ATTR_GROUPS);
        p.columns = out / groups;
        p.run = (double)w->dims[3] * (groups > 1 ? 1 : (double)w->dims[2]);
    }
    return p;
}

/* How much more it is in whole pieces. */
static double in_whole(double count, double piece) { return count > 0 ? ceil(count / piece) * piece / count : 1; }

/* Vectors of columns, of which the last one may have a few; of floats they are pixels of few channels, too. */
static double width_of(const product *p)
{
    return p->depthwise && p->is_float && p->columns < LANES ? 1 : in_whole(p->columns, LANES);
}

/* What is done to sums, and beside them. */
static double end_cycles(const ir_op *op, const product *p, const schedule_machine *m, double vectors)
{
    const ir_value *x = op->operands[0].value, *r = ir_operand_value(op, 3);
    double cycles = r ? vectors * (ir_dtype_is_float(r->type.dtype) ? of_real_residual : of_residual) : 0;
    if (p->is_float)
        cycles += op->results[0]->quant ? vectors * of_rounding : 0;
    else if (p->depthwise)
        cycles += (double)ir_type_elements(&x->type) * of_widening * width_of(p);
    else
        cycles += vectors * m->epilogue[0];
    return cycles;
}

static double product_cycles(const ir_op *op, const target_info *t)
{
    const product p = product_of(op);
    const schedule_machine m = schedule_machine_of(t, p.is_float ? SCHEDULE_FLOATS : SCHEDULE_BYTES);
    const double peak = (p.is_float ? 1 : STEP_BYTES) * LANES / m.multiply;
    const double part = !p.depthwise ? reached : p.is_float ? reached_depthwise : reached_depthwise_bytes;
    const double deep = p.is_float || p.depthwise ? 1 : in_whole(p.run, STEP_BYTES), wide = width_of(&p);
    const double vectors = (double)ir_type_elements(&op->results[0]->type) * wide / LANES;
    const double multiplies = (double)cg_multiply_adds(op) * wide * deep / (peak * part);
    return fmax(multiplies, memory_cycles(op)) + end_cycles(op, &p, &m, vectors);
}

/* ---- Others ---- */

static bool is_plain(const ir_op *op)
{
    switch (op->code) {
    case IR_ADD:
    case IR_SUB:
    case IR_MUL:
    case IR_MINIMUM:
    case IR_MAXIMUM:
    case IR_RELU:
    case IR_ABS:
    case IR_NEG:
    case IR_QUANTIZE:
    case IR_DEQUANTIZE:
    case IR_REQUANTIZE:
    case IR_MEAN:
    case IR_AVG_POOL2D:
    case IR_MAX_POOL2D:
    case IR_PAD: return true;
    default: return ir_op_info_of(op->code)->flags & IR_SAME_QUANT;
    }
}

static double rounding_cycles(const ir_op *op)
{
    const ir_value *y = op->results[0];
    const double elements = (double)ir_type_elements(&y->type);
    if (op->code == IR_QUANTIZE || op->code == IR_DEQUANTIZE)
        return elements * of_quantizing;
    const bool computes = y->quant && !(ir_op_info_of(op->code)->flags & IR_SAME_QUANT);
    return computes ? elements * of_integer : 0;
}

static double other_cycles(const ir_op *op)
{
    const double bytes = bytes_of(op, false) + bytes_of(op, true);
    return rounding_cycles(op) + (is_plain(op) ? memory_cycles(op) : bytes * of_function_byte);
}

double cg_op_cost(const ir_op *op, const target_info *t)
{
    if (!op->kernel.name || is_view(op) || ir_op_info_of(op->code)->results == 0)
        return 0;
    const bool multiplies = cg_multiply_adds(op) > 0;
    return ((multiplies ? product_cycles(op, t) : other_cycles(op)) + cycles_a_step) / hertz;
}

double cg_graph_cost(const ir_graph *g, const target_info *t)
{
    double seconds = 0;
    for (const ir_op *op = g->first; op; op = op->next)
        seconds += cg_op_cost(op, t);
    return seconds;
}
