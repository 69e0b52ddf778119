/* interp.c: runs ops one after the other, each by the evaluator that ref.def names.
 *
 *     graph, input buffers -> one buffer a value, freed after its last use -> output buffers */
#include "ir/ref/interp.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "ir/ref/ref.h"

/* ---- Dispatch ---- */

typedef struct evaluator {
    ir_ref_fn *run;
    ir_check_fn *check;
    const char *types;
} evaluator;

static const evaluator evaluators[IR_OPCODE_COUNT] = {
#define EVAL(CODE, evaluate, check, types) [IR_##CODE] = {evaluate, check, types},
#include "ir/ref/ref.def"
#undef EVAL
};

/* Does `type` match the token text[0..length)? */
static bool token_matches(const char *text, size_t length, ir_dtype type, ir_dtype first)
{
    if (length == 1 && *text == '*')
        return true;
    if (length == 1 && *text == '=')
        return type == first;
    while (length) {
        const char *comma = memchr(text, ',', length);
        const size_t n = comma ? (size_t)(comma - text) : length;
        if (ir_dtype_from_text(text, n) == type)
            return true;
        text += comma ? n + 1 : n;
        length -= comma ? n + 1 : n;
    }
    return false;
}

static const char *next_token(const char *text, size_t *out_length)
{
    while (*text == ' ')
        text++;
    *out_length = strcspn(text, " |");
    return text;
}

/* One alternative of a types column: "f32,i8 = > =". */
static bool alternative_matches(const char *text, const ir_op *op)
{
    const ir_dtype first =
        op->operand_count && op->operands[0].value ? op->operands[0].value->type.dtype : IR_DTYPE_NONE;
    size_t length;
    const char *token = next_token(text, &length), *last = NULL;
    size_t last_length = 0;
    for (int i = 0; i < op->operand_count; i++) {
        if (*token != '>') {
            last = token;
            last_length = length;
            token = next_token(token + length, &length);
        }
        if (!last)
            return false;
        if (op->operands[i].value && !token_matches(last, last_length, op->operands[i].value->type.dtype, first))
            return false;
    }
    while (length && *token != '>')
        token = next_token(token + length, &length);
    if (length)
        token = next_token(token + length, &length);
    for (int i = 0; i < ir_op_info_of(op->code)->results; i++) {
        if (!length || !token_matches(token, length, op->results[i]->type.dtype, first))
            return false;
        token = next_token(token + length, &length);
    }
    return true;
}

static bool types_match(const char *types, const ir_op *op)
{
    for (const char *text = types;; text++) {
        if (alternative_matches(text, op))
            return true;
        text = strchr(text, '|');
        if (!text)
            return false;
    }
}

static bool refuse_types(const ir_op *op, diag *d)
{
    char text[256];
    size_t n = 0;
    text[0] = 0;
    for (int i = 0; i < op->operand_count && n < sizeof text; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", i ? ", " : "",
                              op->operands[i].value ? ir_dtype_text(op->operands[i].value->type.dtype) : "none");
    for (int i = 0; i < ir_op_info_of(op->code)->results && n < sizeof text; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", i ? ", " : " -> ",
                              ir_dtype_text(op->results[i]->type.dtype));
    return ir_refuse(op, d, "not supported for types %s", text);
}

/* Products, conversions and functions of 8-bit values; what computes on real values ignores its rounding. */
static bool has_lite_form(const ir_op *op)
{
    const ir_op_info *info = ir_op_info_of(op->code);
    const ir_value *x = op->operands[0].value, *y = op->results[0];
    const bool bytes =
        ir_dtype_bytes(x->type.dtype) == 1 && (ir_dtype_bytes(y->type.dtype) == 1 || y->type.dtype == IR_F32);
    if (x->type.dtype == IR_F32)
        return op->code != IR_QUANTIZE || ir_dtype_bytes(y->type.dtype) == 1;
    return bytes &&
           ((info->flags & IR_MAC && !(op->operand_count > 3 && ir_operand_value(op, 3))) || info->flags & IR_LOOKUP);
}

