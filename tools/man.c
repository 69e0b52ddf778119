/* man.c: makes a man page at build time: man PROGRAM TEMPLATE > PAGE.  The template's line @OPTIONS@ becomes the
 * section of options from options.def, @VERSION@ the version. */
#include <stdlib.h>
#include <string.h>

#include "compiler/options.h"

int main(int argc, char **argv)
{
    static const option_program programs[] = {OPTION_QCC, OPTION_RUN, OPTION_EVAL, OPTION_OPT, OPTION_TUNE};
    FILE *file = argc == 3 ? fopen(argv[2], "r") : NULL;
    char line[4096];
    if (!file) {
        fprintf(stderr, "usage: man PROGRAM TEMPLATE\n");
        return 2;
    }
    for (size_t i = 0; i < sizeof programs / sizeof programs[0]; i++) {
        if (strcmp(options_program_name(programs[i]), argv[1]) != 0)
            continue;
        while (fgets(line, sizeof line, file)) {
            char *version = strstr(line, "@VERSION@");
            if (strcmp(line, "@OPTIONS@\n") == 0)
                options_print_man(programs[i], stdout);
            else if (version)
                printf("%.*s%s%s", (int)(version - line), line, QCC_VERSION, version + strlen("@VERSION@"));
            else
                fputs(line, stdout);
        }
    }
    fclose(file);
    return fflush(stdout) == 0 && !ferror(stdout) ? EXIT_SUCCESS : EXIT_FAILURE;
}
