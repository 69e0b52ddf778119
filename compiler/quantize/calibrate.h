/* calibrate.h: from samples to ranges: what --calib and its companions do to a graph.
 *
 *     calibrate_options c = calibrate_defaults();
 *     … calibrate_set(&c, OPT_CALIB, "pictures", …) …
 *     calibrate_install(&c, &driver_options);       // the driver's pipeline stops for it */
#ifndef QCC_CALIBRATE_H
#define QCC_CALIBRATE_H

#include "compiler/quantize/calibrate_options.h"

/* Where something is to be calibrated with: the driver's hook, and --quantize=static; with --quantize=dynamic what the
 * options say of weights.  Both options stay where they are. */
void calibrate_install(const calibrate_options *, driver_options *);
/* For one more model, that is not to be quantized by us. */
void calibrate_uninstall(driver_options *);

#endif
