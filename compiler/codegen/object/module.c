/* module.c: what a compiled model is made of.
 *
 *     kernels     void kernel(ptr…, i64 begin, i64 end)         by key: equal layers share one
 *     steps       void model.layer(frame, i32 begin, i32 end)   a thunk: addresses from the frame, then the kernel
 *     constants   .rodata, 64-byte aligned, by content; large ones apart from LLVM (weights.c)
 *
 * Kernels and steps are made once for each target, constants once for all.
 * Kernels and steps are internal and carry "<model>.<layer>" as names, for perf and gdb, with the target's behind it
 * where there are several.  descriptor.c makes the model's tables from them. */
#include "compiler/codegen/object/module_private.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "runtime/model_abi.h"

/* ---- Names ---- */

const char *cg_layer_name(const cg_module *m, const ir_op *op)
{
    if (op->name && op->name[0])
        return op->name;
    for (int i = 0; i < ir_op_info_of(op->code)->results; i++)
        if (op->results[i]->name && op->results[i]->name[0])
            return op->results[i]->name;
    return arena_format(m->arena, "%s_%u", ir_op_info_of(op->code)->text, (unsigned)op->id);
}

/* A symbol that can't clash with a program's own: identifiers have no dots. */
static const char *symbol_name(const cg_module *m, const char *text)
{
    char *name = arena_format(m->arena, "%s.%s", m->options->model_name, text);

    for (char *c = name; *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '_' && *c != '.')
            *c = '_';
    return name;
}

static const char *function_name(const cg_module *m, const char *text)
{
    return symbol_name(
        m, target_set_has_one(m->options->targets) ? text : arena_format(m->arena, "%s.%s", text, m->target->name));
}

/* ---- Targets ---- */

void cg_module_begin(cg_module *m, const target_info *target)
{
    m->p->kernel_table = (hash_table){0};
    m->target = target;
}

/* ---- Graphs ---- */

const ir_graph *cg_graph_of(const cg_module *m, int number)
{
    return number ? m->options->further[number - 1] : m->p->first_graph;
}

void cg_module_graph(cg_module *m, int number)
{
    const size_t graphs = 1 + (size_t)m->options->further_count;
    if (!m->p->variants)
        m->p->variants = ARENA_ARRAY(m->arena, variant_record, 8 * sizeof m->options->targets * graphs);
    m->graph = cg_graph_of(m, number);
    m->p->variants[m->p->variant_count++] =
        (variant_record){.target = m->target, .graph = m->graph, .first_step = m->p->step_count};
}

/* ---- Tables by hash: open addressing, sizes are powers of two ---- */

static uint32_t table_find(const hash_table *t, uint64_t hash, bool (*same)(const void *, uint32_t, const void *),
                           const void *context, const void *key)
{
    if (!t->capacity)
        return NOT_FOUND;
    for (uint32_t i = (uint32_t)hash & (t->capacity - 1); t->slots[i].used; i = (i + 1) & (t->capacity - 1))
        if (t->slots[i].hash == hash && same(context, t->slots[i].index, key))
            return t->slots[i].index;
    return NOT_FOUND;
}

static void table_put(hash_table *t, uint64_t hash, uint32_t index)
{
    uint32_t i = (uint32_t)hash & (t->capacity - 1);

    while (t->slots[i].used)
        i = (i + 1) & (t->capacity - 1);
    t->slots[i] = (hash_slot){hash, index, true};
    t->count++;
}

static void table_add(cg_module *m, hash_table *t, uint64_t hash, uint32_t index)
{
    if (2 * t->count >= t->capacity) {
        hash_table grown = {ARENA_ARRAY(m->arena, hash_slot, t->capacity ? 2 * t->capacity : 64), 0,
                            t->capacity ? 2 * t->capacity : 64};
        for (uint32_t i = 0; i < t->capacity; i++)
            if (t->slots[i].used)
                table_put(&grown, t->slots[i].hash, t->slots[i].index);
        *t = grown;
    }
    table_put(t, hash, index);
}