/* What makes integers of real numbers, as a quantize or with one behind it. */
static bool has_away_form(const ir_op *op)
{
    const ir_dtype x = op->operands[0].value->type.dtype, y = op->results[0]->type.dtype;
    const bool sums =
        ir_op_info_of(op->code)->flags & IR_MAC || op->code == IR_ADD || op->code == IR_SUB || op->code == IR_MUL;
    if (op->code == IR_REQUANTIZE)
        return x == IR_U8 && y == IR_U8;
    return op->code == IR_QUANTIZE || (sums && x == IR_F32 && (y == IR_U8 || y == IR_I8));
}

bool ir_op_supported(const ir_op *op, diag *d)
{
    const evaluator *e = &evaluators[op->code];
    const ir_op_info *info = ir_op_info_of(op->code);
    if (!e->run)
        return ir_refuse(op, d, "not supported");
    if (op->operand_count < info->min_operands)
        return ir_refuse(op, d, "%d operands, needs at least %d", op->operand_count, info->min_operands);
    for (int i = 0; i < info->min_operands; i++)
        if (!op->operands[i].value)
            return ir_refuse(op, d, "operand %d is absent", i);
    for (int i = 0; i < info->results; i++)
        if (!op->results[i])
            return ir_refuse(op, d, "result %d has no type", i);
    if (!types_match(e->types, op))
        return refuse_types(op, d);
    if (ir_has_attr(op, IR_ATTR_ROUNDING) && ir_int(op, IR_ATTR_ROUNDING) == IR_ROUNDING_AWAY_F32 && !has_away_form(op))
        return ir_refuse(
            op, d, "away_f32 is defined for real numbers that become integers, and for a requantize from u8 to u8");
    if (ir_has_attr(op, IR_ATTR_ROUNDING) && ir_int(op, IR_ATTR_ROUNDING) == IR_ROUNDING_LITE_F32 && !has_lite_form(op))
        return ir_refuse(op, d, "lite_f32 is not defined for this op on these types");
    return e->check(op, d);
}

bool ir_eval_op(const ir_op *op, const void *const operands[], void *const results[], diag *d)
{
    return ir_op_supported(op, d) && evaluators[op->code].run(op, operands, results, d);
}

enum { EVAL_PRODUCTS = 1 << 28 };

bool ir_eval_takes_long(const ir_op *op)
{
    const ir_op_info *info = ir_op_info_of(op->code);
    int64_t to = 0, largest = 1;
    if (!(info->flags & IR_MAC) && op->code != IR_BATCH_MATMUL)
        return false;
    for (int i = 0; i < op->operand_count; i++) {
        const ir_value *v = op->operands[i].value;
        if (v && ir_type_elements(&v->type) > largest)
            largest = ir_type_elements(&v->type);
    }
    for (int i = 0; i < info->results; i++)
        to += (int64_t)ir_type_bytes(&op->results[i]->type);
    return to > EVAL_PRODUCTS / largest;
}

/* ---- State: variables start at what the graph says, or at the real value 0 ---- */

typedef struct variable {
    const char *name;
    size_t bytes;
    unsigned char *data;
    const ir_value *value; /* type and quantization */
} variable;

struct ir_state {
    int count;
    variable *variables;
};

static bool is_state_op(const ir_op *op) { return op->code == IR_READ_VARIABLE || op->code == IR_WRITE_VARIABLE; }

static const ir_value *state_value(const ir_op *op)
{
    return op->code == IR_READ_VARIABLE ? op->results[0] : op->operands[0].value;
}

static variable *find_variable(const ir_state *state, const char *name)
{
    for (int i = 0; state && i < state->count; i++)
        if (strcmp(state->variables[i].name, name) == 0)
            return &state->variables[i];
    return NULL;
}

static const void *initial_data(const ir_graph *g, const variable *v)
{
    for (int32_t i = 0; i < g->variable_count; i++)
        if (strcmp(g->variables[i].name, v->name) == 0 && ir_type_equal(&g->variables[i].type, &v->value->type))
            return g->variables[i].initial;
    return NULL;
}

