"""What most files of a collection are, and which of them are something else."""

from __future__ import annotations

import itertools

import pytest

from core.errors import PermanentTaskError
from services.raster.comparing import Comparison, Profile, compare, informed, is_informed
from services.raster.model import (
    Band,
    BandStatistics,
    Candidate,
    Evidence,
    Facts,
    Inference,
    RasterType,
    Survey,
)
from services.raster.refusals import Refused

DEM, CLASSES, RGB = RasterType.DEM, RasterType.CATEGORICAL, RasterType.RGB
CONTINUOUS, UNKNOWN = RasterType.CONTINUOUS, RasterType.UNKNOWN
_NUMBERS = itertools.count()


def profile(
    kind: RasterType = DEM,
    confidence: float = 0.95,
    *,
    bands: int = 1,
    dtype: str = "float32",
    crs: str = "EPSG:32618",
    empty: bool = False,
    **others: float,
) -> Profile:
    number = next(_NUMBERS)
    return Profile(
        index=number,
        path=f"{number:05}.tif",
        type=kind,
        confidence=confidence,
        probabilities={kind: confidence, **{RasterType(k): v for k, v in others.items()}},
        bands=bands,
        dtypes=(dtype,),
        crs=crs,
        empty=empty,
    )


def codes(comparison: Comparison) -> dict[int, str]:
    return {each.index: each.code for each in comparison.refused if each.index is not None}


def test_files_of_one_kind_are_all_accepted() -> None:
    files = [profile() for _ in range(5)]
    found = compare(files)
    assert found.accepted == [each.index for each in files]
    assert not found.refused
    assert not found.joined
    assert (found.type, found.bands, found.dtypes, found.crs) == (
        DEM,
        1,
        ("float32",),
        "EPSG:32618",
    )


@pytest.mark.parametrize(
    ("other", "code", "said"),
    [
        ({"kind": RGB, "bands": 3, "dtype": "uint8"}, "type_differs", "is rgb"),
        ({"kind": CLASSES, "confidence": 0.93}, "type_differs", "is categorical"),
        ({"bands": 2}, "bands_differ", "is 2"),
        ({"dtype": "int16"}, "dtype_differs", "is int16"),
        ({"crs": "EPSG:32619"}, "crs_differs", "is EPSG:32619"),
    ],
)
def test_what_is_not_like_the_others_is_refused_with_the_reason(
    other: dict[str, object], code: str, said: str
) -> None:
    odd = profile(**other)  # type: ignore[arg-type]
    files = [profile(), odd, profile(), profile()]
    found = compare(files)
    assert codes(found) == {odd.index: code}
    [refused] = found.refused
    assert refused.path == odd.path
    assert said in refused.message
    assert "mixed" in refused.message
    assert found.accepted == [each.index for each in files if each is not odd]


def test_a_mixed_collection_is_accepted_where_it_is_allowed() -> None:
    files = [profile(), profile(RGB, bands=3, dtype="uint8"), profile(crs="EPSG:4326")]
    found = compare(files, allow_mixed=True)
    assert found.accepted == [each.index for each in files]
    assert (found.type, found.bands, found.dtypes, found.crs) == (None, None, None, None)


def test_the_crs_does_not_count_where_all_are_warped() -> None:
    files = [profile(crs=f"EPSG:326{zone}") for zone in (17, 18, 19)]
    found = compare(files, ignore_crs=True)
    assert len(found.accepted) == 3
    assert found.crs is None


def test_without_a_majority_the_job_is_told_what_there_is() -> None:
    files = [profile(crs=f"EPSG:326{zone}") for zone in (17, 17, 18, 19)]
    with pytest.raises(PermanentTaskError, match="2 EPSG:32617, 1 EPSG:32618") as failure:
        compare(files)
    assert failure.value.error_code == "mixed_collection"
    assert "target_crs" in failure.value.message
    with pytest.raises(PermanentTaskError, match="no type in common"):
        compare([profile(), profile(CLASSES)])


def test_the_order_of_the_files_changes_nothing() -> None:
    files = [
        profile(),
        profile(CLASSES, 0.6, dem=0.3),
        profile(),
        profile(bands=2),
        profile(UNKNOWN),
    ]
    verdicts = set()
    for order in itertools.permutations(files):
        found = compare(order)
        verdicts.add((frozenset(found.accepted), frozenset(codes(found).items()),
                      frozenset(found.joined)))  # fmt: skip
    assert len(verdicts) == 1


