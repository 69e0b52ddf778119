"""What tests of files share: all that is in a folder, and file systems that can less than this one."""
import ctypes
import os
import platform
import struct


def contents(folder):
    """Every file below a folder: path -> bytes, symbolic links as their targets."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = "-> " + os.readlink(path)
        elif path.is_file():
            found[name] = path.read_bytes()
        else:
            found[name] = path.is_dir()
    return found


class Filter:
    """File systems that can less: system calls fail as they do there (seccomp, x86-64)."""
    LOAD, JUMP_EQ, JUMP_SET, RETURN, ALLOW, ERRNO = 0x20, 0x15, 0x45, 0x06, 0x7FFF0000, 0x00050000
    OPENAT, LINKAT, RENAMEAT2, TMPFILE = 257, 265, 316, 0o20000000

    def __init__(self, rules):
        """rules: (number of the call, argument or None, bits of it that make it fail, errno)"""
        code = []
        for number, argument, bits, errno in rules:
            test = [] if argument is None else [(self.LOAD, 0, 0, 16 + 8 * argument), (self.JUMP_SET, 0, 1, bits)]
            code += [(self.LOAD, 0, 0, 0), (self.JUMP_EQ, 0, len(test) + 1, number), *test, (self.RETURN, 0, 0, self.ERRNO | errno)]
        code.append((self.RETURN, 0, 0, self.ALLOW))
        self.code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in code))
        self.program = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(code), ctypes.addressof(self.code)))
        self.libc = ctypes.CDLL(None, use_errno=True)

    def __call__(self):
        no_new_privileges, seccomp, mode_filter = 38, 22, 2
        if self.libc.prctl(no_new_privileges, 1, 0, 0, 0) or self.libc.prctl(seccomp, mode_filter, ctypes.byref(self.program)):
            os._exit(99)


FILTERS = platform.machine() == "x86_64" and platform.system() == "Linux"
EINVAL, EPERM, EOPNOTSUPP = 22, 1, 95
NO_UNNAMED = (Filter.OPENAT, 2, Filter.TMPFILE, EOPNOTSUPP)
NO_EXCHANGE = (Filter.RENAMEAT2, None, 0, EINVAL)
NO_LINKS = (Filter.LINKAT, None, 0, EPERM)
