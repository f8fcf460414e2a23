"""The study definition as a page for who writes one: `make generated` makes docs/study-definition.md of it.

One table for each dataclass of the format, in the order in which they are met: member, type, whether it may
be absent. What the members mean stands in the docstrings, and is printed above each table.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from decimal import Decimal
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints

from ledger.study import definition, sourced, terms
from ledger.study.definition import StudyDefinition
from ledger.study.sourced import Between, Filled, Matches

HEAD: Final = """\
# The study definition, member by member

Made from the code (`make generated`). A definition is one JSON object, a [StudyDefinition](#studydefinition).
`trial-ledger definition example` writes one to start from, `definition check` reads it as a ledger does and
names the first fault by its place; [own-study.md](own-study.md) goes on from there. Whatever is not in these
tables is refused. Decimals are texts (`"0.5"`), and no number is a float.

A value stands plain (`"phase": "phase 2"`) or with where it comes from
(`"phase": {"value": "phase 2", "source": "R"}`): `S` the trial listing, `R` the public registry, `U` the
protocol in USDM, `X` not published. What the ledger attaches has the source of every value; plain ones are
then `X`.
"""
_TERMS: Final = {
    terms.Code: "code",
    terms.ArmId: "arm id",
    terms.SiteId: "site id",
    terms.CriterionId: "criterion id",
    terms.Unit: "UCUM unit",
    terms.Language: "language tag",
}
_WORDS: Final = {str: "text", int: "integer", bool: "true or false", Decimal: "decimal"}


def main() -> None:
    """Print the page."""
    sys.stdout.write("\n".join(_page()))


def _page() -> Iterator[str]:
    yield HEAD
    yield from _introduction()
    for cls in _classes(StudyDefinition):
        yield f"## {cls.__name__}\n"
        yield f"{inspect.cleandoc(cls.__doc__ or '')}\n"
        yield "| member | value | |"
        yield "|---|---|---|"
        known = get_type_hints(cls, include_extras=True)
        for field in fields(cls):
            needed = "needed" if field.default is MISSING else _absent(field.default)
            yield f"| `{field.name}` | {_told(known[field.name])} | {needed} |"
        yield ""
    yield "## Names and units\n"
    yield "| | pattern |"
    yield "|---|---|"
    for term, name in _TERMS.items():
        [pattern] = [each.pattern for each in sourced.bare(term)[1] if isinstance(each, Matches)]
        yield f"| {name} | `{pattern.replace('|', chr(92) + '|')}` |"
    yield ""


def _introduction() -> Iterator[str]:
    """Print what the module says of days, doses and block sizes."""
    for paragraph in inspect.cleandoc(definition.__doc__ or "").split("\n\n"):
        if paragraph.startswith("**"):
            yield f"{paragraph}\n"


def _classes(cls: type, seen: set[type] | None = None) -> Iterator[type[Any]]:
    """Yield a dataclass, then those that its members are, each once."""
    seen = set() if seen is None else seen
    if cls not in seen:
        seen.add(cls)
        yield cls
        for annotation in get_type_hints(cls, include_extras=True).values():
            if (inner := _row(annotation)) is not None:
                yield from _classes(inner, seen)


def _row(annotation: Any) -> type | None:
    """Return the dataclass that a member is, or is an array of."""
    annotation, _ = sourced.bare(annotation)
    if is_dataclass(annotation):
        return annotation if isinstance(annotation, type) else None
    origin = get_origin(annotation)
    if origin is Mapping:
        return _row(get_args(annotation)[1])
    return _row(get_args(annotation)[0]) if origin is tuple else None


def _told(annotation: Any) -> str:
    """Say what a member may be."""
    annotation, constraints = sourced.bare(annotation)
    filled = any(isinstance(each, Filled) for each in constraints)
    if (row := _row(annotation)) is not None:
        link = f"[{row.__name__}](#{row.__name__.lower()})"
        many = get_origin(annotation) in {tuple, Mapping}
        return f"array of {link}{', not empty' if filled else ''}" if many else link
    if get_origin(annotation) is tuple:
        return f"array of {_told(get_args(annotation)[0])}, each once{', not empty' if filled else ''}"
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{each}`" for each in get_args(annotation))
    return _scalar(annotation, constraints)


def _scalar(annotation: Any, constraints: tuple[Any, ...]) -> str:
    word = _WORDS[annotation]
    for each in constraints:
        if isinstance(each, Between):
            return f"{word}, {each.low} to {each.high}"
        if isinstance(each, Matches):
            named = {sourced.bare(term)[1]: name for term, name in _TERMS.items()}
            shown = each.pattern.replace("|", "\\|")
            return named.get(constraints, f"{word}, `{shown}`")
    return word


def _absent(default: Any) -> str:
    """Say what stands for a member that is not there."""
    if default in (None, ()):
        return "may be absent"
    return f"absent: {str(default).lower()}"


if __name__ == "__main__":
    main()
