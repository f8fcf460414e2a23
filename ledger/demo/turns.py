"""What does not go to plan, participant by participant: the turns of the reference study's story.

A turn names infusions by their number in the calendar, so it fits any definition with as many.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal

Bedside = Literal[
    "interrupted",
    "stopped",
    "short",
    "mistyped",
    "slowed",
    "reduced",
    "omitted",
    "too_soon",
    "on_paper",
    "held",
    "check_failed",
    "invalid_test",
    "mixed_up",
    "hold_lifted",
    "hold_stays",
    "despite_hold",
    "reconsent_late",
    "pregnant",
]
"""How one infusion differs from the plan.

    interrupted   paused and resumed               short         less than the tolerance allows was given
    stopped       ended before its time            mistyped      a wrong volume is entered, and corrected
    slowed        goes on at a lower rate          reduced       planned and given with less volume
    too_soon      a start is refused, 36 hours     on_paper      the system is down; entered the day after
                  have not passed                  held          not given that day, given the next
    omitted       not given at all                 check_failed  the check before it is passed later only
    invalid_test  a pregnancy test is repeated     mixed_up      the bag of somebody else is at the bedside
    hold_lifted   a prohibited medication is       hold_stays    it was taken indeed: no infusion any more
                  found that was none              despite_hold  a physician sets the hold aside, once
    pregnant      a pregnancy is found: no         reconsent_late  the start waits for a consent that was
                  infusion any more              asked for again
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
    "authorization_revoked",
    "late_papers",
    "identifier_erased",
    "page_missing",
    "found_ineligible",
    "assessed",
    "nullified",
    "suicidality",
    "partner_pregnant",
    "barren",
    "medication_changed",
    "unscheduled",
    "transferred",
    "lost_and_found",
]
"""What goes on beside the visits, from the day of an infusion on."""


def _none() -> Mapping[int, str]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Turns:
    """One participant's turns.

    Attributes:
        fails: the criterion that screening fails by; empty, the participant is randomized.
        rescreened: the criterion that a first screening failed by, five weeks before the one that passed.
        consent: entered days late with a date only, on a form that was no longer in effect, or discussed
            with a superior in the room.
        reconsent: asked on new forms, the participant declines, or does not answer in time.
        requested_early: randomized before the days that the protocol allows.
        bedside: what happens at an infusion.
        missed: infusions that are missed, with the code.
        shifted: infusions on another day than planned, by so many days.
        leaves: how the participant leaves, and after which infusion.
        asides: from the day of this infusion on.
        second_coordinator: phone contacts of this week are made by a coordinator not yet delegated.
        follow_up: the follow-up visit is missed, or comes after its window.
        not_done: at the visit of this infusion the last instrument is not answered.
        backfilled: three diaries are entered together before the visit of this infusion.
        female: the story asks for a woman.
        linked: turns out to have been screened before under another id.
        after: what comes after the core study: the extension, which one withdraws from, a serious event
            after the lock, a look into a register.
    """

    fails: str = ""
    rescreened: str = ""
    consent: Literal["", "late", "wrong_version", "superior"] = ""
    reconsent: Literal["", "declined", "late"] = ""
    requested_early: bool = False
    bedside: Mapping[int, Bedside] = field(default_factory=lambda: MappingProxyType({}))
    missed: Mapping[int, str] = field(default_factory=_none)
    shifted: Mapping[int, int] = field(default_factory=lambda: MappingProxyType({}))
    leaves: tuple[int, Leaving] | None = None
    asides: Mapping[int, Aside] = field(default_factory=lambda: MappingProxyType({}))
    second_coordinator: int = 0
    follow_up: Literal["", "missed", "late"] = ""
    not_done: int = 0
    backfilled: int = 0
    female: bool = False
    linked: bool = False
    after: Literal["", "extension", "extension_withdrawn", "serious_after_lock", "survival"] = ""


NONE: Final = Turns()

# By the order in which participants come: 34, of whom 30 are randomized.
TURNS: Final[Mapping[int, Turns]] = MappingProxyType(
    {
        0: Turns(
            bedside={3: "too_soon"},
            asides={4: "corrected_twice"},
            second_coordinator=14,
            after="serious_after_lock",
        ),
        1: Turns(bedside={4: "interrupted"}, asides={2: "sealed_corrected"}, after="extension"),
        2: Turns(
            bedside={4: "invalid_test"},
            asides={6: "miscounted", 9: "hospitalised"},
            missed={10: "hospitalised"},
            female=True,
        ),
        3: Turns(fails="I03"),
        4: Turns(consent="late"),
        5: Turns(bedside={6: "stopped"}, leaves=(6, "adverse_event")),
        6: Turns(bedside={5: "hold_lifted", 12: "pregnant"}, female=True),
        7: Turns(leaves=(8, "treatment")),
        8: Turns(
            bedside={9: "check_failed"},
            missed={5: "no_show"},
            shifted={13: 7},
            asides={14: "authorization_revoked"},
        ),
        9: Turns(bedside={9: "on_paper"}, reconsent="declined", after="extension"),
        10: Turns(fails="E10"),
        11: Turns(bedside={6: "slowed"}, leaves=(12, "visits")),
        12: Turns(bedside={2: "short"}, asides={9: "found_ineligible"}, after="extension_withdrawn"),
        13: Turns(asides={13: "lost_and_found"}),
        14: Turns(rescreened="E06", bedside={8: "omitted"}, asides={3: "upgraded"}),
        15: Turns(asides={2: "wrong_participant"}, leaves=(12, "lost"), after="survival"),
        16: Turns(bedside={7: "hold_stays"}),
        17: Turns(
            bedside={13: "reconsent_late"},
            asides={3: "identifier_erased", 9: "nullified"},
            reconsent="late",
        ),
        18: Turns(
            bedside={9: "reduced"}, asides={5: "samples_withdrawn", 10: "barren"}, female=True, backfilled=14
        ),
        19: Turns(fails="E06"),
        20: Turns(leaves=(13, "died")),
        21: Turns(bedside={4: "mixed_up"}, asides={12: "late_papers"}),
        22: Turns(asides={4: "page_missing"}, leaves=(9, "data"), after="survival"),
        23: Turns(bedside={8: "held"}, asides={6: "assessed"}),
        24: Turns(bedside={12: "despite_hold"}, follow_up="missed"),
        25: Turns(consent="wrong_version"),
        26: Turns(consent="superior", leaves=(7, "physician")),
        27: Turns(fails="E12", linked=True),
        28: Turns(bedside={3: "mistyped"}, not_done=12),
        29: Turns(asides={4: "life_threatening", 12: "suicidality"}, missed={5: "adverse_event"}),
        30: Turns(asides={12: "transferred"}),
        31: Turns(requested_early=True, asides={9: "partner_pregnant"}),
        32: Turns(missed={2: "no_show", 13: "no_show"}, asides={9: "unscheduled"}),
        33: Turns(follow_up="late", asides={2: "medication_changed"}),
    }
)


def turns_of(number: int) -> Turns:
    """Return the turns of the participant who comes as this number, from 0."""
    return TURNS.get(number, NONE)
