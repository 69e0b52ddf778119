/* completion.c: makes bash's completion of a program at build time, from options.def: completion PROGRAM > FILE.
 *
 *     --he      --help, --header=
 *     --emit=   the words between bars of the argument's name: obj shared …
 *     --target= the machines, and behind a comma the next of them
 *     others    files */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/options.h"
#include "compiler/target/target.h"

static void print_option(void *context, const char *name, const char *argument)
{
    (void)context;
    printf(" --%s%s", name, argument ? "=" : "");
}

/* What there is to choose from has small letters: FILE, N and the like do not. */
static bool are_words(const char *argument)
{
    return argument[strspn(argument, "abcdefghijklmnopqrstuvwxyz0123456789-|")] == 0;
}

static void print_targets(void)
{
    int count;
    const target_info *targets = target_list(&count);
    printf("        --target) words='");
    for (int i = 0; i < count; i++)
        printf("%s ", targets[i].name);
    printf("native'\n            [[ $cur != *,* ]] || { before=${cur%%,*}, cur=${cur##*,}; } ;;\n");
}

static void print_values(void *context, const char *name, const char *argument)
{
    (void)context;
    if (strcmp(name, "target") == 0) {
        print_targets();
        return;
    }
    if (!argument || !strchr(argument, '|') || !are_words(argument))
        return;
    printf("        --%s) words='", name);
    for (const char *at = argument; *at; at++)
        putchar(*at == '|' ? ' ' : *at);
    printf("' ;;\n");
}

int main(int argc, char **argv)
{
    static const option_program programs[] = {OPTION_QCC, OPTION_RUN, OPTION_EVAL, OPTION_OPT, OPTION_TUNE};
    for (size_t i = 0; argc == 2 && i < sizeof programs / sizeof programs[0]; i++) {
        if (strcmp(options_program_name(programs[i]), argv[1]) != 0)
            continue;
        printf("# Completion for %s.  Bash takes '=' for a word of its own where it is in COMP_WORDBREAKS.\n"
               "_%s() {\n"
               "    local cur=${COMP_WORDS[COMP_CWORD]} option=${COMP_WORDS[COMP_CWORD - 1]} words='' before=''\n"
               "    if [[ $cur == = ]]; then\n        cur=''\n"
               "    elif [[ $option == = ]]; then\n        option=${COMP_WORDS[COMP_CWORD - 2]}\n"
               "    elif [[ $cur == --*=* ]]; then\n        option=${cur%%%%=*} cur=${cur#*=}\n"
               "    elif [[ $cur == -* ]]; then\n        compopt -o nospace 2>/dev/null\n"
               "        COMPREPLY=($(compgen -W '",
               argv[1], argv[1]);
        options_each(programs[i], print_option, NULL);
        printf("' -- \"$cur\"))\n        [[ ${COMPREPLY[0]} == *= ]] || compopt +o nospace 2>/dev/null\n"
               "        return\n    fi\n    case $option in\n");
        options_each(programs[i], print_values, NULL);
        printf(
            "    esac\n"
            "    if [[ $words ]]; then\n        COMPREPLY=($(compgen -P \"$before\" -W \"$words\" -- \"$cur\"))\n"
            "    else\n        compopt -o filenames 2>/dev/null\n        COMPREPLY=($(compgen -f -- \"$cur\"))\n    fi\n"
            "}\ncomplete -F _%s %s\n",
            argv[1], argv[1]);
        return fflush(stdout) == 0 && !ferror(stdout) ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    fprintf(stderr, "usage: completion PROGRAM\n");
    return 2;
}
