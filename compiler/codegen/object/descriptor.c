/* descriptor.c: the model's constant tables, laid out as runtime/model_abi.h has them.
 *
 *     NAME ──▶ { magic, …, inputs[], outputs[], variants[] ──▶ { "avx512vbmi", steps[], needs }, state image }
 *                                                                           └──▶ { thunk, units, …, layer, op, shape }
 *
 * Tables are made as arrays of fields with the offsets that the C compiler gives them here. */
#include "compiler/codegen/object/module_private.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/codegen/isa/isa.h"

/* ---- Module ---- */

/* .note.gnu.property of the object, which a linker keeps only where all objects of a program have it; LLVM then marks
 * the functions whose address is taken, which are the steps. */
static void mark_branches(const cg_module *m)
{
    static const char *const flags[] = {"cf-protection-branch", "cf-protection-return"};

    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
        LLVMAddModuleFlag(m->llvm, LLVMModuleFlagBehaviorOverride, flags[i], strlen(flags[i]),
                          LLVMValueAsMetadata(LLVMConstInt(m->i32, 1, 0)));
}

bool cg_module_init(cg_module *m, const ir_graph *graph, const cg_options *options, cg_emit emit,
                    LLVMTargetMachineRef machine, diag *d)
{
    LLVMTargetDataRef layout = LLVMCreateTargetDataLayout(machine);
    LLVMContextRef c = LLVMContextCreate();
    char *triple = LLVMGetTargetMachineTriple(machine);

    *m = (cg_module){.context = c,
                     .isa = &cg_isa_x86,
                     .graph = graph,
                     .options = options,
                     .arena = arena_new_beside(graph->arena),
                     .diag = d};
    m->llvm = LLVMModuleCreateWithNameInContext(options->model_name, c);
    LLVMSetSourceFileName(m->llvm, options->model_name, strlen(options->model_name));
    LLVMSetModuleDataLayout(m->llvm, layout);
    LLVMSetTarget(m->llvm, triple);
    LLVMDisposeTargetData(layout);
    LLVMDisposeMessage(triple);
    m->i1 = LLVMInt1TypeInContext(c);
    m->i8 = LLVMInt8TypeInContext(c);
    m->i16 = LLVMInt16TypeInContext(c);
    m->i32 = LLVMInt32TypeInContext(c);
    m->i64 = LLVMInt64TypeInContext(c);
    m->f32 = LLVMFloatTypeInContext(c);
    m->ptr = LLVMPointerTypeInContext(c, 0);
    m->void_type = LLVMVoidTypeInContext(c);
    mark_branches(m);
    m->p = ARENA_NEW(m->arena, struct cg_module_private);
    m->p->first_graph = graph;
    m->p->builder = LLVMCreateBuilderInContext(c);
    m->p->emit = emit;
    cg_weights_begin(m);
    cg_debug_begin(m);
    return true;
}

void cg_module_free(cg_module *m)
{
    if (m->p) {
        cg_debug_finish(m);
        LLVMDisposeBuilder(m->p->builder);
    }
    if (m->llvm)
        LLVMDisposeModule(m->llvm);
    if (m->context)
        LLVMContextDispose(m->context);
    if (m->arena)
        arena_free(m->arena);
    *m = (cg_module){0};
}

/* ---- Fields ---- */

static LLVMValueRef c16(cg_module *m, uint16_t v) { return LLVMConstInt(m->i16, v, 0); }
static LLVMValueRef c32(cg_module *m, uint32_t v) { return LLVMConstInt(m->i32, v, 0); }
static LLVMValueRef c64(cg_module *m, uint64_t v) { return LLVMConstInt(m->i64, v, 0); }

static LLVMValueRef constant_table(cg_module *m, LLVMValueRef initializer, const char *name)
{
    LLVMValueRef global = LLVMAddGlobal(m->llvm, LLVMTypeOf(initializer), name);

    LLVMSetInitializer(global, initializer);
    LLVMSetLinkage(global, LLVMPrivateLinkage);
    LLVMSetGlobalConstant(global, 1);
    LLVMSetUnnamedAddress(global, LLVMGlobalUnnamedAddr);
    return global;
}

static LLVMValueRef text(cg_module *m, const char *s)
{
    return constant_table(m, LLVMConstStringInContext2(m->context, s, strlen(s), 0), "text");
}

