/* names.c: names that belong to C, C++, the standard headers or the C library.
 *
 * A model is an object with external linkage in somebody's program.  Called `malloc` it replaces the allocator,
 * called `class` or `linux` its header does not compile.  Words and macros are listed here; what the C library
 * defines, the library is asked itself. */
#define _GNU_SOURCE
#include "compiler/names.h"

#include <ctype.h>
#include <dlfcn.h>
#include <string.h>

/* Keywords of C23 and C++23, words of theirs with a meaning in some places, macros of compilers, and symbols that
 * every program has. */
static const char words[] =
    " alignas alignof and and_eq asm auto bitand bitor bool break case catch char char16_t char32_t char8_t class co_await"
    " co_return co_yield compl concept const const_cast consteval constexpr constinit continue decltype default delete do double"
    " dynamic_cast else enum explicit export extern false float for friend goto if import inline int long module mutable"
    " namespace new noexcept not not_eq nullptr operator or or_eq private protected public register reinterpret_cast requires"
    " restrict return short signed sizeof static static_assert static_cast struct switch template this thread_local throw true"
    " try typedef typeid typename typeof typeof_unqual union unsigned using virtual void volatile wchar_t while xor xor_eq"
    " i386 linux unix main std _start _init _fini _end _edata _etext ";

/* Macros of the standard headers … */
static const char macros[] =
    " assert bool complex errno fpclassify imaginary isfinite isgreater isgreaterequal isinf isless islessequal islessgreater isnan"
    " isnormal isunordered kill_dependency math_errhandling noreturn offsetof setjmp signbit stderr stdin stdout"
    " BUFSIZ CLOCKS_PER_SEC CMPLX CMPLXF CMPLXL DECIMAL_DIG EOF FILENAME_MAX FOPEN_MAX HUGE_VAL HUGE_VALF HUGE_VALL I INFINITY"
    " L_tmpnam NAN NDEBUG NULL ONCE_FLAG_INIT RAND_MAX SIZE_MAX TMP_MAX TSS_DTOR_ITERATIONS UCHAR_MAX WEOF ";

/* … and how others of them begin; with a capital behind it where the list says so. */
/* clang-format off */
static const struct { const char *text; bool capital; } beginnings[] = {
    {"E", true}, {"SIG", true}, {"INT", true}, {"UINT", true}, {"PRI", false}, {"SCN", false}, {"ATOMIC_", true}, {"CHAR_", true},
    {"DBL_", true}, {"EXIT_", true}, {"FE_", true}, {"FLT_", true}, {"FP_", true}, {"LC_", true}, {"LDBL_", true},
    {"LLONG_", true}, {"LONG_", true}, {"MATH_", true}, {"MB_", true}, {"M_", true}, {"PTRDIFF_", true}, {"SCHAR_", true},
    {"SEEK_", true}, {"SHRT_", true}, {"TIME_", true}, {"ULLONG_", true}, {"ULONG_", true}, {"USHRT_", true}, {"WCHAR_", true},
    {"WINT_", true}, {"atomic_", false}, {"va_", false},
};
/* clang-format on */

static bool is_listed(const char *list, const char *name)
{
    const size_t length = strlen(name);
    for (const char *at = strstr(list, name); at; at = strstr(at + 1, name))
        if (at[-1] == ' ' && at[length] == ' ')
            return true;
    return false;
}

static bool is_macro(const char *name)
{
    for (size_t i = 0; i < sizeof beginnings / sizeof beginnings[0]; i++) {
        const size_t length = strlen(beginnings[i].text);
        const char next = strncmp(name, beginnings[i].text, length) == 0 ? name[length] : 0;
        if (next && (!beginnings[i].capital || !islower((unsigned char)next)))
            return true;
    }
    return is_listed(macros, name);
}

/* Names that link the program to something else than it means: every function and object of libc and libm. */
static bool is_in_c_library(const char *name)
{
    static const char *const libraries[] = {"libc.so.6", "libm.so.6"};
    bool found = false;
    for (size_t i = 0; i < sizeof libraries / sizeof libraries[0] && !found; i++) {
        void *library = dlopen(libraries[i], RTLD_LAZY);
        found = library && dlsym(library, name) != NULL;
        if (library)
            dlclose(library);
    }
    return found;
}

static bool is_identifier(const char *name)
{
    if (!*name || isdigit((unsigned char)*name))
        return false;
    for (const char *c = name; *c; c++)
        if ((unsigned char)*c >= 128 || (!isalnum((unsigned char)*c) && *c != '_'))
            return false;
    return true;
}

const char *names_refuse(const char *name)
{
    const size_t length = strlen(name);
    if (!is_identifier(name))
        return "it is not a C identifier";
    if (strncmp(name, "qcc_", 4) == 0)
        return "names that begin with qcc_ are the runtime library's";
    if (name[0] == '_' && (name[1] == '_' || isupper((unsigned char)name[1])))
        return "names that begin so are the compiler's";
    if (is_listed(words, name))
        return "it is a word of C or C++";
    if (is_macro(name))
        return "it is, or may be, a macro of a standard header";
    if (length > 2 && strcmp(name + length - 2, "_t") == 0)
        return "names that end in _t are types of the standard headers";
    if (is_in_c_library(name))
        return "the C library defines it";
    return NULL;
}

void names_from_path(const char *path, char *buffer, size_t size)
{
    static const char suffix[] = "_";
    const char *slash = strrchr(path, '/'), *stem = slash ? slash + 1 : path, *dot = strrchr(stem, '.');
    const size_t length = dot && dot > stem ? (size_t)(dot - stem) : strlen(stem);
    size_t at = 0;
    if (length == 0 || isdigit((unsigned char)stem[0]))
        buffer[at++] = '_';
    for (size_t i = 0; i < length && at + sizeof suffix < size; i++)
        buffer[at++] = isalnum((unsigned char)stem[i]) && (unsigned char)stem[i] < 128 ? stem[i] : '_';
    buffer[at] = 0;
    if (names_refuse(buffer))
        strcpy(buffer + at, suffix);
}
