"""The page on a study of one's own does what it says, block after block."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ledger.study import reference
from tests.shared import ROOT

PAGE = (ROOT / "docs" / "own-study.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"<!-- runs in tests/test_own_study\.py -->\n```bash\n(.*?)```", re.DOTALL)


def test_the_reference_is_that_of_the_code(capsys: pytest.CaptureFixture[str]) -> None:
    """Every member of the format stands in docs/study-definition.md: `make generated`."""
    reference.main()
    page = (ROOT / "docs" / "study-definition.md").read_text(encoding="utf-8")
    assert page == capsys.readouterr().out
    assert page.count("\n## ") > 20


def test_from_the_definition_to_eligibility(tmp_path: Path) -> None:
    """Nothing is refused, nobody is found at fault, and the export verifies."""
    blocks = BLOCK.findall(PAGE)
    assert len(blocks) == PAGE.count("```bash") == 5
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "".join(blocks)],
        cwd=tmp_path,
        env={"PATH": path, "HOME": str(tmp_path), "LANG": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "with it a breach" not in done.stderr, done.stderr
    assert "E1 not_met at index" in done.stderr
    assert re.search(r"status +eligible\n", done.stdout), done.stdout
    assert "VERIFIED: integrity and completeness hold" in done.stdout
