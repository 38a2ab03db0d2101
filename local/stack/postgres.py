"""A PostgreSQL cluster of our own, with PostGIS, from the system's packages.

The cluster belongs to this checkout: it shares nothing with a server that the machine may already
run. It listens on the loopback interface only and asks for a password, which is made at random
and kept beside the data where only its owner can read it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pwd
import re
import secrets
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from local.stack.errors import NotHealthy, StackError
from local.stack.health import postgres_answers
from local.stack.part import Part
from local.stack.ports import HOST
from local.stack.process import Identity, Process, as_user
from local.stack.settings import ROLE

DATABASE = "geoforge"

_PACKAGED = Path("/usr/lib/postgresql")
_FALLBACK = Path("/var/lib/geoforge")

# For a laptop that does other work as well; a durable server in every respect.
_CONFIGURATION = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "effective_cache_size": "2GB",
    "work_mem": "16MB",
    "maintenance_work_mem": "256MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "on",
    "random_page_cost": "1.1",
    # Compiling a plan costs more than it saves on queries of the ledger's size.
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %a ",
}

# Still safe against the death of the server's processes: a commit is in the kernel's hands.
_NOT_DURABLE = {"fsync": "off", "full_page_writes": "off"}


@dataclass(frozen=True)
class Binaries:
    """An installed PostgreSQL: its major version and where its programs are."""

    major: int
    directory: Path

    @classmethod
    def find(cls, major: int | None = None) -> Binaries:
        """Find a PostgreSQL server that has PostGIS; the newest, or the one asked for.

        Args:
            major: the version of an existing cluster, which only that version can open.

        Raises:
            StackError: there is none; names the packages to install.
        """
        found = [binaries for binaries in _installed() if binaries.has_postgis()]
        if major is not None:
            found = [binaries for binaries in found if binaries.major == major]
        if not found:
            version = "" if major is None else f" {major}"
            packages = "postgresql postgis" if major is None else f"postgresql-{major}-postgis-3"
            raise StackError(
                f"PostgreSQL{version} with PostGIS is not installed: run `make setup`, "
                f"or install it yourself (Debian, Ubuntu: apt-get install {packages})."
            )
        return max(found, key=lambda binaries: binaries.major)

    def has_postgis(self) -> bool:
        """Whether the PostGIS extension is installed for this server."""
        answer = subprocess.run(
            [self.directory / "pg_config", "--sharedir"],
            capture_output=True,
            text=True,
            check=False,
        )
        # pg_config itself is in a package that a server does not need.
        share = answer.stdout.strip() or f"/usr/share/postgresql/{self.major}"
        return Path(share, "extension", "postgis.control").exists()

    def program(self, name: str) -> str:
        """The path of one of its programs."""
        return str(self.directory / name)


def _installed() -> list[Binaries]:
    directories = [path.parent for path in _PACKAGED.glob("*/bin/postgres")]
    on_path = shutil.which("postgres")
    if on_path:
        directories.append(Path(on_path).resolve().parent)
    found = []
    for directory in directories:
        answer = subprocess.run(
            [directory / "postgres", "--version"], capture_output=True, text=True, check=False
        )
        version = re.search(r"\b(\d+)(?:\.|devel|beta|rc)", answer.stdout)
        if version:
            found.append(Binaries(int(version[1]), directory))
    return found


def server_user() -> str | None:
    """The user that the server runs as: our own, or another where we are root.

    PostgreSQL refuses to run as root. Its packages make the user `postgres`.
    """
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


@dataclass(frozen=True)
class Cluster:
    """One data directory and the server on it.

    Attributes:
        home: the directory that holds the data directory and the password.
        port: where its server listens.
        durable: whether a commit survives the loss of power; off only for tests.
    """

    home: Path
    port: int
    durable: bool = True

    @classmethod
    def under(cls, state: Path, port: int, *, durable: bool = True) -> Cluster:
        """The cluster of a state directory.

        Its data is in there, unless we are root and the user that runs the server cannot get
        in, as in a checkout under /root: then it is under /var/lib/geoforge.
        """
        home = state / "postgres"
        user = server_user()
        if user is not None and not _can_enter(user, state):
            digest = hashlib.sha256(str(state).encode()).hexdigest()[:12]
            home = _FALLBACK / digest
        return cls(home, port, durable)

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.home / "data"

    @property
    def password(self) -> str:
        """The password of our role. The cluster must have been created."""
        return (self.home / "password").read_text().strip()

    def url(self, database: str = DATABASE) -> str:
        """The libpq URL of one of its databases."""
        return f"postgresql://{ROLE}:{quote(self.password)}@{HOST}:{self.port}/{database}"

    def exists(self) -> bool:
        """Whether the cluster has been created."""
        return (self.data / "PG_VERSION").exists()

    def create(self) -> None:
        """Create the cluster, unless there is one.

        Raises:
            StackError: it cannot be created.
        """
        if self.exists():
            return
        binaries = Binaries.find()
        user = server_user()
        self.home.mkdir(parents=True, exist_ok=True)
        self.home.chmod(0o755)
        # What an interrupted attempt left behind is not a cluster yet, and holds nothing.
        shutil.rmtree(self.data, ignore_errors=True)
        password_file = self.home / "password"
        self._hand_over(password_file, secrets.token_hex(16), user)
        self.data.mkdir(mode=0o700)
        if user is not None:
            shutil.chown(self.data, user)
        answer = subprocess.run(
            [
                *(binaries.program("initdb"), "--pgdata", str(self.data)),
                *("--username", ROLE, "--pwfile", str(password_file)),
                *("--auth-host", "scram-sha-256", "--auth-local", "reject"),
                *("--encoding", "UTF8", "--locale", "C.UTF-8", "--data-checksums"),
                *(() if self.durable else ("--no-sync",)),
            ],
            capture_output=True,
            text=True,
            check=False,
            cwd=self.home,
            **as_user(user),
        )
        if user is not None:
            shutil.chown(password_file, "root")
        if answer.returncode != 0:
            raise StackError(f"PostgreSQL's initdb failed: {answer.stderr.strip()}")

    @staticmethod
    def _hand_over(path: Path, secret: str, user: str | None) -> None:
        """Write a secret to a new file that only one user can read."""
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="ascii") as file:
            file.write(secret)
        if user is not None:
            shutil.chown(path, user)

    def remove(self) -> None:
        """Delete the cluster and all that is in it. Its server must have been stopped."""
        shutil.rmtree(self.home, ignore_errors=True)

    def running(self) -> Process | None:
        """The server that runs on the data directory, whoever started it."""
        pid = self._recorded_pid()
        identity = None if pid is None else Identity.of(pid)
        if identity is None or not self._is_server(identity.pid):
            return None
        return Process(identity)

    def _recorded_pid(self) -> int | None:
        try:
            first = (self.data / "postmaster.pid").read_text().partition("\n")[0]
            return int(first)
        except (FileNotFoundError, ValueError):
            return None

    def _is_server(self, pid: int) -> bool:
        # A server's working directory is its data directory.
        try:
            return Path(f"/proc/{pid}/cwd").resolve(strict=True) == self.data.resolve()
        except OSError:
            return False

    def clear_stale_lock(self) -> None:
        """Remove the lock file of a server that was killed.

        The server does so itself, unless another of its user's processes, say the system's own
        PostgreSQL, has been given the same process id since: then it would refuse to start.

        Raises:
            StackError: a server still runs on the data directory.
        """
        if self.running() is not None:
            raise StackError(f"another PostgreSQL server runs on {self.data}")
        pid = self._recorded_pid()
        if pid is None:
            return
        with contextlib.suppress(OSError):
            # Readable, so that we know the process is not ours; unreadable proves nothing.
            Path(f"/proc/{pid}/cwd").resolve(strict=True)
            (self.data / "postmaster.pid").unlink()

    def prepare(self) -> None:
        """Make the data directory ready for a server to start on it."""
        self.create()
        self.clear_stale_lock()

    def part(self, log: Path) -> Part:
        """The server as a part of the stack. Creates the cluster, whose version it must know."""
        self.create()
        binaries = Binaries.find(int((self.data / "PG_VERSION").read_text()))
        settings = {**_CONFIGURATION, **({} if self.durable else _NOT_DURABLE)}
        options = [f"--{name}={value}" for name, value in settings.items()]
        return Part(
            name="postgres",
            title="PostgreSQL",
            address=f"{HOST}:{self.port}",
            command=(
                *(binaries.program("postgres"), "-D", str(self.data)),
                *(f"--port={self.port}", *options),
            ),
            environment={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"},
            directory=self.home,
            log=log,
            prepare=self.prepare,
            alive=lambda: postgres_answers(self.url("postgres")),
            ready=self.ensure_database,
            user=server_user(),
            # Fast shutdown: ends connections, rolls back what is open, writes a checkpoint.
            stop_signal=signal.SIGINT,
            stop_seconds=60.0,
        )

    def ensure_database(self) -> None:
        """Create our database where it is missing. Raises NotHealthy while that cannot be done."""
        postgres_answers(self.url("postgres"))
        self.create_database(DATABASE)

    def create_database(self, name: str, template: str | None = None) -> str:
        """Create a database, unless it exists.

        Args:
            name: the new database.
            template: the database that it is to be a copy of; nobody may be connected to that.

        Returns:
            The URL of the database.

        Raises:
            NotHealthy: the server refuses.
        """
        statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
        if template is not None:
            statement += sql.SQL(" TEMPLATE {}").format(sql.Identifier(template))
        try:
            with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
                connection.execute(statement)
        except psycopg.errors.DuplicateDatabase:
            pass
        except psycopg.Error as error:
            raise NotHealthy(f"cannot create the database {name}: {error}") from error
        return self.url(name)


def _can_enter(user: str, directory: Path) -> bool:
    """Whether another user can reach a directory, asked of the kernel as that user."""
    directory.mkdir(parents=True, exist_ok=True)
    answer = subprocess.run(["test", "-x", directory], check=False, cwd="/", **as_user(user))
    return answer.returncode == 0


def wait_for_database(url: str, seconds: float) -> None:
    """Wait until a database takes connections.

    Raises:
        StackError: it does not in so many seconds. The reason never shows the password.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            return postgres_answers(url)
        except NotHealthy as error:
            if time.monotonic() > deadline:
                raise StackError(f"DATABASE_URL: {error}") from error
        time.sleep(0.5)
