/* calibrate_options.h: what the command line says about calibration. */
#ifndef QCC_CALIBRATE_OPTIONS_H
#define QCC_CALIBRATE_OPTIONS_H

#include "compiler/driver.h"
#include "compiler/quantize/statistics/threshold.h"
#include "compiler/run/augment.h"
#include "compiler/run/preprocess.h"

typedef struct calibrate_options {
    driver_list samples;         /* --calib: "PATH" or "INPUT:PATH" */
    preprocessing preprocessing; /* of pictures */
    long sample_count;           /* 0: all */
    augmentation augmentation;   /* of copies */
    long copies;                 /* of each sample, changed, beside it */
    long batch;                  /* samples a batch; at least 1 */
    long seed;
    bool seed_given;
    bool seed_chooses; /* the seed counts only where there are more samples than are used */
    const char *save_stats, *save_scales, *scales;
    driver_list load_stats;
    threshold_algo algo;
    bool algo_given;
    double percentile; /* of algorithm hist, as a part of 1; 0: its own */
    int effort; /* 0: ranges alone; 1: short rows of weights rounded, biases corrected, where there are samples; 2: all
                 * weights rounded; 3: the algorithm, too */
    bool effort_given;
    bool skipped[PASS_STEPS], skips_equalize; /* steps that are left out; the one that is a pass */
    bool given, weights_given;                /* any of these but preprocessing; of weights, which need no samples */
    bool prepares, others_prepare; /* preprocessing is given; it is also for samples that nothing is calibrated with */
    bool keep_weights;             /* nothing is rounded: what comes next does that */
    double min_sqnr;               /* what layers stay in float for (goal.h); 0: not asked for */
    double max_drop, max_slowdown; /* these, too; negative: not asked for */
    pass_calibration scheme;       /* without ranges */
    /* Called after each sample, by one thread at a time, with the seconds since the start; NULL: nobody wants to
     * know. */
    void (*progress)(void *context, int done, int samples, double seconds);
    void *progress_context;
} calibrate_options;

calibrate_options calibrate_defaults(void);
/* Takes one of the options of calibration, those of preprocessing included; *out_known is false when it is none. */
bool calibrate_set(calibrate_options *, option_id, const char *value, bool *out_known, char *error, size_t error_size);
/* What options say together; NULL, or what is wrong. */
const char *calibrate_complete(const calibrate_options *, const driver_options *);
/* That part of it which is about weights alone. */
const char *calibrate_weights_problem(const calibrate_options *);
/* Is there anything to calibrate with? */
bool calibrate_is_asked(const calibrate_options *);

#endif
