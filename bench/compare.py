#!/usr/bin/env python3
"""Times models compiled by qcc beside other systems, interleaved in one run.

    bench/compare.py --qcc m.so --tflite m_int8.tflite --onnx m_int8.onnx --openvino m_int8.xml
    bench/compare.py --stem resnet50 --models DIR --qcc build/resnet50.so --threads 1,2 --json results.jsonl
    bench/compare.py --ratio all --models DIR --models PEERS --compiler build/compiler/qcc
    bench/compare.py --qcc m1.so --qcc m8.so --images 8

Each contender is a process of its own, pinned to the same cores.  The driver asks them in turn for a slice of runs
(A B C A B C ...), so that a drift of the clock meets all alike, and prints the median and the least time of each, the
spread of the slices' medians, and how many times as fast as the best other system qcc is.  All are restricted to
AVX-512 VNNI: OpenVINO through ONEDNN_MAX_CPU_ISA, the others by denying the process AMX.  --machine=avx2|avx512
restricts the others further, on a CPU that has more: oneDNN by the same variable, ONNX Runtime and XNNPACK, which ask
the CPU, by the tests' emulator (--emulator, tests/emulate/libqcc-emulate.so of a build), which answers for it.

--images N compares batches: N images, which lie apart, are a run, however many calls they take (of qcc's libraries alone).

--stem NAME with --models DIR looks for NAME_int8.tflite, NAME_int8_u8s8.onnx, NAME_int8_s8s8.onnx,
NAME_int8_nncf.xml, and with --float also NAME_fp32.tflite and NAME_fp32.onnx.

--ratio A,B (all: every network that bench/make_networks.py makes) compiles NAME_fp32.ort and NAME_qdq.ort of the folders given by
--models, times both beside the other systems' float and int8 in one run a network, and prints a table: how many times
as fast the int8 form of the same graph is, and how fast qcc's float form is beside the best other float.
Needs numpy, and of openvino, onnxruntime and ai-edge-litert those which are to be timed."""

import argparse
import ctypes
import json
import os
import statistics
import struct
import subprocess
import sys
import tempfile
import time

NETWORKS = ("mobilenet_v1", "mobilenet_v2", "mobilenet_v3l", "resnet50", "resnet101", "vgg16", "vgg19")
NUMPY_OF_QCC = {1: "f4", 2: "i1", 3: "u1", 4: "i2", 5: "i4", 6: "i8", 7: "u1"}
ONEDNN_MACHINES = {"avx512vnni": "AVX512_CORE_VNNI", "avx512": "AVX512_CORE", "avx2": "AVX2"}


