"""make_golden.py: writes golden.txt, single operators with what TFLite's reference kernels give for them.

    make_golden.py QCC_OPT > golden.txt

Needs the packages that tflite_reference.py needs.  Each case: its name, the graph as the importer makes it with
--rounding=tflite, the seeds of the inputs (made by the model set's rule, see tflite_reference.hash32), the expected bytes.
"""

import os
import subprocess
import sys
import tempfile

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(here, "..", "tools"))
sys.path.insert(0, os.path.join(here, "..", "tools", "tflite_models"))
import tflite_cases  # noqa: E402
import tflite_reference  # noqa: E402

CASES = """conv_int8_relu6 conv_int8_valid_stride2 conv_int8_dilated conv_int8_per_tensor conv_uint8_valid_stride2 conv_int16_none
depthwise_int8_multiplier2 depthwise_uint8_multiplier1 fully_connected_int8_none fully_connected_int8_per_channel
fully_connected_uint8_relu transpose_conv_int8_padding0 transpose_conv_uint8_padding1 batch_matmul_int8_01 batch_matmul_sums_10
hybrid_conv hybrid_conv_stride2_relu6 hybrid_conv_groups hybrid_conv_per_tensor hybrid_depthwise
hybrid_fully_connected_symmetric_keep hybrid_fully_connected_asymmetric_keep hybrid_fully_connected_asymmetric_per_channel
hybrid_batch_matmul_asymmetric_32_32_11
ADD_int8 ADD_uint8_relu ADD_int8_broadcast ADD_int16 ADD_int16_powers-14-9 SUB_int16_powers-11-12 SUB_int8_relu SUB_uint8_scalar MUL_int8_broadcast MUL_uint8 MUL_int16
SQUARED_DIFFERENCE_int8 PRELU_int8 MAXIMUM_int8 EQUAL_int8_scales LESS_uint8_scales
LOGISTIC_int8 TANH_uint8 LOGISTIC_int16 TANH_int16 RELU6_int8 RELU_uint8 HARD_SWISH_int8 HARD_SWISH_uint8 LEAKY_RELU_int8
LEAKY_RELU_int16 EXP_int8 GELU_int8 LOG_int8 ABS_int8
SOFTMAX_int8_0.7 SOFTMAX_uint8_1.0 SOFTMAX_int16_1.0 SOFTMAX_to_int16_0.3 LOG_SOFTMAX_int8 LOG_SOFTMAX_uint8 L2_NORMALIZATION_int8 L2_NORMALIZATION_uint8
AVERAGE_POOL_2D_int8_padding0 AVERAGE_POOL_2D_uint8_relu AVERAGE_POOL_2D_int8_global MAX_POOL_2D_int8_padding1
MEAN_int8_scaled MEAN_uint8_last MEAN_int16_outer SUM_uint8_scaled REDUCE_MAX_int8
convert_float32_int8 convert_uint8_float32 convert_int8_int8 convert_int8_uint8 convert_int16_int8 concat_uint8_requantize
TRANSPOSE_int8 STRIDED_SLICE_int8 PAD_int8 MIRROR_PAD_uint8 DEPTH_TO_SPACE_int8 SPACE_TO_DEPTH_int8 SPACE_TO_BATCH_int8
BATCH_TO_SPACE_int8 REVERSE_int8 GATHER_int8 GATHER_ND_int8 TILE_int16 concat_int8_axis1 ARG_MAX_int8
RESIZE_BILINEAR_int8_3x5_00 RESIZE_BILINEAR_uint8_3x5_01 RESIZE_BILINEAR_int8_3x5_10 RESIZE_BILINEAR_int16_3x5_01 RESIZE_NEAREST_NEIGHBOR_int8_3x5_01
lstm_int8 lstm_int8_time_major lstm_int8_clip lstm_int8_cell1 lstm_int8_cell5""".split()
SEED = 3


def graph_of(qcc_opt, model):
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "m.tflite")
        with open(path, "wb") as f:
            f.write(model)
        text = subprocess.run([qcc_opt, "--rounding=tflite", "--passes=set_rounding", path], check=True, capture_output=True,
                              text=True).stdout
    return "\n".join(line.split(" loc(")[0] for line in text.strip().splitlines())


def main():
    print("# Made by make_golden.py from TFLite's reference kernels.  case NAME / graph / in SEED / out BYTES / end")
    made = dict(tflite_cases.cases(SEED))
    for name in CASES:
        reference = tflite_reference.Reference(made[name], "ref")
        outputs = reference.run(reference.made_inputs(SEED))
        print(f"case {name}")
        print(graph_of(sys.argv[1], made[name]))
        for k in range(len(reference.inputs())):
            print(f"in {SEED + k}")
        for y in outputs:
            print(f"out {y.tobytes().hex()}")
        print("end")


if __name__ == "__main__":
    if tflite_reference.available():
        sys.exit(f"skipped: {tflite_reference.available()}")
    main()
