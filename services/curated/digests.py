"""The checksums of a file, made while it comes in."""

from __future__ import annotations

import hashlib


class Digests:
    """Checksums of what has come so far. MD5 is made only where it is asked for."""

    def __init__(self, *, with_md5: bool = False) -> None:
        self._sha256 = hashlib.sha256()
        self._md5 = hashlib.md5(usedforsecurity=False) if with_md5 else None

    @property
    def sha256(self) -> str:
        """In hexadecimal digits."""
        return self._sha256.hexdigest()

    def add(self, part: bytes) -> None:
        """Take in the next bytes of the file."""
        self._sha256.update(part)
        if self._md5 is not None:
            self._md5.update(part)

    def differ_from(self, sha256: str | None, md5: str | None) -> str | None:
        """The name of the checksum that is not the one that was promised, in hexadecimal digits
        of either case; None where nothing else was."""
        if sha256 is not None and sha256.lower() != self.sha256:
            return "SHA-256"
        if md5 is not None and self._md5 is not None and md5.lower() != self._md5.hexdigest():
            return "MD5"
        return None
