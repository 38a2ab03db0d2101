"""Notes on what a KML file has beside records, in sentences for its owner."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from core.counting import counted
from services.vector.formats.kml.features import Observations
from services.vector.formats.kml.markup import Mend
from services.vector.formats.kml.scanner import Census, Kind
from services.vector.model import Note

_SHOWN: Final = 10
_ELEMENTS: Final = {
    Kind.NETWORK_LINK: "NetworkLink",
    Kind.GROUND_OVERLAY: "GroundOverlay",
    Kind.SCREEN_OVERLAY: "ScreenOverlay",
    Kind.PHOTO_OVERLAY: "PhotoOverlay",
    Kind.TOUR: "gx:Tour",
    Kind.UPDATE: "Update",
    Kind.NETWORK_LINK_CONTROL: "NetworkLinkControl",
}
# What each is called in a note of how many there are, and what became of them.
_NOT_LOADED: Final = {
    Kind.GROUND_OVERLAY: ("ground_overlays", "GroundOverlay", "without a footprint; not loaded"),
    Kind.SCREEN_OVERLAY: ("screen_overlays", "ScreenOverlay", "not loaded"),
    Kind.PHOTO_OVERLAY: ("photo_overlays", "PhotoOverlay", "not loaded"),
    Kind.TOUR: ("tours", "gx:Tour", "not loaded"),
    Kind.UPDATE: ("updates", "Update", "of another file; not applied"),
    Kind.NETWORK_LINK_CONTROL: ("updates", "NetworkLinkControl", "for another file; not applied"),
}
_MENDS: Final = {
    Mend.OTHER_ENCODING: "not in the file's encoding; read as UTF-8, or else as cp1252",
    Mend.CONTROL_CHARACTERS: "with control characters that XML does not allow; these are left out",
    Mend.HTML_ENTITIES: "with entities of HTML such as &nbsp;; read as the characters",
    Mend.BARE_AMPERSANDS: "with an & that is not escaped; read as it stands",
    Mend.RAW_MARKUP: "with markup in a text outside of CDATA; kept as text",
    Mend.REPEATED_ATTRIBUTES: "with an attribute twice; the first one is read",
}
_COUNTS: Final = {
    "redundant_multigeometry": (
        "MultiGeometry",
        "MultiGeometries",
        "with a single geometry in it; unwrapped",
    ),
    "several_geometries": (
        "placemark",
        "placemarks",
        "with geometries side by side; read as one multi-geometry",
    ),
    "models": ("3D model", "3D models", "loaded as the point where it stands"),
    "inline_styles": ("style", "styles", "inside of a placemark; not kept"),
    "times_without_zone": ("time", "times", "without a zone; read as UTC"),
    "presentation": (
        "element",
        "elements",
        "on how a placemark is shown, such as LookAt and Region; not kept",
    ),
}


@dataclass(frozen=True, slots=True)
class Beside:
    """What is in a file beside its records: units by kind, addresses of NetworkLinks, of which
    `inner_links` lead to files of the same archive, broken styles and ones left out.
    """

    counts: Mapping[Kind, int]
    links: Sequence[str]
    inner_links: int
    broken: int
    styles_left_out: int


def of_layer(
    census: Census,
    seen: Observations,
    mends: Mapping[Mend, int],
    beside: Beside,
    *,
    malformed: int,
) -> list[Note]:
    """All that is worth saying, in the order of a file: its frame, texts, features, the rest."""
    found = [*_frame(census)]
    found += [
        _note(mend.value, mends[mend], "element", "", _MENDS[mend]) for mend in Mend if mends[mend]
    ]
    if malformed:
        found.append(
            _note("malformed", malformed, "placemark", "", "that is not whole or not well-formed")
        )
    found += [
        _note(code, seen.counts[code], *words)
        for code, words in _COUNTS.items()
        if seen.counts[code]
    ]
    if seen.unknown:
        names = ", ".join(name for name, _ in seen.unknown.most_common(_SHOWN))
        what = f"that KML does not know here; not kept: {names[:300]}"
        found.append(_note("unknown_elements", seen.unknown.total(), "element", "", what))
    return found + _beside(beside)


def nothing_to_load(counts: Counter[Kind], links: Sequence[str]) -> str:
    """Why a file has no layer."""
    there = [counted(counts[kind], name) for kind, name in _ELEMENTS.items() if counts[kind]]
    if not there:
        return "the KML has no placemark in it"
    listed = f" (to {_listed(links)})" if links else ""
    return f"the KML has no placemark in it, only {', '.join(there)}{listed}"


def _frame(census: Census) -> list[Note]:
    found = []
    folders = ("Folder or Document", "Folders and Documents")
    if census.folders:
        what = "around placemarks; flattened into the column folder_path"
        found.append(_note("folders_flattened", census.folders, *folders, what))
    if census.redundant:
        what = "with nothing in it but one other"
        found.append(_note("redundant_folders", census.redundant, *folders, what))
    if census.empty:
        found.append(_note("empty_folders", census.empty, *folders, "with nothing in it"))
    if census.misspelt:
        what = "in another case than KML's, such as placemark for Placemark"
        found.append(_note("misspelt_tags", census.misspelt, "tag", "", what))
    if census.unclosed:
        message = "The end of the file is missing: a Folder or the document is not closed."
        found.append(Note(code="truncated", message=message))
    if census.junk_behind:
        behind = counted(census.junk_behind, "byte")
        message = f"{behind} behind the end of the document; not read."
        found.append(Note(code="junk_behind_end", message=message))
    return found


def _beside(beside: Beside) -> list[Note]:
    found = []
    if beside.links:
        what = f"not followed: {_listed(beside.links)}"
        found.append(_note("network_links", len(beside.links), "NetworkLink", "", what))
    if beside.inner_links:
        what = "to a file of the same archive, which is a layer itself"
        found.append(_note("inner_links", beside.inner_links, "NetworkLink", "", what))
    for kind, (code, name, what) in _NOT_LOADED.items():
        if count := beside.counts.get(kind, 0):
            found.append(_note(code, count, name, "", what))
    if beside.broken:
        what = "a style, schema or link, that is not well-formed; not read"
        found.append(_note("broken_elements", beside.broken, "element", "", what))
    if beside.styles_left_out:
        what = "beyond the first 500; not kept"
        found.append(_note("styles_left_out", beside.styles_left_out, "shared style", "", what))
    return found


def _note(code: str, count: int, noun: str, plural: str, what: str) -> Note:
    """3 Folders: what is with each of them."""
    return Note(code=code, message=f"{counted(count, noun, plural)}: {what}.", count=count)


def _listed(links: Sequence[str]) -> str:
    shown = ", ".join(link[:120] for link in links[:_SHOWN])
    return shown + (f", and {len(links) - _SHOWN:,} more" if len(links) > _SHOWN else "")
