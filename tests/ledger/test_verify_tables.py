"""The compact table of hashes is a dict that takes each key once."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.verify.tables import KeyTable


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
