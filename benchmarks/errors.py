"""What can go wrong while something is measured."""

from __future__ import annotations


class BenchmarkError(Exception):
    """A contender could not be run, or did not do what it was to do. Names the reason."""
