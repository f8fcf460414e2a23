"""Which version of the rules is in force at an index (record-format.md §10).

A release (`system.released`) says which version of the rules it puts to use, from the next index on; before
the first one it is version 1. A rule that came with version n is not asked of what was recorded under an
earlier one, whoever judges and whenever: neither by a correction that folds an old statement again, nor by a
verifier of a later release. From the first release of the program on, the text of a rule and what it asks
never change; what is to be asked differently is a new rule. Until then both are corrected in version 1, and a
log of an earlier build may be judged otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ledger.participant import Breach
from ledger.rules.codes import RULES
from ledger.studystate import StudyState


def newest() -> int:
    """Return the newest version of the rules that this program can judge by."""
    return max(rule.since for rule in RULES.values())


def in_force(codes: Iterable[str], study: StudyState, index: int) -> Iterator[str]:
    """Yield those of the broken rules that were in force for the statement of an index."""
    for code in codes:
        if RULES[code].since <= study.people.rules(index):
            yield code


def breaches_in_force(breaches: Iterable[Breach], study: StudyState) -> tuple[Breach, ...]:
    """Return those breaches whose rule was in force for the statement that they name."""
    return tuple(b for b in breaches if RULES[b.rule].since <= study.people.rules(b.index))
