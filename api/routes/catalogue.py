"""The catalogue for programs: types with the schema of their data, rules, what each role signs and sees.

Made from the same classes and tables that judge statements, so a client that builds its forms from here asks
for what will be recorded.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import orjson
from starlette.responses import Response

from api.answers import head_header
from api.call import Call
from api.operations import Operation
from ledger.actions import ActionSpec, all_specs, json_schema
from ledger.roles import SIGHTS, Sight
from ledger.rules.asked import asked
from ledger.rules.catalogue import SECTIONS, section_of
from ledger.rules.codes import codes

CACHE: Final = {"Cache-Control": "public, max-age=3600"}
JSON: Final = "application/json"


def catalogue(call: Call) -> Response:
    """Answer the catalogue that this version records by."""
    headers = dict(CACHE)
    if call.served is not None:
        headers |= head_header(call.served.ledger.store.head())
    return Response(document(), headers=headers, media_type=JSON)


@lru_cache(maxsize=1)
def document() -> bytes:
    """Write the catalogue: same code, same bytes."""
    value = {
        "sections": dict(SECTIONS),
        "types": [_type(spec) for spec in all_specs()],
        "rules": [
            {
                "code": rule.code,
                "effect": str(rule.effect),
                "section": rule.section,
                "text": rule.text,
                "since": rule.since,
            }
            for rule in codes().values()
        ],
        "roles": {role: _sight(sight) for role, sight in SIGHTS.items()},
    }
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _type(spec: ActionSpec) -> dict[str, Any]:
    return {
        "type": spec.type,
        "schema": spec.schema,
        "section": section_of(spec),
        "effect": spec.effect.value,
        "class": spec.cls,
        "streams": list(spec.streams),
        "roles": {role: sorted(meanings) for role, meanings in sorted(spec.roles.items())},
        "sealed": dict(spec.sealed),
        "data": json_schema(spec),
        "rules": list(asked(spec)),
        "task": spec.delegated,
        "seconds": list(spec.seconds),
        "voidable": spec.voidable,
        "voiding_cosigned": spec.voiding_cosigned,
        "always_open": spec.always_open,
        "reason_required": spec.reason_required,
    }


def _sight(sight: Sight) -> dict[str, Any]:
    return {
        "pharmacy": sight.pharmacy,
        "safety": sight.safety,
        "access": sight.access,
        "treatment": sight.treatment,
        "identity": sight.identity,
        "freetext": sight.freetext,
        "others": sight.others,
        "hidden": sorted(sight.hidden),
    }


def _operation(name: str, *, in_study: bool) -> Operation:
    return Operation(
        name=name,
        method="GET",
        path="/catalogue",
        summary="The catalogue of actions: types with JSON Schema, rules with effects, what each role sees",
        handler=catalogue,
        twins=("json",),
        answers={200: "sections, types, rules and roles"},
        in_study=in_study,
    )


OPERATIONS: Final = (
    _operation("catalogue", in_study=False),
    _operation("study-catalogue", in_study=True),
)
