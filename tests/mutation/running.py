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
from collections.abc import Sequence
from pathlib import Path
from typing import Final

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
        for module in self._group.modules:
            (self._place / module).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / module, self._place / module)
        (self._place / "pyproject.toml").write_text(self._settings(), encoding="utf-8")
        self._mutmut(["no.such.mutant"], time.monotonic() + 3600)

    def _changed(self, folder: str, names: list[str]) -> list[str]:
        """Return what of a folder is not copied: what mutmut writes itself, and what Python does."""
        here = Path(folder).relative_to(ROOT)
        return [
            name for name in names if name == "__pycache__" or (here / name).as_posix() in self._group.modules
        ]

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

    def codes(self) -> dict[str, int | None]:
        """Return what mutmut noted of each mutant; None for one that is not tried."""
        found: dict[str, int | None] = {}
        for path in self._notes():
            found.update(json.loads(path.read_text(encoding="utf-8"))["exit_code_by_key"])
        return found

    def forget(self, names: Sequence[str]) -> None:
        """Forget what is noted of those mutants that no test killed."""
        asked = frozenset(names)
        for path in self._notes():
            note = json.loads(path.read_text(encoding="utf-8"))
            codes = note["exit_code_by_key"]
            codes.update({name: None for name in codes.keys() & asked if codes[name] in LIVED})
            path.write_text(json.dumps(note), encoding="utf-8")

    def run(self, names: Sequence[str], deadline: float) -> None:
        """Try those mutants that were not tried yet, until the deadline."""
        codes = self.codes()
        left = [name for name in names if codes[name] is None]
        if left and time.monotonic() < deadline:
            self._mutmut(left, deadline)

    def _notes(self) -> list[Path]:
        paths = [self._place / "mutants" / f"{module}.meta" for module in self._group.modules]
        return [path for path in paths if path.exists()]

    def _settings(self) -> str:
        settings = {
            "source_paths": self._group.modules,
            "pytest_add_cli_args_test_selection": self._group.tests,
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
        if not self.codes():
            sys.stderr.write(
                (self._place / "mutmut.log").read_text(encoding="utf-8", errors="replace")[-4000:]
            )
            raise SystemExit(f"mutmut did not begin with {self._group.name}")


def _limited() -> None:
    """Bound the memory of what is started, and let it be told to stop, as a shell's background job is not."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    signal.signal(signal.SIGINT, signal.SIG_DFL)
