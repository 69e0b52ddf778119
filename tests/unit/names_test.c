/* Protects programs from models whose names would break them: words of the languages, macros of the headers, symbols
 * of the C library.  With an argument, prints those of the names on stdin that are accepted (tests/e2e/link.py asks
 * the C compiler for its macros). */
#include <string.h>

#include "compiler/names.h"
#include "test.h"

static void becomes(const char *path, const char *want)
{
    char name[64];
    names_from_path(path, name, sizeof name);
    CHECK(strcmp(name, want) == 0 && !names_refuse(name));
}

static int print_accepted(void)
{
    char name[256];
    while (scanf("%255s", name) == 1)
        if (!names_refuse(name))
            puts(name);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    (void)argv;
    if (argc > 1)
        return print_accepted();
    static const char *const refused[] = {
        "",      "7up",         "a-b",    "a b",      "gr\xc3\xbc\xc3\x9f",
        "int",   "while",       "class",  "co_await", "_Bool",
        "__x",   "linux",       "unix",   "main",     "malloc",
        "free",  "read",        "write",  "stat",     "index",
        "y0",    "environ",     "sin",    "qcc_run",  "size_t",
        "net_t", "stdin",       "errno",  "NULL",     "EOF",
        "I",     "INT_MAX",     "EINTR",  "SIGTERM",  "NDEBUG",
        "_end",  "atomic_load", "assert", "va_list",
    };
    static const char *const accepted[] = {
        "m",   "mobilenet_v2", "net",   "Edsr",    "IN",   "Sign", "digits",
        "_3d", "classes",      "mains", "malloc2", "ints", "qcc",  "t",
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        CHECK(names_refuse(refused[i]) || (printf("%s\n", refused[i]), 0));
    for (size_t i = 0; i < sizeof accepted / sizeof accepted[0]; i++)
        CHECK(!names_refuse(accepted[i]) || (printf("%s\n", accepted[i]), 0));

    becomes("a/b.c/my-net.v2.tflite", "my_net_v2");
    becomes("malloc.o", "malloc_");
    becomes("new.tflite", "new_");
    becomes("stdin.o", "stdin_");
    becomes("3d.so", "_3d");
    becomes(".o", "_o");
    becomes("", "_");
    becomes("\xff.o", "_");
    char path[400], small[16];
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = 0;
    names_from_path(path, small, sizeof small);
    CHECK(strlen(small) < sizeof small && !names_refuse(small));
    return test_end();
}
