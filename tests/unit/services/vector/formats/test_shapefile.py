from __future__ import annotations

import datetime
import shutil
import struct
from pathlib import Path

import numpy as np
import pyogrio.raw
import pytest
import shapely

from services.vector.formats import dbase_encoding
from services.vector.formats.reader import UnreadableFile
from services.vector.model import Reason
from tests.unit.services.vector.formats.reading import (
    DATA,
    needs_data,
    read_all,
    read_one,
    squares,
    write,
)

_SHAPEFILES = DATA / "2_broken_vector" / "shapefile"
_RECORD = 136  # bytes of a square of five points with its header


def _header(dbf: Path) -> tuple[int, int]:
    """The length of a .dbf's header and of its records."""
    header, record = struct.unpack_from("<HH", dbf.read_bytes(), 8)
    return header, record


def _overwrite(path: Path, at: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write(tmp_path / "a.shp", "ESRI Shapefile", 1000)


def test_a_whole_one(path: Path) -> None:
    whole = read_one(path, chunk_rows=300)
    assert [chunk.rows for chunk in whole.layer.chunks] == [300, 300, 300, 100]
    assert all(a.equals(b) for a, b in zip(whole.geometry, squares(1000), strict=True))
    assert whole.columns["id"] == list(range(1000))
    assert whole.layer.crs.value == "EPSG:4326"
    assert whole.layer.crs.source == "sidecar"


@pytest.mark.parametrize("broken", ["missing", "empty", "short"])
def test_an_index_is_found_again(path: Path, broken: str) -> None:
    index = path.with_suffix(".shx")
    before = index.read_bytes()
    index.unlink()
    if broken != "missing":
        index.write_bytes(b"" if broken == "empty" else before[:900])
    whole = read_one(path, chunk_rows=300)
    assert len(whole.geometry) == 1000
    assert not whole.faults
    assert "index_rebuilt" in whole.notes
    assert index.exists() == (broken != "missing")  # the source is left alone


def test_without_its_dbf_it_is_geometries_only(path: Path) -> None:
    path.with_suffix(".dbf").unlink()
    whole = read_one(path)
    assert len(whole.geometry) == 1000
    assert whole.columns == {}
    assert "attributes_missing" in whole.notes


def test_parts_in_other_cases_and_odd_folders_belong_together(path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "it's! 100 %"
    folder.mkdir()
    for suffix in ("shp", "shx", "dbf", "prj"):
        shutil.copy(path.with_suffix(f".{suffix}"), folder / f"Ä.{suffix.upper()}")
    whole = read_one(folder / "Ä.SHP")
    assert whole.layer.name == "Ä"
    assert whole.columns["name"][5] == "name 5"
    assert whole.layer.crs.value == "EPSG:4326"


@pytest.mark.parametrize("indexed", [True, False])
def test_what_a_cut_shp_has_lost_is_quarantined_with_its_attributes(
    path: Path, indexed: bool
) -> None:
    path.write_bytes(path.read_bytes()[:50_000])
    if not indexed:
        path.with_suffix(".shx").unlink()
    whole = read_one(path)
    good = (50_000 - 100) // _RECORD
    assert sum(geometry is not None for geometry in whole.geometry) == good
    assert sorted(whole.faults) == list(range(good, 1000))
    assert {fault.reason for fault in whole.faults.values()} == {Reason.UNREADABLE_GEOMETRY}
    assert whole.columns["id"] == list(range(1000))


def test_shapes_without_attributes_are_kept(path: Path) -> None:
    dbf = path.with_suffix(".dbf")
    header, record = _header(dbf)
    dbf.write_bytes(dbf.read_bytes()[: header + 49 * record + 10])
    whole = read_one(path)
    assert None not in whole.geometry
    assert whole.columns["name"][48:50] == ["name 48", None]
    assert "records_differ" in whole.notes


def test_deleted_records_are_left_out_and_counted(path: Path) -> None:
    dbf = path.with_suffix(".dbf")
    header, record = _header(dbf)
    for row in range(0, 1000, 7):
        _overwrite(dbf, header + row * record, b"*")
    whole = read_one(path, chunk_rows=100)
    assert whole.columns["id"] == [row for row in range(1000) if row % 7]
    assert all(
        geometry.equals(squares(1000)[row])
        for geometry, row in zip(whole.geometry, whole.columns["id"], strict=True)
    )
    assert next(n for n in whole.layer.notes if n.code == "deleted_records").count == 143


def test_broken_shapes_are_faults_and_null_shapes_are_not(path: Path) -> None:
    def shape(row: int) -> int:
        return 100 + row * _RECORD + 8

    _overwrite(path, shape(3), struct.pack("<i", 77))
    _overwrite(path, shape(4), struct.pack("<i", 0))
    _overwrite(path, shape(5) + 36, struct.pack("<ii", 7_000_000, 9_000_000))
    whole = read_one(path)
    assert sorted(whole.faults) == [3, 5]
    assert "no shape type 77" in whole.faults[3].detail
    assert "7,000,000 parts" in whole.faults[5].detail
    assert whole.geometry[4] is None


def test_values_that_are_none_of_their_type_become_null_and_count(tmp_path: Path) -> None:
    path = tmp_path / "a.shp"
    dates = np.array(["2020-02-29"] * 10, dtype="datetime64[D]")
    pyogrio.raw.write(
        str(path), shapely.to_wkb(shapely.points(np.arange(10), 0)),
        [np.arange(10, dtype=np.int32), dates], ["n", "d"],
        driver="ESRI Shapefile", geometry_type="Point", crs="EPSG:4326",
    )  # fmt: skip
    dbf = path.with_suffix(".dbf")
    header, record = _header(dbf)
    number, date = header + 1, header + record - 8
    _overwrite(dbf, number + record, b"*****")
    _overwrite(dbf, number + 2 * record, b"1o   ")
    _overwrite(dbf, date + 3 * record, b"00000000")
    _overwrite(dbf, date + 4 * record, b"20201345")
    whole = read_one(path)
    assert whole.columns["n"][:5] == [0, None, None, 3, 4]
    assert whole.columns["d"][2:5] == [datetime.date(2020, 2, 29), None, None]
    assert whole.value_faults == {
        ("n", "too wide for its field (***)"): 1,
        ("n", "not a number"): 1,
        ("d", "not a date"): 1,
    }


def _with_names(folder: Path, names: list[bytes], *, language: int, cpg: str | None) -> Path:
    """Points with names in these bytes."""
    path = folder / "a.shp"
    width = max(map(len, names))
    ascii_names = np.array(["x" * width for _ in names], dtype=object)
    pyogrio.raw.write(
        str(path), shapely.to_wkb(shapely.points(np.arange(len(names)), 0)), [ascii_names],
        ["name"], driver="ESRI Shapefile", geometry_type="Point", crs="EPSG:4326",
    )  # fmt: skip
    dbf = path.with_suffix(".dbf")
    header, record = _header(dbf)
    _overwrite(dbf, 29, bytes([language]))
    for row, name in enumerate(names):
        _overwrite(dbf, header + row * record + 1, name.ljust(record - 1))
    path.with_suffix(".cpg").unlink(missing_ok=True)
    if cpg is not None:
        path.with_suffix(".cpg").write_text(cpg)
    return path


@pytest.mark.parametrize(
    ("names", "codec", "language", "cpg"),
    [
        (["Ñandú", "Straße"], "cp1252", 0, None),
        (["Łódź", "Gdańsk", "Wrocław", "Święty Krzyż"], "cp1250", 0, None),
        (["Москва", "Казань"], "cp1251", 0x57, None),
        (["Москва", "Казань"], "cp866", 0x65, None),
        (["東京都", "大阪府", "北海道"], "cp932", 0, None),
        (["Αθήνα", "Πάτρα"], "cp1253", 0, "ANSI 1253"),
        (["Málaga", "Cádiz", "León"], "utf-8", 0x57, None),
        (["Málaga", "Cádiz", "León"], "utf-8", 0x57, "1252"),
        (["Málaga", "Cádiz", "León"], "cp1252", 0x57, "UTF-8"),
        (["Ñandú"], "latin-1", 0, "ISO 88591"),
    ],
)
def test_texts_are_read_in_their_encoding(
    tmp_path: Path, names: list[str], codec: str, language: int, cpg: str | None
) -> None:
    path = _with_names(tmp_path, [n.encode(codec) for n in names], language=language, cpg=cpg)
    whole = read_one(path)
    assert whole.columns["name"] == names
    assert whole.layer.encoding is not None
    assert whole.layer.encoding.evidence


def test_the_encoding_can_be_named(tmp_path: Path) -> None:
    path = _with_names(tmp_path, ["Ñandú".encode("cp850")], language=0x57, cpg="UTF-8")
    assert read_one(path, encoding="cp850").columns["name"] == ["Ñandú"]
    with pytest.raises(UnreadableFile, match="no encoding"):
        read_all(path, encoding="klingon")


def test_a_character_that_the_field_cuts_in_half_is_left_out(tmp_path: Path) -> None:
    names = ["Málaga".encode(), "Cádiz".encode(), "Logroño é".encode()[:-1]]
    assert read_one(_with_names(tmp_path, names, language=0, cpg=None)).columns["name"] == [
        "Málaga",
        "Cádiz",
        "Logroño ",
    ]


@pytest.mark.parametrize(
    ("says", "codec"),
    [
        ("UTF-8", "utf-8"), ("65001", "utf-8"), ("ANSI 1252", "cp1252"), ("1251", "cp1251"),
        ("OEM 437", "cp437"), ("ISO-8859-15", "iso8859-15"), ("88591", "iso8859-1"),
        ("LDID/201", "cp1251"), ("Big5", "big5"), ("SJIS", "shift_jis"), ("\ufeffUTF8\n", "utf-8"),
        ("nonsense", None), ("", None),
    ],
)  # fmt: skip
def test_names_of_encodings(says: str, codec: str | None) -> None:
    assert dbase_encoding.codec_named(says) == codec


@needs_data
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("gdal__buggypoint/buggypoint", Reason.UNREADABLE_GEOMETRY),
        ("gdal__buggymultiline/buggymultiline", Reason.UNREADABLE_GEOMETRY),
        ("gdal__buggymultipoly/buggymultipoly", Reason.UNREADABLE_GEOMETRY),
        ("gdal__pointnan/pointnan", Reason.BAD_COORDINATE),
    ],
)
def test_real_broken_records_are_faults(name: str, reason: Reason) -> None:
    whole = read_one(_SHAPEFILES / f"{name}.shp")
    assert {fault.reason for fault in whole.faults.values()} == {reason}


@needs_data
def test_all_real_shapefiles_are_read() -> None:
    loaded = {
        path.stem: sum(g is not None for g in read_one(path).geometry)
        for path in sorted(_SHAPEFILES.glob("*/*.shp"))
    }
    assert len(loaded) == 16
    assert loaded["latin1"] == 1
    assert loaded["corrupt_too_long"] == 10
    assert loaded["multipatch"] == 1
    assert read_one(_SHAPEFILES / "pyshp__latin1/latin1.shp").columns["Name"] == ["Ñandú"]
    assert read_one(_SHAPEFILES / "gdal__Stacks/Stacks.shp").layer.crs.value == "EPSG:2278"
