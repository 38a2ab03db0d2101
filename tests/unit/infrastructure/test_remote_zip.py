"""Small members of zip archives that are somewhere else."""

from __future__ import annotations

import io
import random
import struct
import zipfile
from collections.abc import Sequence

import pytest

from infrastructure.remote_zip import read_member
from tests.support.ranges import Fetched

NAME = "lakes.VERSION.txt"
TEXT = b"5.1.1\r\n"
# Of a megabyte, which does not become less by compression.
SHAPES = random.Random(1).randbytes(1 << 20)


def archive(*, method: int = zipfile.ZIP_DEFLATED, comment: bytes = b"", **more: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as packed:
        packed.mkdir("empty")
        packed.writestr(NAME, TEXT)
        packed.writestr("lakes.shp", SHAPES)
        for name, content in more.items():
            packed.writestr(name, content)
        packed.comment = comment
    return file.getvalue()


def version(names: Sequence[str]) -> str | None:
    return NAME if NAME in names else None


def read(content: bytes) -> bytes | None:
    return read_member(Fetched(content), version, limit_bytes=100)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("comment", [b"", b"made by hand " * 4000])
def test_a_member_is_read_from_two_parts(method: int, comment: bytes) -> None:
    source = Fetched(archive(method=method, comment=comment))
    assert read_member(source, version, limit_bytes=100) == TEXT
    assert len(source.fetched) == 2
    assert sum(length for _, length in source.fetched) < len(source.content) / 3


def test_the_names_are_those_of_the_files() -> None:
    seen: list[str] = []

    def look(names: Sequence[str]) -> None:
        seen.extend(names)

    assert read_member(Fetched(archive()), look, limit_bytes=100) is None
    assert seen == [NAME, "lakes.shp"]


def test_a_member_over_the_limit_is_not_read() -> None:
    content = archive()
    assert read_member(Fetched(content), version, limit_bytes=len(TEXT)) == TEXT
    assert read_member(Fetched(content), version, limit_bytes=len(TEXT) - 1) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        SHAPES,
        archive()[:-30],
        archive()[: len(SHAPES) // 2],
        archive(method=zipfile.ZIP_LZMA),
    ],
    ids=["empty", "json", "no archive", "no end", "half", "another method"],
)
def test_of_what_is_no_such_archive_nothing_is_read(content: bytes) -> None:
    assert read(content) is None


def test_a_member_with_another_checksum_is_not_read() -> None:
    content = archive(method=zipfile.ZIP_STORED)
    assert read(content.replace(TEXT, b"5.1.2\r\n")) is None


def test_an_encrypted_member_is_not_read() -> None:
    content = bytearray(archive())
    # The flags of the member's own header, and of its entry in the directory.
    for signature, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        entry = content.index(NAME.encode()) - 30 if at == 6 else content.rindex(NAME.encode()) - 46
        assert content[entry : entry + 4] == signature
        content[entry + at] |= 1
    assert read(bytes(content)) is None


def test_a_directory_that_claims_much_is_not_fetched() -> None:
    """The archive is large, and its end says that nearly all of it is directory."""
    content = bytearray(archive(more=SHAPES * 8))
    end = content.rindex(b"PK\x05\x06")
    struct.pack_into("<II", content, end + 12, end - 100, 100)
    source = Fetched(bytes(content))
    assert read_member(source, version, limit_bytes=100) is None
    assert sum(length for _, length in source.fetched) < len(SHAPES)


def test_a_member_that_unpacks_to_much_is_left_at_the_limit() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr(NAME, bytes(64 << 20))
    source = Fetched(file.getvalue())
    assert read_member(source, version, limit_bytes=100) is None
