/* debug.c: -g. Each function is a line of the textual IR that the backend got: the line of the op that it was made for.
 *
 *     gdb: break mobilenet.conv1        perf annotate: mobilenet.qir:17
 *
 * `qcc --print-ir-after=memory_plan` prints that text. */
#include "compiler/codegen/object/module_private.h"

#include <stdlib.h>
#include <string.h>

#include <llvm-c/DebugInfo.h>

/* Ops are those lines that are no input, constant, output or frame of the graph. */
static bool is_op_line(const char *line)
{
    static const char *const others[] = {"graph ",       "}",          "  input ", "  const ", "  output ",
                                         "  workspace ", "  variable "};

    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (!strncmp(line, others[i], strlen(others[i])))
            return false;
    return *line != '\n' && *line != 0;
}

/* Lines of the ops, in order. */
static unsigned *op_lines(cg_module *m, uint32_t *out_count)
{
    uint32_t capacity = 1, count = 0;
    unsigned *lines, number = 1;
    size_t length;
    char *text;

    for (const ir_op *op = m->graph->first; op; op = op->next)
        capacity++;
    lines = ARENA_ARRAY(m->arena, unsigned, capacity);
    *out_count = 0;
    if (!ir_print(m->graph, &text, &length))
        return lines;
    for (const char *at = text; at && *at; number++) {
        if (is_op_line(at) && count < capacity)
            lines[count++] = number;
        at = strchr(at, '\n');
        at = at ? at + 1 : NULL;
    }
    free(text);
    *out_count = count;
    return lines;
}

static void module_flag(cg_module *m, const char *key, uint64_t value)
{
    LLVMAddModuleFlag(m->llvm, LLVMModuleFlagBehaviorWarning, key, strlen(key),
                      LLVMValueAsMetadata(LLVMConstInt(m->i32, value, 0)));
}

void cg_debug_begin(cg_module *m)
{
    const char *name = arena_format(m->arena, "%s.qir", m->options->model_name);
    debug_info *d = &m->p->debug;

    if (!m->options->debug)
        return;
    module_flag(m, "Debug Info Version", LLVMDebugMetadataVersion());
    module_flag(m, "Dwarf Version", 4);
    d->builder = LLVMCreateDIBuilder(m->llvm);
    d->file = LLVMDIBuilderCreateFile(d->builder, name, strlen(name), ".", 1);
    LLVMDIBuilderCreateCompileUnit(d->builder, LLVMDWARFSourceLanguageC99, d->file, "qcc", 3, 1, "", 0, 0, "", 0,
                                   LLVMDWARFEmissionFull, 0, 0, 0, "", 0, "", 0);
    d->type = LLVMDIBuilderCreateSubroutineType(d->builder, d->file, NULL, 0, LLVMDIFlagZero);
    d->lines = op_lines(m, &d->line_count);
}

static unsigned line_of(const cg_module *m, const ir_op *op)
{
    uint32_t position = 0;

    if (op->graph != m->p->first_graph) /* the text is that graph's */
        return 1;
    while (op->prev) {
        op = op->prev;
        position++;
    }
    return position < m->p->debug.line_count ? m->p->debug.lines[position] : 1;
}

void cg_debug_function(cg_module *m, LLVMValueRef function, const ir_op *op)
{
    debug_info *d = &m->p->debug;
    LLVMMetadataRef subprogram;
    const char *name;
    unsigned line;
    size_t length;

    if (!d->builder)
        return;
    line = line_of(m, op);
    name = LLVMGetValueName2(function, &length);
    subprogram = LLVMDIBuilderCreateFunction(d->builder, d->file, name, length, name, length, d->file, line, d->type, 1,
                                             1, line, LLVMDIFlagZero, 1);
    LLVMSetSubprogram(function, subprogram);
    LLVMSetCurrentDebugLocation2(m->p->builder,
                                 LLVMDIBuilderCreateDebugLocation(m->context, line, 1, subprogram, NULL));
}

void cg_debug_finish(cg_module *m)
{
    if (!m->p->debug.builder)
        return;
    LLVMDIBuilderFinalize(m->p->debug.builder);
    LLVMDisposeDIBuilder(m->p->debug.builder);
    m->p->debug.builder = NULL;
}
