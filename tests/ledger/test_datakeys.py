"""Data keys: sealing and opening, destruction that leaves nothing, a file shared by threads and processes."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.datakeys import DataKeys
from ledger.errors import FormatError, StoreError

KEK = bytes(range(32))
EVENT = "ab" * 32
STREAM = "participant/SA-01-007"
SCOPE = "freetext"
DISCLOSURE = "WyJzYWx0IiwiaWQiLCIvZGF0YS9ub3RlIiwidGV4dCJd"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "datakeys.db"


@pytest.fixture
def data_keys(path: Path) -> Iterator[DataKeys]:
    with DataKeys.create(path, KEK, os.urandom) as made:
        yield made


def sealed(data_keys: DataKeys, disclosure: str = DISCLOSURE) -> tuple[bytes, bytes]:
    return data_keys.seal(EVENT, "/data/note", STREAM, SCOPE, disclosure)


def opened(data_keys: DataKeys, nonce: bytes, ciphertext: bytes) -> str:
    return data_keys.open(EVENT, "/data/note", STREAM, SCOPE, nonce, ciphertext)


def wrapped_key(path: Path) -> bytes:
    with closing(sqlite3.connect(path)) as connection:
        row = connection.execute("SELECT wrapped FROM data_keys WHERE stream = ?", (STREAM,)).fetchone()
    return bytes(row[0])


def test_what_was_sealed_opens(data_keys: DataKeys) -> None:
    """A disclosure comes back as it was."""
    assert opened(data_keys, *sealed(data_keys)) == DISCLOSURE


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.integers(0, 1100))
def test_ciphertexts_come_in_steps(data_keys: DataKeys, length: int) -> None:
    """The length of a ciphertext tells the step of 256 bytes and no more, for every length of a value."""
    nonce, ciphertext = sealed(data_keys, "A" * length)
    assert len(ciphertext) == 256 * (length // 256 + 1) + 16  # the tag
    assert opened(data_keys, nonce, ciphertext) == "A" * length


def test_nonces_are_never_used_twice(data_keys: DataKeys) -> None:
    """The same disclosure sealed again has another nonce and another ciphertext."""
    one, two = sealed(data_keys), sealed(data_keys)
    assert one[0] != two[0]
    assert one[1] != two[1]


def test_a_ciphertext_is_bound_to_its_place(data_keys: DataKeys) -> None:
    """Under another event, path, stream or scope the same bytes do not open."""
    nonce, ciphertext = sealed(data_keys)
    data_keys.make([("safety", SCOPE), (STREAM, "identity")])
    for event, where, stream, scope in (
        ("cd" * 32, "/data/note", STREAM, SCOPE),
        (EVENT, "/data/other", STREAM, SCOPE),
        (EVENT, "/data/note", "safety", SCOPE),
        (EVENT, "/data/note", STREAM, "identity"),
    ):
        with pytest.raises(StoreError) as caught:
            data_keys.open(event, where, stream, scope, nonce, ciphertext)
        assert caught.value.code == "DISCLOSURE_UNREADABLE"


def test_any_changed_byte_is_noticed(data_keys: DataKeys) -> None:
    """A ciphertext or nonce with one bit changed, cut or empty does not open."""
    nonce, ciphertext = sealed(data_keys)
    spoilt = [
        (nonce, ciphertext[:at] + bytes([ciphertext[at] ^ 1]) + ciphertext[at + 1 :]) for at in (0, 99, -1)
    ]
    for bad in (
        *spoilt,
        (nonce[:-1], ciphertext),
        (bytes(12), ciphertext),
        (nonce, ciphertext[:8]),
        (nonce, b""),
    ):
        with pytest.raises(StoreError) as caught:
            opened(data_keys, *bad)
        assert caught.value.code == "DISCLOSURE_UNREADABLE"


def test_each_stream_and_scope_has_its_own_key(data_keys: DataKeys) -> None:
    """Keys differ by stream and by scope, and stay the same from use to use."""
    names = [(STREAM, SCOPE), (STREAM, "identity"), ("safety", SCOPE)]
    found = {name: data_keys.key_for(*name) for name in names}
    assert len(set(found.values())) == 3
    assert {name: data_keys.key_for(*name) for name in names} == found


def test_a_key_is_durable_before_its_first_use(path: Path, data_keys: DataKeys) -> None:
    """Another connection finds the key as soon as it was returned."""
    key = data_keys.key_for(STREAM, SCOPE)
    with DataKeys(path, KEK, os.urandom) as other:
        assert other.key_for(STREAM, SCOPE) == key


def test_many_keys_are_made_at_once(path: Path, data_keys: DataKeys) -> None:
    """`make` makes what is missing, keeps what is there, and takes a name twice."""
    key = data_keys.key_for(STREAM, SCOPE)
    data_keys.make([(STREAM, SCOPE), (STREAM, "identity"), (STREAM, "identity")])
    assert data_keys.key_for(STREAM, SCOPE) == key
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM data_keys").fetchone() == (2,)


def test_a_failed_making_leaves_nothing(path: Path) -> None:
    """When randomness fails half-way, no key of the batch is there, and the next attempt works."""
    given_out = iter([os.urandom(12), os.urandom(32), os.urandom(12)])

    def failing(count: int) -> bytes:
        try:
            return next(given_out)
        except StopIteration:
            raise OSError(f"no more than {count} bytes") from None

    with DataKeys.create(path, KEK, failing) as data_keys:
        with pytest.raises(OSError, match="no more"):
            data_keys.make([(STREAM, SCOPE), (STREAM, "identity")])
        with DataKeys(path, KEK, os.urandom) as other:
            with pytest.raises(StoreError) as caught:
                opened(other, bytes(12), bytes(272))
            assert caught.value.code == "DATA_KEY_MISSING"
            other.key_for(STREAM, SCOPE)


def test_what_is_destroyed_stays_closed(path: Path, data_keys: DataKeys) -> None:
    """After destruction nothing sealed before opens, in this connection, another, or after a new key."""
    nonce, ciphertext = sealed(data_keys)
    with DataKeys(path, KEK, os.urandom) as other:
        assert opened(other, nonce, ciphertext) == DISCLOSURE
        assert data_keys.destroy(STREAM, SCOPE)
        for each in (data_keys, other):
            with pytest.raises(StoreError) as caught:
                opened(each, nonce, ciphertext)
            assert caught.value.code == "DATA_KEY_DESTROYED"
        assert opened(other, *sealed(other)) == DISCLOSURE  # a later value of the same scope
        with pytest.raises(StoreError) as caught:
            opened(data_keys, nonce, ciphertext)
        assert caught.value.code == "DISCLOSURE_UNREADABLE"


def test_destruction_touches_one_scope(data_keys: DataKeys) -> None:
    """Other scopes and streams keep their keys; what isn't there is not destroyed."""
    kept = data_keys.key_for(STREAM, "identity")
    sealed(data_keys)
    assert data_keys.destroy(STREAM, SCOPE)
    assert not data_keys.destroy(STREAM, SCOPE)
    assert not data_keys.destroy("safety", SCOPE)
    assert data_keys.key_for(STREAM, "identity") == kept


