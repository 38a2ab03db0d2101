"""How the host starts, and how it refuses to."""

from __future__ import annotations

import json
import stat
import textwrap
from pathlib import Path
from typing import Any

import pytest

_HEADER = "import azure.functions as func\napp = func.FunctionApp()\n"


def _app(directory: Path, code: str, host_json: object = None, **values: str) -> Path:
    directory.mkdir(exist_ok=True)
    (directory / "function_app.py").write_text(_HEADER + textwrap.dedent(code))
    (directory / "host.json").write_text(json.dumps(host_json or {"version": "2.0"}))
    if values:
        (directory / "local.settings.json").write_text(json.dumps({"Values": values}))
    return directory


def _refuses(host: Any, code: int, *parts: str) -> None:
    assert host.launch().wait(60) == code
    last = host.log().strip().splitlines()[-1]
    for part in parts:
        assert part in last


def test_taken_port_is_named_and_ends_with_2(host: Any, new_host: Any) -> None:
    other = new_host()
    other.port = host.port
    _refuses(other, 2, f"port {host.port}", "taken")


def test_second_host_on_one_state_directory_ends_with_2(new_host: Any) -> None:
    first, second = new_host().start(), new_host()
    second.state = first.state
    _refuses(second, 2, "another host runs", str(first.state))


@pytest.mark.parametrize(
    ("code", "parts"),
    [
        ("import no_such_module", ["function_app.py:3", "no_such_module"]),
        ("app = None", ["exactly one FunctionApp"]),
        (
            """
            @app.service_bus_queue_trigger(arg_name="m", queue_name="q", connection="NO_SUCH")
            def listens(m: func.ServiceBusMessage): ...
            """,
            ["listens", "NO_SUCH"],
        ),
    ],
)
def test_app_that_cannot_run_is_refused_in_one_line(
    new_host: Any, tmp_path: Path, code: str, parts: list[str]
) -> None:
    _refuses(new_host(_app(tmp_path / "app", code)), 3, *parts)


def test_missing_database_setting_is_named(new_host: Any, tmp_path: Path) -> None:
    _refuses(new_host(_app(tmp_path / "app", ""), DATABASE_URL=""), 3, "DATABASE_URL")


def test_host_waits_for_its_database_and_stops_when_told(new_host: Any) -> None:
    host = new_host(DATABASE_URL="postgresql://nobody@127.0.0.1:9/none")
    process = host.launch()
    host.wait_for(lambda: "database is not there yet" in host.log(), "the host says nothing")
    assert host.http.get("/api/livez").status_code == 200
    assert host.instance("any").status_code == 503
    assert host.http.get("/admin/host/status").json()["state"] == "Starting"
    assert process.poll() is None
    assert host.stop() == 0
    assert host.log().count("database is not there yet") == 1


def test_endpoint_that_is_down_does_not_keep_the_host_from_starting(
    new_host: Any, sample_settings: dict[str, str]
) -> None:
    nowhere = "Endpoint=sb://127.0.0.1:9;SharedAccessKeyName=k;SharedAccessKey=v;"
    host = new_host(
        SAMPLE_BUS=f"{nowhere}UseDevelopmentEmulator=true;",
        **{"AzureWebJobs.on_message.Disabled": "false"},
    ).start()
    host.wait_for(lambda: "lost queue 'sample'" in host.log(), "the host says nothing")
    [queue] = host.http.get("/admin/host/status").json()["listeners"]["serviceBus"]
    assert queue["connected"] is False
    assert host.stop() == 0


def test_hub_of_another_name_is_refused(new_host: Any, tmp_path: Path) -> None:
    new_host().start()
    other = {"version": "2.0", "extensions": {"durableTask": {"hubName": "OtherHub"}}}
    _refuses(new_host(_app(tmp_path / "app", "", other)), 3, "SampleHub", "OtherHub")


def test_local_settings_fill_what_the_environment_leaves_out(new_host: Any, tmp_path: Path) -> None:
    code = """
        import os
        @app.route("{*any}", auth_level=func.AuthLevel.ANONYMOUS)
        def show(req: func.HttpRequest) -> str:
            return os.environ["FROM_FILE"] + " " + os.environ["FROM_BOTH"]
    """
    http = {"version": "2.0", "extensions": {"http": {"routePrefix": ""}}}
    app = _app(tmp_path / "app", code, http, FROM_FILE="file", FROM_BOTH="file")
    host = new_host(app, FROM_BOTH="environment").start()
    # Without a prefix the app may have the root itself.
    assert host.http.get("/").text == "file environment"


def test_the_app_knows_the_keys_though_nobody_is_asked_for_them(
    new_host: Any, tmp_path: Path
) -> None:
    code = """
        import os
        @app.route(route="known", methods=["GET"])
        def known(req: func.HttpRequest) -> str:
            return os.environ["GEOFORGE_RESTRICTED_KEYS"]
    """
    host = new_host(_app(tmp_path / "app", code), GEOFORGE_RESTRICTED_KEYS="mine").start()
    keys = json.loads((host.state / "keys.json").read_text())
    assert host.http.get("/api/known").text == f"mine,{keys['default']},{keys['master']}"


def test_keys_are_asked_for_only_where_enforced_and_kept_private(new_host: Any) -> None:
    host = new_host(GEOFORGE_ENFORCE_KEYS="1").start()
    file = host.state / "keys.json"
    keys = json.loads(file.read_text())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert host.http.get("/api/livez").status_code == 200
    assert host.http.get("/api/secret").status_code == 401
    assert host.http.get("/api/secret?code=wrong").status_code == 401
    assert host.http.get(f"/api/secret?code={keys['default']}").text == "secret"
    header = {"x-functions-key": keys["master"]}
    assert host.http.get("/api/secret", headers=header).text == "secret"
    assert host.instance("any").status_code == 401
    assert host.instance("any", code=keys["default"]).status_code == 401
    assert host.instance("any", code=keys["system"]).status_code == 404
    assert host.http.get("/admin/host/status").status_code == 401
    assert host.http.get("/admin/host/status", headers=header).status_code == 200
    # The app's own client needs no key, and its links bring theirs along.
    links = host.begin("not_a_generator", "with-keys")
    host.wait_for(lambda: host.http.get(links["statusQueryGetUri"]).status_code == 200, "not done")
    assert all(key not in host.log() for key in keys.values())
    host.kill()
    host.start()
    assert json.loads(file.read_text()) == keys
