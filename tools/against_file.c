/* against_file.c: the file's values are kept by name; each op of the lowered graph is then computed twice, on its own
 * operands and, for what this op adds by itself, on the file's. */
#include "tools/against_file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/run/session.h"
#include "ir/ref/interp.h"

enum {
    FEW = 16,  /* operands and results of ops that are computed alone */
    CHAIN = 8, /* values without a name, one from the other, at most */
};

typedef struct entry {
    const ir_value *value;
    double *reals; /* NULL: several values have this name, so it says nothing */
} entry;

typedef struct reference {
    entry *entries; /* hash table by name; its size is a power of two */
    size_t size;
    bool failed;
} reference;

typedef struct comparison {
    const reference *file;
    histogram *seen;
    report_difference *differences;
} comparison;

/* ---- Reals and integers ---- */

static bool has_reals(const ir_value *v) { return v->type.dtype == IR_F32 || (v->quant && v->quant->axis < 0); }

static void to_reals(const ir_value *v, const void *data, double *reals)
{
    ir_value constant = *v;
    constant.data = data;
    const int64_t count = ir_type_elements(&v->type);
    for (int64_t i = 0; i < count; i++)
        reals[i] = ir_const_real(&constant, i);
}

static double quantized(const ir_value *v, double real)
{
    int32_t min, max;
    ir_quant_range(v->type.dtype, v->quant, &min, &max);
    const double q = nearbyint(real / (double)v->quant->scale[0]) + v->quant->zero[0];
    return fmin(fmax(q, min), max);
}

static void store(const ir_value *v, const double *reals, void *data)
{
    const int64_t count = ir_type_elements(&v->type);
    for (int64_t i = 0; i < count; i++) {
        const float real = (float)reals[i];
        if (v->type.dtype == IR_F32) {
            memcpy((char *)data + 4 * i, &real, 4);
            continue;
        }
        const int32_t q = (int32_t)quantized(v, reals[i]);
        const int16_t word = (int16_t)q;
        if (v->type.dtype == IR_I16)
            memcpy((char *)data + 2 * i, &word, 2);
        else
            ((unsigned char *)data)[i] = (unsigned char)q;
    }
}

static bool storable(const ir_value *v)
{
    const ir_dtype t = v->type.dtype;
    return t == IR_F32 || (v->quant && v->quant->axis < 0 && (t == IR_I8 || t == IR_U8 || t == IR_I16));
}

/* A run from the state's start, whose outputs nobody wants beside `see`. */
static bool run_seen(const ir_graph *g, const void *const inputs[], ir_observer *see, void *context, diag *d)
{
    void **outputs = calloc((size_t)g->output_count + 1, sizeof *outputs);
    bool good = outputs != NULL;
    for (int32_t i = 0; good && i < g->output_count; i++)
        good = (outputs[i] = malloc(ir_type_bytes(&g->outputs[i]->type) + 1)) != NULL;
    ir_state *state = good ? ir_state_new(g) : NULL;
    good =
        good ? ir_interpret_observed(g, inputs, outputs, state, see, context, d) : diag_error(d, NULL, "out of memory");
    ir_state_free(state);
    for (int32_t i = 0; outputs && i < g->output_count; i++)
        free(outputs[i]);
    free(outputs);
    return good;
}

/* ---- The file's values ---- */

static entry *find(const reference *r, const char *name)
{
    size_t i = (size_t)ir_hash_bytes(name, strlen(name), 0) & (r->size - 1);
    while (r->entries[i].value && strcmp(r->entries[i].value->name, name) != 0)
        i = (i + 1) & (r->size - 1);
    return &r->entries[i];
}

static void keep(void *context, const ir_value *v, const void *data)
{
    reference *r = context;
    if (!v->name || !*v->name || !has_reals(v))
        return;
    const size_t count = (size_t)ir_type_elements(&v->type);
    double *reals = malloc((count + 1) * sizeof *reals);
    if (!reals) {
        r->failed = true;
        return;
    }
    to_reals(v, data, reals);
    entry *e = find(r, v->name);
    if (!e->value) {
        *e = (entry){v, reals};
        return;
    }
    /* A dequantize or observe may carry the name of what it reads; with other numbers the name is ambiguous. */
    if (e->reals &&
        ((size_t)ir_type_elements(&e->value->type) != count || memcmp(e->reals, reals, count * sizeof *reals) != 0)) {
        free(e->reals);
        e->reals = NULL;
    }
    free(reals);
}

static bool reference_make(const ir_graph *g, const void *const inputs[], reference *r, diag *d)
{
    *r = (reference){.size = 64};
    while (r->size < 2 * (size_t)g->next_id)
        r->size *= 2;
    r->entries = calloc(r->size, sizeof *r->entries);
    return (r->entries || diag_error(d, NULL, "out of memory")) && run_seen(g, inputs, keep, r, d) &&
           (!r->failed || diag_error(d, NULL, "out of memory"));
}

static void reference_free(reference *r)
{
    for (size_t i = 0; r->entries && i < r->size; i++)
        free(r->entries[i].reals);
    free(r->entries);
}

/* Is it the first of several parts of a batch? */
static bool starts(const ir_type *part, const ir_type *whole)
{
    ir_type rest = *whole;
    if (part->rank == 0 || part->dims[0] == 0 || whole->rank != part->rank || whole->dims[0] % part->dims[0] != 0)
        return false;
    rest.dims[0] = part->dims[0];
    return ir_type_elements(&rest) == ir_type_elements(part);
}

