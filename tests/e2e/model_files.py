"""Files beside a model that it names: found, counted among what is read, and never outside the model's folder; dimensions by the
names that the model has for them."""
import os
import shutil

from common import QCC, QCC_RUN, ROOT, Case, main

DATA = ROOT / "tests" / "data" / "onnx"
NAME = b"external.bin"


class Beside(Case):
    def setUp(self):
        super().setUp()
        self.inside = self.folder / "inside"
        self.inside.mkdir()
        self.model, self.weights = self.inside / "m.onnx", self.inside / NAME.decode()
        shutil.copy(DATA / "external.onnx", self.model)
        shutil.copy(DATA / "external.bin", self.weights)

    def rename(self, name):
        """The file that the model names, by a name of the same length."""
        self.assertEqual(len(name), len(NAME))
        self.model.write_bytes((DATA / "external.onnx").read_bytes().replace(NAME, name))

    def refusal(self, program=QCC, cwd=None, model=None, **named):
        output = ["-o", self.folder / "m.o"] if program == QCC else ["--random=1"]
        err = self.refused(1, program, model or self.model, *output, cwd=cwd, **named)
        self.assertFalse((self.folder / "m.o").exists())
        return err

    def test_found(self):
        want = self.fine(QCC_RUN, self.model, "--interp", "--random=1")
        for path, cwd in (("m.onnx", self.inside), ("./m.onnx", self.inside), ("inside/m.onnx", self.folder),
                          ("../inside/m.onnx", self.inside)):
            self.assertEqual(self.fine(QCC_RUN, path, "--interp", "--random=1", cwd=cwd), want)
        link = self.folder / "link"
        link.symlink_to(self.inside)
        self.assertEqual(self.fine(QCC_RUN, link / "m.onnx", "--interp", "--random=1"), want)
        for name in (b"./ternal.bin", b"sub/rnal.bin"):
            self.rename(name)
            (self.inside / "sub").mkdir(exist_ok=True)
            (self.inside / name.decode()).write_bytes(self.weights.read_bytes())
            self.assertEqual(self.fine(QCC_RUN, self.model, "--interp", "--random=1"), want)
        (self.inside / name.decode()).unlink()
        (self.inside / name.decode()).symlink_to("../external.bin")
        self.assertEqual(self.fine(QCC_RUN, self.model, "--interp", "--random=1"), want)

    def test_outside(self):
        shutil.copy(self.weights, self.folder / "ternal.bin")
        shutil.copy(self.weights, self.folder / "external.bin")
        (self.inside / "a").mkdir()
        for name in (b"a/../../xbin", b"/etc/passwd0", b"a/..........", b"..external.b", b"a/b/../../.."):
            self.rename(name)
            self.refusal()
        self.rename(b"../terna.bin")
        shutil.copy(self.weights, self.folder / "terna.bin")
        self.assertIn("it is not in the model's folder", self.refusal())
        self.rename(NAME)
        self.weights.unlink()
        self.weights.symlink_to("../external.bin")
        self.assertIn("a symbolic link leads out of the model's folder", self.refusal())
        (self.inside / "sub").symlink_to("..")
        self.rename(b"sub/xnal.bin")
        shutil.copy(self.folder / "external.bin", self.folder / "xnal.bin")
        self.assertIn("a symbolic link leads out of the model's folder", self.refusal())

    def test_unreadable(self):
        self.weights.unlink()
        self.assertIn("No such file", self.refusal())
        self.weights.mkdir()
        self.assertIn("it is no regular file", self.refusal())
        self.weights.rmdir()
        os.mkfifo(self.weights)
        self.assertIn("it is no regular file", self.refusal())
        self.assertIn("has no folder", self.refusal(model="-", stdin=self.model.read_bytes()))

    def test_cut(self):
        whole = self.weights.read_bytes()
        for length in (0, 1, len(whole) // 2, len(whole) - 1):
            self.weights.write_bytes(whole[:length])
            self.refusal()
        self.weights.write_bytes(whole + b"0")
        self.assertIn("which its shape does not fit", self.refusal())  # the last has no length

    def test_no_output(self):
        self.rename(b"eternal.json")
        self.weights = self.weights.rename(self.inside / "eternal.json")
        whole = self.weights.read_bytes()
        for arguments in (["--emit=obj", "-o", self.weights], ["-o", self.folder / "x.o", f"--report={self.weights}"]):
            self.assertIn("which is read", self.refused(1, QCC, self.model, *arguments))
            self.assertEqual(self.weights.read_bytes(), whole)

    def test_dimensions(self):
        """batch is a name of the model's; it may be set by that, by the input's, and by --batch."""
        shapes = [self.fine(QCC_RUN, self.model, "--interp", "--random=1", option) for option in
                  ("--input-shape=batch:3", "--input-shape=rows:3x12", "--batch=3")]
        self.assertIn(b"3x5", shapes[0])
        self.assertEqual(shapes, shapes[:1] * 3)
        for option in ("batches:3", "batch:3x12"):
            self.assertIn("input shape", self.refused(1, QCC_RUN, self.model, "--interp", f"--input-shape={option}"))


class Parameters(Case):
    """A Paddle program and its parameters; what they come to is that of the same program in Paddle Lite's format."""

    def test_found(self):
        data = ROOT / "tests" / "data"
        want = self.fine(QCC_RUN, data / "nb" / "qat_linear.nb", "--interp", "--random=1")
        self.assertEqual(self.fine(QCC_RUN, data / "paddle" / "qat_linear.pdmodel", "--interp", "--random=1"), want)
        program, weights = self.folder / "__model__", self.folder / "w.bin"
        shutil.copy(data / "paddle" / "qat_linear.pdmodel", program)
        shutil.copy(data / "paddle" / "qat_linear.pdiparams", weights)
        self.assertIn("No such file", self.refused(1, QCC_RUN, program, "--interp"))
        self.assertEqual(self.fine(QCC_RUN, program, "--interp", "--random=1", f"--params={weights}"), want)
        self.assertEqual(self.fine(QCC_RUN, program, "--interp", "--random=1", "--params=w.bin", cwd=self.folder), want)
        weights.rename(self.folder / "__params__")
        self.assertEqual(self.fine(QCC_RUN, program, "--interp", "--random=1"), want)
        self.assertEqual(self.fine(QCC_RUN, "-", "--interp", "--random=1", f"--params={self.folder / '__params__'}",
                                   stdin=program.read_bytes()), want)

    def test_folder(self):
        """A folder stands for the one program in it, whose parameters are found as ever."""
        data, folder = ROOT / "tests" / "data", self.folder / "exported.v2"
        folder.mkdir()
        want = self.fine(QCC_RUN, data / "nb" / "qat_linear.nb", "--interp", "--random=1")
        self.assertIn("there is none", self.refused(1, QCC_RUN, folder, "--interp"))
        (folder / "b.json").write_text('{"base_code":{"magic":"pir"}}')
        (folder / "a.json").write_text('{"base_code":{"magic":"pir"}}')
        self.assertIn("several programs, 'a.json' and 'b.json'", self.refused(1, QCC_RUN, folder, "--interp"))
        for program, weights in (("inference.pdmodel", "inference.pdiparams"), ("__model__", "__params__")):
            shutil.copy(data / "paddle" / "qat_linear.pdmodel", folder / program)
            shutil.copy(data / "paddle" / "qat_linear.pdiparams", folder / weights)
            for path in (folder, f"{folder}/"):
                self.assertEqual(self.fine(QCC_RUN, path, "--interp", "--random=1"), want)
            self.assertEqual(self.fine(QCC_RUN, ".", "--interp", "--random=1", cwd=folder), want)
            self.assertIn("no output given", self.refused(2, QCC, ".", cwd=folder))
            self.fine(QCC, "exported.v2/", "--emit=ir", cwd=self.folder)
            self.assertTrue((self.folder / "exported.qir").exists())
            held = (folder / program).read_bytes()
            self.refused(1, QCC, folder, "--emit=obj", "-o", folder / program)
            self.assertEqual((folder / program).read_bytes(), held)
            (folder / program).rename(folder / "kept")
        shutil.copy(folder / "kept", folder / "__model__")
        shutil.copy(folder / "kept", folder / "m.pdmodel")
        self.assertIn("several programs, '__model__' and 'm.pdmodel'", self.refused(1, QCC_RUN, folder, "--interp"))

    def test_refused(self):
        program = ROOT / "tests" / "data" / "paddle" / "qat_linear.pdmodel"
        self.assertIn("No such file", self.refused(1, QCC_RUN, program, "--interp", f"--params={self.folder / 'nothing'}"))
        self.assertIn("No such file", self.refused(1, QCC_RUN, program, "--interp", f"--params={self.folder}"))
        (self.folder / "m.json").write_text('{"base_code":{"magic":"pir"}}')
        self.assertIn("the program has 0 regions", self.refused(1, QCC_RUN, self.folder / "m.json", "--interp"))
        self.assertIn("no Paddle program", self.refused(1, QCC_RUN, self.add, "--interp", f"--params={self.folder}"))


if __name__ == "__main__":
    main()
