"""A form that asks a page for fewer rows: fields as they are in the address, the rest of the address kept."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from api.call import Call
from api.cells import attribute, escape

NOTHING_OFFERED: Final[Mapping[str, Collection[str]]] = MappingProxyType({})


def filter_form(
    call: Call,
    fields: Sequence[tuple[str, str]],
    kept: Collection[str],
    *,
    label: str,
    offered: Mapping[str, Collection[str]] = NOTHING_OFFERED,
) -> str:
    """Return the form; open where something is filtered by it.

    `fields` are names and labels, `kept` names of parameters that stay as they are, `offered` what a field
    offers while it is filled in.
    """
    inputs = "".join(
        f"<label>{escape(text)}"
        f'<input name="{name}" value="{attribute(call.query.get(name, ""))}"'
        f"{_list(name, offered)}></label>"
        for name, text in fields
    )
    lists = "".join(
        f'<datalist id="{name}s">{"".join(f"<option>{escape(each)}</option>" for each in values)}</datalist>'
        for name, values in offered.items()
    )
    is_open = " open" if any(name in call.query for name, _ in fields) else ""
    return (
        f'<details class="filter"{is_open}><summary>Filter</summary>'
        f'<form class="filter" method="get" role="search" aria-label="{attribute(label)}">{inputs}'
        f"{kept_fields(call, kept)}{lists}<button>Show</button></form></details>"
    )


def _list(name: str, offered: Collection[str]) -> str:
    return f' list="{name}s"' if name in offered else ""


def kept_fields(call: Call, kept: Collection[str]) -> str:
    """Return hidden fields for the parameters that a form leaves as they are."""
    return "".join(
        f'<input type="hidden" name="{name}" value="{attribute(call.query[name])}">'
        for name in kept
        if name in call.query
    )
