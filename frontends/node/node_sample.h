/* node_sample.h: an image sampled at the places that a grid names, as the operators GridSample (ONNX) and grid_sampler (Paddle)
 * define it; made of arithmetic on the places and gathers of pixels, so that places may be known at run time only. */
#ifndef QCC_NODE_SAMPLE_H
#define QCC_NODE_SAMPLE_H

#include "frontends/node/node.h"

typedef enum node_sampling { SAMPLING_NEAREST, SAMPLING_LINEAR, SAMPLING_CUBIC } node_sampling;

/* What lies around the image: zeros, its outermost pixels, or the image mirrored. */
typedef enum node_surroundings { AROUND_ZEROS, AROUND_EDGE, AROUND_MIRRORED } node_surroundings;

typedef struct node_sampler {
    node_sampling sampling;
    node_surroundings around;
    bool corners; /* -1 and 1 are the middles of the outermost pixels, not their outer ends */
    bool pixels;  /* the grid has places among pixels, whose middles are 0 to extent - 1 */
} node_sampler;

/* x: [N, spatial..., C] with two or three spatial dimensions (cubic: two); grid: [N, result..., 2 or 3], reals from -1 to 1 in
 * the order x, y, z.  [N, result..., C], or NULL after a diagnostic. */
ir_value *node_sampled(frontend_node *, ir_value *x, ir_value *grid, const node_sampler *);

/* Grids for it: places of a regular grid of these extents (depth, height, width, or the latter two), `spatial` of them, of each
 * of N images by its matrix.  theta: [N, spatial, spatial + 1].  [N, extents..., spatial], or NULL after a diagnostic. */
ir_value *node_affine_grid(frontend_node *, ir_value *theta, int spatial, const int64_t extents[], bool corners);

#ifndef FRONTEND_COMMON
#define node_affine_grid(x, ...) node_affine_grid(&(x)->common, __VA_ARGS__)
#define node_sampled(x, ...) node_sampled(&(x)->common, __VA_ARGS__)
#endif

#endif
