"""Cutting a file into units: whatever the window, in linear time, in bounded memory."""

from __future__ import annotations

import io
import time
import tracemalloc
from collections.abc import Iterator

import pytest

from services.vector.formats.kml import scanner as module
from services.vector.formats.kml.scanner import Kind, Scanner, Unit

_FILE = (
    b"<kml><Document><name>D</name><Style id='s'><IconStyle/></Style>"
    + b"<Folder><name>F</name>"
    + b"<Placemark><description><![CDATA[</Placemark>]]></description></Placemark>" * 20
    + b"</Folder><Placemark/><!-- <Placemark> --><Placemark><name>cut</name></Document></kml>"
)


def scan(data: bytes) -> list[tuple[Unit, list[str | None]]]:
    scanner = Scanner(io.BytesIO(data), text=lambda markup: markup.decode()[6:-7])
    return [(unit, [each.name for each in scanner.open]) for unit in scanner]


def test_units_are_whole_whatever_the_size_of_the_window(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = scan(_FILE)
    assert [unit.kind for unit, _ in expected] == [Kind.STYLE] + [Kind.PLACEMARK] * 22
    assert expected[-1][0].fault == "</Document> comes before its end"

    for size in (1, 2, 3, 7, 64, 1000):
        monkeypatch.setattr(module, "_READ_BYTES", size)
        monkeypatch.setattr(module, "_MAX_TAG_BYTES", 64)
        assert scan(_FILE) == expected


def test_a_scan_can_begin_at_any_unit() -> None:
    scanner = Scanner(io.BytesIO(_FILE), text=bytes.decode)
    units = [(unit, list(scanner.open), scanner.started) for unit in scanner]

    for at, (unit, containers, started) in enumerate(units):
        stream = io.BytesIO(_FILE[unit.offset :])
        again = Scanner(
            stream,
            text=bytes.decode,
            start=unit.offset,
            containers=list(containers),
            started=started,
        )
        assert list(again) == [each for each, _, _ in units[at:]]


@pytest.mark.parametrize(
    "piece",
    [
        b"<",
        b"<Placemark>",
        b"<Placemark ",
        b"</Placemark>",
        b"<Folder>",
        b"</Folder>",
        b"<!--",
        b"<![CDATA[",
        b"<Placemark><![CDATA[",
        b"<Placemark><!--",
        b"<Style>",
        b"<gx:Tour>",
        b"<Update>",
        b"<name>",
        b"<a b='",
        b"<!DOCTYPE ",
        b"x" * 100,
        b"<Placemark><name>x</name>",
    ],
)
def test_time_is_linear_whatever_is_repeated(piece: bytes) -> None:
    def seconds(size: int) -> float:
        data = b"<kml>" + piece * (size // len(piece))
        began = time.process_time()
        for _ in Scanner(io.BytesIO(data), text=bytes.decode):
            pass
        return time.process_time() - began

    # Quadratic would be 64 times as much. Of several, the one that was disturbed least counts.
    small, large = seconds(25_000), min(seconds(200_000) for _ in range(2))

    assert large < 24 * small + 0.5


class _Endless(io.RawIOBase):
    """Placemarks without end, made as they are read."""

    def __init__(self, total: int, filler: bytes) -> None:
        self._parts = self._produce(total, filler)

    def _produce(self, total: int, filler: bytes) -> Iterator[bytes]:
        yield b"<kml><Document>"
        for _ in range(total):
            yield filler * 1000

    def read(self, size: int = -1) -> bytes:
        return next(self._parts, b"")


@pytest.mark.parametrize(
    "filler", [b"<Placemark>%b</Placemark>" % (b"x" * 1000), b"<other>%b</other>" % (b"x" * 1000)]
)
def test_memory_is_bounded_by_the_features_and_not_the_file(filler: bytes) -> None:
    stream = _Endless(40, filler)
    tracemalloc.start()
    try:
        count = sum(1 for _ in Scanner(stream, text=bytes.decode))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert count == (40_000 if b"Placemark" in filler else 0)
    assert peak < 12 << 20
