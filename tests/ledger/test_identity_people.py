"""`people`: invitations, resets that are signed and recorded, and what the list shows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger.cli.app import run
from ledger.directory import ACCOUNTS, CONFIG, open_ledger, read_config
from ledger.errors import StoreError
from ledger.identity.accounts import Accounts
from ledger.identity.database import AccountsDatabase
from ledger.identity.denial import DeniedError
from ledger.identity.gate import Came
from ledger.keyfile import KeyMaterial, write_key
from ledger.sources import SystemSources
from tests.api.client import write_directory
from tests.ledger.small_ledger import SmallLedger, seed

HERE = Came(address="192.0.2.7")
PASSWORD = "a quiet river in june"


class Made:
    """A small ledger in its directory, as the command opens it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.small: SmallLedger = write_directory(directory)
        with (directory / CONFIG).open("a") as file:
            file.write("\n[identity]\nargon2_memory_kib = 8\nargon2_iterations = 1\nargon2_lanes = 1\n")
        self.ledger = open_ledger(directory, None, SystemSources())
        self.key = directory.parent / "admin.json"
        write_key(self.key, KeyMaterial(alg="ed25519", secret=seed("admin")), None)

    def accounts(self, database: AccountsDatabase) -> Accounts:
        """Return the accounts as a service beside the command holds them."""
        config = read_config(self.directory)
        return Accounts(self.ledger, database, config.identity, study=config.study)


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Made]:
    """A ledger of the test's own, without accounts yet."""
    ledger = Made(tmp_path / "ledger")
    yield ledger
    ledger.ledger.close()
    ledger.small.ledger.close()


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    """Run a command that succeeds; return what it prints for programs."""
    assert run([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_first_person_is_invited_by_a_command(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    """It makes the file of accounts, readable by its owner alone, and its secret lets one person in once."""
    told = said(capsys, "people", "invite", str(made.directory), "root1")
    assert (made.directory / ACCOUNTS).stat().st_mode & 0o777 == 0o600
    with AccountsDatabase(made.directory / ACCOUNTS) as database:
        accounts = made.accounts(database)
        sources = made.ledger.sources
        accounts.invitations.make("root1", sources.now_us(), sources.random_bytes)
        assert accounts.invitations.redeem("root1", told["secret"], 0) == "wrong"
        told = said(capsys, "people", "invite", str(made.directory), "root1")
        accounts.redeem("root1", told["secret"], PASSWORD, HERE)
        assert accounts.log_in("root1", PASSWORD, HERE).session.person == "root1"


@pytest.mark.parametrize(("person", "code"), [("nobody", "PERSON_UNKNOWN"), ("service", "PERSON_UNKNOWN")])
def test_nobody_whom_the_log_does_not_know_is_invited(
    made: Made, capsys: pytest.CaptureFixture[str], person: str, code: str
) -> None:
    """Nor the service."""
    assert run(["people", "invite", str(made.directory), person]) == 1
    assert code in capsys.readouterr().err


def test_a_reset_is_signed_and_recorded_before_its_secret_is_told(
    made: Made, capsys: pytest.CaptureFixture[str]
) -> None:
    """The log says who did it and why; every session ends, and the old password is one no more."""
    directory = str(made.directory)
    told = said(capsys, "people", "invite", directory, "bchan")
    with AccountsDatabase(made.directory / ACCOUNTS) as database:
        accounts = made.accounts(database)
        opened = accounts.redeem("bchan", told["secret"], PASSWORD, HERE)
        assert run(["people", "invite", directory, "bchan"]) == 1
        assert "PASSWORD_SET" in capsys.readouterr().err
        size = made.small.ledger.store.head().size
        reset = ["people", "reset", directory, "bchan", "--key", str(made.key), "--reference", "TICKET-7"]
        told = said(capsys, *reset)
        entries = made.small.ledger.store.entries(size, made.small.ledger.store.head().size)
        assert [entry.type for entry in entries] == ["configuration.changed", "session.ended"]
        statement = json.loads(entries[0].statement)
        assert statement["actor"]["id"] == "admin"
        assert statement["data"]["changes"] == [{"new": "bchan", "setting": "password_reset"}]
        with pytest.raises(DeniedError, match="UNAUTHENTICATED"):
            accounts.session(opened.secret)
        with pytest.raises(DeniedError, match="UNAUTHENTICATED"):
            accounts.log_in("bchan", PASSWORD, HERE)
        accounts.redeem("bchan", told["secret"], "another quiet river", HERE)


def test_nobody_resets_their_own(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    """It takes another administrator."""
    reset = ["people", "reset", str(made.directory), "admin", "--key", str(made.key), "--reference", "x"]
    assert run(reset) == 1
    assert "SAME_PERSON" in capsys.readouterr().err


def test_the_list_shows_who_can_log_in(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    """Roles of the log, whether there is a password or an invitation; no secret."""
    secret = said(capsys, "people", "invite", str(made.directory), "bchan")["secret"]
    value = said(capsys, "people", "list", str(made.directory))
    rows = {row["person"]: row for row in value["people"]}
    assert rows.keys() == {"root1", "admin", "aruiz", "bchan"}
    assert rows["bchan"]["roles"] == ["coordinator"]
    assert rows["bchan"]["invited_until"] is not None
    assert rows["admin"]["invited_until"] is None
    assert run(["people", "list", str(made.directory)]) == 0
    shown = capsys.readouterr().out
    assert "invited" in shown
    assert secret not in shown


def test_another_processs_commit_is_seen(made: Made) -> None:
    """Accounts ask the log at its head: a role that another process recorded is there."""
    with AccountsDatabase.create(made.directory / ACCOUNTS) as database:
        accounts = made.accounts(database)
        before = accounts.heads.now()
        data = {"person": "bchan", "role": "coordinator"}
        made.small.say("taken", "root", "root", "approval", "role.revoked", "person/bchan", data)
        assert "coordinator" in before.authority.persons["bchan"].roles
        assert "coordinator" not in accounts.heads.now().authority.persons["bchan"].roles
        with pytest.raises(StoreError, match="STORE_EXISTS"):
            AccountsDatabase.create(made.directory / ACCOUNTS)
