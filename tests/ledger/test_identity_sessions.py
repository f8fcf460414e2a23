"""Server-side sessions and the file that they lie in."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.errors import StoreError
from ledger.identity.database import FILE, AccountsDatabase, Part
from ledger.identity.sessions import PART, Session, Sessions

LOGIN = "0" * 64
SECRET = b"a key of the service"
IDLE_US, LIFETIME_US = 600, 3_600


@pytest.fixture
def database(tmp_path: Path) -> Iterator[AccountsDatabase]:
    """A new file."""
    with AccountsDatabase.create(tmp_path / FILE) as made:
        yield made


@pytest.fixture
def sessions(database: AccountsDatabase) -> Sessions:
    """Sessions with limits that a test can tell apart."""
    return Sessions(database, SECRET, idle_us=IDLE_US, lifetime_us=LIFETIME_US)


def begin(sessions: Sessions, now_us: int = 0) -> str:
    """Open a session of one person."""
    return sessions.begin("bchan", LOGIN, ["password"], now_us=now_us, random_bytes=os.urandom)


def found(sessions: Sessions, secret: str, now_us: int) -> Session:
    """Return a session that has to be open."""
    session = sessions.find(secret, now_us)
    assert session is not None
    return session


def test_a_session_is_found_by_its_secret_alone(sessions: Sessions) -> None:
    """Its secret opens it; the hash that is kept of it does not."""
    secret = begin(sessions)
    session = found(sessions, secret, 1)
    assert (session.person, session.components, session.signed_us) == ("bchan", ("password",), None)
    assert sessions.find(session.id, 1) is None
    assert len(secret) == 43


def test_a_session_ends_by_not_being_used(sessions: Sessions) -> None:
    """Use puts the end off; without it the session is over at the idle time."""
    secret = begin(sessions)
    assert sessions.find(secret, IDLE_US) is None
    sessions.touch(found(sessions, secret, 500), 500)
    assert sessions.over(found(sessions, secret, 1_099), 1_099) is None
    assert sessions.over(found(sessions, secret, 1_099), 1_100) == "idle"


def test_a_session_ends_by_its_lifetime(sessions: Sessions) -> None:
    """However often it is used."""
    secret = begin(sessions)
    for now_us in range(0, LIFETIME_US, 300):
        sessions.touch(found(sessions, secret, now_us), now_us)
    assert sessions.find(secret, LIFETIME_US) is None
    (over,) = sessions.all_over(LIFETIME_US)
    assert sessions.over(over, LIFETIME_US) == "limit"


def test_the_end_of_a_session_is_one_callers(sessions: Sessions) -> None:
    """Of two who find it over one records its end."""
    session = found(sessions, begin(sessions), 1)
    assert [sessions.end(session), sessions.end(session)] == [True, False]


def test_a_second_component_is_remembered(sessions: Sessions) -> None:
    """The session knows when it was last given (21 CFR 11.200(a)(1)(i))."""
    secret = begin(sessions)
    sessions.signed(found(sessions, secret, 7), 7)
    assert found(sessions, secret, 8).signed_us == 7


def test_another_process_sees_the_same_sessions(sessions: Sessions, database: AccountsDatabase) -> None:
    """The file is shared, not the memory."""
    secret = begin(sessions)
    with AccountsDatabase(database.path) as other:
        others = Sessions(other, SECRET, idle_us=IDLE_US, lifetime_us=LIFETIME_US)
        others.end(found(others, secret, 1))
    assert sessions.find(secret, 1) is None


def test_nobody_else_reads_the_file_or_those_beside_it(
    sessions: Sessions, database: AccountsDatabase
) -> None:
    """Mode 0600, the write-ahead log included, and no secret stands in any of them."""
    secret = begin(sessions)
    files = list(database.path.parent.iterdir())
    assert {path.name for path in files} >= {FILE, f"{FILE}-wal"}
    for path in files:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert secret.encode() not in path.read_bytes()


@pytest.mark.parametrize("column", ["person = 'aruiz'", "role = 'root'", "used_us = 9999", "signed_us = 5"])
def test_a_row_that_somebody_else_wrote_opens_nothing(
    sessions: Sessions, database: AccountsDatabase, column: str
) -> None:
    """Who can write to the file changes no session into another person's, and makes none last."""
    secret = begin(sessions)
    assert sessions.find(secret, 1) is not None
    with database.writing() as connection:
        connection.execute(f"UPDATE sessions SET {column}")
    assert sessions.find(secret, 1) is None
    elsewhere = Sessions(database, b"another key", idle_us=IDLE_US, lifetime_us=LIFETIME_US)
    assert sessions.find(begin(elsewhere), 1) is None


def test_tables_of_another_version_are_refused(database: AccountsDatabase) -> None:
    """A part whose script has changed is not taken for what it was."""
    database.add(PART)
    with pytest.raises(StoreError, match="STORE_VERSION"):
        database.add(Part(name=PART.name, script="accounts.sql", package=PART.package))


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    """Nothing creates itself."""
    with pytest.raises(StoreError, match="STORE_MISSING"):
        AccountsDatabase(tmp_path / FILE)
