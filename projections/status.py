"""Where participants are on the study's way, and since which index (catalogue, "Status").

The projection `participants` keeps of each participant's book only the records and members that a status
depends on, corrections and voidings included, so that the whole study's statuses are a short read. The status
itself is derived when it is asked for, from these records or from a full book alike, by the definition that
was in force at each record. It is the status that `ledger.participant.Participant` has; a test holds both
against each other at every index.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from ledger.participant import ENDED, Status
from ledger.rules.disposition import STATUSES
from ledger.rules.safety import FATAL
from ledger.store.port import StoredEntry
from projections import book
from projections.book import CORRECTION, COSIGNATURE, VOIDING, Record
from projections.projection import Projection, State, by_participant
from projections.study import Study

NEEDED: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "participant.registered": (),
        "participant.transferred": ("to",),
        "consent.obtained": (),
        "consent.withdrawn": ("scopes",),
        "authorization.revoked": ("scopes",),
        "criterion.assessed": (),
        "screening.failed": (),
        "rescreening.authorised": (),
        "eligibility.confirmed": (),
        "eligibility.revoked": ("statement",),
        "participant.randomized": ("stage",),
        "visit.started": ("visit",),
        "infusion.started": ("infusion",),
        "infusion.stopped": ("infusion",),
        "infusion.completed": ("infusion",),
        "dosing.discontinued": (),
        "treatment.completed": (),
        "treatment.discontinued": (),
        "adverse_event.reported": ("ae", "outcome"),
        "adverse_event.followed_up": ("ae", "outcome"),
        "adverse_event.assessed": ("ae", "outcome"),
        "adverse_event.resolved": ("ae", "outcome"),
        "adverse_event.nullified": ("ae",),
        "death.reported": (),
        "survival_status.recorded": ("status",),
        "participant.completed": (),
        "participant.withdrawn": (),
        "participant.lost_to_follow_up": (),
        "participant.found": (),
        "extension.entered": (),
    }
)
"""Types that a status depends on, with the members of `data` that it reads."""

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
    "entered_extension",
)
_ENDS: Final = MappingProxyType(
    {
        Status.COMPLETED: "completed",
        Status.WITHDRAWN: "withdrawn",
        Status.LOST_TO_FOLLOW_UP: "lost_to_follow_up",
    }
)


def fold(state: State, entry: StoredEntry, statement: Mapping[str, Any]) -> State:
    """Keep what a status depends on of one entry; `last` is the newest that it depends on."""
    if entry.type in _ABOUT:
        _fold_about(state, entry, statement)
        return state
    state["last"] = entry.index
    if entry.type == "participant.registered":
        state["site"] = statement.get("site")
    elif entry.type == "participant.transferred":
        state["site"] = statement["data"]["to"]
    data = statement["data"]
    kept = {name: data[name] for name in NEEDED[entry.type] if name in data}
    reduced = {"data": kept} | {name: statement.get(name) for name in ("occurred_at", "protocol", "site")}
    book.add(state, entry, reduced)
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
    state["last"] = entry.index  # one about any other record moves nothing: a reader may not see that one
    book.fold(state, entry, reduced)


def _is_needed(type_: str, path: str, schema: int) -> bool:
    return schema == 1 and path.startswith("/data/") and path.split("/")[2] in NEEDED.get(type_, ())


def _initial(key: str) -> State:
    return {**book.new_book(key), "site": None, "last": -1}


PARTICIPANTS: Final = Projection(
    name="participants",
    version=4,
    types=frozenset(NEEDED) | _ABOUT,
    key=by_participant,
    initial=_initial,
    fold=fold,
)


@dataclass(slots=True)
class Standing:
    """Where records lead, one after the other.

    Attributes:
        milestones: each with the index that first reached it, though it may have been left again.
        now: what a status asks, as it stands: each with the index that made it so.
    """

    milestones: dict[str, int] = field(default_factory=dict)
    now: dict[str, int] = field(default_factory=dict)
    _site: str | None = None
    _confirmation: str | None = None
    _started: set[int] = field(default_factory=set)
    _outcomes: dict[str, str | None] = field(default_factory=dict)
    _dead: bool = False

    @property
    def status(self) -> Status:
        """The furthest step that is reached."""
        return next((found for step, found in _STATUS if step in self.now), self._on_the_way())

    def add(self, record: Record, study: Study) -> None:
        """Take one more record in."""
        index, data = record["index"], record["data"]
        match record["type"]:
            case "participant.registered":
                self._site = record["statement"].get("site")
                self._reach("registered", index)
            case "participant.transferred":
                self._site = data["to"]
                self._reach("consented", index)
            case "consent.obtained":
                self._reach("consented", index)
            case "consent.withdrawn" | "authorization.revoked":
                if "study_treatment" in data["scopes"]:
                    self._reach("treatment_ended", index)
            case "criterion.assessed":
                self._reach("screened", index)
            case "screening.failed":
                self._reach("screen_failed", index)
                self.milestones["screen_failed"] = index
            case "rescreening.authorised":
                self._leave("screened", "screen_failed", "eligible")
            case "eligibility.confirmed":
                self._confirmation = record["event"]
                self._reach("eligible", index)
            case "eligibility.revoked":
                if data["statement"] == self._confirmation:
                    self._leave("eligible")
            case "participant.randomized":
                if data["stage"] == 1:
                    self._reach("randomized", index)
            case "extension.entered":
                self._reach("entered_extension", index)
            case "participant.found":
                if "lost_to_follow_up" in self.now:
                    self._leave("lost_to_follow_up")
            case _:
                self._add_course(record, study)

    def _add_course(self, record: Record, study: Study) -> None:
        """Take in what concerns treatment and its end."""
        index, data = record["index"], record["data"]
        match record["type"]:
            case "visit.started":
                self._add_visit(record, study)
            case "infusion.started":
                self._reach("treated", index)
                self._started.add(data["infusion"])
            case "infusion.stopped" | "infusion.completed":
                if data["infusion"] in self._started and data["infusion"] == self._last(record, study):
                    self._reach("treatment_ended", index)
            case "dosing.discontinued":
                self._reach("treatment_ended", index)
            case "treatment.completed" | "treatment.discontinued":
                self._reach("treatment_ended", index)
                self.now.setdefault("treatment_told", index)
            case "death.reported":
                self._dead = True
                self._settle_death(index)
            case "survival_status.recorded":
                self._dead = self._dead or data["status"] == "dead"
                self._settle_death(index)
            case type_ if type_ in STATUSES:
                if not self.now.keys() & _ENDS.values():  # the first disposition stands
                    self._reach(_ENDS[STATUSES[type_]], index)
            case _:
                self._add_outcome(record)

    def _add_visit(self, record: Record, study: Study) -> None:
        index, definition = record["index"], study.definition_of(record, self._site)
        planned = definition.visit(record["data"]["visit"]) if definition is not None else None
        if planned is not None and planned.kind == "screening":
            self._reach("screened", index)
        elif planned is not None and planned.kind == "treatment":
            self._reach("treated", index)
        elif planned is not None and planned.kind == "follow_up":
            self._reach("following_up", index)

    def _last(self, record: Record, study: Study) -> int | None:
        definition = study.definition_of(record, self._site)
        return None if definition is None else max(visit.infusion or 0 for visit in definition.visits)

    def _add_outcome(self, record: Record) -> None:
        """Follow an adverse event's newest outcome: a fatal one that is taken back is no death."""
        data, ae = record["data"], record["data"]["ae"]
        if record["type"] == "adverse_event.nullified":
            self._outcomes[ae] = None
        elif record["type"] == "adverse_event.reported" or (
            self._outcomes.get(ae) is not None and "outcome" in data
        ):
            self._outcomes[ae] = data["outcome"]
        self._settle_death(record["index"])

    def _settle_death(self, index: int) -> None:
        if self._dead or FATAL in self._outcomes.values():
            self._reach("died", index)
        else:
            self._leave("died")
            self.milestones.pop("died", None)

    def _reach(self, step: str, index: int) -> None:
        self.milestones.setdefault(step, index)
        self.now.setdefault(step, index)

    def _leave(self, *steps: str) -> None:
        for step in steps:
            self.now.pop(step, None)

    def _on_the_way(self) -> Status:
        """Return the status of who has not ended: by treatment if there is any, else by what came before."""
        if self.now.keys() & {"treated", "treatment_told"}:
            if "following_up" in self.now:
                return Status.FOLLOW_UP
            if "treatment_ended" in self.now:
                return Status.TREATMENT_ENDED
            return Status.ON_TREATMENT
        return next((found for step, found in _BEFORE if step in self.now), Status.PRE_SCREENED)


