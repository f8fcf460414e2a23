"""The parts of a participant's view, built record by record: consents, infusions, adverse events, the rest.

Records come in the order in which they count, of the log or of clinical time; what is voided is left out here
and shown struck through elsewhere. A type of which nothing is known yet goes to `other`, never away.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from ledger.actions.visits import UNSCHEDULED
from projections.book import QUALITY, Record
from projections.projection import State
from projections.reader import Reader
from projections.show import show

Shown = dict[str, Any]

_LISTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "participant.registered": "registrations",
        "demographics.recorded": "demographics",
        "consent.obtained": "consents",
        "consent.withdrawn": "withdrawals",
        "screening.failed": "screening_failures",
        "vital_signs.recorded": "vital_signs",
        "outcome.recorded": "outcomes",
        "medication.started": "medications",
        "participant.completed": "dispositions",
        "participant.withdrawn": "dispositions",
        "participant.lost_to_follow_up": "dispositions",
    }
)
_STATES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "infusion.started": "running",
        "infusion.interrupted": "interrupted",
        "infusion.resumed": "running",
        "infusion.stopped": "stopped",
        "infusion.completed": "completed",
    }
)
_OF_INFUSION: Final[Mapping[str, str]] = MappingProxyType(
    {
        "infusion.ordered": "orders",
        "dose.received": "received",
        "dose.administered": "administered",
        "dose.held": "held",
    }
)
_CARRIED: Final = (
    "onset", "awareness", "grade", "scale", "scale_version", "serious", "criteria", "causality", "action",
    "outcome", "resolved",
)  # fmt: skip


class Parts:
    """The parts so far."""

    def __init__(self, book: State, reader: Reader) -> None:
        self._book = book
        self._reader = reader
        self._lists: dict[str, list[Shown]] = {part: [] for part in _LISTS.values()}
        self._other: list[Shown] = []
        self._criteria: dict[str, Shown] = {}
        self._eligibility: Shown | None = None
        self._randomizations: dict[str, Shown] = {}
        self._visits: dict[str, Shown] = {}
        self._unscheduled: list[Shown] = []
        self._infusions: dict[int, Shown] = {}
        self._adverse_events: dict[str, Shown] = {}

    def add(self, record: Record, *, may_have: bool = False) -> None:
        """Add the next record."""
        type_ = record["type"]
        if type_ in QUALITY or "voided" in record:
            return
        shown = show(record, self._book, self._reader)
        if may_have:
            shown["may_have"] = True
        part = _LISTS.get(type_)
        if part is not None:
            self._lists[part].append(shown)
            return
        _ADD.get(type_, Parts._add_other)(self, shown)

    def done(self) -> dict[str, Any]:
        """Return the parts by name."""
        return {
            **self._lists,
            "criteria": self._criteria,
            "eligibility": self._eligibility,
            "randomizations": list(self._randomizations.values()),
            "visits": self._visits,
            "unscheduled_visits": self._unscheduled,
            "infusions": list(self._infusions.values()),
            "adverse_events": self._adverse_events,
            "other": self._other,
        }

    def _add_other(self, shown: Shown) -> None:
        self._other.append(shown)

    def _add_criterion(self, shown: Shown) -> None:
        self._criteria[shown["data"]["criterion"]] = shown
        if self._eligibility is not None:
            self._eligibility.setdefault("outdated_by", shown["index"])

    def _add_eligibility(self, shown: Shown) -> None:
        self._eligibility = shown

    def _add_request(self, shown: Shown) -> None:
        data = shown["data"]
        allocation = self._randomizations.setdefault(shown["event"], {"allocation": None})
        allocation |= {
            "stage": data["stage"],
            "list": data["list"],
            "stratum": data["stratum"],
            "request": shown,
        }

    def _add_allocation(self, shown: Shown) -> None:
        data = shown["data"]
        allocation = self._randomizations.setdefault(data["request"], {"request": None})
        allocation |= {name: data[name] for name in ("stage", "list", "stratum")}
        allocation |= {name: data.get(name) for name in ("list_index", "commitment", "arm")}
        allocation["allocation"] = shown

    def _add_visit(self, shown: Shown) -> None:
        data = shown["data"]
        if data["visit"] == UNSCHEDULED:
            self._unscheduled.append(shown)
            return
        visit = self._visits.setdefault(data["visit"], {"started": None, "completed": None, "missed": None})
        visit[shown["type"].partition(".")[2]] = shown

    def _infusion(self, number: int) -> Shown:
        infusion = self._infusions.get(number)
        if infusion is None:
            infusion = self._infusions[number] = {
                "infusion": number,
                "state": None,
                "label": None,
                "segments": [],
                **{part: [] for part in _OF_INFUSION.values()},
            }
        return infusion

    def _add_of_infusion(self, shown: Shown) -> None:
        self._infusion(shown["data"]["infusion"])[_OF_INFUSION[shown["type"]]].append(shown)

    def _add_segment(self, shown: Shown) -> None:
        infusion = self._infusion(shown["data"]["infusion"])
        infusion["state"] = _STATES[shown["type"]]
        if shown["type"] == "infusion.started":
            infusion["label"] = shown["data"]["label"]
        infusion["segments"].append(shown)

    def _add_adverse_event(self, shown: Shown) -> None:
        data = shown["data"]
        event = self._adverse_events.get(data["ae"])
        if event is None:
            event = self._adverse_events[data["ae"]] = {"ae": data["ae"], "versions": []}
        event["version"] = data.get("version", 1)
        event |= {name: data[name] for name in _CARRIED if name in data}
        event["versions"].append(shown)


_ADD: Final[Mapping[str, Callable[[Parts, Shown], None]]] = MappingProxyType(
    {
        "criterion.assessed": Parts._add_criterion,
        "eligibility.confirmed": Parts._add_eligibility,
        "randomization.requested": Parts._add_request,
        "participant.randomized": Parts._add_allocation,
        **dict.fromkeys(("visit.started", "visit.completed", "visit.missed"), Parts._add_visit),
        **dict.fromkeys(_OF_INFUSION, Parts._add_of_infusion),
        **dict.fromkeys(_STATES, Parts._add_segment),
        "adverse_event.reported": Parts._add_adverse_event,
        "adverse_event.followed_up": Parts._add_adverse_event,
        "adverse_event.resolved": Parts._add_adverse_event,
    }
)
