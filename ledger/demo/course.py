"""One participant's course as it is written down: who writes, in which stream, when, and from what source.

A `Course` is the participant; a `Pen` is one hand that writes, with its own place in time, so that visits and
what goes on beside them do not wait for each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any, Final, Literal

from ledger.actions.fields import Measure, PerformedOutside, Quantity, Source
from ledger.actions.observations import Item, Measurement, OutcomeRecorded, VitalSignsRecorded
from ledger.actions.preparation import DoseDispensed
from ledger.actions.registry import Action, Effect, ParticipantGate
from ledger.demo.cast import monitor_of, person_at
from ledger.demo.dice import Dice
from ledger.demo.schedule import Plan
from ledger.demo.setup import Form
from ledger.demo.stage import MINUTE_US, SECOND_US, Command, Stage, instant, written
from ledger.study.definition import Instrument, StudyDefinition, score

SourceKind = Literal["esource", "paper", "ehr", "device", "participant"]
Names = tuple[str, ...]

MORNING: Final = 8 * 60
PAPER_STEP_US: Final = 2 * MINUTE_US
BODY_WEIGHT: Final = "body_weight"


class Course:
    """A participant's plan, what was noted of earlier entries, and draws of their own.

    `left`: participation has ended; `stopped`: treatment has; `away`: nobody can reach the participant;
    `barren`: pregnancy is not possible any more. `others` are the courses of all participants by their
    number, this one among them.
    """

    def __init__(
        self,
        stage: Stage,
        plan: Plan,
        forms: Mapping[tuple[str, str, str], Form],
        others: Mapping[int, Course],
    ) -> None:
        self.stage = stage
        self.plan = plan
        self.forms = forms
        self.others = others
        self.stream = f"participant/{plan.id}"
        self.dice = Dice(f"trial-ledger demo {stage.seed} participant {plan.number}")
        self.noted: dict[str, str] = {}
        self.events = 0
        self.left = False
        self.stopped = False
        self.away = False
        self.barren = False
        self.last_infusion: date | None = None
        self._weight_g = self.dice.between(56_000, 98_000)
        # Who is in too little pain for the study answers so: criterion I03 reads the answer.
        self._burden = self.dice.between(40, 65) - (30 if plan.turns.fails == "I03" else 0)

    @property
    def definition(self) -> StudyDefinition:
        """The protocol's definition."""
        return self.stage.definition

    def today(self) -> date:
        """Return the day that it is at the site."""
        return date.fromisoformat(written(self.stage.sources.now_us(), self.plan.zone)[:10])

    def pen(self, on: date, minutes: int, *, paper: bool = False) -> Pen:
        """Begin to write at so many minutes after midnight of a day at the site.

        `paper`: it is written on paper, and entered in the morning after.
        """
        us = instant(on, minutes, self.plan.zone)
        entered = instant(on + timedelta(days=1), MORNING, self.plan.zone) if paper else None
        return Pen(self, us, entered)

    def next_event(self) -> str:
        """Return the id of the participant's next adverse event."""
        self.events += 1
        return f"AE-{self.events}"

    def weight(self) -> Measure:
        """Return today's weight."""
        grams = self._weight_g + self.dice.between(-600, 600)
        return Measure(value=f"{grams // 1000}.{grams % 1000 // 100}", unit="kg")

    def vital_signs(
        self,
        source: Source,
        time_point: str,
        *,
        visit: str,
        weight: Measure | None = None,
        high: bool = False,
    ) -> VitalSignsRecorded:
        """Return measured values; `high`: a pressure at which nobody is infused."""
        dice = self.dice
        systolic = dice.between(176, 184) if high else dice.between(112, 136)
        values = [
            ("systolic_blood_pressure", str(systolic), "mm[Hg]"),
            ("diastolic_blood_pressure", str(dice.between(68, 86)), "mm[Hg]"),
            ("heart_rate", str(dice.between(58, 88)), "/min"),
            ("oxygen_saturation", str(dice.between(95, 99)), "%"),
        ]
        if weight is not None:
            values.append((BODY_WEIGHT, weight.value, weight.unit))
        return VitalSignsRecorded(
            visit=visit,
            time_point=time_point,
            position="sitting",
            measurements=tuple(
                Measurement(name=name, quantity=Quantity(value=value, unit=unit))
                for name, value, unit in values
            ),
            source=source,
        )

    def outcome(self, instrument: Instrument, visit: str, week: int, *, slip: int = 0) -> OutcomeRecorded:
        """Return one instrument's answers, milder from week to week; `slip` is an error of addition."""
        items = [(item, self._answer(instrument, week)) for item in instrument.items]
        if instrument.scoring == "none":
            total = sum(value for _, value in items)
        else:
            total = int(score(instrument, items)) + slip
        by_participant = instrument.reported_by == "participant"
        return OutcomeRecorded(
            instrument=instrument.id,
            version=instrument.version,
            visit=visit,
            language=self.plan.language,
            items=tuple(Item(item=item, value=value) for item, value in items),
            total=str(total),
            source=Source(kind="participant" if by_participant else "esource"),
        )

    def _answer(self, instrument: Instrument, week: int) -> int:
        width = instrument.maximum - instrument.minimum
        if instrument.reported_by == "rater":
            return instrument.minimum + (self.dice.below(40) == 0)
        if instrument.scoring == "none":
            return instrument.minimum + self.dice.below(width + 1)
        burden = self._burden if week <= 0 else max(12, self._burden - 2 * week) + self.dice.between(-12, 12)
        if instrument.scoring == "single":
            return instrument.minimum + burden * width // 100
        return min(
            instrument.maximum, instrument.minimum + max(0, burden + self.dice.between(-30, 30)) * width // 80
        )


