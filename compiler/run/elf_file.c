/* elf_file.c: header and program headers of a 64-bit ELF file -> its type, and whether its segments end inside it.
 *
 *     | Elf64_Ehdr | … | Elf64_Phdr[e_phnum] at e_phoff | … | segments: p_filesz bytes at p_offset |  */
#include "compiler/run/elf_file.h"

#include <elf.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static bool lies_within(uint64_t offset, uint64_t bytes, uint64_t size)
{
    return offset <= size && bytes <= size - offset;
}

static bool segments_are_whole(FILE *f, const Elf64_Ehdr *header)
{
    const long end = fseek(f, 0, SEEK_END) == 0 ? ftell(f) : -1;
    const uint64_t size = end < 0 ? 0 : (uint64_t)end;
    if (header->e_phentsize != sizeof(Elf64_Phdr) ||
        !lies_within(header->e_phoff, (uint64_t)header->e_phnum * sizeof(Elf64_Phdr), size))
        return false;
    for (int i = 0; i < header->e_phnum; i++) {
        Elf64_Phdr segment;
        if (fseek(f, (long)(header->e_phoff + (uint64_t)i * sizeof segment), SEEK_SET) != 0 ||
            fread(&segment, sizeof segment, 1, f) != 1)
            return false;
        if (segment.p_type == PT_LOAD && !lies_within(segment.p_offset, segment.p_filesz, size))
            return false;
    }
    return true;
}

elf_file elf_file_look(const char *path)
{
    elf_file seen = {.type = ET_NONE};
    Elf64_Ehdr header;
    FILE *f = fopen(path, "rb");
    if (f && fread(&header, sizeof header, 1, f) == 1 && memcmp(header.e_ident, ELFMAG, SELFMAG) == 0) {
        seen.type = header.e_type;
        seen.whole = header.e_ident[EI_CLASS] == ELFCLASS64 && segments_are_whole(f, &header);
    }
    if (f)
        fclose(f);
    return seen;
}
