"""Local accounts on a real ledger: who gets in, what is recorded of it, and what nobody learns."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from ledger import logins
from ledger.errors import FormatError
from ledger.identity.accounts import UNRECORDED, Accounts, Opened
from ledger.identity.alerts import Alert, people_to_alert, run_command
from ledger.identity.database import FILE, AccountsDatabase
from ledger.identity.denial import DeniedError
from ledger.identity.gate import WHILE_LOCKED, Came
from ledger.identity.invitations import VALID_US
from ledger.identity.passwords import Passwords
from ledger.identity.settings import IdentitySettings
from ledger.store.startup import Startup
from tests.ledger.small_ledger import SmallLedger, make
from tests.ledger.write_path import types_from

CHEAP = IdentitySettings(argon2_memory_kib=8, argon2_iterations=1, argon2_lanes=1)
PASSWORD = "a quiet river in june"
HERE = Came(address="192.0.2.7")
MINUTE_US = 60_000_000


class World:
    """A small ledger with accounts, and whom it told of locks."""

    def __init__(self, directory: Path) -> None:
        self.small: SmallLedger = make(directory, participants=1)
        self.told: list[Alert] = []
        self.database = AccountsDatabase.create(directory / FILE)
        self.accounts = self.open()

    def open(self, settings: IdentitySettings = CHEAP) -> Accounts:
        """Return the accounts as a process would hold them."""
        return Accounts(self.small.ledger, self.database, settings, study="small", tell=self.told.append)

    def enrol(self, person: str = "bchan", password: str = PASSWORD) -> Opened:
        """Let somebody set their first password by an invitation."""
        sources = self.small.sources
        secret = self.accounts.invitations.make(person, sources.now_us(), sources.random_bytes)
        return self.accounts.redeem(person, secret, password, HERE)

    def newest(self, back: int = 1) -> dict[str, object]:
        """Return the data of a newest statement."""
        stored = self.small.ledger.store.entry(self.small.ledger.store.head().size - back)
        assert stored is not None
        data: dict[str, object] = orjson.loads(stored.statement)["data"]
        return data

    def types(self, since: int) -> list[str]:
        """Return the types of what was recorded since a size."""
        return types_from(self.small, since)

    @property
    def size(self) -> int:
        """How much is recorded."""
        return self.small.ledger.store.head().size


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A ledger of the test's own."""
    made = World(tmp_path / "d")
    yield made
    made.database.close()


def denied(world: World, person: str, password: str, came: Came = HERE) -> str:
    """Return the code by which a login is denied."""
    with pytest.raises(DeniedError) as told:
        world.accounts.log_in(person, password, came)
    return told.value.code


# Passwords.


def test_a_login_is_recorded_and_opens_a_session(world: World) -> None:
    """The session names the event that began it (21 CFR 11.200(a)(1))."""
    world.enrol()
    size = world.size
    opened = world.accounts.log_in("bchan", PASSWORD, HERE)
    assert world.types(size) == ["login.succeeded"]
    assert world.newest()["components"] == ["password"]
    assert world.accounts.session(opened.secret).person == "bchan"
    entry = world.small.ledger.store.entry(size)
    assert entry is not None
    assert opened.session.login == entry.event


@pytest.mark.parametrize("person", ["bchan", "aruiz", "nobody-has-this-id", "service"])
def test_whoever_is_not_let_in_learns_no_more_than_that(world: World, person: str) -> None:
    """Wrong password, no password, nobody, the service: one code, and a lock after as many failures."""
    world.enrol()
    codes = [denied(world, person, "wrong", Came(address=f"192.0.2.{n}")) for n in range(6)]
    assert codes == ["UNAUTHENTICATED"] * 4 + ["LOCKED"] * 2


def test_who_has_no_password_costs_the_same_work(world: World) -> None:
    """An unknown id is checked against a verifier that nobody's password fits, of the same parameters."""
    passwords = world.accounts.passwords
    world.enrol()
    (kept,) = world.database.read("SELECT verifier FROM passwords")[0]
    assert kept.rsplit("$", 2)[0] == passwords._nobodys.rsplit("$", 2)[0]
    assert not passwords.check("nobody-has-this-id", "nobody's password")


def test_the_id_of_nobody_is_kept_nowhere(world: World) -> None:
    """It may be a password typed into the wrong field: counted under an HMAC, in log and files not at all."""
    size = world.size
    assert denied(world, "hunter2-my-secret", "x") == "UNAUTHENTICATED"
    assert world.size == size
    assert world.accounts.gate.counted == {"unknown_person": 1}
    for path in world.database.path.parent.glob("*.db*"):
        assert b"hunter2-my-secret" not in path.read_bytes()


