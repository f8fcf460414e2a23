"""Data that a type's form admits and nobody would write: at every limit, with any member, beside any other.

    maker = Maker(seed, twin)
    for spec in all_specs():
        index, refused = maker.say(spec)

Whoever reads the log has to bear what the write path took. So data are made from the form alone, which each
type declares, and a new type is covered without a line here. Names and hashes are mostly such as the log has,
since a fact about nothing is refused; times are mostly past.
"""

from __future__ import annotations

import base64
import random
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson

from ledger.actions import ActionSpec
from ledger.actions import spec as spec_of
from ledger.actions.declared import REASON_TEXT
from ledger.errors import LedgerError
from ledger.store.port import StoredEntry
from tests.twins import Twin

TEXTS: Final = (
    "a", "plain words", 'O\'Brien "q" \\ back', "line one\nline two\tend", "=cmd|' /C calc'!A0",
    "%s {0} ${x}", "<script>alert(1)</script>", "\u05de\u05d9\u05df", "\u6f22\u5b57" * 30,
    "\u00e9x\u0323" * 20, "\U0001f469\u200d\u2695\ufe0f" * 20, " ", "\u00a0", "-", "0",
)  # fmt: skip
DATES: Final = ("0001-01-01", "1900-01-01", "2024-02-29", "2024-06-01", "9999-12-31")
PAST: Final = (
    "0001", "0001-01", "0001-01-01", "0001-01-01T00:00:00+14:00", "1900-02", "2024", "2024-06", "2024-06-01",
    "2024-03-31T02:30:00+02:00", "2024-03-10T02:30:00-06:00", "2024-06-01T12:00:00.123456+05:45",
    "2024-06-01T12:00:00Z",
)  # fmt: skip
TIMES: Final = (*PAST, "9999", "9999-12-31", "9999-12-31T23:59:59-12:00")
ANY: Final[tuple[Any, ...]] = (
    None,
    "a",
    "9999-12-31",
    0,
    2**53 - 1,
    True,
    [],
    {},
    ["a", {"b": []}],
    "1.5",
    "\u6f22" * 30,
)
LARGEST: Final = "9" * 18 + "." + "9" * 18
SMALLEST: Final = "0." + "0" * 17 + "1"
BY_PATTERN: Final[Mapping[str, tuple[str, ...]]] = {
    "[!-~]{1,32}": ("mm[Hg]", "mg", "!", "~" * 32, "1", "%", "kg", "mL/h"),
    r"(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,18})?": ("0", "1", "0.5", LARGEST, SMALLEST),
    r"(?!-0(?:\.0+)?$)-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,18})?": ("0", "37.5", "-1", "-" + LARGEST),
    "[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}": ("en", "de-DE", "abc-12345678-abcdefgh-ABCDEFG1"),
    "[A-Z][A-Z0-9_]{0,63}": ("LATE_ENTRY", "OUTSIDE_WINDOW", "A", "Z" * 64),
    "0{0,2048}": ("", "0" * 2048),
}  # fmt: skip
NAME: Final = "[A-Za-z0-9][A-Za-z0-9._-]{0,62}"
CODE: Final = "[a-z][a-z0-9_]{0,63}"
HASH: Final = "[0-9a-f]{64}"


def _places(data: Any, form: Mapping[str, Any]) -> Iterator[tuple[str, Any, Mapping[str, Any]]]:
    """Yield the path, value and form of all that data have, and of members that they could have."""
    if isinstance(data, dict):
        for name, inner in form.get("properties", {}).items():
            yield f"/{name}", data.get(name), inner
            for path, value, each in _places(data.get(name), inner):
                yield f"/{name}{path}", value, each
    elif isinstance(data, list):
        for number, item in enumerate(data):
            inner = form["prefixItems"][number] if "prefixItems" in form else form.get("items", {})
            yield f"/{number}", item, inner
            for path, value, each in _places(item, inner):
                yield f"/{number}{path}", value, each


