"""The very text of a bundle's VERIFY.md, run with openssl, sha256sum and sed alone."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from ledger.export import export_bundle
from ledger.verify.options import Scope
from tests.ledger.forgery import Forgery
from tests.ledger.small_ledger import SmallLedger, make

TOOLS = ("openssl", "sha256sum", "sed")
BASH = shutil.which("bash")

pytestmark = pytest.mark.skipif(
    BASH is None or not all(map(shutil.which, TOOLS)), reason="bash, openssl, sha256sum or sed is not here"
)

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> SmallLedger:
    """A ledger of more than one tile, so that paths and places are not the first ones."""
    return make(tmp_path_factory.mktemp("ledger") / "d", participants=34)


def export(made: SmallLedger, place: Path, **options: object) -> Path:
    """Export the newest checkpoint."""
    ledger = made.ledger
    chosen = {"scope": Scope(kind="study"), "role": "auditor", **options}
    export_bundle(ledger.store, ledger.data_keys, made.publish(), place, **chosen)  # type: ignore[arg-type]
    return place


@pytest.fixture(scope="module")
def bundle(made: SmallLedger, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its whole bundle."""
    return export(made, tmp_path_factory.mktemp("bundle") / "b")


@pytest.fixture
def run(made: SmallLedger, tmp_path: Path) -> Run:
    """Run the code blocks of a bundle's VERIFY.md, nothing on PATH but the three tools."""
    tools, work = tmp_path / "bin", tmp_path / "work"
    tools.mkdir()
    work.mkdir()
    for tool in TOOLS:
        (tools / tool).symlink_to(str(shutil.which(tool)))
    policy = made.write_policy(tmp_path / "policy")

    def execute(
        place: Path, page: Path | None = None, trust: Path = policy
    ) -> subprocess.CompletedProcess[str]:
        text = (page or place / "VERIFY.md").read_text(encoding="utf-8")
        script = tmp_path / "script.sh"
        script.write_text("\n".join(re.findall(r"```bash\n(.*?)```", text, re.DOTALL)), encoding="utf-8")
        return subprocess.run(
            [str(BASH), str(script)],
            cwd=place,
            env={"PATH": str(tools), "POLICY": str(trust), "WORK": str(work)},
            capture_output=True,
            text=True,
            check=False,
        )

    return execute


def test_the_commands_check_a_real_bundle(made: SmallLedger, bundle: Path, run: Run) -> None:
    """Signature, leaf, tile, root, checkpoint and ledger id, for the last event that a person signed."""
    done = run(bundle)
    assert done.returncode == 0, done.stderr
    assert "NOT VERIFIED" not in done.stderr
    index = made.at["correction SA-01-034"]
    assert done.stdout.count("Signature Verified Successfully") == 2
    assert f"event {made.ledger.store.entry(index).event}" in done.stdout  # type: ignore[union-attr]
    assert f"event {index} is signed by" in done.stdout


@pytest.mark.parametrize("participants", [1, 2])
def test_every_place_in_a_tile(tmp_path: Path, run: Run, participants: int, made: SmallLedger) -> None:
    """The tile's place is found at other offsets too, in a tree of one tile."""
    small = make(tmp_path / "small", participants=participants)
    place = export(small, tmp_path / "b")
    done = run(place, trust=small.write_policy(tmp_path / "other"))
    assert done.returncode == 0, done.stderr


def test_bundle_of_one_participant(made: SmallLedger, tmp_path: Path, run: Run) -> None:
    """The event is one that the bundle shows."""
    place = export(made, tmp_path / "b", scope=Scope(kind="participant", id="SA-01-002"))
    done = run(place)
    assert done.returncode == 0, done.stderr
    assert f"event {made.at['correction SA-01-002']} is signed by" in done.stdout


def changed(bundle: Path, place: Path, name: str, old: bytes, new: bytes) -> Path:
    """Copy the bundle with one change in one file."""
    shutil.copytree(bundle, place)
    content = (place / name).read_bytes()
    assert old in content
    (place / name).write_bytes(content.replace(old, new))
    return place


@pytest.mark.parametrize("what", ["payload", "leaf", "tile", "root", "log signature"])
def test_one_change_stops_the_commands(
    made: SmallLedger, bundle: Path, tmp_path: Path, run: Run, what: str
) -> None:
    """A changed statement, leaf, tile, root or signature is found by hand too, and the last line says so."""
    index = made.at["correction SA-01-034"]
    entry = made.ledger.store.entry(index)
    assert entry is not None
    size = made.ledger.store.head().size
    width = size - 256
    leaf = entry.leaf
    sides = {
        "payload": (
            f"payloads/001.p/{width}",
            entry.statement,
            entry.statement.replace(b"B. Chan", b"B. Chen"),
        ),
        "leaf": (f"tile/entries/001.p/{width}", leaf, leaf.replace(b'"site":"SA-01"', b'"site":"SA-02"')),
        "tile": (f"tile/0/001.p/{width}", _hash(made, index), bytes(32)),
        "root": ("checkpoint", f"\n{size}\n".encode(), f"\n{size + 1}\n".encode()),
        "log signature": (
            "checkpoint",
            b"\n\xe2\x80\x94 ledger.example/small ",
            b"\n\xe2\x80\x94 ledger.example/other ",
        ),
    }
    place = changed(bundle, tmp_path / "changed", *sides[what])
    done = run(place, page=bundle / "VERIFY.md")
    assert done.returncode != 0
    assert done.stderr.splitlines()[-1].startswith("NOT VERIFIED")


def test_another_ledger_id_stops_the_commands(
    made: SmallLedger, bundle: Path, tmp_path: Path, run: Run
) -> None:
    """The ledger id is the auditor's: a tree of the same keys with another beginning fails."""
    policy = tmp_path / "wrong"
    policy.write_bytes(made.write_policy(policy).read_bytes().replace(made.ledger_id.encode(), b"0" * 64))
    assert run(bundle, trust=policy).returncode != 0


def test_forged_tree_stops_the_commands(made: SmallLedger, tmp_path: Path, run: Run) -> None:
    """Commands that were written for the real tree fail on a forged one, whose keys are the same."""
    forged = Forgery(made, tmp_path / "real")
    forged.set_leaf(3, at=forged.leaf(4)["at"])
    assert run(forged.write(tmp_path / "forged")).returncode != 0


def _hash(made: SmallLedger, index: int) -> bytes:
    return made.ledger.store.tile_hashes(0, index, index + 1)
