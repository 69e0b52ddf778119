"""Writes a C file that holds texts: embed_text.py OUTPUT.c NAME=FILE …"""
import sys
from pathlib import Path

output, *texts = sys.argv[1:]
with open(output, "w", encoding="utf-8") as file:
    for text in texts:
        name, source = text.split("=", 1)
        numbers = [str(byte) for byte in Path(source).read_bytes()] + ["0"]
        lines = ",\n".join("    " + ", ".join(numbers[i:i + 24]) for i in range(0, len(numbers), 24))
        file.write(f"extern const char {name}[];\nconst char {name}[] = {{\n{lines}}};\n")
