"""Of several words on one record, as a source that changes while it is read gives them, the last
one counts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from core.errors import PermanentTaskError
from core.models.curated import CuratedDataset
from infrastructure import blob_storage
from infrastructure.database import Connection
from services.curated import assembling
from services.publishing import checks
from tests.support.curated_update import use_handler
from tests.support.increments import (
    deleted,
    names,
    quarantined,
    seen,
    seen_sites,
    staged_tables,
    table_rows,
    update,
)

OLDER = "A newer state of this record came in, too"
SINCE_DELETED = "The source has deleted this record since"


@pytest.fixture
def registered(
    ledger_url: str, blob_connection_string: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Connection, CuratedDataset]]:
    monkeypatch.setattr("services.curated.file_store.tidy", lambda *_args, **_options: 0)
    with seen_sites(ledger_url, blob_connection_string, monkeypatch) as found:
        yield found


@pytest.fixture
def ledger(registered: tuple[Connection, CuratedDataset]) -> Connection:
    return registered[0]


@pytest.fixture
def sites(registered: tuple[Connection, CuratedDataset]) -> CuratedDataset:
    """A dataset of which nothing is published."""
    return registered[1]


def test_the_newest_state_of_a_record_stays(ledger: Connection, sites: CuratedDataset) -> None:
    rows = [
        seen(1, 10, "first"),
        seen(2, 30, "third"),
        seen(1, 20, "second"),
        seen(3),
        seen(2, 10, "first"),
        seen(2, 20, "second"),
    ]
    job = update(ledger, sites, rows)
    result = job.finalize()
    assert (result["read"], result["loaded"], result["quarantined"]) == (6, 3, 3)
    assert names(sites) == {"S1": "second", "S2": "third", "S3": "Site 3"}
    assert quarantined(ledger, job) == [
        ("S1", "superseded", OLDER),
        ("S2", "superseded", OLDER),
        ("S2", "superseded", OLDER),
    ]


def test_a_state_whose_time_is_not_known_is_the_oldest(
    ledger: Connection, sites: CuratedDataset
) -> None:
    rows = [seen(1, None, "unknown"), seen(1, 0, "known"), seen(2, None, "a"), seen(2, None, "b")]
    job = update(ledger, sites, rows)
    assert job.finalize()["loaded"] == 2
    # Of two that are equally new the first one stays.
    assert names(sites) == {"S1": "known", "S2": "a"}
    assert quarantined(ledger, job) == [
        ("S1", "superseded", OLDER),
        ("S2", "bad_value", "An earlier record has the key (site)"),
    ]


def test_the_newest_state_stays_whatever_layer_it_is_in(
    ledger: Connection, sites: CuratedDataset
) -> None:
    layers = [[seen(1, 10), seen(2, 20, "newer")], [seen(1, 20, "newer"), seen(2, 10), seen(3)]]
    result = update(ledger, sites, layers=layers).finalize()
    assert (result["read"], result["loaded"], result["quarantined"]) == (5, 3, 2)
    assert names(sites) == {"S1": "newer", "S2": "newer", "S3": "Site 3"}


def test_without_a_time_the_first_record_of_a_key_stays(
    ledger: Connection, sites: CuratedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_handler(monkeypatch, delivers="increment")
    job = update(ledger, sites, [seen(1, 10, "first"), seen(1, 20, "second")])
    assert job.finalize()["loaded"] == 1
    assert names(sites) == {"S1": "first"}


def test_an_attempt_after_a_crash_sets_nothing_aside_twice(
    ledger: Connection, sites: CuratedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = update(ledger, sites, [seen(1, 10), seen(1, 20, "newer")])
    for crash in ("_largest", "_record"):
        with monkeypatch.context() as patch:
            patch.setattr(assembling, crash, lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                job.finalize()
    result = job.finalize()
    assert (result["read"], result["loaded"], result["quarantined"]) == (2, 1, 1)
    assert names(sites) == {"S1": "newer"}


def test_keys_without_a_value_are_no_states_of_one_record(
    ledger: Connection, sites: CuratedDataset
) -> None:
    nameless = [(None, *seen(number, number)[1:]) for number in (5, 6)]
    job = update(ledger, sites, [*nameless, seen(1, 10), seen(1, 20)])
    result = job.finalize()
    assert (result["read"], result["loaded"], result["quarantined"]) == (4, 1, 3)
    assert [reason for _, reason, _ in quarantined(ledger, job)] == [
        "bad_value",
        "bad_value",
        "superseded",
    ]


def test_of_a_record_and_its_deletion_the_later_counts(
    ledger: Connection, sites: CuratedDataset
) -> None:
    update(ledger, sites, [seen(number) for number in range(6)]).finalize()
    job = update(
        ledger,
        sites,
        [seen(0, 30, "again"), seen(1, 20, "late"), seen(2, 19, "late"), seen(3, None, "late")],
        "v2",
        # The second file says of sites 4 and 0 that they went once more, or earlier.
        deletions=[deleted({0: 20, 1: 20, 2: 20, 3: 20, 4: 15}), deleted({4: 20, 0: 10})],
    )
    result = job.finalize()
    assert result["changes"] == {"added": 0, "updated": 1, "deleted": 4, "unchanged": 0}
    assert (result["read"], result["loaded"], result["quarantined"]) == (4, 1, 3)
    assert names(sites) == {"S0": "again", "S5": "Site 5"}
    assert quarantined(ledger, job) == [
        (key, "superseded", SINCE_DELETED) for key in ("S1", "S2", "S3")
    ]


def test_what_was_superseded_is_no_fault_that_a_gate_counts(
    ledger: Connection, sites: CuratedDataset
) -> None:
    ledger.execute("UPDATE app.curated_datasets SET gates = gates || '{\"invalid_pct\": 20}'")
    rows = [seen(1, 10), seen(1, 20), seen(2, 10), seen(2, 20), seen(3, 10), seen(4)]
    job = update(ledger, sites, rows, deletions=[deleted({3: 20})])
    result = job.finalize()
    assert (result["action"], result["quarantined"]) == ("updated", 3)
    (verdict,) = (gate for gate in result["gates"] if gate["gate"] == "invalid_pct")
    assert verdict["found"] == 0
    assert verdict["message"].startswith("0 of 6 records, 0%, are at fault")


def test_a_record_that_came_again_in_any_layer_is_not_deleted(
    ledger: Connection, sites: CuratedDataset
) -> None:
    update(ledger, sites, [seen(number) for number in range(3)]).finalize()
    layers = [[seen(9, 30)], [seen(0, 30, "again"), seen(8, 30)]]
    files = [deleted({0: 20, 1: 20})]
    result = update(ledger, sites, version="v2", layers=layers, deletions=files).finalize()
    assert result["changes"] == {"added": 2, "updated": 1, "deleted": 1, "unchanged": 0}
    assert names(sites).keys() == {"S0", "S2", "S8", "S9"}


def test_deletions_of_what_is_there_again_leave_no_table(
    ledger: Connection, sites: CuratedDataset
) -> None:
    job = update(ledger, sites, [seen(1, 30)], deletions=[deleted({1: 20}), deleted({})])
    assert job.finalize()["loaded"] == 1
    row = ledger.execute("SELECT deletions FROM app.curated_versions").fetchone()
    assert row == {"deletions": None}
    assert staged_tables(ledger) == 0


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("key,seen\nS1,20\n", "it has no column 'site'"),
        ("site\nS1\n", "it has no column 'seen'"),
        ("", "it has no column 'site'"),
        ("site,seen\nS1,20\n,20\n", "line 3 has no 'site'"),
        ("site,seen\nS1\n", "line 2 has no 'seen'"),
        ("site,seen\nS1,soon\n", 'invalid input syntax for type bigint: "soon"'),
    ],
)
def test_a_list_of_deletions_that_cannot_be_read_changes_nothing(
    ledger: Connection, sites: CuratedDataset, content: str, why: str
) -> None:
    update(ledger, sites, [seen(1)]).finalize()
    before = table_rows(sites)
    job = update(ledger, sites, [seen(2)], "v2", deletions=[content])
    with pytest.raises(PermanentTaskError, match=re.escape(why)) as failure:
        job.finalize()
    assert failure.value.error_code == "deletions_unreadable"
    assert table_rows(sites) == before


def test_a_list_that_was_replaced_since_it_was_fetched_is_not_used(
    ledger: Connection, sites: CuratedDataset
) -> None:
    job = update(ledger, sites, [seen(1)], deletions=[deleted({1: 20})])
    (file,) = job.stages["fetch_data"][1]["files"]
    blob_storage.write_bytes(file["container"], file["blob"], deleted({2: 20}).encode())
    with pytest.raises(PermanentTaskError, match="replaced") as failure:
        job.finalize()
    assert failure.value.error_code == "source_changed"


def test_where_keys_are_distinct_no_row_is_looked_at_for_another(
    ledger: Connection, sites: CuratedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def looked(*_: Any) -> Any:
        raise AssertionError("every row was held against the others")

    monkeypatch.setattr(checks, "_duplicates", looked)
    monkeypatch.setattr(checks, "_bad_keys", looked)
    assert update(ledger, sites, [seen(1), seen(2)]).finalize()["loaded"] == 2
