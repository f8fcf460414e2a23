"""A ledger's directory: made once, opened as it is, and each thing that is wrong with it said."""

from __future__ import annotations

import hashlib
import sqlite3
import stat
from pathlib import Path

import pytest

from ledger.committer import Ledger
from ledger.directory import (
    ACCOUNTS,
    CHECKPOINTS,
    CONFIG,
    DATA_KEYS,
    DATABASE,
    KEK,
    KEYS,
    LOG_KEY,
    LOG_PQ_KEY,
    SERVICE_KEY,
    UNBLINDINGS,
    WITNESSED,
    Config,
    NewKeys,
    Token,
    create,
    open_ledger,
    read_config,
    write_config,
)
from ledger.errors import FormatError, LedgerError, StoreError
from ledger.genesis import Operator, open_log
from ledger.keyfile import KeyMaterial
from ledger.prepare import Signer
from ledger.sources import SeededSources
from ledger.study.definition import load
from tests.ledger.small_ledger import DEFINITION, START
from tests.ledger.write_path import key_of, refused

PASSPHRASE = "correct horse battery staple"
CONFIGURED = Config(origin="ledger.example/t", study="nct06414356", demonstration=False, tokens=())


def sources() -> SeededSources:
    """Return a clock and bytes that follow from a label."""
    return SeededSources("directory", START)


def new_keys() -> NewKeys:
    """Return key material that follows from labels."""
    made = {
        name: KeyMaterial(alg=alg, secret=hashlib.sha256(name.encode()).digest())
        for name, alg in (("log", "ed25519"), ("log_pq", "ml-dsa-44"), ("service", "ed25519"), ("kek", "kek"))
    }
    return NewKeys(**made)


def opened(directory: Path, passphrase: str | None = None) -> Ledger:
    """Make a ledger and record its first entries."""
    keys = new_keys()
    ledger = create(directory, CONFIGURED, keys, passphrase, sources())
    open_log(
        ledger,
        [Signer(key_of("root"), "root1", "Root", "Sponsor")],
        threshold=1,
        service_key=keys.service.signing_key(),
        operator=Operator(name="Service", organisation="Operator"),
        definition=load(DEFINITION.read_bytes()),
    )
    return ledger


def test_a_new_ledger_has_everything_in_its_place(tmp_path: Path) -> None:
    """Configuration, three stores and four keys; key files are the owner's alone."""
    opened(tmp_path / "d").close()
    names = {
        path.relative_to(tmp_path / "d").as_posix() for path in (tmp_path / "d").rglob("*") if path.is_file()
    }
    keys = {f"{KEYS}/{name}" for name in (LOG_KEY, LOG_PQ_KEY, SERVICE_KEY, KEK)}
    assert names == {CONFIG, DATABASE, CHECKPOINTS, DATA_KEYS, UNBLINDINGS, ACCOUNTS, WITNESSED} | keys
    for name in keys:
        assert stat.S_IMODE((tmp_path / "d" / name).stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "d" / KEYS).stat().st_mode) == 0o700


def test_what_was_made_opens_again(tmp_path: Path) -> None:
    """The same log, published at the clean stop, ready for more."""
    ledger = opened(tmp_path / "d", PASSPHRASE)
    root = ledger.store.head().root
    ledger.close()
    again = open_ledger(tmp_path / "d", PASSPHRASE, sources())
    assert (again.store.head().root, again.startup.frozen) == (root, False)
    latest = again.checkpoints.latest()
    assert latest is not None
    assert latest[0] == again.store.head().size == 4
    again.close()


def test_what_was_not_published_is_published_at_the_start(tmp_path: Path) -> None:
    """Events ahead of the newest checkpoint and consistent with it: publish, go on (record-format.md §5)."""
    ledger = opened(tmp_path / "d")
    assert ledger.checkpoints.latest() is None
    ledger.store.close()  # as after a crash: nothing is published on the way out
    ledger.checkpoints.close()
    again = open_ledger(tmp_path / "d", None, sources())
    latest = again.checkpoints.latest()
    assert latest is not None
    assert latest[0] == 4
    again.close()


@pytest.mark.parametrize("occupied", ["file", "filled", "ledger", "below a file"])
def test_a_place_that_is_not_empty_is_left_as_it_is(tmp_path: Path, occupied: str) -> None:
    """Nothing is made where something is already, and nothing there changes."""
    place = tmp_path / "d"
    match occupied:
        case "file":
            place.write_text("mine")
        case "filled":
            place.mkdir()
            (place / "note.txt").write_text("mine")
        case "ledger":
            opened(place).close()
        case _:
            (tmp_path / "d").write_text("mine")
            place = place / "below"
    before = sorted(path.name for path in tmp_path.rglob("*"))
    with refused("LEDGER_EXISTS", StoreError):
        create(place, CONFIGURED, new_keys(), None, sources())
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


def test_an_empty_directory_may_be_used(tmp_path: Path) -> None:
    """A mount point that is there already is as good as a new directory."""
    (tmp_path / "d").mkdir()
    opened(tmp_path / "d").close()


