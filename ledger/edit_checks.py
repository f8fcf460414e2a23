"""Edit checks: values that a person is asked about before they sign (FDA 2024 Q13).

The study definition says which (`edit_checks`): of a type, the value at a path, the range in which nobody is
asked, and the words of the question. In a path `[name]` picks the item of a list whose `name` it is:

    /data/measurements/[heart_rate]/quantity/value

A check refuses nothing: what was entered, the question, and what became of it are recorded beside the record
(`edit_check.fired`). A value sealed as treatment or safety is never asked about here, because what is kept of
a prompt would show it to others than may see it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from ledger.actions.registry import find_spec
from ledger.study.demands import EditCheck

ASKED: Final = frozenset({None, "freetext", "identity"})
"""Scopes of values that may be asked about; None is plain."""
IDENTITY_SCHEMA: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One question: check, exact path of the value, words, what was entered, the schema it is kept under."""

    check: str
    path: str
    text: str
    entered: Any
    schema: int

    def members(self) -> dict[str, Any]:
        """Return what a page shows of it."""
        return {"check": self.check, "path": self.path, "prompt": self.text, "entered": self.entered}


def prompts(
    checks: Sequence[EditCheck], type_: str, schema: int, data: Mapping[str, Any], opened: Mapping[str, Any]
) -> list[Prompt]:
    """Return the questions about a record that is being entered; `opened` are its values to seal, by path."""
    spec, found = find_spec(type_, schema), list[Prompt]()
    if spec is None:
        return found
    whole = _whole(data, opened)
    for check in checks:
        if check.type != type_:
            continue
        for path, value in _values(whole, check.path.split("/")[2:], "/data"):
            scope = spec.scope_at(path)
            if scope in ASKED and _asks(check, value):
                identity = IDENTITY_SCHEMA if scope == "identity" else 1
                found.append(
                    Prompt(check=check.id, path=path, text=check.prompt, entered=value, schema=identity)
                )
    return found


def _whole(data: Mapping[str, Any], opened: Mapping[str, Any]) -> dict[str, Any]:
    """Return the data with each value to seal in its place; only members of the object itself are sealed."""
    top = {path.removeprefix("/data/"): value for path, value in opened.items() if path.startswith("/data/")}
    return {**data, **{name: value for name, value in top.items() if "/" not in name}}


def _values(value: Any, steps: Sequence[str], path: str) -> Iterator[tuple[str, Any]]:
    """Yield the values that a pattern names, each with its exact path."""
    if not steps:
        yield path, value
        return
    step, rest = steps[0], steps[1:]
    if isinstance(value, Mapping) and step in value:
        yield from _values(value[step], rest, f"{path}/{step}")
    elif isinstance(value, list | tuple) and step.startswith("[") and step.endswith("]"):
        for number, item in enumerate(value):
            if isinstance(item, Mapping) and item.get("name") == step[1:-1]:
                yield from _values(item, rest, f"{path}/{number}")


def _asks(check: EditCheck, value: Any) -> bool:
    """Tell whether a number lies outside of the range; what is no number is not asked about."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return False
    try:
        number = Decimal(value)
    except InvalidOperation:
        return False
    if not number.is_finite():
        return False
    below = check.minimum is not None and number < check.minimum
    return below or (check.maximum is not None and number > check.maximum)