def test_five_failures_lock_and_tell(world: World) -> None:
    """The lock is in the log with whom it names, and the operator's hook hears of it (21 CFR 11.300(d))."""
    world.enrol()
    size = world.size
    for _ in range(5):
        denied(world, "bchan", "wrong")
    assert world.types(size) == ["login.failed"] * 5 + ["login.locked"]
    assert world.newest()["alerted"] == ["admin"]
    assert [(each.kind, each.who, each.alerted) for each in world.told] == [
        ("login_locked", "bchan", ("admin",))
    ]
    assert denied(world, "bchan", PASSWORD) == "LOCKED"
    world.small.sources.advance(logins.LOCKED_US)
    world.accounts.log_in("bchan", PASSWORD, HERE)


def test_many_at_once_lock_once(world: World) -> None:
    """Failures that come together are judged one behind the other: one lock, and no breach of its rule."""
    size = world.size
    with ThreadPoolExecutor(max_workers=8) as pool:
        codes = list(
            pool.map(
                lambda n: denied(world, "bchan", "wrong", Came(address=f"192.0.2.{n}")),
                range(12),
            )
        )
    types = world.types(size)
    assert types[:6] == ["login.failed"] * 5 + ["login.locked"]
    assert types.count("login.locked") == 1
    assert "breach.detected" not in types
    assert codes.count("UNAUTHENTICATED") == 4
    assert len(world.told) == 1


def test_guessing_at_a_locked_id_does_not_fill_the_log(world: World) -> None:
    """Twenty attempts of an hour are recorded, further ones counted."""
    world.enrol()
    for _ in range(5):
        denied(world, "bchan", "wrong")
    size = world.size
    for n in range(WHILE_LOCKED + 3):
        denied(world, "bchan", "wrong", Came(address=f"192.0.2.{n}"))
    assert world.types(size) == ["login.failed"] * WHILE_LOCKED
    assert world.accounts.gate.counted["while_locked"] == 3


def test_one_strange_address_locks_nobody_out(world: World) -> None:
    """It is locked out itself, for as long, however often it comes back in a day; its person goes on."""
    world.enrol()
    size, strange = world.size, Came(address="198.51.100.9")
    codes = [denied(world, "bchan", "wrong", strange) for _ in range(6)]
    assert codes == ["UNAUTHENTICATED"] * 4 + ["LOCKED"] * 2
    for _ in range(6):
        world.small.sources.advance(logins.LOCKED_US)
        assert denied(world, "bchan", "wrong", strange) == "LOCKED"
    assert world.types(size) == ["login.failed"] * 4
    world.accounts.log_in("bchan", PASSWORD, HERE)
    world.small.sources.advance(logins.LOCKED_US)
    world.accounts.log_in("bchan", PASSWORD, strange)  # the right password is let in from anywhere


def test_an_administrator_lifts_a_lock(world: World) -> None:
    """Recorded as `configuration.changed`; the failures before count no more, and no rule is broken."""
    world.enrol()
    for _ in range(5):
        denied(world, "bchan", "wrong")
    assert denied(world, "bchan", PASSWORD) == "LOCKED"
    size = world.size
    changes = {"changes": [{"setting": "login_unlocked", "new": "bchan"}], "reference": "TICKET-8",
               "source": {"kind": "esource"}}  # fmt: skip
    by = ("admin", "sponsor_administrator", "approval")
    world.small.say("unlock", *by, "configuration.changed", "study", changes)
    world.accounts.log_in("bchan", PASSWORD, HERE)
    assert world.types(size) == ["configuration.changed", "login.succeeded"]


def test_an_address_has_to_wait_after_many_failures(world: World) -> None:
    """Whatever ids it tried; another address goes on."""
    world.accounts = world.open(replace(CHEAP, address_failures=3))
    world.enrol()
    assert [denied(world, f"somebody-{n}", "x") for n in range(4)] == ["UNAUTHENTICATED"] * 3 + [
        "TOO_MANY_ATTEMPTS"
    ]
    assert denied(world, "bchan", PASSWORD) == "TOO_MANY_ATTEMPTS"
    world.accounts.log_in("bchan", PASSWORD, Came(address="192.0.2.99"))
    assert [each.kind for each in world.told] == ["address_locked"]


