"""Pinning sources in a real blob service, and keeping local copies of them."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from core.errors import NotFound, PermanentTaskError
from infrastructure import blob_storage, source_download
from infrastructure.source_client import SourceRefused, SourceUnavailable
from services.vector import source_files
from services.vector.source_files import SourceRef, fetch_url, local_copy, pin
from tests.support.settings import app_settings

CONTAINER = "bronze-vectors"
_NOISE = os.urandom(20 << 20)


@dataclass
class Named:
    container_name: str | None
    blob_name: str | None


@pytest.fixture
def storage(blob_connection_string: str, tmp_path: Path) -> Iterator[Path]:
    """An empty container, and the folder of the cache."""
    with app_settings(
        AZURE_STORAGE_CONNECTION_STRING=blob_connection_string,
        GEOFORGE_SOURCE_CACHE_DIR=str(tmp_path / "cache"),
        GEOFORGE_MAX_SOURCE_BYTES="100000000",
    ):
        blob_storage.ensure_container(CONTAINER)
        client = blob_storage.container_client(CONTAINER)
        for name in client.list_blob_names():
            client.delete_blob(name)
        yield tmp_path / "cache"


def put(*names: str, data: bytes = b"data") -> None:
    for name in names:
        blob_storage.write_bytes(CONTAINER, name, data)


def pinned(name: str, container: str = CONTAINER) -> SourceRef:
    return pin(Named(container, name))


def local_names(ref: SourceRef) -> list[str]:
    with local_copy(ref) as source:
        found = [path for path in source.root.rglob("*") if path.is_file()]
        assert sorted(found) == sorted(source.files)
        return sorted(str(path.relative_to(source.root)) for path in found)


def refused(name: str, container: str = CONTAINER) -> NotFound:
    with pytest.raises(NotFound) as caught:
        pinned(name, container)
    return caught.value


# Pinning


def test_a_single_file(storage: Path) -> None:
    put("a/parks.kml", "a/parks.kml.bak")
    ref = pinned("a/parks.kml")
    assert (ref.container, ref.names, ref.size) == (CONTAINER, ["a/parks.kml"], 4)
    assert SourceRef.model_validate_json(ref.model_dump_json()) == ref
    assert local_names(ref) == ["parks.kml"]


@pytest.mark.parametrize("named", ["in/Roads.shp", "in/Roads.DBF", "in/Roads.prj"])
def test_a_shapefile_has_its_parts_in_any_case(storage: Path, named: str) -> None:
    put("in/Roads.shp", "in/Roads.DBF", "in/Roads.prj", "in/roads.shx", "in/ROADS.cpg")
    put("in/Roads_2.shp", "in/Roads.shp.xml", "in/Roads.sbn", "Roads.qpj", "in/deep/Roads.qpj")
    ref = pinned(named)
    assert ref.path == "in/Roads.shp"
    assert ref.names[0] == "in/Roads.shp"
    assert local_names(ref) == ["Roads.cpg", "Roads.dbf", "Roads.prj", "Roads.shp", "Roads.shx"]


def test_a_dbf_alone_is_one_file(storage: Path) -> None:
    put("table.dbf")
    assert pinned("table.dbf").names == ["table.dbf"]


@pytest.mark.parametrize("named", ["in/world.gdb", "in/world.gdb/"])
def test_a_geodatabase_is_a_folder(storage: Path, named: str) -> None:
    put("in/world.gdb/gdb", "in/world.gdb/a00000001.gdbtable", "in/world.gdb/deep/not.this")
    put("in/world.gdb.zip")
    ref = pinned(named)
    assert (ref.names, ref.size) == (["in/world.gdb"], 8)
    assert local_names(ref) == ["world.gdb/a00000001.gdbtable", "world.gdb/gdb"]


def test_what_is_not_there_is_named_with_what_may_be_meant(storage: Path) -> None:
    put("a/Parks.kml", "a/rivers.geojson", "loose.gdb.txt")
    error = refused("a/parks.KML")
    assert error.error_code == "blob_not_found"
    assert error.message == (
        "There is no blob 'a/parks.KML' in container 'bronze-vectors'. Did you mean 'a/Parks.kml'?"
    )
    assert error.details["did_you_mean"] == "a/Parks.kml"
    assert "Did you mean 'a/rivers.geojson'" in refused("a/river.geojson").message
    assert "Did you mean" not in refused("a/unlike").message
    assert "is a folder: name a blob in it" in refused("a").message
    assert refused("parks.kml", "no-such-container").error_code == "container_not_found"
    assert refused("world.gdb", "no-such-container").error_code == "container_not_found"


def test_a_source_that_is_too_large_is_refused_with_both_sizes(storage: Path) -> None:
    put("large.kml", data=bytes(1001))
    os.environ["GEOFORGE_MAX_SOURCE_BYTES"] = "1000"
    source_files.get_settings.cache_clear()
    with pytest.raises(PermanentTaskError, match="has 1,001 bytes, more than the 1,000") as caught:
        pinned("large.kml")
    assert caught.value.error_code == "source_too_large"


# Local copies


def test_a_copy_is_whole_and_made_once(storage: Path) -> None:
    put("large.bin", data=_NOISE)
    put("empty.bin", data=b"")
    told: list[dict[str, Any]] = []
    checks: list[int] = []
    ref = pinned("large.bin")
    for _ in range(2):
        with local_copy(
            ref, check=lambda: checks.append(1), progress=lambda **facts: told.append(facts)
        ) as source:
            assert source.files[0].read_bytes() == _NOISE
    assert told[-1] == {"bytes_fetched": len(_NOISE), "bytes_total": len(_NOISE)}
    assert [facts["bytes_fetched"] for facts in told] == sorted(f["bytes_fetched"] for f in told)
    assert len(told) == 3  # ranges, and none at the second time
    assert checks
    with local_copy(pinned("empty.bin")) as source:
        assert source.files[0].read_bytes() == b""


def test_a_fetch_can_be_stopped_and_begun_again(storage: Path) -> None:
    put("large.bin", data=_NOISE)
    ref = pinned("large.bin")

    def stop() -> None:
        raise RuntimeError("cancelled")

    with pytest.raises(RuntimeError, match="cancelled"), local_copy(ref, check=stop):
        pass
    assert [path for path in storage.rglob("*") if path.name == "large.bin"] == []
    assert local_names(ref) == ["large.bin"]


@pytest.mark.parametrize("what", ["changed", "removed"])
def test_a_source_that_is_another_now_is_not_read(storage: Path, what: str) -> None:
    put("parks.kml")
    ref = pinned("parks.kml")
    if what == "changed":
        put("parks.kml", data=b"tada")
    else:
        blob_storage.blob_client(CONTAINER, "parks.kml").delete_blob()
    with pytest.raises(PermanentTaskError, match="was changed or removed") as caught:
        local_names(ref)
    assert caught.value.error_code == "source_changed"


def test_a_copy_that_is_there_outlives_the_source(storage: Path) -> None:
    put("parks.kml")
    ref = pinned("parks.kml")
    local_names(ref)
    blob_storage.blob_client(CONTAINER, "parks.kml").delete_blob()
    assert local_names(ref) == ["parks.kml"]


def test_what_is_derived_is_made_once_and_goes_with_the_copy(storage: Path) -> None:
    put("parks.zip")
    made: list[Path] = []

    def unpack(folder: Path) -> None:
        made.append(folder)
        (folder / "parks.kml").write_bytes(b"<kml/>")

    for _ in range(2):
        with local_copy(pinned("parks.zip")) as source:
            unpacked = source.derived("unpacked", unpack)
            assert (unpacked / "parks.kml").read_bytes() == b"<kml/>"
    assert len(made) == 1
    assert unpacked.parent == source.root.parent


@pytest.mark.parametrize(
    "name", ["a:b?.kml", "x" * 250 + ".geojson", ".hidden", "日本語.kml", " .kml"]
)
def test_any_name_of_a_blob_can_be_fetched(storage: Path, name: str) -> None:
    put(f"odd/{name}")
    [local] = local_names(pinned(f"odd/{name}"))
    assert not local.startswith(".")
    assert len(local.encode()) <= 200
    assert local.endswith(name.strip()[-4:])


# Addresses


class Web:
    """A server whose file breaks off now and then."""

    def __init__(self, data: bytes, *, breaks: int = 0, **headers: str) -> None:
        self.data = data
        self.breaks = breaks
        self.asked: list[str | None] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                given = self.headers["range"]
                outer.asked.append(given)
                start = int(given[6:-1]) if given and "etag" in headers else 0
                self.send_response(206 if start else 200)
                if start:
                    end = len(outer.data) - 1
                    self.send_header("content-range", f"bytes {start}-{end}/{end + 1}")
                self.send_header("content-length", str(len(outer.data) - start))
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                self.end_headers()
                rest = outer.data[start:]
                if outer.breaks:
                    outer.breaks -= 1
                    rest = rest[: len(rest) // 2]
                self.wfile.write(rest)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=partial(self._server.serve_forever, 0.01))

    def __enter__(self) -> Web:
        os.environ["GEOFORGE_ALLOWED_HOSTS"] = self.url[7:]
        source_files.get_settings.cache_clear()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        del os.environ["GEOFORGE_ALLOWED_HOSTS"]


def test_an_address_becomes_a_file_of_the_job(storage: Path) -> None:
    told: list[dict[str, Any]] = []
    with Web(_NOISE, content_disposition="attachment; filename*=UTF-8''p%C3%A4rks.gpkg") as web:
        ref = fetch_url(f"{web.url}/get?sig=s", "job1", progress=lambda **f: told.append(f))
    (path,) = ref.names
    assert re.fullmatch(r"work/job1/source/[0-9a-f]{32}/pärks\.gpkg", path)
    assert told[-1] == {"bytes_fetched": len(_NOISE), "bytes_total": len(_NOISE)}
    with local_copy(ref) as source:
        assert source.files[0].name == "pärks.gpkg"
        assert source.files[0].read_bytes() == _NOISE


@pytest.mark.parametrize(
    ("path", "header", "name"),
    [
        ("/a/parks%20new.zip?x=1", None, "parks new.zip"),
        ("/", None, "source"),
        ("/a.zip", 'attachment; filename="../../etc/parks.zip"', "parks.zip"),
        ("/a.zip", "attachment; filename=..", "source"),
        ("/a.zip", "attachment", "a.zip"),
    ],
)
def test_the_name_of_a_file_from_an_address(
    storage: Path, path: str, header: str | None, name: str
) -> None:
    headers = {} if header is None else {"content_disposition": header}
    with Web(b"x", **headers) as web:
        first, second = (fetch_url(web.url + path, "job1").path for _ in range(2))
    assert first.rpartition("/")[2] == name
    # A late attempt must not replace what another one has pinned.
    assert second != first


def test_a_connection_that_breaks_off_goes_on_where_it_was(
    storage: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_download, "_FIRST_PAUSE_SECONDS", 0.01)
    with Web(_NOISE, breaks=3, etag='"v1"') as web:
        ref = fetch_url(f"{web.url}/a.bin", "job1")
        assert len(web.asked) == 4
        assert web.asked[0] is None
    with local_copy(ref) as source:
        assert source.files[0].read_bytes() == _NOISE
    with (
        Web(_NOISE, breaks=99, etag='"v1"') as web,
        pytest.raises(SourceUnavailable, match="again and again"),
    ):
        fetch_url(f"{web.url}/a.bin", "job1")


def test_one_that_cannot_go_on_is_begun_anew_by_whoever_retries(storage: Path) -> None:
    with Web(_NOISE, breaks=1) as web, pytest.raises(SourceUnavailable, match="broke off"):
        fetch_url(f"{web.url}/a.bin", "job1")


def test_an_address_with_too_much_is_refused(storage: Path) -> None:
    os.environ["GEOFORGE_MAX_SOURCE_BYTES"] = "1000"
    with Web(bytes(1001)) as web, pytest.raises(SourceRefused, match="has 1,001 bytes"):
        fetch_url(f"{web.url}/a.bin", "job1")
