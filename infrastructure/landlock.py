"""Give up the file system but for some folders, by Linux's Landlock.

What a process has given up, neither it nor its children get back, whatever code runs in it. It
can also no longer look into processes that have not given up the same, so the environment and
the memory of the one that started it are out of reach. Where the kernel can, TCP goes as well,
and so do signals to others and abstract Unix sockets of theirs.
https://docs.kernel.org/userspace-api/landlock.html
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from collections.abc import Iterable

# include/uapi/asm-generic/unistd.h: the same on every architecture
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_CREATE_RULESET_VERSION = 1
_PATH_BENEATH = 1
_PR_SET_NO_NEW_PRIVS = 38

# include/uapi/linux/landlock.h
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_FIRST_RIGHTS = (1 << 13) - 1
_REFER, _TRUNCATE, _IOCTL_DEVICE = 1 << 13, 1 << 14, 1 << 15
_TCP = (1 << 0) | (1 << 1)
_SCOPE_SOCKETS, _SCOPE_SIGNALS = 1 << 0, 1 << 1
_RIGHTS_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEVICE
_READ = _EXECUTE | _READ_FILE | _READ_DIR


def restrict(*, readable: Iterable[str], listable: Iterable[str], writable: Iterable[str]) -> bool:
    """Keep this thread, and what it starts, to these files and folders with all below them.

    `listable` folders may be listed, also below, but their files not be read. Paths that do not
    exist are passed over. False, and no effect, where the kernel has no Landlock. To be called
    before other threads are started, which would keep all that they have.
    """
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(_CREATE_RULESET, None, 0, _CREATE_RULESET_VERSION)
    if version < 1:
        return False
    rights = _FIRST_RIGHTS
    rights |= _REFER if version >= 2 else 0
    rights |= _TRUNCATE if version >= 3 else 0
    rights |= _IOCTL_DEVICE if version >= 5 else 0
    fields = [rights]
    fields += [_TCP] if version >= 4 else []
    fields += [_SCOPE_SOCKETS | _SCOPE_SIGNALS] if version >= 6 else []
    attributes = struct.pack(f"={len(fields)}Q", *fields)
    rules = libc.syscall(_CREATE_RULESET, attributes, len(attributes), 0)
    if rules < 0:
        return False
    try:
        for paths, wanted in ((readable, _READ), (listable, _READ_DIR), (writable, rights)):
            for path in paths:
                _allow(libc, rules, path, wanted & rights)
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        return bool(libc.syscall(_RESTRICT_SELF, rules, 0) == 0)
    finally:
        os.close(rules)


def _allow(libc: ctypes.CDLL, rules: int, path: str, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # what is not there, or out of reach, need not be allowed
    try:
        if not os.path.isdir(path):
            rights &= _RIGHTS_OF_FILES
        if libc.syscall(_ADD_RULE, rules, _PATH_BENEATH, struct.pack("=Qi", rights, descriptor), 0):
            raise OSError(ctypes.get_errno(), "Landlock refused a rule", path)
    finally:
        os.close(descriptor)
