"""Diaries that participants keep: `participant/<id>` (catalogue F)."""

from __future__ import annotations

from typing import Annotated

from ledger.actions.fields import Between, Code, Date, DayOrTime, Items, Label, Language, Name
from ledger.actions.observations import Item
from ledger.actions.registry import Effect, Fact, action, allow
from ledger.actions.shapes import mismatch
from ledger.roles import STUDY_STAFF

Seconds = Annotated[int, Between(-(10**9), 10**9)]


@action(
    "diary.submitted",
    effect=Effect.FACT,
    procedure=True,
    streams="participant",
    # The participant's own key, the device's, or staff who take over a diary kept on paper.
    roles=allow(("participant", "device", *STUDY_STAFF), "authorship"),
)
class DiarySubmitted(Fact):
    """The answers for one day: when they were entered and uploaded by the device's clock (catalogue F).

    `clock_offset_s` is how far the device's clock was ahead of the server's at the upload. A diary kept on
    paper names no device; it was uploaded when it was handed in.
    """

    diary: Label
    instrument: Label
    version: Name
    due: Date
    language: Language
    items: Annotated[tuple[Item, ...], Items(1, 256)]
    entered: DayOrTime
    uploaded: DayOrTime
    clock_offset_s: Seconds
    device: Label | None = None

    def check_form(self) -> None:
        if len({each.item for each in self.items}) != len(self.items):
            raise mismatch("each item once", "/items")

    def describe(self) -> str:
        return f"Diary {self.diary} for {self.due} was submitted, entered {self.entered}."


@action(
    "diary.missed",
    effect=Effect.FACT,
    streams="participant",
    roles=allow((*STUDY_STAFF, "participant", "device"), "authorship"),
)
class DiaryMissed(Fact):
    """A diary that was due and not kept (catalogue F)."""

    diary: Label
    due: Date
    code: Code

    def describe(self) -> str:
        return f"Diary {self.diary} for {self.due} was missed ({self.code})."