def test_a_verifier_grows_with_the_settings(world: World) -> None:
    """The parameters stand in it; the next login replaces one that is weaker."""
    world.enrol()
    dearer = IdentitySettings(argon2_memory_kib=16, argon2_iterations=2, argon2_lanes=1)
    world.open(dearer).log_in("bchan", PASSWORD, HERE)
    (kept,) = world.database.read("SELECT verifier FROM passwords")[0]
    assert kept.startswith("$argon2id$v=19$m=16,t=2,p=1$")
    world.accounts.log_in("bchan", PASSWORD, HERE)


def test_a_copy_of_the_file_alone_lets_nobody_guess(world: World) -> None:
    """The password goes through a key of the service before it is hashed."""
    world.enrol()
    elsewhere = Passwords(world.database, b"another service's secret", CHEAP)
    assert not elsewhere.check("bchan", PASSWORD)


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("fourteen chars", "PASSWORD_LENGTH"),
        ("x" * 2_000, "PASSWORD_LENGTH"),
        ("aaaaaaaaaaaaaaaaaaaa", "PASSWORD_GUESSABLE"),
        ("BChan bchan bchan 2024!", "PASSWORD_GUESSABLE"),
    ],
)
def test_a_password_is_long_and_no_name(world: World, password: str, code: str) -> None:
    """Nothing is asked of its characters; the one-time secret is not used up by one that is refused."""
    sources = world.small.sources
    secret = world.accounts.invitations.make("bchan", sources.now_us(), sources.random_bytes)
    with pytest.raises(FormatError, match=code):
        world.accounts.redeem("bchan", secret, password, HERE)
    world.accounts.redeem("bchan", secret, "ünïcode is welcome here ✓", HERE)


def test_a_verifier_in_another_persons_row_lets_nobody_in(world: World) -> None:
    """Who can write to the file can't give their own password to somebody else."""
    world.enrol()
    with world.database.writing() as connection:
        connection.execute("INSERT INTO passwords SELECT 'admin', verifier, set_us FROM passwords")
        connection.execute("UPDATE invitations SET person = 'admin'")
    assert denied(world, "admin", PASSWORD) == "UNAUTHENTICATED"


# One-time secrets.


def test_a_secret_is_used_once(world: World) -> None:
    """It opens a session whose login says so, and is void after; as it is typed does not matter."""
    sources = world.small.sources
    secret = world.accounts.invitations.make("bchan", sources.now_us(), sources.random_bytes)
    world.accounts.redeem("bchan", f" {secret.lower().replace('-', ' ')}", PASSWORD, HERE)
    assert world.newest()["components"] == ["one_time_code"]
    with pytest.raises(DeniedError, match="UNAUTHENTICATED"):
        world.accounts.redeem("bchan", secret, PASSWORD, HERE)
    assert world.newest()["code"] == "wrong_component"


def test_a_secret_holds_for_a_day_and_until_the_next(world: World) -> None:
    """After 24 hours it is expired; a newer one makes the older void."""
    sources = world.small.sources
    first = world.accounts.invitations.make("bchan", sources.now_us(), sources.random_bytes)
    second = world.accounts.invitations.make("bchan", sources.now_us(), sources.random_bytes)
    assert world.accounts.invitations.redeem("bchan", first, sources.now_us()) == "wrong"
    sources.advance(VALID_US)
    with pytest.raises(DeniedError, match="UNAUTHENTICATED"):
        world.accounts.redeem("bchan", second, PASSWORD, HERE)
    assert world.newest()["code"] == "expired"
    assert world.accounts.invitations.open(sources.now_us()) == {}


def test_a_locked_secret_is_not_used_up(world: World) -> None:
    """While the id is locked nothing is checked, and so nothing is redeemed."""
    sources = world.small.sources
    secret = world.accounts.invitations.make("bchan", sources.now_us(), sources.random_bytes)
    for _ in range(5):
        denied(world, "bchan", "wrong")
    with pytest.raises(DeniedError, match="LOCKED"):
        world.accounts.redeem("bchan", secret, PASSWORD, HERE)
    sources.advance(logins.LOCKED_US)
    world.accounts.redeem("bchan", secret, PASSWORD, HERE)


# Sessions.


