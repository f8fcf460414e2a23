"""An independent witness, not of this project, against a ledger of ours: `make witness`.

    python -m tests.witnesses PYTHON

`PYTHON` is an interpreter that the package `aics-witness` installs into (3.12 or newer), in an environment
of its own in a temporary directory. It is started on a free port of this machine, told of the log, and
asked: it cosigns what continues, and refuses a truncated, a forked and a stale submission. Then
`trial-ledger verify` judges an export of each kind under a policy that asks for that witness. Prints what
happened; exits 1 where it is not what it must be. `tests/ledger/test_witness.py` shows the same with our
own witness.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ledger.checkpoint import Checkpoint, parse_body, publish, sign_head
from ledger.export import export_bundle
from ledger.merkle import prove_consistency
from ledger.note import format_vkey, parse_note, parse_vkey
from ledger.policy import Witness
from ledger.proof import add_checkpoint_body
from ledger.tiles import TileHashes
from ledger.verify.judge import verify
from ledger.verify.options import Options, Scope
from ledger.witness.asking import HttpPost, ask
from ledger.witness.keeping import Cosignatures
from tests.ledger.small_ledger import ORIGIN, SmallLedger, make

NAME = "witness.example/independent"


class FailedError(Exception):
    """What happened is not what must."""


def main(python: str) -> int:
    """Install, start, ask, verify."""
    with tempfile.TemporaryDirectory() as place:
        directory = Path(place)
        command = _install(python, directory / "venv")
        made = make(directory / "ledger")
        with _running(command, directory, made) as listed:
            _show(made, listed, directory)
    return 0


def _install(python: str, place: Path) -> Path:
    subprocess.run([python, "-m", "venv", str(place)], check=True)
    subprocess.run([place / "bin" / "pip", "install", "-q", "aics-witness"], check=True)
    version = subprocess.run(
        [place / "bin" / "aics-witness", "--version"], check=True, capture_output=True, text=True
    )
    print(f"independent witness: {version.stdout.strip()}")
    return place / "bin" / "aics-witness"


@contextlib.contextmanager
def _running(command: Path, directory: Path, made: SmallLedger) -> Iterator[Witness]:
    """Start the witness on a free port, with this log's Ed25519 key; stop it by its own pid."""
    port = _free_port()
    config = ["--config", str(directory / "witness.json")]
    vkey = subprocess.run(
        [command, "init", *config, "--name", NAME, "--listen", f"127.0.0.1:{port}"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    key = parse_vkey(next(word for word in vkey if word.startswith(f"{NAME}+")))
    log = format_vkey(made.ledger.signers.head.key)
    subprocess.run(
        [command, "add-log", *config, "--origin", ORIGIN, "--vkey", log], check=True, capture_output=True
    )
    running = subprocess.Popen([command, "serve", *config], stderr=subprocess.DEVNULL)
    try:
        _wait(port)
        yield Witness(name="W", key=key, url=f"http://127.0.0.1:{port}")
        told = subprocess.run([command, "evidence", *config], capture_output=True, text=True, check=True)
        print(f"evidence that it kept: {len(json.loads(told.stdout or '[]'))} requests")
    finally:
        running.terminate()
        running.wait()


def _show(made: SmallLedger, listed: Witness, directory: Path) -> None:
    ledger, post = made.ledger, HttpPost()
    note = made.publish()
    size = parse_body(parse_note(note).text).size
    hashes = TileHashes(ledger.store.tile_hashes)

    def prove(old: int, new: int) -> list[bytes]:
        return prove_consistency(old, new, hashes)

    kept = Cosignatures.create(directory / "witnessed.db")
    kept.put(size, listed.key, ask(listed, note, prove, post))
    cosigned = kept.cosigned(note, [listed.key])
    print(f"cosigned: {size} entries")

    url = f"{listed.url}/add-checkpoint"
    smaller = _signed(made, size - 5, ledger.store.head().root)
    _expect("truncated", post(url, add_checkpoint_body(size, [], smaller)).status, {400, 409})
    forked = _signed(made, size, bytes(31) + b"\1")
    _expect("forked", post(url, add_checkpoint_body(size, [], forked)).status, {409, 422})
    _expect("stale", post(url, add_checkpoint_body(0, [], note)).status, {409})

    policy = replace(made.policy, witnesses=(listed,), quorum="W")
    for what, checkpoint, wanted in (
        ("cosigned", cosigned, 0),
        ("not cosigned", note, 1),
        ("forked, with the line of the other", _with_lines(forked, cosigned), 1),
    ):
        place = directory / f"bundle-{wanted}-{len(what)}"
        export_bundle(ledger.store, ledger.data_keys, note, place, scope=Scope(kind="study"), role="auditor")
        (place / "checkpoint").write_bytes(checkpoint)
        report = verify(place, _options(policy))
        print(f"verify, {what}: exit {report.exit_code}, {sorted({each.code for each in report.problems})}")
        if report.exit_code != wanted:
            raise FailedError(what)


def _options(policy: object) -> Options:
    return Options(
        policy=policy,  # type: ignore[arg-type]
        ledger_id=None,
        scope=Scope(kind="study"),
        role="auditor",
        previous=None,
        outbox=None,
        strict_conduct=False,
        classical=False,
        post_quantum=False,
        workers=1,
    )


def _signed(made: SmallLedger, size: int, root: bytes) -> bytes:
    """Sign a tree that the log never had, with the log's own keys."""
    signers = made.ledger.signers
    head = sign_head(Checkpoint(origin=ORIGIN, size=size, root=root), signers.head)
    return publish(head, signers.published, 1_800_000_000)


def _with_lines(note: bytes, cosigned: bytes) -> bytes:
    return note + cosigned.splitlines(keepends=True)[-1]


def _expect(what: str, status: int, wanted: set[int]) -> None:
    print(f"{what}: answered {status}")
    if status not in wanted:
        raise FailedError(what)


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def _wait(port: int) -> None:
    for _ in range(100):
        with contextlib.suppress(urllib.error.URLError, OSError):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=1).close()
            return
        time.sleep(0.1)
    raise FailedError("the witness does not answer")


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("PYTHON", "python3")))
    except FailedError as failed:
        print(f"not as it must be: {failed}")
        sys.exit(1)