@pytest.mark.parametrize("place", ["nothing", "empty", "file"])
def test_where_no_ledger_is_none_opens(tmp_path: Path, place: str) -> None:
    """A missing directory, an empty one, a file: each is said to hold no ledger, and none is made."""
    path = tmp_path / place
    if place == "empty":
        path.mkdir()
    if place == "file":
        path.write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    with refused("LEDGER_MISSING", StoreError):
        open_ledger(path, None, sources())
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", [DATABASE, CHECKPOINTS, DATA_KEYS, UNBLINDINGS])
def test_a_missing_store_is_not_made_anew(tmp_path: Path, name: str) -> None:
    """A new file in the place of a lost one would hide the loss."""
    opened(tmp_path / "d").close()
    (tmp_path / "d" / name).unlink()
    with refused("STORE_MISSING", StoreError):
        open_ledger(tmp_path / "d", None, sources())
    assert not (tmp_path / "d" / name).exists()


@pytest.mark.parametrize("name", [LOG_KEY, LOG_PQ_KEY, SERVICE_KEY, KEK])
def test_a_missing_key_is_said(tmp_path: Path, name: str) -> None:
    """Without each of its keys a ledger does not open."""
    opened(tmp_path / "d").close()
    (tmp_path / "d" / KEYS / name).unlink()
    with refused("KEY_FILE_MISSING", StoreError):
        open_ledger(tmp_path / "d", None, sources())


@pytest.mark.parametrize("passphrase", [None, "wrong"])
def test_a_wrong_passphrase_opens_nothing(tmp_path: Path, passphrase: str | None) -> None:
    """Keys that were written under a passphrase need that one, and the error repeats none."""
    opened(tmp_path / "d", PASSPHRASE).close()
    with pytest.raises(LedgerError) as caught:
        open_ledger(tmp_path / "d", passphrase, sources())
    assert caught.value.code == "KEY_PASSPHRASE"
    assert "wrong" not in caught.value.message.replace("is wrong", "")


@pytest.mark.sqlite_only("locks the whole file")
def test_what_failed_to_open_is_released(tmp_path: Path) -> None:
    """After a failure nothing holds the database: it can be moved, locked, opened."""
    opened(tmp_path / "d").close()
    (tmp_path / "d" / DATA_KEYS).rename(tmp_path / "kept")
    with refused("STORE_MISSING", StoreError):
        open_ledger(tmp_path / "d", None, sources())
    connection = sqlite3.connect(tmp_path / "d" / DATABASE, timeout=0, isolation_level=None)
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("BEGIN EXCLUSIVE")
    connection.execute("ROLLBACK")
    connection.close()
    (tmp_path / "kept").rename(tmp_path / "d" / DATA_KEYS)
    open_ledger(tmp_path / "d", None, sources()).close()


def test_another_origin_in_the_configuration_is_another_log(tmp_path: Path) -> None:
    """A ledger under a changed name does not pass for the log: it is frozen."""
    opened(tmp_path / "d").close()
    text = (tmp_path / "d" / CONFIG).read_text()
    (tmp_path / "d" / CONFIG).write_text(text.replace("ledger.example/t", "ledger.example/u"))
    ledger = open_ledger(tmp_path / "d", None, sources())
    assert ledger.startup.code == "LOG_INCONSISTENT"
    ledger.close()


def test_a_configuration_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Tokens and the demonstration label come back, whatever characters an id has."""
    token = Token(sha256="ab" * 32, role="auditor", person='a"b\\c', sites=("SA-01", "*"))
    config = Config(origin="ledger.example/t", study="T1", demonstration=True, tokens=(token, token))
    write_config(tmp_path, config)
    assert read_config(tmp_path) == config


GOOD = 'origin = "ledger.example/t"\nstudy = "T1"\n'
TOKEN = f'sha256 = "{"ab" * 32}"\nrole = "auditor"\nperson = "p"\nsites = ["*"]\n'


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("origin = ", None),
        ('study = "T1"\n', "origin"),
        ('origin = "X"\nstudy = "T1"\n', "origin"),
        ("origin = 5\n", "origin"),
        ('origin = "ledger.example/t"\n', "study"),
        ('origin = "ledger.example/t"\nstudy = "a b"\n', "study"),
        (GOOD + "colour = 1\n", "colour"),
        (GOOD + 'demonstration = "yes"\n', "demonstration"),
        (GOOD + "tokens = 3\n", "tokens"),
        (GOOD + 'tokens = "abc"\n', "tokens"),
        (GOOD + "tokens = [3]\n", "tokens.0"),
        (GOOD + "[[tokens]]\n" + TOKEN + "more = 1\n", "tokens.0"),
        (GOOD + "[[tokens]]\n" + TOKEN.replace("ab", "zz"), "tokens.0.sha256"),
        (GOOD + "[[tokens]]\n" + TOKEN.replace('"auditor"', '"astronaut"'), "tokens.0.role"),
        (GOOD + "[[tokens]]\n" + TOKEN.replace('"auditor"', "[]"), "tokens.0.role"),
        (GOOD + "[[tokens]]\n" + TOKEN.replace('["*"]', "[]"), "tokens.0.sites"),
        (GOOD + "[[tokens]]\n" + TOKEN.replace('["*"]', "[1]"), "tokens.0.sites"),
        (GOOD + "[[tokens]]\n" + TOKEN.replace('"p"', "1"), "tokens.0.person"),
    ],
)
def test_a_configuration_out_of_form_is_refused_by_member(
    tmp_path: Path, text: str, field: str | None
) -> None:
    """Each member has one form; the error names it."""
    (tmp_path / CONFIG).write_text(text)
    with pytest.raises(FormatError) as caught:
        read_config(tmp_path)
    assert (caught.value.code, caught.value.field) == ("CONFIG", field)
