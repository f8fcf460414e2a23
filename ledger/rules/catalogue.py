"""The catalogue as a page for readers, from the code: `python -m ledger.rules.catalogue > docs/catalogue.md`.

One table for each section of the catalogue: what a type's `data` holds, what of it is sealed and in which
scope, who signs it with which meaning, and by which rules it is judged. docs/spec/catalogue.md says why.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from ledger.actions import ActionSpec, all_specs, find_spec
from ledger.roles import ROLES, SIGHTS
from ledger.rules.asked import area_codes, general_codes
from ledger.rules.codes import RULES

SECTIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "A": "Ledger, people, access",
        "B": "Study and sites",
        "C": "Consent and eligibility",
        "D": "Randomization and blinding",
        "E": "Product and dosing",
        "F": "Visits and observations",
        "G": "Safety",
        "H": "Data quality, monitoring, signature, lock",
        "I": "Disposition",
    }
)
_MODULES: Final[Mapping[str, str]] = MappingProxyType(
    {
        **dict.fromkeys(
            ("access", "accounts", "devices", "erasure", "inspection", "ledger_policy", "system"), "A"
        ),
        **dict.fromkeys(("conditions", "sites", "study"), "B"),
        **dict.fromkeys(("consent", "eligibility", "pregnancy", "transfer"), "C"),
        **dict.fromkeys(("randomization", "unblinding"), "D"),
        **dict.fromkeys(("bedside", "infusion", "pharmacy", "preparation"), "E"),
        **dict.fromkeys(("diary", "forms", "laboratory", "medication", "observations", "visits"), "F"),
        **dict.fromkeys(("safety", "safety_desk"), "G"),
        **dict.fromkeys(("custody", "locks", "monitoring", "quality", "queries", "signatures"), "H"),
        **dict.fromkeys(("disposition", "extension"), "I"),
    }
)
# Types whose module is of another section than their row.
_ELSEWHERE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "breach.detected": "A",
        "record.cosigned": "A",
        "record.reaffirmed": "A",
        "training.recorded": "A",
        "randomization.seed_committed": "B",
        "randomization.parameters_committed": "B",
        "randomization.list_committed": "B",
        "randomization.list_opened": "B",
    }
)

_HEAD: Final = """# The catalogue of actions, as this version has it

Made from the code by `make generated`; do not edit. What the rules ask is in [rules.csv](spec/rules.csv), why
they are there in [the catalogue](spec/catalogue.md), who signs what as data in
[authority.csv](spec/authority.csv). **G** a gate, **F** a fact. In *data*, `?` marks what may be absent and
`~scope` what is sealed. A type of several schema versions has a row for each. *Second persons* cosign (R9);
*task*: who performs it is delegated and trained (R2b); *always open* (R7).

Rules that come with what a type is, and so are not repeated in the rows: """


_TABLE: Final = ("| type | | stream | data | signed by | rules |", "|---|---|---|---|---|---|")


def section_of(spec: ActionSpec) -> str:
    """Return the letter of the catalogue's section that a type stands in."""
    first = find_spec(spec.type, 1) or spec  # a later schema can stand in a module of its own
    module = first.action.__module__.rpartition(".")[2]
    return _ELSEWHERE.get(spec.type) or _MODULES[module]


def page() -> str:
    """Return the whole page, byte for byte as docs/catalogue.md holds it."""
    lines = [_HEAD + _general() + "\n"]
    specs = all_specs()
    for letter, title in SECTIONS.items():
        lines += [
            f"## {letter}. {title}",
            "",
            "| type | | stream | data | signed by | rules |",
            "|---|---|---|---|---|---|",
        ]
        lines += [_row(spec) for spec in specs if section_of(spec) == letter]
        lines.append("")
    lines += _roles()
    return "\n".join(lines) + "\n"


def _general() -> str:
    codes = dict.fromkeys(code for spec in all_specs() for code in general_codes(spec))
    return ", ".join(_rule(code) for code in codes) + "."


def _rule(code: str) -> str:
    return f"`{code}` {RULES[code].effect.value}"


def _row(spec: ActionSpec) -> str:
    name = f"`{spec.type}`" + (f" v{spec.schema}" if spec.schema > 1 else "")
    first = (spec.action.__doc__ or "").strip().split("\n\n")[0].replace("\n", " ")
    told = " ".join(first.split()).replace("|", "/")
    rules = ", ".join(_rule(code) for code in area_codes(spec))
    cells = (
        f"{name} {told}",
        spec.effect.value[0].upper(),
        " ".join(spec.streams),
        _data(spec),
        _signers(spec),
        rules,
    )
    return "| " + " | ".join(" ".join(cell.split()) for cell in cells) + " |"


def _data(spec: ActionSpec) -> str:
    required = spec.data.schema.get("required", ())
    plain = (f"`{name}`{'' if name in required else '?'}" for name in spec.data.schema.get("properties", ()))
    sealed = (f"`{path.removeprefix('/data/')}` ~{scope}" for path, scope in spec.sealed.items())
    return ", ".join((*plain, *sealed))


def _signers(spec: ActionSpec) -> str:
    by_meanings: dict[tuple[str, ...], list[str]] = {}
    for role, meanings in spec.roles.items():
        by_meanings.setdefault(tuple(sorted(meanings)), []).append(role)
    parts = [f"{_names(roles)}: {', '.join(meanings)}" for meanings, roles in by_meanings.items()]
    marks = [
        *(["task"] if spec.delegated else []),
        *([f"second persons: {', '.join(spec.seconds).replace('_', ' ')}"] if spec.seconds else []),
        *(["always open"] if spec.always_open else []),
        *(["reason"] if spec.reason_required else []),
    ]
    return "; ".join((*parts, *(f"*{mark}*" for mark in marks)))


def _names(roles: Iterable[str]) -> str:
    return " ".join(f"`{role}`" for role in sorted(roles))


def _roles() -> Iterator[str]:
    yield from ("## What each role sees", "", "Everything else of its sites is seen as *others* says.", "")
    yield "| role | pharmacy/ | safety | access/ | treatment | identity | freetext | others | not shown |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for role in (role for role in SIGHTS if role in ROLES):
        sight = SIGHTS[role]
        marks = ("yes" if seen else "" for seen in (sight.pharmacy, sight.safety))
        texts = (
            "" if sight.access == "none" else sight.access,
            "" if sight.treatment == "none" else sight.treatment,
        )
        more = ("yes" if seen else "" for seen in (sight.identity, sight.freetext))
        hidden = " ".join(f"`{name}`" for name in sorted(sight.hidden))
        yield "| " + " | ".join((f"`{role}`", *marks, *texts, *more, sight.others, hidden)) + " |"


if __name__ == "__main__":
    sys.stdout.write(page())
