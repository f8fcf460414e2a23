"""Every rule of conduct that this version judges: its code, its effect, its place in the catalogue, one line.

One module here for each section of the catalogue, and one for the general rules.

The codes are shared by the API, by `command.refused` and `breach.detected`, by the verifier and by the docs.
A code is never renamed and never gets another effect.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from ledger.rules.codes import (
    consent,
    disposition,
    dosing,
    general,
    people,
    quality,
    randomization,
    safety,
    study,
    visits,
)


class Effect(StrEnum):
    """What a broken rule does (catalogue R6).

    FORM: the statement is refused, gate or fact: form, sequence or integrity.
    REFUSE: a gate is refused, a fact is accepted with a breach.
    HOLD: as REFUSE, and it says "not yet": what holds can be lifted.
    FLAG: gate or fact is accepted with a breach.
    """

    FORM = "form"
    REFUSE = "refuse"
    HOLD = "hold"
    FLAG = "flag"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule: stable code, effect, section of the catalogue, what it asks in one line, since which version.

    A line of a table names the version behind the code where it is not the first: `TIME_IN_FUTURE@2 form …`.
    """

    code: str
    effect: Effect
    section: str
    text: str
    since: int = 1


def _parse(table: str) -> dict[str, Rule]:
    rules = {}
    for line in table.strip().splitlines():
        name, effect, section, text = line.split(maxsplit=3)
        code, _, since = name.partition("@")
        if code in rules:
            raise ValueError(f"rule {code} is declared twice")
        rules[code] = Rule(
            code=code, effect=Effect(effect), section=section, text=text, since=int(since or 1)
        )
    return rules


_AREAS: Final = (
    general,
    people,
    study,
    consent,
    randomization,
    dosing,
    visits,
    safety,
    quality,
    disposition,
)
_RULES: Final = _parse("".join(area.TABLE.lstrip() for area in _AREAS))
RULES: Final[Mapping[str, Rule]] = MappingProxyType(_RULES)


def codes() -> Mapping[str, Rule]:
    """Return every rule by its code, in the order of the catalogue."""
    return RULES
