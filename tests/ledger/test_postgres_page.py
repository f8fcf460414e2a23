"""docs/postgresql.md, done as it says: its SQL with psql and its commands, in the order of the page."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.ledger.small_ledger import DEFINITION
from tests.ledger.test_cli import run
from tests.postgres_server import PostgresServer, Unavailable, cluster, in_memory
from tests.shared import ROOT

PAGE: Final = ROOT / "docs" / "postgresql.md"
BLOCK: Final = re.compile(r"^```(sql|sh) ?(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
PSQL: Final = shutil.which("psql")

pytestmark = pytest.mark.skipif(PSQL is None, reason="psql is not installed")


def psql(url: str, statements: str) -> subprocess.CompletedProcess[str]:
    """Run statements as an operator does, up to the first that fails."""
    command = [str(PSQL), "--no-psqlrc", "--set", "ON_ERROR_STOP=1", url]
    return subprocess.run(command, input=statements, capture_output=True, text=True, check=False)


def sh(commands: str, events: PostgresServer, apart: PostgresServer) -> None:
    """Run commands of the page, with the addresses that stand for its words."""
    words = {
        "EVENTS": f"127.0.0.1:{events.port}",
        "APART": f"127.0.0.1:{apart.port}",
        "STUDY": str(DEFINITION),
    }
    text = re.sub("|".join(words), lambda found: words[found[0]], commands.replace("\\\n", " "))
    for line in text.strip().splitlines():
        command, *arguments = shlex.split(line)
        if command == "trial-ledger":
            done = run(*arguments)
            assert done.code == 0, done.err
        else:
            subprocess.run([command, *arguments], check=True)


def refused(server: PostgresServer, role: str, statements: str, because: str) -> None:
    """Check that each statement is refused to a role."""
    for statement in statements.strip().splitlines():
        done = psql(f"postgresql://{role}@127.0.0.1:{server.port}/ledgers", statement)
        assert done.returncode != 0, statement
        assert because in done.stderr, done.stderr


def test_the_page_is_done_as_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two clusters from nothing: roles, a ledger, a second host, what is refused, what is looked at."""
    monkeypatch.chdir(tmp_path)
    try:
        with cluster(in_memory(), 150) as events, cluster(in_memory(), 150) as apart:
            events.init(bare=True)
            apart.init(bare=True)
            for kind, where, text in BLOCK.findall(PAGE.read_text("utf-8")):
                if kind == "sh":
                    sh(text, events, apart)
                elif where == "refused":
                    refused(events, "ledger_writer", text, "permission denied")
                    refused(events, "ledger_owner", text, "APPEND_ONLY")
                else:
                    server = apart if where == "apart" else events
                    database = "ledgers" if where == "looking" else "postgres"
                    done = psql(server.conninfo(database), text)
                    assert done.returncode == 0, done.stderr
    except Unavailable as error:
        pytest.skip(str(error))
