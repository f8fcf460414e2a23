"""The vocabulary: one module per area of the catalogue, one frozen class per action type and schema.

    action = parse_action(statement)            # typed; sealed fields None unless opened
    data, sealed = to_data(action)              # the inverse
    spec("consent.obtained", 1).roles           # who may sign it, with which meaning

A new type is one class in its area's module, and a golden file; everything else is derived (`registry`).
Pure: no clock, no store. Left out on purpose: whether an action may happen (`rules`, `authorisation`).
"""

from __future__ import annotations

from ledger.actions import (  # noqa: F401  importing an area declares its actions
    access,
    accounts,
    consent,
    disposition,
    eligibility,
    erasure,
    infusion,
    ledger_policy,
    medication,
    observations,
    quality,
    randomization,
    safety,
    sites,
    study,
    visits,
)
from ledger.actions.registry import (
    Action,
    ActionSpec,
    Effect,
    Fact,
    ParticipantGate,
    all_specs,
    fields,
    find_spec,
    json_schema,
    parse_action,
    parse_data,
    spec,
    to_data,
)

__all__ = [
    "Action",
    "ActionSpec",
    "Effect",
    "Fact",
    "ParticipantGate",
    "all_specs",
    "fields",
    "find_spec",
    "json_schema",
    "parse_action",
    "parse_data",
    "spec",
    "to_data",
]
