"""Ids of the Items of many files: of their names, and of their folders where names meet."""

from __future__ import annotations

import hashlib
import posixpath
from collections import defaultdict
from collections.abc import Callable, Sequence

_LONGEST = 128
_DIGITS = 8


def item_ids(paths: Sequence[str], of_name: Callable[[str], str]) -> list[str]:
    """An id for each path, in their order; `of_name` makes one of a file's name.

    'n00/dem.tif' and 'n10/dem.tif' become 'n00_dem' and 'n10_dem', and so do all whose names
    are one, by as many folders as it takes. Files of one folder that differ in nothing that
    an id may hold (dem.tif and dem.img) keep one id between them: see `shared`.
    """
    folders = [posixpath.dirname(path).split("/") if "/" in path else [] for path in paths]
    depths = [0] * len(paths)
    while True:
        ids = [
            _id(path, parents, depth, of_name)
            for path, parents, depth in zip(paths, folders, depths, strict=True)
        ]
        places: defaultdict[str, set[tuple[str, ...]]] = defaultdict(set)
        for identifier, parents in zip(ids, folders, strict=True):
            places[identifier].add(tuple(parents))
        grew = False
        for number, (identifier, parents) in enumerate(zip(ids, folders, strict=True)):
            # Of files of one folder, no folder tells one from another.
            if len(places[identifier]) > 1 and depths[number] < len(parents):
                depths[number] += 1
                grew = True
        if not grew:
            return ids


def shared(ids: Sequence[str]) -> dict[int, int]:
    """Which places of a list of ids repeat the id of an earlier place, and which that is."""
    first: dict[str, int] = {}
    repeated: dict[int, int] = {}
    for place, identifier in enumerate(ids):
        if first.setdefault(identifier, place) != place:
            repeated[place] = first[identifier]
    return repeated


def _id(path: str, folders: list[str], depth: int, of_name: Callable[[str], str]) -> str:
    name = posixpath.basename(path)
    if depth == 0:
        return of_name(name)
    parents = "_".join(of_name(f"{folder}.tif") for folder in folders[-depth:])
    text = f"{parents}_{of_name(name)}"
    if len(text) <= _LONGEST:
        return text
    digest = hashlib.sha256(path.encode()).hexdigest()[:_DIGITS]
    return f"{text[: _LONGEST - _DIGITS - 1]}-{digest}"
