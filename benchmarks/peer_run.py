"""What is known of a peer's run. It is read in the peer's favour wherever it can be read twice."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PeerRun:
    """No-op tasks that a peer worked off.

    Attributes:
        peer: its name.
        variant: how it was run; the best variant of a peer is the one that counts.
        tasks: how many tasks there were.
        committed_seconds: from handing in the first task until the end of every task is
            committed to PostgreSQL: what geoforge's own figure is.
        favourable_seconds: the part of it that says most for the peer.
        peak_bytes: the most memory that the process which runs the tasks held.
    """

    peer: str
    variant: str
    tasks: int
    committed_seconds: float
    favourable_seconds: float
    peak_bytes: int

    @property
    def committed_per_second(self) -> float:
        """Tasks per second until all is committed."""
        return self.tasks / self.committed_seconds

    @property
    def favourable_per_second(self) -> float:
        """Tasks per second, as favourable to the peer as can be."""
        return self.tasks / self.favourable_seconds
