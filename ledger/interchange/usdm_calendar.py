"""The calendar of a USDM design: epochs, and visits with windows from the timings of the main timeline.

A scheduled instance with an encounter is a visit. Its timing says how long before or after another instance
it lies; followed to the fixed reference, that is a study day: the reference is day 1, two weeks after it
day 15, two days before it day -2. Windows in days are kept; parts of days are not, because windows are
calendar days.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from ledger.interchange.markup import code
from ledger.interchange.overlay import x
from ledger.interchange.tracked import Node

_DURATION: Final = re.compile(r"P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")
_MODES: Final = (("person", "in_person"), ("telephone", "phone"), ("phone", "phone"), ("home", "home"))
_DAYS_A_WEEK: Final = 7
MAX_LINKS: Final = 1_000


def u(value: Any) -> dict[str, Any]:
    """Label a value as the USDM document's own."""
    return {"value": value, "source": "U"}


def epochs(design: Node) -> list[dict[str, Any]]:
    """Return the epochs; USDM does not say that one is optional, so none is."""
    found = []
    for n, epoch in enumerate(design["epochs"].rows()):
        at = f"/epochs/{n}"
        name = epoch["label"].take(f"{at}/name") or epoch["name"].value
        found.append({"id": u(code(epoch["name"].take(f"{at}/id"))), "name": u(name), "optional": x(False)})
    return found


def visits(design: Node, instruments: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Yield the visits of the main timeline; `instruments` are known activities and their instrument's id.

    A window that the timing does not give is left out: it has to come from elsewhere.
    """
    main = next((row for row in design["scheduleTimelines"].rows() if row["mainTimeline"].value), None)
    if main is None:
        return
    main["mainTimeline"].take("/visits")
    timings = {row["relativeFromScheduledInstanceId"].value: row for row in main["timings"].rows()}
    seen: set[str] = set()
    number = 0
    for instance in main["instances"].rows():
        encounter = instance["encounterId"].follow("/visits")
        if encounter is None:
            continue
        at = f"/visits/{number}"
        number += 1
        yield _visit(instance, encounter, timings, at, instruments, again=encounter.pointer in seen)
        seen.add(encounter.pointer)


def _visit(
    instance: Node,
    encounter: Node,
    timings: Mapping[Any, Node],
    at: str,
    instruments: Mapping[str, str],
    *,
    again: bool,
) -> dict[str, Any]:
    named = instance if again else encounter
    name = named["label"].take(f"{at}/name") or named["name"].take(f"{at}/name")
    epoch = instance["epochId"].follow(f"{at}/epoch")
    if not again:
        encounter["description"].take(f"{at}/name")
    modes = [_mode(row["decode"].take(f"{at}/mode")) for row in encounter["contactModes"].rows()]
    mode = modes[-1] if again and modes else modes[0] if modes else "in_person"
    offset = offset_days(instance, timings, f"{at}/day")
    done = [row for row in (link.follow(at) for link in _links(instance["activityIds"])) if row]
    visit = {
        "id": u(code(name)),
        "name": u(name),
        "kind": u(_kind(epoch, mode)),
        "epoch": u(code(epoch["name"].value) if epoch else ""),
        "mode": u(mode) if modes else x(mode),
        "applies": x("everyone"),
        "required": x(not again),
        "anchor": u("day_1"),
        **_window(timings.get(instance["id"].value), at),
        "instruments": u(
            _each(instruments[row["name"].value] for row in done if _answered(row, instruments))
        ),
        "procedures": u(_each(_procedure(row, at) for row in done if not _answered(row, instruments))),
    }
    if offset is not None:
        visit["day"] = u(offset if offset < 0 else offset + 1)
        if offset > 0 and offset % _DAYS_A_WEEK == 0:
            visit["week"] = u(offset // _DAYS_A_WEEK)
    return visit


def offset_days(instance: Node, timings: Mapping[Any, Node], to: str) -> int | None:
    """Return the days from the fixed reference to an instance; None where the timings do not lead there."""
    total = 0
    for _ in range(MAX_LINKS):
        timing = timings.get(instance["id"].value)
        if timing is None:
            return None
        kind = timing["type"]["decode"].take(to)
        if kind == "Fixed Reference":
            timing["value"].take(to)
            return total
        days = whole_days(timing["value"].take(to))
        following = timing["relativeToScheduledInstanceId"].follow(to)
        if days is None or following is None or kind not in ("After", "Before"):
            return None
        timing["relativeToFrom"]["decode"].take(to)
        total += days if kind == "After" else -days
        instance = following
    return None


def whole_days(text: Any) -> int | None:
    """Return the whole days of an ISO 8601 duration of weeks, days and times; None for any other."""
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if match is None or text in ("P", "PT"):
        return None
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return weeks * _DAYS_A_WEEK + days + ((hours * 60 + minutes) * 60 + seconds) // 86_400


def _window(timing: Node | None, at: str) -> dict[str, Any]:
    """Return the days before and after; a part of a day is no calendar day and is not taken."""
    found: dict[str, Any] = {}
    if timing is None:
        return found
    if timing["type"]["decode"].value == "Fixed Reference":
        return {"before_days": u(0), "after_days": u(0)}
    for name, member in (("windowLower", "before_days"), ("windowUpper", "after_days")):
        days = whole_days(timing[name].value)
        if days is None:
            continue
        found[member] = u(days)
        if re.fullmatch(r"P[^T]+|PT0[HMS]", timing[name].value):
            timing[name].take(f"{at}/{member}")
    return found


def _kind(epoch: Node | None, mode: str) -> str:
    if mode != "in_person":
        return "contact"
    said = str(epoch["type"]["decode"].take("/visits")) if epoch is not None else ""
    if said.startswith("Screening"):
        return "screening"
    return "follow_up" if said.startswith("Follow") else "treatment"


def _mode(said: Any) -> str:
    return next((mode for word, mode in _MODES if word in str(said).lower()), "in_person")


def _procedure(activity: Node, at: str) -> str:
    activity["label"].take(f"{at}/procedures")
    return code(activity["name"].take(f"{at}/procedures"))


def _answered(activity: Node, instruments: Mapping[str, str]) -> bool:
    return activity["name"].value in instruments


def _links(ids: Node) -> list[Node]:
    return ids.rows()


def _each(codes: Iterator[str]) -> list[str]:
    return list(dict.fromkeys(codes))
