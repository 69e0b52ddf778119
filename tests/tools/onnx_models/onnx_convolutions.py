"""onnx_convolutions.py: models of convolutions and deconvolutions in every number of dimensions; make_onnx_models.py writes them."""

import numpy as np

from onnx_graph import Graph


def convolutions(seed=31):
    """Convolutions over three dimensions, and transposed ones: over one to three, with groups, dilation, and results that are
    longer than the windows reach."""
    g = Graph(seed)
    line, image, volume = g.input("line", [2, 6, 7]), g.input("image", [2, 6, 4, 5]), g.input("volume", [2, 4, 4, 5, 6])

    def conv(x, channels, inside, *kernel, kind="Conv", bias=True, **attributes):
        w = g.normal(channels, inside, *kernel, deviation=0.3)
        outside = inside * attributes.get("group", 1) if kind == "ConvTranspose" else channels
        g.output(g.op(kind, x, w, *([g.normal(outside, deviation=0.1)] if bias else []), **attributes))

    conv(volume, 5, 4, 3, 3, 3)
    conv(volume, 8, 2, 2, 3, 2, group=2, strides=[2, 1, 2], pads=[1, 1, 0, 0, 1, 1], bias=False)
    conv(volume, 8, 1, 3, 1, 2, group=4, strides=[2, 1, 2], auto_pad="SAME_UPPER")
    conv(volume, 4, 4, 1, 3, 3, dilations=[1, 1, 2])
    transposed = {"kind": "ConvTranspose"}
    conv(line, 6, 4, 3, **transposed, strides=[2], pads=[1, 1], output_padding=[1])
    conv(line, 6, 1, 5, **transposed, strides=[3], group=6)
    conv(image, 6, 3, 2, 3, **transposed, strides=[2, 2], group=2, bias=False)
    conv(image, 6, 2, 4, 4, **transposed, strides=[2, 2], pads=[1, 1, 1, 1], group=6)
    conv(image, 6, 3, 3, 2, **transposed, strides=[1, 2], dilations=[2, 3], pads=[1, 0, 0, 1])
    conv(image, 6, 3, 2, 2, **transposed, strides=[3, 4], output_padding=[2, 3])
    conv(image, 6, 3, 3, 3, **transposed, strides=[2, 2], output_shape=[10, 11], auto_pad="SAME_UPPER")
    conv(volume, 4, 2, 2, 3, 2, **transposed, strides=[2, 1, 2], pads=[0, 1, 1, 0, 0, 1])
    conv(volume, 4, 2, 3, 2, 2, **transposed, strides=[1, 2, 1], group=2)
    return g.model()


MODELS = {"convolutions_float": convolutions}
