"""The running of the system: release, settings, clock, backups, downtime, devices (catalogue A).

What the service measures it attests; what people did they sign.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Any, Final

from ledger.actions.devices import DeviceRegistered, DeviceRetired
from ledger.actions.inspection import InspectionClosed, InspectionOpened
from ledger.actions.system import (
    Change,
    ConfigurationChanged,
    DowntimeDeclared,
    DowntimeEnded,
    SystemReleased,
)
from ledger.demo.cast import ADMINISTRATOR, AUTHORITY, INSPECTOR, people, person_at
from ledger.demo.office import ESOURCE, Desk, digest_of
from ledger.demo.schedule import Plan
from ledger.demo.setup import Setup
from ledger.demo.stage import Story, written
from ledger.lines import encode_base64
from ledger.merkle import read_frontier
from ledger.recorded import Recorded
from ledger.study.schedule import day_date
from ledger.tiles import TileHashes
from ledger.verify.options import Scope
from ledger.views import View, note_view

RELEASED: Final = date(2024, 6, 24)
BACKED_UP: Final = (date(2024, 7, 1), date(2024, 10, 1))
DRIFTED: Final = date(2024, 9, 18)
SPARE_BOUGHT: Final = date(2024, 8, 5)
SPARE_BROKEN: Final = date(2024, 12, 9)
INSPECTED: Final = date(2025, 1, 14)

RULES: Final = 1
_LIMIT_MS: Final = 1000
_PAPER_RECORDS: Final = 16
_BACK: Final = 7 * 60 + 20  # in the morning after the downtime, before what was on paper is entered


def stories(setup: Setup, plans: Sequence[Plan]) -> Iterator[Story]:
    """Yield all of them; the downtime where somebody's infusion falls into it."""
    yield _release(setup)
    yield _backups(setup)
    yield _spare_monitor(setup)
    yield _inspection(setup)
    for plan in plans:
        for number, turn in plan.turns.bedside.items():
            if turn == "on_paper":
                yield _downtime(setup, plan, number)


def _release(setup: Setup) -> Story:
    """A release is put to use, and one more failure at login is allowed from then on."""
    desk = Desk(setup, RELEASED)
    released = SystemReleased(
        pages_sha256=digest_of("pages of release 1.1"),
        reference="VAL-2024-02",
        rules=RULES,
        version="1.1",
        source=ESOURCE,
    )
    yield desk.note(ADMINISTRATOR, released, "study")
    changed = ConfigurationChanged(
        changes=(Change(setting="login_failures", old="5", new="6"),), reference="CR-0017", source=ESOURCE
    )
    yield desk.note(ADMINISTRATOR, changed, "study")


def _backups(setup: Setup) -> Story:
    """Two backups, the first destroyed for the second; one restored to see that it can be."""
    ledger, taken = setup.stage.ledger, list[Recorded]()
    for number, on in enumerate(BACKED_UP, 1):
        desk = Desk(setup, on, 23 * 60)
        yield desk.wait()
        size = ledger.refresh().size
        data: dict[str, Any] = {
            "backup": f"B-{on.isoformat()}",
            "location": "second data centre",
            "sha256": digest_of(f"backup {number}"),
            "size": size,
            "stores": ["checkpoints", "data_keys", "events"],
        }
        if taken:
            data["destroyed"] = [taken[-1].event]
        taken.append(desk.attest("backup.taken", data, "study"))
        yield desk.wait(30)
        if number == 1:
            tested = {"outcome": "passed", "root": root_at(setup, size), "size": size}
            desk.attest("restore.tested", {**tested, "statement": taken[0].event}, "study")
    desk = Desk(setup, DRIFTED, 23 * 60)
    yield desk.wait()
    drift = {"clock": "application-server", "limit_ms": _LIMIT_MS, "offset_ms": 1840, "reference": "NTP"}
    desk.attest("clock.drifted", drift, "study")


def root_at(setup: Setup, size: int) -> str:
    """Return the root of the tree at a size, in base64."""
    return encode_base64(read_frontier(size, TileHashes(setup.stage.ledger.store.tile_hashes)).root())


def _spare_monitor(setup: Setup) -> Story:
    """A second monitor is taken into use, and breaks."""
    site = next(iter(setup.stage.definition.sites))
    name, by = f"MON-{site}-B", person_at(site, "coordinator")
    spare = DeviceRegistered(
        clock_offset_ms=120,
        device=name,
        kind="device",
        model="Bedside monitor with infusion pump",
        use="vital_signs_and_infusions",
        version="4.2",
    )
    yield Desk(setup, SPARE_BOUGHT).note(by, spare, f"site/{site}")
    yield Desk(setup, SPARE_BROKEN).note(by, DeviceRetired(code="fault", device=name), f"site/{site}")


def _inspection(setup: Setup) -> Story:
    """An inspector comes, reads at a frozen checkpoint, and goes; what was looked at stays sealed."""
    desk, stage = Desk(setup, INSPECTED), setup.stage
    yield desk.wait()
    person = next(each for each in people(stage.definition) if each.id == INSPECTOR)
    setup.admit(person)
    desk.us = stage.sources.now_us()
    desk.after(20)
    size = stage.ledger.refresh().size
    opened = InspectionOpened(
        authority=AUTHORITY,
        blinded=False,
        inspection="INS-1",
        inspectors=(INSPECTOR,),
        root=root_at(setup, size),
        sites=("*",),
        size=size,
    )
    recorded = yield desk.note(ADMINISTRATOR, opened, "study")
    yield desk.wait(60)
    view = View(
        who=INSPECTOR,
        role="inspector",
        scope=Scope(kind="study"),
        size=size,
        purpose="inspection",
        opened=("treatment",),
    )
    note_view(stage.ledger, view)
    yield desk.wait(10)
    note_view(stage.ledger, view, "trail.viewed")
    closed = InspectionClosed(
        statement=recorded.event if recorded is not None else "",
        reference="DEMO-INS-1",
        note="no critical findings",
        source=ESOURCE,
    )
    yield desk.days(2).note(ADMINISTRATOR, closed, "study")


def _downtime(setup: Setup, plan: Plan, number: int) -> Story:
    """The tablets of one infusion room fail for a day: declared and ended once they work again."""
    visit = setup.stage.definition.infusion(number)
    on = day_date(plan.day1, visit.day if visit is not None else 1)
    desk = Desk(setup, on + timedelta(days=1), _BACK, site=plan.site)
    began = Desk(setup, on, 7 * 60, site=plan.site)
    by, stream = person_at(plan.site, "coordinator"), f"site/{plan.site}"
    declared = DowntimeDeclared(
        cause="network",
        from_=written(began.us, plan.zone),
        procedure="SOP-12: downtime sheets",
        sites=(plan.site,),
        note="infusion room 2 only; the rest of the site went on",
        source=ESOURCE,
    )
    recorded = yield desk.note(by, declared, stream)
    ended = DowntimeEnded(
        paper_records=_PAPER_RECORDS,
        statement=recorded.event if recorded is not None else "",
        to=desk.text,
        done_on_paper="one infusion visit, on downtime sheets",
        source=ESOURCE,
    )
    yield desk.note(by, ended, stream)
