"""What an operator rolled back or discarded, while days of the source are read again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from core.errors import PermanentTaskError
from core.models.curated import CuratedDataset, CuratedDefinition
from infrastructure import curated_repository
from infrastructure.database import Connection
from services.curated import registry as registration
from services.curated import versions
from tests.support.curated_update import Staged, fails
from tests.support.increments import names, seen, seen_sites, update


@pytest.fixture
def updated(
    ledger_url: str, blob_connection_string: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Connection, CuratedDataset]]:
    """A dataset of which m1 and m2 were published; m2 has renamed site 3."""
    monkeypatch.setattr("services.curated.file_store.tidy", lambda *_args, **_options: 0)
    with seen_sites(ledger_url, blob_connection_string, monkeypatch) as (connection, sites):
        rows = [seen(number) for number in range(20)]
        update(connection, sites, rows, "m1", delivers="snapshot").finalize()
        update(connection, sites, [seen(3, 20, "renamed")], "m2").finalize()
        yield connection, sites


@pytest.fixture
def ledger(updated: tuple[Connection, CuratedDataset]) -> Connection:
    return updated[0]


@pytest.fixture
def sites(updated: tuple[Connection, CuratedDataset]) -> CuratedDataset:
    return updated[1]


def known(connection: Connection) -> tuple[str | None, str | None]:
    """(source_version, rejected_version)."""
    dataset = curated_repository.get(connection, "sites")
    return dataset.source_version, dataset.rejected_version


def backfill(connection: Connection, dataset: CuratedDataset, name: str = "mended") -> Staged:
    """An update with days, in which site 5 has another name: its version is the published one."""
    published = curated_repository.get(connection, "sites").source_version
    assert published is not None
    return update(connection, dataset, [seen(5, 5, name)], published, delivers="increment")


def hold(connection: Connection, job: Staged) -> int:
    """Let a gate stop an update; the number of the version that is held."""
    connection.execute("""UPDATE app.curated_datasets SET gates = gates || '{"min_rows": 1000}'""")
    with pytest.raises(PermanentTaskError) as failure:
        job.finalize()
    assert failure.value.error_code == "gate_failed"
    fails(connection, job, failure.value)
    return int(failure.value.details["version_id"])


def test_days_that_are_read_again_bring_back_nothing_that_was_rolled_back(
    ledger: Connection, sites: CuratedDataset
) -> None:
    versions.roll_back("sites", actor="an operator")
    assert backfill(ledger, sites).finalize()["version"] == 4
    assert (names(sites)["S3"], names(sites)["S5"]) == ("Site 3", "mended")
    assert known(ledger) == ("m1", "m2")
    # An update that moves the mark leaves nothing that it could bring back.
    update(ledger, sites, [seen(3, 20, "renamed")], "m3").finalize()
    assert known(ledger) == ("m3", None)


def test_nor_does_a_rollback_of_those_days(ledger: Connection, sites: CuratedDataset) -> None:
    versions.roll_back("sites", actor="an operator")
    backfill(ledger, sites).finalize()
    done = versions.roll_back("sites", actor="an operator")
    assert (done["source_version"], done["rejected_version"]) == ("m1", "m2")
    assert names(sites)["S5"] == "Site 5"
    # Forth to what was rejected, and back to the days: they are no newer than it.
    assert versions.roll_back("sites", 2, actor="an operator")["rejected_version"] is None
    assert names(sites)["S3"] == "renamed"
    done = versions.roll_back("sites", 4, actor="an operator")
    assert (done["source_version"], done["rejected_version"]) == ("m1", "m2")
    assert names(sites)["S5"] == "mended"


def test_nor_is_it_forgotten_when_the_dataset_is_registered_again(
    ledger: Connection, sites: CuratedDataset
) -> None:
    versions.roll_back("sites", actor="an operator")
    backfill(ledger, sites).finalize()
    definition = sites.model_dump(mode="json", include=set(CuratedDefinition.model_fields))
    registration.delete("sites")
    registration.create({**definition, "handler": "vector_file"})
    assert known(ledger) == ("m1", "m2")


def test_days_that_are_discarded_reject_no_version_of_the_source(
    ledger: Connection, sites: CuratedDataset
) -> None:
    versions.discard("sites", hold(ledger, backfill(ledger, sites)))
    assert known(ledger) == ("m2", None)
    versions.roll_back("sites", actor="an operator")
    versions.discard("sites", hold(ledger, backfill(ledger, sites)))
    assert known(ledger) == ("m1", "m2")


def test_the_published_version_can_be_rejected_as_another_definition_reads_it(
    ledger: Connection, sites: CuratedDataset
) -> None:
    """A source that gives all that it has has one version, whoever reads it."""
    again = [seen(number, name="misread") for number in range(20)]
    job = update(ledger, sites, again, "m2", delivers="snapshot")
    versions.discard("sites", hold(ledger, job))
    assert known(ledger) == ("m2", "m2")
    # Somebody insists.
    ledger.execute("""UPDATE app.curated_datasets SET gates = gates || '{"min_rows": 0}'""")
    update(ledger, sites, again, "m2", delivers="snapshot").finalize()
    assert known(ledger) == ("m2", None)
