"""How the layers of a format are read through OGR: what differs from one to the next."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from services.vector.batch import Fault
from services.vector.formats.ogr_source import Origin
from services.vector.model import Kind

Fids = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Columns = Mapping[str, "pa.Array[Any]"]


def _none_missing(_fids: Sequence[int]) -> Mapping[int, Fault]:
    return {}


def _none_unfit(_fids: Fids, _values: Columns) -> Mapping[tuple[str, str], Mask]:
    return {}


def _no_last_fid() -> int | None:
    return None


def _as_it_is(array: pa.Array[Any]) -> pa.Array[Any]:
    return array


class Seek(StrEnum):
    """How a driver is brought to the first record of a chunk."""

    FID_INDEX = "fid_index"  # by a condition on the fid, which it has an index of
    FID_PLACE = "fid_place"  # by skipping so many records, deleted ones included, as the fid says
    PLACE = "place"  # by skipping so many records


@dataclass(frozen=True, slots=True)
class Access:
    """How a format's layers are read through OGR.

    `bytes` is the size of the file. `slow_skip` says that the driver reads what it skips, so
    that chunks should be few, `one_chunk` that there should be one only. `explain_missing` is
    asked why records (by fid) came without a geometry: those of which the file says that they
    have none are left out of its answer. `text` decodes texts that OGR was told to hand
    through. `unfit` finds, in columns as OGR reads them, values that are none of their type,
    though OGR makes something of them: they become null, by column and reason. `last_fid` is
    asked for where the driver may have stopped early.
    """

    origin: Origin
    kind: Kind
    bytes: int
    seek: Seek = Seek.PLACE
    slow_skip: bool = False
    one_chunk: bool = False
    explain_missing: Callable[[Sequence[int]], Mapping[int, Fault]] = _none_missing
    text: Callable[[pa.Array[Any]], pa.Array[Any]] = _as_it_is
    unfit: Callable[[Fids, Columns], Mapping[tuple[str, str], Mask]] = _none_unfit
    last_fid: Callable[[], int | None] = _no_last_fid


def between(column: str, first: int, last: int) -> str:
    """The condition for the fids from one to another, in OGR's SQL."""
    return f"{quoted(column)} BETWEEN {first} AND {last}"


def quoted(name: str) -> str:
    """An identifier in SQL."""
    return '"' + name.replace('"', '""') + '"'
