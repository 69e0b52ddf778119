/* elf_file.h: what a file says of itself before the system's loader maps it. */
#ifndef QCC_ELF_FILE_H
#define QCC_ELF_FILE_H

#include <stdbool.h>

typedef struct elf_file {
    int type; /* ET_REL, ET_DYN, …; ET_NONE: no file of that format, or none that can be read */
    bool
        whole; /* all that the loader would map is in the file: what is missing would end the process where it is touched */
} elf_file;

elf_file elf_file_look(const char *path);

#endif
