"""How lines of the trail and of a timeline are worded on paper: each cell a text, each time with its zone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ledger.times import parse_instant
from projections.moments import UTC_ZONE, local
from projections.render import text_of

Row = Mapping[str, Any]


def moment(line: Row) -> list[str]:
    """Return one row of a timeline: index, when at the site, what, by whom, and what became of it."""
    who, when = line["by"], line["occurred"]
    return [
        str(line["index"]),
        _time(when["local"] or when["text"]),
        line["what"],
        f"{who['name']} ({words(who['role'])})",
        marks_of(line),
    ]


def marks_of(line: Row) -> str:
    """Say what became of a record since: corrected, struck through, cosigned, each by which index."""
    marks = (
        ("corrected by", line.get("corrected_by")),
        ("struck through by", line.get("voided_by")),
        ("cosigned by", line.get("cosigned_by")),
    )
    told = ((word, value if isinstance(value, list) else [value]) for word, value in marks if value)
    return "; ".join(f"{word} {', '.join(map(str, indexes))}" for word, indexes in told)


def record(line: Row) -> dict[str, Any]:
    """Return one record as it is printed."""
    who, about, changes = line["who"], line["about"], line["changes"]
    return {
        "index": str(line["index"]),
        "type": line["type"],
        "what": line["what"],
        "about": "" if about is None else f"about index {about['index']}, {about['type']}",
        "marks": "",
        "name": who["name"],
        "role": words(who["role"]),
        "organisation": who["organisation"],
        "meaning": line["meaning"],
        "signed": utc(line["signed_at"]),
        "occurred": _occurred(line["occurred"]),
        "recorded": _recorded(line["recorded"]),
        "further": [list(pair) for pair in _further(line)],
        "fields": _fields([change for change in changes if not _is_change(change)]),
        "changes": [
            [words_of(change["field"]), text_of(change["old"]), text_of(change["new"])]
            for change in changes
            if _is_change(change)
        ],
        "reason": _reason(line),
        "breaches": [f"{each['rule']}, recorded at index {each['index']}" for each in line["breaches"]],
        "grades": "; ".join(_grade(each) for each in line["signatures"]),
        "event": line["event"],
    }


def ranges(indexes: Iterable[int]) -> str:
    """Write ascending indexes as ranges: 3, 5-9, 12."""
    runs: list[list[int]] = []
    for index in indexes:
        if runs and index == runs[-1][1] + 1:
            runs[-1][1] = index
        elif not runs or index != runs[-1][1]:
            runs.append([index, index])
    return ", ".join(str(first) if first == last else f"{first}–{last}" for first, last in runs)


def utc(text: str) -> str:
    """Write an instant in UTC, to the second."""
    return _time(local(parse_instant(text), UTC_ZONE)).replace("+00:00", " UTC")


def words(code: str) -> str:
    """Write a code as words."""
    return code.replace("_", " ")


def words_of(pointer: str) -> str:
    """Write a pointer as words: `/data/measurements/0/name` is measurements 1 name."""
    return _steps(_split(pointer))


def _split(pointer: str) -> list[str]:
    return pointer.removeprefix("/data/").strip("/").split("/")


def _steps(steps: Sequence[str]) -> str:
    return " ".join(str(int(step) + 1) if step.isdigit() else words(step) for step in steps)


def _fields(changes: Sequence[Row]) -> list[list[Any]]:
    """Return recorded values in groups: those of one item of a list under its name, others under none."""
    groups: list[list[Any]] = []
    for steps, value in _with_units([(_split(each["field"]), _value(each["new"])) for each in changes]):
        cut = max((n + 1 for n, step in enumerate(steps) if step.isdigit()), default=0)
        group = _steps(steps[:cut])
        if not groups or groups[-1][0] != group:
            groups.append([group, []])
        groups[-1][1].append([_steps(steps[cut:]), value])
    return groups


def _with_units(fields: Sequence[tuple[list[str], str]]) -> list[tuple[list[str], str]]:
    """Write a quantity's number and unit, which stand beside each other, as one."""
    found: list[tuple[list[str], str]] = []
    for steps, value in fields:
        before = found[-1][0] if found else []
        if steps[:-1] and steps[:-1] == before[:-1] and {steps[-1], before[-1]} == {"value", "unit"}:
            other = found.pop()[1]
            found.append((steps[:-1], f"{other} {value}" if steps[-1] == "unit" else f"{value} {other}"))
        else:
            found.append((steps, value))
    return found


def _value(value: Any) -> str:
    """Write a value; a list of plain ones with commas."""
    if isinstance(value, list) and not any(isinstance(each, list | dict) for each in value):
        return ", ".join(text_of(each) for each in value)
    return text_of(value)


def _is_change(change: Row) -> bool:
    """Tell the change of what was recorded before, which names what of, from a value recorded."""
    return "of" in change


def _further(line: Row) -> Iterable[tuple[str, str]]:
    """Yield what the envelope may say besides; source and performer stand among the fields."""
    for name in ("originator", "protocol"):
        value = line[name]
        if value is not None:
            inner = value.values() if isinstance(value, dict) else (value,)
            yield name, " ".join(text_of(each) for each in inner)


def _grade(signature: Row) -> str:
    return f"{signature['alg']}, {signature['grade'] or 'unknown'} key"


def _reason(line: Row) -> str:
    reason = line["reason"]
    if reason is None:
        return ""
    text = text_of(reason["text"])
    return f"{words(reason['code'])}{': ' if text else ''}{text}"


def _occurred(when: Row) -> str:
    """Write a clinical time as it was said, and the instants that it can mean, in UTC."""
    said, latest = str(when["text"]), when.get("utc_latest")
    span = utc(when["utc"]) if latest is None else f"from {utc(when['utc'])} to {utc(latest)}"
    return f"{_time(said)} ({span})" if not said.endswith("Z") else span


def _recorded(when: Row) -> str:
    shown = utc(when["utc"])
    return shown if when["local"] is None else f"{_time(when['local'])} ({shown})"


def _time(text: str) -> str:
    """Put a space between day and clock; a partial date has no clock."""
    return text.replace("T", " ")
