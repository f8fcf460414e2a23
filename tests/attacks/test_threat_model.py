"""docs/threat-model.md claims nothing that no test shows, and leaves out no code that the verifier has."""

from __future__ import annotations

import ast
import json
import re
from functools import cache

import pytest

from ledger.verify.findings import CODES
from ledger.verify.report import Report, as_json
from tests.attacks.mutators_log import Check, training
from tests.ledger.forgery import Forgery, key_of
from tests.ledger.small_ledger import SmallLedger
from tests.ledger.verifying import problems
from tests.shared import ROOT

PAGE = (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")
CODE = re.compile(r"`([A-Z][A-Z0-9_]+)`")
TEST = re.compile(r"`(tests/[\w/]+\.py::\w+)`")
ROWS = [
    tuple(cell.strip() for cell in line.strip("|").split("|"))
    for line in PAGE.splitlines()
    if line.startswith("| ") and not line.startswith("|---")
]
ATTACKS = [row for row in ROWS if len(row) == 4 and row[0] not in ("attack", "what")]
REASONS = [row for row in ROWS if len(row) == 2 and CODE.match(row[0])]
NAMED = sorted(set(TEST.findall(PAGE)))


@cache
def sources(path: str) -> dict[str, str]:
    """Return the text of each test of a file, with what decorates it and the tables that it uses."""
    text = (ROOT / path).read_text(encoding="utf-8")
    lines, found, tables = text.splitlines(), {}, {}
    for node in ast.parse(text).body:
        whole = "\n".join(lines[node.lineno - 1 : node.end_lineno])
        if isinstance(node, ast.FunctionDef):
            first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
            found[node.name] = "\n".join(lines[first - 1 : node.end_lineno])
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            tables.update({each.id: whole for each in targets if isinstance(each, ast.Name)})
    return {
        name: body + "".join(table for key, table in tables.items() if re.search(rf"\b{key}\b", body))
        for name, body in found.items()
    }


def shown(test: str) -> str:
    """Return the text of a test, empty where there is none."""
    path, _, name = test.partition("::")
    return sources(path).get(name, "") if (ROOT / path).is_file() else ""


@pytest.mark.parametrize("test", NAMED)
def test_every_test_that_is_named_exists(test: str) -> None:
    """A renamed or deleted test takes its claim with it."""
    assert shown(test)


@pytest.mark.parametrize("row", ATTACKS, ids=lambda row: row[0][:60])
def test_every_code_of_a_row_is_asked_for_by_its_tests(row: tuple[str, ...]) -> None:
    """Each row names tests, and each finding that it claims stands in one of them."""
    tests = TEST.findall(row[3])
    assert tests
    for code in CODE.findall(row[2]):
        assert any(f'"{code}"' in shown(test) for test in tests), code


def test_every_code_has_an_attack_or_a_reason() -> None:
    """The closed set of codes is shown whole; what no attack shows says why, and only that."""
    attacked = {code for row in ATTACKS for code in CODE.findall(row[2])}
    excused = {code for row in REASONS for code in CODE.findall(row[0])}
    assert attacked.isdisjoint(excused)
    assert set(CODES) <= attacked | excused


def test_tables_are_read_whole() -> None:
    """A page that is laid out otherwise would be held by nothing."""
    assert len(ATTACKS) > 90
    assert len({row[0] for row in ATTACKS}) == len(ATTACKS)


def test_nothing_in_a_report_is_outside_of_the_closed_set(
    forged: Forgery, made: SmallLedger, check: Check
) -> None:
    """What a program reads: codes of the table with verdict and section, all findings, one exit code."""
    forged.append(training(forged, made, log="ledger.example/other"), [key_of("root")])
    at = forged.append(training(forged, made, seq=99), [key_of("root")])
    forged.set_leaf(at, at="2024-06-03T08:00:00.000000Z")
    forged.files["extra"] = b"x"
    report: Report = check(forged)
    assert problems(report) == {"LOG", "SEQ", "PREV", "AT", "FILE_EXTRA"} - ({"PREV"} - problems(report))
    value = json.loads(as_json(report))
    assert value.keys() >= {
        "counts",
        "exit",
        "facts",
        "findings",
        "first_index",
        "notes",
        "pinned",
        "verdicts",
    }
    assert value["verdicts"] == {"integrity": "fails", "completeness": "holds", "conduct": "holds"}
    assert (value["exit"], value["first_index"], value["pinned"]) == (1, at - 1, True)
    for each in (*value["findings"], *value["notes"]):
        assert {"code", "detail", "section", "verdict"} <= each.keys() <= {
            "code", "detail", "file", "index", "section", "verdict",
        }  # fmt: skip
        assert (each["verdict"], each["section"]) == (
            CODES[each["code"]].verdict.value,
            CODES[each["code"]].section,
        )