def test_destruction_leaves_no_byte(path: Path, data_keys: DataKeys) -> None:
    """Neither the wrapped key nor a piece of it is left in any file beside the store, among many keys."""
    data_keys.make((f"participant/{number}", SCOPE) for number in range(300))
    sealed(data_keys)
    data_keys.make((f"participant/{number}", "identity") for number in range(300))
    wrapped = wrapped_key(path)
    assert wrapped in path.read_bytes()
    data_keys.destroy(STREAM, SCOPE)
    for file in path.parent.iterdir():
        content = file.read_bytes()
        for start in range(0, 60, 12):
            assert wrapped[start : start + 12] not in content, file.name


def test_the_file_holds_no_key_in_the_open(path: Path, data_keys: DataKeys) -> None:
    """Neither data keys nor the key-encryption key stand in the file, nor in the text of the object."""
    key = data_keys.key_for(STREAM, SCOPE)
    assert key not in path.read_bytes()
    assert KEK not in path.read_bytes()
    assert repr(data_keys) == f"<DataKeys {path}>"


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM data_keys",
        "UPDATE data_keys SET wrapped = randomblob(60)",
        "UPDATE data_keys SET stream = 'safety', destroyed = 1, wrapped = zeroblob(60)",
        "UPDATE data_keys SET destroyed = 1",
    ],
)
def test_rows_change_only_by_destruction(path: Path, data_keys: DataKeys, statement: str) -> None:
    """The database refuses to drop a row, to exchange a key, or to destroy without erasing."""
    data_keys.key_for(STREAM, SCOPE)
    with closing(sqlite3.connect(path)) as connection, pytest.raises(sqlite3.IntegrityError):
        connection.execute(statement)


