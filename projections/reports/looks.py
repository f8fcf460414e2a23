"""What is new since somebody last looked: the changes at each site, and a brief before the next visit.

A look is a signed one: a review of the trail, or a monitoring visit with the range that it covered. Asked by
somebody, it is that person's own; asked without a name, anybody's. The brief puts sites in the order of
their risk: the sum of its matters, each with a weight that is printed beside it, for each participant.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any, Final

from projections.desk import Desk, Line
from projections.report import Report, Row
from projections.reports.absences import absences
from projections.reports.deviations import near_misses
from projections.reports.queries import queries
from projections.reports.review import signals
from projections.reports.safety import safety
from projections.reports.visits import visits
from projections.reports.worklists import cosignatures, signatures, verification

NEVER: Final = -(2**53)  # below every index, those of older logs included
OLD_QUERY_HOURS: Final = 14 * 24
_LOOKS: Final = ("trail.reviewed", "monitoring_visit.recorded")
_OF_A_SITE: Final = ("site", "pharmacy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Matter:
    """What the brief counts: how much one of it weighs, and whether one has to be newer than the look."""

    weight: int
    since_look: bool


_SINCE: Final = partial(Matter, since_look=True)
_STANDING: Final = partial(Matter, since_look=False)

MATTERS: Final[Mapping[str, Matter]] = MappingProxyType(
    {
        "serious adverse event overdue": _STANDING(weight=10),
        "breach found since": _SINCE(weight=5),
        "verification outdated": _STANDING(weight=3),
        "absence": _STANDING(weight=3),
        "second person overdue": _STANDING(weight=3),
        "refused or held since": _SINCE(weight=2),
        "query open for two weeks": _STANDING(weight=2),
        "signature to renew": _STANDING(weight=2),
        "visit missed or outside its window": _STANDING(weight=2),
        "signal in the trail since": _SINCE(weight=1),
        "correction or voiding since": _SINCE(weight=1),
        "adverse event since": _SINCE(weight=1),
    }
)
"""Matters of the brief; the order is that of a site's page."""


def looked_until(desk: Desk) -> dict[str, int]:
    """Return for each site the index up to which the reader's own signed looks go; `NEVER` without one.

    Without a person of the reader's own everybody's looks count. A review of the whole log is one of each
    site.
    """
    until = dict.fromkeys(desk.sites(), NEVER)
    for kind in ("study", *_OF_A_SITE):
        for line in desk.records(*_LOOKS, kind=kind):
            if desk.reader.person not in (None, line.person):
                continue
            for site in until if kind == "study" else (line.site,):
                if site in until:
                    until[site] = max(until[site], line.data["last"])
    return until


def changes(desk: Desk) -> Iterator[Row]:
    """Yield what was recorded of each site since the last signed look at it, by site and index."""
    until = looked_until(desk)
    broken = _rules_by_event(desk)
    new: dict[str, list[Line]] = defaultdict(list)
    for kind in ("participant", *_OF_A_SITE):
        for line in desk.records(kind=kind, voided=True):
            if line.site in until and line.index > until[line.site]:
                new[line.site].append(line)
    for site in until:
        for line in sorted(new[site], key=lambda each: each.index):
            yield {
                "site": site,
                "participant": line.participant,
                "type": line.type,
                "person": line.person,
                "role": line.role,
                "meaning": line.meaning,
                "occurred_at": line.occurred_at,
                "recorded_local": desk.local(line.recorded_us, site),
                "corrected": bool(line.corrected_by),
                "voided": line.voided is not None,
                "breaks": sorted(broken.get(line.event, ())),
                "since_index": until[site] if until[site] > NEVER else None,
                "index": line.index,
            }


def _rules_by_event(desk: Desk) -> dict[str, set[str]]:
    rules: dict[str, set[str]] = defaultdict(set)
    for each in desk.breaches(only_open=True):
        rules[each["statement"]["event"]].add(each["rule"])
    return rules


