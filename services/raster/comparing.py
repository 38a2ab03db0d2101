"""What most of a collection's files are, and which of them are something else.

Pure: it sees what was found out about each file, and decides for all of them. A file that is
sure of nothing, as a tile of nothing but sea is, takes the type of the others; one that is
clearly another thing is not made to look like them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Container, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from core.counting import counted
from core.errors import PermanentTaskError
from services.raster.model import Candidate, Evidence, Inference, RasterModel, RasterType, Survey
from services.raster.refusals import Refused

# Surer than this of its own type, a file is not counted to another.
CERTAIN = 0.8
# A type of fewer than these is not that of the collection.
_MAJORITY = 0.5
_NEVER_ZERO = 0.001
_SHOWN = 5
_EVIDENCE = "collection"

K = TypeVar("K", bound=Hashable)


class Profile(RasterModel):
    """One file, as far as it is compared with others.

    `probabilities` are those of the types; `empty` says that no pixel of the sample was valid,
    or all had one value: such a file says little of what it is.
    """

    index: int
    path: str
    type: RasterType
    confidence: float
    probabilities: dict[RasterType, float]
    bands: int
    dtypes: tuple[str, ...]
    crs: str | None
    empty: bool

    @classmethod
    def of(cls, index: int, path: str, survey: Survey) -> Profile:
        """The profile of a file that was surveyed."""
        inference = survey.inference
        probabilities: defaultdict[RasterType, float] = defaultdict(float)
        for candidate in inference.candidates:
            probabilities[candidate.type] += candidate.probability
        if inference.overridden or not probabilities:
            probabilities = defaultdict(float, {inference.type: 1.0})
        return cls(
            index=index,
            path=path,
            type=inference.type,
            confidence=1.0 if inference.overridden else inference.confidence,
            probabilities={kind: round(each, 4) for kind, each in probabilities.items()},
            bands=len(survey.facts.bands),
            dtypes=tuple(sorted({band.dtype for band in survey.facts.bands})),
            crs=survey.facts.crs or survey.facts.gcps_crs,
            empty=all(band.distinct <= 1 for band in survey.statistics),
        )


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came of it. What is None differs among the files that are left.

    `joined` are the files, by their numbers, that take the type of the others, with what to
    think of their types now: see `informed`.
    """

    type: RasterType | None
    bands: int | None
    dtypes: tuple[str, ...] | None
    crs: str | None
    accepted: list[int]
    joined: dict[int, dict[RasterType, float]] = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)

    def without(self, refused: Sequence[Refused]) -> Comparison:
        """The same, with more files refused."""
        out = {each.index for each in refused}
        return replace(
            self,
            accepted=[index for index in self.accepted if index not in out],
            joined={index: each for index, each in self.joined.items() if index not in out},
            refused=[*self.refused, *refused],
        )


def compare(
    profiles: Sequence[Profile], *, allow_mixed: bool = False, ignore_crs: bool = False
) -> Comparison:
    """Hold the files against what most of them are.

    With `allow_mixed` none is refused. With `ignore_crs` they may have any CRS, as they do
    where all are warped to one. Raises `PermanentTaskError` (mixed_collection) where neither a
    type, nor a number of bands, nor a data type or a CRS is that of more than half of them.
    """
    if not profiles:
        return Comparison(None, None, None, None, [])
    shares = _shares(profiles)
    kind = _most(shares)[0] if shares else RasterType.UNKNOWN
    # What a file has to have to be of that type: the bands and data types of those that are.
    forms = {(each.bands, each.dtypes) for each in profiles if each.type is kind}
    joined = {
        each.index: _believed(each, shares)
        for each in profiles
        if each.type is not kind
        and (each.bands, each.dtypes) in forms
        and _may_be(each, kind, shares)
    }
    left = list(profiles)
    refused: list[Refused] = []
    for test in () if allow_mixed else _tests(kind, joined, ignore_crs=ignore_crs):
        left, others = test.apply(left, len(profiles))
        refused += others
    kept = {each.index for each in left}
    return Comparison(
        type=_only(kind if each.index in joined else each.type for each in left),
        bands=_only(each.bands for each in left),
        dtypes=_only(each.dtypes for each in left),
        crs=_only(each.crs for each in left),
        accepted=[each.index for each in left],
        joined={index: beliefs for index, beliefs in joined.items() if index in kept},
        refused=sorted(refused, key=lambda each: each.path),
    )


def informed(inference: Inference, beliefs: Mapping[RasterType, float]) -> Inference:
    """What to think of a file that takes the type of the others, given the probabilities of
    the types that `compare` found for it."""
    known = {each.type: each for each in inference.candidates}
    candidates = tuple(
        known.get(kind, Candidate(type=kind, probability=0)).model_copy(
            update={"probability": round(probability, 4)}
        )
        for kind, probability in sorted(beliefs.items(), key=lambda pair: (-pair[1], pair[0]))
    )
    first = candidates[0]
    reason = Evidence(
        name=_EVIDENCE,
        value=inference.type.value,
        says=f"on its own it would be {inference.type.value} ({inference.confidence:.2f}); the "
        f"other files of its collection are {first.type.value}",
    )
    return inference.model_copy(
        update={
            "type": first.type,
            "subtype": first.subtype,
            "confidence": first.probability,
            "candidates": candidates,
            "evidence": (*inference.evidence, reason),
        }
    )


