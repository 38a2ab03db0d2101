"""Ranges of bytes in memory."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Fetched:
    """Ranges of some content; remembers which were fetched."""

    content: bytes
    fetched: list[tuple[int, int]] = field(default_factory=list)

    @property
    def size(self) -> int:
        return len(self.content)

    def read(self, offset: int, length: int) -> bytes:
        self.fetched.append((offset, length))
        return self.content[offset : offset + length]
