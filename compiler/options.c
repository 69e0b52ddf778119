/* options.c: getopt_long, --help and man pages from options.def. */
#define _GNU_SOURCE
#include "compiler/options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/codegen/backend.h"
#include "compiler/target/target.h"
#include "compiler/target/targets.h"

enum { HIDDEN = 1 << 8, FIRST_LONG = 1000, HELP_COLUMN = 30, HELP_WIDTH = 100 };
enum { ARG_NONE = no_argument, ARG_NEEDS = required_argument, ARG_MAY = optional_argument };
enum { QCC = OPTION_QCC, RUN = OPTION_RUN, EVAL = OPTION_EVAL, OPT = OPTION_OPT, TUNE = OPTION_TUNE };

typedef struct option_row {
    const char *group; /* a title, and the rest empty; or NULL */
    option_id id;
    const char *text;
    int letter, argument;
    const char *argument_name;
    int programs;
    const char *doc;
} option_row;

static const option_row rows[] = {
#define GROUP(title) {.group = title},
#define OPTION(ID, text, letter, argument, argument_name, programs, doc)                                               \
    {NULL, OPT_##ID, text, letter, ARG_##argument, argument_name, programs, doc},
#include "compiler/options.def"
#undef GROUP
#undef OPTION
};
enum { ROWS = sizeof rows / sizeof rows[0] };

typedef struct program_text {
    option_program program;
    const char *name, *usage, *summary;
} program_text;

static const program_text programs[] = {
    {OPTION_QCC, "qcc", "qcc [options] MODEL [-o OUTPUT]",
     "Compiles a quantized neural network into an object file, a shared library or a listing."},
    {OPTION_RUN, "qcc-run", "qcc-run [options] FILE",
     "Runs, compares, times and profiles a model: FILE is a shared library that qcc made, or any model that qcc reads."},
    {OPTION_EVAL, "qcc-eval", "qcc-eval [options] FILE --data=DIR --labels=FILE",
     "Measures the top-1 and top-5 accuracy of a classifier over pictures."},
    {OPTION_OPT, "qcc-opt", "qcc-opt [options] FILE", "Runs passes over a graph and prints it as textual IR."},
    {OPTION_TUNE, "qcc-tune", "qcc-tune [options] MODEL --data=DIR -o OUTPUT",
     "Trains a model of real numbers for the integers that it will be computed on, and compiles it."},
};

static const program_text *text_of(option_program program)
{
    size_t i = 0;
    while (programs[i].program != program)
        i++;
    return &programs[i];
}

const char *options_program_name(option_program program) { return text_of(program)->name; }

const char *options_version(void) { return QCC_VERSION; }

static void print_version(option_program program)
{
    char llvm[CG_VERSION_TEXT];
    const target_info *here = target_find("native");
    printf("%s %s\nLLVM %s\ntargets: " TARGET_NAMES "(native here: %s)\n", options_program_name(program),
           options_version(), cg_llvm_version(llvm), here ? here->name : "none");
}

static bool listed(const option_row *row, option_program program)
{
    return !row->group && (row->programs & (int)program) && !(row->programs & HIDDEN);
}

/* A title is shown when the program has an option under it. */
static bool title_shown(int at, option_program program)
{
    for (int i = at + 1; i < ROWS && !rows[i].group; i++)
        if (listed(&rows[i], program))
            return true;
    return false;
}

/* ---- Help ---- */

static int print_option_name(const option_row *row, FILE *out)
{
    int width =
        row->letter ? fprintf(out, "  -%c, --%s", row->letter, row->text) : fprintf(out, "      --%s", row->text);
    if (row->argument == ARG_NEEDS)
        width += fprintf(out, "=%s", row->argument_name);
    else if (row->argument == ARG_MAY)
        width += fprintf(out, "[=%s]", row->argument_name);
    return width;
}

/* Fills lines up to HELP_WIDTH, each starting at `indent`; the first starts at `column`. */
static void print_wrapped(const char *text, int column, int indent, FILE *out)
{
    if (column > 0 && column >= indent) {
        fputc('\n', out);
        column = 0;
    }
    fprintf(out, "%*s", indent - column, "");
    column = indent;
    while (*text) {
        const int length = (int)strcspn(text, " ");
        if (column > indent && column + 1 + length > HELP_WIDTH) {
            fprintf(out, "\n%*s", indent, "");
            column = indent;
        } else if (column > indent) {
            fputc(' ', out);
            column++;
        }
        fprintf(out, "%.*s", length, text);
        column += length;
        text += length;
        text += strspn(text, " ");
    }
    fputc('\n', out);
}

void options_print_help(option_program program, FILE *out)
{
    const program_text *p = text_of(program);
    fprintf(out, "Usage: %s\n\n", p->usage);
    print_wrapped(p->summary, 0, 0, out);
    for (int i = 0; i < ROWS; i++) {
        if (rows[i].group && title_shown(i, program))
            fprintf(out, "\n%s:\n", rows[i].group);
        else if (listed(&rows[i], program))
            print_wrapped(rows[i].doc, print_option_name(&rows[i], out), HELP_COLUMN, out);
    }
}

void options_each(option_program program, option_each_fn *call, void *context)
{
    for (int i = 0; i < ROWS; i++)
        if (listed(&rows[i], program))
            call(context, rows[i].text, rows[i].argument == ARG_NONE ? NULL : rows[i].argument_name);
}

static void print_roff(const char *text, FILE *out)
{
    for (; *text; text++) {
        if (*text == '-' || *text == '\\')
            fputc('\\', out);
        fputc(*text, out);
    }
}

void options_print_man(option_program program, FILE *out)
{
    fprintf(out, ".SH OPTIONS\n");
    for (int i = 0; i < ROWS; i++) {
        const option_row *row = &rows[i];
        if (row->group && title_shown(i, program))
            fprintf(out, ".SS %s\n", row->group);
        if (!listed(row, program))
            continue;
        fprintf(out, ".TP\n.B ");
        if (row->letter)
            fprintf(out, "\\-%c, ", row->letter);
        fprintf(out, "\\-\\-");
        print_roff(row->text, out);
        if (row->argument != ARG_NONE) {
            fprintf(out, row->argument == ARG_MAY ? "\\fR[=\\fI" : "\\fR=\\fI");
            print_roff(row->argument_name, out);
            fprintf(out, row->argument == ARG_MAY ? "\\fR]" : "\\fR");
        }
        fputc('\n', out);
        print_roff(row->doc, out);
        fprintf(out, ".\n");
    }
}

/* ---- Parsing ---- */

option_outcome options_usage_error(option_program program, const char *what)
{
    const char *name = options_program_name(program);
    fprintf(stderr, "%s: error: %s (see %s --help)\n", name, what, name);
    return OPTION_EXIT_USAGE;
}

/* The table in getopt's form. */
static void getopt_tables(option_program program, struct option longs[ROWS + 1], char shorts[3 * ROWS + 3])
{
    int count = 0, length = 0;
    shorts[length++] = '-'; /* other arguments come in order, as code 1 */
    shorts[length++] = ':'; /* a missing argument is told from an unknown option */
    for (int i = 0; i < ROWS; i++) {
        if (rows[i].group || !(rows[i].programs & (int)program))
            continue;
        longs[count++] = (struct option){rows[i].text, rows[i].argument, NULL, FIRST_LONG + i};
        if (!rows[i].letter)
            continue;
        shorts[length++] = (char)rows[i].letter;
        if (rows[i].argument == ARG_NEEDS)
            shorts[length++] = ':';
    }
    longs[count] = (struct option){0};
    shorts[length] = 0;
}

static const option_row *row_of(option_program program, int code)
{
    if (code >= FIRST_LONG)
        return &rows[code - FIRST_LONG];
    for (int i = 0; i < ROWS; i++)
        if (!rows[i].group && rows[i].letter == code && (rows[i].programs & (int)program))
            return &rows[i];
    return NULL;
}

/* ---- Options that there are not ---- */

enum { LONGEST_OPTION = 32, FAR = 1000 };

/* How many letters have to be put in, left out or changed to make one word of the other. */
static int distance(const char *a, size_t a_length, const char *b)
{
    int row[LONGEST_OPTION + 1];
    const size_t b_length = strlen(b);
    if (b_length > LONGEST_OPTION)
        return FAR;
    for (size_t j = 0; j <= b_length; j++)
        row[j] = (int)j;
    for (size_t i = 1; i <= a_length; i++) {
        int diagonal = row[0];
        row[0] = (int)i;
        for (size_t j = 1; j <= b_length; j++) {
            const int changed = diagonal + (a[i - 1] != b[j - 1]);
            const int shorter = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = changed < shorter ? changed : shorter;
        }
    }
    return row[b_length];
}

static const option_row *nearest(option_program program, const char *name, size_t length)
{
    const option_row *best = NULL;
    int least = 1 + (int)length / 4; /* further off is another word */
    for (int i = 0; i < ROWS; i++) {
        const int off = listed(&rows[i], program) ? distance(name, length, rows[i].text) : FAR;
        if (off < least || (off == least && !best)) {
            best = &rows[i];
            least = off;
        }
    }
    return best;
}

/* What is wrong with "--name=value": an option that takes none, one of another program, or one that is spelled otherwise. */
static void explain_unknown(option_program program, const char *argument, char *text, size_t size)
{
    const char *name = argument + (strncmp(argument, "--", 2) == 0 ? 2 : 0);
    const size_t length = strcspn(name, "=");
    if (name == argument)
        return;
    for (int i = 0; i < ROWS; i++)
        if (listed(&rows[i], program) && strlen(rows[i].text) == length && strncmp(rows[i].text, name, length) == 0) {
            snprintf(text, size, ": --%s takes no value", rows[i].text);
            return;
        }
    for (int i = 0; i < ROWS; i++)
        for (size_t p = 0; p < sizeof programs / sizeof programs[0]; p++)
            if (listed(&rows[i], programs[p].program) && strlen(rows[i].text) == length &&
                strncmp(rows[i].text, name, length) == 0) {
                snprintf(text, size, " of %s, but of %s", options_program_name(program), programs[p].name);
                return;
            }
    const option_row *meant = nearest(program, name, length);
    if (meant)
        snprintf(text, size, "; did you mean --%s?", meant->text);
}

option_outcome options_parse(option_program program, int argc, char **argv, option_fn *set, void *context)
{
    struct option longs[ROWS + 1];
    char shorts[3 * ROWS + 3], reason[512] = "", message[640];
    getopt_tables(program, longs, shorts);
    opterr = 0;
    optind = 0;
    for (;;) {
        const int at = optind ? optind : 1;
        int code = getopt_long(argc, argv, shorts, longs, NULL);
        const char *value = optarg;
        if (code == -1 && optind >= argc)
            return OPTION_GO;
        if (code == -1) { /* what follows -- */
            code = 1;
            value = argv[optind++];
        }
        if (code == ':' || code == '?') {
            if (code == '?')
                explain_unknown(program, argv[at], reason, sizeof reason);
            snprintf(message, sizeof message, "%s %s%s", argv[at],
                     code == ':' ? "needs an argument" : "is not a valid option", reason);
            return options_usage_error(program, message);
        }
        const option_row *row = code == 1 ? NULL : row_of(program, code);
        if (row && row->id == OPT_HELP) {
            options_print_help(program, stdout);
            return OPTION_EXIT_OK;
        }
        if (row && row->id == OPT_VERSION) {
            print_version(program);
            return OPTION_EXIT_OK;
        }
        if (!set(context, row ? row->id : OPT_COUNT, value, reason, sizeof reason)) {
            snprintf(message, sizeof message, "%s%s%s%s", row ? "--" : "", row ? row->text : "", row ? ": " : "",
                     reason);
            return options_usage_error(program, message);
        }
    }
}

bool options_number(const char *value, long min, long max, long *out, char *error, size_t error_size)
{
    char *end;
    errno = 0;
    *out = strtol(value, &end, 10);
    if (!errno && end != value && !*end && *out >= min && *out <= max)
        return true;
    snprintf(error, error_size, "'%s' is not a whole number from %ld to %ld", value, min, max);
    return false;
}

bool options_size(const char *value, size_t *out, char *error, size_t error_size)
{
    static const char units[] = "KMGT";
    char *end;
    errno = 0;
    const unsigned long long number = strtoull(value, &end, 10);
    const char *unit = *end ? strchr(units, *end) : NULL;
    const int shift = unit ? 10 * (int)(unit - units + 1) : 0;
    if (!errno && isdigit((unsigned char)*value) && !end[unit != NULL] && number > 0 && number <= SIZE_MAX >> shift) {
        *out = (size_t)number << shift;
        return true;
    }
    snprintf(error, error_size, "'%s' is not a size: a number of bytes, or of K, M, G or T (powers of 1024)", value);
    return false;
}

static bool is_filler(char c) { return c == '-' || c == '_'; }

/* Is the word up to a blank the name? */
static bool is_word(const char *word, const char *name)
{
    for (;; word++, name++) {
        while (is_filler(*word))
            word++;
        while (is_filler(*name))
            name++;
        if (*word == '\0' || *word == ' ')
            return *name == '\0';
        if (tolower((unsigned char)*word) != tolower((unsigned char)*name))
            return false;
    }
}

bool options_word(const char *words, const char *name)
{
    for (const char *word = words; word; word = strchr(word, ' '), word = word ? word + 1 : NULL)
        if (is_word(word, name))
            return true;
    return false;
}

bool options_real(const char *value, double *out, char *error, size_t error_size)
{
    char *end;
    *out = strtod(value, &end);
    if (end != value && !*end && isfinite(*out))
        return true;
    snprintf(error, error_size, "'%s' is not a number", value);
    return false;
}