class Maker:
    """Makes statements' data from the form of their types, the same for a seed and a log."""

    def __init__(self, seed: int, twin: Twin) -> None:
        self._dice = random.Random(seed)  # noqa: S311
        self._twin = twin
        self._known: dict[str, list[str]] = {}
        self._said: dict[str, list[dict[str, Any]]] = {}
        self._paths = ["/occurred_at", "/protocol", "/originator"]
        self._learn()
        self._here: list[str] = []

    def say(self, spec: ActionSpec) -> tuple[int | None, str]:
        """Have a statement of a type recorded by somebody who may sign it; return its index, or a code."""
        twin, dice = self._twin, self._dice
        participant = self._participant(spec)
        names = {
            "participant": participant,
            "person": dice.choice(self._known["who"]),
            "randomization": "main",
        }
        kind = dice.choice(spec.streams)
        stream = (
            kind if kind in ("study", "safety") else f"{kind}/{names.get(kind, twin.site_of(participant))}"
        )
        if kind == "access":
            stream = twin.ledger.access_stream()
        role, person = self._signer(spec, stream)
        if person is None:
            return None, "nobody"
        here = list(twin.ledger.store.stream_entries(stream))
        self._here = [entry.event for entry in here]
        like = [entry for entry in here if (entry.type, entry.schema) == (spec.type, spec.schema)]
        if like and dice.random() < 0.5:
            data = self._near(spec.data.schema, orjson.loads(dice.choice(like).statement)["data"], "data")
        elif self._said.get(spec.type) and dice.random() < 0.5:
            data = self._near(spec.data.schema, dice.choice(self._said[spec.type]), "data")
        else:
            data = self._value(spec.data.schema, "data")
        if isinstance(data.get("source"), dict) and dice.random() < 0.8:
            data["source"]["kind"] = "esource"  # of another kind only where one is registered
        opened = {
            path: self._value(field.kind.schema, path) if field.required or dice.random() < 0.7 else None
            for path, field in spec.sealed_fields.items()
        }
        said: dict[str, Any] = {"schema": spec.schema, "meaning": dice.choice(sorted(spec.roles[role]))}
        if dice.random() < 0.5:
            said["occurred_at"] = dice.choice(PAST)
        if spec.reason_required or dice.random() < 0.2:
            said["reason"] = {"code": dice.choice(["late_entry", "z" * 64])}
            opened[REASON_TEXT] = dice.choice([None, "why\nnot", "\u6f22" * 200])
        try:
            return twin.say(person, role, spec.type, stream, data, opened=opened, **said).index, ""
        except LedgerError as refused:
            return None, refused.code

    def _signer(self, spec: ActionSpec, stream: str) -> tuple[str, str | None]:
        authority = self._twin.fold.authority
        kind, _, name = stream.partition("/")
        site = name if kind in ("site", "pharmacy") else None
        if kind == "participant":
            site = self._twin.site_of(name)
        able = [
            (role, person)
            for person, each in sorted({**authority.persons, **authority.roots}.items())
            for role in sorted(spec.roles)
            if person != "service" and authority.holds(person, role, site) and each.active
        ]
        return self._dice.choice(able) if able else ("", None)

    def _participant(self, spec: ActionSpec) -> str:
        """Return one of the log, or one whose first fact this is; an id may begin as another does."""
        known, dice = self._twin.participants(), self._dice
        if spec.type != "participant.registered" and (len(known) > 11 or dice.random() < 0.9):
            return dice.choice(known)
        return f"{dice.choice(known)[:9]}{dice.choice(['0', '-', '.', 'x' * 40])}{dice.randrange(10)}"

    def _near(self, form: Mapping[str, Any], said: Any, name: str) -> Any:
        """Return what was said once, with some of it made anew."""
        dice = self._dice
        if not isinstance(said, dict | list) or not said or "prefixItems" in form or not form:
            return said if dice.random() < 0.7 else self._value(form, name)
        if isinstance(said, list):
            return [self._near(form["items"], each, name) for each in said]
        found = {}
        for member, inner in form["properties"].items():
            if member in said and (member in form.get("required", ()) or dice.random() < 0.8):
                found[member] = self._near(inner, said[member], member)
            elif member not in said and dice.random() < 0.3:
                found[member] = self._value(inner, member)
        return found

    def correct(self) -> tuple[int | None, str]:
        """Have a value of some record corrected to another that its form admits; or its time, or void it.

        The record may be a correction or a voiding itself, and corrected or voided before.
        """
        twin, dice = self._twin, self._dice
        entry = dice.choice(self._correctable())
        said = orjson.loads(entry.statement)
        form = spec_of(entry.type, entry.schema).data.schema
        places: list[tuple[str, Any, Any]] = [
            (f"/data{path}", old, inner) for path, old, inner in _places(said["data"], form)
        ]
        places = [*places, *[("/occurred_at", said["occurred_at"], None)] * (1 + len(places) // 3)]
        path, old, inner = dice.choice(places)
        name = next((each for each in reversed(path.split("/")) if not each.isdigit()), "")
        changes = [
            orjson.loads(each.statement)["data"]
            for each in twin.ledger.store.stream_entries(entry.stream)
            if each.type == "correction.made" and each.schema == 1
        ]
        old = next(
            (c["new"] for c in reversed(changes) if (c["statement"], c["path"]) == (entry.event, path)), old
        )
        new = dice.choice(TIMES) if inner is None else self._value(inner, name)
        new = None if inner is not None and dice.random() < 0.2 else new
        type_, data = "correction.made", {"statement": entry.event, "path": path, "old": old, "new": new}
        if dice.random() < 0.15:
            type_, data = "record.voided", {"statement": entry.event, "code": "error"}
        spec = spec_of(type_, 1)
        role, person = said["actor"]["role"], said["actor"]["id"]
        if role not in spec.roles or person == "service":
            role, person = self._signer(spec, entry.stream)
        if person is None:
            return None, "nobody"
        opened = {REASON_TEXT: dice.choice([None, "\u6f22" * 200])}
        how: dict[str, Any] = {"meaning": dice.choice(sorted(spec.roles[role])), "reason": {"code": "error"}}
        try:
            told = twin.say(person, role, type_, entry.stream, data, opened=opened, **how)
        except LedgerError as refused:
            return None, refused.code
        return told.index, ""

    def _correctable(self) -> list[StoredEntry]:
        """Return what corrections may name, with what was said last as often as all the rest."""
        found = [
            entry
            for entry in self._twin.entries()
            if entry.stream.startswith("participant/") and entry.type != "breach.detected"
        ]
        return [*found, *found[-60:] * max(1, len(found) // 60)]

    def _learn(self) -> None:
        """Take note of the names, hashes and paths that statements of the log have."""
        known: dict[str, set[str]] = defaultdict(set)

        def look(value: Any, name: str, path: str) -> None:
            if isinstance(value, dict):
                for member, each in value.items():
                    look(each, member, f"{path}/{member}")
            elif isinstance(value, list):
                for number, each in enumerate(value):
                    look(each, name, f"{path}/{number}")
            else:
                if isinstance(value, str):
                    known[name].add(value)
                known[""].add(path)

        self._said = defaultdict(list)
        for entry in self._twin.entries():
            data = orjson.loads(entry.statement)["data"]
            look(data, "", "/data")
            self._said[entry.type].append(data)
            known["\0"].add(entry.event)
        definition = self._twin.fold.conduct.study.protocols[-1].definition
        assert definition is not None
        known["visit"] |= {visit.id for visit in definition.visits}
        known["criterion"] |= {criterion.id for criterion in definition.criteria}
        known["instrument"] |= set(definition.instruments)
        known["product"] |= set(definition.products)
        known["who"] |= set(self._twin.fold.authority.persons)
        self._paths += sorted(path for path in known.pop("") if path.count("/") < 5)
        self._known = {name: sorted(values) for name, values in known.items()}

    def _text(self, shortest: int, longest: int) -> str:
        fitting = [text for text in TEXTS if shortest <= len(text) <= longest]
        if longest <= 200:
            fitting = [text for text in fitting if "\n" not in text and "\t" not in text]
        return self._dice.choice([*fitting, "y" * min(longest, 4_000), "z" * max(shortest, 1)])

    def _string(self, form: Mapping[str, Any], name: str) -> str:
        dice, what = self._dice, form.get("description", "")
        if form.get("format") == "date":
            return dice.choice(DATES)
        if what:
            return dice.choice([time for time in TIMES if "partial" in what or len(time) >= 10])
        if "contentEncoding" in form:
            return base64.b64encode(bytes(dice.choice([1, 16, 32, 64, 65]))).decode()
        if "pattern" not in form:
            return self._text(form.get("minLength", 0), form.get("maxLength", 4_000))
        pattern = form["pattern"].removeprefix("^(?:").removesuffix(")$")
        if pattern in BY_PATTERN:
            return dice.choice(BY_PATTERN[pattern])
        if pattern == HASH:
            events = self._here if self._here and dice.random() < 0.7 else self._known["\0"]
            return dice.choice([dice.choice(events)] * 15 + ["0" * 64, "f" * 64])
        if pattern.startswith("/data"):
            return dice.choice(self._paths)
        if pattern in (NAME, CODE):
            own = [value for value in self._known.get(name, ()) if len(value) < 64]
            ends = ["A", "a" * 63, "0..-_"] if pattern == NAME else ["a", "z" * 64, "a0_"]
            return dice.choice([*(own and [dice.choice(own)] * 12), *ends])
        return dice.choice(self._known.get(name) or ["a"])

    def _value(self, form: Mapping[str, Any], name: str) -> Any:
        dice = self._dice
        if "enum" in form:
            return dice.choice(form["enum"])
        match form.get("type"):
            case "string":
                return self._string(form, name)
            case "integer":
                low, high = form.get("minimum", 1 - 2**53), form.get("maximum", 2**53 - 1)
                return dice.choice([low, high, *(each for each in (0, 1, 2) if low <= each <= high)])
            case "boolean":
                return dice.random() < 0.5
            case "array":
                return self._list(form, name)
            case "object":
                part = dice.choice([0.0, 0.5, 1.0])
                return {
                    member: self._value(inner, member)
                    for member, inner in form["properties"].items()
                    if member in form.get("required", ()) or dice.random() < part
                }
        return dice.choice(ANY)

    def _list(self, form: Mapping[str, Any], name: str) -> list[Any]:
        if "prefixItems" in form:
            return [self._value(each, name) for each in form["prefixItems"]]
        low, high = form.get("minItems", 0), form.get("maxItems", 8)
        wanted = self._dice.choice([low, min(low + 1, high), max(low, min(12, high))])
        found: list[Any] = []
        for _ in range(3 * wanted):
            value = self._value(form["items"], name)
            if len(found) < wanted and not (form.get("uniqueItems") and value in found):
                found.append(value)
        return found
