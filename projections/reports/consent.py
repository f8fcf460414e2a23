"""The consent check: the form signed against the form in effect that minute, and what was done around it.

What monitors look at first (requirements.md): version and language signed, what was in effect at that site at
the participant's own time, and which procedure came first after it, or before.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType
from typing import Final

from ledger.actions import find_spec
from ledger.participant import Participant
from ledger.rules.consent import PARTS
from ledger.rules.record import span
from projections.desk import Desk, Line
from projections.report import Report, Row

_CONSENTS: Final = ("consent.obtained", "reconsent.obtained", "extension.consented")


def consent_check(desk: Desk) -> Iterator[Row]:
    """Yield a row for each consent of each participant, in the order of the log."""
    for participant in desk.participants():
        stream = f"participant/{participant.id}"
        procedures = [line for line in desk.records_of(stream) if _is_procedure(line)]
        for line in desk.records_of(stream, *_CONSENTS):
            yield _row(desk, participant, line, procedures)


def _is_procedure(line: Line) -> bool:
    spec = find_spec(line.type, 1)
    return spec is not None and spec.procedure


def _row(desk: Desk, participant: Participant, line: Line, procedures: list[Line]) -> Row:
    data = line.data
    when = span(data["participant_time"], desk.zone(line.site))
    forms = desk.conduct.study.effective_form(
        line.site or "", data["language"], when, line.index, data["form_version"], PARTS.get(line.type)
    )
    in_effect = sorted({form.version for form in forms if form is not None})
    before = [each for each in procedures if each.occurred.latest_us < when.earliest_us]
    after = (each for each in procedures if each.occurred.earliest_us >= when.earliest_us)
    first = min(after, key=lambda each: (each.occurred.earliest_us, each.index), default=None)
    open_ = {breach.rule for breach in participant.breaches if breach.event == line.event and breach.is_open}
    return {
        "site": line.site,
        "participant": participant.id,
        "consent": line.type,
        "form_version": data["form_version"],
        "language": data["language"],
        "in_effect": in_effect,
        "matches": in_effect == [data["form_version"]],
        "participant_time": data["participant_time"],
        "time_from": data["participant_time_from"],
        "consenter": data["consenter"],
        "copy_given": data["copy_given"],
        "authorization": data["authorization"],
        "options_refused": [each["option"] for each in data["options"] if not each["agreed"]],
        "procedures_before": len(before),
        "first_procedure": first.type if first is not None else None,
        "first_procedure_at": first.occurred_at if first is not None else None,
        "first_procedure_index": first.index if first is not None else None,
        "open_breaches": sorted(open_),
        "index": line.index,
    }


REPORTS: Final = (
    Report(
        name="consent",
        question="Was the form that was signed in effect that minute, and what was done before and after it?",
        columns=MappingProxyType(
            {
                "site": "the participant's site at that record",
                "participant": "coded id",
                "consent": "the first one, one again, or that of the extension",
                "form_version": "version signed",
                "language": "language signed",
                "in_effect": "versions in effect at that site at the participant's time; two if unclear",
                "matches": "whether the version signed is the one in effect",
                "participant_time": "the participant's own time, as written and corrected",
                "time_from": "where that time was taken from",
                "consenter": "who obtained it",
                "copy_given": "whether a copy was given",
                "authorization": "whether the use of data was authorized",
                "options_refused": "options that were not agreed to",
                "procedures_before": "how many procedures lie before it for certain",
                "first_procedure": "the first procedure after it",
                "first_procedure_at": "when that took place",
                "first_procedure_index": "index of that record",
                "open_breaches": "rules that it breaks, still open",
                "index": "index of the consent",
            }
        ),
        rows=consent_check,
    ),
)
