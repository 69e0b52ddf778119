/* pool.h: threads that help the caller of qcc_run with one step at a time.  Internal to the runtime. */
#ifndef QCC_POOL_H
#define QCC_POOL_H

#include "model_abi.h"

unsigned qcc_pool_threads(const qcc_pool *); /* 1 for NULL */
unsigned qcc_pool_cpus(void);                /* that this process may use */

/* The pool, or NULL in a process that was forked since it was created: its workers stayed behind. */
qcc_pool *qcc_pool_here(qcc_pool *);

/* Runs all units of a step, the caller doing its own share; returns when all are done. */
void qcc_pool_run_step(qcc_pool *, const qcc_step *, const qcc_frame *);

/* Floating point as kernels expect it (nearest even, denormals kept, exceptions masked), whatever the program has set;
 * returns what was set, for qcc_float_mode_restore. */
uint32_t qcc_float_mode_default(void);
void qcc_float_mode_restore(uint32_t);

#endif
