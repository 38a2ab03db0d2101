"""What a raster is, how sure that is, and why: all evidence weighed into probabilities.

Every finding adds to the log-odds of types; their sums, divided by a temperature, are turned into
probabilities that sum to 1. Nothing is read here: facts and sample say all.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from services.raster.evidence import (
    caveats,
    codes,
    colours,
    quantities,
    relief,
    spectra,
    structure,
    words,
)
from services.raster.evidence.finding import Finding
from services.raster.evidence.subject import Subject
from services.raster.model import (
    SUBTYPES,
    Candidate,
    Caveat,
    Evidence,
    Facts,
    Inference,
    RasterType,
    Subtype,
)
from services.raster.sampling import Sample

# Findings are not independent of each other, so their sum claims too much. Fitted on labelled
# public rasters by `python -m benchmarks.inference`, for probabilities that hold.
_TEMPERATURE = 1.1
# Below, a finding is no argument worth naming, and a subtype not worth claiming.
_ARGUMENT = 0.3
_SUBTYPE = 1.0
# A person is told where the evidence makes what they said less likely than this.
_DOUBTFUL = 0.1

_LOOKS = (
    structure.find,
    colours.find,
    codes.find,
    relief.find,
    quantities.find,
    spectra.find,
    words.find,
)


def infer(facts: Facts, sample: Sample, name: str) -> Inference:
    """Say what the raster is. `name` is the file's, which counts as weak evidence.

    Never raises for what a raster holds: one of which nothing can be told is `unknown`.
    """
    subject = Subject(facts, sample, name)
    findings = [finding for look in _LOOKS for finding in look(subject)]
    if not subject.measured:
        findings.append(_without_pixels())
    candidates = _candidates(findings)
    return Inference(
        type=candidates[0].type,
        subtype=candidates[0].subtype,
        confidence=candidates[0].probability,
        candidates=candidates,
        evidence=tuple(
            Evidence(name=finding.name, value=finding.value, says=finding.says)
            for finding in findings
        ),
        warnings=tuple(caveats.find(subject)),
    )


def overridden(inference: Inference, kind: str) -> Inference:
    """The inference with the type or subtype that a person gave in place of its own.

    Candidates, confidence and evidence stay what they were; `conflict` says so where the
    evidence makes that type unlikely.
    """
    chosen, subtype = _kind(kind)
    candidate = next(each for each in inference.candidates if each.type is chosen)
    conflict = None
    if chosen is not inference.type and candidate.probability < _DOUBTFUL:
        against = candidate.evidence_against[:2] or inference.candidates[0].evidence_for[:2]
        conflict = (
            f"It was said to be {kind}, but looks like {inference.type.value} "
            f"({inference.confidence:.0%}; {chosen.value} {candidate.probability:.0%}). "
            + " ".join(against)
        ).strip()
    return inference.model_copy(
        update={
            "type": chosen,
            "subtype": subtype or candidate.subtype,
            "overridden": True,
            "conflict": conflict,
            "warnings": inference.warnings
            + ((Caveat(code="type_conflict", message=conflict),) if conflict else ()),
        }
    )


def _kind(kind: str) -> tuple[RasterType, Subtype | None]:
    """Raises ValueError for a text that is neither a type nor a subtype."""
    if kind in {each.value for each in Subtype}:
        subtype = Subtype(kind)
        return SUBTYPES[subtype], subtype
    return RasterType(kind), None


def _without_pixels() -> Finding:
    return Finding(
        "pixels",
        "No valid pixel was met: only names and bands speak.",
        {RasterType.UNKNOWN: 3.5},
        0,
    )


def _candidates(findings: Sequence[Finding]) -> tuple[Candidate, ...]:
    sums = {
        kind: sum(finding.weights.get(kind, 0.0) for finding in findings) for kind in RasterType
    }
    likely = max(sums.values())
    odds = {kind: math.exp((total - likely) / _TEMPERATURE) for kind, total in sums.items()}
    whole = sum(odds.values())
    return tuple(
        Candidate(
            type=kind,
            subtype=_subtype(kind, findings),
            probability=odds[kind] / whole,
            evidence_for=_arguments(kind, findings, 1),
            evidence_against=_arguments(kind, findings, -1),
        )
        for kind in sorted(RasterType, key=lambda kind: -odds[kind])
    )


def _arguments(kind: RasterType, findings: Iterable[Finding], sign: int) -> tuple[str, ...]:
    weighed = [(sign * finding.weights.get(kind, 0.0), finding.says) for finding in findings]
    return tuple(
        says for weight, says in sorted(weighed, key=lambda each: -each[0]) if weight >= _ARGUMENT
    )


def _subtype(kind: RasterType, findings: Iterable[Finding]) -> Subtype | None:
    sums: dict[Subtype, float] = {}
    for finding in findings:
        for subtype, weight in finding.subtypes.items():
            if SUBTYPES[subtype] is kind:
                sums[subtype] = sums.get(subtype, 0.0) + weight
    best = max(sums, key=lambda subtype: sums[subtype], default=None)
    return best if best is not None and sums[best] >= _SUBTYPE else None
