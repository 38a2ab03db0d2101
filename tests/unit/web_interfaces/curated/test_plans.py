"""What an update would change, as the page lists it."""

from __future__ import annotations

from typing import Any

from web_interfaces.curated.plans import last_dry_run, samples


def entry(status: str, *, dry_run: bool = False) -> dict[str, Any]:
    return {"status": status, "dry_run": dry_run}


class TestLastDryRun:
    def test_is_found_behind_attempts_that_changed_nothing(self) -> None:
        wanted = entry("completed", dry_run=True)
        history = [entry("failed"), entry("skipped"), wanted, entry("completed")]
        assert last_dry_run(history) is wanted

    def test_is_out_of_date_after_a_publication(self) -> None:
        assert last_dry_run([entry("completed"), entry("completed", dry_run=True)]) is None

    def test_one_that_failed_says_nothing(self) -> None:
        assert last_dry_run([entry("failed", dry_run=True)]) is None


class TestSamples:
    def test_name_rows_by_their_key_and_what_differs(self) -> None:
        changes = {
            "added": 0,
            "updated": 1,
            "deleted": 30,
            "added_sample": [],
            "updated_sample": [{"key": {"a": 1, "b": "x"}, "columns": ["name", "geom"]}],
            "deleted_sample": [{"key": {"a": 2}}],
        }
        updated, deleted = samples(changes)
        assert (updated.title, updated.rows, updated.is_whole) == (
            "Changed",
            ("a 1, b x: name, geom",),
            True,
        )
        assert (deleted.count, deleted.rows, deleted.is_whole) == (30, ("a 2",), False)
