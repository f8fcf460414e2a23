"""What a protocol demands beside its calendar: consent, checks around an infusion, diaries, guesses.

Each of these parts may be absent from a definition: then the protocol does not ask for it, and no rule does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from ledger.study.sourced import Filled, Matches
from ledger.study.terms import Amount, Code, Count, Day, Days, Hours, Language, Minutes, Text


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentVersion:
    """A consent form that this version of the protocol asks for, and for which part of the study.

    Forms of different ids are in effect beside one another: a parent's consent and a child's assent, or the
    consent to the extension. Those of one id, and a version that no protocol names, supersede each other.
    The form itself, site by site and with its bytes, is approved by `consent_form.approved`.
    """

    id: Code
    part: Literal["core", "extension"]
    version: Text
    languages: Annotated[tuple[Language, ...], Filled()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pregnancy:
    """How old a negative test may be for randomization, and for each start of treatment."""

    valid_days: Days
    before: Annotated[tuple[Literal["randomization", "infusion"], ...], Filled()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preinfusion:
    """What is checked before each infusion, and how long the check is good for."""

    valid_hours: Hours
    checks: Annotated[tuple[Code, ...], Filled()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Postinfusion:
    """How long a participant is observed afterwards, and what is scored."""

    minutes: Minutes
    scores: tuple[Code, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Diary:
    """An instrument that participants answer by themselves, every so many days of a span of study days.

    An entry counts for its day until `open_hours` after the day's end.
    """

    id: Code
    instrument: Code
    every_days: Count
    first_day: Day
    last_day: Day
    open_hours: Hours


@dataclass(frozen=True, slots=True, kw_only=True)
class EditCheck:
    """A question about a value outside of a range, asked before the record is signed (`ledger.edit_checks`).

    In `path`, `[name]` picks the item of a list whose `name` it is.
    """

    id: Code
    type: Annotated[str, Matches(pattern=r"[a-z][a-z0-9_]{0,63}\.[a-z][a-z0-9_]{0,63}")]
    path: Annotated[str, Matches(pattern=r"/data(/([a-z][a-z0-9_]{0,63}|\[[a-z][a-z0-9_]{0,63}\]))+")]
    prompt: Text
    minimum: Amount | None = None
    maximum: Amount | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BlindGuess:
    """At which visits who is asked for a guess of the arm (Bang's index)."""

    visits: Annotated[tuple[Code, ...], Filled()]
    guessed_by: Annotated[tuple[Literal["participant", "rater", "investigator"], ...], Filled()]
