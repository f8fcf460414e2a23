"""Samples and their results, electrocardiograms, any other form (catalogue F)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from ledger.participant import Participant
from ledger.rules.case import Case, Fold, Judge
from ledger.rules.observations import fold_result, judge_plain
from ledger.rules.visits import judge_known
from ledger.state.observing import is_result


def judge_sample(case: Case) -> Iterator[str]:
    """Judge a sample: under a label of its own."""
    yield from judge_known(case)
    if case.record.data["sample"] in case.participant.observing.samples:
        yield "SAMPLE_REPEATED"


def judge_result(case: Case) -> Iterator[str]:
    """Judge results: of a sample that was collected, nothing in plain that tells the treatment."""
    yield from judge_plain(case)
    if case.record.data["sample"] not in case.participant.observing.samples:
        yield "SAMPLE_UNKNOWN"


def judge_reviewed(case: Case) -> Iterator[str]:
    """Judge a review: of a result of this participant."""
    index = case.index_of(case.record.data["statement"])
    if index is None or not is_result(case.participant.observing.results, index):
        yield "RESULT_UNKNOWN"


def fold_sample(case: Case) -> Participant:
    """Keep a sample's label."""
    observing, record = case.participant.observing, case.record
    samples = MappingProxyType({record.data["sample"]: record.index, **observing.samples})
    return replace(case.participant, observing=replace(observing, samples=samples))


JUDGES: Final[Mapping[str, Judge]] = MappingProxyType(
    {
        "ecg.recorded": judge_plain,
        "lab_sample.collected": judge_sample,
        "lab_result.received": judge_result,
        "result.reviewed": judge_reviewed,
        "form.recorded": judge_plain,
    }
)
FOLDS: Final[Mapping[str, Fold]] = MappingProxyType(
    {
        "ecg.recorded": fold_result,
        "lab_sample.collected": fold_sample,
        "lab_result.received": fold_result,
    }
)
ASKED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "ecg.recorded": "VISIT_UNKNOWN UNBLINDING_ANALYTE_PLAIN",
        "lab_sample.collected": "VISIT_UNKNOWN SAMPLE_REPEATED",
        "lab_result.received": "VISIT_UNKNOWN UNBLINDING_ANALYTE_PLAIN SAMPLE_UNKNOWN",
        "result.reviewed": "RESULT_UNKNOWN",
        "form.recorded": "VISIT_UNKNOWN UNBLINDING_ANALYTE_PLAIN",
    }
)
