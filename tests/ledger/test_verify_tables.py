"""The compact table of hashes is a dict that takes each key once."""

from __future__ import annotations

import errno
import hashlib
import io
import tempfile
import tracemalloc
from pathlib import Path
from typing import IO, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.verify import tables
from ledger.verify.judge import verify
from ledger.verify.tables import IN_MEMORY_BYTES, KeyTable, Spool
from tests.full_disk import no_room
from tests.ledger.verifying import MINIMAL, minimal


@given(st.lists(st.integers(0, 400), max_size=600))
def test_it_is_a_dict_that_takes_each_key_once(numbers: list[int]) -> None:
    """Adding and asking give what a dict gives, through several times of growing."""
    table, model = KeyTable(32), dict[bytes, int]()
    for value, number in enumerate(numbers):
        key = hashlib.sha256(number.to_bytes(4, "big")).digest()
        assert table.add(key, value) == (key not in model)
        model.setdefault(key, value)
    assert len(table) == len(model)
    for number in range(402):
        key = hashlib.sha256(number.to_bytes(4, "big")).digest()
        assert table.get(key) == model.get(key)


@pytest.mark.parametrize("most", [0, 500])
@given(numbers=st.lists(st.integers(0, 400), max_size=600))
def test_what_lies_in_files_is_found_as_in_memory(most: int, numbers: list[int]) -> None:
    """A table of which little is held in memory takes and gives what one does that is held whole."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "SLOTS_IN_MEMORY", 128)
        small = KeyTable(32, most)
        whole = KeyTable(32)
        for value, number in enumerate(numbers):
            key = hashlib.sha256(number.to_bytes(4, "big")).digest()
            assert small.add(key, value) == whole.add(key, value)
        for number in range(402):
            key = hashlib.sha256(number.to_bytes(4, "big")).digest()
            assert small.get(key) == whole.get(key)


def test_slots_of_a_file_go_round_at_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys that all belong at the last slot are found where they went: at the first ones."""
    monkeypatch.setattr(tables, "SLOTS_IN_MEMORY", 64)
    monkeypatch.setattr(tables, "hash", lambda key: -1, raising=False)
    table, model = KeyTable(16), {bytes([number] * 16): number for number in range(100)}
    for key, value in model.items():
        assert table.add(key, value)
    assert [table.get(key) for key in model] == list(model.values())
    assert not any(table.add(key, 0) for key in model)
    assert table.get(bytes([100] * 16)) is None


def test_a_long_table_holds_no_slots_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """What grows in memory stops growing; and is made once where the number is expected."""
    made: list[IO[bytes]] = []
    nameless = tables.nameless

    def counted() -> IO[bytes] | None:
        file = nameless()
        assert file is not None
        made.append(file)
        return file

    monkeypatch.setattr(tables, "nameless", counted)
    monkeypatch.setattr(tables, "SLOTS_IN_MEMORY", 128)
    held = []
    for most in (0, 3000):
        made.clear()
        tracemalloc.start()
        table = KeyTable(8, most)
        for number in range(3000):
            table.add(number.to_bytes(8, "big"), number)
        taken, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        held.append((len(made), taken < 8 * 3000 + 3000 * 16))
    assert held == [(6, True), (1, True)]


