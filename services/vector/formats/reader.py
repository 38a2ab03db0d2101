"""What every reader is: one module a format, with these two functions.

Both run in the sandboxed child and may raise `UnreadableFile`; anything else that comes out
of them is a bug or a crash of a parser.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from core.errors import GeoforgeError
from services.vector.batch import Batch
from services.vector.model import Chunk, ReadOptions, SourceLayer


class UnreadableFile(GeoforgeError):
    """A file, or a layer of it, that cannot be read at all; the message says why."""

    code = "unreadable_file"


class Reader(Protocol):
    """One format. Records that cannot be read are faults in a batch, not exceptions: every
    record of the file is in exactly one batch of exactly one chunk.
    """

    def inspect(self, path: Path, options: ReadOptions) -> list[SourceLayer]:
        """The layers of a file, in its order, each cut into chunks (none: no records)."""
        ...

    def read(
        self, path: Path, layer: SourceLayer, chunk: Chunk, options: ReadOptions
    ) -> Iterator[Batch]:
        """The records of a chunk, in batches of bounded memory (about 16 MB)."""
        ...
