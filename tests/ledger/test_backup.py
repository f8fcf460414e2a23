"""Backups of a ledger that is written to: whole or none, apart from what must not lie with them, recorded."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import random
import re
import shlex
import shutil
import signal
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import orjson
import pytest

from ledger.archive import seal
from ledger.backup import restoring, trying
from ledger.backup.manifest import FILE, differences, read
from ledger.backup.restoring import restore
from ledger.backup.taking import PARTIAL, Taken, data_keys_beside, take
from ledger.backup.trying import Tried, try_restore
from ledger.cli.app import run
from ledger.committer import Ledger
from ledger.directory import CHECKPOINTS, CONFIG, DATA_KEYS, DATABASE, KEK, KEYS, open_ledger
from ledger.epochs import MARKER
from ledger.errors import FormatError, LedgerError, StoreError
from ledger.export import export_bundle
from ledger.keyfile import Cost, load_key, write_key
from ledger.sources import SystemSources
from ledger.statement import parse_statement
from ledger.undoing import made
from projections.check import checker
from projections.runner import FILE as PROJECTIONS
from projections.runner import opened as opened_projections
from tests.api.client import write_directory
from tests.behind import altering, reading
from tests.full_disk import no_room
from tests.ledger.test_crash import kill, start
from tests.ledger.write_path import refused
from tests.shared import ROOT

STREAM = "participant/SA-01-001"
PROCESSES = multiprocessing.get_context("forkserver")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small ledger's directory, closed, with kept projections."""
    place = tmp_path_factory.mktemp("template") / "ledger"
    made = write_directory(place)
    with opened_projections(place / PROJECTIONS) as runner, made.ledger.store.snapshot() as reads:
        runner.run(reads)
    made.ledger.close()
    return place


@pytest.fixture
def directory(template: Path, tmp_path: Path) -> Path:
    """A copy of it, to back up."""
    return shutil.copytree(template, tmp_path / "ledger")


@contextmanager
def opened(directory: Path) -> Iterator[Ledger]:
    """Open a ledger, and close it."""
    ledger = open_ledger(directory, None, SystemSources())
    try:
        yield ledger
    finally:
        ledger.close()


def taken(directory: Path, out: Path) -> Taken:
    """Back a closed ledger up."""
    with opened(directory) as ledger:
        return take(ledger, directory, out)


def tried(backup: Path, work: Path, live: Ledger | None = None, passphrase: str | None = None) -> Tried:
    """Try a backup."""
    return try_restore(
        backup,
        work,
        data_keys=data_keys_beside(backup),
        passphrase=passphrase,
        checkers=lambda place: [checker(place)],
        live=live,
    )


def last(ledger: Ledger, count: int = 1) -> list[tuple[str, dict[str, object]]]:
    """Return type and data of the newest entries."""
    size = ledger.store.head().size
    entries = [parse_statement(each.statement) for each in ledger.store.entries(size - count, size)]
    return [(each.type, dict(each.data)) for each in entries]


def test_what_a_backup_holds(directory: Path, tmp_path: Path) -> None:
    """Everything of the directory but published checkpoints, for its owner alone; data keys lie apart."""
    made = taken(directory, tmp_path / "b")
    names = {part.name for part in made.manifest.files}
    assert names >= {CONFIG, DATABASE, PROJECTIONS, "checkpoint", "keys/log.json", "keys/kek.json"}
    assert not names & {CHECKPOINTS, DATA_KEYS}
    there = [path for path in tmp_path.rglob("b*") if path.is_file()] + list((tmp_path / "b").rglob("*.*"))
    assert {path.stat().st_mode & 0o077 for path in there} == {0}
    assert list(differences(tmp_path / "b", made.manifest, data_keys_beside(tmp_path / "b"))) == []


def test_a_backup_is_recorded_with_the_hash_of_its_manifest(directory: Path, tmp_path: Path) -> None:
    """`backup.taken` names size, place and the SHA-256 by which the backup is known."""
    with opened(directory) as ledger:
        made = take(ledger, directory, tmp_path / "b", location="vault 3")
        [(type_, data)] = last(ledger)
    sha256 = hashlib.sha256((tmp_path / "b" / FILE).read_bytes()).hexdigest()
    assert type_ == "backup.taken"
    assert data == {
        "backup": made.manifest.backup,
        "location": "vault 3",
        "sha256": sha256,
        "size": made.manifest.size,
        "stores": ["data_keys", "events", "keys", "projections"],
    }