def is_informed(inference: Inference) -> bool:
    """Whether it comes from `informed`."""
    return any(each.name == _EVIDENCE for each in inference.evidence)


@dataclass(frozen=True, slots=True)
class _Test:
    """One thing that the files of a collection have in common."""

    what: str
    code: str
    value: Callable[[Profile], Any]
    said: Callable[[Any], str]
    advice: str

    def apply(self, profiles: list[Profile], total: int) -> tuple[list[Profile], list[Refused]]:
        """Those that have what most of them have, and the others."""
        counts = Counter(self.value(each) for each in profiles)
        common, count = _most(counts)
        if count * 2 <= len(profiles) and len(counts) > 1:
            raise PermanentTaskError(
                f"The rasters have no {self.what} in common that more than half of them share: "
                f"{_listed(counts, self.said)}. {self.advice}",
                code="mixed_collection",
                found={self.said(value): number for value, number in counts.most_common()},
            )
        kept = [each for each in profiles if self.value(each) == common]
        refused = [
            Refused(
                path=each.path,
                index=each.index,
                code=self.code,
                message=f"{each.path}: its {self.what} is {self.said(self.value(each))}; that of "
                f"{count:,} of {counted(total, 'raster')} is {self.said(common)}. "
                f"{self.advice}",
            )
            for each in profiles
            if self.value(each) != common
        ]
        return kept, refused


def _tests(kind: RasterType, joined: Container[int], *, ignore_crs: bool) -> Iterable[_Test]:
    allow = "Set mixed to allow to publish them together."
    yield _Test(
        "type",
        "type_differs",
        lambda each: kind if each.index in joined else each.type,
        lambda value: str(value.value),
        "Set raster_type if all are of one, or mixed to allow.",
    )
    yield _Test(
        "number of bands", "bands_differ", lambda each: each.bands, lambda value: f"{value}", allow
    )
    yield _Test(
        "data type", "dtype_differs", lambda each: each.dtypes, lambda value: "/".join(value), allow
    )
    if not ignore_crs:
        yield _Test(
            "CRS",
            "crs_differs",
            lambda each: each.crs,
            _crs_in_short,
            "Give a target_crs to which all are warped, or set mixed to allow.",
        )


def _shares(profiles: Iterable[Profile]) -> dict[RasterType, float]:
    """How likely a file of the collection is of each type: the mean of what the files say, of
    those that say anything. Nothing where none does."""
    sums: defaultdict[RasterType, float] = defaultdict(float)
    for each in profiles:
        if not _says_nothing(each):
            for kind, probability in each.probabilities.items():
                sums[kind] += probability
    # "unknown" is no type that a file could be counted to.
    sums.pop(RasterType.UNKNOWN, None)
    total = sum(sums.values())
    return {kind: each / total for kind, each in sums.items()} if total else {}


def _believed(profile: Profile, shares: Mapping[RasterType, float]) -> dict[RasterType, float]:
    """The probabilities of a file's types, by Bayes, where the collection is what was known
    before it was looked at."""
    if _says_nothing(profile):
        return dict(shares)
    weights = {
        kind: share * max(profile.probabilities.get(kind, 0.0), _NEVER_ZERO)
        for kind, share in shares.items()
    }
    total = sum(weights.values())
    return {kind: weight / total for kind, weight in weights.items()}


def _may_be(profile: Profile, kind: RasterType, shares: Mapping[RasterType, float]) -> bool:
    """Whether a file may be counted to the type of the others: most are of it, and this one is
    not sure to be something else."""
    if shares.get(kind, 0.0) <= _MAJORITY:
        return False
    if profile.confidence >= CERTAIN and not _says_nothing(profile):
        return False
    return _most(_believed(profile, shares))[0] is kind


def _says_nothing(profile: Profile) -> bool:
    return profile.empty or profile.type is RasterType.UNKNOWN


def _only(values: Iterable[K]) -> K | None:
    found = set(values)
    return found.pop() if len(found) == 1 else None


N = TypeVar("N", int, float)


def _most(counts: Mapping[K, N]) -> tuple[K, N]:
    """The greatest; of several the one whose name comes first, whatever order they came in."""
    best = min(counts, key=lambda value: (-counts[value], str(value)))
    return best, counts[best]


def _listed(counts: Counter[Any], said: Callable[[Any], str]) -> str:
    listed = [f"{number:,} {said(value)}" for value, number in counts.most_common(_SHOWN)]
    more = f" and {len(counts) - _SHOWN} more" if len(counts) > _SHOWN else ""
    return ", ".join(listed) + more


def _crs_in_short(crs: str | None) -> str:
    """A code as it is, of a WKT its name."""
    if crs is None:
        return "none"
    if '"' not in crs:
        return crs
    return crs.split('"', 2)[1]
