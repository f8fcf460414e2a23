"""Which rules of which types no test shows: `python -m tests.rule_coverage`.

Read from the marks in the tests' source, so that it does not depend on which tests ran; that a mark is true
is held by the fixture that runs with each test.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from ledger.actions import all_specs
from ledger.rules.asked import area_codes

FOLDER = Path(__file__).parent / "ledger"


def marks() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield (`breaks` or `keeps`, its literal arguments) of every mark in the tests of rules."""
    for path in sorted(FOLDER.glob("test_rules_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in ("breaks", "keeps")
            ):
                values = tuple(arg.value for arg in node.args if isinstance(arg, ast.Constant))
                yield node.func.id, tuple(str(value) for value in values)


def gaps() -> list[str]:
    """Return a line for each type without a passing case, and each of its rules without a breaking one."""
    kept: set[str] = set()
    broken: set[tuple[str, str]] = set()
    for kind, (first, *rest) in marks():
        if kind == "keeps":
            kept |= {first, *rest}
        else:
            broken |= {(first, code) for code in rest}
    lines = []
    for type_ in sorted({spec.type for spec in all_specs()}):
        codes = {code for spec in all_specs() if spec.type == type_ for code in area_codes(spec)}
        if type_ not in kept:
            lines.append(f"{type_}: no case that passes")
        lines += [
            f"{type_}: no case that breaks {code}" for code in sorted(codes) if (type_, code) not in broken
        ]
    return lines


if __name__ == "__main__":
    print("\n".join(gaps()))
