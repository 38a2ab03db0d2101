"""Archives: what comes out of them, what is refused, and what is saved of broken ones."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from services.vector.formats.archive_output import ArchiveTooLarge
from services.vector.formats.archives import ArchiveCaps, Member, is_archive, unpack
from services.vector.formats.reader import UnreadableFile

_DATA = Path(os.environ.get("GEOFORGE_DATA", Path(__file__).parents[6] / "shared" / "data"))
_NOISE = os.urandom(300_000)


def zipped(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def tarred(path: Path, members: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


@pytest.fixture
def into(tmp_path: Path) -> Path:
    folder = tmp_path / "into"
    folder.mkdir()
    return folder


def content(into: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(into)): path.read_bytes()
        for path in sorted(into.rglob("*"))
        if path.is_file()
    }


def unpacked(path: Path, into: Path, **caps: float) -> dict[str, bytes]:
    """What came out; the members that are listed are the files that are there."""
    members = unpack(path, into, ArchiveCaps(**caps) if caps else None)  # type: ignore[arg-type]
    found = content(into)
    assert {m.path: m.size for m in members if m.path is not None} == {
        name: len(data) for name, data in found.items()
    }
    return found


def problems(members: list[Member]) -> list[str]:
    return [member.problem for member in members if member.problem is not None]


# Each kind


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_zip(tmp_path: Path, into: Path, method: int) -> None:
    members = {"a.shp": b"shape", "deep/er/b.dbf": _NOISE, "empty.cpg": b""}
    assert unpacked(zipped(tmp_path / "a.bin", members, method), into) == members


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_tar(tmp_path: Path, into: Path, mode: str) -> None:
    members = {"a.shp": b"shape", "deep/er/b.dbf": _NOISE, "ü.cpg": b""}
    assert unpacked(tarred(tmp_path / "a.bin", members, mode), into) == members


@pytest.mark.parametrize(
    ("suffix", "compress"), [("gz", gzip.compress), ("bz2", bz2.compress), ("xz", lzma.compress)]
)
def test_single_files(
    tmp_path: Path, into: Path, suffix: str, compress: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / f"parks.geojson.{suffix}"
    path.write_bytes(compress(_NOISE))
    assert unpacked(path, into) == {"parks.geojson": _NOISE}


@pytest.mark.parametrize("head", [b"", b"{}", b"PAR1", b"\0" * 600, b"PK", b"SQLite format 3\0"])
def test_other_files_are_none(tmp_path: Path, into: Path, head: bytes) -> None:
    path = tmp_path / "parks.zip"
    path.write_bytes(head)
    assert not is_archive(path)
    with pytest.raises(UnreadableFile, match="no archive"):
        unpack(path, into)


@pytest.mark.parametrize(
    ("head", "what"),
    [(b"7z\xbc\xaf\x27\x1c", "7-Zip"), (b"Rar!\x1a\x07\0", "RAR"), (b"\x28\xb5\x2f\xfd", "Zstand")],
)
def test_other_archives_are_named(tmp_path: Path, into: Path, head: bytes, what: str) -> None:
    path = tmp_path / "parks.zip"
    path.write_bytes(head + _NOISE)
    assert is_archive(path)
    with pytest.raises(UnreadableFile, match=what):
        unpack(path, into)


def test_office_documents_are_named(tmp_path: Path, into: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"[Content_Types].xml": b"", "xl/workbook.xml": b""})
    with pytest.raises(UnreadableFile, match="Office document: export the sheet as CSV"):
        unpack(path, into)


def test_an_empty_archive_is_called_so(tmp_path: Path, into: Path) -> None:
    for path in (zipped(tmp_path / "a.zip", {}), zipped(tmp_path / "b.zip", {"folder/": b""})):
        with pytest.raises(UnreadableFile, match="is empty"):
            unpack(path, into)


# Names


def test_what_systems_leave_behind_stays_behind(tmp_path: Path, into: Path) -> None:
    junk = {"__MACOSX/._a.shp": b"x", "a/.DS_Store": b"x", "a/Thumbs.db": b"x", "a/._a.shp": b"x"}
    assert unpacked(zipped(tmp_path / "a.zip", {**junk, "a/a.shp": b"1"}), into) == {
        "a/a.shp": b"1"
    }


@pytest.mark.parametrize("name", ["../a.shp", "a/../../b.shp", "/etc/a.shp", "C:\\a.shp", "\\a"])
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, into: Path, name: str) -> None:
    for path in (
        zipped(tmp_path / "a.zip", {"good.shp": b"1", name: b"2"}),
        tarred(tmp_path / "a.tar", {"good.shp": b"1", name: b"2"}),
    ):
        with pytest.raises(UnreadableFile, match=r"absolute path|leads out of its folder"):
            unpack(path, into)
        (into / "good.shp").unlink(missing_ok=True)
    assert list(tmp_path.glob("*.shp")) == []


def test_names_are_made_safe_and_unique(tmp_path: Path, into: Path) -> None:
    members = {
        "A.shp": b"1", "A.dbf": b"2", "a.shp": b"3", "a.dbf": b"4",
        "sub\\win.csv": b"5", "con\x07trol.csv": b"6", "x" * 300 + ".csv": b"7",
        "both": b"8", "both/inside.csv": b"9",
    }  # fmt: skip
    assert unpacked(zipped(tmp_path / "a.zip", members), into) == {
        "A.shp": b"1", "A.dbf": b"2", "a (2).shp": b"3", "a (2).dbf": b"4",
        "sub/win.csv": b"5", "con_trol.csv": b"6", "x" * 196 + ".csv": b"7",
        "both": b"8", "both (2)/inside.csv": b"9",
    }  # fmt: skip


def test_two_members_of_one_name_are_both_kept(tmp_path: Path, into: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"doc.kml": b"1", "dot.kml": b"2"})
    path.write_bytes(path.read_bytes().replace(b"dot.kml", b"doc.kml"))
    assert unpacked(path, into) == {"doc.kml": b"1", "doc (2).kml": b"2"}


def test_names_in_utf8_that_does_not_say_so(tmp_path: Path, into: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"paXXrks.shp": b"1"})
    path.write_bytes(path.read_bytes().replace(b"XX", "ü".encode()))
    assert unpacked(path, into) == {"paürks.shp": b"1"}


# Harm


def test_links_and_devices_are_named_and_left(tmp_path: Path, into: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        for name, kind in (("link", tarfile.SYMTYPE), ("hard", tarfile.LNKTYPE),
                           ("disk", tarfile.BLKTYPE)):  # fmt: skip
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
        archive.addfile(tarfile.TarInfo("good.csv"), io.BytesIO())
    members = unpack(path, into)
    assert list(content(into)) == ["good.csv"]
    assert [(m.name, m.path) for m in members if m.problem] == [
        ("link", None), ("hard", None), ("disk", None),
    ]  # fmt: skip


def test_a_link_in_a_zip_is_a_file_that_names_its_target(tmp_path: Path, into: Path) -> None:
    info = zipfile.ZipInfo("link.shp")
    info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    unpack(tmp_path / "a.zip", into)
    assert not (into / "link.shp").is_symlink()


def test_an_encrypted_archive_is_called_so(tmp_path: Path, into: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"parks.shp": b"secret"})
    data = bytearray(path.read_bytes())
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(UnreadableFile, match=r"'parks.shp' in the archive is encrypted"):
        unpack(path, into)


def test_caps_on_members_bytes_ratio_and_depth(tmp_path: Path, into: Path) -> None:
    many = zipped(tmp_path / "many.zip", {f"{n}.csv": b"" for n in range(11)})
    with pytest.raises(ArchiveTooLarge, match="more than 10 members"):
        unpack(many, into / "a", ArchiveCaps(members=10))
    large = tarred(tmp_path / "large.tar", {"a.csv": _NOISE})
    with pytest.raises(ArchiveTooLarge, match="more than 200,000 bytes"):
        unpack(large, into / "b", ArchiveCaps(total_bytes=200_000))
    bomb = zipped(tmp_path / "bomb.zip", {"a.csv": bytes(10 << 20)})
    with pytest.raises(ArchiveTooLarge, match="more than 200 times its own"):
        unpack(bomb, into / "c", ArchiveCaps(ratio_free_bytes=1 << 20))
    assert unpacked(bomb, into / "d") == {"a.csv": bytes(10 << 20)}  # small enough to be real
    deep = zipped(tmp_path / "deep.zip", {"a/" * 40 + "a.csv": b""})
    with pytest.raises(UnreadableFile, match="more than 32 folders"):
        unpack(deep, into / "e")


def test_what_nobody_wants_in_a_compressed_tar_counts_too(tmp_path: Path, into: Path) -> None:
    path = tarred(tmp_path / "a.tgz", {"__MACOSX/x": bytes(4 << 20), "a.csv": b"1"}, "w:gz")
    with pytest.raises(ArchiveTooLarge, match="more than 1,000,000 bytes"):
        unpack(path, into, ArchiveCaps(total_bytes=1_000_000))


def test_members_that_share_bytes_are_a_bomb(tmp_path: Path, into: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a.csv": bytes(1 << 20), "b.csv": bytes(1 << 20)})
    data = bytearray(path.read_bytes())
    second = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 1)
    struct.pack_into("<I", data, second + 42, 0)  # the second entry at the first one's data
    path.write_bytes(data)
    with pytest.raises(UnreadableFile, match="share their bytes"):
        unpack(path, into)


# Archives in archives


def test_an_archive_in_an_archive_is_unpacked_in_its_place(tmp_path: Path, into: Path) -> None:
    inner = zipped(tmp_path / "doc.kmz", {"doc.kml": b"<kml/>"}).read_bytes()
    single = gzip.compress(b"{}")
    path = zipped(tmp_path / "a.zip", {"maps/doc.kmz": inner, "p.geojson.gz": single, "a": b"1"})
    assert unpacked(path, into) == {
        "a": b"1", "maps/doc/doc.kml": b"<kml/>", "p.geojson/p.geojson": b"{}",
    }  # fmt: skip
    innermost = zipped(tmp_path / "b.zip", {"c.zip": path.read_bytes()})
    unpack(innermost, into / "again")
    assert (into / "again/c/maps/doc.kmz").read_bytes() == inner


def test_an_archive_in_an_archive_that_cannot_be_read_stays(tmp_path: Path, into: Path) -> None:
    book = zipped(tmp_path / "b.xlsx", {"[Content_Types].xml": b""}).read_bytes()
    path = zipped(tmp_path / "a.zip", {"b.xlsx": book, "a.csv": b"1"})
    members = unpack(path, into)
    assert content(into) == {"a.csv": b"1", "b.xlsx": book}
    assert problems(members) == [
        "b.xlsx is not unpacked: This is a Microsoft Office document: export the sheet as CSV."
    ]


def test_a_bomb_in_an_archive_is_one(tmp_path: Path, into: Path) -> None:
    inner = zipped(tmp_path / "inner.zip", {"a.csv": bytes(10 << 20)}).read_bytes()
    path = zipped(tmp_path / "a.zip", {"inner.zip": inner})
    with pytest.raises(ArchiveTooLarge):
        unpack(path, into, ArchiveCaps(ratio_free_bytes=1 << 20))


# Broken ones


MEMBERS = {f"{n}.csv": f"x,y\n{n},".encode() + _NOISE[: n * 1000] for n in range(1, 6)}


def test_a_zip_behind_something_else(tmp_path: Path, into: Path) -> None:
    path = zipped(tmp_path / "a.zip", MEMBERS)
    path.write_bytes(b"#!/bin/sh\nexec unzip $0\n" + path.read_bytes())
    assert is_archive(path)
    assert unpacked(path, into) == MEMBERS


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_zip_that_is_cut_off_gives_what_is_whole(tmp_path: Path, into: Path, method: int) -> None:
    path = zipped(tmp_path / "a.zip", MEMBERS, method)
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"5.csv") + 2000])
    members = unpack(path, into)
    assert content(into) == {name: data for name, data in MEMBERS.items() if name != "5.csv"}
    assert problems(members) == ["5.csv is cut off."]


def test_a_zip_written_as_a_stream_is_walked_too(tmp_path: Path, into: Path) -> None:
    class Pipe(io.RawIOBase):
        def __init__(self) -> None:
            self.data = bytearray()

        def writable(self) -> bool:
            return True

        def write(self, data: object) -> int:
            self.data += bytes(data)  # type: ignore[call-overload]
            return len(data)  # type: ignore[arg-type]

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in MEMBERS.items():
            archive.writestr(name, data)
    path = tmp_path / "a.zip"
    path.write_bytes(pipe.data[: pipe.data.index(b"PK\x01\x02")])
    assert unpacked(path, into) == MEMBERS


def test_a_directory_that_leads_nowhere_is_done_without(tmp_path: Path, into: Path) -> None:
    path = zipped(tmp_path / "a.zip", MEMBERS)
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, data.index(b"PK\x01\x02") + 42, 0x7FFFFFFF)
    path.write_bytes(data)
    assert unpacked(path, into) == MEMBERS


def test_a_damaged_member_costs_itself(tmp_path: Path, into: Path) -> None:
    path = zipped(tmp_path / "a.zip", MEMBERS, zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    data[data.index(b"x,y\n3") + 1] ^= 0xFF
    path.write_bytes(data)
    members = unpack(path, into)
    assert set(content(into)) == set(MEMBERS) - {"3.csv"}
    assert problems(members) == ["3.csv is damaged: its checksum differs."]


def test_a_size_that_is_not_true_does_no_harm(tmp_path: Path, into: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a.csv": b"1,2"})
    data = bytearray(path.read_bytes())
    for at in (22, data.index(b"PK\x01\x02") + 24):
        struct.pack_into("<I", data, at, 0xFFFFFFFE)
    path.write_bytes(data)
    assert unpacked(path, into) == {"a.csv": b"1,2"}


def test_a_method_that_is_not_read_is_named(tmp_path: Path, into: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a.csv": b"1,2"})
    data = bytearray(path.read_bytes())
    for at in (8, data.index(b"PK\x01\x02") + 10):
        struct.pack_into("<H", data, at, 9)
    path.write_bytes(data)
    with pytest.raises(UnreadableFile, match="Deflate64, as Windows does with files over 2 GB"):
        unpack(path, into)


def test_a_compressed_file_that_is_cut_off_gives_its_beginning(tmp_path: Path, into: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(_NOISE)[:200_000])
    [member] = unpack(path, into)
    assert _NOISE.startswith((into / "a.csv").read_bytes())
    assert member.size > 100_000
    assert member.problem == "a.csv is cut off: what comes before is kept."


def test_a_tar_that_is_cut_off_gives_what_is_whole(tmp_path: Path, into: Path) -> None:
    for mode in ("w", "w:gz"):
        path = tarred(tmp_path / "a.tar", MEMBERS, mode)
        data = path.read_bytes()
        path.write_bytes(data[: len(data) // 2])
        folder = into / mode.replace(":", "")
        members = unpack(path, folder)
        whole = content(folder)
        assert whole
        assert whole.items() <= MEMBERS.items()
        assert problems(members)


def test_a_changed_byte_never_does_more_than_cost_members(tmp_path: Path) -> None:
    """Whatever byte is broken: what is unpacked is whole, and the rest is told."""
    good = zipped(tmp_path / "a.zip", {"a.csv": b"1,2\n" * 20, "b.csv": b"3,4\n" * 20})
    data = good.read_bytes()
    path = tmp_path / "b.zip"
    for at in range(len(data)):
        path.write_bytes(data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :])
        into = tmp_path / str(at)
        try:
            members = unpack(path, into)
        except UnreadableFile:
            continue
        found = content(into)
        assert set(found.values()) <= {b"1,2\n" * 20, b"3,4\n" * 20}
        assert len(found) + len(problems(members)) >= 1


@pytest.mark.skipif(not _DATA.is_dir(), reason=f"no sample data at {_DATA} (GEOFORGE_DATA)")
@pytest.mark.parametrize(
    ("name", "members"),
    [
        ("archives/fiona__testopenfilegdb.gdb.zip", 198),
        ("archives/gdal__poly.tar.gz", 4),
        ("archives/gdal__poly.zip", 4),
        ("archives/geopandas__nybb_16a.zip", 5),
        ("archives/pyshp__REL.zip", 5),
        ("kml/libkml__bad-pk-data.kmz", 1),
        ("kml/libkml__bad-too-large.kmz", 1),
        ("kml/libkml__hier.kmz", 2),
        ("kml/libkml__multikml-doc.kmz", 4),
        ("kml/libkml__overflow_bad_offset.kmz", 1),
        ("kml/libkml__radar-animation.kmz", 9),
        ("kml/libkml__screenoverlay-continents.kmz", 5),
    ],
)
def test_archives_in_the_wild(into: Path, name: str, members: int) -> None:
    found = unpack(_DATA / "2_broken_vector" / name, into)
    assert len(found) == len(content(into)) == members
    assert problems(found) == []
