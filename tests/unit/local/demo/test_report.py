"""The lines that the demo shows."""

from __future__ import annotations

from typing import Any

from local.demo.report import progress, result_lines, standing, table


def job(**stage: Any) -> dict[str, Any]:
    shown = {
        "index": 1,
        "name": "copy",
        "status": "running",
        "tasks_total": 28,
        "tasks_completed": 14,
        "tasks_failed": 0,
        **stage,
    }
    return {
        "status": "running",
        "stage": 1,
        "total_stages": 5,
        "stages": [shown],
        "rates": {"tasks_per_minute": 840.4},
    }


def test_a_line_of_progress() -> None:
    line = progress(job(), 12.34)
    assert line.split() == ["12.3", "s", "running", "2/5", "copy", "14/28", "840", "tasks/min"]
    assert "3 failed" in progress(job(tasks_failed=3), 0)
    assert progress({**job(status="completed"), "status": "completed"}, 1).endswith("completed")


def test_only_counts_and_states_are_news() -> None:
    assert standing(job()) == standing({**job(), "rates": {"tasks_per_minute": 1}})
    assert standing(job()) != standing(job(tasks_completed=15))
    assert standing(job()) != standing({**job(), "status": "cancelled"})


def test_a_result() -> None:
    result = {
        "message": "Registered 12 items.",
        "items_read": 12,
        "quarantined": [{"id": "a"}],
        "assets": {"copied": 5, "names": ["x"], "all_valid": True},
        "links": {"items": "/items"},
        "changed": True,
    }
    assert result_lines(result) == [
        "  Registered 12 items.",
        "  items read   12",
        "  quarantined  1",
        "  assets       5 copied",
        "  changed      yes",
    ]
    assert result_lines(None) == []
    assert result_lines("done") == ["  done"]


def test_a_table_is_cut_and_says_so() -> None:
    items = [{"id": f"item-{n}", "bbox": [0, 1, 2, 3.14159], "assets": {"a": {}}} for n in range(4)]
    lines = table(items, limit=3)
    assert lines[1].split() == ["item-0", "1", "0.000,", "1.000,", "2.000,", "3.142"]
    assert lines[-2:] == ["  ... and 1 more", "  4 items, 4 assets"]
