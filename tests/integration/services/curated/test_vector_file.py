"""Vector files as curated datasets: at addresses of all kinds of servers, and in containers."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from core.errors import InvalidParameters, NotFound, PermanentTaskError
from core.models.curated import CuratedDataset
from infrastructure import blob_storage
from infrastructure.source_addresses import SourceRefused, SourceUnavailable
from services.curated.handler import RemoteVersion, UploadedFile
from services.curated.vector_file import VectorFile
from tests.support.file_server import File, FileServer, file_server
from tests.support.handler_runs import dataset, run, store
from tests.support.settings import app_settings

PATH = "/data/lakes.gpkg"
CONTENT = bytes(range(256)) * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
DATE = "Mon, 01 May 2023 10:00:00 GMT"
SECRET = "s3cret"
CONTAINER = "bronze-curated"


@pytest.fixture
def server() -> Iterator[FileServer]:
    with file_server() as server:
        server.files[PATH] = File(CONTENT, {"etag": '"v1"', "last-modified": DATE})
        yield server


@pytest.fixture(autouse=True)
def _app(server: FileServer, blob_connection_string: str) -> Iterator[None]:
    tokens = {"LAKES_KEY": {"origin": server.url, "token": SECRET}}
    with app_settings(
        AZURE_STORAGE_CONNECTION_STRING=blob_connection_string,
        GEOFORGE_CURATED_CONTAINER="curated-files",
        GEOFORGE_ALLOWED_HOSTS="127.0.0.1",
        GEOFORGE_CREDENTIALS=json.dumps(tokens),
    ):
        yield


def lakes(server: FileServer, path: str = PATH, **fields: Any) -> CuratedDataset:
    return dataset(source_url=f"{server.url}{path}", **fields)


def check(of: CuratedDataset) -> RemoteVersion:
    return VectorFile().check(run(of))


def fetch(of: CuratedDataset, remote: RemoteVersion) -> bytes:
    this = run(of)
    ref = VectorFile().fetch(this, remote, store(this, remote.version))
    return blob_storage.read_bytes(ref.container, ref.path)


def test_an_etag_is_the_version(server: FileServer) -> None:
    this = lakes(server, f"{PATH}?sig={SECRET}")
    remote = check(this)
    assert remote == RemoteVersion(
        "v1",
        size=len(CONTENT),
        facts={
            "address": f"{server.url}{PATH}",
            "file": "lakes.gpkg",
            "content_type": None,
            "validator": '"v1"',
            "version_from": "etag",
        },
    )
    assert server.ranges() == ["bytes=0-0"]
    assert fetch(this, remote) == CONTENT


@pytest.mark.parametrize("etag", [None, 'W/"v1"', "v1", '"vé"', '"' + "v" * 600 + '"'])
def test_else_the_date_of_the_last_change_is(server: FileServer, etag: str | None) -> None:
    server.files[PATH].headers = {"last-modified": DATE, **({"etag": etag} if etag else {})}
    this = lakes(server)
    remote = check(this)
    assert (remote.version, remote.facts["version_from"]) == (DATE, "last_modified")
    assert fetch(this, remote) == CONTENT


def test_else_the_content_is(server: FileServer) -> None:
    server.files[PATH].headers = {}
    this = lakes(server)
    remote = check(this)
    assert remote == check(this)
    assert (remote.version, remote.size) == (f"sha256:{SHA256}", len(CONTENT))
    assert remote.facts["version_from"] == "content"
    assert fetch(this, remote) == CONTENT
    server.files[PATH].content = CONTENT[::-1]
    other = lakes(server)
    with pytest.raises(PermanentTaskError, match=r"source_config\.version") as raised:
        fetch(other, remote)
    assert raised.value.error_code == "source_changed"


def test_a_server_without_ranges_is_left_after_its_first_bytes(server: FileServer) -> None:
    file = server.files[PATH]
    file.content, file.ranges, file.holds = bytes(64 << 20), False, 1 << 20
    remote = check(lakes(server))
    assert (remote.version, remote.size) == ("v1", 64 << 20)


def test_an_empty_file_has_a_version_too(server: FileServer) -> None:
    server.files[PATH].content = b""
    assert (check(lakes(server)).version, check(lakes(server)).size) == ("v1", 0)


def test_a_version_may_be_given(server: FileServer) -> None:
    for headers in ({"etag": '"v1"'}, {}):
        server.files[PATH].headers = headers
        this = lakes(server, source_config={"version": "5.1"})
        remote = check(this)
        assert (remote.version, remote.size) == ("5.1", len(CONTENT))
        assert remote.facts["version_from"] == "source_config"
        assert fetch(this, remote) == CONTENT


def test_a_file_that_changes_between_check_and_fetch(server: FileServer) -> None:
    this = lakes(server)
    remote = check(this)
    server.files[PATH].headers = {"etag": '"v2"'}
    with pytest.raises(PermanentTaskError, match="changed since") as raised:
        fetch(this, remote)
    assert raised.value.error_code == "source_changed"
    # What came before the change is there, and stays.
    server.files[PATH].headers = {"etag": '"v1"'}
    assert fetch(this, remote) == CONTENT
    server.files[PATH].headers = {"etag": '"v2"'}
    assert fetch(this, remote) == CONTENT


def test_another_address_of_the_same_version_is_another_file(server: FileServer) -> None:
    server.files["/other/lakes.gpkg"] = File(b"other", {"etag": '"v1"'})
    this = lakes(server)
    assert fetch(this, check(this)) == CONTENT
    moved = lakes(server, "/other/lakes.gpkg", dataset_id=this.dataset_id)
    assert fetch(moved, check(moved)) == b"other"


def test_a_token_goes_to_its_origin_only(
    server: FileServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.files[PATH].token = SECRET
    with pytest.raises(SourceRefused, match="answered 401"):
        check(lakes(server))
    this = lakes(server, credential_key="LAKES_KEY")
    remote = check(this)
    assert fetch(this, remote) == CONTENT
    with file_server() as other:
        other.files["/moved"] = File(CONTENT, {"etag": '"v1"'})
        server.files["/away"] = File()
        server.files["/away"].answers = [(302, {"location": f"{other.url}/moved"}, b"")]
        assert check(lakes(server, "/away", credential_key="LAKES_KEY")).version == "v1"
        assert server.asked[-1].headers["authorization"] == f"Bearer {SECRET}"
        assert "authorization" not in other.asked[-1].headers
        elsewhere = dataset(source_url=f"{other.url}/moved", credential_key="LAKES_KEY")
        asked = len(other.asked)
        with pytest.raises(PermanentTaskError, match="bound to") as raised:
            check(elsewhere)
        assert raised.value.error_code == "credentials_elsewhere"
        assert len(other.asked) == asked
    with pytest.raises(PermanentTaskError, match="OTHER_KEY of GEOFORGE_CREDENTIALS") as missing:
        check(lakes(server, credential_key="OTHER_KEY"))
    assert missing.value.error_code == "credentials_missing"
    assert SECRET not in f"{caplog.text}{remote}{raised.value.as_record()}"


def test_a_source_that_is_gone_or_down(server: FileServer) -> None:
    with pytest.raises(SourceRefused, match="answered 404"):
        check(lakes(server, "/nothing"))
    server.files[PATH].answers = [(503, {}, b"")]
    with pytest.raises(SourceUnavailable, match="answered 503"):
        check(lakes(server))


def put(path: str, data: bytes) -> dict[str, str]:
    blob_storage.ensure_container(CONTAINER)
    blob_storage.write_bytes(CONTAINER, path, data)
    return {"container_name": CONTAINER, "blob_name": path}


def test_a_file_that_was_put_into_a_container() -> None:
    this = dataset(source_type="manual", source_config=put("lakes.gpkg", CONTENT))
    remote = check(this)
    assert remote.size == len(CONTENT)
    assert remote.facts["files"] == ["lakes.gpkg"]
    assert fetch(this, remote) == CONTENT
    put("lakes.gpkg", b"new")
    with pytest.raises(PermanentTaskError, match="was replaced since") as raised:
        fetch(this, remote)
    assert raised.value.error_code == "source_changed"
    changed = check(this)
    assert changed.version != remote.version
    assert fetch(this, changed) == b"new"


def test_a_shapefile_that_was_put_there_is_all_its_parts() -> None:
    config = put("rivers/rivers.shp", b"shp")
    put("rivers/rivers.dbf", b"dbf")
    this = dataset(source_type="manual", source_config=config)
    first = check(this)
    assert len(first.version) == 64
    put("rivers/rivers.dbf", b"other")
    assert check(this).version != first.version


def test_a_file_that_nobody_has_put_there_yet() -> None:
    put("lakes.gpkg", b"x")
    config = {"container_name": CONTAINER, "blob_name": "lake.gpkg"}
    with pytest.raises(NotFound, match=r"Did you mean 'lakes\.gpkg'"):
        check(dataset(source_type="manual", source_config=config))


@pytest.mark.parametrize("config", [{}, {"version": "2026"}])
def test_an_update_may_name_a_file_in_place_of_the_source(
    server: FileServer, config: dict[str, Any]
) -> None:
    put("uploaded.gpkg", b"what an operator has")
    this = replace(
        run(lakes(server, source_config=config)), file=UploadedFile(CONTAINER, "uploaded.gpkg")
    )
    handler = VectorFile()
    remote = handler.check(this)
    # The version in source_config is that of the source.
    assert (remote.version, remote.facts["version_from"]) == (remote.facts["etag"], "etag")
    assert remote.facts["files"] == ["uploaded.gpkg"]
    ref = handler.fetch(this, remote, store(this, remote.version))
    assert (ref.container, ref.path) == (CONTAINER, "uploaded.gpkg")
    assert server.asked == []
    put("uploaded.gpkg", b"replaced")
    with pytest.raises(PermanentTaskError, match="replaced since"):
        handler.fetch(this, remote, store(this, remote.version))


BLOB = {"container_name": CONTAINER, "blob_name": "lakes.gpkg"}
URL = "https://data.example.org/lakes.gpkg"


@pytest.mark.parametrize(
    ("fields", "at_fault"),
    [
        ({}, ["source_url"]),
        ({"source_url": URL, "source_config": BLOB}, ["source_config.blob_name"]),
        ({"source_config": {"container_name": CONTAINER}}, ["source_config"]),
        (
            {"source_config": {**BLOB, "container_name": "Not_One"}},
            ["source_config.container_name"],
        ),
        ({"source_config": {**BLOB, "blob_name": "../x"}}, ["source_config.blob_name"]),
        ({"source_config": BLOB, "credential_key": "LAKES_KEY"}, ["credential_key"]),
        ({"source_url": URL, "credential_key": "LAKES_KEY"}, ["credential_key"]),
        ({"source_url": URL, "source_config": {"colour": "red"}}, ["source_config.colour"]),
        ({"source_url": URL, "source_config": {"layer": ""}}, ["source_config.layer"]),
        (
            {"source_url": URL, "source_config": {"key_columns": [""]}},
            ["source_config.key_columns"],
        ),
        ({"source_url": URL, "source_config": {"key_columns": "a"}}, ["source_config.key_columns"]),
        ({"source_url": URL, "source_config": {"x_column": "x"}}, ["source_config"]),
        (
            {"source_url": URL, "source_config": {"layer": 7, "version": ""}},
            ["source_config.layer", "source_config.version"],
        ),
    ],
)
def test_a_definition_that_cannot_be_served(fields: dict[str, Any], at_fault: list[str]) -> None:
    with pytest.raises(InvalidParameters) as raised:
        VectorFile().check_definition(dataset(**fields))
    named = [".".join(map(str, error["loc"])) for error in raised.value.errors]
    assert named == at_fault
    assert all(name in raised.value.message for name in at_fault)


def test_a_definition_that_can_be_served(server: FileServer) -> None:
    handler = VectorFile()
    handler.check_definition(dataset(source_config=BLOB))
    config = {"layer": "lakes", "key_columns": ["id"], "source_crs": "EPSG:2154", "version": "1"}
    this = lakes(server, credential_key="LAKES_KEY", source_config=config, licence="CC0")
    handler.check_definition(this)
    # It may be registered before its credentials are there.
    handler.check_definition(lakes(server, credential_key="OTHER_KEY"))
    assert handler.credentials(this) == ("LAKES_KEY",)
    assert handler.credentials(lakes(server)) == ()
    about = handler.describe(this)
    assert (about.fields, about.key_columns, about.licence) == (None, ("id",), "CC0")
