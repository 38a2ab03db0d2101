"""A COG made and verified in the test's own process, of a raster that the test has written."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.raster import cog_plan
from services.raster.child import encoding, verifying
from services.raster.child.facts import read_facts
from services.raster.child.opening import open_raster
from services.raster.model import CogPlan, Encoded, Inference, RasterType, Survey, Verification
from services.raster.parameters import RasterOptions

MEMORY_MB = 512


@dataclass(frozen=True)
class MadeCog:
    """What came of a raster."""

    path: Path
    plan: CogPlan
    encoded: Encoded
    verification: Verification


def survey_of(path: Path, kind: RasterType) -> Survey:
    """What a survey says of a raster that is known to be of a type."""
    with open_raster(str(path)) as dataset:
        facts = read_facts(dataset, os.path.getsize(path))
    inference = Inference(type=kind, confidence=1.0, candidates=(), evidence=())
    return Survey(facts=facts, inference=inference, statistics=())


def plan_of(path: Path, kind: RasterType = RasterType.CONTINUOUS, **options: Any) -> CogPlan:
    return cog_plan.plan(survey_of(path, kind), RasterOptions(**options))


def encoded_cog(source: Path, target: Path, plan: CogPlan) -> Encoded:
    made = encoding.encode(
        str(source), str(target), plan.model_dump(mode="json"), MEMORY_MB, 2, statistics=True
    )
    return Encoded.model_validate(made)


def verified(source: Path, target: Path, plan: CogPlan) -> Verification:
    found = verifying.verify(str(source), str(target), plan.model_dump(mode="json"), MEMORY_MB)
    return Verification.model_validate(found)


def made_cog(source: Path, kind: RasterType = RasterType.CONTINUOUS, **options: Any) -> MadeCog:
    """The COG of `source`, beside it, verified."""
    plan = plan_of(source, kind, **options)
    target = source.with_name(f"{source.stem}.cog.tif")
    encoded = encoded_cog(source, target, plan)
    return MadeCog(target, plan, encoded, verified(source, target, plan))
