"""Unpack what strangers packed: zip and KMZ, tar, and single files in gzip, bzip2 or xz.

Runs in the sandboxed child. What an archive is, is told by its content. An archive inside an
archive is unpacked too, one level deep: a KMZ in a zip is common.
"""

from __future__ import annotations

import posixpath
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

from services.vector.formats.archive_output import (
    ArchiveCaps,
    ArchiveTooLarge,
    Budget,
    Member,
    Output,
)
from services.vector.formats.archive_streams import is_tar, unpack_compressed, unpack_tar
from services.vector.formats.archive_zip import LOCAL_HEADER, member_names, unpack_zip
from services.vector.formats.reader import UnreadableFile

__all__ = ["ArchiveCaps", "Member", "is_archive", "unpack"]

_HEAD_BYTES = 512
_ZIP_STARTS = (LOCAL_HEADER, b"PK\x05\x06", b"PK\x07\x08PK", b"PK00PK")
_COMPRESSED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\0": "xz"}
_REFUSED = {
    b"7z\xbc\xaf\x27\x1c": "a 7-Zip archive",
    b"Rar!\x1a\x07": "a RAR archive",
    b"\x28\xb5\x2f\xfd": "a Zstandard file",
    b"\x1f\x9d": "a file of Unix compress",
    b"MSCF": "a Windows cabinet",
}
# Formats of data that may have anything in them, the end of a zip included.
_DATA_STARTS = (b"SQLite format 3", b"PAR1", b"fgb", b"\x00\x00\x27\x0a", b"<", b"{", b"%PDF")
_DOCUMENTS = {
    "[Content_Types].xml": "a Microsoft Office document: export the sheet as CSV",
    "mimetype": "an OpenDocument or similar file: export the sheet as CSV",
}


def is_archive(path: Path) -> bool:
    """Whether a file is one of the archives or compressed files that `unpack` has a word on."""
    return _kind(path) is not None


def unpack(path: Path, into: Path, caps: ArchiveCaps | None = None) -> list[Member]:
    """Unpack an archive into an empty folder; its files, and those that are not unpacked.

    Raises `UnreadableFile` for what is no archive, cannot be read at all, is encrypted, leads
    out of the folder, or is beyond the caps.
    """
    output = Output(into, Budget(path.stat().st_size, caps or ArchiveCaps()))
    _unpack_one(path, output)
    for member in list(output.members):
        if member.path is not None and _kind(into / member.path) is not None:
            _unpack_nested(member, output)
    if all(member.path is None for member in output.members):
        problems = [member.problem for member in output.members if member.problem]
        raise UnreadableFile(problems[0] if problems else "The archive is empty.")
    return output.members


def _kind(path: Path) -> str | None:
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if head.startswith(_ZIP_STARTS):
        return "zip"
    for start, kind in _COMPRESSED.items():
        if head.startswith(start):
            return kind
    if any(head.startswith(start) for start in _REFUSED):
        return "refused"
    if is_tar(head):
        return "tar"
    if not head.startswith(_DATA_STARTS) and zipfile.is_zipfile(path):
        return "zip"  # behind something else: a program that unpacks itself, or mere junk
    return None


def _unpack_one(path: Path, output: Output) -> None:
    kind = _kind(path)
    if kind == "zip":
        _refuse_documents(path)
        unpack_zip(path, output)
    elif kind == "tar":
        unpack_tar(path, output)
    elif kind is None:
        raise UnreadableFile("This is no archive.")
    elif kind != "refused":
        unpack_compressed(path, kind, output)
    else:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
        what = next(what for start, what in _REFUSED.items() if head.startswith(start))
        raise UnreadableFile(f"This is {what}, which is not read: pack the files as zip.")


def _refuse_documents(path: Path) -> None:
    names = set(member_names(path))
    for name, what in _DOCUMENTS.items():
        if name in names:
            raise UnreadableFile(f"This is {what}.")


def _unpack_nested(member: Member, output: Output) -> None:
    """Put what is in a member into a folder in its place; one that cannot be read stays."""
    assert member.path is not None
    archive = output.folder / member.path
    folder = output.folder_beside(member.path)
    inner = Output(output.folder / folder, output.budget)
    position = output.members.index(member)
    try:
        _unpack_one(archive, inner)
    except ArchiveTooLarge:
        raise
    except UnreadableFile as error:
        shutil.rmtree(inner.folder, ignore_errors=True)
        problem = f"{member.name} is not unpacked: {error.message}"
        output.members[position] = replace(member, problem=problem)
        return
    archive.unlink()
    output.members[position : position + 1] = [
        replace(
            each,
            name=f"{member.name}/{each.name}",
            path=None if each.path is None else posixpath.join(folder, each.path),
        )
        for each in inner.members
    ]
