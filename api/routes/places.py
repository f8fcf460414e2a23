"""Where who asks may record: streams of their sites with the protocol in force, and the study's own names.

A form for a record is filled from it and from the catalogue. Nothing here decides anything: what is handed in
is judged as any other statement.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from starlette.responses import Response

from api.answers import answer
from api.call import Call
from api.operations import Operation
from ledger.actions import all_specs
from ledger.actions.visits import UNSCHEDULED
from ledger.rules.protocols import earlier_versions, version_for
from ledger.study.definition import Instrument, StudyDefinition
from ledger.studystate import Protocol, StudyState
from ledger.times import Interval, format_instant
from projections.authorization import Site, allowed
from projections.enrolment import participants

NO_NAMES: Final[dict[str, list[dict[str, str]]]] = {}
BY_INFUSION: Final = (
    "dose.", "dosing_error.", "infusion.", "postinfusion.", "preinfusion_check.",
)  # fmt: skip
BY_LIST: Final = ("allocation.", "blind_guess.", "randomization.requested", "unblinding.")


def places(call: Call) -> Response:
    """Answer the streams that the asker's role writes to on its sites, and what the study names."""
    now_us = call.study.ledger.sources.now_us()
    with call.study.reading.folded() as folded:
        conduct, size, head = folded.conduct, folded.reads.size, folded.reads.head()
        rows = participants(folded.reads, reader=call.reader, states=folded.participants)
        now = Interval(earliest_us=now_us, latest_us=now_us)
        sites = sorted(_sites(call, conduct.study, size))
        found = [_of_site(conduct.study, site, size, now) for site in sites]
        for row in rows:
            state = conduct.state(row["participant"])
            if state is None:
                continue
            protocol = version_for(state, conduct.study, now, size)
            stream = f"participant/{row['participant']}"
            earlier = earlier_versions(state, conduct.study, now_us, size)
            found.append(_place(conduct.study, stream, row["site"], protocol, earlier))
        study = conduct.study
    asked = {place["protocol"] for place in found}
    value = {
        "role": call.reader.role,
        "places": found,
        **_said(study, study.protocol(size)),
        "versions": [
            {"protocol": each.version, **_said(study, each)}
            for each in study.protocols
            if each.version in asked and each.index < size
        ],
        "unplanned": sorted(_unplanned(study, size)),
    }
    return answer(call, value, head)


def _said(study: StudyState, protocol: Protocol | None) -> dict[str, Any]:
    """Return what a version names and asks."""
    definition = None if protocol is None else protocol.definition
    if definition is None:
        return {"names": NO_NAMES, "instruments": []}
    instruments = [_instrument(each) for each in definition.instruments.values()]
    return {"names": _names(definition, study), "instruments": instruments}


def _unplanned(study: StudyState, size: int) -> frozenset[str]:
    """Return the types that no approved version plans: participants may be under any of them."""
    planned = [each.definition for each in study.protocols if each.index < size]
    return frozenset.intersection(
        frozenset(each.type for each in all_specs()),
        *(frozenset() if each is None else frozenset(unplanned(each)) for each in planned or [None]),
    )


def _sites(call: Call, study: StudyState, size: int) -> Iterator[str]:
    known = {
        site
        for protocol in study.protocols
        if protocol.index < size and protocol.definition is not None
        for site in protocol.definition.sites
    }
    yield from (site for site in known if allowed(call.reader, None, Site(site=site)))


def _of_site(study: StudyState, site: str, size: int, now: Interval) -> dict[str, Any]:
    protocol = study.protocol_for(site, size, now)
    return _place(study, f"site/{site}", site, protocol)


def _place(
    study: StudyState,
    stream: str,
    site: str,
    protocol: Protocol | None,
    earlier: Iterable[tuple[str, int]] = (),
) -> dict[str, Any]:
    return {
        "stream": stream,
        "site": site,
        "protocol": None if protocol is None else protocol.version,
        "earlier": [{"protocol": version, "until": format_instant(end_us)} for version, end_us in earlier],
        "zone": study.zone(site),
    }


def _instrument(instrument: Instrument) -> dict[str, Any]:
    """Return what an instrument asks, and how its total is made."""
    return {
        "id": instrument.id,
        "version": instrument.version,
        "items": list(instrument.items),
        "minimum": instrument.minimum,
        "maximum": instrument.maximum,
        "scoring": instrument.scoring,
    }


def unplanned(definition: StudyDefinition) -> Iterator[str]:
    """Name the types for which the protocol has no part: they can be recorded, and are looked for last."""
    absent: list[str] = []
    if not definition.infusions and definition.extension is None:
        absent += BY_INFUSION
    if definition.randomization is None:
        absent += BY_LIST
    if definition.extension is None:
        absent.append("extension.")
    if not definition.diaries:
        absent.append("diary.")
    yield from {each.type for each in all_specs() if each.type.startswith(tuple(absent))}


def _names(definition: StudyDefinition, study: StudyState) -> dict[str, list[dict[str, str]]]:
    """Return what the definition names, by the member that holds such a name."""
    visits = [
        *({"id": each.id, "name": each.name} for each in definition.visits),
        {"id": UNSCHEDULED, "name": "Unscheduled visit"},
    ]
    return {
        "visit": visits,
        "last_visit": visits,
        "instrument": [{"id": id_, "name": each.name} for id_, each in definition.instruments.items()],
        "product": [{"id": id_, "name": each.name} for id_, each in definition.products.items()],
        "scale": [{"id": definition.adverse_event_scale.name, "name": ""}],
        "scale_version": [{"id": definition.adverse_event_scale.version, "name": ""}],
        "language": [{"id": each, "name": ""} for each in sorted({form.language for form in study.forms})],
        "criterion": [{"id": each.id, "name": each.text} for each in definition.criteria],
    }


OPERATIONS: Final = (
    Operation(
        name="signing-places",
        method="GET",
        path="/signing/places",
        summary="Where the asker may record: streams with site, protocol and zone, and the study's names",
        handler=places,
        twins=("json",),
        answers={200: "role, places; names and instruments, by version too; types that no version plans"},
    ),
)
