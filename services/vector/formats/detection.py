"""What there is to read in a file or in a folder, by content and never by the name alone."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from services.vector.formats import sniffing
from services.vector.formats.verdict import Role, Verdict
from services.vector.model import Kind, Note

_GEODATABASE_CATALOG: Final = "a00000001.gdbtable"
_SHAPEFILE_PARTS: Final = frozenset(
    {".shx", ".dbf", ".prj", ".cpg", ".qpj", ".qix", ".sbn", ".sbx", ".cst", ".atx", ".ain",
     ".aih", ".fbn", ".fbx", ".ixs", ".mxs", ".idm", ".ind", ".qmd", ".shp.xml", ".fix"}
)  # fmt: skip
_ESSENTIAL_PARTS: Final = (".shx", ".dbf")
_SYSTEM_FILES: Final = frozenset({".ds_store", "thumbs.db", "desktop.ini"})
_SYSTEM_FOLDERS: Final = frozenset({"__macosx", ".git", ".svn"})
_NAMED_IN_A_NOTE: Final = 5


@dataclass(slots=True)
class Datasets:
    """What is in a folder: the data sets by their path below it, in the order of names.

    `ignored` are files that belong to a data set's surroundings (metadata, pictures); `refused`
    those that look like data in a format that is not read, or are damaged.
    """

    found: list[tuple[str, Kind]] = field(default_factory=list)
    ignored: list[Note] = field(default_factory=list)
    refused: list[Note] = field(default_factory=list)


def detect(path: Path) -> Kind | None:
    """The format of a file, or of the folder of a File Geodatabase; None where it is not read."""
    return look(path).kind


def describe(path: Path) -> str:
    """What a file seems to be, as words that can follow "This is"."""
    return look(path).description


def look(path: Path) -> Verdict:
    """The format of a file or folder, and what it seems to be."""
    if not path.is_dir():
        return sniffing.sniff(path)
    if _is_geodatabase(path):
        return Verdict(Kind.FILE_GEODATABASE, "a File Geodatabase")
    return Verdict(None, "a folder that is no File Geodatabase", Role.OTHER)


def datasets(root: Path) -> Datasets:
    """The data sets below a folder, each with the files that belong to it taken together.

    Where there is no data set at all, what would be ignored beside one is refused with what
    it is.
    """
    result = Datasets()
    aside: list[tuple[str, Verdict]] = []
    for folder, names in _folders(root):
        if _is_geodatabase(folder):
            result.found.append((_member(root, folder), Kind.FILE_GEODATABASE))
            continue
        stems = {_stem(name) for name in names if name.casefold().endswith(".shp")}
        for name in names:
            path = folder / name
            if _belongs_to_shapefile(name, stems):
                continue
            verdict = _as_part(name) or look(path)
            if verdict.kind is not None:
                result.found.append((_member(root, path), verdict.kind))
            else:
                aside.append((_member(root, path), verdict))
    result.found.sort()
    _sort_out(aside, result)
    return result


def _sort_out(aside: list[tuple[str, Verdict]], result: Datasets) -> None:
    surroundings = (Role.METADATA, Role.DOCUMENT, Role.PICTURE)
    ignored: dict[str, list[str]] = {}
    for member, verdict in sorted(aside):
        if verdict.role in surroundings and result.found:
            ignored.setdefault(verdict.role.value, []).append(member)
        else:
            message = f"{member} is {verdict.description}"
            if verdict.role is Role.ARCHIVE:
                message += ", too deep inside of another archive"
            result.refused.append(Note(code="file_refused", message=message))
    for role, members in ignored.items():
        named = ", ".join(members[:_NAMED_IN_A_NOTE])
        if len(members) > _NAMED_IN_A_NOTE:
            named += f" and {len(members) - _NAMED_IN_A_NOTE} more"
        result.ignored.append(
            Note(code="files_ignored", message=f"not read, as {role}: {named}", count=len(members))
        )


def _folders(root: Path) -> Iterator[tuple[Path, list[str]]]:
    """Folders with the names of their files; a geodatabase's own folders are not entered."""
    for folder, children, names in os.walk(root):
        here = Path(folder)
        if _is_geodatabase(here):
            children.clear()
        else:
            children[:] = sorted(
                child for child in children if child.casefold() not in _SYSTEM_FOLDERS
            )
        yield here, sorted(name for name in names if not _is_system_file(name))


def _is_geodatabase(folder: Path) -> bool:
    return any(name.casefold() == _GEODATABASE_CATALOG for name in os.listdir(folder))


def _is_system_file(name: str) -> bool:
    return name.casefold() in _SYSTEM_FILES or name.startswith("._")


def _member(root: Path, path: Path) -> str:
    return posixpath.join(*path.relative_to(root).parts) if path != root else "."


def _stem(name: str) -> str:
    return name.casefold().rpartition(".")[0]


def _belongs_to_shapefile(name: str, stems: set[str]) -> bool:
    folded = name.casefold()
    if folded.endswith(".shp.xml"):
        return True
    return _stem(folded) in stems and f".{folded.rpartition('.')[2]}" in _SHAPEFILE_PARTS


def _as_part(name: str) -> Verdict | None:
    """A part of a shapefile that has lost its .shp."""
    suffix = f".{name.casefold().rpartition('.')[2]}"
    if suffix in _ESSENTIAL_PARTS:
        return Verdict(
            None,
            f"a part ({suffix}) of a shapefile whose .shp is missing",
            Role.SHAPEFILE_PART,
        )
    if suffix in _SHAPEFILE_PARTS:
        return Verdict(None, "a part of a shapefile", Role.METADATA)
    return None
