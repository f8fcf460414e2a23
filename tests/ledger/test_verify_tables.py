"""The compact table of hashes is a dict that takes each key once."""

from __future__ import annotations

import hashlib
import io
import tempfile
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.verify.tables import IN_MEMORY_BYTES, KeyTable, Spool


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