_STATUS: Final = (
    ("died", Status.DIED),
    ("completed", Status.COMPLETED),
    ("withdrawn", Status.WITHDRAWN),
    ("lost_to_follow_up", Status.LOST_TO_FOLLOW_UP),
)
_BEFORE: Final = (
    ("randomized", Status.RANDOMIZED),
    ("screen_failed", Status.SCREEN_FAILED),
    ("eligible", Status.ELIGIBLE),
    ("screened", Status.SCREENING),
    ("consented", Status.CONSENTED),
)


def standing(records: Iterable[Record], study: Study) -> Standing:
    """Return where records in effect lead; voided ones and those of other types are passed over."""
    found = Standing()
    for record in records:
        if record["type"] in NEEDED and "voided" not in record:
            found.add(record, study)
    return found


def has_ended(found: Status) -> bool:
    """Tell whether a status ends participation."""
    return found in ENDED


def summary(state: State, study: Study) -> dict[str, Any]:
    """Show one participant of the study's list: site, status and milestones by index.

    `status_index` is the newest entry that the status depends on; most records come after it and leave it.
    """
    found = standing(state["records"], study)
    return {
        "participant": state["id"],
        "site": state["site"],
        "status": str(found.status),
        "milestones": shown_milestones(found),
        "status_index": state["last"],
    }


def shown_milestones(found: Standing) -> dict[str, int]:
    """Return the milestones in the order of the study's way."""
    return {name: found.milestones[name] for name in MILESTONES if name in found.milestones}