/* Room for one more element of an arena array. */
#define GROW(m, array, count, capacity)                                                                                \
    do {                                                                                                               \
        if ((count) == (capacity)) {                                                                                   \
            uint32_t new_capacity_ = (capacity) ? 2 * (capacity) : 64;                                                 \
            void *grown_ = arena_alloc((m)->arena, new_capacity_ * sizeof *(array));                                   \
            if (count)                                                                                                 \
                memcpy(grown_, (array), (count) * sizeof *(array));                                                    \
            (array) = grown_;                                                                                          \
            (capacity) = new_capacity_;                                                                                \
        }                                                                                                              \
    } while (0)

/* ---- Kernels ---- */

static bool kernel_has_key(const void *context, uint32_t index, const void *key)
{
    return !strcmp(((const cg_module *)context)->p->kernels[index].key, key);
}

static void kernel_positions(cg_module *m, cg_kernel *k, int arg_count)
{
    for (int i = 0; i < arg_count; i++)
        k->arg[i] = LLVMGetParam(k->function, (unsigned)i);
    k->begin = LLVMGetParam(k->function, (unsigned)arg_count);
    k->end = LLVMGetParam(k->function, (unsigned)arg_count + 1);
    LLVMPositionBuilderAtEnd(m->p->builder, LLVMAppendBasicBlockInContext(m->context, k->function, "entry"));
}

static void kernel_again(cg_module *m, cg_kernel *out, const kernel_record *record)
{
    out->shared = record->function;
    out->function = LLVMAddFunction(m->llvm, "again", record->type);
    LLVMSetLinkage(out->function, LLVMInternalLinkage);
    cg_target_attributes(m, out->function);
    kernel_positions(m, out, record->arg_count);
}

bool cg_kernel_begin(cg_module *m, cg_kernel *out, const char *key, const ir_op *name_hint, int arg_count)
{
    uint64_t hash = XXH3_64bits(key, strlen(key));
    uint32_t index = table_find(&m->p->kernel_table, hash, kernel_has_key, m, key);
    LLVMTypeRef params[CG_MAX_ARGS + 2];
    kernel_record *record;

    assert(arg_count <= CG_MAX_ARGS);
    *out = (cg_kernel){.m = m, .b = m->p->builder};
    if (index != NOT_FOUND) {
        out->function = m->p->kernels[index].function;
        if (!m->options->check_keys)
            return false;
        kernel_again(m, out, &m->p->kernels[index]);
        return true;
    }
    GROW(m, m->p->kernels, m->p->kernel_count, m->p->kernel_capacity);
    record = &m->p->kernels[m->p->kernel_count];
    for (int i = 0; i < arg_count; i++)
        params[i] = m->ptr;
    params[arg_count] = params[arg_count + 1] = m->i64;
    *record = (kernel_record){.key = arena_string(m->arena, key, strlen(key)), .arg_count = arg_count};
    record->type = LLVMFunctionType(m->void_type, params, (unsigned)arg_count + 2, 0);
    record->function = LLVMAddFunction(
        m->llvm, function_name(m, arena_format(m->arena, "%s.kernel", cg_layer_name(m, name_hint))), record->type);
    LLVMSetLinkage(record->function, LLVMInternalLinkage);
    cg_target_attributes(m, record->function);
    table_add(m, &m->p->kernel_table, hash, m->p->kernel_count++);
    out->function = record->function;
    cg_debug_function(m, out->function, name_hint);
    kernel_positions(m, out, arg_count);
    return true;
}

LLVMValueRef cg_external(cg_module *m, const char *name, LLVMTypeRef type)
{
    LLVMValueRef known = LLVMGetNamedFunction(m->llvm, name);

    return known ? known : LLVMAddFunction(m->llvm, name, type);
}