static LLVMValueRef structure(cg_module *m, LLVMValueRef fields[], unsigned count)
{
    return LLVMConstStructInContext(m->context, fields, count, 0);
}

/* An array of structures; NULL pointer when empty. */
static LLVMValueRef array(cg_module *m, LLVMValueRef elements[], uint32_t count, const char *name)
{
    if (!count)
        return LLVMConstNull(m->ptr);
    return constant_table(m, LLVMConstArray2(LLVMTypeOf(elements[0]), elements, count), name);
}

/* ---- Tensors ---- */

static LLVMValueRef tensor_info(cg_module *m, const ir_value *v, const char *name)
{
    bool per_tensor = v->quant && v->quant->axis < 0;
    LLVMValueRef dims[8], fields[7];

    static_assert(sizeof(qcc_tensor_info) == 8 + 4 + 4 + 64 + 8 + 4 + 4 && IR_MAX_RANK == 8,
                  "layout of qcc_tensor_info");
    for (int i = 0; i < 8; i++)
        dims[i] = c64(m, i < v->type.rank ? (uint64_t)v->type.dims[i] : 0);
    fields[0] = text(m, name);
    fields[1] = c32(m, v->type.dtype);
    fields[2] = c32(m, (uint32_t)v->type.rank);
    fields[3] = LLVMConstArray2(m->i64, dims, 8);
    fields[4] = c64(m, ir_type_bytes(&v->type));
    fields[5] = LLVMConstReal(m->f32, per_tensor ? v->quant->scale[0] : 0);
    fields[6] = c32(m, per_tensor ? (uint32_t)v->quant->zero[0] : 0);
    return structure(m, fields, 7);
}

static LLVMValueRef tensors(cg_module *m, ir_value *const values[], const char *const names[], int32_t count,
                            const char *name)
{
    LLVMValueRef *all = ARENA_ARRAY(m->arena, LLVMValueRef, count + 1);

    for (int32_t i = 0; i < count; i++)
        all[i] = tensor_info(m, values[i], names[i]);
    return array(m, all, (uint32_t)count, name);
}

/* ---- Steps ---- */

static size_t append_dims(char *buffer, size_t size, size_t used, const ir_type *t)
{
    if (!t->rank)
        used += (size_t)snprintf(buffer + used, size - used, "scalar");
    for (int i = 0; i < t->rank && used < size; i++)
        used += (size_t)snprintf(buffer + used, size - used, "%s%lld", i ? "x" : "", (long long)t->dims[i]);
    return used < size ? used : size - 1;
}

/* "1x56x56x64 -> 1x56x56x256, 3x3": first operand, first result, window. */
static const char *step_shape(cg_module *m, const ir_op *op)
{
    const ir_op_info *info = ir_op_info_of(op->code);
    const ir_value *weights = info->flags & IR_MAC ? ir_operand_value(op, 1) : NULL;
    char buffer[256] = "";
    size_t used = 0;

    if (op->operand_count && op->operands[0].value)
        used = append_dims(buffer, sizeof buffer, used, &op->operands[0].value->type);
    if (info->results && used + 8 < sizeof buffer) {
        used += (size_t)snprintf(buffer + used, sizeof buffer - used, " -> ");
        used = append_dims(buffer, sizeof buffer, used, &op->results[0]->type);
    }
    if (weights && weights->type.rank == 4 && used + 1 < sizeof buffer)
        snprintf(buffer + used, sizeof buffer - used, ", %lldx%lld", (long long)weights->type.dims[1],
                 (long long)weights->type.dims[2]);
    return arena_string(m->arena, buffer, strlen(buffer));
}

static LLVMValueRef step_entry(cg_module *m, const step_record *s, uint32_t op_index)
{
    LLVMValueRef fields[10];
    const qcc_step_part part = s->info.macs ? QCC_STEP_PRODUCT : s->info.part;

    static_assert(sizeof(qcc_step) == 8 + 4 + 4 + 3 * 8 + 8 + 2 + 2 + 4, "layout of qcc_step");
    fields[0] = s->function;
    fields[1] = c32(m, s->info.units);
    fields[2] = c32(m, s->info.max_threads);
    fields[3] = text(m, cg_layer_name(m, s->op));
    fields[4] = text(m, ir_op_info_of(s->op->code)->text);
    fields[5] = text(m, step_shape(m, s->op));
    fields[6] = c64(m, s->info.macs);
    fields[7] = c16(m, s->info.is_int8);
    fields[8] = c16(m, part);
    fields[9] = c32(m, op_index);
    return structure(m, fields, 10);
}

