/* qcc-opt: runs passes over a graph in text form and prints the result.
 *
 *     qcc-opt --passes=fold,dce --verify-each m.qir
 *     qcc-opt --lower --check m.qir          the whole pipeline; the interpreter's outputs must stay the same */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ir/interp.h"
#include "passes/pass.h"
#include "tools/check_values.h"

enum { EXIT_FINE = 0, EXIT_BAD_INPUT = 1, EXIT_BAD_USAGE = 2, MAX_NAMES = 64 };

typedef struct names {
    const char *at[MAX_NAMES];
    int count;
} names;

typedef struct settings {
    const char *input, *output;
    names passes, before, after;
    bool has_passes, check, quiet;
    pass_options options;
    pass_debug debug;
} settings;

static const char usage[] =
    "usage: qcc-opt [options] FILE.qir   (- is stdin)\n"
    "  -o FILE                  write the result there instead of stdout\n"
    "  --passes=A,B             these passes instead of the pipeline\n"
    "  --lower                  the pipeline up to the memory plan\n"
    "  -O0, -O1                 only what the backend needs, or everything (default)\n"
    "  --rounding=fp32|tflite   for the pass set_rounding\n"
    "  --verify-each            verify after every pass\n"
    "  --round-trip-each        print and read back after every pass, too\n"
    "  --check                  interpret before and after; the outputs must be equal\n"
    "  --quiet                  do not print the result\n"
    "  --print-ir-before=PASS, --print-ir-after=PASS, --print-ir-after-all, --dump-dir=DIR, --time-passes\n"
    "  --list-passes, --list-ops, --help, --version\n";

/* ---- Options ---- */

static void split(char *list, names *out)
{
    for (char *name = strtok(list, ","); name && out->count < MAX_NAMES; name = strtok(NULL, ","))
        out->at[out->count++] = name;
}

static void list_passes(void)
{
    int count;
    const pass_info *list = pass_list(&count);
    for (int i = 0; i < count; i++)
        printf("%-20s %s\n", list[i].name, list[i].doc);
}

static void list_ops(void)
{
    for (int code = 0; code < IR_OPCODE_COUNT; code++) {
        const ir_op_info *info = ir_op_info_of((ir_opcode)code);
        printf("%-22s %-22s %s\n", info->text, info->operands, info->doc);
    }
}

static bool value_of(char *arg, const char *option, char **out)
{
    size_t n = strlen(option);
    if (strncmp(arg, option, n) != 0)
        return false;
    *out = arg + n;
    return true;
}

static bool parse_rounding(settings *s, const char *text)
{
    s->options.rounding_given = true;
    s->options.rounding = strcmp(text, "tflite") == 0 ? IR_ROUNDING_FIXED_TWICE : IR_ROUNDING_EVEN_F32;
    return strcmp(text, "tflite") == 0 || strcmp(text, "fp32") == 0;
}

static bool parse_flag(settings *s, const char *arg)
{
    const struct {
        const char *text;
        bool *flag;
    } flags[] = {
        {"--lower", &s->options.lower},
        {"--verify-each", &s->debug.verify_each},
        {"--round-trip-each", &s->debug.round_trip_each},
        {"--check", &s->check},
        {"--quiet", &s->quiet},
        {"--print-ir-after-all", &s->debug.print_after_all},
        {"--time-passes", &s->debug.time},
    };
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
        if (strcmp(arg, flags[i].text) == 0)
            return *flags[i].flag = true;
    return false;
}

static bool parse_option(settings *s, char *arg)
{
    char *value;
    if (parse_flag(s, arg))
        return true;
    if (value_of(arg, "--passes=", &value)) {
        s->has_passes = true;
        split(value, &s->passes);
    } else if (value_of(arg, "--rounding=", &value)) {
        return parse_rounding(s, value);
    } else if (value_of(arg, "--print-ir-before=", &value)) {
        split(value, &s->before);
    } else if (value_of(arg, "--print-ir-after=", &value)) {
        split(value, &s->after);
    } else if (value_of(arg, "--dump-dir=", &value)) {
        s->debug.dump_dir = value;
    } else if (value_of(arg, "-O", &value) && strlen(value) == 1 && *value >= '0' && *value <= '3') {
        s->options.opt_level = *value - '0';
    } else {
        return false;
    }
    return true;
}

