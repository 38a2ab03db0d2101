"""Which bands of a picture are red, green and blue.

Sought in this order: what GDAL says of the bands' colours, their wavelengths, their names, and
last where such files usually have them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence

from services.raster.model import Band, Facts

# Centres of red, green and blue in nanometres, and how far from them a band may lie.
_CENTRES = (660.0, 560.0, 480.0)
_REACH = 45.0

_COLOURS = ("red", "green", "blue")
_WORDS = (
    frozenset({"red", "r", "rot", "rouge", "rojo"}),
    frozenset({"green", "g", "grün", "vert", "verde"}),
    frozenset({"blue", "b", "blau", "bleu", "azul"}),
)
_NOT_VISIBLE = frozenset({"edge", "rededge", "near", "infrared"})
_WAVELENGTH_TAGS = ("wavelength", "central_wavelength", "center_wavelength", "wavelength_nm",
                    "central_wavelength_um", "centre_wavelength")  # fmt: skip

# Names of bands for red, green and blue. Sentinel-2 and Landsat 8 and 9 agree in theirs; Landsat
# 4 to 7 have no coastal band, and their first is blue.
_SENTINEL_2 = (4, 3, 2)
_THEMATIC_MAPPER = (3, 2, 1)
_THEMATIC_MAPPER_BANDS = frozenset({1, 2, 3, 4, 5, 7})
_NUMBERED = re.compile(r"(?:sr_)?(?:band|b)[ _-]?0*(\d{1,2})", re.IGNORECASE)
_OLD_LANDSAT = re.compile(r"landsat[ _-]?[4-7]\b|\bl[te]0?[4-7]_", re.IGNORECASE)

# Where stacks of so many bands have red, green and blue, when nothing else says so: from the
# coastal band on, as Sentinel-2 (12, 13) and Landsat 8 (7 to 11) have it, or from blue on.
_FROM_COASTAL = frozenset({7, 8, 9, 11, 12, 13})


def data_bands(facts: Facts) -> tuple[Band, ...]:
    """The bands without the alpha band."""
    return tuple(band for band in facts.bands if band.colour != "alpha")


def natural_colour(facts: Facts) -> tuple[int, int, int]:
    """The numbers of the bands for red, green and blue. The raster has three bands or more."""
    bands = data_bands(facts)
    for found in (_by_colour(bands), _by_wavelength(bands), _by_word(bands)):
        if found is not None:
            return found
    return _by_number(bands, facts.tags) or _by_position(bands)


def _by_colour(bands: Sequence[Band]) -> tuple[int, int, int] | None:
    return _three([_first(bands, lambda band: band.colour, {name}) for name in _COLOURS])


def _by_word(bands: Sequence[Band]) -> tuple[int, int, int] | None:
    whole = _three([_first(bands, _name, words) for words in _WORDS])
    return whole or _three([_first(bands, _colour_of_name, {name}) for name in _COLOURS])


def _first(
    bands: Sequence[Band], word_of: Callable[[Band], str | None], words: Collection[str]
) -> int | None:
    """The number of the first band whose word is one of these."""
    return next((band.number for band in bands if word_of(band) in words), None)


def _three(found: Sequence[int | None]) -> tuple[int, int, int] | None:
    """The bands for red, green and blue, where all were found."""
    red, green, blue = found
    if red is None or green is None or blue is None:
        return None
    return red, green, blue


def _name(band: Band) -> str:
    return (band.description or "").strip().lower()


def _colour_of_name(band: Band) -> str | None:
    """The one colour that a name tells: 'B04 - Red (665 nm)' is red, 'red edge 1' is none."""
    parts = set(re.findall(r"[^\W_]+", _name(band)))
    if parts & _NOT_VISIBLE:
        return None
    told = [
        colour
        for colour, words in zip(_COLOURS, _WORDS, strict=True)
        if any(word in parts for word in words if len(word) > 1)
    ]
    return told[0] if len(told) == 1 else None


def _by_wavelength(bands: Sequence[Band]) -> tuple[int, int, int] | None:
    known = {band.number: length for band in bands if (length := wavelength(band)) is not None}
    if len(known) < 3:
        return None
    nearest = [min(known, key=lambda number: abs(known[number] - centre)) for centre in _CENTRES]
    distances = (
        abs(known[number] - centre) for number, centre in zip(nearest, _CENTRES, strict=True)
    )
    if len(set(nearest)) < 3 or any(distance > _REACH for distance in distances):
        return None
    return nearest[0], nearest[1], nearest[2]


def wavelength(band: Band) -> float | None:
    """The centre of a band in nanometres, as its tags say it; None where they do not."""
    for tag, text in band.tags.items():
        if tag.lower() not in _WAVELENGTH_TAGS:
            continue
        number = re.match(r"\s*(\d+(?:\.\d+)?)", text)
        if number is not None:
            length = float(number.group(1))
            # Light is given in micrometres or in nanometres; no number is both.
            return length * 1000 if length < 30 else length
    return None


def _by_number(bands: Sequence[Band], tags: Mapping[str, str]) -> tuple[int, int, int] | None:
    """By names such as B4, B04, band 4 or SR_B4."""
    numbers: dict[int, int] = {}
    for band in bands:
        found = _NUMBERED.match(_name(band))
        if found is not None:
            numbers.setdefault(int(found.group(1)), band.number)
    old = frozenset(numbers) == _THEMATIC_MAPPER_BANDS or any(
        _OLD_LANDSAT.search(text) for text in tags.values()
    )
    red, green, blue = _THEMATIC_MAPPER if old else _SENTINEL_2
    if not {red, green, blue} <= numbers.keys():
        return None
    return numbers[red], numbers[green], numbers[blue]


def _by_position(bands: Sequence[Band]) -> tuple[int, int, int]:
    if len(bands) in _FROM_COASTAL:
        places = (3, 2, 1)
    elif len(bands) in (3, 4):
        places = (0, 1, 2)
    else:
        places = (2, 1, 0)
    red, green, blue = (bands[place].number for place in places)
    return red, green, blue