/* Whether two functions read the same from their parameters on, but for the numbers of metadata. */
static bool functions_equal(LLVMValueRef a, LLVMValueRef b)
{
    char *text[2] = {LLVMPrintValueToString(a), LLVMPrintValueToString(b)};
    const char *x = strchr(text[0], '('), *y = strchr(text[1], '(');
    while (x && y && *x && *x == *y) {
        const bool number = *x == '!';
        x++, y++;
        while (number && isdigit((unsigned char)*x))
            x++;
        while (number && isdigit((unsigned char)*y))
            y++;
    }
    const bool equal = x && y && !*x && !*y;
    LLVMDisposeMessage(text[0]);
    LLVMDisposeMessage(text[1]);
    return equal;
}

void cg_kernel_end(cg_kernel *k)
{
    LLVMBuildRetVoid(k->b);
    if (!k->shared)
        return;
    if (!functions_equal(k->shared, k->function))
        diag_error(k->m->diag, k->m->p->op ? &k->m->p->op->loc : NULL, "internal error: kernels of one key differ");
    LLVMDeleteFunction(k->function);
    k->function = k->shared;
}

/* ---- Constants ---- */

typedef struct constant_key {
    const void *bytes;
    size_t size;
} constant_key;

static bool constant_is(const void *context, uint32_t index, const void *key)
{
    const constant_record *c = &((const cg_module *)context)->p->constants[index];
    const constant_key *k = key;

    return c->size == k->size && !memcmp(c->bytes, k->bytes, k->size);
}

enum { TEXT_BYTES = 4 }; /* of a byte that is spelt out */

static LLVMValueRef constant(cg_module *m, const void *bytes, size_t size, const char *name_hint, bool stays)
{
    constant_key key = {bytes, size};
    uint64_t hash = XXH3_64bits(bytes, size);
    uint32_t index = table_find(&m->p->constant_table, hash, constant_is, m, &key);
    constant_record *c;

    if (index != NOT_FOUND)
        return m->p->constants[index].global;
    if (!cg_weights_take(m, size)) /* LLVM holds it */
        arena_charge(m->arena, m->p->emit == CG_EMIT_OBJECT ? size : TEXT_BYTES * size);
    GROW(m, m->p->constants, m->p->constant_count, m->p->constant_capacity);
    c = &m->p->constants[m->p->constant_count];
    *c = (constant_record){.bytes = stays ? bytes : arena_copy(m->arena, bytes, size), .size = size, .offset = -1};
    c->global = LLVMAddGlobal(m->llvm, LLVMArrayType2(m->i8, size),
                              symbol_name(m, name_hint && name_hint[0] ? name_hint : "constant"));
    LLVMSetLinkage(c->global, LLVMInternalLinkage);
    LLVMSetGlobalConstant(c->global, 1);
    LLVMSetUnnamedAddress(c->global, LLVMGlobalUnnamedAddr);
    LLVMSetAlignment(c->global, 64);
    LLVMSetSection(c->global, ".rodata");
    if (cg_weights_take(m, size))
        c->offset = cg_weights_place(m, size);
    table_add(m, &m->p->constant_table, hash, m->p->constant_count++);
    return c->global;
}

LLVMValueRef cg_constant(cg_module *m, const void *bytes, size_t size, const char *name_hint)
{
    return constant(m, bytes, size, name_hint, false);
}

LLVMValueRef cg_constant_in_place(cg_module *m, const void *bytes, size_t size, const char *name_hint)
{
    return constant(m, bytes, size, name_hint, true);
}

static const constant_record *constant_of(const cg_module *m, LLVMValueRef global)
{
    for (uint32_t i = 0; i < m->p->constant_count; i++)
        if (m->p->constants[i].global == global)
            return &m->p->constants[i];
    return NULL;
}

/* ---- Where arguments lie ---- */

cg_arg cg_arg_scratch(const cg_module *m, const ir_op *op)
{
    (void)m;
    return (cg_arg){.workspace = true, .offset = op->kernel.scratch_offset, .size = op->kernel.scratch_bytes};
}

