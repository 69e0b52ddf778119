/* split_batch.c: a batch goes through ops with large results one image after the other.
 *
 *     %1:u8<8x56x56x64> = conv2d %0, …         %1a:u8<1x56x56x64> = conv2d (slice %0 {begin = [0, 0, 0, 0]}), …
 *     %2:u8<8x56x56x64> = conv2d %1, …         %2a:u8<1x56x56x64> = conv2d %1a, …
 *                                              %1b:u8<1x56x56x64> = conv2d (slice %0 {begin = [1, 0, 0, 0]}), …
 *                                              %2b:u8<1x56x56x64> = conv2d %1b, …
 *                                              …
 *                                              %2:u8<8x56x56x64> = concat %2a, %2b, … {axis = 0}
 *
 * What lies between them stays in the cache, and takes the memory of one image; slices and concatenations along the first
 * dimension are views (place.h).  Kernels are those of a model of one image, once.  Ops that read many weights for few
 * rows stay whole: split_runs.c chooses. */
#include <string.h>

#include "ir/batch.h"
#include "passes/common/util.h"
#include "passes/lower/split.h"

enum {
    MOST_PARTS = 32,       /* beyond, a part is several images: each op becomes as many */
    NEAR_BYTES = 512 << 10 /* half of a second-level cache */
};

typedef struct splitter {
    ir_graph *g;
    arena *scratch;
    int64_t parts;
    ir_op *before;    /* where new ops go: behind the run */
    ir_value ***of;   /* by id of a value: its parts, as far as they are there */
    uint32_t of_size; /* ids */
} splitter;

static int64_t parts_of_batch(const ir_graph *g)
{
    const ir_type *x = g->input_count ? &g->inputs[0]->type : NULL;
    const int64_t batch = x && x->rank > 0 ? x->dims[0] : 1;
    int64_t parts = batch < MOST_PARTS ? batch : MOST_PARTS;
    while (parts > 1 && batch % parts != 0)
        parts--;
    return parts;
}

/* Room for the parts of v, in a table that grows with the ids. */
static ir_value **parts_of(splitter *s, const ir_value *v)
{
    if (v->id >= s->of_size) {
        const uint32_t size = 2 * s->g->next_id + 1;
        ir_value ***grown = ARENA_ARRAY(s->scratch, ir_value **, size);
        if (s->of_size)
            memcpy(grown, s->of, s->of_size * sizeof *grown);
        s->of = grown;
        s->of_size = size;
    }
    if (!s->of[v->id])
        s->of[v->id] = ARENA_ARRAY(s->scratch, ir_value *, s->parts);
    return s->of[v->id];
}

static ir_type part_type(const splitter *s, const ir_value *v)
{
    ir_type type = v->type;
    type.dims[0] /= s->parts;
    return type;
}

static ir_value *part_of(splitter *s, ir_value *v, const ir_op *user, int64_t part)
{
    ir_value **all = parts_of(s, v);
    int64_t begin[IR_MAX_RANK] = {0}, step[IR_MAX_RANK];
    if (all[part])
        return all[part];
    const ir_type type = part_type(s, v);
    begin[0] = part * type.dims[0];
    for (int d = 0; d < type.rank; d++)
        step[d] = 1;
    ir_value *slice = pass_op1(s->g, IR_SLICE, s->before, user, 1, &v, type, v->quant);
    ir_set_ints(slice->def, IR_ATTR_BEGIN, type.rank, begin);
    ir_set_ints(slice->def, IR_ATTR_STEP, type.rank, step);
    return all[part] = slice;
}

/* As profiles call it, which add up what has one name. */
static const char *layer_name(ir_graph *g, const ir_op *op)
{
    if (op->name)
        return op->name;
    const char *name = op->results[0]->name;
    return name && *name ? name : arena_format(g->arena, "%s_%u", ir_op_info_of(op->code)->text, (unsigned)op->id);
}

static void add_part(splitter *s, const ir_op *op, const char *name, int64_t part)
{
    ir_value **operands = ARENA_ARRAY(s->scratch, ir_value *, op->operand_count);
    for (int i = 0; i < op->operand_count; i++) {
        ir_value *v = op->operands[i].value;
        operands[i] = v && ir_batch_cuts(op, i) ? part_of(s, v, op, part) : v;
    }
    ir_op *to = ir_op_copy(s->g, op, s->before, operands);
    to->name = name;
    for (int i = 0; i < ir_op_info_of(op->code)->results; i++) {
        const ir_value *v = op->results[i];
        ir_result_set(to, i, part_type(s, v), v->quant);
        to->results[i]->scale_from = v->scale_from;
        to->results[i]->name = part == 0 ? v->name : NULL;
        parts_of(s, v)[part] = to->results[i];
    }
    if (part > 0)
        to->repeats = parts_of(s, op->results[0])[0]->def;
}

/* The parts of what is used beyond the run become one again. */
static void join(splitter *s, ir_value *v)
{
    ir_value *joined = pass_op1(s->g, IR_CONCAT, s->before, v->def, (int)s->parts, parts_of(s, v), v->type, v->quant);
    ir_set_int(joined->def, IR_ATTR_AXIS, 0);
    pass_takes_over(joined, v);
}

static void split(splitter *s, ir_op *const ops[], int32_t count)
{
    s->before = ops[count - 1]->next;
    const char **names = ARENA_ARRAY(s->scratch, const char *, count);
    for (int32_t i = 0; i < count; i++)
        names[i] = layer_name(s->g, ops[i]);
    for (int64_t part = 0; part < s->parts; part++)
        for (int32_t i = 0; i < count; i++)
            add_part(s, ops[i], names[i], part);
    for (int32_t i = count - 1; i >= 0; i--) {
        for (int r = 0; r < ir_op_info_of(ops[i]->code)->results; r++)
            if (ir_use_count(ops[i]->results[r]) > 0) /* not by the run's ops, which are gone */
                join(s, ops[i]->results[r]);
        ir_op_erase(ops[i]);
    }
}

pass_result pass_split_batch(ir_graph *g, pass_context *c)
{
    const int64_t near = c->options->near_bytes ? c->options->near_bytes : NEAR_BYTES;
    splitter s = {.g = g, .scratch = c->scratch, .parts = parts_of_batch(g)};
    int32_t count = 0;
    if (s.parts < 2)
        return PASS_UNCHANGED;
    for (const ir_op *op = g->first; op; op = op->next)
        count++;
    ir_op **ops = ARENA_ARRAY(c->scratch, ir_op *, count);
    split_run *runs = ARENA_ARRAY(c->scratch, split_run, count);
    count = 0;
    for (ir_op *op = g->first; op; op = op->next)
        ops[count++] = op;
    const int32_t run_count = split_choose(g, ops, count, s.parts, near, runs, c->scratch);
    for (int32_t i = 0; i < run_count; i++)
        split(&s, ops + runs[i].first, runs[i].last - runs[i].first + 1);
    return run_count ? PASS_CHANGED : PASS_UNCHANGED;
}
