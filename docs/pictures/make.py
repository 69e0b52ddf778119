#!/usr/bin/env python3
"""Makes report.png, the first screen of the report on the demonstration model, in Chromium without a window.

    docs/pictures/make.py [BUILD]       BUILD: the build folder, by default build"""
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BROWSER = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
WIDTH, HEIGHT = 1100, 848


def main():
    if not BROWSER:
        sys.exit("there is no Chromium")
    build = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build").resolve()
    to = Path(__file__).with_name("report.png")
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder, "report.html")
        subprocess.run([build / "tools" / "qcc-run", "digits.tflite", "-i", "seven.png", f"--report={page}"], check=True,
                       cwd=ROOT / "examples" / "digits", stdout=subprocess.DEVNULL)
        subprocess.run([BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={folder}/profile",
                        f"--window-size={WIDTH},{HEIGHT}", f"--screenshot={to}", page.as_uri()], check=True, capture_output=True, timeout=120)
    try:
        from PIL import Image
    except ImportError:
        return  # a larger file
    Image.open(to).convert("RGB").quantize(64).save(to, optimize=True)


if __name__ == "__main__":
    main()