def brief(desk: Desk) -> Iterator[Row]:
    """Yield what matters at each site since the last signed look, the site of the highest risk first."""
    until = looked_until(desk)
    members = defaultdict(list)
    for participant in desk.participants():
        members[participant.site].append(participant)
    pages = {site: _matters(found, until[site]) for site, found in _found(desk, until).items()}
    risks = {
        site: sum(MATTERS[matter].weight * len(indexes) for matter, indexes in page.items())
        / (len(members[site]) or 1)
        for site, page in pages.items()
    }
    ranked = sorted(pages, key=lambda site: (-risks[site], site))
    for rank, site in enumerate(ranked, 1):
        for matter, indexes in pages[site].items() or ((None, []),):
            yield {
                "rank": rank,
                "site": site,
                "participants": len(members[site]),
                "risk": f"{risks[site]:.2f}",
                "matter": matter,
                "count": len(indexes),
                "weight": MATTERS[matter].weight if matter is not None else None,
                "since_index": until[site] if until[site] > NEVER else None,
                "first_index": min(indexes, default=None),
                "index": max(indexes, default=None),
            }


Found = dict[str, dict[str, list[int]]]


def _found(desk: Desk, until: Mapping[str, int]) -> Found:
    """Return for each site and matter the indexes of the records that it rests on."""
    found: Found = {site: defaultdict(list) for site in until}
    for matter, site, index in _rows(desk):
        if site in found and index is not None:
            found[site][matter].append(index)
    return found


def _matters(found: Mapping[str, list[int]], until: int) -> dict[str, list[int]]:
    """Keep of matters that count since the look what is newer than it, in the order of the page."""
    kept = {}
    for matter, counted in MATTERS.items():
        indexes = found.get(matter, [])
        if counted.since_look:
            indexes = [index for index in indexes if index > until]
        if indexes:
            kept[matter] = indexes
    return kept


def _rows(desk: Desk) -> Iterator[tuple[str, str | None, int | None]]:
    """Yield matter, site and index of everything that any brief could name."""
    for row in safety(desk):
        yield "adverse event since", row["site"], row["first_index"]
        if row["overdue"]:
            yield "serious adverse event overdue", row["site"], row["index"]
    for each in desk.breaches(only_open=True):
        yield "breach found since", each["site"], each["found"]
    for row in visits(desk):
        if row["state"] == "missed" or row["in_window"] is False:
            yield "visit missed or outside its window", row["site"], row["index"]
    for row in near_misses(desk):
        for site in row["sites"]:
            yield "refused or held since", site, row["index"]
    yield from _named("absence", absences(desk))
    yield from _named("signal in the trail since", signals(desk))
    yield from _named("verification outdated", (r for r in verification(desk) if r["verified_by"]))
    yield from _named("second person overdue", (r for r in cosignatures(desk) if r["overdue"]))
    yield from _named("signature to renew", (r for r in signatures(desk) if r["state"] == "to sign again"))
    old = (r for r in queries(desk) if r["state"] == "open" and r["age_hours"] >= OLD_QUERY_HOURS)
    yield from _named("query open for two weeks", old)
    for line in desk.records("correction.made", "record.voided"):
        yield "correction or voiding since", line.site, line.index


def _named(matter: str, rows: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str | None, int | None]]:
    for row in rows:
        yield matter, row["site"], row["index"]


REPORTS: Final = (
    Report(
        name="brief",
        question="What should a monitor know of each site before the next visit, worst site first?",
        columns=MappingProxyType(
            {
                "rank": "place of the site by its risk, 1 the highest",
                "site": "the site",
                "participants": "registered there",
                "risk": "sum of counts times weights, for each participant",
                "matter": "what it is; empty where there is nothing",
                "count": "how many there are",
                "weight": "how much one of them weighs",
                "since_index": "index up to which the last signed look goes; empty: there was none",
                "first_index": "index of the first record that it rests on",
                "index": "index of the newest one",
            }
        ),
        rows=brief,
        restricted=("pharmacy", "access"),
    ),
    Report(
        name="changes",
        question="What was recorded, corrected or voided at each site since the last signed look at it?",
        columns=MappingProxyType(
            {
                "site": "the site",
                "participant": "coded id; empty for the site itself",
                "type": "what was recorded",
                "person": "who signed it",
                "role": "in which role",
                "meaning": "with which meaning",
                "occurred_at": "when it happened, as written and corrected",
                "recorded_local": "when the log took it in, by the clock of the site",
                "corrected": "whether it was corrected since",
                "voided": "whether it was voided since",
                "breaks": "rules that it breaks as far as the log knows",
                "since_index": "index up to which the last signed look goes; empty: there was none",
                "index": "index of the record",
            }
        ),
        rows=changes,
        restricted=("pharmacy",),
    ),
)
