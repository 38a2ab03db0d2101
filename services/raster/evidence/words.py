"""What names say: those of bands and units, tags, and, as weak evidence, that of the file."""

from __future__ import annotations

import re
from collections.abc import Iterator

from services.raster.evidence import vocabulary
from services.raster.evidence.finding import Finding, weigh
from services.raster.evidence.subject import Subject
from services.raster.model import SUBTYPES, RasterType, Subtype

# A file's name may be of the place, the project, or of what the raster was made from.
_OF_FILE, _OF_TEXT = 2.8, 3.5
# A name that says what the texts say already adds little.
_OF_FILE_AGAIN = 0.7
# Tags that hold texts about the whole: what a product or a variable is called.
_TELLING_TAGS = frozenset(
    {"tifftag_imagedescription", "long_name", "standard_name", "name", "title", "variable",
     "netcdf_varname", "description", "product", "layer_type", "grib_element", "grib_comment"}
)  # fmt: skip
_TAG_CHARACTERS = 500
# Names that software gives where nobody did.
_NUMBERED = re.compile(r"(?:band|layer|channel|b)? ?\d+")
_WAVELENGTH = re.compile(r"\d (?:nm|um|nanometers|micrometers|nanometres|micrometres)")
# One channel of a sensor has a file of its own: b04, sr_b4, band4, b8a.
_CHANNEL = re.compile(r"(?:sr )?b(?:and)? ?(?:0?[1-9]|1[0-2]|8a)")


def find(subject: Subject) -> Iterator[Finding]:
    """Look at descriptions, tags and units, and at the file's name."""
    if subject.complex:
        return
    yield from _band_names(subject)
    yield from _unit(subject)
    said = _met(subject, " ".join(_parted(text) for text in _texts(subject)))
    if said is not None:
        yield _finding("texts", "Its texts say", said, _OF_TEXT)
    name = _parted(subject.name.rpartition(".")[0] or subject.name)
    named = _met(subject, name)
    if named is not None:
        again = said is not None and said[0].type is named[0].type
        weight = _OF_FILE_AGAIN if again else _OF_FILE
        yield _finding("file name", "The file's name says", named, weight)
    elif subject.data_bands == 1 and (channel := re.search(rf" ({_CHANNEL.pattern}) ", name)):
        yield Finding(
            "file name",
            f"The file's name says “{channel[1]}”, as that of one channel of a sensor.",
            weigh(continuous=_OF_FILE),
            channel[1],
        )


def _texts(subject: Subject) -> Iterator[str]:
    for band in subject.facts.bands:
        yield band.description or ""
    for tags in (subject.facts.tags, *(band.tags for band in subject.facts.bands)):
        for key, text in tags.items():
            if key.lower() in _TELLING_TAGS:
                yield text[:_TAG_CHARACTERS]


def _parted(text: str) -> str:
    """The words of a name in small letters, with single spaces between and around them; a year
    is a word of its own."""
    humps = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Za-z])(?=(?:19|20)\d\d(?!\d))", " ", text)
    return f" {' '.join(re.findall(r'[a-z0-9%]+', humps.lower()))} "


def _met(subject: Subject, text: str) -> tuple[vocabulary.Vocabulary, str] | None:
    """The first vocabulary with a word in the text, and the longest such word."""
    one = subject.data_bands == 1
    for each in vocabulary.ONE_BAND if one else vocabulary.SEVERAL_BANDS:
        words = [word for word in each.words if f" {word} " in text]
        if words:
            return each, max(words, key=lambda word: (len(word), word))
    return None


def _finding(
    name: str, says: str, met: tuple[vocabulary.Vocabulary, str], weight: float
) -> Finding:
    known, word = met
    log_odds = weight * known.strength
    subtypes = {} if known.subtype is None else {known.subtype: log_odds}
    return Finding(name, f"{says} “{word}”.", {known.type: log_odds}, word, subtypes)


def _unit(subject: Subject) -> Iterator[Finding]:
    unit = (subject.facts.bands[0].unit or "").strip()
    if subject.data_bands == 1 and unit.lower() in vocabulary.UNITS:
        kind, weight = vocabulary.UNITS[unit.lower()]
        says = f"Its unit is {unit}."
        if isinstance(kind, Subtype):
            yield Finding("unit", says, {SUBTYPES[kind]: weight}, unit, {kind: weight})
        else:
            yield Finding("unit", says, {kind: weight}, unit)


def _band_names(subject: Subject) -> Iterator[Finding]:
    """What the bands' own names say together."""
    if subject.data_bands < 2:
        return
    names = [_parted(band.description or "").strip() for band in subject.facts.bands]
    given = [name for name in names if name and not _NUMBERED.fullmatch(name)]
    spectral = [name for name in given if _spectral(name)]
    visible = {vocabulary.VISIBLE[name] for name in names if name in vocabulary.VISIBLE}
    infrared = any(name in vocabulary.INFRARED for name in names)
    weights = {RasterType.MULTISPECTRAL: 4.0}
    if len(visible) == 3 and infrared and subject.data_bands == 4:
        weights = {RasterType.NIR: 4.0}
    elif len(visible) == 3 and subject.data_bands == 3:
        weights = {RasterType.RGB: 4.0}
    elif len(given) >= 2 and not spectral:
        weights = {RasterType.CONTINUOUS: 1.5, RasterType.MULTISPECTRAL: -0.7}
    elif len(spectral) < 2:
        return
    shown = [name for name in names if name][:16]
    yield Finding("band names", f"Bands are named {', '.join(shown[:6])}.", weights, shown)


def _spectral(name: str) -> bool:
    """Whether a band's name is that of a channel, or says a wavelength."""
    parts = name.split()
    return (
        name in vocabulary.SPECTRAL
        or any(part in vocabulary.SPECTRAL or re.fullmatch(r"b\d{1,2}|b8a", part) for part in parts)
        or _WAVELENGTH.search(name) is not None
    )