static bool variable_init(const ir_graph *g, variable *v, const ir_op *op)
{
    v->name = ir_str(op, IR_ATTR_VARIABLE);
    v->value = state_value(op);
    v->bytes = ir_type_bytes(&v->value->type);
    v->data = calloc(v->bytes ? v->bytes : 1, 1);
    if (!v->data)
        return false;
    const void *initial = initial_data(g, v);
    if (initial)
        memcpy(v->data, initial, v->bytes);
    else if (v->value->quant && !ir_dtype_is_float(v->value->type.dtype))
        for (int64_t i = 0; i < ir_type_elements(&v->value->type); i++)
            ir_int_put(v->value->type.dtype, v->data, i, v->value->quant->zero[0]);
    return true;
}

ir_state *ir_state_new(const ir_graph *g)
{
    int ops = 0;
    for (const ir_op *op = g->first; op; op = op->next)
        ops += is_state_op(op);
    if (!ops)
        return NULL;
    ir_state *state = calloc(1, sizeof *state);
    if (state)
        state->variables = calloc((size_t)ops, sizeof *state->variables);
    if (!state || !state->variables) {
        free(state);
        return NULL;
    }
    for (const ir_op *op = g->first; op; op = op->next) {
        if (!is_state_op(op) || find_variable(state, ir_str(op, IR_ATTR_VARIABLE)))
            continue;
        if (!variable_init(g, &state->variables[state->count], op)) {
            ir_state_free(state);
            return NULL;
        }
        state->count++;
    }
    return state;
}

void ir_state_free(ir_state *state)
{
    if (!state)
        return;
    for (int i = 0; i < state->count; i++)
        free(state->variables[i].data);
    free(state->variables);
    free(state);
}

/* State ops need the state, which only ir_interpret has. */
bool ir_ref_variable(const ir_op *op, const void *const operands[], void *const results[], diag *d)
{
    (void)operands;
    (void)results;
    return ir_refuse(op, d, "has no value outside of a run");
}

static bool eval_state_op(const ir_op *op, const void *const operands[], void *const results[], ir_state *state,
                          diag *d)
{
    const char *name = ir_str(op, IR_ATTR_VARIABLE);
    const variable *v = find_variable(state, name);
    if (!v || !ir_type_equal(&state_value(op)->type, &v->value->type))
        return ir_refuse(op, d, "no variable '%s' of this type in the state", name);
    if (op->code == IR_READ_VARIABLE)
        memcpy(results[0], v->data, v->bytes);
    else
        memcpy(v->data, operands[0], v->bytes);
    return true;
}

/* ---- Whole graphs ---- */

typedef struct buffers {
    void **data;       /* by value id: what this run allocated */
    const void **read; /* by value id: where the value is */
    int *left;         /* by value id: uses to come */
} buffers;

static const void *value_data(const buffers *b, const ir_value *v)
{
    return !v ? NULL : ir_is_const(v) ? v->data : b->read[v->id];
}

static void release_operands(buffers *b, const ir_op *op)
{
    for (int i = 0; i < op->operand_count; i++) {
        const ir_value *v = op->operands[i].value;
        if (v && --b->left[v->id] == 0) {
            free(b->data[v->id]);
            b->data[v->id] = NULL;
        }
    }
}

static bool run_op(buffers *b, const ir_op *op, ir_state *state, diag *d)
{
    enum { FEW = 16 };
    const void *few[FEW];
    void *results[FEW];
    const int result_count = ir_op_info_of(op->code)->results;
    const void **operands = few;
    bool fine = true;
    if (op->operand_count > FEW) {
        operands = malloc((size_t)op->operand_count * sizeof *operands);
        if (!operands)
            return ir_out_of_memory(op, d);
    }
    for (int i = 0; i < op->operand_count; i++)
        operands[i] = value_data(b, op->operands[i].value);
    for (int i = 0; i < result_count && fine; i++) {
        const ir_value *v = op->results[i];
        const size_t bytes = ir_type_bytes(&v->type);
        results[i] = b->data[v->id] = malloc(bytes ? bytes : 1);
        b->read[v->id] = results[i];
        if (!results[i])
            fine = ir_out_of_memory(op, d);
    }
    if (fine)
        fine = is_state_op(op) ? eval_state_op(op, operands, results, state, d) : ir_eval_op(op, operands, results, d);
    if (operands != few)
        free(operands);
    if (fine)
        release_operands(b, op);
    return fine;
}

