"""How a dataset is registered, as a person reads it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from core.addresses import without_secrets
from core.counting import counted
from core.errors import InvalidParameters
from core.models.curated import CuratedDataset, Gates, UpdateStrategy
from services.curated import handlers
from web_interfaces.pages.formats import NOTHING, brief, percent

_STRATEGIES = {
    UpdateStrategy.FULL_REPLACE: "the whole table is swapped",
    UpdateStrategy.UPSERT: "the rows that differ are changed",
}


def of(dataset: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Label and text of each fact; what is not set is left out."""
    handler = handlers.find(dataset["handler"])
    name = dataset["handler"] if handler is None else f"{handler.title} ({handler.name})"
    found = {
        "Source": without_secrets(dataset["source_url"]),
        "Kind of source": dataset["source_type"].replace("_", " "),
        "Handler": name,
        "Settings of the handler": brief(without_secrets(dataset["source_config"]) or None, 1000),
        "Credentials": ", ".join(dataset["credentials"]["names"]),
        "Strategy": _STRATEGIES[dataset["update_strategy"]],
        "Gates": "; ".join(_gates(Gates.model_validate(dataset["gates"]))),
        "Earlier versions kept": str(dataset["keep_versions"]),
        "Who may see it": "holders of a function key only" if dataset["restricted"] else "everyone",
        "Licence": dataset["licence"],
        "Attribution": dataset["attribution"],
        "Revision": str(dataset["revision"]),
    }
    return [(label, text) for label, text in found.items() if text and text != NOTHING]


def is_incremental(dataset: CuratedDataset) -> bool:
    """Whether its source tells what has changed, so that its version is a moment in time."""
    handler = handlers.find(dataset.handler)
    try:
        return handler is not None and handler.describe(dataset).delivers == "increment"
    except InvalidParameters:
        # It was registered when its handler took other definitions: the page shows it all the same.
        return False


def _gates(gates: Gates) -> Iterator[str]:
    yield f"at least {counted(gates.min_rows, 'row')}"
    limits = {
        "change of the number of rows": gates.row_count_change_pct,
        "change of the extent": gates.extent_change_pct,
        "records set aside": gates.invalid_pct,
    }
    for what, limit in limits.items():
        yield f"{what} " + ("not limited" if limit is None else f"at most {percent(limit)}")
    refused = " or ".join(gates.refused_drift)
    yield f"no column {refused}" if refused else "columns may change"
