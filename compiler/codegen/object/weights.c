/* weights.c: large constants, which LLVM never sees.  They lie one behind the other, 64-byte aligned, in the order of
 * the layers, those that only a further target needs behind all of the first, and code addresses them by their distance
 * from the first.
 *
 *     --weights=FILE   the bytes of FILE, which the program loads, behind the header that model_abi.h draws
 *     objects          a section that LLVM believes to be empty memory; once the object is written, the section gets
 * its bytes behind everything else:
 *
 *         │ ELF header │ code … │ section headers │ padding │ weights │
 *                                   └── .rodata.weights: offset ───┘
 *
 *     text             no: constants are spelt out there
 *
 * So weights are alive once while LLVM works, and the file is written from where they were packed. */
#include <assert.h>
#include <elf.h>
#include <string.h>

#include "compiler/codegen/object/module_private.h"
#include "runtime/model_abi.h"

enum { ALIGN = 64, LARGE = 4096 };

/* With this name the section takes no room in what LLVM writes; without its first part it is one of read-only data. */
static const char section_name[] = ".bss.rodata.weights";
enum { FIRST_PART = sizeof ".bss" - 1 };
static const unsigned char zeros[ALIGN];

bool cg_weights_take(const cg_module *m, size_t size)
{
    return size >= LARGE && (m->options->external_weights || m->p->emit == CG_EMIT_OBJECT);
}

void cg_weights_begin(cg_module *m)
{
    static_assert(sizeof(qcc_weights_header) <= ALIGN, "constants begin at the first multiple of 64 behind the header");
    m->p->weights_bytes = m->options->external_weights ? ALIGN : 0;
}

uint64_t cg_weights_id(const cg_module *m)
{
    uint64_t id = m->p->weights_bytes;

    for (uint32_t i = 0; i < m->p->constant_count; i++)
        if (m->p->constants[i].offset >= 0)
            id = ir_hash_bytes(m->p->constants[i].bytes, m->p->constants[i].size, id);
    return id;
}

int64_t cg_weights_place(cg_module *m, size_t size)
{
    const size_t at = m->p->weights_bytes;
    m->p->weights_bytes += (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    if (!m->options->external_weights && !m->p->weights)
        m->p->weights = LLVMAddGlobal(m->llvm, m->i8, "weights"); /* its size is not known yet */
    return (int64_t)at;
}

void cg_weights_seal(cg_module *m)
{
    LLVMValueRef sized;

    if (!m->p->weights)
        return;
    sized = LLVMAddGlobal(m->llvm, LLVMArrayType2(m->i8, m->p->weights_bytes), "");
    LLVMReplaceAllUsesWith(m->p->weights, sized);
    LLVMDeleteGlobal(m->p->weights);
    LLVMSetValueName2(sized, "weights", strlen("weights"));
    LLVMSetVisibility(sized, LLVMHiddenVisibility);
    LLVMSetAlignment(sized, ALIGN);
    m->p->weights = sized;
}

void cg_weights_define(cg_module *m)
{
    if (!m->p->weights)
        return;
    LLVMSetInitializer(m->p->weights, LLVMConstNull(LLVMGlobalGetValueType(m->p->weights)));
    LLVMSetVisibility(m->p->weights, LLVMDefaultVisibility);
    LLVMSetLinkage(m->p->weights, LLVMInternalLinkage);
    LLVMSetSection(m->p->weights, section_name);
}

/* ---- The object file ---- */

static Elf64_Shdr *find_section(unsigned char *object, size_t size)
{
    const Elf64_Ehdr *file = (const Elf64_Ehdr *)(void *)object;
    Elf64_Shdr *sections = (Elf64_Shdr *)(void *)(object + file->e_shoff);
    const char *names = (const char *)object + sections[file->e_shstrndx].sh_offset;

    (void)size;
    for (int i = 0; i < file->e_shnum; i++)
        if (!strcmp(names + sections[i].sh_name, section_name))
            return &sections[i];
    return NULL;
}

static void add_part(cg_output *out, const void *bytes, size_t size)
{
    if (!size)
        return;
    out->parts[out->part_count++] = (cg_part){bytes, size};
    out->parts_bytes += size;
}

static void list_parts(cg_module *m, cg_output *out)
{
    size_t at = 0;

    if (m->options->external_weights) {
        qcc_weights_header *header = ARENA_NEW(m->arena, qcc_weights_header);
        *header = (qcc_weights_header){QCC_WEIGHTS_MAGIC, QCC_ABI_VERSION, cg_weights_id(m)};
        add_part(out, header, sizeof *header);
        at = sizeof *header;
    }
    for (uint32_t i = 0; i < m->p->constant_count; i++) {
        const constant_record *c = &m->p->constants[i];
        if (c->offset < 0)
            continue;
        add_part(out, zeros, (size_t)c->offset - at);
        add_part(out, c->bytes, c->size);
        at = (size_t)c->offset + c->size;
    }
    add_part(out, zeros, m->p->weights_bytes - at);
}

bool cg_weights_finish(cg_module *m, cg_output *out)
{
    Elf64_Shdr *section;

    if (!m->p->weights_bytes)
        return true;
    out->parts = ARENA_ARRAY(m->arena, cg_part, 2 * (size_t)m->p->constant_count + 3);
    if (!m->options->external_weights) {
        section = find_section(out->bytes, out->size);
        if (!section || section->sh_size != m->p->weights_bytes)
            return diag_error(m->diag, NULL, "internal error: the object has no place for the weights");
        const size_t at = (out->size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
        section->sh_name += FIRST_PART;
        section->sh_type = SHT_PROGBITS;
        section->sh_flags = SHF_ALLOC;
        section->sh_offset = at;
        add_part(out, zeros, at - out->size);
    }
    out->separate = m->options->external_weights;
    list_parts(m, out);
    return true;
}

void cg_output_free(cg_output *out)
{
    if (out->memory)
        arena_free(out->memory);
    *out = (cg_output){0};
}
