"""Makes a wheel of the package with Python alone (PEP 517): what setuptools would do, but `pip install` fetches nothing for it."""
import base64
import csv
import hashlib
import io
import tarfile
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
TAG = "py3-none-any"


def _version():
    facts = {}
    exec((HERE / "qcc" / "_version.py").read_text(encoding="utf-8"), facts)
    return facts["VERSION"]


def _metadata():
    """Of the table [project] of pyproject.toml, which Python can only read since 3.11."""
    lines = (HERE / "pyproject.toml").read_text(encoding="utf-8").splitlines()
    project = dict(line.split(" = ", 1) for line in lines[lines.index("[project]") + 1:] if " = " in line)
    text = {key: value.strip('"[]{} ') for key, value in project.items()}
    return (f"Metadata-Version: 2.1\nName: {text['name']}\nVersion: {_version()}\nSummary: {text['description']}\n"
            f"License: Apache-2.0\nRequires-Python: {text['requires-python']}\nRequires-Dist: {text['dependencies']}\n"
            f"Description-Content-Type: text/markdown\n\n{(HERE / text['readme']).read_text(encoding='utf-8')}")


def _record(name, data):
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return [name, f"sha256={digest}", len(data)]


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    """The package's files, and a folder that says what they are."""
    folder = f"qcc-{_version()}.dist-info"
    files = {f"qcc/{path.name}": path.read_bytes() for path in sorted((HERE / "qcc").glob("*.py"))}
    files[f"{folder}/METADATA"] = _metadata().encode()
    files[f"{folder}/WHEEL"] = f"Wheel-Version: 1.0\nGenerator: qcc\nRoot-Is-Purelib: true\nTag: {TAG}\n".encode()
    record = io.StringIO()
    csv.writer(record, lineterminator="\n").writerows([*(_record(*file) for file in files.items()), [f"{folder}/RECORD", "", ""]])
    files[f"{folder}/RECORD"] = record.getvalue().encode()
    name = f"qcc-{_version()}-{TAG}.whl"
    with zipfile.ZipFile(Path(wheel_directory, name), "w", zipfile.ZIP_DEFLATED) as wheel:
        for path, data in files.items():
            wheel.writestr(path, data)
    return name


def build_sdist(sdist_directory, config_settings=None):
    """All that a wheel is made of."""
    stem = f"qcc-{_version()}"
    with tarfile.open(Path(sdist_directory, f"{stem}.tar.gz"), "w:gz", format=tarfile.PAX_FORMAT) as archive:
        metadata = _metadata().encode()
        info = tarfile.TarInfo(f"{stem}/PKG-INFO")
        info.size = len(metadata)
        archive.addfile(info, io.BytesIO(metadata))
        for path in [*HERE.glob("*.py"), HERE / "pyproject.toml", HERE / "README.md", *(HERE / "qcc").glob("*.py")]:
            archive.add(path, f"{stem}/{path.relative_to(HERE)}")
    return f"{stem}.tar.gz"