static void count_uses(const ir_graph *g, buffers *b)
{
    for (const ir_op *op = g->first; op; op = op->next)
        for (int i = 0; i < op->operand_count; i++)
            if (op->operands[i].value)
                b->left[op->operands[i].value->id]++;
    for (int i = 0; i < g->output_count; i++)
        b->left[g->outputs[i]->id]++;
}

static bool run_seen(buffers *b, const ir_op *op, ir_state *state, ir_observer *see, void *context, diag *d)
{
    if (!run_op(b, op, state, d))
        return false;
    for (int i = 0; see && i < ir_op_info_of(op->code)->results; i++)
        see(context, op->results[i], b->read[op->results[i]->id]);
    return true;
}

bool ir_interpret_observed(const ir_graph *g, const void *const inputs[], void *const outputs[], ir_state *state,
                           ir_observer *see, void *context, diag *d)
{
    const size_t ids = (size_t)g->next_id + 1;
    buffers b = {calloc(ids, sizeof *b.data), calloc(ids, sizeof *b.read), calloc(ids, sizeof *b.left)};
    bool fine = b.data && b.read && b.left;
    if (!fine)
        diag_out_of_memory(d, NULL);
    if (fine) {
        count_uses(g, &b);
        for (int i = 0; i < g->input_count; i++) {
            b.read[g->inputs[i]->id] = inputs[i];
            if (see)
                see(context, g->inputs[i], inputs[i]);
        }
    }
    for (const ir_op *op = g->first; op && fine; op = op->next)
        fine = run_seen(&b, op, state, see, context, d);
    for (int i = 0; i < g->output_count && fine; i++)
        memcpy(outputs[i], value_data(&b, g->outputs[i]), ir_type_bytes(&g->outputs[i]->type));
    for (size_t i = 0; b.data && i < ids; i++)
        free(b.data[i]);
    free(b.data);
    free(b.read);
    free(b.left);
    return fine;
}

bool ir_interpret(const ir_graph *g, const void *const inputs[], void *const outputs[], ir_state *state, diag *d)
{
    return ir_interpret_observed(g, inputs, outputs, state, NULL, NULL, d);
}

/* ---- Look-up tables ---- */

static bool is_8bit(const ir_value *v) { return v && (v->type.dtype == IR_I8 || v->type.dtype == IR_U8); }

bool ir_lookup_table(const ir_op *op, uint8_t table[256], diag *d)
{
    uint8_t bytes[256];
    if (!(ir_op_info_of(op->code)->flags & IR_LOOKUP) || !is_8bit(ir_operand_value(op, 0)) || !is_8bit(op->results[0]))
        return ir_refuse(op, d, "is no function of one byte");
    if (!ir_op_supported(op, d))
        return false;
    /* The same op over the vector of all bytes. */
    ir_value x = *op->operands[0].value, y = *op->results[0];
    ir_value *results[] = {&y};
    ir_operand operands[] = {{.value = &x}};
    ir_op row = *op;
    x.type.rank = y.type.rank = 1;
    x.type.dims[0] = y.type.dims[0] = 256;
    x.data = y.data = NULL;
    row.operands = operands;
    row.operand_count = 1;
    row.results = results;
    for (int i = 0; i < 256; i++)
        bytes[i] = (uint8_t)i;
    const void *from[] = {bytes};
    void *to[] = {table};
    return ir_eval_op(&row, from, to, d);
}
