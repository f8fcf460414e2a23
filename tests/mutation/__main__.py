"""`make mutation`: does a test notice when the verifier's core is changed in one place?

    python -m tests.mutation PYTHON [--sample N] [--seed N] [--least SHARE]

PYTHON is an interpreter with `mutmut` 3, in an environment of its own; it borrows this one's packages. A copy
of the tree is changed, never the tree. Of all mutants a random sample is tried, drawn by the seed; each is
killed by a test or survives; the score is printed with the survivors. A mutant that only words an error or
a finding differently is left out before the sample is drawn: codes are what programs and tests read.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import random
import shutil
import site
import subprocess
import sys
import tempfile
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
CORE: Final = ("merkle", "note", "checkpoint", "proof", "chain", "envelope", "keys")
LEFT_OUT: Final = ("findings", "main", "progress", "report")
"""The table of codes, and what only speaks to people."""
TESTS: Final = ("test_verify*", *(f"test_{name}" for name in CORE))
SLOW: Final = ("test_verify_md", "test_verify_workers")
APART: Final = ("imports_are_few", "ctrl_c", "every_code_of_the_judges")
"""What asks about a process of its own or reads the source, and would find mutmut there."""
KILLED: Final = frozenset({1, 3, 24, 36, 152, 255, -24})
"""How mutmut writes down a test that failed, or took far too long: the mutant was noticed."""
NO_TEST: Final = 33


def main() -> int:
    """Run; return 1 where less than the asked share is killed."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("python", help="an interpreter that has mutmut")
    parser.add_argument("--sample", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--least", type=float, default=0.85)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="trial-ledger-mutation-") as made:
        place = _copy(Path(made))
        _mutmut(arguments.python, place, "no.such.mutant")
        names = sorted(name for name in _results(place) if _matters(place, name))
        draw = random.Random(arguments.seed)  # noqa: S311  a sample, not a secret
        drawn = draw.sample(names, min(arguments.sample, len(names)))
        _mutmut(arguments.python, place, *drawn)
        return _print(place, names, drawn, arguments.seed, arguments.least)


def mutated() -> list[str]:
    """Return the files that are changed, one at a time."""
    verify = sorted(path.stem for path in (ROOT / "ledger" / "verify").glob("*.py"))
    names = [f"verify/{name}" for name in verify if name not in (*LEFT_OUT, "__init__")]
    return [f"ledger/{name}.py" for name in (*names, *CORE)]


def _copy(made: Path) -> Path:
    place = made / "tree"
    place.mkdir()
    for name in ("ledger", "projections", "api", "tests", "docs"):
        shutil.copytree(ROOT / name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    folder = ROOT / "tests" / "ledger"
    chosen = sorted(path.name for pattern in TESTS for path in folder.glob(f"{pattern}.py"))
    settings = {
        "source_paths": mutated(),
        "pytest_add_cli_args_test_selection": [
            f"tests/ledger/{name}" for name in chosen if not name.startswith(SLOW)
        ],
        "pytest_add_cli_args": ["-k", " and ".join(f"not {name}" for name in APART)],
        "also_copy": ["ledger", "projections", "api", "tests", "docs"],
        "max_children": 2,
    }
    lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    (place / "pyproject.toml").write_text(project + "\n[tool.mutmut]\n" + "\n".join(lines) + "\n")
    return place


def _mutmut(python: str, place: Path, *names: str) -> None:
    """Run mutmut over mutants by name; what it finds stands in its files, whatever it returns."""
    packages = {"PYTHONPATH": site.getsitepackages()[0]}
    command = [python, "-m", "mutmut", "run", *names]
    subprocess.run(command, cwd=place, check=False, stdout=sys.stderr, env={**os.environ, **packages})


def _results(place: Path) -> dict[str, int | None]:
    found: dict[str, int | None] = {}
    for path in sorted((place / "mutants" / "ledger").rglob("*.meta")):
        found.update(json.loads(path.read_text(encoding="utf-8"))["exit_code_by_key"])
    return found


def _matters(place: Path, name: str) -> bool:
    """Tell whether a mutant changes more than the words of a message."""
    module, _, function = name.rpartition(".")
    path = place / "mutants" / Path(*module.split(".")).with_suffix(".py")
    stem, _, _ = function.rpartition("__mutmut_")
    variants = _variants(path)
    original, changed = variants.get(f"{stem}__mutmut_orig"), variants.get(function)
    if original is None or changed is None:
        return True
    return not _same_but_wording(original.body, changed.body)


@cache
def _variants(path: Path) -> dict[str, ast.FunctionDef]:
    """Return every variant of every function of a file that holds all of them."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def _same_but_wording(one: object, other: object) -> bool:
    """Compare two pieces of a program; sentences, which have a space in them, may differ or be missing."""
    if _is_sentence(one):
        return isinstance(other, ast.Constant | ast.JoinedStr)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same_but_wording, one, other))
    if isinstance(one, ast.AST) and isinstance(other, ast.AST):
        return type(one) is type(other) and all(
            _same_but_wording(getattr(one, name, None), getattr(other, name, None)) for name in one._fields
        )
    return one == other


def _is_sentence(node: object) -> bool:
    if isinstance(node, ast.JoinedStr):
        return any(_is_sentence(part) for part in node.values)
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value


def _print(place: Path, names: list[str], drawn: list[str], seed: int, least: float) -> int:
    """Print what became of each mutant; one that no test reached counts as one that lived on."""
    results = _results(place)
    outcomes = Counter(_outcome(results[name]) for name in drawn)
    for name in drawn:
        if _outcome(results[name]) in ("survived", "no test"):
            print(f"{_outcome(results[name])}: {name}")
    tried = len(drawn) - outcomes["not tried"]
    if not tried:
        print("no mutant was tried: the run of the tests without a mutant failed, see above")
        return 1
    score = outcomes["killed"] / tried
    counted = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
    print(f"{len(names)} mutants, {len(drawn)} drawn by seed {seed}: {counted}")
    print(f"{score:.1%} of those that were tried are killed")
    return 0 if score >= least and not outcomes["not tried"] else 1


def _outcome(code: int | None) -> str:
    if code is None:
        return "not tried"
    return "killed" if code in KILLED else "no test" if code == NO_TEST else "survived"


if __name__ == "__main__":
    sys.exit(main())