class Pen:
    """One hand that writes for a participant; `us` is where it is in time."""

    def __init__(self, course: Course, us: int, entered_us: int | None) -> None:
        self.course = course
        self.us = us
        self._entered_us = entered_us

    @property
    def on_paper(self) -> bool:
        """Tell whether this is written on paper and entered later."""
        return self._entered_us is not None

    @property
    def text(self) -> str:
        """The present time as the site writes it."""
        return written(self.us, self.course.plan.zone)

    @property
    def day(self) -> str:
        """The present day."""
        return self.text[:10]

    def source(self, kind: SourceKind = "esource") -> Source:
        """Return where a datum is first written: on paper while the system is down."""
        if self.on_paper:
            return Source(kind="paper", reference=f"downtime sheet of {self.day}")
        if kind == "device":
            return Source(kind=kind, reference=monitor_of(self.course.plan.site))
        return Source(kind=kind)

    def after(self, minutes: int) -> Pen:
        """Let minutes pass."""
        self.us += minutes * MINUTE_US
        return self

    def note(
        self, role: str, action: Action, *, after: int = 3, person: str | None = None, **more: Any
    ) -> Command:
        """Write an action some minutes later: a gate at once, a fact within two minutes of its time."""
        self.after(after)
        course = self.course
        gate = action.spec.effect is Effect.GATE
        at_us = self.us if gate else self.us + course.dice.between(20, 100) * SECOND_US
        if self._entered_us is not None:
            at_us = self._entered_us
            self._entered_us += PAPER_STEP_US
            if isinstance(action, ParticipantGate | DoseDispensed):
                outside = PerformedOutside(why="outage", source=self.source())
                action = replace(action, performed_outside=outside)
        more.setdefault("occurred", self.text)
        members = {"site": course.plan.site, "protocol": course.definition.version, **more.pop("members", {})}
        return Command(
            at_us=more.pop("at_us", at_us),
            person=person or person_at(course.plan.site, role),
            role=role,
            action=action,
            stream=more.pop("stream", course.stream),
            members=members,
            **more,
        )

    def reported(self, role: str, action: Action, **more: Any) -> Command:
        """Write what the participant says: the participant is the originator."""
        originator = {"id": self.course.plan.id, "kind": "participant"}
        return self.note(role, action, members={"originator": originator}, **more)
