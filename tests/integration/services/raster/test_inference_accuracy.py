"""Real rasters of many sources: how often the inference is right, and whether its word holds."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.inference import Label, read_labels
from infrastructure.file_cache import Entry
from infrastructure.sandbox import Sandbox
from services.raster import children, sources, surveying
from services.raster.model import Inference
from services.raster.parameters import RasterOptions
from services.vector.source_files import LocalSource
from tests.support.settings import app_settings

_CHECKOUT = Path(__file__).parents[4]
_DATA = Path(os.environ.get("GEOFORGE_DATA", _CHECKOUT.parent / "shared" / "data"))

pytestmark = pytest.mark.skipif(
    not _DATA.is_dir(), reason=f"no sample data at {_DATA} (GEOFORGE_DATA)"
)


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[tuple[Label, Inference]]]:
    """What is said of each labelled raster under its own name, and under one that tells nothing."""
    folder = tmp_path_factory.mktemp("rasters")
    with app_settings(), children.brief_child(_source(folder), 600) as child:
        yield [
            (label, _infer(child, folder / f"{number}{named}", label, named=named))
            for number, label in enumerate(read_labels(_DATA / "MANIFEST.tsv"))
            for named in (True, False)
        ]


def _infer(child: Sandbox, place: Path, label: Label, *, named: bool) -> Inference:
    place.mkdir()
    original = _DATA / label.path
    copy = Path(shutil.copy(original, place))
    raster = sources.raster_path(_source(place, copy), child, None)
    name = original.name if named else f"raster{original.suffix}"
    return surveying.survey(child, raster, name, RasterOptions(), None).inference


def _source(folder: Path, *files: Path) -> LocalSource:
    return LocalSource(folder, list(files), Entry(folder), lambda: None)


def test_nineteen_of_twenty_are_right(answers: list[tuple[Label, Inference]]) -> None:
    assert len(answers) >= 2 * 50
    for kind, inferences in (("named", answers[::2]), ("unnamed", answers[1::2])):
        wrong = [
            (label.path, str(label.expected), str(found.type), round(found.confidence, 2))
            for label, found in inferences
            if found.type is not label.expected
        ]
        assert len(wrong) <= 0.05 * len(inferences), (kind, wrong)


def test_what_is_said_with_confidence_holds(answers: list[tuple[Label, Inference]]) -> None:
    sure = [(label, found) for label, found in answers if found.confidence >= 0.9]
    right = sum(found.type is label.expected for label, found in sure)
    assert len(sure) > len(answers) / 3
    assert right >= 0.9 * len(sure)
