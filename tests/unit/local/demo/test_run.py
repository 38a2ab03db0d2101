"""What the demo does with the countries where some are published already, and where none are."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from local.demo import countries, run
from local.demo.api import Api
from local.demo.countries import Countries

BORDERS = "disputed borders as Germany sees them, with 250 countries"


class App:
    """An app that has published a release of the countries, or none; what it was asked."""

    def __init__(self, published: str | None) -> None:
        self.published = published
        self.asked: list[tuple[str, Any]] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append((request.method, json.loads(request.content or b"null")))
        if request.url.path.endswith("/update"):
            return httpx.Response(202, json={"job_id": "j1"})
        if request.url.path == "/api/jobs/j1":
            job = {"status": "completed", "stage": 4, "stages": [], "total_stages": 4}
            return httpx.Response(200, json={**job, "result": {"action": "updated"}})
        return httpx.Response(200, json={"source_version": self.published})


@pytest.fixture
def uploaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were put into the storage; the package registry has release 5.1.1."""
    found = Countries(tmp_path / "countries.zip", "5.1.1")
    monkeypatch.setattr(countries, "fetch", lambda _: found)
    files: list[Path] = []
    monkeypatch.setattr(run, "_upload", lambda _, root, paths, **named: files.extend(paths))
    return files


@pytest.fixture
def demo(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[[App], str]:
    """Runs the part with the countries; what it prints."""

    def demo(app: App) -> str:
        with Api("http://app", transport=httpx.MockTransport(app.answer)) as api:
            assert run._publish_countries(api, "connection string", tmp_path)
        return capsys.readouterr().out

    return demo


def test_the_countries_are_published_where_none_are(
    demo: Callable[[App], str], uploaded: list[Path]
) -> None:
    app = App(None)
    shown = demo(app)
    assert BORDERS in shown
    assert [path.name for path in uploaded] == ["countries.zip"]
    file = {"container_name": "uploads-demo", "blob_name": "countries.zip"}
    assert app.asked == [("GET", None), ("POST", file), ("GET", None)]


def test_the_same_release_is_not_read_again(
    demo: Callable[[App], str], uploaded: list[Path]
) -> None:
    app = App("5.1.1")
    shown = demo(app)
    assert BORDERS in shown
    assert "Nothing changed: 5.1.1 is published." in shown
    assert (uploaded, app.asked) == ([], [("GET", None)])


def test_another_release_stays(demo: Callable[[App], str], uploaded: list[Path]) -> None:
    app = App("5.2.0")
    shown = demo(app)
    assert "5.2.0 is published, and is not replaced by 5.1.1." in shown
    assert (uploaded, app.asked) == ([], [("GET", None)])
