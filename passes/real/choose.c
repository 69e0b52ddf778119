/* choose.c: the options --quantize=none, --quantized-ops and --keep-float become marks of the ops that have to be
 * computed in float (`keep_float`, and the reason in `why_float`), while ops still have the names and numbers of the
 * file.
 *
 * --quantized-ops takes names of IR ops, the aliases below, and the file's own names of its ops (CONV_2D, Conv, mul).
 * --keep-float takes layers: the op's name, the name of a result, or the number of the node in the file; where there is
 * no such layer, a group (choose_groups.c) or a pattern for names.  Naming what a quantize, fake_quant or the like puts
 * on a grid means the op that computes it. */
#include "passes/real/choose.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "passes/common/util.h"

/* ---- Lists of names ---- */

typedef struct cursor {
    const pass_names *names;
    int item;
    const char *at; /* in the item; NULL: at its start */
} cursor;

/* The next name that is not empty; NULL at the end. */
static const char *next_name(cursor *c, size_t *out_length)
{
    while (c->item < c->names->count) {
        const char *from = c->at ? c->at : c->names->item[c->item];
        *out_length = strcspn(from, ",");
        c->at = from + *out_length + 1;
        if (from[*out_length] == 0) {
            c->item++;
            c->at = NULL;
        }
        if (*out_length > 0)
            return from;
    }
    return NULL;
}

static bool equal(const char *text, const char *name, size_t length)
{
    return text && strlen(text) == length && strncmp(text, name, length) == 0;
}

static bool equal_but_case(const char *text, const char *name, size_t length)
{
    return text && strlen(text) == length && strncasecmp(text, name, length) == 0;
}

/* ---- Kinds of ops ---- */

/* clang-format off */
static const struct { const char *name; ir_opcode code; } aliases[] = {
    {"conv", IR_CONV2D}, {"conv", IR_DEPTHWISE_CONV2D}, {"conv", IR_TRANSPOSE_CONV2D},
    {"conv2d_transpose", IR_TRANSPOSE_CONV2D}, {"depthwise_conv", IR_DEPTHWISE_CONV2D},
    {"fc", IR_FULLY_CONNECTED}, {"linear", IR_FULLY_CONNECTED}, {"gemm", IR_FULLY_CONNECTED},
    {"matmul", IR_BATCH_MATMUL}, {"matmul", IR_FULLY_CONNECTED},
    {"matmul_v2", IR_BATCH_MATMUL}, {"matmul_v2", IR_FULLY_CONNECTED},
    {"pool2d", IR_AVG_POOL2D}, {"pool2d", IR_MAX_POOL2D}, {"pool", IR_AVG_POOL2D}, {"pool", IR_MAX_POOL2D},
    {"elementwise_add", IR_ADD}, {"elementwise_sub", IR_SUB}, {"elementwise_mul", IR_MUL}, {"elementwise_div", IR_DIV},
    {"reshape2", IR_RESHAPE}, {"transpose2", IR_TRANSPOSE}, {"sigmoid", IR_LOGISTIC}, {"relu6", IR_RELU},
    {"hardswish", IR_HARD_SWISH}, {"reduce_mean", IR_MEAN}, {"split", IR_SLICE},
    {"nearest_interp", IR_RESIZE_NEAREST}, {"bilinear_interp", IR_RESIZE_BILINEAR},
};
/* clang-format on */
enum { ALIASES = sizeof aliases / sizeof aliases[0] };

static bool code_is_named(ir_opcode code, const char *name, size_t length)
{
    if (equal(ir_op_info_of(code)->text, name, length))
        return true;
    for (int i = 0; i < ALIASES; i++)
        if (aliases[i].code == code && equal(aliases[i].name, name, length))
            return true;
    return false;
}

static bool op_is_named(const ir_op *op, const char *name, size_t length)
{
    const char *kind = op->loc.kind;
    if (equal_but_case(kind, name, length))
        return true;
    if (kind && strncmp(kind, "elementwise_", 12) == 0 && equal("mul", name, length))
        return false; /* Paddle's mul is a matrix product */
    return code_is_named(op->code, name, length);
}

bool choose_is_asked_for(const pass_options *o, const ir_op *op)
{
    cursor c = {.names = &o->quantized_ops};
    size_t length;
    for (const char *name; (name = next_name(&c, &length)) != NULL;)
        if (op_is_named(op, name, length))
            return true;
    return false;
}

static bool exists(const ir_graph *g, const char *name, size_t length)
{
    for (int code = 0; code < IR_OPCODE_COUNT; code++)
        if (code_is_named((ir_opcode)code, name, length))
            return true;
    for (const ir_op *op = g->first; op; op = op->next)
        if (equal_but_case(op->loc.kind, name, length))
            return true;
    return false;
}

static bool check_names(const ir_graph *g, const pass_options *o, diag *d)
{
    cursor c = {.names = &o->quantized_ops};
    size_t length;
    for (const char *name; (name = next_name(&c, &length)) != NULL;)
        if (!exists(g, name, length))
            return diag_error(d, NULL, "--quantized-ops: there is no op called '%.*s' (see --list-ops)", (int)length,
                              name);
    return true;
}

/* ---- Layers ---- */

/* Puts values on a grid, or says where one is: what it names is what it works on. */
static bool is_annotation(const ir_op *op)
{
    return op->code == IR_QUANTIZE || op->code == IR_DEQUANTIZE || op->code == IR_FAKE_QUANT ||
           op->code == IR_OBSERVE || op->code == IR_REQUANTIZE;
}

