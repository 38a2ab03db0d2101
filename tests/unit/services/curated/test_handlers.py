"""Which handler a dataset has."""

from __future__ import annotations

import pytest

from core.errors import Conflict
from services.curated import handlers


def test_each_handler_is_found_by_its_own_name() -> None:
    names = [handler.name for handler in handlers.known()]
    assert names == sorted(set(names))
    assert {"kba", "vector_file", "wdpa"} <= set(names)
    assert all(handlers.get(name).name == name for name in names)


def test_an_unknown_one_is_refused_and_the_known_ones_are_named() -> None:
    assert handlers.find("crystal_ball") is None
    with pytest.raises(Conflict, match=r"no handler 'crystal_ball'.*kba,.* vector_file") as refused:
        handlers.get("crystal_ball")
    assert refused.value.error_code == "handler_missing"
    assert "wdpa" in refused.value.details["known_handlers"]


@pytest.mark.parametrize(
    ("dataset_id", "wanted", "name"),
    [
        ("wdpa", None, "wdpa"),
        ("lakes", None, "vector_file"),
        ("lakes", "wdpa", "wdpa"),
        ("wdpa", "vector_file", "vector_file"),
        ("acled", "acled", "acled"),
    ],
)
def test_a_dataset_has_the_one_it_wants_or_the_one_of_its_name(
    dataset_id: str, wanted: str | None, name: str
) -> None:
    assert handlers.resolve(dataset_id, wanted) == name
