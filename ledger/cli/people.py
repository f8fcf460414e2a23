"""`people`: who can log in; a one-time secret for a first password and after a reset; a lock that is lifted.

An invitation is for somebody who has no password yet, the first administrator too. A reset is an
administrator's act: it is signed with their key and recorded (`configuration.changed`) before the secret is
printed, ends every session of the person, and shows again in the log when the secret is used
(`login.succeeded` by `one_time_code`). Neither gives access to a signing key: those are under the signer's
own secret.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from ledger.cli.terminal import AsJson, Directory, opened, read_key, say, show
from ledger.directory import ACCOUNTS, read_config
from ledger.errors import RefusedError
from ledger.identity.accounts import Accounts
from ledger.identity.assertions import make_assertion
from ledger.identity.database import AccountsDatabase
from ledger.identity.reach import Head, roles_of
from ledger.keys import SigningKey
from ledger.lines import counted
from ledger.prepare import Signer
from ledger.sources import SystemSources
from ledger.state.people import LOGIN_UNLOCKED
from ledger.times import format_instant

RESET: Final = "password_reset"

Person = Annotated[str, typer.Argument(metavar="PERSON", help="Id of the person in the log.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    people = typer.Typer(help="Who can log in: invite, list, reset.", no_args_is_help=True)
    people.command()(invite)
    people.command(name="list")(list_people)
    people.command()(reset)
    people.command()(unlock)
    people.command(name="assert")(assert_key)
    app.add_typer(people, name="people")


def invite(directory: Directory, person: Person, as_json: AsJson = False) -> None:
    """Print a one-time secret by which a person sets their first password; it holds for 24 hours.

    Makes the file of accounts where a ledger has none yet.
    """
    with _accounts(directory) as accounts:
        _require_active(accounts.heads.now(), person)
        if accounts.passwords.has_one(person):
            raise RefusedError("PASSWORD_SET", "the person has a password: an administrator resets it")
        _hand_out(accounts, person, as_json)


def reset(
    directory: Directory,
    person: Person,
    key: Annotated[Path, typer.Option(help="Key file of the administrator who resets.")],
    reference: Annotated[str, typer.Option(help="Ticket or letter in which the person asked.")],
    role: Annotated[str, typer.Option(help="Role that they sign in.")] = "sponsor_administrator",
    as_json: AsJson = False,
) -> None:
    """Take a person's password away, end their sessions, and print a one-time secret; it is recorded."""
    signing = read_key(key).signing_key()
    with _accounts(directory) as accounts:
        _require_active(accounts.heads.now(), person)
        _change(accounts, signing, role, RESET, person, reference)
        accounts.passwords.remove(person)
        accounts.end_all(person, "revoked")
        _hand_out(accounts, person, as_json)


def unlock(
    directory: Directory,
    person: Person,
    key: Annotated[Path, typer.Option(help="Key file of the administrator who lifts the lock.")],
    reference: Annotated[str, typer.Option(help="Ticket or letter in which the person asked.")],
    role: Annotated[str, typer.Option(help="Role that they sign in.")] = "sponsor_administrator",
    as_json: AsJson = False,
) -> None:
    """Lift the lock that failed attempts put on a login; it is recorded. Password and sessions stay."""
    signing = read_key(key).signing_key()
    with _accounts(directory) as accounts:
        _require_active(accounts.heads.now(), person)
        locked_s = accounts.gate.retry_s(person)
        _change(accounts, signing, role, LOGIN_UNLOCKED, person, reference)
        accounts.attempts.succeeded("id", person)
    show({"person": person, "was_locked_for_s": locked_s}, as_json)


def _change(
    accounts: Accounts, signing: SigningKey, role: str, setting: str, person: str, reference: str
) -> None:
    """Record what an administrator does to another person's login, before it is done."""
    signer = Signer.of_log(accounts.ledger, signing)
    if signer.person == person:
        raise RefusedError("SAME_PERSON", "expected another administrator than the person")
    action = {
        "type": "configuration.changed",
        "stream": "study",
        "role": role,
        "meaning": "approval",
        "data": {
            "changes": [{"setting": setting, "new": person}],
            "reference": reference,
            "source": {"kind": "esource"},
        },
    }
    accounts.ledger.record(signer.submission(accounts.ledger, action, {}))


def list_people(directory: Directory, as_json: AsJson = False) -> None:
    """List the people whom the log knows: roles, password or invitation, open sessions."""
    with _accounts(directory) as accounts:
        accounts.sweep()
        head, now_us = accounts.heads.now(), accounts.ledger.sources.now_us()
        passwords, invited = accounts.passwords.people(), accounts.invitations.open(now_us)
        rows: list[dict[str, Any]] = [
            {
                "person": person,
                "active": head.is_active(person),
                "roles": sorted(roles_of(head, person)),
                "password_set": format_instant(passwords[person]) if person in passwords else None,
                "invited_until": format_instant(invited[person]) if person in invited else None,
                "sessions": len(accounts.sessions.of(person)),
            }
            for person in sorted({*head.authority.persons, *head.authority.roots})
            if head.person(person) is not None
        ]
    if as_json:
        show({"people": rows}, as_json=True)
        return
    width = max((len(row["person"]) for row in rows), default=0)
    for row in rows:
        access = "password" if row["password_set"] else "invited" if row["invited_until"] else "no password"
        state, roles = "active" if row["active"] else "disabled", " ".join(row["roles"]) or "-"
        sessions = counted(row["sessions"], "session", "sessions")
        print(f"{row['person']:<{width}}  {state:<8}  {access:<11}  {sessions}  {roles}")


def assert_key(
    key: Annotated[Path, typer.Argument(metavar="KEY", help="Key file of the program or person.")],
    person: Annotated[str, typer.Option(help="Whose key it is in the log.")],
    audience: Annotated[str, typer.Option(help="Origin of the log, or URL of the study in its settings.")],
    as_json: AsJson = False,
) -> None:
    """Print an assertion that lets its holder make one request within the next minute."""
    sources, signing = SystemSources(), read_key(key).signing_key()
    assertion = make_assertion(
        signing, person, audience, now_us=sources.now_us(), random_bytes=sources.random_bytes
    )
    if as_json:
        show({"person": person, "audience": audience, "assertion": assertion}, as_json)
    else:
        print(assertion)


@contextmanager
def _accounts(directory: Path) -> Iterator[Accounts]:
    config = read_config(directory)
    with opened(directory, lazy=True) as ledger:
        path = directory / ACCOUNTS
        file = AccountsDatabase(path) if path.exists() else AccountsDatabase.create(path)
        with file as database:
            yield Accounts(ledger, database, config.identity, study=config.study)


def _require_active(head: Head, person: str) -> None:
    if head.person(person) is None:
        raise RefusedError("PERSON_UNKNOWN", "the log does not know this person")
    if not head.is_active(person):
        raise RefusedError("ACCOUNT_INACTIVE", "the account is disabled")


def _hand_out(accounts: Accounts, person: str, as_json: bool) -> None:
    sources = accounts.ledger.sources
    now_us = sources.now_us()
    secret = accounts.invitations.make(person, now_us, sources.random_bytes)
    until = format_instant(accounts.invitations.open(now_us)[person])
    show({"person": person, "secret": secret, "until": until}, as_json)
    if not as_json:
        say("\nIt is shown once and used once. Give it to the person alone, on another way than their id.")
