/* against_file.h: how far a compiled model's values are from those of the graph that the file describes, computed as
 * the file says: in float between fake-quantization ops, in float between dequantize and quantize. */
#ifndef QCC_TOOLS_AGAINST_FILE_H
#define QCC_TOOLS_AGAINST_FILE_H

#include "compiler/driver.h"
#include "compiler/report/report.h"

/* Runs the interpreter over the file's graph as imported, and over `lowered`, with the same inputs, which have to be of
 * the same types.  Values are paired by name.  out_seen and out_differences are arrays by the value ids of `lowered`,
 * zeroed. */
bool against_file(const driver_options *, const char *file, const ir_graph *lowered, const void *const inputs[],
                  histogram out_seen[], report_difference out_differences[], diag *);

#endif
