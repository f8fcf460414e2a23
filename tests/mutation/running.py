"""A copy of the tree in which mutmut changes one group of modules, and keeps what it found."""

from __future__ import annotations

import fcntl
import json
import os
import resource
import shutil
import signal
import site
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

from tests.mutation.changes import Mutant
from tests.mutation.core import NOT_HERE, ROOT, Group

COPIED: Final = ("ledger", "projections", "api", "tests", "docs")
MEMORY_BYTES: Final = 4 * 1024**3
"""What a changed program may use: a loop without an end may gather without one, too."""
LIVED: Final = (0, 5, 33)
"""How mutmut notes a mutant that survived, or that no test reaches."""
GRACE_S: Final = 120
"""Until then mutmut has written down what it knows, after it was told to stop."""


class Workplace:
    """One group's copy. Results of functions that did not change are kept from run to run."""

    def __init__(self, python: str, place: Path, group: Group, jobs: int) -> None:
        self._python = python
        self._place = place
        self._group = group
        self._jobs = jobs
        self._kept = place / "kept.json"

    def prepare(self) -> None:
        """Copy the tree as it is now, let mutmut write every mutant, and see which test reaches what.

        A module that is as it was keeps its mutants, and what was found about them.
        """
        self._place.mkdir(parents=True, exist_ok=True)
        self._alone()
        for name in COPIED:
            shutil.rmtree(self._place / name, ignore_errors=True)
            for old in (self._place / "mutants" / name).rglob("*.py"):
                if old.relative_to(self._place / "mutants").as_posix() not in self._group.modules:
                    old.unlink()
            shutil.copytree(
                ROOT / name, self._place / "mutants" / name, ignore=self._changed, dirs_exist_ok=True
            )
        changed = [module for module in self._group.modules if not self._is_as_it_was(module)]
        for module in changed:
            (self._place / "sources" / module).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / module, self._place / "sources" / module)
        for module in self._group.modules:
            (self._place / module).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(self._place / "sources" / module, self._place / module)
        (self._place / "pyproject.toml").write_text(self._settings(), encoding="utf-8")
        if changed:
            self._mutmut(["no.such.mutant"], time.monotonic() + 3600)

    def _is_as_it_was(self, module: str) -> bool:
        """Tell whether mutmut has written the mutants of a module as it is now."""
        source = self._place / "sources" / module
        written = source.exists() and self.mutated(module).exists()
        return written and source.read_bytes() == (ROOT / module).read_bytes()

    def _changed(self, folder: str, names: list[str]) -> list[str]:
        """Return what of a folder is not copied: what mutmut writes itself, what Python does, other tests."""
        here = Path(folder).relative_to(ROOT).as_posix()
        left_out = {name for name in names if f"{here}/{name}" in self._group.modules} | {"__pycache__"}
        if here.startswith("tests") and here not in self._group.tests:
            left_out |= {
                name
                for name in names
                if name.startswith("test_") and f"{here}/{name}" not in self._group.tests
            }
        return sorted(left_out)

    def _alone(self) -> None:
        """Refuse to begin where another run works: each would change the other's copy."""
        self._lock = (self._place / "lock").open("wb")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SystemExit(f"another run works in {self._place}") from None

    def mutated(self, module: str) -> Path:
        """Return the file with every mutant of a module."""
        return self._place / "mutants" / module

    def names(self) -> list[str]:
        """Return the name of every mutant that mutmut has written."""
        return sorted(self._noted())

    def keep(self, mutants: Iterable[Mutant]) -> None:
        """Write down what mutmut found: it forgets all when a test file comes or goes."""
        noted = self._noted()
        self._place.mkdir(parents=True, exist_ok=True)
        found = {
            each.name: (each.digest, noted[each.name]) for each in mutants if noted.get(each.name) is not None
        }
        self._kept.write_text(json.dumps({**self._read(), **found}), encoding="utf-8")

    def codes(self, mutants: Iterable[Mutant]) -> dict[Mutant, int | None]:
        """Return what was found of each mutant; None for one that is not tried since its function changed."""
        kept = self._read()
        return {
            each: code if digest == each.digest else None
            for each in mutants
            for digest, code in [kept.get(each.name, ("", None))]
        }

    def forget(self, mutants: Iterable[Mutant]) -> None:
        """Forget what is written down of those mutants that no test killed."""
        lived = {each.name for each, code in self.codes(mutants).items() if code in LIVED}
        kept = {name: found for name, found in self._read().items() if name not in lived}
        self._kept.write_text(json.dumps(kept), encoding="utf-8")
        for path in self._notes():
            note = json.loads(path.read_text(encoding="utf-8"))
            note["exit_code_by_key"].update(dict.fromkeys(lived & note["exit_code_by_key"].keys()))
            path.write_text(json.dumps(note), encoding="utf-8")

    def run(self, mutants: Iterable[Mutant], deadline: float) -> None:
        """Try those mutants that were not tried yet, until the deadline."""
        left = [each.name for each, code in self.codes(mutants).items() if code is None]
        if not left or time.monotonic() >= deadline:
            return
        self._mutmut(left, deadline)
        noted = self._noted()
        if time.monotonic() < deadline and all(noted.get(name) is None for name in left):
            self._give_up("no mutant was tried: does a test fail without any?")

    def _read(self) -> dict[str, list[Any]]:
        kept: dict[str, list[Any]] = {}
        if self._kept.exists():
            kept = json.loads(self._kept.read_text(encoding="utf-8"))
        return kept

    def _noted(self) -> dict[str, int | None]:
        found: dict[str, int | None] = {}
        for path in self._notes():
            found.update(json.loads(path.read_text(encoding="utf-8"))["exit_code_by_key"])
        return found

    def _notes(self) -> list[Path]:
        paths = [self._place / "mutants" / f"{module}.meta" for module in self._group.modules]
        return [path for path in paths if path.exists()]

    def _settings(self) -> str:
        settings = {
            "source_paths": self._group.modules,
            "pytest_add_cli_args_test_selection": ["tests"],
            "pytest_add_cli_args": ["-k", " and ".join(f"not {name}" for name in NOT_HERE)],
            "timeout_multiplier": 3.0,
            "timeout_constant": 2.0,
            "use_git_change_detection": False,
        }
        values = {
            name: str(value).lower() if value is False else json.dumps(value)
            for name, value in settings.items()
        }
        project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
        return project + "\n[tool.mutmut]\n" + "".join(f"{name} = {text}\n" for name, text in values.items())

    def _mutmut(self, names: Sequence[str], deadline: float) -> None:
        """Run mutmut over mutants by name; what it finds stands in its notes, whatever it returns."""
        command = [self._python, "-m", "mutmut", "run", "--max-children", str(self._jobs), *names]
        environment = {**os.environ, "PYTHONPATH": site.getsitepackages()[0]}
        with (self._place / "mutmut.log").open("wb") as log:
            running = subprocess.Popen(
                command, cwd=self._place, stdout=log, stderr=log, env=environment, preexec_fn=_limited
            )
            try:
                running.wait(max(1.0, deadline - time.monotonic()))
            except (subprocess.TimeoutExpired, KeyboardInterrupt):
                running.send_signal(signal.SIGINT)
                running.wait(GRACE_S)
        if not self._noted():
            self._give_up("mutmut did not begin")

    def _give_up(self, why: str) -> NoReturn:
        log = (self._place / "mutmut.log").read_text(encoding="utf-8", errors="replace")
        sys.stderr.write(log[-4000:])
        raise SystemExit(f"{self._group.name}: {why}")


def _limited() -> None:
    """Bound the memory of what is started, and let it be told to stop, as a shell's background job is not."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    signal.signal(signal.SIGINT, signal.SIG_DFL)
