"""An update that is not published at its end, or not at once: gates, other updates, crashes."""

from __future__ import annotations

from typing import Any

import pytest

from core.errors import PermanentTaskError, TransientTaskError
from core.models.curated import CuratedDataset
from core.models.feature_table import ColumnType
from infrastructure.database import Connection
from services.curated import assembling, finalizing, holding, publication
from tests.support.curated_sites import (
    SEVERAL,
    let_pass,
    log_of,
    published_version,
    registered_sites,
    tables_in,
    versions,
)
from tests.support.curated_update import contents, fails, publish_beside, site, staged


@pytest.fixture
def sites(ledger: Connection, monkeypatch: pytest.MonkeyPatch) -> CuratedDataset:
    return registered_sites(ledger, monkeypatch)


def test_a_dry_run_whose_rows_others_discarded_says_so(
    ledger: Connection, sites: CuratedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = staged(ledger, sites, SEVERAL, dry_run=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finalizing, "_reviewed", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            job.finalize()
    fails(ledger, job, PermanentTaskError("It was cancelled.", code="cancelled"))
    staged(ledger, sites, SEVERAL).finalize()
    with pytest.raises(PermanentTaskError) as failure:
        job.finalize()
    assert failure.value.error_code == "superseded"


def test_a_gate_holds_a_version_and_nothing_else_changes(
    ledger: Connection, sites: CuratedDataset
) -> None:
    staged(ledger, sites, SEVERAL).finalize()
    before = contents(sites)
    job = staged(ledger, sites, SEVERAL[:10], "v2")
    with pytest.raises(PermanentTaskError, match="row_count_change_pct") as failure:
        job.finalize()
    assert failure.value.error_code == "gate_failed"
    assert [gate["gate"] for gate in failure.value.details["gates"]] == [
        "row_count_change_pct",
        "extent_change_pct",
    ]
    assert contents(sites) == before
    assert versions(ledger) == [("published", 1, False), ("held", None, True)]
    found = log_of(ledger, job)["details"]
    assert [gate for gate in found["gates"] if not gate["passed"]] == failure.value.details["gates"]
    assert found["changes"]["deleted"] == 10
    holding.sweep()
    assert len(tables_in(ledger, "geo_staging")) == 1

    # An operator widens the gates and resumes the job.
    let_pass(ledger, row_count_change_pct=60, extent_change_pct=None)
    assert job.finalize()["version"] == 2
    assert len(contents(sites)) == 10


def test_the_next_version_that_passes_discards_the_one_that_is_held(
    ledger: Connection, sites: CuratedDataset
) -> None:
    staged(ledger, sites, SEVERAL).finalize()
    held = staged(ledger, sites, [], "v2")
    with pytest.raises(PermanentTaskError) as failure:
        held.finalize()
    fails(ledger, held, failure.value)
    staged(ledger, sites, [*SEVERAL, site(20)], "v3").finalize()
    assert versions(ledger) == [
        ("published", 1, False),
        ("discarded", None, False),
        ("published", 2, False),
    ]
    assert tables_in(ledger, "geo_staging") == []
    with pytest.raises(PermanentTaskError, match="discarded") as failure:
        held.finalize()
    assert failure.value.error_code == "superseded"


def test_columns_that_are_gone_or_have_another_type_hold_a_version(
    ledger: Connection, sites: CuratedDataset
) -> None:
    types = {"SITE": ColumnType.TEXT, "AREA": ColumnType.REAL, "NAME": ColumnType.TEXT}
    staged(ledger, sites, SEVERAL, source_columns=types).finalize()
    types = {"SITE": ColumnType.INTEGER, "AREA": ColumnType.REAL, "EXTRA": ColumnType.TEXT}
    job = staged(ledger, sites, SEVERAL, "v2", source_columns=types)
    with pytest.raises(PermanentTaskError) as failure:
        job.finalize()
    (verdict,) = failure.value.details["gates"]
    assert verdict["gate"] == "schema_drift"
    assert verdict["found"] == {
        "missing": {"NAME": "text"},
        "new": {"EXTRA": "text"},
        "retyped": {"SITE": "text -> bigint"},
    }


def test_what_was_prepared_for_another_version_is_not_published(
    ledger: Connection, sites: CuratedDataset
) -> None:
    staged(ledger, sites, SEVERAL).finalize()
    late = staged(ledger, sites, [*SEVERAL, site(20)], "v2")
    publish_beside(ledger, sites, SEVERAL[:3])
    with pytest.raises(PermanentTaskError, match="came between") as failure:
        late.finalize()
    assert failure.value.error_code == "superseded"
    assert tables_in(ledger, "geo_staging") == []
    assert versions(ledger)[-1] == ("discarded", None, False)
    assert published_version(ledger) == 2


def test_what_is_published_between_review_and_publication_stays(
    ledger: Connection, sites: CuratedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    staged(ledger, sites, SEVERAL).finalize()
    late = staged(ledger, sites, [*SEVERAL, site(20)], "v2")
    review = finalizing._reviewed

    def overtaken(*args: Any) -> Any:
        found = review(*args)
        publish_beside(ledger, sites, SEVERAL[:3])
        return found

    monkeypatch.setattr(finalizing, "_reviewed", overtaken)
    with pytest.raises(PermanentTaskError) as failure:
        late.finalize()
    assert failure.value.error_code == "superseded"
    assert published_version(ledger) == 2


@pytest.mark.parametrize("crash", ["assembled", "reviewed", "published"])
def test_an_attempt_after_a_crash_goes_on_behind_what_was_committed(
    ledger: Connection, sites: CuratedDataset, monkeypatch: pytest.MonkeyPatch, crash: str
) -> None:
    staged(ledger, sites, SEVERAL).finalize()
    job = staged(
        ledger, sites, source_version="v2", layers=[SEVERAL[:12], [site(20), *SEVERAL[12:]]]
    )

    class Killed(BaseException):
        pass

    def die(*_args: Any, **_options: Any) -> None:
        raise Killed

    with pytest.MonkeyPatch.context() as patch:
        if crash == "assembled":
            patch.setattr(finalizing, "_reviewed", die)
        elif crash == "reviewed":
            # With everything written, and not committed.
            patch.setattr(publication.seeding, "seed", die)
        else:
            patch.setattr(holding, "tidy", die)
        with pytest.raises(Killed):
            job.finalize()
    assert len(contents(sites)) == (21 if crash == "published" else 20)
    result = job.finalize()
    assert result["version"] == 2
    assert result["changes"] == {"added": 1, "updated": 0, "deleted": 0, "unchanged": 20}
    assert len(contents(sites)) == 21
    assert job.finalize() == result
    assert log_of(ledger, job)["published_version"] == 2
    holding.sweep()
    assert tables_in(ledger, "geo_staging") == []


def test_a_crash_while_rows_are_put_together_changes_nothing(
    ledger: Connection, sites: CuratedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_pass(ledger, invalid_pct=None)
    job = staged(ledger, sites, layers=[SEVERAL[:12], SEVERAL[10:]])
    before = tables_in(ledger, "geo_staging")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assembling, "_record", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            job.finalize()
    assert tables_in(ledger, "geo_staging") == before
    assert versions(ledger) == []
    result = job.finalize()
    assert (result["rows"], result["quarantined"]) == (20, 2)


def test_rows_that_are_edited_between_review_and_publication_are_counted_anew(
    ledger: Connection, sites: CuratedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.execute("UPDATE app.curated_datasets SET update_strategy = 'upsert'")
    staged(ledger, sites, SEVERAL).finalize()
    job = staged(ledger, sites, [*SEVERAL, site(20)], "v2")
    review = finalizing._reviewed

    def edited(*args: Any) -> Any:
        found = review(*args)
        ledger.execute("UPDATE geo.curated_sites SET name = 'by hand' WHERE site = 'S1'")
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finalizing, "_reviewed", edited)
        with pytest.raises(TransientTaskError, match="edited"):
            job.finalize()
    assert len(contents(sites)) == 20
    result = job.finalize()
    assert result["changes"] == {"added": 1, "updated": 1, "deleted": 0, "unchanged": 19}


def test_an_update_whose_log_has_ended_publishes_nothing(
    ledger: Connection, sites: CuratedDataset
) -> None:
    job = staged(ledger, sites, SEVERAL)
    fails(ledger, job, PermanentTaskError("It was cancelled.", code="cancelled"))
    with pytest.raises(PermanentTaskError) as failure:
        job.finalize()
    assert failure.value.error_code == "update_ended"
    assert tables_in(ledger, "geo") == ["feature_collection_styles"]