static LLVMValueRef steps(cg_module *m, const step_record steps[], uint32_t count)
{
    LLVMValueRef *all = ARENA_ARRAY(m->arena, LLVMValueRef, count + 1);

    const ir_op *op = m->graph->first;
    uint32_t op_index = 0;
    for (uint32_t i = 0; i < count; i++) { /* steps are in the order of ops */
        for (; op != steps[i].op; op = op->next)
            op_index++;
        all[i] = step_entry(m, &steps[i], op_index);
    }
    return array(m, all, count, "steps");
}

static LLVMValueRef variant_entry(cg_module *m, const variant_record *v)
{
    LLVMValueRef fields[4];

    static_assert(sizeof(qcc_variant) == 8 + 8 + 4 + 4, "layout of qcc_variant");
    fields[0] = text(m, v->target->name);
    fields[1] = steps(m, m->p->steps + v->first_step, v->step_count);
    fields[2] = c32(m, v->step_count);
    fields[3] = c32(m, v->target->needs);
    return structure(m, fields, 4);
}

/* Of the module's present graph. */
static LLVMValueRef variants(cg_module *m, uint32_t *out_count)
{
    LLVMValueRef *all = ARENA_ARRAY(m->arena, LLVMValueRef, m->p->variant_count);

    *out_count = 0;
    for (uint32_t i = 0; i < m->p->variant_count; i++)
        if (m->p->variants[i].graph == m->graph)
            all[(*out_count)++] = variant_entry(m, &m->p->variants[i]);
    return array(m, all, *out_count, "variants");
}

/* ---- State ---- */

/* A quantized variable without contents starts at its zero point. */
static void variable_start(const ir_variable *v, uint8_t *to)
{
    int32_t zero = v->quant ? v->quant->zero[0] : 0;
    size_t bytes = ir_dtype_bytes(v->type.dtype), count = ir_type_bytes(&v->type) / bytes;

    if (v->initial) {
        memcpy(to, v->initial, bytes * count);
        return;
    }
    for (size_t i = 0; i < count && bytes <= sizeof zero; i++)
        memcpy(to + i * bytes, &zero, bytes); /* little-endian */
}

static LLVMValueRef state_image(cg_module *m)
{
    const ir_graph *g = m->graph;
    uint8_t *image;
    LLVMValueRef global;

    if (!g->state_bytes)
        return LLVMConstNull(m->ptr);
    image = arena_alloc(m->arena, g->state_bytes);
    for (int32_t i = 0; i < g->variable_count; i++)
        variable_start(&g->variables[i], image + (g->variables[i].offset - (int64_t)g->state_offset));
    global = constant_table(m, LLVMConstStringInContext2(m->context, (const char *)image, g->state_bytes, 1), "state");
    LLVMSetAlignment(global, 64);
    return global;
}

/* ---- Constants and kernels ---- */

static void constants_finish(cg_module *m)
{
    for (uint32_t i = 0; i < m->p->constant_count; i++) {
        const constant_record *c = &m->p->constants[i];
        if (!LLVMGetFirstUse(c->global))
            LLVMDeleteGlobal(c->global);
        else
            LLVMSetInitializer(c->global, LLVMConstStringInContext2(m->context, c->bytes, c->size, 1));
    }
}

/* The code of a kernel with one step becomes the step's function; arguments that never share memory are noalias. */
static void kernels_finish(cg_module *m)
{
    LLVMAttributeRef inline_it =
        LLVMCreateEnumAttribute(m->context, LLVMGetEnumAttributeKindForName("alwaysinline", 12), 0);
    LLVMAttributeRef shared = LLVMCreateEnumAttribute(m->context, LLVMGetEnumAttributeKindForName("noinline", 8), 0);
    LLVMAttributeRef alone = LLVMCreateEnumAttribute(m->context, LLVMGetEnumAttributeKindForName("noalias", 7), 0);

    for (uint32_t i = 0; i < m->p->kernel_count; i++) {
        const kernel_record *k = &m->p->kernels[i];
        LLVMAddAttributeAtIndex(k->function, (LLVMAttributeIndex)LLVMAttributeFunctionIndex,
                                k->uses == 1 ? inline_it : shared);
        for (int a = 0; a < k->arg_count; a++)
            if (!k->shares_memory[a])
                LLVMAddAttributeAtIndex(k->function, (LLVMAttributeIndex)(a + 1), alone);
    }
}

