#!/usr/bin/env bash
# Installs what geoforge needs on this machine: `make setup` runs it, and so does whatever needs it.
#
#   local/setup.sh          for the app and the stack
#   local/setup.sh tests    also a browser, and what checks pages in it
#   local/setup.sh bench    also the peers that `make bench` measures against
#
# It asks nothing and needs no terminal. What is done already is recognised and not done again, by
# the digests of the lock files. Works as root, or with sudo where that asks no password; where
# nothing is missing from the system it needs neither. Details go to .local/logs/setup.log.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly LOG=.local/logs/setup.log STAMPS=.local/setup
mkdir -p .local/logs "$STAMPS"
# One at a time: a second `make` waits for the first and finds everything done.
exec 9>"$STAMPS/lock"
flock 9

fail() {
    printf '%s\n' "$*" >&2
    exit 1
}

# run TITLE COMMAND...: run a step quietly, say how long it took, show the log's end if it fails.
run() {
    local title=$1 began=$SECONDS
    shift
    printf '%s ... ' "$title"
    printf '\n== %s %s\n' "$(date -u +%FT%TZ)" "$*" >>"$LOG"
    if ! "$@" >>"$LOG" 2>&1 9>&- </dev/null; then
        printf 'failed\n'
        tail -n 15 "$LOG" >&2
        fail "Setup stopped at: $title. All of its output is in $LOG"
    fi
    printf '%s s\n' "$((SECONDS - began))"
}

digest() { sha256sum "$@" | sha256sum | cut -c1-64; }
is_done() { [ "$(cat "$STAMPS/$1" 2>/dev/null)" = "$2" ]; }
has() { command -v "$1" >/dev/null 2>&1; }

# --- the system's packages -----------------------------------------------------------------------

# The newest Python that the lock file is for and that can make a virtual environment.
find_python() {
    local candidate
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
        if has "$candidate" && "$candidate" -c '
import sys, venv, ensurepip
sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    return 1
}

node_is_recent() {
    has node && has npm && [ "$(node --version | sed 's/^v\([0-9]*\).*/\1/')" -ge 18 ]
}

# Major versions of the PostgreSQL servers that are installed, and whether one has PostGIS.
postgresql_versions() {
    find /usr/lib/postgresql -mindepth 1 -maxdepth 1 -printf '%f\n' 2>/dev/null | sort -rn
}
postgis_is_installed() {
    local version
    for version in $(postgresql_versions); do
        [ -x "/usr/lib/postgresql/$version/bin/postgres" ] &&
            [ -e "/usr/share/postgresql/$version/extension/postgis.control" ] && return
    done
    return 1
}

missing_packages() {
    find_python >/dev/null || echo python3 python3-venv
    node_is_recent || { has node && has npm; } || echo nodejs npm
    postgis_is_installed || echo postgresql postgis
}

# apt wants the packages of one version by name: those of the server that is there, else the newest.
postgresql_packages() {
    local version
    version=$(postgresql_versions | head -n 1)
    [ -n "$version" ] ||
        version=$(apt-cache depends postgresql | sed -n 's/.*Depends: postgresql-\([0-9]*\)$/\1/p' | head -n 1)
    [ -n "$version" ] || fail "apt-get knows no package postgresql: are its sources those of a Debian or Ubuntu?"
    echo "postgresql-$version" "postgresql-$version-postgis-3" "postgresql-$version-postgis-3-scripts"
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

apt_install() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
        -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold "$@"
}

# The package would make a cluster of its own, on a port of its own choice, and start it. It is told
# not to for this installation only: what the machine's owner installs later is theirs.
install_postgresql() {
    local config=/etc/postgresql-common/createcluster.d/geoforge-setup.conf status=0
    apt_install postgresql-common || return
    as_root mkdir -p "$(dirname $config)"
    echo 'create_main_cluster = false' | as_root tee $config >/dev/null
    # shellcheck disable=SC2046
    apt_install $(postgresql_packages) || status=$?
    as_root rm -f $config
    return $status
}

install_packages() {
    local package others=()
    # A source that cannot be reached is no reason to stop if the packages are in the others.
    as_root apt-get update -q -o DPkg::Lock::Timeout=300 || true
    for package in "$@"; do
        case $package in
            postgresql | postgis) ;;
            *) others+=("$package") ;;
        esac
    done
    if [ ${#others[@]} -gt 0 ]; then apt_install "${others[@]}" || return; fi
    case " $* " in *" postgresql "*) install_postgresql ;; esac
}

