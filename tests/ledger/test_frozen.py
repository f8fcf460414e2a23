"""Copies of frozen values: what is not changed is the same, and nothing unknown is changed."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import pytest

from ledger.frozen import changed
from ledger.participant import Participant


@dataclass(frozen=True, slots=True, kw_only=True)
class _Checked:
    low: int
    high: int

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError("expected low up to high")


def test_a_copy_is_what_replace_gives() -> None:
    """Every member is carried over, those that are named are new, and the value itself stays."""
    before = Participant(id="SA-01-001", site="SA-01", registered=7)
    after = changed(before, site="SA-02", guesses=frozenset({("w1d1", "cora")}))
    assert after == replace(before, site="SA-02", guesses=frozenset({("w1d1", "cora")}))
    assert changed(before) == before
    same = [f.name for f in fields(Participant) if f.name not in ("site", "guesses")]
    assert all(getattr(after, name) is getattr(before, name) for name in same)
    assert before.site == "SA-01"


def test_an_unknown_member_is_refused() -> None:
    """A slip in a name is an error, as it is for `replace`."""
    with pytest.raises(TypeError):
        changed(Participant(id="SA-01-001", site="SA-01", registered=7), sight="SA-02")


def test_a_class_that_checks_itself_is_not_copied() -> None:
    """What a constructor checks is never gone around."""
    with pytest.raises(TypeError):
        changed(_Checked(low=1, high=2), low=3)
