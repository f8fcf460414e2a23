"""One screen on a ledger's health: what is good, what to look at, what is bad; and nothing is changed."""

from __future__ import annotations

import datetime
import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from ledger.cli.app import run
from ledger.directory import CHECKPOINTS, CONFIG, DATABASE, KEYS, UNBLINDINGS
from ledger.doctor.examine import PROJECTIONS, examine
from ledger.doctor.finding import Finding, ago, amount
from ledger.doctor.keys import certificate_finding
from ledger.doctor.log import Expected
from ledger.errors import StoreError
from ledger.keyfile import Cost, KeyMaterial, write_key
from ledger.lines import encode_base64
from ledger.store.tracking import LedgerTrackingRecorder
from ledger.store.unblindings import UnblindingQueue, Waiting
from projections.runner import FILE
from tests.api.client import write_directory
from tests.behind import altering
from tests.ledger.small_ledger import SmallLedger, seed
from tests.ledger.write_path import refused

DAY_US = 86_400 * 1_000_000
EXPECTED = Expected()


@pytest.fixture
def made(tmp_path: Path) -> SmallLedger:
    """A ledger with its directory, still open, so that a test may go on recording."""
    return write_directory(tmp_path / "ledger")


def look(made: SmallLedger, directory: Path, after_us: int = 0, **more: Any) -> dict[str, Finding]:
    """Close the ledger, and return what is found so long after its newest entry, by area."""
    made.ledger.close()
    now_us = made.sources.now_us() + after_us
    return {
        finding.area: finding
        for finding in examine(directory, now_us=now_us, expected=EXPECTED, **more).findings
    }


def backup(made: SmallLedger, name: str = "b1") -> str:
    """Record that a backup was taken."""
    data = {
        "backup": name,
        "location": "vault",
        "sha256": hashlib.sha256(name.encode()).hexdigest(),
        "size": made.ledger.store.head().size,
        "stores": ["events"],
    }
    return made.ledger.attest("backup.taken", "study", data).event


def restored(made: SmallLedger, statement: str, outcome: str) -> None:
    """Record that a backup was restored on another machine."""
    head = made.ledger.store.head()
    data = {"outcome": outcome, "root": encode_base64(head.root), "size": head.size, "statement": statement}
    made.ledger.attest("restore.tested", "study", data)


def test_a_damaged_entry_is_not_called_good(made: SmallLedger, tmp_path: Path) -> None:
    """No entry is read here, and the finding of the log says so; `fsck` names the damage."""
    found = look(made, tmp_path / "ledger")["log"]
    with altering(tmp_path / "ledger" / DATABASE) as store:
        store.execute("UPDATE events SET statement = x'7b7d' WHERE idx = 30")
    assert look(made, tmp_path / "ledger")["log"] == found
    assert "entries are not read here: `fsck` reads every one" in found.text
    assert run(["fsck", str(tmp_path / "ledger")]) == 1


def test_a_new_ledger_is_sound(made: SmallLedger, tmp_path: Path) -> None:
    """Head, root, checkpoint and store are told; what was never done is to be looked at."""
    head = made.ledger.store.head()
    found = look(made, tmp_path / "ledger")
    assert found["log"].values == {"size": head.size, "root": head.root.hex(), "store": "SQLite"}
    assert found["writing"].verdict == found["files"].verdict == found["unblindings"].verdict == "good"
    assert found["checkpoint"].values["size"] == head.size
    assert {area for area, each in found.items() if each.verdict == "bad"} <= {"disk"}
    assert found["backup"].verdict == found["restore"].verdict == found["witnesses"].verdict == "watch"


def test_room_is_told_where_no_store_is_a_file(made: SmallLedger, tmp_path: Path) -> None:
    """Sizes follow the room that is left; without files, over PostgreSQL for one, nothing does."""
    sizes = look(made, tmp_path / "ledger")["disk"].text
    for name in (DATABASE, CHECKPOINTS, "datakeys.db"):
        (tmp_path / "ledger" / name).unlink(missing_ok=True)
    bare = look(made, tmp_path / "ledger")["disk"].text
    assert f"; {DATABASE} " in sizes
    assert ";" not in bare


def test_nothing_is_changed(made: SmallLedger, tmp_path: Path) -> None:
    """Every file of the directory has the same bytes after."""
    made.ledger.close()
    directory = tmp_path / "ledger"

    def sums() -> dict[str, str]:
        return {
            str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(directory.rglob("*"))
            if path.is_file() and not path.name.endswith(("-wal", "-shm"))
        }

    before = sums()
    look(made, directory)
    assert sums() == before


