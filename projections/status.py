"""Where participants are on the study's way, and since which index (catalogue, "Status").

The projection `participants` keeps of each participant's book only the records and members that a status
depends on, corrections and voidings included, so that the whole study's statuses are a short read. The status
itself is derived when it is asked for, from these records or from a full book alike, by the definition that
was in force at each record. It is the status that `ledger.participant.Participant` has; a test holds both
against each other at every index.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

from ledger.participant import ENDED, Status
from ledger.rules.disposition import STATUSES
from ledger.rules.record import DAY_US, span
from ledger.rules.safety import FATAL
from ledger.store.port import StoredEntry
from ledger.times import format_instant
from projections import book
from projections.book import CORRECTION, COSIGNATURE, VOIDING, Record
from projections.moments import UTC_ZONE
from projections.projection import Projection, State, by_participant
from projections.study import Study

NEEDED: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "participant.registered": (),
        "consent.obtained": (),
        "consent.withdrawn": ("scopes",),
        "criterion.assessed": (),
        "screening.failed": (),
        "eligibility.confirmed": (),
        "participant.randomized": ("stage",),
        "visit.started": ("visit",),
        "infusion.started": ("infusion",),
        "infusion.stopped": ("infusion",),
        "infusion.completed": ("infusion",),
        "medication.started": ("class",),
        "adverse_event.reported": ("ae", "outcome"),
        "adverse_event.followed_up": ("ae", "outcome"),
        "adverse_event.resolved": ("ae", "outcome"),
        "participant.completed": (),
        "participant.withdrawn": (),
        "participant.lost_to_follow_up": (),
    }
)
"""Types that a status depends on, with the members of `data` that it reads."""

MEDICATION: Final = "medication.started"
_ABOUT: Final = frozenset({CORRECTION, VOIDING, COSIGNATURE})
MILESTONES: Final = (
    "registered",
    "consented",
    "screened",
    "screen_failed",
    "eligible",
    "randomized",
    "treated",
    "completed",
    "withdrawn",
    "lost_to_follow_up",
    "died",
)
_ENDS: Final = MappingProxyType(
    {
        Status.COMPLETED: "completed",
        Status.WITHDRAWN: "withdrawn",
        Status.LOST_TO_FOLLOW_UP: "lost_to_follow_up",
    }
)


def fold(state: State, entry: StoredEntry, statement: Mapping[str, Any]) -> State:
    """Keep what a status depends on of one entry."""
    state["last"] = entry.index
    if entry.type in _ABOUT:
        _fold_about(state, entry, statement)
        return state
    if entry.type == "participant.registered":
        state["site"] = statement.get("site")
    data = statement["data"]
    kept = {name: data[name] for name in NEEDED[entry.type] if name in data}
    book.add(state, entry, {"data": kept, "occurred_at": statement["occurred_at"]})
    return state


def _fold_about(state: State, entry: StoredEntry, statement: Mapping[str, Any]) -> None:
    """Keep a correction, voiding or co-signature where what it names is kept."""
    data = statement["data"]
    named = book.find(state, data["statement"])
    if named is None:
        return
    if entry.type == CORRECTION and not _is_needed(named["type"], data["path"], entry.schema):
        return
    kept = {name: data[name] for name in ("statement", "path", "new") if name in data}
    actor = statement["actor"]
    reduced = {
        "data": kept,
        "occurred_at": statement["occurred_at"],
        "actor": {"id": actor["id"], "role": actor["role"]},
    }
    book.fold(state, entry, reduced)


def _is_needed(type_: str, path: str, schema: int) -> bool:
    if path == "/occurred_at":
        return type_ == MEDICATION
    return schema == 1 and path.startswith("/data/") and path.split("/")[2] in NEEDED.get(type_, ())


def _initial(key: str) -> State:
    return {**book.new_book(key), "site": None, "last": -1}


PARTICIPANTS: Final = Projection(
    name="participants",
    version=1,
    types=frozenset(NEEDED) | _ABOUT,
    key=by_participant,
    initial=_initial,
    fold=fold,
)


def standing(records: Iterable[Record], study: Study) -> Mapping[str, int]:
    """Return the milestones that records in effect reach, each with the index that first reached it.

    `following_up` and `treatment_ended` are among them beside `MILESTONES`.
    """
    reached: dict[str, int] = {}
    started: set[int] = set()
    outcomes: dict[str, str] = {}
    for record in records:
        if record["type"] in NEEDED and "voided" not in record:
            _reach(reached, record, study, started, outcomes)
    return reached


def _reach(
    reached: dict[str, int], record: Record, study: Study, started: set[int], outcomes: dict[str, str]
) -> None:
    index, data = record["index"], record["data"]
    match record["type"]:
        case "participant.registered":
            reached.setdefault("registered", index)
        case "consent.obtained":
            reached.setdefault("consented", index)
        case "consent.withdrawn":
            if "study_treatment" in data["scopes"]:
                reached.setdefault("treatment_ended", index)
        case "criterion.assessed":
            reached.setdefault("screened", index)
        case "screening.failed":
            reached["screen_failed"] = index
        case "eligibility.confirmed":
            reached.setdefault("eligible", index)
        case "participant.randomized":
            if data["stage"] == 1:
                reached.setdefault("randomized", index)
        case "visit.started":
            _visit(reached, index, data["visit"], study)
        case "infusion.started":
            reached.setdefault("treated", index)
            started.add(data["infusion"])
        case "infusion.stopped" | "infusion.completed":
            if data["infusion"] in started and data["infusion"] == _last_infusion(study, index):
                reached.setdefault("treatment_ended", index)
        case "medication.started":
            pass  # holds gates, and is no step of the way
        case "adverse_event.reported" | "adverse_event.followed_up" | "adverse_event.resolved":
            _outcome(reached, record, outcomes)
        case type_:
            if not any(end in reached for end in _ENDS.values()):  # the first disposition stands
                reached[_ENDS[STATUSES[type_]]] = index


def held_until(records: Iterable[Record], study: Study, zone: str) -> str | None:
    """Return the instant until which a prohibited medication makes gates wait; None where none ever did.

    Whether that is over is for whoever has a clock, or a clinical time, to say.
    """
    latest = None
    for record in records:
        if record["type"] != MEDICATION or "voided" in record:
            continue
        definition = study.definition(record["index"])
        prohibited = definition.prohibited(record["data"]["class"]) if definition is not None else None
        if prohibited is not None and prohibited.effect == "hold":
            found = span(record["occurred_at"], zone).latest_us + prohibited.washout_days * DAY_US
            latest = found if latest is None else max(latest, found)
    return None if latest is None else format_instant(latest)


def _visit(reached: dict[str, int], index: int, name: str, study: Study) -> None:
    definition = study.definition(index)
    planned = definition.visit(name) if definition is not None else None
    if planned is not None and planned.kind == "screening":
        reached.setdefault("screened", index)
    elif planned is not None and planned.kind == "follow_up":
        reached.setdefault("following_up", index)


def _last_infusion(study: Study, index: int) -> int | None:
    definition = study.definition(index)
    return None if definition is None else max(visit.infusion or 0 for visit in definition.visits)


def _outcome(reached: dict[str, int], record: Record, outcomes: dict[str, str]) -> None:
    """Follow an adverse event's newest outcome: a fatal one that is taken back is no death."""
    index, data = record["index"], record["data"]
    is_report = record["type"] == "adverse_event.reported"
    if "outcome" in data and (is_report or data["ae"] in outcomes):
        outcomes[data["ae"]] = data["outcome"]
    if FATAL in outcomes.values():
        reached.setdefault("died", index)
    else:
        reached.pop("died", None)


