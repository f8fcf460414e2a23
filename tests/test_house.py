"""What holds for the whole tree: no addresses of package indexes, no machine paths, no loose ends."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.shared import ROOT

FORBIDDEN = re.compile(
    "|".join(
        ["python" + "hosted", "pypi" + r"\.org", "registry" + r"\.npmjs", "file:" + "///", "/ro" + "ot/"]
    )
)
UNFINISHED = re.compile("|".join([r"\bTO" + r"DO\b", r"\bFIX" + r"ME\b", "NotImplemented" + "Error"]))


def tracked(*patterns: str) -> list[str]:
    """List the files that git tracks, or skip where the tree is no checkout."""
    git = subprocess.run(
        ["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if git.returncode != 0:
        pytest.skip("not a git checkout: tracked files are not known")
    return git.stdout.splitlines()


def test_lock_file_has_hashes_and_no_addresses() -> None:
    """Every requirement is pinned and hashed, and none says where it is downloaded from."""
    text = (ROOT / "requirements.lock").read_text()
    blocks = re.split(r"\n(?=[a-zA-Z0-9])", re.sub(r"(?m)^#.*\n", "", text))
    assert all("==" in block and "--hash=sha256:" in block for block in blocks)
    assert "://" not in text


def test_no_address_or_machine_path_is_tracked() -> None:
    """Files of the project name no package index and no path of one machine."""
    found = []
    for name in tracked():
        path = ROOT / name
        if path.suffix in {".js", ".css", ".svg"} or not path.is_file():
            continue
        if FORBIDDEN.search(path.read_text(encoding="utf-8", errors="replace")):
            found.append(name)
    assert found == []


def test_no_unfinished_words_in_code() -> None:
    """What isn't done is said in the docs, not left in the code."""
    assert [name for name in tracked("*.py") if UNFINISHED.search((ROOT / name).read_text())] == []
