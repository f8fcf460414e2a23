"""A desk: where people of the sponsor, the sites and the pharmacies write what concerns no one participant.

    desk = Desk(setup, date(2024, 9, 2))
    recorded = yield desk.note(ADMINISTRATOR, action, "study")

Each statement comes some minutes after the one before it. What is one participant's is written by a `Pen`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from ledger.actions.fields import Source
from ledger.actions.quality import RecordCosigned
from ledger.actions.registry import Action
from ledger.demo.setup import Setup
from ledger.demo.stage import DAY_US, MINUTE_US, Command, Stage, Wait, instant, written
from ledger.recorded import Recorded

EVENING: Final = 20 * 60
ESOURCE: Final = Source(kind="esource")


class Desk:
    """A place in time of those who write; `us` is where it is."""

    def __init__(self, setup: Setup, on: date, minutes: int = EVENING, *, site: str | None = None) -> None:
        """Begin at so many minutes after midnight, by the clocks of a site or of the westernmost one."""
        self.setup = setup
        self.stage: Stage = setup.stage
        sites = self.stage.definition.sites
        zones = [sites[site].zone] if site is not None else [each.zone for each in sites.values()]
        self.zone = max(zones, key=lambda zone: instant(on, minutes, zone))
        self.us = instant(on, minutes, self.zone)

    @property
    def text(self) -> str:
        """The present time with its offset."""
        return written(self.us, self.zone)

    @property
    def day(self) -> str:
        """The present day."""
        return self.text[:10]

    def after(self, minutes: int) -> Desk:
        """Let minutes pass."""
        self.us += minutes * MINUTE_US
        return self

    def days(self, count: int) -> Desk:
        """Let days pass."""
        self.us += count * DAY_US
        return self

    def wait(self, minutes: int = 0) -> Wait:
        """Come to this place in time; what the service attests itself follows at once."""
        return Wait(at_us=self.after(minutes).us)

    def note(
        self,
        person: str,
        action: Action,
        stream: str,
        *,
        after: int = 4,
        role: str | None = None,
        **more: Any,
    ) -> Command:
        """Let a person record an action some minutes later."""
        self.after(after)
        return Command(
            at_us=self.us,
            person=person,
            role=role or self.stage.people[person].role,
            action=action,
            stream=stream,
            **more,
        )

    def second(self, person: str, recorded: Recorded | None, as_: Any, stream: str, **more: Any) -> Command:
        """Let a second person sign what was recorded."""
        event = recorded.event if recorded is not None else ""
        return self.note(person, RecordCosigned(as_=as_, statement=event), stream, **more)

    def attest(
        self,
        type_: str,
        data: Mapping[str, Any],
        stream: str,
        *,
        schema: int = 1,
        sealed: Mapping[str, Any] | None = None,
    ) -> Recorded:
        """Let the service attest something now; begin with `wait`."""
        self.us = max(self.us, self.stage.sources.now_us())
        return self.stage.ledger.attest(type_, stream, data, schema=schema, sealed=sealed)


def digest_of(label: str) -> str:
    """Return the hash of a file that the demonstration speaks of and does not have."""
    return hashlib.sha256(f"demonstration: {label}".encode()).hexdigest()