/* The exit code, or -1 to go on. */
static int parse_arguments(settings *s, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0)
            return fputs(usage, stdout), EXIT_FINE;
        if (strcmp(argv[i], "--version") == 0)
            return puts("qcc-opt " QCC_VERSION), EXIT_FINE;
        if (strcmp(argv[i], "--list-passes") == 0)
            return list_passes(), EXIT_FINE;
        if (strcmp(argv[i], "--list-ops") == 0)
            return list_ops(), EXIT_FINE;
        if (strcmp(argv[i], "-o") == 0 && i + 1 < argc) {
            s->output = argv[++i];
        } else if (argv[i][0] != '-' || argv[i][1] == '\0') {
            s->input = argv[i];
        } else if (!parse_option(s, argv[i])) {
            fprintf(stderr, "qcc-opt: unknown option '%s'\n%s", argv[i], usage);
            return EXIT_BAD_USAGE;
        }
    }
    if (s->input)
        return -1;
    fputs(usage, stderr);
    return EXIT_BAD_USAGE;
}

/* ---- Files ---- */

static char *read_all(const char *name, size_t *out_size)
{
    FILE *f = strcmp(name, "-") == 0 ? stdin : fopen(name, "rb");
    char *bytes = NULL;
    size_t size = 0, capacity = 0;
    while (f) {
        if (size == capacity) {
            capacity = capacity ? capacity * 2 : 1 << 16;
            char *grown = realloc(bytes, capacity);
            if (!grown)
                break;
            bytes = grown;
        }
        size_t n = fread(bytes + size, 1, capacity - size, f);
        size += n;
        if (n == 0 && !ferror(f)) {
            if (f != stdin)
                fclose(f);
            *out_size = size;
            return bytes;
        }
        if (n == 0)
            break;
    }
    fprintf(stderr, "qcc-opt: %s: %s\n", name, strerror(errno));
    if (f && f != stdin)
        fclose(f);
    free(bytes);
    return NULL;
}

static bool write_result(const settings *s, const ir_graph *g)
{
    char *text;
    size_t length;
    if (s->quiet)
        return true;
    if (!ir_print(g, &text, &length)) {
        fputs("qcc-opt: out of memory\n", stderr);
        return false;
    }
    FILE *f = s->output ? fopen(s->output, "w") : stdout;
    bool ok = f && fwrite(text, 1, length, f) == length;
    ok = f && (f == stdout ? fflush(f) : fclose(f)) == 0 && ok;
    free(text);
    if (!ok)
        fprintf(stderr, "qcc-opt: %s: %s\n", s->output ? s->output : "stdout", strerror(errno));
    return ok;
}

static void write_stderr(void *context, const char *text, size_t length)
{
    (void)context;
    fwrite(text, 1, length, stderr);
}

/* ---- The work ---- */

static ir_graph *load(const char *text, size_t length, const char *name, diag *d)
{
    ir_graph *g = ir_parse(text, length, name, d);
    if (g && !ir_verify(g, d)) {
        ir_graph_free(g);
        return NULL;
    }
    return g;
}

static bool transform(settings *s, const char *text, size_t length, diag *d)
{
    const char *name = strcmp(s->input, "-") == 0 ? "<stdin>" : s->input;
    ir_graph *g = load(text, length, name, d), *original = s->check ? load(text, length, name, d) : NULL;
    bool ok = g && pass_run(g, &s->options, &s->debug, s->has_passes ? s->passes.at : NULL, s->passes.count, d);
    ok = ok && ir_verify(g, d);
    ok = ok && (!s->check || check_values(original, g, d));
    ok = ok && write_result(s, g);
    ir_graph_free(original);
    ir_graph_free(g);
    return ok;
}

int main(int argc, char **argv)
{
    settings s = {.options = {.opt_level = 1}, .debug = {.write = write_stderr}};
    int code = parse_arguments(&s, argc, argv);
    if (code >= 0)
        return code;
    s.debug.print_before = s.before.at;
    s.debug.print_before_count = s.before.count;
    s.debug.print_after = s.after.at;
    s.debug.print_after_count = s.after.count;
    size_t length;
    char *text = read_all(s.input, &length);
    if (!text)
        return EXIT_BAD_INPUT;
    diag d = {0};
    bool ok = transform(&s, text, length, &d);
    free(text);
    if (d.failed)
        fprintf(stderr, "%s\n", d.text);
    return ok ? EXIT_FINE : EXIT_BAD_INPUT;
}