def test_a_backup_of_a_ledger_that_is_written_to(directory: Path, tmp_path: Path) -> None:
    """While another process records, each backup is one moment of the log, and restores to the live root."""
    writer, pipe = start(directory, STREAM)
    try:
        assert pipe.poll(20)
        with opened(directory) as ledger:
            made = [take(ledger, directory, tmp_path / f"b{n}") for n in range(2)]
    finally:
        kill(writer)
        pipe.close()
    assert made[0].manifest.size < made[1].manifest.size
    with opened(directory) as ledger:
        outcome = tried(tmp_path / "b1", tmp_path / "work", ledger)
    assert outcome.problems == ()
    assert outcome.root.hex() == made[1].manifest.root


def back_up_again_and_again(directory: Path, out: Path, pipe: Connection) -> None:
    """Take one backup after the other."""
    ledger = open_ledger(directory, None, SystemSources())
    for number in range(1_000):
        take(ledger, directory, out / f"b{number}")
        if number == 0:
            pipe.send("one is whole")


def test_a_backup_that_is_killed_is_none(directory: Path, tmp_path: Path) -> None:
    """After each SIGKILL whatever has a backup's name is whole and in the log."""
    chance = random.Random(20_260_722)  # noqa: S311  moments, not secrets
    whole = interrupted = 0
    for number in range(20):
        out = tmp_path / f"out{number}"
        out.mkdir()
        here, there = PROCESSES.Pipe(duplex=False)
        process = PROCESSES.Process(target=back_up_again_and_again, args=(directory, out, there), daemon=True)
        process.start()
        assert here.poll(30)
        time.sleep(chance.uniform(0, 0.1))  # the moment is what is tested
        os.kill(process.pid or 0, signal.SIGKILL)
        process.join()
        here.close()
        there.close()
        for backup in [path for path in out.iterdir() if path.is_dir() and path.suffix != PARTIAL]:
            manifest, sha256 = read(backup)
            assert list(differences(backup, manifest, data_keys_beside(backup))) == []
            assert recorded(directory, sha256)
            whole += 1
        interrupted += any(path.suffix == PARTIAL for path in out.iterdir())
        if interrupted == 3:
            break
    assert whole
    assert interrupted == 3


def recorded(directory: Path, sha256: str) -> bool:
    """Tell whether the log has a backup of this manifest."""
    with reading(directory / DATABASE) as store:
        rows = store.execute("SELECT statement FROM events WHERE type = 'backup.taken'").fetchall()
    return any(orjson.loads(row[0])["data"]["sha256"] == sha256 for row in rows)


def test_places_that_a_backup_may_not_have(directory: Path, tmp_path: Path) -> None:
    """Not in the ledger, not where something is, not where an interrupted one lies, not with its keys."""
    (tmp_path / "there").mkdir()
    (tmp_path / "cut.partial").mkdir()
    with opened(directory) as ledger:
        for place, code in (
            (directory / "b", "BACKUP_PLACE"),
            (tmp_path / "nowhere" / "b", "BACKUP_PLACE"),
            (tmp_path / "there", "BACKUP_EXISTS"),
            (tmp_path / "cut", "BACKUP_EXISTS"),
        ):
            with refused(code, StoreError):
                take(ledger, directory, place)
        with refused("BACKUP_PLACE", StoreError):
            take(ledger, directory, tmp_path / "b", data_keys=tmp_path / "b" / "k")
    assert not (tmp_path / "b").exists()


def test_a_frozen_ledger_is_backed_up_and_not_written_to(directory: Path, tmp_path: Path) -> None:
    """What went wrong is kept as it is; nothing is recorded about it."""
    old = tmp_path / "old.db"
    with opened(directory):
        shutil.copy(directory / DATABASE, old)
    taken(directory, tmp_path / "b1")
    shutil.copy(old, directory / DATABASE)
    made = taken(directory, tmp_path / "b2")
    assert made.index is None
    assert read(tmp_path / "b2")[0] == made.manifest


