/* options.h: command lines of all programs, from the one table options.def. */
#ifndef QCC_OPTIONS_H
#define QCC_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

typedef enum option_id {
#define GROUP(title)
#define OPTION(ID, text, letter, argument, argument_name, programs, doc) OPT_##ID,
#include "compiler/options.def"
#undef GROUP
#undef OPTION
    OPT_COUNT
} option_id;

typedef enum option_program {
    OPTION_QCC = 1,
    OPTION_RUN = 2,
    OPTION_EVAL = 4,
    OPTION_OPT = 8,
    OPTION_TUNE = 16
} option_program;

/* Called for each option in order, and with OPT_COUNT for each argument that is no option; false after writing a
 * reason to `error`. */
typedef bool option_fn(void *context, option_id, const char *value, char *error, size_t error_size);

/* What to do after parsing. */
typedef enum option_outcome { OPTION_GO, OPTION_EXIT_OK, OPTION_EXIT_USAGE } option_outcome;

/* Reads argv; prints --help and --version, and one line on stderr about bad usage. */
option_outcome options_parse(option_program, int argc, char **argv, option_fn *, void *context);
option_outcome options_usage_error(option_program, const char *what);

/* "qcc", "qcc-run", … */
const char *options_program_name(option_program);
const char *options_version(void); /* "0.1.0" */
void options_print_help(option_program, FILE *);
/* Calls for each option that is listed, with the name of its argument or NULL. */
typedef void option_each_fn(void *context, const char *name, const char *argument);
void options_each(option_program, option_each_fn *, void *context);
/* The OPTIONS section of a man page, in man(7) macros. */
void options_print_man(option_program, FILE *);

/* Helpers for option_fn: false with a message. */
bool options_number(const char *value, long min, long max, long *out, char *error, size_t error_size);
bool options_size(const char *value, size_t *out, char *error,
                  size_t error_size); /* "64M": bytes, or with K, M, G or T */
/* Is the name one of these, separated by blanks?  Case, '-' and '_' don't count. */
bool options_word(const char *words, const char *name);
bool options_real(const char *value, double *out, char *error, size_t error_size);

#endif
