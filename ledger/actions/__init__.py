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
    bedside,
    conditions,
    consent,
    custody,
    devices,
    diary,
    disposition,
    eligibility,
    erasure,
    extension,
    forms,
    imported,
    infusion,
    inspection,
    laboratory,
    ledger_policy,
    locks,
    medication,
    monitoring,
    observations,
    pharmacy,
    pregnancy,
    preparation,
    quality,
    queries,
    randomization,
    safety,
    safety_desk,
    signatures,
    sites,
    study,
    system,
    transfer,
    unblinding,
    visits,
)
from ledger.actions.registry import (
    Action,
    ActionSpec,
    Effect,
    Fact,
    ParticipantGate,
    all_specs,
    delegated_types,
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
    "delegated_types",
    "fields",
    "find_spec",
    "json_schema",
    "parse_action",
    "parse_data",
    "spec",
    "to_data",
]
