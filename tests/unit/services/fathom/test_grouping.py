"""Files as stacks: what belongs together, what is missing, and what cannot be told apart."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from infrastructure.blob_lookup import BlobVersion
from local.demo import fathom_tiles
from services.fathom.grouping import Counts, Grouping, StackFile, StackGroup
from services.fathom.names import RETURN_PERIODS, FathomMap
from services.fathom.tiles import Tile

TILE = Tile.of("n04w006")
MAP = FathomMap(flood_type="fluvial", defence="defended", year=2020)
FUTURE = FathomMap(flood_type="fluvial", defence="defended", year=2050, ssp="ssp2_4.5")


def blob(path: str, etag: str = "0x1", size: int = 7) -> BlobVersion:
    return BlobVersion(container="bronze-fathom", path=path, size=size, etag=etag)


def flat(
    of: FathomMap = MAP, tile: Tile = TILE, years: Iterable[int] = RETURN_PERIODS
) -> list[str]:
    return [fathom_tiles.path_of(of, each, tile, "flat") for each in years]


def grouping(paths: Iterable[str]) -> Grouping:
    made = Grouping()
    for number, path in enumerate(paths):
        made.add(blob(path, etag=f"0x{number}"))
    return made


def adds_up(counts: Counts) -> bool:
    parts: dict[str, int] = counts.model_dump()
    return parts.pop("listed") == sum(parts.values())


class TestStacks:
    def test_one_for_each_map_and_tile(self) -> None:
        other = Tile.of("n05w006")
        made = grouping([*flat(FUTURE), *flat(MAP, other), *flat(MAP)])
        assert [stack.item_id for stack in made.stacks()] == [
            "fathom_n04w006_fluvial-defended_2020",
            "fathom_n04w006_fluvial-defended_2050_ssp2-4.5",
            "fathom_n05w006_fluvial-defended_2020",
        ]
        assert made.counts() == Counts(
            listed=24, grouped=24, duplicates=0, unparsed=0, other=0, deselected=0
        )

    def test_files_are_in_the_order_of_their_return_periods(self) -> None:
        (stack,) = grouping(sorted(flat(), reverse=True)).stacks()
        assert tuple(stack.files) == RETURN_PERIODS
        assert stack.missing == ()
        assert stack.size == 56

    def test_each_file_is_a_version(self) -> None:
        made = Grouping()
        path = "with spaces/1in20-FLUVIAL-DEFENDED-2020_n04w006.tif"
        made.add(blob(path, etag="0x8DD", size=12))
        (stack,) = made.stacks()
        assert stack.files == {20: StackFile(path=path, etag="0x8DD", size=12)}

    def test_a_missing_return_period_is_named(self) -> None:
        (stack,) = grouping(flat(years=(10, 100, 1000))).stacks()
        assert stack.missing == (5, 20, 50, 200, 500)

    def test_versions_and_percentiles_are_stacks_of_their_own(self) -> None:
        variants = [
            MAP.model_copy(update=update)
            for update in ({"version": "3.0"}, {"version": "3.1"},
                           {"version": "3.1", "percentile": 95},
                           {"version": "3.1", "resolution": "3arcsec"})
        ]  # fmt: skip
        paths = [
            fathom_tiles.path_of(of, years, TILE) for of in variants for years in RETURN_PERIODS
        ]
        made = grouping([*paths, *flat()])
        stacks = list(made.stacks())
        assert len({stack.item_id for stack in stacks}) == len(stacks) == 5
        assert not list(made.problems())

    def test_survives_json(self) -> None:
        (stack,) = grouping(flat()).stacks()
        again = StackGroup.model_validate_json(stack.model_dump_json())
        assert again == stack
        assert list(again.files) == list(stack.files)


class TestDuplicates:
    def test_refuse_the_stack_and_name_both_files(self) -> None:
        twice = f"copy/{flat()[3]}"
        made = grouping([*flat(), twice, *flat(FUTURE)])
        assert [stack.map for stack in made.stacks()] == [FUTURE]
        (problem,) = made.problems()
        assert problem.code == "duplicate_return_period"
        assert problem.item_id == "fathom_n04w006_fluvial-defended_2020"
        assert problem.paths == (flat()[3], twice)
        assert f"1in50: {flat()[3]}, {twice}" in problem.message
        assert made.counts() == Counts(
            listed=17, grouped=8, duplicates=9, unparsed=0, other=0, deselected=0
        )

    def test_the_same_content_is_one_as_well(self) -> None:
        made = Grouping()
        for folder in ("a", "b"):
            made.add(blob(f"{folder}/{flat()[0]}", etag="0x1"))
        assert not list(made.stacks())
        assert [len(problem.paths) for problem in made.problems()] == [2]

    def test_both_forms_of_one_version(self) -> None:
        folder = "1in5-FLUVIAL-DEFENDED-2020/n04w006.tif"
        (problem,) = grouping([folder, flat()[0]]).problems()
        assert problem.paths == (folder, flat()[0])


class TestOtherFiles:
    def test_are_counted_by_reason(self) -> None:
        made = grouping(
            ["README.md", "list.csv", "n04w006.tif", "1in7-FLUVIAL-DEFENDED-2020_n04w006.tif"]
        )
        assert made.unparsed_by_reason == {"no_return_period": 1, "unknown_return_period": 1}
        assert made.counts() == Counts(
            listed=4, grouped=0, duplicates=0, unparsed=2, other=2, deselected=0
        )
        assert [problem.message for problem in made.problems()] == [
            "1in7-FLUVIAL-DEFENDED-2020_n04w006.tif is of return period 1in7, for which "
            "stacks have no band.",
            "n04w006.tif has no return period (1in100) in its name.",
        ]

    def test_what_is_not_asked_for_is_counted(self) -> None:
        made = Grouping(lambda of, tile: of.ssp is not None)
        for path in [*flat(), *flat(FUTURE), "n04w006.tif"]:
            made.add(blob(path))
        assert [stack.map for stack in made.stacks()] == [FUTURE]
        assert made.counts().deselected == 8


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["", "a/", "FLOOD_MAP-v3.1/", "3ARCSEC/"]),
            st.sampled_from(["1in5", "1in10", "1in12", "n"]),
            st.sampled_from(["n04w006", "s01e010", "n95e000"]),
            st.sampled_from([".tif", ".TIF", ".csv"]),
        ),
        unique=True,
    )
)
def test_every_file_is_accounted_for(parts: list[tuple[str, str, str, str]]) -> None:
    paths = [f"{a}{b}-FLUVIAL-DEFENDED-2020_{c}{d}" for a, b, c, d in parts]
    made = grouping(paths)
    stacks, problems = list(made.stacks()), list(made.problems())
    counts = made.counts()
    assert adds_up(counts)
    assert counts.listed == len(paths)
    assert counts.grouped == sum(len(stack.files) for stack in stacks)
    assert counts.unparsed == sum(problem.item_id is None for problem in problems)
    ids = [stack.item_id for stack in stacks]
    assert ids == sorted(set(ids))
