"""Pregnancy tests before randomization and infusions (catalogue C).

Sex is sealed, so the gate rests on what is told in plain words. It asks for a test

- of whom pregnancy is possible, or not known to be impossible, by the newest word on it;
- of whom nothing of the kind is told, once a test of theirs is recorded: they were found to need one;
- after any test that is newer than the newest word on it and was not negative.

Whoever is said not to be able to become pregnant, and who was never tested, is not asked. The window and the
gates are the protocol's; where it names none, no rule asks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from ledger.participant import Participant
from ledger.rules.case import Case, Fold, Judge
from ledger.state.consenting import Consenting, Potential, PregnancyTest
from ledger.times import local_date

_BEFORE: Final[Mapping[str, str]] = MappingProxyType(
    {"randomization.requested": "randomization", "infusion.started": "infusion"}
)


def judge_gate(case: Case) -> Iterator[str]:
    """Judge a gate that the protocol tests before: the newest test is negative and in its window."""
    demanded = case.definition.pregnancy if case.definition is not None else None
    if demanded is None or _BEFORE[case.record.type] not in demanded.before:
        return
    if needs_test(_by_then(case)) and not _is_negative(case, demanded.valid_days):
        yield "PREGNANCY_TEST"


def _by_then(case: Case) -> Consenting:
    """Return what was told and tested by the time of a gate: one passed on paper is recorded later."""
    consenting, record = case.participant.consenting, case.record
    if record.is_gate:
        return consenting
    return replace(
        consenting,
        pregnancy_tests=tuple(t for t in consenting.pregnancy_tests if not record.precedes(t.time)),
        potentials=tuple(p for p in consenting.potentials if not record.precedes(p.since)),
    )


def needs_test(consenting: Consenting) -> bool:
    """Tell whether a test is asked of a participant."""
    told, tested = _newest_potential(consenting), _newest_test(consenting)
    if told is None:
        return tested is not None
    if told.value != "no":
        return True
    return tested is not None and tested.result != "negative" and tested.index > told.index


def _is_negative(case: Case, valid_days: int) -> bool:
    test = _newest_test(_by_then(case))
    if test is None or test.result != "negative":
        return False
    taken = local_date(test.time.earliest_us, case.zone)
    return (local_date(case.record.now.latest_us, case.zone) - taken).days <= valid_days


def _newest_test(consenting: Consenting) -> PregnancyTest | None:
    return max(consenting.pregnancy_tests, key=lambda t: (t.time.latest_us, t.index), default=None)


def _newest_potential(consenting: Consenting) -> Potential | None:
    return max(consenting.potentials, key=lambda p: (p.since.latest_us, p.index), default=None)


def fold_test(case: Case) -> Participant:
    """Add a test."""
    record, consenting = case.record, case.participant.consenting
    test = PregnancyTest(index=record.index, time=record.occurred, result=record.data["result"])
    tests = (*consenting.pregnancy_tests, test)
    return replace(case.participant, consenting=replace(consenting, pregnancy_tests=tests))


def fold_potential(case: Case) -> Participant:
    """Add whether pregnancy is possible from a time on."""
    record, consenting = case.record, case.participant.consenting
    told = Potential(index=record.index, since=record.occurred, value=record.data["potential"])
    potentials = (*consenting.potentials, told)
    return replace(case.participant, consenting=replace(consenting, potentials=potentials))


JUDGES: Final[Mapping[str, Judge]] = MappingProxyType({})
DEPENDING: Final[Mapping[str, Judge]] = MappingProxyType(dict.fromkeys(_BEFORE, judge_gate))
FOLDS: Final[Mapping[str, Fold]] = MappingProxyType(
    {"pregnancy_test.performed": fold_test, "childbearing_potential.changed": fold_potential}
)
ASKED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "pregnancy_test.performed": "",
        "childbearing_potential.changed": "",
        **dict.fromkeys(_BEFORE, "PREGNANCY_TEST"),
    }
)
