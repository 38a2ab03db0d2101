"""Ports come from settings, and a taken one is named."""

from __future__ import annotations

import socket

import pytest

from local.stack.errors import StackError
from local.stack.ports import HOST, Ports, free_ports, is_free, require_free


def test_defaults_and_settings() -> None:
    assert Ports.from_values({}) == Ports(7071, 55432, 5672, 10000)
    assert Ports.from_values({"GEOFORGE_BLOB_PORT": "20000", "GEOFORGE_HTTP_PORT": ""}) == Ports(
        blob=20000
    )


@pytest.mark.parametrize("text", ["x", "0", "65536", "-1", "70.5"])
def test_what_is_not_a_port_is_refused_by_name(text: str) -> None:
    with pytest.raises(StackError, match="GEOFORGE_HTTP_PORT"):
        Ports.from_values({"GEOFORGE_HTTP_PORT": text})


def test_two_parts_cannot_share_a_port() -> None:
    with pytest.raises(StackError, match="GEOFORGE_POSTGRES_PORT and GEOFORGE_BLOB_PORT"):
        Ports.from_values({"GEOFORGE_BLOB_PORT": "55432"})


def test_a_taken_port_is_named_with_the_setting_that_moves_it() -> None:
    [free] = free_ports(1)
    with socket.create_server((HOST, 0)) as server:
        taken = server.getsockname()[1]
        assert not is_free(taken)
        wanted = [("GEOFORGE_HTTP_PORT", taken), ("GEOFORGE_BLOB_PORT", free)]
        with pytest.raises(StackError) as error:
            require_free(wanted)
    assert f"port {taken} (GEOFORGE_HTTP_PORT) is taken" in str(error.value)
    assert str(free) not in str(error.value)
    require_free(wanted)
