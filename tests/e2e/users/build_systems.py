"""Protects how other build systems take models in: CMake's find_package(qcc) and qcc_add_model, Meson's custom_target, and the library
alone, built without LLVM; and that the Debian packages are of this version."""
import os
import re
import shutil
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from common import DIGITS, LIBRARY, LINK_ARGS, QCC, ROOT, Case, main, run  # noqa: E402

EXAMPLE = DIGITS.parent
BUILD = Path(os.environ.get("BUILD_ROOT", "."))
TARGETS = "--target=avx512vnni,avx2,generic"
CMAKE = f"""cmake_minimum_required(VERSION 3.18)
project(digits C)
find_package(qcc 0.1 REQUIRED)
qcc_add_model(digits_model {EXAMPLE}/digits.tflite NAME digits OPTIONS {TARGETS})
add_executable(digits {EXAMPLE}/digits.c)
target_link_libraries(digits digits_model)
"""
MESON = f"""project('digits', 'c')
model = custom_target(input: 'digits.tflite', output: ['digits.o', 'digits.h'],
  command: ['{QCC}', '@INPUT@', '{TARGETS}', '-o', '@OUTPUT0@'])
executable('digits', 'digits.c', model, include_directories: include_directories('.'), dependencies: dependency('qcc'))
"""


def needs(*programs):
    missing = [name for name in programs if not shutil.which(name)]
    return unittest.skipIf(missing, f"no {' and no '.join(missing)}")


class BuildSystems(Case):
    def built(self, *arguments, **named):
        """Runs a build tool, whose output is wanted when it fails."""
        return self.fine(*arguments, **named).decode()

    @needs("cmake", "make")
    @unittest.skipIf(LINK_ARGS, "the library has sanitizers")
    def test_cmake(self):
        source, build = self.folder / "source", self.folder / "build"
        source.mkdir()
        (source / "CMakeLists.txt").write_text(CMAKE)
        configure = ["cmake", "-S", source, "-B", build, f"-Dqcc_DIR={BUILD / 'packaging' / 'cmake'}", f"-DQCC_EXECUTABLE={QCC}",
                     f"-DQCC_LIBRARY={LIBRARY}", f"-DQCC_INCLUDE_DIR={ROOT / 'runtime'}"]
        self.built(*configure)
        self.built("cmake", "--build", build)
        self.assertIn(b" of 300 right", self.fine(build / "digits"))
        self.assertNotIn("Compiling model", self.built("cmake", "--build", build))
        (source / "CMakeLists.txt").write_text(CMAKE.replace("OPTIONS", "OPTOINS"))
        code = self.refused_by(configure)
        self.assertIn("qcc_add_model(digits_model): OPTOINS", " ".join(code.split()))

    def refused_by(self, arguments):
        code, _, err = run(*arguments)
        self.assertNotEqual(code, 0)
        return err

    @needs("meson", "ninja", "pkg-config")
    @unittest.skipIf(LINK_ARGS, "the library has sanitizers")
    def test_meson(self):
        source, build = self.folder / "source", self.folder / "build"
        source.mkdir()
        (source / "meson.build").write_text(MESON)
        for name in ("digits.c", "images.h", "digits.tflite"):
            shutil.copy(EXAMPLE / name, source)
        environment = {"PKG_CONFIG_PATH": str(BUILD / "meson-uninstalled"), "CC": "cc"}
        self.built("meson", "setup", build, source, environment=environment)
        self.built("ninja", "-C", build, environment=environment)
        self.assertIn(b" of 300 right", self.fine(build / "digits"))

    @needs("meson", "ninja")
    def test_runtime_only(self):
        """What asks LLVM where it is fails."""
        build, tools = self.folder / "build", self.folder / "tools"
        tools.mkdir()
        for version in ("", "-16", "-17", "-18", "-19", "-20"):
            (tools / f"llvm-config{version}").write_text("#!/bin/sh\nexit 1\n")
            (tools / f"llvm-config{version}").chmod(0o755)
        environment = {"PATH": f"{tools}:{os.environ['PATH']}", "CC": "cc"}
        self.built("meson", "setup", build, ROOT, "-Druntime_only=true", environment=environment)
        self.built("ninja", "-C", build, environment=environment)
        self.assertTrue((build / "runtime" / "libqcc.a").exists())
        self.assertFalse((build / "compiler").exists())

    def test_debian(self):
        """The packages, which CI builds, are of this version, and every list of files is of one of them."""
        folder = ROOT / "debian"
        version = self.fine(QCC, "--version").decode().split()[1]
        self.assertRegex((folder / "changelog").read_text().splitlines()[0], rf"^qcc \({re.escape(version)}\) ")
        packages = set(re.findall(r"^Package: (.*)$", (folder / "control").read_text(), re.M))
        self.assertEqual({path.stem for path in folder.glob("*.install")}, packages)
        self.assertLessEqual({path.stem for kind in ("docs", "examples") for path in folder.glob(f"*.{kind}")}, packages)
        soname = re.search(r"soversion: '(\d+)'", (ROOT / "runtime" / "meson.build").read_text()).group(1)
        self.assertIn(f"libqcc{soname}", packages)


if __name__ == "__main__":
    main()