def deny_amx():
    """A seccomp filter under which the request for AMX state (arch_prctl 0x1023) fails; harmless where there is none."""
    libc = ctypes.CDLL(None, use_errno=True)
    load, jump_equal, give = 0x20, 0x15, 0x06
    program = b"".join(
        struct.pack("HBBI", *instruction)
        for instruction in (
            (load, 0, 0, 0),  # the system call's number
            (jump_equal, 0, 3, 158),  # arch_prctl
            (load, 0, 0, 16),  # its first argument
            (jump_equal, 0, 1, 0x1023),  # ARCH_REQ_XCOMP_PERM
            (give, 0, 0, 0x00050001),  # EPERM
            (give, 0, 0, 0x7FFF0000),  # allow
        )
    )
    buffer = ctypes.create_string_buffer(program, len(program))

    class Filter(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_void_p)]

    what = Filter(len(program) // 8, ctypes.addressof(buffer))
    libc.prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS
    libc.prctl(22, 2, ctypes.byref(what), 0, 0)  # PR_SET_SECCOMP


def sample(shape, dtype):
    import numpy

    generator, kind = numpy.random.default_rng(1), numpy.dtype(dtype)
    if kind.kind == "f":
        return generator.uniform(-1, 1, shape).astype(kind)
    if kind.itemsize > 2:
        return generator.integers(0, 2, shape).astype(kind)  # numbers of tokens and the like, which have to exist
    limits = numpy.iinfo(kind)
    return generator.integers(limits.min, limits.max + 1, shape).astype(kind)


class TensorInfo(ctypes.Structure):  # qcc_tensor_info
    _fields_ = [
        ("name", ctypes.c_char_p), ("dtype", ctypes.c_int), ("rank", ctypes.c_uint32), ("dims", ctypes.c_int64 * 8),
        ("bytes", ctypes.c_size_t), ("scale", ctypes.c_float), ("zero_point", ctypes.c_int32),
    ]


def open_qcc(path, threads, images):
    import numpy

    library, pointer = ctypes.CDLL(os.path.abspath(path)), ctypes.c_void_p
    for name, result, arguments in (
        ("qcc_model_input_count", ctypes.c_uint, [pointer]),
        ("qcc_model_output_count", ctypes.c_uint, [pointer]),
        ("qcc_model_input", ctypes.POINTER(TensorInfo), [pointer, ctypes.c_uint]),
        ("qcc_model_output", ctypes.POINTER(TensorInfo), [pointer, ctypes.c_uint]),
        ("qcc_model_workspace_bytes", ctypes.c_size_t, [pointer]),
        ("qcc_pool_create", pointer, [ctypes.c_uint]),
        ("qcc_run", ctypes.c_int, [pointer] * 5),
        ("qcc_reset", None, [pointer] * 2),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    model = ctypes.addressof(ctypes.c_char.in_dll(library, "qcc_default_model"))
    infos = [library.qcc_model_input(model, i).contents for i in range(library.qcc_model_input_count(model))]
    calls = images // infos[0].dims[0] if images else 1
    inputs = [sample([t.dims[i] for i in range(t.rank)], NUMPY_OF_QCC[t.dtype]) for _ in range(calls) for t in infos]
    sizes = [library.qcc_model_output(model, i).contents.bytes for i in range(library.qcc_model_output_count(model))]
    outputs = [numpy.zeros(max(1, size), numpy.uint8) for size in sizes]
    memory = numpy.zeros(library.qcc_model_workspace_bytes(model) + 64, numpy.uint8)
    workspace = (memory.ctypes.data + 63) & ~63
    library.qcc_reset(model, workspace)
    pool = library.qcc_pool_create(threads) if threads > 1 else None
    ins = [(pointer * len(infos))(*[x.ctypes.data for x in inputs[i:i + len(infos)]]) for i in range(0, len(inputs), len(infos))]
    outs = (pointer * len(outputs))(*[y.ctypes.data for y in outputs])
    kept = (library, inputs, outputs, memory)

    def run(_kept=kept):
        for call in ins:
            status = library.qcc_run(model, call, outs, workspace, pool)
            if status:
                raise RuntimeError(f"qcc_run: status {status}")

    return run


def open_tflite(path, threads, _images):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(path, num_threads=threads)
    interpreter.allocate_tensors()
    for detail in interpreter.get_input_details():
        interpreter.set_tensor(detail["index"], sample(tuple(detail["shape"]), detail["dtype"]))
    return interpreter.invoke


def open_onnx(path, threads, _images):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    types = {"tensor(float)": "f4", "tensor(uint8)": "u1", "tensor(int8)": "i1", "tensor(int64)": "i8"}
    binding = session.io_binding()
    for what in session.get_inputs():
        shape = [d if isinstance(d, int) else 1 for d in what.shape]
        binding.bind_ortvalue_input(what.name, onnxruntime.OrtValue.ortvalue_from_numpy(sample(shape, types[what.type])))
    for what in session.get_outputs():
        binding.bind_output(what.name, "cpu")
    return lambda: session.run_with_iobinding(binding)


def open_openvino(path, threads, _images):
    import openvino

    core = openvino.Core()
    model = core.read_model(path)
    for what in model.inputs:
        if what.partial_shape.is_dynamic:
            model.reshape({what: [d.get_length() if d.is_static else 1 for d in what.partial_shape]})
    compiled = core.compile_model(model, "CPU", {
        "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32", "ENABLE_CPU_PINNING": False,
    })
    request = compiled.create_infer_request()
    for what in compiled.inputs:
        request.set_tensor(what, openvino.Tensor(sample(list(what.shape), what.element_type.to_dtype())))
    return request.infer


OPENERS = {"qcc": open_qcc, "tflite": open_tflite, "onnx": open_onnx, "openvino": open_openvino}


def work(spec):
    """The contender's process: one line of JSON when ready, then for each line `N` the times of N runs in ns."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:spec["threads"]])
    deny_amx()
    started = time.perf_counter()
    run = OPENERS[spec["kind"]](spec["path"], spec["threads"], spec["images"])
    loaded = time.perf_counter() - started
    run()
    print(json.dumps({"load_s": loaded}), flush=True)
    for line in sys.stdin:
        times = []
        run()
        for _ in range(int(line)):
            begin = time.perf_counter_ns()
            run()
            times.append(time.perf_counter_ns() - begin)
        print(*times, flush=True)


def machine_of(options, kind):
    """Variables under which a contender of this kind takes the CPU for no more than --machine.  OpenVINO has more places that
    ask the CPU than the emulator can answer for, but asks oneDNN for what it generates."""
    variables = {"ONEDNN_MAX_CPU_ISA": ONEDNN_MACHINES[options.machine]}
    if options.machine != "avx512vnni" and kind in ("onnx", "tflite"):
        variables.update(LD_PRELOAD=os.path.abspath(options.emulator), QCC_EMULATE=options.machine)
    return variables


class Contender:
    def __init__(self, name, kind, path, threads, images, machine):
        self.name, self.kind, self.slices = name, kind, []
        spec = json.dumps({"kind": kind, "path": path, "threads": threads, "images": images})
        self.process = subprocess.Popen(
            [sys.executable, os.path.abspath(__file__), "--worker", spec], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True, env={**os.environ, **machine, "OMP_NUM_THREADS": str(threads)})
        line = self.process.stdout.readline()
        self.ready = line.startswith("{")
        self.load_s = json.loads(line)["load_s"] if self.ready else 0

    def ask(self, count):
        print(count, file=self.process.stdin, flush=True)
        return [int(word) for word in self.process.stdout.readline().split()]

    def close(self):
        self.process.stdin.close()
        self.process.wait()

    def result(self):
        every = sorted(t for one in self.slices for t in one)
        medians = [statistics.median(one) / 1e6 for one in self.slices]
        return {"name": self.name, "median_ms": statistics.median(every) / 1e6, "min_ms": every[0] / 1e6,
                "slices_ms": [min(medians), max(medians)], "runs": len(every), "load_s": self.load_s}


def contenders_of(options):
    for path in options.qcc:
        yield os.path.basename(path), "qcc", path
    for kind in ("tflite", "onnx", "openvino"):
        for path in getattr(options, kind):
            yield f"{kind}:{os.path.basename(path)}", kind, path
    if options.stem:
        found = [("tflite", "_int8.tflite"), ("onnx", "_int8_u8s8.onnx"), ("onnx", "_int8_s8s8.onnx"),
                 ("openvino", "_int8_nncf.xml")]
        if options.float:
            found += [("tflite", "_fp32.tflite"), ("onnx", "_fp32.onnx"), ("openvino", "_fp32.onnx")]
        for kind, suffix in found:
            path = find_model(options, options.stem + suffix)
            if path:
                yield f"{kind}{suffix.rsplit('.', 1)[0]}", kind, path


def find_model(options, name):
    paths = [os.path.join(folder, name) for folder in options.models or ["."]]
    return next((path for path in paths if os.path.exists(path)), None)


def time_all(options, threads, specs):
    """[(kind, result)] of all that load, interleaved."""
    contenders = [Contender(name, kind, path, threads, options.images, machine_of(options, kind)) for name, kind, path in specs]
    for one in [c for c in contenders if not c.ready]:
        print(f"{one.name}: does not load", file=sys.stderr)
        contenders.remove(one)
    for one in contenders:
        least = min(one.ask(2)) / 1e9
        one.count = max(3, min(200, int(options.seconds / options.rounds / least)))
    for _ in range(options.rounds):
        for one in contenders:
            one.slices.append(one.ask(one.count))
    for one in contenders:
        one.close()
    return [(one.kind, one.result()) for one in contenders]


def compare(options, threads):
    timed = time_all(options, threads, contenders_of(options))
    results = [r for _, r in timed]
    for r in sorted(results, key=lambda r: r["median_ms"]):
        print(f"{r['name']:32} {threads} threads  median {r['median_ms']:9.3f} ms  min {r['min_ms']:9.3f}  "
              f"slices {r['slices_ms'][0]:.3f}..{r['slices_ms'][1]:.3f}  runs {r['runs']}")
    others = [r["median_ms"] for kind, r in timed if kind != "qcc"]
    for kind, r in timed:
        if kind == "qcc" and others:
            print(f"{r['name']}: {min(others) / r['median_ms']:.2f} times as fast as the best other")
    if options.json:
        with open(options.json, "a") as out:
            out.write(json.dumps({"stem": options.stem, "threads": threads, "results": results}) + "\n")


def compiled(options, stem, form, folder):
    """[float or int8 .so]; empty where the model is not there."""
    source, target = find_model(options, f"{stem}_{form}.ort"), os.path.join(folder, f"{stem}_{form}.so")
    if source:
        subprocess.run([options.compiler, source, "-o", target, "--no-header", f"--target={options.target}"], check=True)
    return [target] if source else []


def ratio_row(options, stem, folder):
    forms = {"float": "fp32", "int8": "qdq"}
    others = [("tflite", "float", "_fp32.tflite"), ("onnx", "float", "_fp32.onnx"), ("openvino", "float", "_fp32.onnx"),
              ("tflite", "int8", "_int8.tflite"), ("onnx", "int8", "_qdq.onnx"), ("openvino", "int8", "_int8_nncf.xml")]
    specs = [(form, "qcc", path) for form in forms for path in compiled(options, stem, forms[form], folder)]
    if not find_model(options, stem + "_int8_nncf.xml"):
        others[-1] = ("openvino", "int8", "_qdq.onnx")
    specs += [(form, kind, path) for kind, form, suffix in others for path in [find_model(options, stem + suffix)] if path]
    timed = time_all(options, 1, specs)
    if options.json:
        with open(options.json, "a") as out:
            out.write(json.dumps({"stem": stem, "ratio": [dict(r, kind=kind) for kind, r in timed]}) + "\n")

    def cell(kind, form, key="median_ms"):
        return next((r[key] for k, r in timed if k == kind and r["name"] == form), None)

    def text(kind, form):
        return f"{cell(kind, form):.2f} ({cell(kind, form, 'min_ms'):.2f})" if cell(kind, form) else "-"

    float_others = [cell(kind, "float") for kind in ("tflite", "onnx", "openvino") if cell(kind, "float")]
    ratio, least = (cell("qcc", "float", key) / cell("qcc", "int8", key) for key in ("median_ms", "min_ms"))
    beside = f"{min(float_others) / cell('qcc', 'float'):.2f}" if float_others else "-"
    columns = [text(kind, form) for form in forms for kind in ("qcc", "openvino", "onnx", "tflite")]
    print("|", " | ".join([stem, f"{ratio:.2f} ({least:.2f})", *columns[:4], beside, *columns[4:]]), "|", flush=True)


def ratios(options):
    stems = NETWORKS if options.ratio == "all" else options.ratio.split(",")
    print("Milliseconds, median (least), one thread.\n")
    print("| network | float : int8 | qcc float | OpenVINO float | ONNX Runtime float | TFLite float | best other : qcc | "
          "qcc int8 | OpenVINO int8 | ONNX Runtime int8 | TFLite int8 |\n" + "|---" * 11 + "|")
    with tempfile.TemporaryDirectory(dir=options.scratch) as folder:
        for stem in stems:
            ratio_row(options, stem, folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for kind in ("qcc", "tflite", "onnx", "openvino"):
        parser.add_argument(f"--{kind}", action="append", default=[], metavar="FILE")
    parser.add_argument("--stem")
    parser.add_argument("--models", action="append", metavar="DIR", help="where models are looked for; may be given again")
    parser.add_argument("--ratio", metavar="A,B|all", help="int8 against float of the same networks")
    parser.add_argument("--compiler", default="qcc", help="the qcc that --ratio compiles with")
    parser.add_argument("--target", default="native", help="what --ratio compiles for")
    parser.add_argument("--machine", choices=ONEDNN_MACHINES, default="avx512vnni", help="what the others take the CPU for at most")
    parser.add_argument("--emulator", help="libqcc-emulate.so, for a --machine below avx512vnni")
    parser.add_argument("--scratch", help="folder for what --ratio compiles (about 1 GB)")
    parser.add_argument("--float", action="store_true", help="with --stem: the float models too")
    parser.add_argument("--images", type=int, metavar="N", help="a run is of N images, in batches as the model takes them")
    parser.add_argument("--threads", default="1", help="comma-separated list")
    parser.add_argument("--rounds", type=int, default=7, help="slices of each contender")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each contender, over all slices")
    parser.add_argument("--json", help="append the results to this file, a line each")
    options = parser.parse_args()
    if options.machine != "avx512vnni" and not options.emulator:
        parser.error("--machine needs --emulator")
    if options.images and (options.tflite or options.onnx or options.openvino or options.stem or options.ratio):
        parser.error("--images is of --qcc alone")
    if options.ratio:
        return ratios(options)
    for threads in map(int, options.threads.split(",")):
        compare(options, threads)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        work(json.loads(sys.argv[2]))
    else:
        main()