cg_arg cg_arg_part(cg_arg whole, int64_t offset, int64_t size)
{
    assert(offset >= 0 && offset + size <= whole.size);
    whole.offset += offset;
    whole.size = size;
    return whole;
}

cg_arg cg_arg_variable(const cg_module *m, const char *name)
{
    const ir_variable *v = ir_variable_find(m->graph, name);

    assert(v);
    return (cg_arg){.workspace = true, .offset = v->offset, .size = (int64_t)ir_type_bytes(&v->type)};
}

typedef struct extent {
    ir_space space;
    uint32_t index;
    int64_t begin, end;
} extent;

/* All bytes that an argument may touch. */
static extent extent_of(const cg_arg *a)
{
    const ir_value *v = a->value;
    extent e = {IR_SPACE_WORKSPACE, 0, a->offset, a->offset + a->size};
    int64_t low = 0, high = 0, bytes;

    if (!v)
        return e;
    bytes = (int64_t)ir_dtype_bytes(v->type.dtype);
    for (int i = 0; i < v->type.rank; i++) {
        int64_t reach = (v->type.dims[i] - 1) * v->place.stride[i];
        *(reach < 0 ? &low : &high) += reach;
    }
    e = (extent){v->place.space, v->place.index, v->place.offset + low * bytes, v->place.offset + (high + 1) * bytes};
    return e;
}

static bool is_constant_arg(const cg_arg *a) { return a->constant || (a->value && ir_is_const(a->value)); }

static bool may_overlap(const cg_arg *a, const cg_arg *b)
{
    extent x, y;

    if (is_constant_arg(a) || is_constant_arg(b))
        return false;
    x = extent_of(a);
    y = extent_of(b);
    return x.space == y.space && x.index == y.index && x.begin < y.end && y.begin < x.end;
}

/* ---- Steps ---- */

typedef struct thunk {
    LLVMValueRef frame, workspace, weights;
    LLVMValueRef inputs, outputs;
} thunk;

static LLVMValueRef at_bytes(cg_module *m, LLVMValueRef pointer, int64_t offset)
{
    LLVMValueRef index = LLVMConstInt(m->i64, (uint64_t)offset, 1);

    return offset ? LLVMBuildInBoundsGEP2(m->p->builder, m->i8, pointer, &index, 1, "") : pointer;
}

static LLVMValueRef load_pointer(cg_module *m, LLVMValueRef from, size_t offset)
{
    LLVMValueRef load = LLVMBuildLoad2(m->p->builder, m->ptr, at_bytes(m, from, (int64_t)offset), "");

    LLVMSetAlignment(load, 8);
    return load;
}

static LLVMValueRef frame_field(cg_module *m, thunk *t, LLVMValueRef *slot, size_t offset)
{
    if (!*slot)
        *slot = load_pointer(m, t->frame, offset);
    return *slot;
}

static LLVMValueRef constant_address(cg_module *m, thunk *t, LLVMValueRef global)
{
    const constant_record *c = m->p->weights_bytes ? constant_of(m, global) : NULL;

    if (!c || c->offset < 0)
        return global;
    return at_bytes(m, m->p->weights ? m->p->weights : frame_field(m, t, &t->weights, offsetof(qcc_frame, weights)),
                    c->offset);
}

static LLVMValueRef address_of(cg_module *m, thunk *t, const cg_arg *a)
{
    const ir_value *v = a->value;
    LLVMValueRef base;

    if (a->constant)
        return at_bytes(m, constant_address(m, t, a->constant), a->offset);
    if (v && ir_is_const(v)) {
        base = cg_constant_in_place(m, v->data, ir_type_bytes(&v->type), v->name ? v->name : "constant");
        return at_bytes(m, constant_address(m, t, base), a->offset);
    }
    if (!v || v->place.space == IR_SPACE_WORKSPACE)
        return at_bytes(m, frame_field(m, t, &t->workspace, offsetof(qcc_frame, workspace)),
                        a->offset + (v ? v->place.offset : 0));
    assert(v->place.space == IR_SPACE_INPUT || v->place.space == IR_SPACE_OUTPUT);
    base = v->place.space == IR_SPACE_INPUT ? frame_field(m, t, &t->inputs, offsetof(qcc_frame, inputs))
                                            : frame_field(m, t, &t->outputs, offsetof(qcc_frame, outputs));
    return at_bytes(m, load_pointer(m, base, 8 * (size_t)v->place.index), v->place.offset + a->offset);
}

