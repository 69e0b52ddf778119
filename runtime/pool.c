/* pool.c: fork and join of one step over a few threads.
 *
 * Each worker owns a mailbox of one cache line.  The caller writes a job into it and raises `ticket`; the worker runs
 * the job and lowers the pool's `pending`.  Only workers that take part in a step are told of it, so a job is never
 * overwritten while somebody may read it.  Both sides spin for a while, because the next step is usually microseconds
 * away, and then sleep on a futex.
 *
 *     caller                                worker
 *     job = …; ticket++ ───────────────────▶ sees ticket, runs units begin..end
 *     runs its own share                     pending--
 *     pending == 0? ◀──────────────────────  (wakes the caller if it sleeps)
 *
 * The partition is static: of T threads, thread t runs units*t/T .. units*(t+1)/T. */
#define _GNU_SOURCE
#include "pool.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { CACHE_LINE = 64, MAX_THREADS = 1024, SPINS = 4000 };

typedef struct mailbox {
    _Alignas(CACHE_LINE) _Atomic uint32_t ticket; /* raised once a job */
    _Atomic uint32_t asleep;                      /* 1 while the worker is, or is about to be, in futex_wait */
    uint32_t begin, end;
    const qcc_step *step; /* NULL: leave */
    const qcc_frame *frame;
    pthread_t thread;
    qcc_pool *pool;
} mailbox;

struct qcc_pool {
    _Alignas(CACHE_LINE) _Atomic uint32_t pending; /* workers still at the present step */
    _Atomic uint32_t caller_asleep;
    _Alignas(CACHE_LINE) unsigned threads; /* the caller included */
    unsigned spins;                        /* before sleeping; 0 when threads outnumber CPUs */
    pid_t process;                         /* where the workers are: a fork copies the pool, not its threads */
    mailbox boxes[];                       /* threads - 1 */
};

/* ---- Waiting ---- */

static void futex_wait(_Atomic uint32_t *word, uint32_t while_equal)
{
    syscall(SYS_futex, (uint32_t *)word, FUTEX_WAIT_PRIVATE, while_equal, NULL, NULL, 0);
}

static void futex_wake(_Atomic uint32_t *word)
{
    syscall(SYS_futex, (uint32_t *)word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void spin_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

/* Until *word is no longer `old`.  The seq_cst store to *asleep and load of *word pair with the waker's store and
 * load in the other order: one of the two sees the other. */
static void wait_change(_Atomic uint32_t *word, uint32_t old, _Atomic uint32_t *asleep, unsigned spins)
{
    for (unsigned i = 0; i < spins; i++) {
        if (atomic_load_explicit(word, memory_order_acquire) != old)
            return;
        spin_pause();
    }
    atomic_store(asleep, 1);
    while (atomic_load(word) == old)
        futex_wait(word, old);
    atomic_store_explicit(asleep, 0, memory_order_relaxed);
}

static void wait_zero(_Atomic uint32_t *word, _Atomic uint32_t *asleep, unsigned spins)
{
    uint32_t now;
    while ((now = atomic_load_explicit(word, memory_order_acquire)) != 0)
        wait_change(word, now, asleep, spins);
}

/* ---- Workers ---- */

static void *worker_main(void *argument)
{
    mailbox *box = argument;
    qcc_pool *pool = box->pool;
    uint32_t seen = 0;
    qcc_float_mode_default();
    for (;;) {
        wait_change(&box->ticket, seen, &box->asleep, pool->spins);
        seen++;
        if (!box->step)
            return NULL;
        box->step->run(box->frame, box->begin, box->end);
        atomic_fetch_sub(&pool->pending, 1);
        if (atomic_load(&pool->caller_asleep))
            futex_wake(&pool->pending);
    }
}

static void post(mailbox *box, const qcc_step *step, const qcc_frame *frame, uint32_t begin, uint32_t end)
{
    box->step = step;
    box->frame = frame;
    box->begin = begin;
    box->end = end;
    atomic_fetch_add(&box->ticket, 1);
    if (atomic_load(&box->asleep))
        futex_wake(&box->ticket);
}

unsigned qcc_pool_cpus(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        return (unsigned)CPU_COUNT(&set);
    const long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count > 0 ? (unsigned)count : 1;
}

static void stop_workers(qcc_pool *pool, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        post(&pool->boxes[i], NULL, NULL, 0, 0);
    for (unsigned i = 0; i < count; i++)
        pthread_join(pool->boxes[i].thread, NULL);
}

/* ---- The public part, and what qcc.c calls ---- */

qcc_pool *qcc_pool_create(unsigned threads)
{
    if (threads < 1 || threads > MAX_THREADS)
        return NULL;
    const size_t bytes = sizeof(qcc_pool) + (threads - 1) * sizeof(mailbox);
    qcc_pool *pool = aligned_alloc(CACHE_LINE, (bytes + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE);
    if (!pool)
        return NULL;
    memset(pool, 0, bytes);
    pool->threads = threads;
    pool->spins = threads <= qcc_pool_cpus() ? SPINS : 0;
    pool->process = getpid();

    /* The program's signals are not for our workers; those of a fault in a worker have nobody else to go to. */
    static const int faults[] = {SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV};
    sigset_t all, before;
    sigfillset(&all);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        sigdelset(&all, faults[i]);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    unsigned started = 0;
    for (; started < threads - 1; started++) {
        mailbox *box = &pool->boxes[started];
        box->pool = pool;
        if (pthread_create(&box->thread, NULL, worker_main, box) != 0)
            break;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (started == threads - 1)
        return pool;
    stop_workers(pool, started);
    free(pool);
    return NULL;
}

void qcc_pool_destroy(qcc_pool *pool)
{
    if (qcc_pool_here(pool))
        stop_workers(pool, pool->threads - 1);
    free(pool);
}

qcc_pool *qcc_pool_here(qcc_pool *pool) { return pool && pool->process == getpid() ? pool : NULL; }

unsigned qcc_pool_threads(const qcc_pool *pool) { return pool ? pool->threads : 1; }

void qcc_pool_run_step(qcc_pool *pool, const qcc_step *step, const qcc_frame *frame)
{
    unsigned threads = qcc_pool_threads(pool);
    if (threads > step->max_threads)
        threads = step->max_threads;
    if (threads > step->units)
        threads = step->units;
    if (threads <= 1) {
        step->run(frame, 0, step->units);
        return;
    }
    const uint64_t units = step->units;
    atomic_store_explicit(&pool->pending, threads - 1, memory_order_relaxed);
    for (unsigned t = 1; t < threads; t++)
        post(&pool->boxes[t - 1], step, frame, (uint32_t)(units * t / threads), (uint32_t)(units * (t + 1) / threads));
    step->run(frame, 0, (uint32_t)(units / threads));
    wait_zero(&pool->pending, &pool->caller_asleep, pool->spins);
}

#if defined(__x86_64__)
uint32_t qcc_float_mode_default(void)
{
    const uint32_t before = __builtin_ia32_stmxcsr();
    if (before != 0x1f80)
        __builtin_ia32_ldmxcsr(0x1f80);
    return before;
}

void qcc_float_mode_restore(uint32_t mode)
{
    if (__builtin_ia32_stmxcsr() != mode) /* the run's exception flags are not the caller's */
        __builtin_ia32_ldmxcsr(mode);
}
#else
uint32_t qcc_float_mode_default(void) { return 0; }
void qcc_float_mode_restore(uint32_t mode) { (void)mode; }
#endif
