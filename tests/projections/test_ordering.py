"""Rows in the order of a column."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.errors import FormatError
from projections.ordering import Sort, ordered, parse_sort, sorts
from projections.reader import erased, sealed
from tests.ledger.write_path import refused


def order(values: list[Any], sort: str) -> list[int]:
    """Return the places that rows with these values came from."""
    rows = list(enumerate(values))
    return [n for n, _ in ordered(rows, parse_sort(sort, ["it"]), lambda row: row[1])]


def test_numbers_go_by_value_and_texts_without_case() -> None:
    """Nine before ten, numbers before texts, and a big letter is no other letter."""
    assert order(["b", "10", 9, "A", "a", "9.5", "-3"], "it") == [6, 2, 5, 1, 3, 4, 0]


@pytest.mark.parametrize("sort", ["it", "-it"])
def test_what_is_sealed_comes_after_values_and_tells_nothing(sort: str) -> None:
    """All alike, whatever their scope, in the order in which they came; what is empty is last."""
    values = [None, sealed("treatment"), "x", erased(), "", sealed("identity"), sealed("treatment")]
    assert order(values, sort) == [2, 1, 3, 5, 6, 0, 4]


def test_what_is_alike_stays_as_it_came_in_both_directions() -> None:
    """A sort is stable."""
    values = ["b", "a", "b", "a"]
    assert order(values, "it") == [1, 3, 0, 2]
    assert order(values, "-it") == [0, 2, 1, 3]


@pytest.mark.parametrize("text", ["", "-", "other", "--it", "IT", "it "])
def test_no_other_column_is_taken(text: str) -> None:
    """The list is closed."""
    with refused("SORT", FormatError):
        parse_sort(text, ["it"])


def test_every_way_of_sorting_is_named() -> None:
    """Each column in both directions, as it is asked for."""
    assert sorts(["a", "b"]) == ["a", "-a", "b", "-b"]
    assert [parse_sort(text, ["a"]).text for text in sorts(["a"])] == ["a", "-a"]
    assert parse_sort("-a", ["a"]) == Sort(column="a", descending=True)
