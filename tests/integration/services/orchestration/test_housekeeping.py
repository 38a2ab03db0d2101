"""The housekeeping timer, called as the host calls it."""

from __future__ import annotations

import azure.durable_functions as df
import azure.functions as func
import pytest


@pytest.mark.usefixtures("ledger")
def test_a_part_that_fails_keeps_no_other_from_being_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The schedules are read when it is imported.
    from jobs import orchestration

    done = []

    def break_down() -> None:
        raise RuntimeError("no space is left")

    monkeypatch.setattr(orchestration.reconcile, "housekeeping", break_down)
    monkeypatch.setattr(orchestration.holding, "sweep", break_down)
    monkeypatch.setattr(orchestration, "drop_abandoned", lambda: done.append("staged tables"))
    monkeypatch.setattr(orchestration.cataloguing, "refresh", lambda: done.append("catalog"))
    monkeypatch.setattr(orchestration.overviews, "refresh", lambda: done.append("overviews"))
    app = df.DFApp(http_auth_level=func.AuthLevel.FUNCTION)
    app.register_functions(orchestration.bp)
    functions = {each.get_function_name(): each for each in app.get_functions()}
    with pytest.raises(ExceptionGroup, match="2 of 5"):
        functions["keep_house"].get_user_function()(timer=None)
    assert done == ["staged tables", "catalog", "overviews"]
