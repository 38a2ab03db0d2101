"""Where the members of an archive are written: under names of our choice, within caps.

What an archive says of itself (names, sizes) is never believed: names are taken apart and made
safe, sizes are counted as the bytes come.
"""

from __future__ import annotations

import posixpath
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from services.vector.formats.reader import UnreadableFile

_JUNK_FOLDERS = {"__macosx", ".git", ".svn"}
_JUNK_FILES = {".ds_store", "thumbs.db", "desktop.ini"}
_DRIVE = re.compile(r"[A-Za-z]:[/\\]")


@dataclass(frozen=True, slots=True)
class ArchiveCaps:
    """What an archive may come to.

    `ratio` is that of all bytes that come out to those of the archive; it is not asked for
    until `ratio_free_bytes` are out, as small files may well be very compressible. A name's
    parts have at most `name_bytes`; longer ones are cut.
    """

    members: int = 10_000
    total_bytes: int = 20_000_000_000
    ratio: float = 200.0
    ratio_free_bytes: int = 100 << 20
    depth: int = 32
    name_bytes: int = 200


@dataclass(frozen=True, slots=True)
class Member:
    """A file of an archive. `name` is its name there, `path` the one relative to the folder of
    what was unpacked: None where it was not, and `problem` then says why. A problem beside a
    path says what is lost of it.
    """

    name: str
    path: str | None
    size: int
    problem: str | None = None


class Damaged(Exception):
    """What is left of a member cannot be read; the message says why, as the end of a sentence."""


class ArchiveTooLarge(UnreadableFile):
    """An archive is beyond its caps, as those are that were made to do harm."""

    code = "archive_too_large"


class Budget:
    """What may still come out of an archive, and of those in it together."""

    def __init__(self, archive_bytes: int, caps: ArchiveCaps) -> None:
        self.caps = caps
        self._archive_bytes = max(archive_bytes, 1)
        self._spent = 0
        self._members = 0

    def count(self) -> None:
        """Count one member, also one that is not wanted."""
        self._members += 1
        if self._members > self.caps.members:
            raise ArchiveTooLarge(
                f"The archive has more than {self.caps.members:,} members: "
                "unpack it and send what matters."
            )

    def spend(self, size: int) -> None:
        """Count bytes that came out of the archive."""
        self._spent += size
        caps = self.caps
        if self._spent > caps.total_bytes:
            raise ArchiveTooLarge(f"The archive unpacks to more than {caps.total_bytes:,} bytes.")
        if self._spent > caps.ratio_free_bytes and self._spent > caps.ratio * self._archive_bytes:
            raise ArchiveTooLarge(
                f"The archive unpacks to more than {caps.ratio:g} times its own "
                f"{self._archive_bytes:,} bytes, as only what is made to fill disks does."
            )


class Output:
    """Writes members into a folder, which need not exist, and charges them to a budget."""

    def __init__(self, folder: Path, budget: Budget) -> None:
        self.members: list[Member] = []
        self.folder = folder
        self.budget = budget
        # What is there, by names without regard to case; True for folders.
        self._taken: dict[str, bool] = {}

    def note(self, name: str, problem: str) -> None:
        """Remember a member that is not unpacked."""
        self.members.append(Member(name, None, 0, problem))

    def write(
        self,
        name: str,
        parts: Iterable[bytes],
        *,
        charged: bool = False,
        keep_part: bool = False,
    ) -> None:
        """Write a member. Where `parts` raises `Damaged`, nothing stays of it, or with
        `keep_part` what came until then; the problem is remembered. `charged` says that
        whoever yields the parts has charged them.
        """
        path = self._place(name)
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        size = 0
        problem: str | None = None
        with target.open("xb") as file:
            try:
                for part in parts:
                    if not charged:
                        self.budget.spend(len(part))
                    file.write(part)
                    size += len(part)
            except Damaged as error:
                problem = str(error)
        if problem is not None and not (keep_part and size):
            target.unlink()
            self.note(name, f"{name} {problem}.")
            return
        lost = None if problem is None else f"{name} {problem}: what comes before is kept."
        self.members.append(Member(name, path, size, lost))

    def folder_beside(self, path: str) -> str:
        """The relative path of a new folder, named after a member without its ending."""
        path = self._unique(posixpath.splitext(path)[0])
        self._taken[path.casefold()] = True
        return path

    def _place(self, name: str) -> str:
        """The relative path for a member of this name: safe, and no other member's."""
        parts = [self._safe(part) for part in _parts(name)]
        if len(parts) > self.budget.caps.depth:
            raise UnreadableFile(
                f"{name[:80]!r} in the archive lies in more than {self.budget.caps.depth} folders."
            )
        path = ""
        for part in parts[:-1]:
            path = posixpath.join(path, part)
            if self._taken.get(path.casefold()) is False:  # a file has the folder's name
                path = self._unique(path)
            self._taken[path.casefold()] = True
        path = self._unique(posixpath.join(path, parts[-1]))
        self._taken[path.casefold()] = False
        return path

    def _unique(self, path: str) -> str:
        stem, suffix = posixpath.splitext(path)
        number = 1
        while path.casefold() in self._taken:
            number += 1
            path = f"{stem} ({number}){suffix}"
        return path

    def _safe(self, part: str) -> str:
        part = unicodedata.normalize("NFC", part.encode(errors="replace").decode())
        part = "".join("_" if ord(c) < 32 or c in '\x7f:*?"<>|' else c for c in part)
        stem, suffix = posixpath.splitext(part)
        while len((stem + suffix).encode()) > self.budget.caps.name_bytes:
            stem, suffix = (stem[:-1], suffix) if stem else (suffix[:-1], "")
        return stem + suffix


def is_junk(name: str) -> bool:
    """Whether a member is what operating systems leave behind in archives."""
    parts = name.replace("\\", "/").lower().split("/")
    return (
        any(part in _JUNK_FOLDERS for part in parts[:-1])
        or parts[-1] in _JUNK_FILES
        or parts[-1].startswith("._")
    )


def _parts(name: str) -> list[str]:
    """A member's name in its parts. Raises `UnreadableFile` for one that leaves the folder."""
    if name.startswith(("/", "\\")) or _DRIVE.match(name):
        raise UnreadableFile(
            f"{name[:80]!r} in the archive is an absolute path: pack it with relative ones."
        )
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
    if ".." in parts:
        raise UnreadableFile(f"{name[:80]!r} in the archive leads out of its folder.")
    if not parts:
        raise UnreadableFile("A member of the archive has no name.")
    return parts
