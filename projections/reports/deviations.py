"""Breaches and deviations: each broken rule, and what was made of it: reported, classified, acted on.

A breach is found by the rules and recorded by the service in the same commit (catalogue R6); a deviation is
what people say of it (catalogue H). Near misses are gates that were refused: nothing happened, and the
attempt is on record.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from types import MappingProxyType
from typing import Any, Final

from ledger.rules.codes import RULES
from projections.desk import Desk, Line
from projections.report import Report, Row

_KINDS: Final = ("participant", "site", "study", "pharmacy", "safety")


def deviations(desk: Desk) -> Iterator[Row]:
    """Yield every breach with its deviation, then deviations that no rule had found, each by index."""
    reported, classified, capas = _said(desk)
    named: set[str] = set()
    for breach in desk.breaches():
        statement = breach["statement"]
        deviation = next(
            (
                line
                for line in reported.get(statement["event"], ())
                if not line.data["rules"] or breach["rule"] in line.data["rules"]
            ),
            None,
        )
        if deviation is not None:
            named.add(deviation.event)
        yield {
            "site": breach["site"],
            "participant": breach["participant"],
            "rule": breach["rule"],
            "effect": breach["effect"],
            "type": statement["type"],
            "open": breach["open"],
            **_made_of(deviation, classified, capas),
            "explained_index": breach["explained_by"],
            "closed_index": breach["closed_by"],
            "found_index": breach["found"],
            "index": statement["index"],
        }
    others = {line.event: line for lines in reported.values() for line in lines if line.event not in named}
    for line in sorted(others.values(), key=lambda each: each.index):
        yield {
            "site": line.site,
            "participant": line.participant,
            "rule": None,
            "effect": None,
            "type": line.type,
            "open": None,
            **_made_of(line, classified, capas),
            "explained_index": None,
            "closed_index": None,
            "found_index": None,
            "index": line.index,
        }


def near_misses(desk: Desk) -> Iterator[Row]:
    """Yield the gates that were refused, in the order of the log."""
    for line in desk.records("command.refused", kind="access"):
        if "rule" not in line.data:
            continue
        rule = RULES.get(line.data["rule"])
        yield {
            "recorded_at": line.recorded_at,
            "who": line.data["who"],
            "sites": _sites_of(desk, line.data["who"]),
            "type": line.data["type"],
            "rule": line.data["rule"],
            "asks": rule.text if rule is not None else None,
            "index": line.index,
        }


def _sites_of(desk: Desk, person: str) -> list[str]:
    """Return the sites on which somebody holds a role of that site alone; a refusal names no site itself."""
    known = desk.authority.persons.get(person)
    grants = known.roles.values() if known is not None else ()
    return sorted({site for grant in grants for site in grant.sites if site != "*" and desk.sees_site(site)})


Said = dict[str, list[Line]]


def _said(desk: Desk) -> tuple[Said, dict[str, Line], dict[str, Line]]:
    """Return deviations by the statement named, and classifications and actions by the deviation."""
    reported: Said = defaultdict(list)
    classified: dict[str, Line] = {}
    capas: dict[str, Line] = {}
    for kind in _KINDS:
        for line in desk.records("deviation.reported", "deviation.classified", "capa.opened", kind=kind):
            match line.type:
                case "deviation.reported":
                    for event in line.data["statements"]:
                        reported[event].append(line)
                case "deviation.classified":
                    classified[line.data["statement"]] = line
                case "capa.opened":
                    for event in line.data["statements"]:
                        capas[event] = line
    return reported, classified, capas


def _made_of(deviation: Line | None, classified: dict[str, Line], capas: dict[str, Line]) -> dict[str, Any]:
    classification = classified.get(deviation.event) if deviation is not None else None
    capa = capas.get(deviation.event) if deviation is not None else None
    return {
        "deviation": deviation.data["code"] if deviation is not None else None,
        "classification": classification.data["classification"] if classification is not None else None,
        "impacts": classification.data["impacts"] if classification is not None else None,
        "deviation_index": deviation.index if deviation is not None else None,
        "classified_index": classification.index if classification is not None else None,
        "capa_index": capa.index if capa is not None else None,
    }


REPORTS: Final = (
    Report(
        name="deviations",
        question="Which rules were broken, is it still so, and what was reported, classified and done?",
        columns=MappingProxyType(
            {
                "site": "the site of the record",
                "participant": "coded id",
                "rule": "the rule broken; empty where no rule had found it",
                "effect": "what that rule does to a gate",
                "type": "what was recorded",
                "open": "whether the breach still stands",
                "deviation": "code of the deviation reported for it",
                "classification": "how it was classified",
                "impacts": "what it has an impact on",
                "deviation_index": "index of the report",
                "classified_index": "index of the classification",
                "capa_index": "index of the corrective or preventive action",
                "explained_index": "what explains it and came too late",
                "closed_index": "what made it vanish",
                "found_index": "index at which it was found",
                "index": "index of the record",
            }
        ),
        rows=deviations,
    ),
    Report(
        name="near-misses",
        question="Which gates were refused, to whom, and by which rule?",
        columns=MappingProxyType(
            {
                "recorded_at": "when the log took it in, UTC",
                "who": "who asked",
                "sites": "sites of which that person has a role",
                "type": "the gate",
                "rule": "the rule that refused",
                "asks": "what that rule asks",
                "index": "index of the refusal",
            }
        ),
        rows=near_misses,
        restricted=("access",),
    ),
)
