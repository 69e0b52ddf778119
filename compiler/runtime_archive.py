"""Writes an assembler file that contains a library: runtime_archive.py LIBRARY OUTPUT.S"""
import os
import sys

library, output = sys.argv[1:]
with open(output, "w", encoding="utf-8") as file:
    file.write(f"""    .section .rodata
    .globl driver_runtime_archive, driver_runtime_archive_end
    .balign 16
driver_runtime_archive:
    .incbin "{os.path.abspath(library)}"
driver_runtime_archive_end:
    .byte 0
    .section .note.GNU-stack, "", @progbits
""")
