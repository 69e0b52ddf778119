"""onnx_resampled.py: models that resize images and sample them at places; make_onnx_models.py writes them."""

import numpy as np

from onnx_graph import Graph


def resized(seed=33):
    """What the IR's resize ops don't do: cubic, any number of dimensions, fractions of pixels, a part of the operand, weights
    against aliasing, an aspect that stays."""
    g = Graph(seed)
    line, image = g.input("line", [2, 3, 7]), g.input("image", [1, 3, 6, 5])

    def scaled(x, *scales, part="", **attributes):
        g.output(g.op("Resize", x, part, g.constant(np.array(scales, np.float32)), **attributes))

    def sized(x, *sizes, part="", **attributes):
        g.output(g.op("Resize", x, part, "", g.ints(*sizes), **attributes))

    scaled(image, 1, 1, 1.7, 0.6, mode="cubic")
    scaled(image, 2, 3, mode="cubic", axes=[3, 2], coordinate_transformation_mode="asymmetric", cubic_coeff_a=-0.5)
    scaled(image, 1, 1, 0.8, 1.3, mode="cubic", exclude_outside=1)
    sized(image, 1, 3, 9, 8, mode="cubic", coordinate_transformation_mode="align_corners")
    scaled(line, 1, 1, 1.6, mode="linear")
    sized(line, 2, 5, 3, mode="linear", coordinate_transformation_mode="pytorch_half_pixel")
    scaled(line, 0.4, mode="linear", axes=[2], antialias=1)
    scaled(image, 0.45, 0.5, mode="cubic", axes=[2, 3], antialias=1)
    scaled(image, 0.45, 0.5, mode="linear", axes=[2, 3], antialias=1, exclude_outside=1)
    for rounding in ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil"):
        sized(image, 1, 3, 8, 3, mode="nearest", nearest_mode=rounding)
        scaled(image, 1, 1, 1.5, 0.7, mode="nearest", nearest_mode=rounding, coordinate_transformation_mode="asymmetric")
    sized(image, 1, 3, 4, 9, mode="nearest", coordinate_transformation_mode="align_corners")
    sized(image, 13, 20, mode="linear", axes=[2, 3], keep_aspect_ratio_policy="not_larger")
    sized(image, 13, 20, mode="nearest", axes=[2, 3], keep_aspect_ratio_policy="not_smaller")
    part = g.constant(np.array([0, 0, 0.2, -0.3, 1, 1, 1.1, 0.8], np.float32))
    sized(image, 1, 3, 5, 4, part=part, mode="linear", coordinate_transformation_mode="tf_crop_and_resize", extrapolation_value=2.5)
    return g.model()


def sampled(seed=34):
    """Images sampled at places that are given, that lie outside, that are constant."""
    g = Graph(seed, 20)
    image, volume = g.input("image", [2, 3, 5, 6]), g.input("volume", [1, 2, 3, 4, 5])
    places = g.op("Mul", g.input("places", [2, 4, 3, 2]), g.real(1.9))
    spatial = g.op("Mul", g.input("spatial", [1, 2, 3, 4, 3]), g.real(1.6))
    for around in ("zeros", "border", "reflection"):
        for corners in (0, 1):
            for mode in ("linear", "nearest", "cubic"):
                g.output(g.op("GridSample", image, places, mode=mode, padding_mode=around, align_corners=corners))
            for mode in ("linear", "nearest"):
                g.output(g.op("GridSample", volume, spatial, mode=mode, padding_mode=around, align_corners=corners))
    known = g.constant(g.random.uniform(-1, 1, (2, 7, 8, 2)).astype(np.float32))
    g.output(g.op("GridSample", image, known))
    g.output(g.op("GridSample", g.op("ReduceMean", image, g.ints(2, 3)), g.constant(g.random.uniform(-2, 2, (2, 2, 2, 2)).astype(np.float32)),
                  padding_mode="reflection", align_corners=1))
    return g.model()


def turned(seed=39):
    """Grids of two and three dimensions, and an image at the places of one."""
    g = Graph(seed, 20)
    image, flat, solid = g.input("image", [2, 3, 5, 6]), g.input("flat", [2, 2, 3]), g.input("solid", [1, 3, 4])
    for corners in (0, 1):
        grid = g.op("AffineGrid", flat, g.ints(2, 3, 4, 7), align_corners=corners)
        g.output(grid)
        g.output(g.op("AffineGrid", solid, g.ints(1, 2, 3, 4, 5), align_corners=corners))
        g.output(g.op("GridSample", image, grid, align_corners=corners))
    return g.model()


def regions(seed=41):
    """Regions of several images, inside and outside them, with the determinants of what they are."""
    g = Graph(seed, 17)
    images, corners, sizes = g.input("images", [3, 5, 12, 15]), g.input("corners", [6, 2]), g.input("sizes", [6, 2])
    low = g.op("Mul", corners, g.real(6.0))
    boxes = g.op("Concat", low, g.op("Add", low, g.op("Abs", g.op("Mul", sizes, g.real(9.0)))), axis=1)
    which = g.ints(0, 2, 1, 1, 0, 2)
    for attributes in ({"sampling_ratio": 2, "output_height": 3, "output_width": 4, "spatial_scale": 0.5},
                       {"sampling_ratio": 3, "output_height": 2, "output_width": 1, "coordinate_transformation_mode": "output_half_pixel"}):
        g.output(g.op("RoiAlign", images, boxes, which, **attributes))
    for rows in (1, 2, 3, 4):
        g.output(g.op("Det", g.op("Slice", images, g.ints(0, 0), g.ints(rows, rows), g.ints(2, 3))))
    for name in ("Hann", "Hamming", "Blackman"):
        g.output(g.op("Mul", g.op("ReduceMean", images, axes=[0, 1, 2], keepdims=0), g.op(f"{name}Window", g.constant(np.array(15)), periodic=len(name) % 2)))
    mean = g.op("ReduceMean", images, axes=[0, 1], keepdims=0)
    g.output(g.op("Add", mean, g.op("EyeLike", mean, k=2)))
    return g.model()


MODELS = {"regions_float": regions, "turned_float": turned, "resized_float": resized, "sampled_float": sampled}
