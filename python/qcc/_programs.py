"""The programs of the compiler: where they are, how keywords become their options, how their diagnostics become exceptions."""
import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path


class Error(Exception):
    """A model can't be compiled, loaded or run; the text is qcc's diagnostic, with the place in the model file."""


class Remark(UserWarning):
    """What qcc says of a model that it compiles all the same."""


def find(name):
    """Path of a program: what the variable of its name says (QCC, QCC_RUN), else what the PATH has, else what is beside qcc."""
    variable = name.upper().replace("-", "_")
    named = os.environ.get(variable)
    found = named or shutil.which(name)
    if not found and name != "qcc":
        beside = Path(find("qcc")).with_name(name)
        found = str(beside) if os.access(beside, os.X_OK) else None
    if not found:
        raise Error(f"there is no program {name} in the PATH, and the environment variable {variable} does not name one")
    return found


_SHAPES = ("input_shape", "resize", "crop")  # options that write (1, 3) as 1x3; others, as 1,3


_CHOICES = ("input_shape", "batch")  # options that write [1, 8] as {1,8}; others are repeated


def _extent(value):
    return "{" + ",".join(map(str, value)) + "}" if isinstance(value, list) else str(value)


def _texts(keyword, value):
    """A value of an option as text: {"x": (1, [3, 5])} is x:1x{3,5}; a list stands for several options, or for choices among numbers."""
    if isinstance(value, dict):
        return [f"{name}:{text}" for name, one in value.items() for text in _texts(keyword, one)]
    if isinstance(value, list) and not (keyword in _CHOICES and all(isinstance(one, int) for one in value)):
        return [text for one in value for text in _texts(keyword, one)]
    if isinstance(value, tuple):
        return [("x" if keyword in _SHAPES else ",").join(map(_extent, value))]
    return [_extent(value)]


def options(keywords):
    """target="avx2", keep_float=["a", "b"], infer_scales=True -> --target=avx2 --keep-float=a --keep-float=b --infer-scales"""
    line = []
    for keyword, value in keywords.items():
        option = "--" + keyword.replace("_", "-")
        if value is True:
            line.append(option)
        elif value is not None and value is not False:
            line += [f"{option}={text}" for text in _texts(keyword, value)]
    return line


def _entered():
    """The level, for warnings.warn in `run`, of the call that came into this package: who made it is told."""
    frame, level = sys._getframe(1), 1
    while frame and frame.f_globals.get("__package__") == __package__:
        frame, level = frame.f_back, level + 1
    return level


def run(name, *arguments, stdin=None):
    """What the program prints; an Error with its last line where it fails, a Remark for each line where it does not."""
    program = find(name)
    try:
        done = subprocess.run([program, *map(os.fspath, arguments)], input=stdin, stdin=subprocess.DEVNULL if stdin is None else None,
                              capture_output=True, check=False)
    except OSError as problem:
        raise Error(f"{program} can't be run: {problem.strerror}") from problem
    said = done.stderr.decode(errors="replace").strip().splitlines()
    if done.returncode != 0:
        raise Error("\n".join(said) if said else f"{program} ended with {done.returncode} and no diagnostic")
    for line in said:
        warnings.warn(line, Remark, stacklevel=_entered())
    return done.stdout