static kernel_record *kernel_of(cg_module *m, LLVMValueRef function)
{
    for (uint32_t i = m->p->kernel_count; i-- > 0;)
        if (m->p->kernels[i].function == function)
            return &m->p->kernels[i];
    assert(!"kernel of another module");
    return NULL;
}

/* Waking a thread costs about 2 µs; each should get several times that.  Rates of one core: 300 int8 MACs/ns,
 * 20 float MACs/ns, 10 bytes/ns. */
static uint32_t threads_worth(const ir_op *op, const cg_step_info *info)
{
    uint64_t bytes = 0, ns;

    for (int i = 0; i < op->operand_count; i++)
        bytes += op->operands[i].value ? ir_type_bytes(&op->operands[i].value->type) : 0;
    for (int i = 0; i < ir_op_info_of(op->code)->results; i++)
        bytes += ir_type_bytes(&op->results[i]->type);
    ns = info->macs / (info->is_int8 ? 300 : 20) + bytes / 10;
    ns /= 4000;
    return ns < 1 ? 1 : ns > info->units ? info->units : (uint32_t)ns;
}

static LLVMValueRef thunk_begin(cg_module *m, const ir_op *op, thunk *t)
{
    LLVMTypeRef params[3] = {m->ptr, m->i32, m->i32};
    LLVMValueRef function =
        LLVMAddFunction(m->llvm, function_name(m, cg_layer_name(m, op)), LLVMFunctionType(m->void_type, params, 3, 0));

    LLVMSetLinkage(function, LLVMInternalLinkage);
    cg_target_attributes(m, function);
    cg_debug_function(m, function, op);
    LLVMPositionBuilderAtEnd(m->p->builder, LLVMAppendBasicBlockInContext(m->context, function, "entry"));
    *t = (thunk){.frame = LLVMGetParam(function, 0)};
    return function;
}

void cg_step_add(cg_module *m, const cg_kernel *k, const ir_op *op, const cg_step_info *info, int arg_count,
                 const cg_arg args[])
{
    kernel_record *record = kernel_of(m, k->function);
    LLVMValueRef values[CG_MAX_ARGS + 2];
    step_record *step;
    thunk t;

    assert(arg_count == record->arg_count && info->units >= 1);
    GROW(m, m->p->steps, m->p->step_count, m->p->step_capacity);
    step = &m->p->steps[m->p->step_count++];
    m->p->variants[m->p->variant_count - 1].step_count++;
    *step = (step_record){.op = op, .info = *info, .function = thunk_begin(m, op, &t)};
    if (!step->info.max_threads)
        step->info.max_threads = threads_worth(op, info);
    for (int i = 0; i < arg_count; i++) {
        values[i] = address_of(m, &t, &args[i]);
        for (int j = 0; j < arg_count; j++)
            record->shares_memory[i] |= i != j && may_overlap(&args[i], &args[j]);
    }
    values[arg_count] = LLVMBuildZExt(m->p->builder, LLVMGetParam(step->function, 1), m->i64, "");
    values[arg_count + 1] = LLVMBuildZExt(m->p->builder, LLVMGetParam(step->function, 2), m->i64, "");
    LLVMBuildCall2(m->p->builder, record->type, record->function, values, (unsigned)arg_count + 2, "");
    LLVMBuildRetVoid(m->p->builder);
    record->uses++;
}