def status(reached: Mapping[str, int]) -> Status:
    """Return the furthest step that the milestones show."""
    for milestone, found in _BY_MILESTONE:
        if milestone in reached:
            return found
    if "treated" in reached:
        for milestone, found in _WHILE_TREATED:
            if milestone in reached:
                return found
        return Status.ON_TREATMENT
    for milestone, found in _BEFORE_TREATMENT:
        if milestone in reached:
            return found
    return Status.PRE_SCREENED


_BY_MILESTONE: Final = (
    ("died", Status.DIED),
    ("completed", Status.COMPLETED),
    ("withdrawn", Status.WITHDRAWN),
    ("lost_to_follow_up", Status.LOST_TO_FOLLOW_UP),
)
_WHILE_TREATED: Final = (
    ("following_up", Status.FOLLOW_UP),
    ("treatment_ended", Status.TREATMENT_ENDED),
)
_BEFORE_TREATMENT: Final = (
    ("randomized", Status.RANDOMIZED),
    ("screen_failed", Status.SCREEN_FAILED),
    ("eligible", Status.ELIGIBLE),
    ("screened", Status.SCREENING),
    ("consented", Status.CONSENTED),
)


def has_ended(found: Status) -> bool:
    """Tell whether a status ends participation."""
    return found in ENDED


def summary(state: State, study: Study) -> dict[str, Any]:
    """Show one participant of the study's list: site, status, flags and milestones by index."""
    reached = standing(state["records"], study)
    return {
        "participant": state["id"],
        "site": state["site"],
        "status": str(status(reached)),
        "held_until": held_until(state["records"], study, study.zone(state["site"]) or UTC_ZONE),
        "milestones": {name: reached[name] for name in MILESTONES if name in reached},
        "last_index": state["last"],
    }
