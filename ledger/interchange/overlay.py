"""What a study definition needs and a foreign protocol does not say: a file laid over what was imported.

The overlay has the form of the definition, in part. Objects are laid over member by member, arrays whose
objects have an `id` row by row, and every other value is replaced. Its values name their own source; what
nobody published is `X`.
"""

from __future__ import annotations

from typing import Any


def lay_over(base: Any, over: Any) -> Any:
    """Return `base` with `over` laid over it; neither is changed."""
    if _is_plain(base) and _is_plain(over):
        merged = dict(base)
        for name, value in over.items():
            merged[name] = lay_over(base[name], value) if name in base else value
        return merged
    if _has_ids(base) and _has_ids(over):
        rows = {_id(row): row for row in base}
        for row in over:
            rows[_id(row)] = lay_over(rows.get(_id(row), {}), row)
        return list(rows.values())
    return over


def x(value: Any) -> dict[str, Any]:
    """Label a value as configuration that nobody published."""
    return {"value": value, "source": "X"}


def _is_plain(value: Any) -> bool:
    """Tell whether it is an object of members, and not a value with its source."""
    return isinstance(value, dict) and "source" not in value


def _has_ids(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(_id(row) is not None for row in value)


def _id(row: Any) -> Any:
    name = row.get("id") if isinstance(row, dict) else None
    return name.get("value") if isinstance(name, dict) else None
