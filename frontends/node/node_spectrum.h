/* node_spectrum.h: how strong each frequency is in rows of samples, for the importers of all formats. */
#ifndef QCC_NODE_SPECTRUM_H
#define QCC_NODE_SPECTRUM_H

#include "frontends/node/node.h"

enum { NODE_MAX_SPECTRUM = 1 << 14 /* samples of a row */ };

/* Of real rows [R, N], N a power of two from 2 to NODE_MAX_SPECTRUM, the squared magnitudes of their discrete Fourier
 * transforms at the frequencies 0 … N/2 (in periods a row): [R, N/2 + 1].  NULL after a diagnostic. */
ir_value *node_power_spectrum(frontend_node *, ir_value *rows);

#ifndef FRONTEND_COMMON
#define node_power_spectrum(x, ...) node_power_spectrum(&(x)->common, __VA_ARGS__)
#endif

#endif
