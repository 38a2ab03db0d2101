"""The handlers of IBAT's data sets against the stand-in, which refuses what IBAT refuses."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.errors import PermanentTaskError
from infrastructure import blob_storage, source_download
from local.standins.ibat.server import Ibat
from services.curated import ibat_base
from services.curated.ibat_base import IbatHandler
from services.curated.kba_handler import KbaHandler
from services.curated.wdpa_handler import WdpaHandler
from tests.support.handler_runs import run, store
from tests.support.settings import app_settings

MIB = 1 << 20
CONTENT = random.Random(7).randbytes(10 * MIB)


@pytest.fixture
def ibat(tmp_path: Path) -> Iterator[Ibat]:
    archive = tmp_path / "release.zip"
    archive.write_bytes(CONTENT)
    with Ibat() as started:
        for name in ("wdpa", "kba"):
            started.publish(name, "May 2023", archive)
        yield started


@pytest.fixture(autouse=True)
def _app(
    ibat: Ibat, blob_connection_string: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    monkeypatch.setattr(source_download, "_FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(ibat_base, "_PAUSES_SECONDS", (0.01, 0.02, 0.04))
    with app_settings(
        AZURE_STORAGE_CONNECTION_STRING=blob_connection_string,
        GEOFORGE_CURATED_CONTAINER="curated-standin",
        GEOFORGE_ALLOWED_HOSTS="127.0.0.1",
        **ibat.settings,
    ):
        yield


@pytest.mark.parametrize("handler", [WdpaHandler(), KbaHandler()], ids=lambda each: each.name)
def test_an_archive_arrives_whatever_happens_on_the_way(ibat: Ibat, handler: IbatHandler) -> None:
    this = run()
    ibat.faults.answer(429, retry_after=1)
    ibat.faults.answer(503)
    remote = handler.check(this)
    assert remote.version == "May 2023"
    told: list[int] = []

    def expire(**figures: Any) -> None:
        if not told:
            ibat.expire_links()
        told.append(figures["bytes_fetched"])

    ibat.faults.truncate(5 * MIB)
    ibat.faults.answer(500)
    ref = handler.fetch(this, remote, store(this, remote.version, progress=expire))
    assert [blob.local for blob in ref.blobs] == ["release.zip"]
    assert blob_storage.read_bytes(ref.container, ref.path) == CONTENT
    assert ibat.leaks == []
    assert ibat.requests[-1].headers["range"] == f"bytes={5 * MIB}-"
    assert told[-1] == len(CONTENT)


def test_an_account_that_is_refused(ibat: Ibat) -> None:
    handler = WdpaHandler()
    settings = {**ibat.settings, "IBAT_AUTH_TOKEN": "wr0ng"}
    with (
        app_settings(GEOFORGE_ALLOWED_HOSTS="127.0.0.1", **settings),
        pytest.raises(PermanentTaskError, match="refused the credentials") as raised,
    ):
        handler.check(run())
    assert raised.value.error_code == "ibat_unauthorized"
    assert "wr0ng" not in str(raised.value.as_record())
    assert ibat.leaks == []
