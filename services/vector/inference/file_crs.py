"""What a file itself says of its CRS, as it was found: `inference.crs` judges it."""

from __future__ import annotations

from typing import Any, Final

from pyproj import CRS
from pyproj.exceptions import CRSError

from services.vector.model import Finding

# OGC GeoPackage 1.3, requirement 11: srs_id 0 and -1, as GDAL writes them in WKT.
_UNDEFINED: Final = ("undefined geographic", "undefined cartesian", "unknown engineering")
_LEAST_CONFIDENCE: Final = 70  # of 100: the name and all parameters agree
_SHOWN_CHARACTERS: Final = 80


def stated_crs(stated: str | None, *, source: str = "file", where: str = "The file") -> Finding:
    """The finding for a CRS as an authority code, WKT or PROJJSON; None: nothing is stated.

    `where` begins the sentences of the evidence. WKT without an authority (as in every .prj)
    is looked up in PROJ's database; what has no code there stays WKT.
    """
    if stated is None or not stated.strip():
        return Finding(
            value=None, confidence=0.0, source=source, evidence=[f"{where} names no CRS."]
        )
    if any(name in stated[:200].casefold() for name in _UNDEFINED):
        return Finding(
            value=None,
            confidence=0.0,
            source=source,
            evidence=[f"{where} says that its CRS is undefined."],
        )
    try:
        crs = CRS.from_user_input(stated)
    except CRSError:
        return Finding(
            value=None,
            confidence=0.0,
            source=source,
            evidence=[f"{where} names a CRS that PROJ cannot read: {_shown(stated)}."],
        )
    return _finding(crs, stated, source, where)


def projjson_crs(stated: Any, *, source: str = "file", where: str = "The file") -> Finding:
    """As `stated_crs` for PROJJSON as parsed from JSON."""
    try:
        crs = CRS.from_json_dict(stated)
    except (CRSError, TypeError, KeyError):
        return Finding(
            value=None,
            confidence=0.0,
            source=source,
            evidence=[f"{where} names a CRS that PROJ cannot read: {_shown(str(stated))}."],
        )
    return _finding(crs, None, source, where)


def _finding(crs: CRS, stated: str | None, source: str, where: str) -> Finding:
    if crs.is_engineering:
        return Finding(
            value=None,
            confidence=0.0,
            source=source,
            evidence=[
                f"{where} names {crs.name!r}, a local (engineering) CRS, which does not say "
                "where on the Earth the coordinates are."
            ],
        )
    authority = crs.to_authority(min_confidence=100)
    if authority is not None:
        code = ":".join(authority)
        return Finding(
            value=code,
            confidence=1.0,
            source=source,
            evidence=[f"{where} says {code} ({crs.name})."],
        )
    authority = crs.to_authority(min_confidence=_LEAST_CONFIDENCE)
    if authority is not None:
        code = ":".join(authority)
        return Finding(
            value=code,
            confidence=0.9,
            source=source,
            evidence=[f"{where} describes {crs.name!r}, which is {code} in PROJ's database."],
        )
    return Finding(
        value=stated if stated is not None else crs.to_wkt(),
        confidence=0.9,
        source=source,
        evidence=[f"{where} describes {crs.name!r}, which has no code in PROJ's database."],
    )


def _shown(text: str) -> str:
    short = " ".join(text.split())
    return repr(short if len(short) <= _SHOWN_CHARACTERS else f"{short[:_SHOWN_CHARACTERS]}...")