/* ---- The model ---- */

/* NAME_weights: the program's pointer to the external weights, NULL until it sets it, and what they must be. */
static LLVMValueRef weights_slot(cg_module *m)
{
    LLVMValueRef fields[] = {LLVMConstNull(m->ptr), c64(m, cg_weights_id(m))}, initializer, global;

    static_assert(sizeof(qcc_weights_slot) == 16 && offsetof(qcc_weights_slot, id) == 8, "layout of qcc_weights_slot");
    if (!m->options->external_weights)
        return LLVMConstNull(m->ptr);
    if (m->p->weights_slot)
        return m->p->weights_slot;
    initializer = structure(m, fields, 2);
    global =
        LLVMAddGlobal(m->llvm, LLVMTypeOf(initializer), arena_format(m->arena, "%s_weights", m->options->model_name));
    LLVMSetInitializer(global, initializer);
    return m->p->weights_slot = global;
}

/* Of the module's present graph. */
static LLVMValueRef model_fields(cg_module *m, uint32_t version, size_t workspace_bytes)
{
    const ir_graph *g = m->graph;
    LLVMValueRef f[20];
    uint32_t variant_count;
    int n = 0;

    static_assert(sizeof(struct qcc_model) == 16 + 8 + 16 + 16 + 8 + 8 + 16 + 16, "layout of qcc_model");
    f[n++] = c32(m, QCC_MODEL_MAGIC);
    f[n++] = c32(m, version);
    f[n++] = c32(m, (uint32_t)g->input_count);
    f[n++] = c32(m, (uint32_t)g->output_count);
    f[n++] = text(m, m->options->model_name);
    f[n++] = tensors(m, g->inputs, g->input_names, g->input_count, "inputs");
    f[n++] = tensors(m, g->outputs, g->output_names, g->output_count, "outputs");
    f[n++] = variants(m, &variant_count);
    f[n++] = c64(m, variant_count);
    f[n++] = c64(m, workspace_bytes);
    f[n++] = state_image(m);
    f[n++] = c64(m, g->state_offset);
    f[n++] = c64(m, g->state_bytes);
    f[n++] = weights_slot(m);
    f[n++] = c64(m, m->options->external_weights ? m->p->weights_bytes : 0);
    return structure(m, f, (unsigned)n);
}

/* One workspace serves all shapes. */
static size_t largest_workspace(const cg_module *m)
{
    size_t most = 0;
    for (int i = 0; i <= m->options->further_count; i++)
        most = cg_graph_of(m, i)->workspace_bytes > most ? cg_graph_of(m, i)->workspace_bytes : most;
    return most;
}

/* The model of each shape, and the first as what the set seems to be. */
static LLVMValueRef set_fields(cg_module *m)
{
    const uint32_t count = 1 + (uint32_t)m->options->further_count;
    LLVMValueRef *models = ARENA_ARRAY(m->arena, LLVMValueRef, count), f[3];

    static_assert(sizeof(qcc_model_set) == sizeof(struct qcc_model) + 16, "layout of qcc_model_set");
    for (uint32_t i = count; i-- > 0;) { /* the first graph is the module's again */
        m->graph = cg_graph_of(m, (int)i);
        models[i] = model_fields(m, QCC_ABI_VERSION, m->graph->workspace_bytes);
    }
    f[0] = model_fields(m, QCC_ABI_VERSION_SHAPES, largest_workspace(m));
    f[1] = c64(m, count);
    f[2] = array(m, models, count, "shapes");
    return structure(m, f, 3);
}

void cg_module_finish(cg_module *m)
{
    LLVMValueRef initializer, model;

    initializer =
        m->options->further_count ? set_fields(m) : model_fields(m, QCC_ABI_VERSION, m->graph->workspace_bytes);
    model = LLVMAddGlobal(m->llvm, LLVMTypeOf(initializer), m->options->model_name);
    LLVMSetInitializer(model, initializer);
    LLVMSetGlobalConstant(model, 1);
    if (m->options->default_model && strcmp(m->options->model_name, "qcc_default_model"))
        LLVMAddAlias2(m->llvm, LLVMTypeOf(initializer), 0, model, "qcc_default_model");
    kernels_finish(m);
    constants_finish(m);
    cg_weights_seal(m);
    cg_debug_finish(m);
}
