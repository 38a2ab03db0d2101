"""Whatever happens to the bytes of a good KML: no crash, and every record accounted for."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.vector.formats.reader import UnreadableFile
from tests.unit.services.vector.formats.kml.reading import DOCUMENT, load_text

_COUNT = 8


def _placemark(at: int) -> str:
    """A placemark in which nothing is longer than it has to be, so that mutations hit tags."""
    shapes = (
        "<Point><coordinates>1,2</coordinates></Point>",
        "<LineString><coordinates>1,2 3,4</coordinates></LineString>",
        "<MultiGeometry><Polygon><outerBoundaryIs><LinearRing><coordinates>0,0 1,0 1,1 0,0"
        "</coordinates></LinearRing></outerBoundaryIs></Polygon></MultiGeometry>",
        "<gx:Track><when>2020-01-01T00:00:00Z</when><gx:coord>1 2 3</gx:coord></gx:Track>",
    )
    return (
        f"<Placemark id='p{at}'><name>n{at}</name><description><![CDATA[<b>{at}</b>]]>"
        f"</description><ExtendedData><Data name='k'><value>{at}</value></Data></ExtendedData>"
        f"<!-- {at} -->{shapes[at % len(shapes)]}</Placemark>\n"
    )


_GOOD = (
    DOCUMENT
    % (
        "<Style id='s'><LineStyle><color>ff0000ff</color></LineStyle></Style>"
        + "".join(f"<Folder><name>F{at}</name>{_placemark(at)}</Folder>" for at in range(_COUNT))
    )
).encode()
_PIECES = st.sampled_from(
    [
        b"", b"<", b">", b"&", b"]]>", b"<![CDATA[", b"<!--", b"-->", b"</Placemark>",
        b"<Placemark>", b"</Folder>", b"<Folder>", b"\0", b"\xff\xfe", b"\xe9", b'"', b"/>",
        b"<!DOCTYPE x>", b"&nbsp;", b"&#0;", b"</kml>", b"<x:y>", b"1e999,", b",,", b"nan,nan",
    ]
)  # fmt: skip
_MUTATIONS = st.lists(
    st.tuples(
        st.integers(0, len(_GOOD) - 1),
        st.integers(0, 40),
        st.one_of(_PIECES, st.binary(max_size=12)),
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(mutations=_MUTATIONS)
def test_mutated_bytes_are_read_or_refused(mutations: list[tuple[int, int, bytes]]) -> None:
    data = bytearray(_GOOD)
    for at, length, piece in mutations:
        data[at : at + length] = piece
    with tempfile.TemporaryDirectory() as folder:
        try:
            whole = load_text(Path(folder), bytes(data))
            cut = load_text(Path(folder), bytes(data), chunk_rows=1)
        except UnreadableFile:
            return

    assert cut.rows == whole.rows
    assert cut.wkt == whole.wkt
    assert cut.faults == whole.faults
    for at, text in enumerate(whole.wkt):
        assert (text is None) == (at in whole.faults)


@settings(max_examples=60, deadline=None)
@given(at=st.integers(0, _COUNT - 1), spot=st.floats(0, 1), length=st.integers(1, 30))
def test_damage_within_one_placemark_costs_no_other(at: int, spot: float, length: int) -> None:
    """Bytes are cut out of one placemark's inside; the seven others are all there."""
    start = _GOOD.index(f"<Placemark id='p{at}'>".encode())
    end = _GOOD.index(b"</Placemark>", start)
    first = start + 17 + int(spot * (end - start - 17))
    data = _GOOD[:first] + _GOOD[min(first + length, end) :]

    with tempfile.TemporaryDirectory() as folder:
        loaded = load_text(Path(folder), data)

    others = [f"n{number}" for number in range(_COUNT) if number != at]
    whole = [
        name
        for number, name in enumerate(loaded.column("name"))
        if number not in loaded.faults and name in others
    ]
    assert whole == others
    assert len(loaded.rows) == _COUNT


@settings(max_examples=60, deadline=None)
@given(length=st.integers(0, len(_GOOD)))
def test_a_file_that_ends_anywhere_keeps_what_is_whole(length: int) -> None:
    data = _GOOD[:length]
    complete = data.count(b"</Placemark>")

    with tempfile.TemporaryDirectory() as folder:
        try:
            loaded = load_text(Path(folder), data)
        except UnreadableFile:
            assert complete == 0
            return

    begun = data.count(b"<Placemark ") + data.endswith(b"<Placemark")
    assert len(loaded.rows) - len(loaded.faults) == complete
    assert len(loaded.faults) == len(loaded.rows) - complete <= 1
    assert begun - len(loaded.rows) in (0, 1)
