"""A program that measures is run to its end, or said to have failed, and why."""

from __future__ import annotations

import sys

import pytest

from benchmarks.errors import BenchmarkError
from benchmarks.programs import run


def python(program: str) -> list[str]:
    return [sys.executable, "-c", program]


def test_what_it_prints_and_the_memory_it_held() -> None:
    program = "import os, time; held = b'x' * 100_000_000; time.sleep(0.5); print(os.environ['A'])"
    output, peak_bytes = run(python(program), {"A": "given"}, 120)
    assert output == "given\n"
    assert 100_000_000 < peak_bytes < 150_000_000


def test_one_that_fails_shows_how() -> None:
    with pytest.raises(BenchmarkError, match="no such table"):
        run(python("raise SystemExit('no such table')"), {}, 120)


def test_one_that_does_not_end_is_killed() -> None:
    with pytest.raises(BenchmarkError, match="has not ended after 0 s"):
        run(python("import time; time.sleep(600)"), {}, 0.2)


def test_one_that_is_missing_says_how_to_install_it() -> None:
    with pytest.raises(BenchmarkError, match=r"setup\.sh bench"):
        run(["/nowhere/python"], {}, 1)
