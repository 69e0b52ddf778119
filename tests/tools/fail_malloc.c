/* fail_malloc.c: a library for LD_PRELOAD under which an allocation of the program fails.
 *
 *     FAIL_AT=N       the N-th from the beginning of main, counted from 1
 *     FAIL_EVER=1     and all behind it
 *
 * What runs before main (constructors of libraries) is left alone. */
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);

typedef int main_fn(int, char **, char **);
typedef int start_fn(main_fn *, int, char **, void (*)(void), void (*)(void), void (*)(void), void *);
int __libc_start_main(main_fn *, int, char **, void (*)(void), void (*)(void), void (*)(void), void *);

static main_fn *real_main;
static long at;
static bool ever;
static _Atomic long count; /* 0: main has not begun */

static int counted_main(int argc, char **argv, char **environment)
{
    const char *text = getenv("FAIL_AT");
    at = text ? atol(text) : 0;
    ever = getenv("FAIL_EVER") != NULL;
    count = 1;
    return real_main(argc, argv, environment);
}

int __libc_start_main(main_fn *program, int argc, char **argv, void (*init)(void), void (*fini)(void),
                      void (*loader_fini)(void), void *stack_end)
{
    start_fn *next = (start_fn *)dlsym(RTLD_NEXT, "__libc_start_main");
    real_main = program;
    return next(counted_main, argc, argv, init, fini, loader_fini, stack_end);
}

static bool fails(void)
{
    if (!count || !at)
        return false;
    const long n = count++;
    if (n != at && !(ever && n > at))
        return false;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size) { return fails() ? NULL : __libc_malloc(size); }
void *calloc(size_t n, size_t size) { return fails() ? NULL : __libc_calloc(n, size); }
void *realloc(void *p, size_t size) { return fails() ? NULL : __libc_realloc(p, size); }
void *memalign(size_t alignment, size_t size) { return fails() ? NULL : __libc_memalign(alignment, size); }
void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

int posix_memalign(void **out, size_t alignment, size_t size)
{
    void *p = memalign(alignment, size);
    if (!p)
        return ENOMEM;
    *out = p;
    return 0;
}
