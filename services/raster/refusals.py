"""Files of a collection of which no Item becomes, each with its reason. None is dropped
without one, and none keeps the others from being published.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from core.errors import GeoforgeError
from core.job_definition import Workspace
from services.raster.model import RasterModel

_SHOWN = 5


class Refused(RasterModel):
    """One file that was read, or named, and is not published. `index` is its number among the
    job's files, None for one that never got so far; `code` is for programs."""

    path: str
    code: str
    message: str
    index: int | None = None

    @classmethod
    def because(cls, error: GeoforgeError, path: str, index: int) -> Refused:
        """What a stage raised of this file and no other."""
        return cls(path=path, code=error.error_code, message=error.message, index=index)

    def __str__(self) -> str:
        return self.message if self.path in self.message else f"{self.path}: {self.message}"


def first_few(refused: Sequence[Refused]) -> str:
    """The first of them in one line, for an error message."""
    more = f" (and {len(refused) - _SHOWN:,} more)" if len(refused) > _SHOWN else ""
    return "; ".join(str(each).rstrip(".") for each in refused[:_SHOWN]) + more


def by_code(refused: Iterable[Refused]) -> dict[str, int]:
    """How many there are of each code, the most frequent first."""
    return dict(Counter(each.code for each in refused).most_common())


def write(workspace: Workspace, name: str, refused: Iterable[Refused]) -> None:
    """Keep them as lines of JSON."""
    lines = (each.model_dump_json().encode() + b"\n" for each in refused)
    workspace.write_bytes(name, b"".join(lines))


def read(workspace: Workspace, name: str) -> Iterator[Refused]:
    """What `write` has kept."""
    for line in workspace.read_bytes(name).splitlines():
        yield Refused.model_validate_json(line)


def of_results(results: Iterable[dict[str, Any]]) -> Iterator[Refused]:
    """Those that tasks of one file each have recorded in their results."""
    for result in results:
        if "refused" in result:
            yield Refused.model_validate(result["refused"])
