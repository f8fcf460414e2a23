"""The catalogue: every row of the specification is an action, and the page is what the code says."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from ledger.actions import all_specs
from ledger.rules.catalogue import page, section_of
from tests.shared import ROOT

SPECIFIED = ROOT / "docs" / "spec" / "catalogue.md"


def rows() -> Iterator[tuple[str, str, str]]:
    """Yield (section, type, G or F) of every row of the specification; `either` where it leaves it open."""
    section = ""
    for line in SPECIFIED.read_text(encoding="utf-8").splitlines():
        heading = re.match(r"## (?:([A-I])\. )?", line)
        section = (heading[1] or "") if heading else section
        if not section or not line.startswith("| `"):
            continue
        cells = line.split("|")
        names: list[str] = re.findall(r"`([^`]+)`", cells[1])
        effects = cells[2].strip().split("/")
        for number, name in enumerate(names):
            full = names[0].partition(".")[0] + name if name.startswith(".") else name
            positional = len(effects) == len(names) and len(effects) > 2
            yield (
                section,
                full,
                effects[number]
                if positional
                else (effects[0] if len(effects) == 1 else "either")
                if len(effects) == 1
                else "either",
            )


ROWS = sorted(rows())


def test_the_specification_has_its_rows() -> None:
    """The rows are read: a page that is laid out otherwise would leave nothing to compare."""
    assert len(ROWS) == 219


@pytest.mark.parametrize(("section", "type_", "effect"), ROWS, ids=[row[1] for row in ROWS])
def test_every_row_is_an_action(section: str, type_: str, effect: str) -> None:
    """Each row has its action, in its section, a gate or a fact as the row says."""
    specs = [spec for spec in all_specs() if spec.type == type_]
    assert specs, "no action"
    assert {section_of(spec) for spec in specs} == {section}
    if effect != "either":
        assert {spec.effect.value[0].upper() for spec in specs} == {effect}


def test_no_action_is_without_a_row() -> None:
    """An action that the specification does not know would be of our own making."""
    assert {spec.type for spec in all_specs()} <= {type_ for _, type_, _ in ROWS}


def test_the_page_is_generated() -> None:
    """A type, a role or a rule that is added or changed shows in the page."""
    assert (ROOT / "docs" / "catalogue.md").read_text(encoding="utf-8") == page()
