"""What is said of a file after a look into it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from services.vector.model import Kind


class Role(StrEnum):
    """What a file that is no data set is for, beside one that is."""

    DATA = "data"
    METADATA = "metadata"
    DOCUMENT = "documents"
    PICTURE = "pictures"
    ARCHIVE = "archives"
    SHAPEFILE_PART = "parts of shapefiles"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The format of a file, None where it is none that is read, and what it seems to be."""

    kind: Kind | None
    description: str
    role: Role = Role.DATA
