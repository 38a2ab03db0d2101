"""Which layer answers a request, and what of it is read."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from core.errors import InvalidParameters, NotFound
from infrastructure.h3_repository import Dataset, Layer
from services.h3.choosing import MOST_STATISTICS, choose

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def layer(resolution: int, *statistics: str, band: int = 1) -> Layer:
    return Layer(
        resolution=resolution,
        band=band,
        weighting="exact",
        cells=10,
        bounds=(0.0, 0.0, 1.0, 1.0),
        statistics=dict.fromkeys(statistics, (0.0, 1.0)),
        job_id="0" * 64,
        updated_at=NOW,
    )


def dataset(*layers: Layer) -> Dataset:
    return Dataset(
        dataset_id="heights",
        theme="heights",
        title=None,
        unit=None,
        source={},
        is_restricted=False,
        created_at=NOW,
        updated_at=NOW,
        layers=layers,
    )


HEIGHTS = dataset(
    layer(4, "mean", "median"), layer(7, "mean", "max", "stdev"), layer(9, "mean", "sum", "max")
)


@pytest.mark.parametrize(
    ("resolution", "statistic", "read_from"),
    [
        (None, "mean", 9),
        (9, "mean", 9),
        (8, "mean", 9),
        (7, "mean", 7),
        (5, "max", 7),
        (4, "median", 4),
        # The layer of the resolution lacks it, and then that of the next.
        (4, "max", 7),
        (4, "sum", 9),
        (2, "stdev", 7),
    ],
)
def test_it_is_the_coarsest_layer_that_has_what_it_takes(
    resolution: int | None, statistic: str, read_from: int
) -> None:
    choice = choose(HEIGHTS, resolution, None, [statistic])
    assert choice.layer.resolution == read_from
    assert choice.resolution == (resolution or 9)
    assert choice.is_rolled_up == (choice.resolution != read_from)


def test_a_deviation_is_rolled_up_with_the_mean() -> None:
    assert choose(HEIGHTS, 7, None, ["stdev"]).read == ("stdev",)
    assert choose(HEIGHTS, 5, None, ["stdev"]).read == ("stdev", "mean")


def test_without_statistics_it_is_the_usual_one() -> None:
    assert choose(HEIGHTS, None, None, None).statistics == ("mean",)
    classes = dataset(layer(5, "count", "fraction_1", "majority"))
    assert choose(classes, None, None, None).statistics == ("majority",)
    # Which cannot be rolled up.
    assert choose(classes, 3, None, None).statistics == ("count",)
    assert choose(dataset(layer(5, "p5")), None, None, None).statistics == ("p5",)


def test_all_are_those_that_can_be_had() -> None:
    assert choose(HEIGHTS, 4, None, ["all"]).statistics == ("mean", "median")
    assert choose(HEIGHTS, 3, None, ["all"]).statistics == ("mean",)


def test_a_share_is_read_with_what_every_cell_has() -> None:
    classes = dataset(layer(5, "count", "fraction_1", "fraction_2"))
    assert choose(classes, None, None, ["fraction_1"]).read == ("fraction_1", "count")
    alone = dataset(layer(5, "fraction_1", "fraction_2"))
    assert choose(alone, None, None, ["fraction_2"]).read == ("fraction_2", "fraction_1")


def test_the_first_band_is_the_usual_one() -> None:
    bands = dataset(layer(5, "mean", band=4), layer(6, "mean", band=2))
    assert choose(bands, None, None, None).layer.band == 2
    assert choose(bands, None, 4, None).layer.resolution == 5
    with pytest.raises(InvalidParameters, match="2, 4"):
        choose(bands, None, 3, None)


def test_what_cannot_be_had_is_refused_with_what_can() -> None:
    with pytest.raises(InvalidParameters, match="band 1, which is 4, 7, 9"):
        choose(HEIGHTS, 10, None, None)
    with pytest.raises(InvalidParameters, match="cannot be rolled up from resolution 4 to 3"):
        choose(HEIGHTS, 3, None, ["median"])
    with pytest.raises(InvalidParameters, match="names p95; the dataset has mean, sum, max"):
        choose(HEIGHTS, 9, None, ["p95"])
    with pytest.raises(InvalidParameters, match="no other can either"):
        choose(dataset(layer(5, "median")), 3, None, None)
    with pytest.raises(NotFound):
        choose(dataset(), None, None, None)


def test_the_statistics_of_one_answer_are_bounded() -> None:
    classes = [f"fraction_{each}" for each in range(MOST_STATISTICS + 1)]
    with pytest.raises(InvalidParameters, match="name some"):
        choose(dataset(layer(5, *classes)), None, None, ["all"])
    assert len(choose(dataset(layer(5, *classes)), None, None, classes[:-1]).statistics) == 100
