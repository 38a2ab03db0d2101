"""The benchmark of the inference asks the product itself, of the rasters that count."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp

from benchmarks import inference
from benchmarks.errors import BenchmarkError
from tests.support.settings import app_settings

_HEAD = "path\texpected_type\talso_ok\tscored\n"


@pytest.fixture(autouse=True)
def _settings() -> Iterator[None]:
    with app_settings():
        yield


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A picture, one that is cut off, and a raster that does not count."""
    folder = tmp_path / "data"
    folder.mkdir()
    scene = np.random.default_rng(6).integers(40, 90, (3, 64, 64)).astype("uint8")
    with rasterio.open(
        folder / "scene.tif",
        "w",
        driver="GTiff",
        width=64,
        height=64,
        count=3,
        dtype="uint8",
        crs="EPSG:32633",
        transform=rasterio.Affine(10, 0, 500_000, 0, -10, 5_000_000),
    ) as dataset:
        dataset.write(scene)
        dataset.colorinterp = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
    (folder / "cut.tif").write_bytes((folder / "scene.tif").read_bytes()[:200])
    (folder / "MANIFEST.tsv").write_text(
        _HEAD + "scene.tif\trgb\tmultispectral|nir\tyes\ncut.tif\tdem\t\tyes\nnone.tif\trgb\t\tno\n"
    )
    return folder


def test_labels_are_those_of_the_rasters_that_count(data: Path) -> None:
    scene, cut = inference.read_labels(data / "MANIFEST.tsv")
    assert (scene.path, scene.expected) == ("scene.tif", "rgb")
    assert scene.accepted == {"multispectral", "nir"}
    assert cut.accepted == frozenset()


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ("path\texpected_type\tscored\na.tif\tdem\tyes\n", "no column 'also_ok'"),
        (_HEAD + "a.tif\televation\t\tyes\n", "'elevation' is not a valid RasterType"),
        (_HEAD + "a.tif\tdem\t\tno\n", "no raster that counts"),
    ],
)
def test_a_table_that_says_nothing_is_refused(tmp_path: Path, table: str, reason: str) -> None:
    file = tmp_path / "labels.tsv"
    file.write_text(table)
    with pytest.raises(BenchmarkError, match=reason):
        inference.read_labels(file)


def test_each_raster_is_surveyed_in_a_child_and_a_refusal_is_an_answer(data: Path) -> None:
    labels = inference.read_labels(data / "MANIFEST.tsv")
    answers, surveys = inference.measure(data, labels, print)
    scene, cut = answers
    assert (scene.said, scene.right) == ("rgb", True)
    assert 0 < scene.likelihood == scene.confidence <= 1
    assert cut.said is None
    assert "cut.tif" in cut.refusal
    assert list(surveys) == ["scene.tif"]
    assert surveys["scene.tif"]["facts"]["width"] == 64


def test_the_program_prints_figures_and_writes_the_surveys(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "surveys.json"
    assert inference.main(["--data", str(data), "--json", str(file)]) == 0
    assert "2 rasters: 50.0% right" in capsys.readouterr().out
    assert list(json.loads(file.read_text())) == ["scene.tif"]


def test_a_raster_that_is_missing_is_named(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = tmp_path / "labels.tsv"
    labels.write_text(_HEAD + "none.tif\trgb\t\tyes\n")
    assert inference.main(["--data", str(data), "--labels", str(labels)]) == 2
    assert "none.tif is not there" in capsys.readouterr().err
