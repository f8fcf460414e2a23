"""docs/part-11.md has a row for every line that the rules ask, and claims nothing that no test shows."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.shared import ROOT

PAGE = ROOT / "docs" / "part-11.md"
REQUIREMENTS = ROOT / "docs" / "spec" / "requirements.md"
HEADINGS = {"clause", "---"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One clause: what is claimed, where it is, what shows it, and what is open."""

    clause: str
    files: tuple[str, ...]
    tests: tuple[str, ...]
    open: str


def cells_of(path: Path) -> list[list[str]]:
    """Return the cells of every row of a page's tables, headings left out."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in cells if row[0] not in HEADINGS]


def code(cell: str) -> tuple[str, ...]:
    """Return what stands in backticks."""
    return tuple(re.findall(r"`([^`]+)`", cell))


ROWS = [
    Row(clause=clause, files=code(files), tests=code(tests), open=open_)
    for clause, _, _, files, tests, open_ in cells_of(PAGE)
]
NAMED = sorted({test for row in ROWS for test in row.tests})


def defined(path: str, *names: str) -> bool:
    """Tell whether a file defines a test, in a class or in one that the class inherits from."""
    if not (ROOT / path).is_file():
        return False
    module = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    first, *rest = names
    for node in module.body:
        if isinstance(node, ast.FunctionDef) and not rest and node.name == first:
            return True
        if isinstance(node, ast.ClassDef) and node.name == first and rest:
            own = {each.name for each in node.body if isinstance(each, ast.FunctionDef)}
            bases = [base.id for base in node.bases if isinstance(base, ast.Name)]
            return rest[0] in own or any(defined(*_imported(module, base), *rest) for base in bases)
    return False


def _imported(module: ast.Module, name: str) -> tuple[str, str]:
    for node in module.body:
        if isinstance(node, ast.ImportFrom) and name in {each.name for each in node.names}:
            return f"{(node.module or '').replace('.', '/')}.py", name
    return "", name


def test_every_clause_has_its_row() -> None:
    """The clauses are those of the requirements, in their order."""
    assert [row.clause for row in ROWS] == [clause for clause, _ in cells_of(REQUIREMENTS)]


@pytest.mark.parametrize("name", NAMED)
def test_every_test_that_is_named_exists(name: str) -> None:
    """A renamed or deleted test takes its claim with it."""
    assert defined(*name.split("::"))


def test_what_does_not_exist_is_not_taken_for_a_test() -> None:
    """Neither a file, nor a name in it, nor a method of an inherited class."""
    assert not defined("tests/none.py", "test_x")
    assert not defined("tests/test_part11.py", "test_x")
    assert not defined("tests/ledger/test_sqlite_store.py", "TestSqliteStore", "test_x")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.clause)
def test_a_row_has_tests_or_says_what_is_open(row: Row) -> None:
    """No row rests on words alone; what has no test says `not yet`, `limit` or `procedure`."""
    assert row.tests or re.match(r"not yet: |limit: |procedure: ", row.open)
    assert row.open == "–" or re.match(r"not yet: |limit: |procedure: ", row.open)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.clause)
def test_a_row_names_files_that_exist(row: Row) -> None:
    """Where a mechanism is said to be, there is something."""
    assert row.files or not row.tests
    assert [name for name in row.files if not (ROOT / name).exists()] == []
