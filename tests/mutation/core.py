"""What is changed, and by which tests a change has to be noticed.

The verifier's core is what decides, offline and from bytes alone, whether a bundle is what it says to be:

- the formats, one module per specification (`canonical` to `sealing`): whether bytes are a statement, a
  leaf, a note, a proof, and whether a signature holds; with `chain`, order and linkage. A slip here lets
  through what the format forbids. Each has the tests of its own file, and vectors where it is a format.
- every judge under `verify/`. Each has the tests of the verifier and the attacks.

Left out: `entry` and `problem`, which have no function; `verify/findings`, a table that is compared with
the published one; `verify/main` and `verify/progress`, and of `verify/report` what writes for people: they
decide nothing. `authority`, `authorisation`, `conduct` and the catalogue's rules are the write path's as
well, judged by tests of their own for every row of their tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Modules that are changed in one run, one at a time, with the tests that run against each change."""

    name: str
    modules: tuple[str, ...]
    tests: tuple[str, ...]


FORMATS: Final = {
    "canonical": ("canonical",),
    "envelope": ("envelope",),
    "lines": ("lines",),
    "times": ("times",),
    "keys": ("keys", "webauthn"),
    "webauthn": ("webauthn",),
    "merkle": ("merkle",),
    "tiles": ("tiles",),
    "note": ("note",),
    "checkpoint": ("checkpoint",),
    "policy": ("policy",),
    "proof": ("proof",),
    "leaf": ("leaf",),
    "statement": ("statement",),
    "members": ("statement",),
    "plain": ("plain", "statement", "actions"),
    "sealing": ("sealing",),
    "chain": ("chain",),
}
"""Module, and the test files of it."""

DECIDE_NOTHING: Final = ("__init__", "findings", "main", "progress")
FOR_PEOPLE: Final = (
    *(f"ledger.verify.report.{name}" for name in ("as_text", "_listed", "_summary")),
    *(f"ledger.verify.identity.{name}" for name in ("as_lines", "_line")),
)
"""Functions that write what `verify --json` and the exit code say for people."""

NOT_HERE: Final = (
    *("imports_are_few", "ctrl_c", "every_code_of_the_judges", "let_pass_in_silence", "threat_model"),
    "auditors_machine_lacks",
    *(
        "zip_entry_in_another_form",
        "zip_traversal",
        "passkey_signs_something_else",
        "client_data_that_is_none",
    ),
)
"""Tests that start a process of the installed command or read sources and other tests; and those whose
parameters pytest names otherwise the second time it collects them in a process, where mutmut loses them."""
NOT_OF_IT: Final = ("test_verify_md.py",)
"""Tests of the page that tells people how to do without the verifier."""


def groups() -> tuple[Group, ...]:
    """Return everything that is changed, formats first."""
    formats = [
        Group(name=name, modules=(f"ledger/{name}.py",), tests=tuple(_files(tests)))
        for name, tests in FORMATS.items()
    ]
    judges = sorted(path.stem for path in (ROOT / "ledger" / "verify").glob("*.py"))
    verify = Group(
        name="verify",
        modules=tuple(f"ledger/verify/{name}.py" for name in judges if name not in DECIDE_NOTHING),
        tests=(*_files(("verify",)), "tests/attacks"),
    )
    return (*formats, verify)


def _files(stems: tuple[str, ...]) -> list[str]:
    """List a module's own test files: `test_chain.py`, `test_chain_edges.py`."""
    folder = ROOT / "tests" / "ledger"
    found = {
        path for stem in stems for path in (folder / f"test_{stem}.py", *folder.glob(f"test_{stem}_*.py"))
    }
    return [
        path.relative_to(ROOT).as_posix()
        for path in sorted(found)
        if path.exists() and path.name not in NOT_OF_IT
    ]
