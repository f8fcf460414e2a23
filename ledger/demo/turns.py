"""What does not go to plan, participant by participant: the turns of the reference study's story.

A turn names infusions by their number in the calendar, so it fits any definition with as many. Left out,
because this version of the vocabulary has no action for them: rescreening, a superior present, emergency
unblinding, amendments and re-consent, transfers, a hand-over, locks, queries, verification, lost vials,
extension entries, inspections.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal

Bedside = Literal[
    "interrupted", "stopped", "short", "mistyped", "too_soon", "on_paper", "held", "hold_lifted", "hold_stays"
]
"""How one infusion differs from the plan.

    interrupted   paused and resumed               short        less than the tolerance allows was given
    stopped       ended before its time            mistyped     a wrong volume is entered, and corrected
    too_soon      a start is refused, 36 hours     on_paper     the system is down; entered the day after
                  have not passed                  held         not given that day, given the next
    hold_lifted   a prohibited medication is       hold_stays   it was taken indeed: no infusion any more
                  found that was none
"""

Leaving = Literal["treatment", "visits", "data", "adverse_event", "physician", "lost", "died"]
"""How somebody leaves: consent withdrawn for treatment only, for visits and contact too, for everything;
ended by an adverse event or a physician; lost to follow-up; died.
"""

Aside = Literal[
    "corrected_twice",
    "sealed_corrected",
    "miscounted",
    "upgraded",
    "hospitalised",
    "life_threatening",
    "wrong_participant",
    "samples_withdrawn",
    "late_papers",
    "identifier_erased",
]
"""What goes on beside the visits, from the day of an infusion on."""


def _none() -> Mapping[int, str]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Turns:
    """One participant's turns.

    Attributes:
        fails: the criterion that screening fails by; empty, the participant is randomized.
        consent: entered days late with a date only, or on a form that was no longer in effect.
        requested_early: randomized before the days that the protocol allows.
        bedside: what happens at an infusion.
        missed: infusions that are missed, with the code.
        shifted: infusions on another day than planned, by so many days.
        leaves: how the participant leaves, and after which infusion.
        asides: from the day of this infusion on.
        second_coordinator: phone contacts of this week are made by a coordinator not yet delegated.
        follow_up: the follow-up visit is missed, or comes after its window.
    """

    fails: str = ""
    consent: Literal["", "late", "wrong_version"] = ""
    requested_early: bool = False
    bedside: Mapping[int, Bedside] = field(default_factory=lambda: MappingProxyType({}))
    missed: Mapping[int, str] = field(default_factory=_none)
    shifted: Mapping[int, int] = field(default_factory=lambda: MappingProxyType({}))
    leaves: tuple[int, Leaving] | None = None
    asides: Mapping[int, Aside] = field(default_factory=lambda: MappingProxyType({}))
    second_coordinator: int = 0
    follow_up: Literal["", "missed", "late"] = ""


NONE: Final = Turns()

# By the order in which participants come: 34, of whom 30 are randomized.
TURNS: Final[Mapping[int, Turns]] = MappingProxyType(
    {
        0: Turns(bedside={3: "too_soon"}, asides={4: "corrected_twice"}, second_coordinator=14),
        1: Turns(bedside={4: "interrupted"}, asides={2: "sealed_corrected"}),
        2: Turns(asides={6: "miscounted", 9: "hospitalised"}, missed={10: "hospitalised"}),
        3: Turns(fails="I03"),
        4: Turns(consent="late"),
        5: Turns(bedside={6: "stopped"}, leaves=(6, "adverse_event")),
        6: Turns(bedside={5: "hold_lifted"}),
        7: Turns(leaves=(8, "treatment")),
        8: Turns(missed={5: "no_show"}, shifted={13: 7}),
        9: Turns(bedside={9: "on_paper"}),
        10: Turns(fails="E10"),
        11: Turns(leaves=(12, "visits")),
        12: Turns(bedside={2: "short"}),
        14: Turns(asides={3: "upgraded"}),
        15: Turns(asides={2: "wrong_participant"}, leaves=(12, "lost")),
        16: Turns(bedside={7: "hold_stays"}),
        17: Turns(asides={3: "identifier_erased"}),
        18: Turns(asides={5: "samples_withdrawn"}),
        19: Turns(fails="E06"),
        20: Turns(leaves=(13, "died")),
        21: Turns(asides={12: "late_papers"}),
        22: Turns(leaves=(9, "data")),
        23: Turns(bedside={8: "held"}),
        24: Turns(follow_up="missed"),
        25: Turns(consent="wrong_version"),
        26: Turns(leaves=(7, "physician")),
        27: Turns(fails="E12"),
        28: Turns(bedside={3: "mistyped"}),
        29: Turns(asides={4: "life_threatening"}, missed={5: "adverse_event"}),
        31: Turns(requested_early=True),
        32: Turns(missed={2: "no_show", 13: "no_show"}),
        33: Turns(follow_up="late"),
    }
)


def turns_of(number: int) -> Turns:
    """Return the turns of the participant who comes as this number, from 0."""
    return TURNS.get(number, NONE)