def test_backups_and_restore_tests_come_from_the_log_and_grow_late(made: SmallLedger, tmp_path: Path) -> None:
    """A backup a day old and a passed test are good, older ones are late, and a failed test is bad."""
    directory = tmp_path / "ledger"
    statement = backup(made)
    restored(made, statement, "passed")
    found = look(made, directory, DAY_US // 2)
    assert (found["backup"].verdict, found["restore"].verdict) == ("good", "good")
    found = look(made, directory, 100 * DAY_US)
    assert (found["backup"].verdict, found["restore"].verdict) == ("watch", "watch")


def test_a_failed_restore_is_bad_until_one_passes(made: SmallLedger, tmp_path: Path) -> None:
    """What failed last counts, whatever passed before."""
    statement = backup(made)
    restored(made, statement, "passed")
    made.sources.advance(60_000_000)
    restored(made, statement, "failed")
    found = look(made, tmp_path / "ledger", 60_000_000)
    assert found["restore"].verdict == "bad"


def test_an_older_copy_of_the_database_is_named(made: SmallLedger, tmp_path: Path) -> None:
    """Events behind the published checkpoint: writing is stopped, and the code says why."""
    directory = tmp_path / "ledger"
    made.ledger.close()
    shutil.copy(directory / DATABASE, tmp_path / "older.db")
    again = write_directory(tmp_path / "other")
    backup(again)
    again.publish()
    again.ledger.close()
    shutil.copy(tmp_path / "other" / CHECKPOINTS, directory / CHECKPOINTS)
    found = look(made, directory)
    assert found["writing"].verdict == "bad"
    assert found["writing"].values["code"] in ("LOG_BEHIND_CHECKPOINT", "LOG_INCONSISTENT")


def test_entries_that_no_checkpoint_covers_for_long_are_bad(made: SmallLedger, tmp_path: Path) -> None:
    """A publisher that stopped is seen by the age of the first entry that it left out."""
    directory = tmp_path / "ledger"
    now_us = made.sources.now_us()
    backup(made)

    def checkpoint(after_us: int) -> Finding:
        examined = examine(directory, now_us=now_us + after_us, expected=EXPECTED)
        return next(each for each in examined.findings if each.area == "checkpoint")

    assert checkpoint(1_000_000).verdict == "good"
    late = checkpoint(300_000_000)
    assert (late.verdict, "1 newer entries" in late.text) == ("bad", True)
    made.ledger.close()


def test_a_clock_behind_the_newest_entry_is_bad(made: SmallLedger, tmp_path: Path) -> None:
    """What is recorded next would be refused or stamped falsely."""
    backup(made)
    found = look(made, tmp_path / "ledger", -120_000_000)
    assert (found["clock"].verdict, found["clock"].values["newest_entry_ahead_s"]) == ("bad", 120.0)


def test_keys_are_tried_where_they_can_be(made: SmallLedger, tmp_path: Path) -> None:
    """Keys that work are told, and those of another log are found."""
    directory = tmp_path / "ledger"
    assert look(made, directory)["keys"].values["wrong"] == []
    for name, alg in (("log.json", "ed25519"), ("service.json", "ed25519")):
        (directory / KEYS / name).unlink()
        write_key(directory / KEYS / name, KeyMaterial(alg=alg, secret=seed("another")), None)
    found = look(made, directory)["keys"]
    assert (found.verdict, found.values["wrong"]) == (
        "bad",
        ["log.json is not among the log's keys", "service.json is not enrolled"],
    )


def test_locked_keys_need_their_passphrase(made: SmallLedger, tmp_path: Path) -> None:
    """Without it nothing is said of them; a wrong one is a finding."""
    directory = tmp_path / "ledger"
    path = directory / KEYS / "log.json"
    path.unlink()
    cheap = Cost(iterations=1, lanes=1, memory_kib=8)
    write_key(path, KeyMaterial(alg="ed25519", secret=seed("log")), "right", cost=cheap)
    assert look(made, directory)["keys"].verdict == "unknown"
    assert look(made, directory, passphrase="right")["keys"].values["wrong"] == []
    assert look(made, directory, passphrase="wrong")["keys"].values["wrong"] == [
        "log.json does not open (KEY_PASSPHRASE)"
    ]


def test_files_that_others_may_read_are_named(made: SmallLedger, tmp_path: Path) -> None:
    """A key, and a store that holds participants' data."""
    directory = tmp_path / "ledger"
    (directory / KEYS / "kek.json").chmod(0o640)
    (directory / DATABASE).chmod(0o604)
    (directory / CONFIG).chmod(0o644)
    found = look(made, directory)["files"]
    assert (found.verdict, found.values["readable"]) == ("bad", ["keys/kek.json", DATABASE])


def test_an_unblinding_that_waits_is_bad(made: SmallLedger, tmp_path: Path) -> None:
    """It is recorded before anything else, so somebody has to know of it."""
    directory = tmp_path / "ledger"
    with UnblindingQueue(directory / UNBLINDINGS) as queue:
        queue.put(lambda _: Waiting(event="0" * 64, nonce=b"n" * 12, ciphertext=b"c" * 16))
    found = look(made, directory)["unblindings"]
    assert (found.verdict, found.values) == ("bad", {"waiting": 1})


def test_kept_projections_that_lag_are_told(made: SmallLedger, tmp_path: Path) -> None:
    """By how many entries the last of them is behind; their file is the one that `rebuild` writes."""
    assert PROJECTIONS == FILE
    directory = tmp_path / "ledger"
    size = made.ledger.store.head().size
    tracking = LedgerTrackingRecorder.create(directory / PROJECTIONS)
    with tracking.transaction() as connection:
        connection.execute("INSERT INTO tracking VALUES ('one.v1', ?)", (size - 3,))
    tracking.close()
    found = look(made, directory)["projections"]
    assert (found.verdict, found.values["lag"]) == ("watch", 3)


def test_a_store_that_is_not_one_is_a_finding(made: SmallLedger, tmp_path: Path) -> None:
    """The rest of the directory is looked at all the same."""
    made.ledger.close()
    directory = tmp_path / "ledger"
    for path in directory.glob(f"{DATABASE}*"):
        path.unlink()
    found = look(made, directory)
    assert found["log"].values == {"code": "STORE_MISSING"}
    assert found["files"].verdict == "good"


def test_a_directory_without_a_ledger_is_an_error(tmp_path: Path) -> None:
    """Nothing is made there."""
    with refused("LEDGER_MISSING", StoreError):
        examine(tmp_path, now_us=0, expected=EXPECTED)


@pytest.mark.parametrize(("days", "verdict"), [(-1, "bad"), (5, "watch"), (60, "good")])
def test_a_certificate_is_told_before_it_ends(tmp_path: Path, days: int, verdict: str) -> None:
    """Three weeks before, and after."""
    key = ed25519.Ed25519PrivateKey.from_private_bytes(seed("certificate"))
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ledger.example")])
    now = datetime.datetime(2026, 6, 1, tzinfo=datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=90))
        .not_valid_after(now + datetime.timedelta(days=days))
        .sign(key, None)
    )
    path = tmp_path / "tls.pem"
    path.write_bytes(certificate.public_bytes(Encoding.PEM))
    assert certificate_finding(path, int(now.timestamp()) * 1_000_000).verdict == verdict


