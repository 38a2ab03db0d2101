"""Maps that not everyone may see, from their tiles to what is made of them."""

from __future__ import annotations

import pytest

from core.errors import Forbidden
from services.access import Caller
from services.raster import catalog
from services.raster.rendering import published
from services.raster.rendering.published import RESTRICTED
from tests.support import fathom_job
from tests.support.fathom_job import merge, put, stack

pytestmark = pytest.mark.usefixtures("app")

STACK = "fathom_n04w006_fluvial-defended_2020"
MERGED = "fathom_n00-n05_w010-w005_fluvial-defended_2020"


def is_restricted(collection_id: str, item_id: str) -> bool:
    return bool(fathom_job.item(collection_id, item_id)["properties"].get(RESTRICTED))


def is_collection_restricted(collection_id: str) -> bool:
    collection = catalog.stored_collection(collection_id)
    assert collection is not None
    return bool(collection.get(RESTRICTED))


def test_items_and_a_collection_of_nothing_else() -> None:
    put("licensed", "n04w006")
    stack("licensed", restricted=True)
    assert is_restricted("licensed-stacks", STACK)
    assert is_collection_restricted("licensed-stacks")
    with pytest.raises(Forbidden):
        published.find("licensed-stacks", STACK, caller=Caller())


def test_a_collection_with_others_is_not() -> None:
    put("mixed", "n04w007")
    stack("mixed")
    put("mixed", "n04w006")
    stack("mixed", restricted=True, bbox=(-6, 4, -5, 5))
    assert is_restricted("mixed-stacks", STACK)
    assert not is_collection_restricted("mixed-stacks")
    assert not is_restricted("mixed-stacks", STACK.replace("w006", "w007"))


def test_what_is_restricted_stays_so_when_it_is_made_anew() -> None:
    put("stays", "n04w006")
    stack("stays", restricted=True)
    assert stack("stays")["skipped"] == 1
    put("stays", "n04w006", seed=2)
    assert stack("stays")["made"] == 1
    assert is_restricted("stays-stacks", STACK)


def test_restricting_the_stacks_restricts_what_was_merged_of_them() -> None:
    put("late", "n04w006", "n04w007")
    stack("late")
    merge("late")
    assert not is_restricted("late-merged", MERGED)
    stack("late", restricted=True)
    assert merge("late")["made"] == 1
    assert is_restricted("late-merged", MERGED)
    assert is_collection_restricted("late-merged")
    assert merge("late")["skipped"] == 1


def test_a_merge_may_be_restricted_alone() -> None:
    put("alone", "n04w006")
    stack("alone")
    merge("alone", restricted=True)
    assert is_restricted("alone-merged", MERGED)
    assert not is_restricted("alone-stacks", STACK)