def test_the_end_of_an_epoch_is_restored_with_it(directory: Path, tmp_path: Path) -> None:
    """What was frozen for good stays so in every copy."""
    (directory / MARKER).write_text("{}")
    with opened(directory) as ledger:
        take(ledger, directory, tmp_path / "b")
    restore(tmp_path / "b", tmp_path / "r", data_keys=data_keys_beside(tmp_path / "b"), checkpoints=None)
    assert (tmp_path / "r" / MARKER).read_text() == "{}"


def test_a_log_that_goes_on_from_another_is_not_tried_alone(directory: Path, tmp_path: Path) -> None:
    """What it goes on from lies in another directory with backups of its own; nothing is recorded of it."""
    with opened(directory) as ledger:
        with (directory / CONFIG).open("a") as file:
            file.write('\n[continues]\ndirectory = "../old"\nsize = 9\n')
        take(ledger, directory, tmp_path / "b")
        size = ledger.store.head().size
        with refused("BACKUP_CONTINUES", StoreError):
            tried(tmp_path / "b", tmp_path / "work", ledger)
        with refused("BACKUP_CONTINUES", StoreError):
            seal(ledger, directory, tmp_path / "a.zip")
        assert ledger.store.head().size == size


@pytest.mark.parametrize("name", [DATABASE, CONFIG, "keys/log.json", "checkpoint", "datakeys.db"])
def test_one_changed_byte_is_found(directory: Path, tmp_path: Path, name: str) -> None:
    """A file that is not the manifest's is not restored; the try names it, and is recorded as failed."""
    taken(directory, tmp_path / "b")
    path = data_keys_beside(tmp_path / "b") if name == "datakeys.db" else tmp_path / "b" / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with refused("BACKUP_DIFFERS", StoreError):
        restore(tmp_path / "b", tmp_path / "r", data_keys=data_keys_beside(tmp_path / "b"), checkpoints=None)
    assert not (tmp_path / "r").exists()
    with opened(directory) as ledger:
        outcome = tried(tmp_path / "b", tmp_path / "work", ledger)
        events = last(ledger, 2)
    assert name in outcome.problems[0]
    assert (events[0][0], events[0][1]["outcome"]) == ("restore.tested", "failed")
    assert (events[1][0], events[1][1]["rule"]) == ("breach.detected", "RESTORE_FAILED")


def test_what_is_missing_or_added_is_found(directory: Path, tmp_path: Path) -> None:
    """A backup is exactly the files of its manifest; without one it is none."""
    manifest = taken(directory, tmp_path / "b").manifest
    apart = data_keys_beside(tmp_path / "b")
    (tmp_path / "b" / "more").write_bytes(b"")
    (tmp_path / "b" / KEYS / "kek.json").unlink()
    assert len(list(differences(tmp_path / "b", manifest, apart))) == 2
    apart.unlink()
    assert len(list(differences(tmp_path / "b", manifest, apart))) == 3
    (tmp_path / "b" / FILE).unlink()
    with refused("BACKUP_MISSING", StoreError):
        read(tmp_path / "b")


def test_data_keys_that_are_not_named_are_no_failed_try(directory: Path, tmp_path: Path) -> None:
    """Where they lie elsewhere, nothing was tried: BACKUP_MISSING, and no breach is recorded for good."""
    taken(directory, tmp_path / "b")
    data_keys_beside(tmp_path / "b").rename(tmp_path / "elsewhere.db")
    with opened(directory) as ledger:
        size = ledger.store.head().size
        with refused("BACKUP_MISSING", StoreError):
            tried(tmp_path / "b", tmp_path / "work", ledger)
        assert ledger.store.head().size == size
    with refused("BACKUP_MISSING", StoreError):
        restore(tmp_path / "b", tmp_path / "r", data_keys=data_keys_beside(tmp_path / "b"), checkpoints=None)


