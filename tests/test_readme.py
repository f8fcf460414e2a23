"""The README's commands do what it says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.shared import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
RUN_HERE = re.compile(r"<!-- runs in tests/test_readme\.py -->\n```bash\n(.*?)```", re.DOTALL)


def test_a_ledger_of_ones_own(tmp_path: Path) -> None:
    """The block under "A ledger of your own" runs as it stands and ends with a verified export."""
    [block] = RUN_HERE.findall(README)
    (tmp_path / "ledger").symlink_to(ROOT / "ledger")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block],
        cwd=tmp_path,
        env={"PATH": path, "HOME": str(tmp_path), "LANG": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "VERIFIED: integrity and completeness hold" in done.stdout


def test_make_targets_that_it_names_exist() -> None:
    """Each `make` target of the README is one of the Makefile's."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"make (demo|test|check|bench)\b", README))
    assert named == {"demo", "test", "check", "bench"}
    assert all(re.search(rf"(?m)^{target}:", makefile) for target in named)


def test_links_lead_somewhere() -> None:
    """Each relative link is a file or a folder of the project."""
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed here")
def test_a_second_demonstration_says_how_another_is_made(tmp_path: Path) -> None:
    """The directory that is there stays as it is, and the message names what makes another."""
    (tmp_path / "letter").write_text("mine")
    command = ["make", "-o", ".venv/made", "demo", f"DEMO={tmp_path}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert f"{tmp_path} is there already" in done.stderr
    assert "make demo DEMO=other" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["letter"]