def test_lengths_and_amounts_are_said_in_one_unit() -> None:
    """As a person reads them."""
    assert [ago(seconds) for seconds in (-5, 1, 119, 120, 7_200, 172_800)] == [
        "0 s ago",
        "1 s ago",
        "119 s ago",
        "2 min ago",
        "2 h ago",
        "2 d ago",
    ]
    assert [amount(size) for size in (0, 1_023, 1_024, 1 << 30, 1 << 50)] == [
        "0 B",
        "1023 B",
        "1.0 KiB",
        "1.0 GiB",
        "1024.0 TiB",
    ]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Run the command in this process, without the settings that it has."""
    for name in [name for name in os.environ if name.startswith("TRIAL_LEDGER_")]:
        monkeypatch.delenv(name)
    return lambda *arguments: run(["doctor", *map(str, arguments)])


def test_it_is_one_screen(
    made: SmallLedger,
    tmp_path: Path,
    command: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """At most 24 lines of 80 columns, without colours where nobody asked for them; as JSON for programs."""
    made.ledger.close()
    monkeypatch.setenv("TRIAL_LEDGER_PORT", "0")
    command(tmp_path / "ledger")
    shown = capsys.readouterr()
    lines = shown.out.splitlines()
    assert shown.err == ""
    assert len(lines) <= 24
    assert max(map(len, lines[1:])) <= 80
    assert "\x1b" not in shown.out
    assert lines[-1] == "settings: port 0"
    command(tmp_path / "ledger", "--json")
    told = orjson.loads(capsys.readouterr().out)
    assert told["ledgers"][0]["study"] == "small"
    areas = [finding["area"] for finding in told["ledgers"][0]["findings"]]
    assert all(any(line.split()[1:2] == [area] for line in lines) for area in areas)


def test_its_exit_code_says_whether_something_is_bad(
    made: SmallLedger, tmp_path: Path, command: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    """1 with a key that others may read, 3 without a ledger, 2 without a directory."""
    made.ledger.close()
    key = tmp_path / "ledger" / KEYS / "log.json"
    key.chmod(0o644)
    assert command(tmp_path / "ledger") == 1
    key.chmod(0o600)
    capsys.readouterr()
    assert command(tmp_path / "ledger") == ("  bad " in capsys.readouterr().out)
    assert (command(tmp_path / "none"), command()) == (3, 2)