def test_another_kek_is_refused(path: Path, data_keys: DataKeys) -> None:
    """A store opens with the key that it was made with, and with no other, and takes no other length."""
    data_keys.key_for(STREAM, SCOPE)
    for kek in (bytes(32), b"short"):
        with pytest.raises(StoreError) as caught:
            DataKeys(path, kek, os.urandom)
        assert caught.value.code == "KEK_WRONG"
        assert KEK.hex() not in str(caught.value)


def test_wrapped_keys_do_not_change_places(path: Path, data_keys: DataKeys) -> None:
    """A wrapped key copied to another stream's row is not taken for that stream's key."""
    data_keys.make([(STREAM, SCOPE), ("safety", SCOPE)])
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("DROP TRIGGER data_keys_are_destroyed_once")
        connection.execute(
            "UPDATE data_keys SET wrapped = (SELECT wrapped FROM data_keys WHERE stream = 'safety')"
        )
    with pytest.raises(StoreError) as caught:
        data_keys.key_for(STREAM, SCOPE)
    assert caught.value.code == "STORE_CORRUPT"


def test_nothing_creates_itself(path: Path) -> None:
    """A missing file is an error and stays missing; an existing one is not made again."""
    with pytest.raises(StoreError) as caught:
        DataKeys(path, KEK, os.urandom)
    assert caught.value.code == "STORE_MISSING"
    assert not path.exists()
    DataKeys.create(path, KEK, os.urandom).close()
    before = path.read_bytes()
    with pytest.raises(StoreError) as caught:
        DataKeys.create(path, KEK, os.urandom)
    assert caught.value.code == "STORE_EXISTS"
    assert path.read_bytes() == before
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", [b"", b"not a database, though long enough to look like one" * 100])
def test_another_file_is_refused(path: Path, content: bytes) -> None:
    """A file that is no store of data keys is refused and left as it is."""
    path.write_bytes(content)
    with pytest.raises(StoreError) as caught:
        DataKeys(path, KEK, os.urandom)
    assert caught.value.code == "STORE_CORRUPT"
    assert path.read_bytes() == content


def test_bad_names_are_refused(data_keys: DataKeys) -> None:
    """An event hash in another spelling and a disclosure that is no base64url are refused."""
    for event in ("AB" * 32, "ab" * 31, "zz" * 32, "ab " * 32):
        with pytest.raises(FormatError):
            data_keys.seal(event, "/data/note", STREAM, SCOPE, DISCLOSURE)
    with pytest.raises(FormatError):
        sealed(data_keys, "é")


def test_a_closed_store_says_so(data_keys: DataKeys) -> None:
    """After closing, keys are forgotten and every use is an error of the store."""
    nonce, ciphertext = sealed(data_keys)
    data_keys.close()
    data_keys.close()
    with pytest.raises(StoreError) as caught:
        opened(data_keys, nonce, ciphertext)
    assert caught.value.code == "STORE_CLOSED"


def test_threads_share_one_key(data_keys: DataKeys) -> None:
    """Threads that ask at the same moment get one key, and what each sealed opens."""
    barrier = threading.Barrier(8)

    def work(_number: int) -> tuple[bytes, bytes]:
        barrier.wait()
        return sealed(data_keys)

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(work, range(8)))
    assert {opened(data_keys, *each) for each in results} == {DISCLOSURE}


WORK = """
import os, sys
from pathlib import Path
from ledger.datakeys import DataKeys
with DataKeys(Path(sys.argv[1]), bytes(range(32)), os.urandom) as keys:
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(20):
        print(keys.key_for(f"participant/{number}", "freetext").hex())
"""


def test_processes_share_one_key(path: Path, data_keys: DataKeys) -> None:
    """Processes that make the same keys at the same moment end with the same keys."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", WORK, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    outputs = set()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        outputs.add(process.communicate(timeout=60)[0])
        assert process.returncode == 0
    assert outputs == {
        "".join(data_keys.key_for(f"participant/{n}", "freetext").hex() + "\n" for n in range(20))
    }
