"""Notes on what a KML file has beside records, in sentences for its owner."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

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
_NOT_LOADED: Final = {
    Kind.GROUND_OVERLAY: ("ground_overlays", "images on the ground, not loaded"),
    Kind.SCREEN_OVERLAY: ("screen_overlays", "images on the screen, not loaded"),
    Kind.PHOTO_OVERLAY: ("photo_overlays", "photographs in space, not loaded"),
    Kind.TOUR: ("tours", "flights of the viewer, not loaded"),
    Kind.UPDATE: ("updates", "changes to another file, not applied"),
    Kind.NETWORK_LINK_CONTROL: ("updates", "instructions for another file, not followed"),
}
_MENDS: Final = {
    Mend.OTHER_ENCODING: "elements are in another encoding than the file says: "
    "they are read as UTF-8, or else as cp1252",
    Mend.CONTROL_CHARACTERS: "elements have control characters that XML does not allow: left out",
    Mend.HTML_ENTITIES: "elements have entities of HTML such as &nbsp;: read as the characters",
    Mend.BARE_AMPERSANDS: "elements have an & that is not escaped: read as it stands",
    Mend.RAW_MARKUP: "elements have markup in their texts outside of CDATA: kept as text",
    Mend.REPEATED_ATTRIBUTES: "elements have an attribute twice: the first one is read",
}
_COUNTS: Final = {
    "redundant_multigeometry": "MultiGeometries with a single geometry in them were unwrapped",
    "several_geometries": "placemarks have several geometries side by side: read as one "
    "multi-geometry",
    "models": "3D models are loaded as the point that they stand at",
    "inline_styles": "styles inside of placemarks are not kept",
    "times_without_zone": "times have no zone: read as UTC",
    "presentation": "elements on how a placemark is shown (LookAt, Camera, Region and the like) "
    "are not kept",
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
    found += [_counted(mend.value, _MENDS[mend], mends[mend]) for mend in Mend if mends[mend]]
    if malformed:
        found.append(
            _counted("malformed", "placemarks are not whole or not well-formed", malformed)
        )
    found += [
        _counted(code, sentence, seen.counts[code])
        for code, sentence in _COUNTS.items()
        if seen.counts[code]
    ]
    if seen.unknown:
        names = ", ".join(name for name, _ in seen.unknown.most_common(_SHOWN))
        sentence = f"elements are not known in KML, and not kept: {names[:300]}"
        found.append(_counted("unknown_elements", sentence, seen.unknown.total()))
    return found + _beside(beside)


def nothing_to_load(counts: Counter[Kind], links: Sequence[str]) -> str:
    """Why a file has no layer."""
    there = [f"{counts[kind]:,} {name}" for kind, name in _ELEMENTS.items() if counts[kind]]
    if not there:
        return "the KML has no placemark in it"
    listed = f" (to {_listed(links)})" if links else ""
    return f"the KML has no placemark in it, only {', '.join(there)}{listed}"


def _frame(census: Census) -> list[Note]:
    found = []
    if census.folders > 1 or (census.folders and census.document_name is None):
        sentence = "Folders and Documents were flattened into the column folder_path"
        found.append(_counted("folders_flattened", sentence, census.folders))
    if census.redundant:
        sentence = "of these held nothing but one other Folder or Document"
        found.append(_counted("redundant_folders", sentence, census.redundant))
    if census.empty:
        found.append(_counted("empty_folders", "Folders or Documents are empty", census.empty))
    if census.misspelt:
        sentence = "tags are in another case than KML's (placemark for Placemark)"
        found.append(_counted("misspelt_tags", sentence, census.misspelt))
    if census.unclosed:
        message = "The end of the file is missing: Folders or the document are not closed."
        found.append(Note(code="truncated", message=message))
    if census.junk_behind:
        message = f"{census.junk_behind:,} bytes behind the end of the document are not read."
        found.append(Note(code="junk_behind_end", message=message))
    return found


def _beside(beside: Beside) -> list[Note]:
    found = []
    if beside.links:
        message = f"{len(beside.links):,} NetworkLinks are not followed: {_listed(beside.links)}"
        found.append(Note(code="network_links", message=message, count=len(beside.links)))
    if beside.inner_links:
        sentence = "NetworkLinks lead to files of the same archive, which are layers themselves"
        found.append(_counted("inner_links", sentence, beside.inner_links))
    for kind, (code, what) in _NOT_LOADED.items():
        if count := beside.counts.get(kind, 0):
            message = f"{count:,} {_ELEMENTS[kind]}: {what}."
            found.append(Note(code=code, message=message, count=count))
    if beside.broken:
        sentence = "styles, schemas or links are not well-formed, and not read"
        found.append(_counted("broken_elements", sentence, beside.broken))
    if beside.styles_left_out:
        sentence = "shared styles beyond the first 500 are not kept"
        found.append(_counted("styles_left_out", sentence, beside.styles_left_out))
    return found


def _counted(code: str, sentence: str, count: int) -> Note:
    return Note(code=code, message=f"{count:,} {sentence}.", count=count)


def _listed(links: Sequence[str]) -> str:
    shown = ", ".join(link[:120] for link in links[:_SHOWN])
    return shown + (f", and {len(links) - _SHOWN:,} more" if len(links) > _SHOWN else "")
