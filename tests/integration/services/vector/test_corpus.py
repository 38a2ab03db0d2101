"""Every vector file of the sample data: what is read, loaded, quarantined and repaired.

`tests/data/vector_corpus.tsv` says what must become of each, down to the reasons and repairs. The
parsers run in a sandboxed child, as in a job; a crash of one raises here.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import shapely

from tests.support.vector_corpus import Corpus, expected, sources

_CHECKOUT = Path(__file__).parents[4]
_DATA = Path(os.environ.get("GEOFORGE_DATA", _CHECKOUT.parent / "shared" / "data"))
_EXPECTED = expected(_CHECKOUT / "tests" / "data" / "vector_corpus.tsv")
_SOURCES = sources(_DATA) if _DATA.is_dir() else []
_VALID = [path for path in _SOURCES if "__valid_" in path]

pytestmark = pytest.mark.skipif(
    not _DATA.is_dir(), reason=f"no sample data at {_DATA} (GEOFORGE_DATA)"
)


@pytest.fixture(scope="module")
def corpus() -> Iterator[Corpus]:
    """One child for all files: the next call starts another one if it dies."""
    with Corpus.of(_DATA) as corpus:
        yield corpus


@pytest.mark.parametrize("path", _SOURCES)
def test_what_becomes_of_a_file(corpus: Corpus, path: str) -> None:
    wanted = _EXPECTED[path]

    outcome = corpus.take(path).outcome

    assert wanted.message in outcome.message
    assert dataclasses.replace(outcome, message=wanted.message) == wanted


def test_the_table_names_the_files_that_there_are() -> None:
    assert sorted(_EXPECTED) == _SOURCES


@pytest.mark.parametrize("path", _VALID)
def test_a_valid_file_loads_unchanged(corpus: Corpus, path: str) -> None:
    document = json.loads((_DATA / path).read_text())
    features = document.get("features", [document])

    loaded = corpus.take(path)

    assert (loaded.outcome.loaded, loaded.outcome.repairs) == (len(features), {})
    for row, feature in enumerate(features, start=1):
        geometry = feature.get("geometry") if feature["type"] == "Feature" else feature
        source = [] if geometry is None else _simple(shapely.geometry.shape(geometry))
        ours = [part for each in loaded.geometries.get(row, []) for part in _simple(each)]
        # Equal in every coordinate and in the direction of each ring; only which table a part
        # of a collection is in, and with it their order, is ours to say.
        assert sorted(shapely.to_wkt(ours, -1)) == sorted(shapely.to_wkt(source, -1))


def test_some_valid_files_are_among_them() -> None:
    assert len(_VALID) == 6


def _simple(geometry: shapely.Geometry) -> list[shapely.Geometry]:
    """The parts of a geometry that have no parts themselves."""
    parts = [geometry]
    while any(hasattr(part, "geoms") for part in parts):
        parts = list(shapely.get_parts(parts))
    return parts