def test_a_change_of_password_ends_the_other_sessions(world: World) -> None:
    """The one that it came in goes on; each end is recorded; the old password is one no more."""
    other, here = world.enrol(), world.accounts.log_in("bchan", PASSWORD, HERE)
    size = world.size
    world.accounts.change(here.session, PASSWORD, "another quiet river", HERE)
    assert world.types(size) == ["session.ended"]
    assert (world.newest()["code"], world.newest()["statement"]) == ("revoked", other.session.login)
    assert world.accounts.session(here.secret).id == here.session.id
    assert denied(world, "bchan", PASSWORD) == "UNAUTHENTICATED"


def test_a_session_that_is_found_over_is_recorded_once(world: World) -> None:
    """Not used for the idle time: SESSION_EXPIRED for a day, `session.ended` once, and unknown after."""
    opened = world.enrol()
    size = world.size
    world.small.sources.advance(CHEAP.idle_minutes * MINUTE_US)
    with pytest.raises(DeniedError, match="SESSION_EXPIRED"):
        world.accounts.session(opened.secret)
    assert world.types(size) == ["session.ended"]
    assert world.newest()["code"] == "idle"
    world.accounts.sweep()
    with pytest.raises(DeniedError, match="SESSION_EXPIRED"):
        world.accounts.session(opened.secret)
    world.small.sources.advance(24 * 60 * MINUTE_US)
    with pytest.raises(DeniedError, match="UNAUTHENTICATED"):
        world.accounts.session(opened.secret)
    assert world.size == size + 1


def test_sessions_that_nobody_asks_for_are_swept(world: World) -> None:
    """The next login of anybody records their end."""
    world.enrol()
    world.small.sources.advance(CHEAP.lifetime_hours * 60 * MINUTE_US)
    size = world.size
    world.enrol("aruiz")
    assert world.types(size) == ["session.ended", "login.succeeded"]
    assert world.newest(2)["code"] == "limit"


def test_a_disabled_account_is_out_at_once(world: World) -> None:
    """The log says so, and no flag of ours: the open session ends, the right password is refused."""
    opened = world.enrol()
    world.small.say(
        "disabled", "admin", "sponsor_administrator", "approval", "account.disabled", "person/bchan",
        {"person": "bchan"},
    )  # fmt: skip
    with pytest.raises(DeniedError, match="UNAUTHENTICATED"):
        world.accounts.session(opened.secret)
    assert world.newest()["code"] == "revoked"
    assert denied(world, "bchan", PASSWORD) == "UNAUTHENTICATED"
    assert world.newest()["code"] == "disabled"


def test_nobody_logs_in_in_a_role_that_they_do_not_hold(world: World) -> None:
    """The role in use is named at login, and held."""
    world.enrol()
    with pytest.raises(DeniedError, match="ROLE_NOT_HELD"):
        world.accounts.log_in("bchan", PASSWORD, Came(address="192.0.2.7", role="auditor"))
    opened = world.accounts.log_in("bchan", PASSWORD, Came(address="192.0.2.7", role="coordinator"))
    assert opened.session.role == "coordinator"


def test_a_frozen_log_lets_people_in_and_still_locks(world: World) -> None:
    """Reading and emergency unblinding go on; nothing can be recorded, so failures count beside the log."""
    world.enrol()
    size = world.size
    world.small.ledger.startup = Startup(frozen=True, code="LOG_INCONSISTENT", message="for the test")
    opened = world.accounts.log_in("bchan", PASSWORD, HERE)
    assert opened.session.login == UNRECORDED
    world.accounts.end(opened.session, "signed_out")
    for n in range(5):
        denied(world, "bchan", "wrong", Came(address=f"192.0.2.{n}"))
    assert denied(world, "bchan", PASSWORD) == "LOCKED"
    assert world.size == size


# Alerts.


def test_administrators_are_told_and_never_only_the_one_who_is_locked(world: World) -> None:
    """Active ones; where the administrator is the one, the root persons."""
    authority = world.accounts.gate.heads.now().authority
    assert people_to_alert(authority, "bchan") == ("admin",)
    assert people_to_alert(authority, "admin") == ("root1",)


def test_the_operators_program_gets_one_line(tmp_path: Path) -> None:
    """JSON on its standard input; one that is not there keeps nothing from going on."""
    out = tmp_path / "out"
    alert = Alert(kind="login_locked", study="small", failures=5, who="bchan", alerted=("admin",))
    write = f"import pathlib, sys; pathlib.Path({str(out)!r}).write_text(sys.stdin.read())"
    run_command([sys.executable, "-c", write], alert).join()
    assert orjson.loads(out.read_bytes())["who"] == "bchan"
    run_command([str(tmp_path / "missing")], alert).join()
