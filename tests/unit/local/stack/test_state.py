"""The state file: written in one step, for its owner only."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.stack.errors import StackError
from local.stack.locks import exclusive, is_held
from local.stack.process import Identity
from local.stack.state import PartState, StackState


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    assert StackState.read(path) is None
    part = PartState(
        name="postgres",
        title="PostgreSQL",
        address="127.0.0.1:1",
        log="x.log",
        command=["postgres", "-D", "data"],
        stop_signal=2,
        since=1.5,
        condition="healthy",
        process=Identity(1, "boot:2"),
    )
    state = StackState(Identity.own(), "digest", {"DATABASE_URL": "secret"}, [part])
    state.write(path)
    assert StackState.read(path) == state
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]
    assert state.is_healthy()
    part.condition = "restarting"
    assert not state.is_healthy()


def test_a_file_of_another_version_is_named(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_text('{"supervisor": {"pid": 1}}')
    with pytest.raises(StackError, match=r"state\.json is of another version"):
        StackState.read(path)


def test_a_lock_is_held_by_one(tmp_path: Path) -> None:
    path = tmp_path / "below" / "a.lock"
    assert not is_held(path)
    with exclusive(path, busy="busy"):
        assert is_held(path)
        with pytest.raises(StackError, match="busy"), exclusive(path, busy="busy"):
            pass
    assert not is_held(path)