static void keep(ir_op *op, const char *why)
{
    while (is_annotation(op)) {
        op->keep_float = true;
        op->why_float = why;
        ir_op *def = op->operands[0].value->def;
        if (!def)
            return;
        op = def;
    }
    op->keep_float = true;
    op->why_float = why;
}

static bool is_layer(const ir_op *op, const char *name, size_t length)
{
    char *end;
    if (equal(op->name, name, length))
        return true;
    for (int i = 0; i < ir_op_info_of(op->code)->results; i++)
        if (equal(op->results[i]->name, name, length))
            return true;
    if (length > 9 || name[0] < '0' || name[0] > '9' || op->loc.node < 0)
        return false;
    long number = strtol(name, &end, 10);
    return end == name + length && op->loc.node == number;
}

/* By op: those of that name. */
static bool *layers_called(const ir_graph *g, const char *name, size_t length, arena *a)
{
    bool *chosen = ARENA_ARRAY(a, bool, g->next_id);
    for (const ir_op *op = g->first; op; op = op->next)
        chosen[op->id] = is_layer(op, name, length);
    return chosen;
}

static bool matches(const char *name, const char *pattern) { return name && fnmatch(pattern, name, 0) == 0; }

static bool *layers_like(const ir_graph *g, const char *name, size_t length, arena *a)
{
    bool *chosen = ARENA_ARRAY(a, bool, g->next_id);
    const char *pattern = arena_format(a, "%.*s", (int)length, name);
    for (const ir_op *op = g->first; op; op = op->next) {
        chosen[op->id] = matches(op->name, pattern);
        for (int i = 0; i < ir_op_info_of(op->code)->results; i++)
            chosen[op->id] |= matches(op->results[i]->name, pattern);
    }
    return chosen;
}

static bool keep_chosen(ir_graph *g, const bool chosen[])
{
    bool found = false;
    for (ir_op *op = g->first; op; op = op->next)
        if (chosen[op->id]) {
            keep(op, "kept in float by --keep-float");
            found = true;
        }
    return found;
}

static bool keep_layers(ir_graph *g, const pass_options *o, arena *a, diag *d)
{
    cursor c = {.names = &o->keep_float};
    size_t length;
    for (const char *name; (name = next_name(&c, &length)) != NULL;) {
        if (keep_chosen(g, layers_called(g, name, length, a)))
            continue;
        const bool *group = choose_group(g, name, length, a);
        if (!keep_chosen(g, group ? group : layers_like(g, name, length, a)))
            return group ? diag_error(d, NULL, "--keep-float: the model has no layers of the group '%.*s'", (int)length,
                                      name)
                         : diag_error(d, NULL, "--keep-float: there is no layer '%.*s'", (int)length, name);
    }
    return true;
}

/* The value that a clamp, or an op with a constant, works on; NULL: another op. */
static const ir_value *finished(const ir_op *op)
{
    switch (op->code) {
    case IR_RELU: return op->operands[0].value;
    case IR_MINIMUM:
    case IR_MAXIMUM:
    case IR_ADD:
    case IR_SUB:
    case IR_MUL:
        return ir_is_const(op->operands[1].value)   ? op->operands[0].value
               : ir_is_const(op->operands[0].value) ? op->operands[1].value
                                                    : NULL;
    default: return NULL;
    }
}

/* Are a recurrent layer's products with its operand what op computes? */
static bool is_part_of_recurrent(const pass_options *o, const ir_op *op)
{
    for (const ir_operand *slot = op->results[0]->uses; slot; slot = slot->next_use) {
        const ir_opcode code = slot->user->code;
        if ((code == IR_LSTM || code == IR_GRU || code == IR_RNN) && slot == slot->user->operands &&
            choose_is_asked_for(o, slot->user))
            return true;
    }
    return false;
}

/* Is op one of those asked for, or the bias, scale or activation that a product asked for ends with? */
static bool is_part_of_asked(const pass_options *o, const ir_op *op)
{
    if (choose_is_asked_for(o, op) || (op->code == IR_FULLY_CONNECTED && is_part_of_recurrent(o, op)))
        return true;
    const ir_value *x;
    while ((x = finished(op)) != NULL && x->def && pass_single_user(x) == op) {
        op = x->def;
        bool product = (ir_op_info_of(op->code)->flags & IR_MAC) || op->code == IR_BATCH_MATMUL;
        if (product)
            return choose_is_asked_for(o, op);
    }
    return false;
}

static void keep_all_but(ir_graph *g, const pass_options *o)
{
    for (ir_op *op = g->first; op; op = op->next)
        if (!is_annotation(op) && !is_part_of_asked(o, op)) {
            op->keep_float = true;
            op->why_float = "not among --quantized-ops";
        }
}

static void keep_everything(ir_graph *g)
{
    for (ir_op *op = g->first; op; op = op->next) {
        op->keep_float = true;
        op->why_float = "--quantize=none";
    }
}

pass_result pass_choose(ir_graph *g, pass_context *c)
{
    const pass_options *o = c->options;
    if (!check_names(g, o, c->diag))
        return PASS_FAILED;
    if (o->quantized_ops.count > 0)
        keep_all_but(g, o);
    if (!keep_layers(g, o, c->scratch, c->diag))
        return PASS_FAILED;
    if (o->quantize == PASS_QUANTIZE_NONE)
        keep_everything(g);
    const bool any = o->quantized_ops.count > 0 || o->keep_float.count > 0 || o->quantize == PASS_QUANTIZE_NONE;
    return any ? PASS_CHANGED : PASS_UNCHANGED;
}
