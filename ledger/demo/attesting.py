"""Who came in and who looked: logins, sessions, views, prompts, copies and exports (catalogue A)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any, Final

from ledger import canonical, logins
from ledger.committer import Ledger
from ledger.demo.cast import ADMINISTRATOR, AUDITOR, DATA_MANAGER, MONITOR, STATISTICIAN, person_at
from ledger.demo.office import Desk
from ledger.demo.schedule import Plan
from ledger.demo.setup import Setup
from ledger.demo.stage import Story
from ledger.statement import parse_statement
from ledger.verify.options import Scope
from ledger.views import View, note_view

LOGGED_IN: Final = date(2024, 6, 11)
LOCKED_OUT: Final = date(2024, 6, 12)
VIEWED: Final = date(2024, 8, 21)
PROMPTED: Final = date(2024, 7, 3)
EXPORTED: Final = date(2024, 11, 27)
MORNING: Final = 7 * 60

_ADDRESS: Final = "192.0.2.17"  # of the block that is kept for documentation
_PROMPTS: Final = 23  # three more than are recorded in an hour
_PAGE: Final = 1000


def stories(setup: Setup, plans: Iterable[Plan]) -> Iterator[Story]:
    """Yield all of them; prompts only where there is a participant."""
    yield _logins(setup)
    yield _locked_out(setup)
    yield _views(setup)
    yield _exports(setup)
    for plan in plans:
        yield _prompts(setup, plan)
        return


def _logins(setup: Setup) -> Story:
    """A morning of one coordinator: signed in, idle, signed in again, signed out."""
    desk = Desk(setup, LOGGED_IN, MORNING)
    ledger, who = setup.stage.ledger, person_at(_first(setup), "coordinator")
    yield desk.wait()
    first = logins.succeeded(ledger, who, address=_ADDRESS, components=["password", "one_time_code"])
    yield desk.wait(45)
    logins.ended(ledger, who, first.event, "idle")
    yield desk.wait(12)
    again = logins.succeeded(ledger, who, address=_ADDRESS, components=["passkey"])
    yield desk.wait(200)
    logins.ended(ledger, who, again.event, "signed_out")


def _locked_out(setup: Setup) -> Story:
    """Somebody forgets a password until the login is locked; half an hour later it works again."""
    desk = Desk(setup, LOCKED_OUT, MORNING)
    ledger, who = setup.stage.ledger, person_at(_last(setup), "blinded_rater")
    locked = False
    while not locked:
        yield desk.wait(1)
        locked = logins.failed(
            ledger, who, address=_ADDRESS, code="wrong_component", alerted=[ADMINISTRATOR, who]
        )
    yield desk.wait(40)
    found = logins.succeeded(ledger, who, address=_ADDRESS, components=["passkey"])
    yield desk.wait(90)
    logins.ended(ledger, who, found.event, "limit")


def _views(setup: Setup) -> Story:
    """A statistician opens an arm, an auditor reads the trail: both are on record before they see it."""
    desk, ledger = Desk(setup, VIEWED), setup.stage.ledger
    yield desk.wait()
    size = ledger.refresh().size
    looked = View(
        who=STATISTICIAN,
        role="unblinded_statistician",
        scope=Scope(kind="study"),
        size=size,
        purpose="interim_tables",
        opened=("treatment",),
        projection="randomization",
    )
    note_view(ledger, looked)
    yield desk.wait(15)
    read = View(
        who=AUDITOR, role="auditor", scope=Scope(kind="site", id=_first(setup)), size=size, purpose="audit"
    )
    note_view(ledger, read, "trail.viewed")


def _prompts(setup: Setup, plan: Plan) -> Story:
    """Checks prompt a coordinator: a value is changed, a birth year is confirmed, and then far too many.

    Beyond so many in an hour they are counted; the count stands before the next that is recorded.
    """
    desk, ledger = Desk(setup, PROMPTED, MORNING, site=plan.site), setup.stage.ledger
    who, stream = person_at(plan.site, "coordinator"), f"participant/{plan.id}"
    check = {"check": "range_of_pulse", "path": "/data/measurements/2/quantity/value", "who": who}
    prompt = {"/data/prompt": "Is this pulse right?"}
    entered = {**prompt, "/data/entered": "170", "/data/kept": "70"}
    yield desk.wait()
    changed = {**check, "answer": "changed", "type": "vital_signs.recorded"}
    ledger.attest_prompt(stream, changed, entered)
    yield desk.wait(2)
    age = {"answer": "confirmed", "check": "range_of_age", "path": "/data/age_years"}
    sealed = {"/data/prompt": "Is this age right?", "/data/entered": 24, "/data/kept": 24}
    ledger.attest_prompt(stream, {**age, "type": "demographics.recorded", "who": who}, sealed, schema=2)
    abandoned = {**check, "answer": "abandoned", "type": "vital_signs.recorded"}
    values: dict[str, Any] = {**prompt, "/data/entered": "7", "/data/kept": None}
    for _ in range(_PROMPTS):
        yield desk.wait(1)
        ledger.attest_prompt(stream, abandoned, values)
    yield desk.wait(90)
    ledger.attest_prompt(stream, changed, entered)


def _exports(setup: Setup) -> Story:
    """A listing leaves for the statisticians, a certified copy for the data manager's own files."""
    desk, ledger = Desk(setup, EXPORTED), setup.stage.ledger
    yield desk.wait()
    size = ledger.refresh().size
    data = {
        "kind": "study",
        "manifest_sha256": manifest_of(ledger, size),
        "purpose": "interim_tables",
        "requested_by": MONITOR,
        "role": "blinded_monitor",
        "size": size,
    }
    desk.attest("export.generated", data, ledger.access_stream())
    yield desk.wait(20)
    issue_copy(desk, DATA_MANAGER, "data_manager", None, "trial_master_file")


def issue_copy(desk: Desk, who: str, role: str, site: str | None, purpose: str) -> tuple[str, str, int]:
    """Issue a certified copy; return its event, its hash and the size of the log that it holds."""
    ledger = desk.stage.ledger
    size = ledger.refresh().size
    data = {
        "bundle_sha256": records_digest(ledger, size, site),
        "format": "zip",
        "kind": "study" if site is None else "site",
        "purpose": purpose,
        "role": role,
        "size": size,
        "who": who,
    }
    if site is not None:
        data["id"] = site
    issued = desk.attest("certified_copy.issued", data, ledger.access_stream())
    return issued.event, str(data["bundle_sha256"]), size


def records_digest(ledger: Ledger, size: int, site: str | None = None) -> str:
    """Return the hash of the statements up to a size, of a site or of all, one after another.

    The copies, archives and listings of the demonstration are these bytes: a bundle has a checkpoint beside
    them, whose post-quantum signature would be another one in every run.
    """
    whole = hashlib.sha256()
    for start in range(0, size, _PAGE):
        for entry in ledger.store.entries(start, min(size, start + _PAGE)):
            if site is None or parse_statement(entry.statement).site == site:
                whole.update(entry.statement)
    return whole.hexdigest()


def manifest_of(ledger: Ledger, size: int) -> str:
    """Return the hash of a manifest that names the statements' file alone."""
    return hashlib.sha256(canonical.encode({"statements": records_digest(ledger, size)})).hexdigest()


def _first(setup: Setup) -> str:
    return next(iter(setup.stage.definition.sites))


def _last(setup: Setup) -> str:
    return list(setup.stage.definition.sites)[-1]
