"""axe-core on a page that is open: what keeps someone from using it."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

_AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"

# Of WCAG 2.2 up to AA; the last one is off unless it is asked for by name.
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
_RUN = """
async (rules) => {
  const only = rules.length ? { type: "rule", values: rules } : { type: "tag", values: %s };
  const found = await axe.run(document, { runOnly: only, resultTypes: ["violations"] });
  return found.violations.flatMap(({ id, impact, help, nodes }) =>
    nodes.map(({ target, failureSummary }) =>
      ({ id, impact, help, where: target.join(" "), why: failureSummary })));
}
"""


@lru_cache
def _source() -> str:
    if not _AXE.is_file():
        pytest.skip("there is no axe-core: local/setup.sh tests installs it")
    return _AXE.read_text()


def violations(page: Page, *rules: str) -> list[str]:
    """What is serious or critical, of the rules given or of all that WCAG 2.2 AA has.

    The library is evaluated by the browser's debugger, which the page's own policy does not bind.
    """
    page.evaluate(_source())
    found: list[dict[str, Any]] = page.evaluate(_RUN % _RULES, list(rules))
    return [
        f"{each['id']} ({each['impact']}) at {each['where']}: {each['why']}"
        for each in found
        if each["impact"] in ("serious", "critical")
    ]
