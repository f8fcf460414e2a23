"""A study definition as people write it: values as they are, and one source for all of them.

    {"sites": [{"id": "IN-01", …}]}  →  {"sites": [{"id": {"value": "IN-01", "source": "X"}, …}]}

What has its source already keeps it, so that a file may be written plain and labelled where it matters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import is_dataclass
from typing import Any, Final, cast, get_args, get_origin

from ledger import canonical
from ledger.study import sourced
from ledger.study.definition import StudyDefinition

CONFIGURED: Final = "X"
"""Of nobody's publication: what a team decides for itself."""


def labelled(data: bytes, source: str = CONFIGURED) -> dict[str, Any]:
    """Return a definition with a source at every value: those that have none get `source`.

    Whether the values are right is for `ledger.study.definition.load`; what is of no known form is left as it
    is, for that to name.

    Raises:
        FormatError: CANONICAL for bytes that have no canonical form; else DEFINITION.
    """
    value = _label(StudyDefinition, sourced.parse(data), source)
    sourced.check(isinstance(value, dict), "expected an object", "")
    return cast(dict[str, Any], value)


def written(data: bytes) -> bytes:
    """Return a definition, plain or labelled, as canonical bytes that `load` reads.

    Raises:
        FormatError: as `labelled`.
    """
    return canonical.encode(labelled(data))


def _label(annotation: Any, value: Any, source: str) -> Any:
    annotation, _ = sourced.bare(annotation)
    row = _row(annotation)
    if row is not None:
        return [_label(row, each, source) for each in value] if isinstance(value, list) else value
    if is_dataclass(annotation):
        if not isinstance(value, Mapping):
            return value
        hints = sourced.hints(cast(type, annotation))
        return {name: _label(hints.get(name), each, source) for name, each in value.items()}
    if annotation is None or isinstance(value, Mapping):
        return value
    return {"value": value, "source": source}


def _row(annotation: Any) -> Any:
    """Return the class of the objects in an array; None for what is no array of objects."""
    match get_origin(annotation), get_args(annotation):
        case (origin, (_, row)) if origin is Mapping:
            return row
        case (origin, (row, _)) if origin is tuple and is_dataclass(row):
            return row
    return None
