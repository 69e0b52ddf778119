/* profile.h: qcc_run with a clock, for qcc-run --profile and --bench.  Not installed, not part of the shared library's
 * interface. */
#ifndef QCC_PROFILE_H
#define QCC_PROFILE_H

#include "model_abi.h"

/* As qcc_run; seconds[i] gets the time of step i of the variant that runs here, added to what it holds. */
qcc_status qcc_run_timed(const qcc_model *, const void *const inputs[], void *const outputs[], void *workspace,
                         qcc_pool *, double seconds[]);

double qcc_clock_seconds(void); /* monotonic */

#endif