class TestJoining:
    def test_a_tile_that_shows_nothing_takes_the_type_of_the_others(self) -> None:
        sea = profile(UNKNOWN, 0.9, empty=True)
        flat = profile(CLASSES, 0.97, empty=True)
        found = compare([profile(), profile(), sea, flat])
        assert set(found.joined) == {sea.index, flat.index}
        assert found.type is DEM
        assert not found.refused

    def test_one_that_is_unsure_is_persuaded(self) -> None:
        unsure = profile(CONTINUOUS, 0.55, dem=0.4)
        found = compare([profile(), profile(), profile(), unsure])
        assert set(found.joined) == {unsure.index}
        beliefs = found.joined[unsure.index]
        assert max(beliefs, key=beliefs.__getitem__) is DEM
        assert sum(beliefs.values()) == pytest.approx(1)

    def test_one_that_is_sure_is_not(self) -> None:
        sure = profile(CLASSES, 0.9, dem=0.1)
        found = compare([profile(), profile(), profile(), sure])
        assert codes(found) == {sure.index: "type_differs"}

    def test_nor_one_that_cannot_be_of_that_type(self) -> None:
        empty = profile(UNKNOWN, 0.9, empty=True, bands=3, dtype="uint8")
        found = compare([profile(), profile(), empty])
        assert codes(found) == {empty.index: "type_differs"}

    def test_empty_tiles_do_not_decide_however_many_they_are(self) -> None:
        sea = [profile(CLASSES, 0.99, empty=True) for _ in range(9)]
        found = compare([profile(), *sea])
        assert found.type is DEM
        assert len(found.joined) == 9

    def test_one_that_cannot_be_stored_as_that_type_is_taken_out_again(self) -> None:
        sea = profile(UNKNOWN, 0.9, empty=True)
        refused = Refused(path=sea.path, code="settings_do_not_fit", message="No.", index=sea.index)
        found = compare([profile(), profile(), sea]).without([refused])
        assert not found.joined
        assert len(found.accepted) == 2
        assert found.refused == [refused]

    def test_in_a_mixed_collection_there_is_nothing_to_join(self) -> None:
        kinds = [profile(), profile(CLASSES), profile(RGB, bands=3, dtype="uint8")]
        found = compare([*kinds, profile(UNKNOWN, 0.9, empty=True)], allow_mixed=True)
        assert not found.joined
        assert len(found.accepted) == 4

    def test_where_all_show_nothing_they_stay_what_they_are(self) -> None:
        files = [profile(UNKNOWN, 0.9, empty=True) for _ in range(3)]
        found = compare(files)
        assert found.type is UNKNOWN
        assert len(found.accepted) == 3
        assert not found.joined


def survey(inference: Inference, distinct: int = 100) -> Survey:
    facts = Facts(
        driver="GTiff",
        width=10,
        height=10,
        bands=(Band(number=1, dtype="int16"), Band(number=2, dtype="int16")),
        crs="EPSG:4326",
    )
    statistics = BandStatistics(
        minimum=0, maximum=1, mean=0.5, stdev=0.1, percentiles=(0, 1), valid_share=1,
        distinct=distinct,
    )  # fmt: skip
    return Survey(facts=facts, inference=inference, statistics=(statistics, statistics))


UNSURE = Inference(
    type=CONTINUOUS,
    confidence=0.6,
    candidates=(
        Candidate(type=CONTINUOUS, probability=0.6),
        Candidate(type=DEM, probability=0.4, evidence_for=("smooth",)),
    ),
    evidence=(Evidence(name="dtype", value="int16", says="heights are often of it"),),
)


def test_a_profile_says_what_was_surveyed() -> None:
    found = Profile.of(3, "a.tif", survey(UNSURE))
    assert found.probabilities == {CONTINUOUS: 0.6, DEM: 0.4}
    assert (found.bands, found.dtypes, found.crs) == (2, ("int16",), "EPSG:4326")
    assert not found.empty
    assert Profile.of(3, "a.tif", survey(UNSURE, distinct=1)).empty
    assert Profile.model_validate(found.model_dump(mode="json")) == found


def test_what_a_person_said_is_certain() -> None:
    said = UNSURE.model_copy(update={"type": DEM, "overridden": True, "confidence": 0.4})
    found = Profile.of(0, "a.tif", survey(said))
    assert (found.type, found.confidence, found.probabilities) == (DEM, 1.0, {DEM: 1.0})


def test_a_file_that_joined_says_so_and_keeps_its_evidence() -> None:
    found = informed(UNSURE, {CONTINUOUS: 0.04, DEM: 0.95, CLASSES: 0.01})
    assert (found.type, found.confidence) == (DEM, 0.95)
    assert [each.type for each in found.candidates] == [DEM, CONTINUOUS, CLASSES]
    assert found.candidates[0].evidence_for == ("smooth",)
    assert found.evidence[0] == UNSURE.evidence[0]
    assert "on its own it would be continuous (0.60)" in found.evidence[-1].says
    assert is_informed(found)
    assert not is_informed(UNSURE)