/* The file's numbers for a value of the lowered graph; NULL: unknown. */
static const double *file_reals(const comparison *c, const ir_value *v)
{
    if (!v->name || !*v->name)
        return NULL;
    const entry *e = find(c->file, v->name);
    return e->value && (ir_type_elements(&e->value->type) == ir_type_elements(&v->type) ||
                        starts(&v->type, &e->value->type))
               ? e->reals
               : NULL;
}

/* ---- Comparison ---- */

/* Largest and mean difference, in steps of v's scale where it has one, otherwise as part of the file's largest
 * magnitude. */
static void differ(const ir_value *v, const void *ours, const double *theirs, report_difference *out)
{
    const int64_t count = ir_type_elements(&v->type);
    double *reals = malloc(((size_t)count + 1) * sizeof *reals);
    double largest = 0, sum = 0, magnitude = 0, signal = 0, noise = 0;
    if (!reals)
        return;
    to_reals(v, ours, reals);
    for (int64_t i = 0; i < count; i++) {
        const double difference =
            v->quant ? fabs(quantized(v, reals[i]) - quantized(v, theirs[i])) : fabs(reals[i] - theirs[i]);
        largest = fmax(largest, difference);
        sum += difference;
        magnitude = fmax(magnitude, fabs(theirs[i]));
        signal += theirs[i] * theirs[i];
        noise += (reals[i] - theirs[i]) * (reals[i] - theirs[i]);
    }
    free(reals);
    const double unit = v->quant ? 1 : magnitude > 0 ? magnitude : 1;
    *out = (report_difference){.known = true,
                               .max = largest / unit,
                               .mean = count ? sum / (double)count / unit : 0,
                               .sqnr_db = session_sqnr(signal, noise)};
}

/* Does the op leave every number that it does not drop as it is? */
static bool only_moves(const ir_op *op)
{
    return op &&
           (op->code == IR_RESHAPE || op->code == IR_TRANSPOSE || op->code == IR_SLICE || op->code == IR_MAX_POOL2D);
}

/* The file's numbers for v, as v holds them; where the file has none of that name, those that v is moved from.  NULL:
 * unknown; else free(). */
static void *file_data(const comparison *c, const ir_value *v, int chain)
{
    const double *reals = file_reals(c, v);
    void *moved = NULL, *made = NULL;
    diag ignored = {0};
    if (!storable(v))
        return NULL;
    if (!reals && chain > 0 && only_moves(v->def))
        moved = file_data(c, v->def->operands[0].value, chain - 1);
    if (reals || moved)
        made = malloc(ir_type_bytes(&v->type) + 1);
    if (made && reals)
        store(v, reals, made);
    if (made && moved && !ir_eval_op(v->def, (const void *const[]){moved}, &made, &ignored)) {
        free(made);
        made = NULL;
    }
    free(moved);
    return made;
}

/* The op with the file's values as operands; the largest difference of its result goes to the result's entry. */
static void compare_alone(comparison *c, const ir_op *op)
{
    const ir_value *y = op->results[0];
    const double *theirs = file_reals(c, y);
    const void *operands[FEW] = {NULL};
    void *made[FEW] = {NULL}, *result = NULL;
    bool good = theirs && op->operand_count <= FEW && ir_op_info_of(op->code)->results == 1 && storable(y);
    for (int i = 0; good && i < op->operand_count; i++) {
        const ir_value *v = op->operands[i].value;
        operands[i] = v ? v->data : NULL;
        if (!v || ir_is_const(v))
            continue;
        made[i] = file_data(c, v, CHAIN);
        good = made[i] != NULL;
        operands[i] = made[i];
    }
    diag ignored = {0};
    report_difference alone = {0};
    if (good && (result = malloc(ir_type_bytes(&y->type) + 1)) && ir_eval_op(op, operands, &result, &ignored))
        differ(y, result, theirs, &alone);
    if (alone.known) {
        c->differences[y->id].alone_known = true;
        c->differences[y->id].alone_max = alone.max;
        c->differences[y->id].alone_mean = alone.mean;
        c->differences[y->id].alone_sqnr_db = alone.sqnr_db;
    }
    free(result);
    for (int i = 0; i < FEW; i++)
        free(made[i]);
}

static void see(void *context, const ir_value *v, const void *data)
{
    comparison *c = context;
    if (!histogram_make(v, data, &c->seen[v->id]))
        c->seen[v->id] = (histogram){0};
    const double *theirs = file_reals(c, v);
    if (!theirs || !storable(v))
        return;
    differ(v, data, theirs, &c->differences[v->id]);
    if (v->def)
        compare_alone(c, v->def);
}

static bool has_inputs_of(const ir_graph *g, const ir_graph *lowered, diag *d)
{
    const ir_loc loc = ir_graph_loc(g);
    bool good = g->input_count == lowered->input_count;
    for (int32_t i = 0; good && i < g->input_count; i++)
        good = ir_type_equal(&g->inputs[i]->type, &lowered->inputs[i]->type);
    return good || diag_error(d, &loc, "its inputs are not those of the model that is compared with it");
}

bool against_file(const driver_options *options, const char *file, const ir_graph *lowered, const void *const inputs[],
                  histogram out_seen[], report_difference out_differences[], diag *d)
{
    driver_module m;
    reference r = {0};
    if (!driver_import(options, file, &m, d))
        return false;
    comparison c = {.file = &r, .seen = out_seen, .differences = out_differences};
    const bool good = has_inputs_of(m.graph, lowered, d) && reference_make(m.graph, inputs, &r, d) &&
                      run_seen(lowered, inputs, see, &c, d);
    reference_free(&r);
    driver_module_free(&m);
    return good;
}