def test_where_there_is_no_file_a_long_table_stays_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that was in a file before."""
    monkeypatch.setattr(tables, "SLOTS_IN_MEMORY", 128)
    table = KeyTable(8)
    for number in range(1000):
        if number == 200:
            monkeypatch.setattr(tables, "nameless", lambda: None)
        assert table.add(number.to_bytes(8, "big"), number)
    assert [table.get(number.to_bytes(8, "big")) for number in range(1001)] == [*range(1000), None]


def test_keys_are_of_one_width() -> None:
    """A key of another length is a defect of the caller."""
    with pytest.raises(ValueError, match="expected a key of 16 bytes"):
        KeyTable(16).get(bytes(32))


class Slow(io.BytesIO):
    """A file that takes a few bytes at a time, as a raw file may."""

    def write(self, data: Any) -> int:
        """Take a part."""
        return super().write(data[:100_000])


def test_what_a_file_takes_in_parts_is_written_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """A raw file may take less than it is given; the rest follows, and all of it is read back."""
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: Slow())
    spool, data = Spool(), bytes(number % 251 for number in range(IN_MEMORY_BYTES + 7))
    spool.append(data)
    spool.append(b"more")
    assert spool.read(0, len(data)) == data
    assert spool.read(len(data) - 5, 9) == data[-5:] + b"more"


def test_without_a_file_memory_is_all_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is lost, and a file is asked for again whenever there is twice as much."""
    spool, part, held, asked = Spool(), bytes(IN_MEMORY_BYTES // 2), 0, []

    def refuse(**_: Any) -> None:
        asked.append(held)
        raise OSError

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    for number in range(8):
        held = (number + 1) * len(part)
        spool.append(part)
    assert asked == [IN_MEMORY_BYTES, 2 * IN_MEMORY_BYTES, 4 * IN_MEMORY_BYTES]
    assert len(spool.read(0, held + 1)) == held


@pytest.mark.parametrize("most", [0, 500])
@pytest.mark.parametrize("room", [0, 700, 2_000, 5_000, 8_192, 20_001])
def test_a_place_for_files_that_fills_up_leaves_the_rest_in_memory(
    monkeypatch: pytest.MonkeyPatch, room: int, most: int
) -> None:
    """Wherever it fills up, also within a number: nothing that was kept is lost, and all that follows is."""
    monkeypatch.setattr(tables, "SLOTS_IN_MEMORY", 128)
    monkeypatch.setattr(tables, "IN_MEMORY_BYTES", 512)
    monkeypatch.setattr(tables, "WRITTEN_BYTES", 128)
    keys = [hashlib.sha256(number.to_bytes(4, "big")).digest() for number in range(501)]
    with no_room(room):
        table = KeyTable(32, most)
        for number, key in enumerate(keys[:500]):
            assert table.add(key, number)
            assert not table.add(keys[number // 2], 0)
        assert [table.get(key) for key in keys] == [*range(500), None]
    assert [table.get(key) for key in keys] == [*range(500), None]


def test_a_full_place_for_files_is_no_fault_of_the_bundle(monkeypatch: pytest.MonkeyPatch) -> None:
    """The verdict is the one that it has where there is room."""
    for name in ("SLOTS_IN_MEMORY", "IN_MEMORY_BYTES", "WRITTEN_BYTES"):
        monkeypatch.setattr(tables, name, 64)
    with no_room(100):
        report = verify(MINIMAL, minimal())
    assert report == verify(MINIMAL, minimal())
    assert report.exit_code == 0


class Filling(io.FileIO):
    """A file on a disk that takes so many writes more: what was laid out may still find no room."""

    room = 0

    def write(self, data: Any) -> int:
        """Take all of it, or nothing."""
        Filling.room -= 1
        if Filling.room < 0:
            raise OSError(errno.ENOSPC, "no space left")
        return super().write(data)


@pytest.mark.parametrize("most", [0, 500])
@pytest.mark.parametrize("room", [0, 50, 86, 87, 120, 300, 600, 900])
def test_slots_that_find_no_room_in_their_file_go_back_to_memory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, room: int, most: int
) -> None:
    """Whether it fills up while they are laid down, or later at one of them."""
    names = iter(range(10))
    monkeypatch.setattr(tables, "SLOTS_IN_MEMORY", 128)
    monkeypatch.setattr(tables, "nameless", lambda: Filling(tmp_path / str(next(names)), "w+"))
    monkeypatch.setattr(Filling, "room", room)
    table = KeyTable(8, most)
    for number in range(500):
        assert table.add(number.to_bytes(8, "big"), number)
    assert [table.get(number.to_bytes(8, "big")) for number in range(501)] == [*range(500), None]
