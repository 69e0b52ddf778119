/* tune.h: training between the phases `real` and `integer` of the pipeline, where qcc calibrates.
 *
 *     tune_options t = tune_defaults();
 *     … tune_set(&t, OPT_EPOCHS, "10", …) …
 *     tune_install(&t, &driver_options);     the driver's pipeline stops for it
 *
 * What training begins with is what calibration makes of the model; what it leaves goes on as calibrated models do.  With
 * --quantize=none it begins with the model, and leaves one of real numbers. */
#ifndef QCC_TUNE_TUNE_H
#define QCC_TUNE_TUNE_H

#include "compiler/quantize/calibrate_options.h"
#include "compiler/tune/trainer.h"

/* How far it is. */
typedef struct tune_report {
    int64_t step, steps, steps_per_epoch;
    double samples_per_second, seconds_left; /* by the time since the start, or since it went on; 0: not known */
    trainer_score recent;                    /* of the steps since the last report with a validation */
    const trainer_score *validation;         /* NULL: none at this step */
    bool taught;                             /* right ones are those that the model of real numbers decides alike */
    bool best;                               /* the validation's is the best until now */
} tune_report;

typedef struct tune_options {
    const char *file; /* the model */
    trainer_options training;
    label_options samples;
    calibrate_options calibration; /* `samples` empty: those of training */
    long validate_every;           /* steps; 0: an epoch */
    const char *checkpoint;        /* file; NULL: none */
    const char *simulated;         /* file that gets the graph that was trained; NULL: none */
    bool resume;
    bool ranges_given;
    bool real;                                          /* no integers: real numbers are trained, and stay */
    void (*report)(void *context, const tune_report *); /* after each step; NULL: nobody wants to know */
    void *report_context;
} tune_options;

tune_options tune_defaults(void);
/* Takes one of the options of training, of its samples, or of calibration; *out_known is false when it is none. */
bool tune_set(tune_options *, option_id, const char *value, bool *out_known, char *error, size_t error_size);
/* What options say together; NULL, or what is wrong. */
const char *tune_complete(tune_options *);

/* The driver's hook, and --quantize=static or none.  Both options stay where they are. */
void tune_install(tune_options *, driver_options *);

#endif