def test_a_passphrase_that_does_not_open_is_no_failed_try(tmp_path: Path) -> None:
    """KEY_PASSPHRASE is told, and nothing recorded: the backup may be as good as ever."""
    made = write_directory(tmp_path / "ledger")
    made.ledger.close()
    kek = tmp_path / "ledger" / KEYS / KEK
    secret = load_key(kek, None)
    kek.unlink()
    write_key(kek, secret, "the right one", cost=Cost(memory_kib=64, iterations=1, lanes=1))
    ledger = open_ledger(tmp_path / "ledger", "the right one", SystemSources())
    with closing(ledger):
        take(ledger, tmp_path / "ledger", tmp_path / "b")
        size = ledger.store.head().size
        for passphrase in (None, "another"):
            with refused("KEY_PASSPHRASE", LedgerError):
                tried(tmp_path / "b", tmp_path / "work", ledger, passphrase=passphrase)
        assert ledger.store.head().size == size
        assert tried(tmp_path / "b", tmp_path / "work", ledger, passphrase="the right one").passed


def test_a_place_that_is_full_is_no_failed_try(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The place of the try, not the backup, has no room for the export: told, and no breach for good."""
    taken(directory, tmp_path / "b")

    def full(*what: Any, **wanted: Any) -> None:
        with no_room(2_000):
            export_bundle(*what, **wanted)

    monkeypatch.setattr(trying, "export_bundle", full)
    with opened(directory) as ledger:
        size = ledger.store.head().size
        with refused("STORE_IO", StoreError):
            tried(tmp_path / "b", tmp_path / "work", ledger)
        assert ledger.store.head().size == size


def test_another_file_is_not_taken_for_checkpoints(directory: Path, tmp_path: Path) -> None:
    """The error names what was expected, and which file is none."""
    taken(directory, tmp_path / "b")
    another = tmp_path / "another.db"
    with closing(sqlite3.connect(another)) as file:
        file.execute("CREATE TABLE published_checkpoint (x)").connection.commit()
    asked = ["restore", str(tmp_path / "b"), str(tmp_path / "r"), "--checkpoints", str(another)]
    assert run(asked) == 3
    with pytest.raises(StoreError, match=r"expected a file of published checkpoints, another\.db is none"):
        restore(
            tmp_path / "b",
            tmp_path / "r",
            data_keys=data_keys_beside(tmp_path / "b"),
            checkpoints=another,
        )
    assert not (tmp_path / "r").exists()


def test_a_restore_that_is_interrupted_at_its_last_step_leaves_nothing(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C as the directory gets its name: what was made elsewhere goes, and so does what leads there."""
    taken(directory, tmp_path / "b")
    rename, undone = Path.rename, list[str]()

    def interrupted(self: Path, target: Path) -> Path:
        made("schema", lambda: undone.append("schema"))
        rename(self, target)
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        restore(tmp_path / "b", tmp_path / "r", data_keys=data_keys_beside(tmp_path / "b"), checkpoints=None)
    assert undone == ["schema"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b", "b.datakeys.db", "ledger"]


def test_two_restores_to_one_place(directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second is refused while the first has written nothing yet."""
    taken(directory, tmp_path / "b")
    keys = data_keys_beside(tmp_path / "b")
    asked = partial(restore, tmp_path / "b", tmp_path / "r", data_keys=keys, checkpoints=None)
    put_back, told = restoring._put_back, list[str]()

    def meanwhile(*what: Any) -> None:
        monkeypatch.setattr(restoring, "_put_back", put_back)
        with pytest.raises(StoreError, match="LEDGER_EXISTS") as caught, ThreadPoolExecutor(1) as another:
            another.submit(asked).result()
        told.append(caught.value.message)
        put_back(*what)

    monkeypatch.setattr(restoring, "_put_back", meanwhile)
    asked()
    assert told == ["another command is filling r.partial"]
    with opened(tmp_path / "r") as ledger:
        assert not ledger.startup.frozen


@pytest.mark.parametrize(
    ("member", "value"),
    [("form", "v2"), ("size", 0), ("root", "ab"), ("backup", "../b"), ("files", [{"name": "../x"}])],
)
def test_a_manifest_out_of_form_is_refused(
    directory: Path, tmp_path: Path, member: str, value: object
) -> None:
    """Nothing is read by a manifest that could name what lies elsewhere."""
    taken(directory, tmp_path / "b")
    path = tmp_path / "b" / FILE
    path.write_bytes(orjson.dumps({**orjson.loads(path.read_bytes()), member: value}))
    with refused("BACKUP", FormatError):
        read(tmp_path / "b")


def test_a_try_is_recorded_with_the_root_that_came_out(directory: Path, tmp_path: Path) -> None:
    """Restored, read again, folded again, exported and verified: `restore.tested` names backup and root."""
    made = taken(directory, tmp_path / "b")
    with opened(directory) as ledger:
        outcome = tried(tmp_path / "b", tmp_path / "work", ledger)
        [(type_, data)] = last(ledger)
        event = ledger.store.entry(made.index or 0)
    assert outcome.passed
    assert (tmp_path / "work" / "bundle" / "checkpoint").exists()
    assert event is not None
    assert type_ == "restore.tested"
    assert (data["outcome"], data["statement"], data["size"]) == ("passed", event.event, made.manifest.size)
    assert outcome.root.hex() == made.manifest.root


def test_a_damaged_log_is_found_by_trying_its_backup(directory: Path, tmp_path: Path) -> None:
    """A copy that is true to what was damaged before is whole, and fails by what `fsck` finds in it."""
    with altering(directory / DATABASE) as store:
        store.execute("DELETE FROM guards WHERE kind = 'participant'")
    taken(directory, tmp_path / "b")
    outcome = tried(tmp_path / "b", tmp_path / "work")
    assert outcome.problems
    assert all(problem.startswith("GUARD") for problem in outcome.problems)


def test_kept_projections_are_folded_again(directory: Path, tmp_path: Path) -> None:
    """A state in the backup that the log does not give is a problem of the backup."""
    with closing(sqlite3.connect(directory / PROJECTIONS)) as connection, connection:
        connection.execute("UPDATE states SET state = CAST(state || ' ' AS BLOB)")
    connection.close()
    taken(directory, tmp_path / "b")
    outcome = tried(tmp_path / "b", tmp_path / "work")
    assert {problem.split()[0] for problem in outcome.problems} == {"PROJECTION"}


def test_a_backup_of_another_ledger_is_not_recorded(directory: Path, tmp_path: Path) -> None:
    """The live log has to know the backup by its manifest's hash."""
    taken(directory, tmp_path / "b")
    path = tmp_path / "b" / FILE
    label = orjson.loads(path.read_bytes())["backup"]
    path.write_bytes(path.read_bytes().replace(label.encode(), b"another"))
    with opened(directory) as ledger, refused("BACKUP_OTHER", StoreError):
        tried(tmp_path / "b", tmp_path / "work", ledger)


def test_the_commands(directory: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """backup, restore-check, restore, as an operator types them."""
    b, r = str(tmp_path / "b"), str(tmp_path / "r")
    assert run(["backup", str(directory), b, "--json"]) == 0
    size = orjson.loads(capsys.readouterr().out)["entries"]
    assert run(["restore-check", b, "--ledger", str(directory), "--json"]) == 0
    assert orjson.loads(capsys.readouterr().out)["outcome"] == "passed"
    assert run(["restore", b, r]) == 2
    assert run(["restore", b, r, "--checkpoints-lost"]) == 0
    assert run(["restore", b, r, "--checkpoints-lost"]) == 3
    assert run(["fsck", r]) == 0
    assert f"{size} entries read, 0 findings" in capsys.readouterr().out
    (tmp_path / "b" / CONFIG).write_text("")
    assert run(["restore-check", b]) == 1


def test_the_page_does_what_it_says(directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands of docs/backup.md, in their order."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "vault").mkdir()
    page = (ROOT / "docs" / "backup.md").read_text(encoding="utf-8")
    lines = [line for block in re.findall(r"(?ms)^```sh\n(.*?)^```", page) for line in block.splitlines()]
    for program, *words in map(shlex.split, lines):
        if program == "cp":
            shutil.copy(*words)
        else:
            assert (program, run(words)) == ("trial-ledger", 0)
    with opened(directory) as ledger, opened(tmp_path / "again") as again:
        assert [type_ for type_, _ in last(ledger, 2)] == ["backup.taken", "restore.tested"]
        assert again.startup.frozen
