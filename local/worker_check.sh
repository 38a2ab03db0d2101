#!/usr/bin/env bash
# Checks that Microsoft's own Python worker (azure-functions-runtime, Python 3.13) accepts the app.
#
# Its environment, .local/venv-worker, is made at the first run and again when the app's
# dependencies change. The versions are not those of requirements.txt: that is resolved for the
# Python the stack runs on, and the worker brings an azure-functions of its own.
# Where there is no Python 3.13 it says so and succeeds.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly VENV=.local/venv-worker LOG=.local/logs/worker-check.log RUNTIME='azure-functions-runtime>=1.3,<2'

find_python() {
    local candidate
    for candidate in "${PYTHON313:-python3.13}" "$HOME"/.pyenv/versions/3.13.*/bin/python3.13; do
        if command -v "$candidate" >/dev/null 2>&1 && "$candidate" -c 'import ensurepip' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    return 1
}

if ! python=$(find_python); then
    echo "worker-check: skipped, there is no Python 3.13 here"
    exit 0
fi

mkdir -p .local/logs
wanted=$({ "$python" --version; echo "$RUNTIME"; cat pyproject.toml; } | sha256sum | cut -c1-64)
if [ "$(cat "$VENV/installed" 2>/dev/null)" != "$wanted" ]; then
    printf 'worker-check: packages for Python 3.13 ... '
    began=$SECONDS
    if ! {
        rm -rf "$VENV" && "$python" -m venv "$VENV" &&
            "$python" - >"$VENV/requirements.in" <<'PYTHON' &&
import re
import tomllib

with open("pyproject.toml", "rb") as file:
    dependencies = tomllib.load(file)["project"]["dependencies"]
for dependency in dependencies:
    if re.match(r"[\w.-]+", dependency)[0] != "azure-functions":
        print(dependency)
PYTHON
            "$VENV/bin/pip" install --disable-pip-version-check -r "$VENV/requirements.in" "$RUNTIME"
    } >"$LOG" 2>&1 </dev/null; then
        printf 'failed\n'
        tail -n 5 "$LOG" >&2
        echo "worker-check: the packages cannot be installed; all of pip's output is in $LOG" >&2
        exit 1
    fi
    echo "$wanted" >"$VENV/installed"
    printf '%s s\n' "$((SECONDS - began))"
fi

# The app reads its settings when it is loaded; the check talks to none of these.
export DATABASE_URL="${DATABASE_URL:-postgresql://127.0.0.1/unused}"
export AZURE_STORAGE_CONNECTION_STRING="${AZURE_STORAGE_CONNECTION_STRING:-UseDevelopmentStorage=true}"
export SERVICE_BUS_CONNECTION_STRING="${SERVICE_BUS_CONNECTION_STRING:-Endpoint=sb://127.0.0.1;SharedAccessKeyName=unused;SharedAccessKey=unused;UseDevelopmentEmulator=true}"
exec "$VENV/bin/python" -m local.worker_check --app . "$@"