may_install() { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }

require_apt() {
    has apt-get || fail "These are missing: $*. Install them with this system's package manager, then run make again."
    may_install || fail "These packages are missing, and only root may install them. Run: sudo apt-get install $*"
}

system() {
    local missing
    missing=$(missing_packages | xargs)
    [ -n "$missing" ] || return 0
    # shellcheck disable=SC2086
    require_apt $missing
    # shellcheck disable=SC2086
    run "[1/4] System packages ($missing)" install_packages $missing
    missing=$(missing_packages | xargs)
    [ -z "$missing" ] || fail "Still missing after installation: $missing. Python must be 3.11 to 3.13; PYTHON=/path/to/python names one."
    node_is_recent || fail "Node.js 18 or later is needed, and npm; this machine has $(node --version)."
}

# --- Python and npm ------------------------------------------------------------------------------

# pip as the machine has it configured: indexes, certificates and wheels are its affair.
pip_install() {
    local environment=$1 lock=$2 python
    python=$(find_python) || return
    # One that works is brought up to date, so that a stack that runs from it goes on running.
    "$environment/bin/python" -m pip --version 2>/dev/null ||
        "$python" -m venv --clear "$environment" || return
    "$environment/bin/python" -m pip install --quiet --no-input --disable-pip-version-check \
        --require-hashes --requirement "$lock"
}

python_packages() {
    local wanted
    wanted=$(digest requirements.lock)
    if is_done python "$wanted" && .venv/bin/python -c '' 2>/dev/null; then return; fi
    run "[2/4] Python packages" pip_install .venv requirements.lock
    echo "$wanted" >"$STAMPS/python"
}

npm_packages() {
    local wanted
    wanted=$(digest package-lock.json)
    if is_done npm "$wanted" && [ -d node_modules/azurite ]; then return; fi
    run "[3/4] Azurite" npm ci --omit=dev --no-audit --no-fund --no-progress --loglevel=error
    echo "$wanted" >"$STAMPS/npm"
}

# That what was installed also runs: a library of the system's that is missing shows here.
check() {
    local wanted
    wanted=$(digest requirements.lock package-lock.json)
    is_done check "$wanted" && return
    run "[4/4] Check" .venv/bin/python -c '
import azure.functions, azure.durable_functions, azure.servicebus, azure.storage.blob
import psycopg, pypgstac.pypgstac, rasterio
from local.stack.postgres import Binaries
print(Binaries.find())'
    echo "$wanted" >"$STAMPS/check"
}

# --- what only some need -------------------------------------------------------------------------

browser_is_installed() { has chromium || has chromium-browser || has google-chrome; }

# Ubuntu has chromium as a snap only, which does not run everywhere: there, and where we may install
# nothing, the browser is left to the developer, and tests that want one are skipped.
browser() {
    browser_is_installed && return
    if has apt-get && may_install && ! grep -q '^ID=ubuntu' /etc/os-release; then
        run "[tests] Browser (chromium)" install_packages chromium
    else
        echo "No chromium on this machine: the tests in a browser will be skipped."
    fi
}

# Not `npm ci`, which would take Azurite away from under a stack that is up.
page_checks() {
    local wanted
    wanted=$(digest package-lock.json)
    if is_done page-checks "$wanted" && [ -d node_modules/axe-core ]; then return; fi
    run "[tests] Checks of pages (axe-core)" npm install --no-save --include=dev --no-audit --no-fund --no-progress --loglevel=error
    echo "$wanted" >"$STAMPS/page-checks"
}

peers() {
    local wanted
    if ! has ogr2ogr; then
        require_apt gdal-bin
        run "[bench] Peer (ogr2ogr)" install_packages gdal-bin
    fi
    wanted=$(digest requirements-bench.lock)
    if is_done bench "$wanted" && .local/venv-bench/bin/python -c '' 2>/dev/null; then return; fi
    run "[bench] Peers (procrastinate, Prefect, exactextract, rasterstats)" pip_install .local/venv-bench requirements-bench.lock
    echo "$wanted" >"$STAMPS/bench"
}

system
python_packages
npm_packages
check
case ${1:-} in
    '') ;;
    tests)
        browser
        page_checks
        ;;
    bench) peers ;;
    *) fail "usage: $0 [tests|bench]" ;;
esac
