"""The loader of named queries."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from infrastructure import queries


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package whose sql/ is this folder."""
    (tmp_path / "sql").mkdir()
    monkeypatch.setattr(queries.resources, "files", lambda _: tmp_path)
    queries.load.cache_clear()
    yield tmp_path / "sql"
    queries.load.cache_clear()


def test_queries_are_found_by_name_without_their_comments(folder: Path) -> None:
    (folder / "trees.sql").write_text(
        "-- About trees, 100% of them.\n\n"
        "-- name: all\n-- Every tree, of 100%.\nSELECT *\n  -- and why not\nFROM trees;\n\n"
        "-- name: one\nSELECT %(tree)s;\n"
    )
    assert dict(queries.load("trees")) == {
        "all": "SELECT *\nFROM trees;",
        "one": "SELECT %(tree)s;",
    }


def test_two_queries_of_one_name_are_refused(folder: Path) -> None:
    (folder / "trees.sql").write_text("-- name: a\nSELECT 1;\n-- name: a\nSELECT 2;\n")
    with pytest.raises(ValueError, match="two queries named 'a'"):
        queries.load("trees")


def test_a_query_that_is_not_there_is_an_error(folder: Path) -> None:
    (folder / "trees.sql").write_text("-- name: a\nSELECT 1;\n")
    with pytest.raises(KeyError, match="b"):
        queries.load("trees")["b"]
    with pytest.raises(FileNotFoundError):
        queries.load("stones")


def test_queries_cannot_be_changed(folder: Path) -> None:
    (folder / "trees.sql").write_text("-- name: a\nSELECT 1;\n")
    with pytest.raises(TypeError):
        queries.load("trees")["a"] = "DROP"  # type: ignore[index]


@pytest.mark.parametrize(
    "file", sorted(p.stem for p in (Path(queries.__file__).parent / "sql").glob("*.sql"))
)
def test_every_file_loads_and_every_header_counts(file: str) -> None:
    queries.load.cache_clear()
    text = (Path(queries.__file__).parent / "sql" / f"{file}.sql").read_text()
    loaded = queries.load(file)
    assert len(loaded) == sum(line.startswith("-- name:") for line in text.splitlines())
    assert all(loaded.values())
