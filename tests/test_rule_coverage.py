"""Every type has a case that passes, and every rule of every type one that is refused, held or flagged."""

from __future__ import annotations

from ledger.actions import all_specs
from ledger.rules.asked import asked
from ledger.rules.codes import RULES
from tests.rule_coverage import gaps, marks


def test_no_type_lacks_its_cases() -> None:
    """For each rule one case that passes and one that does not, given/when/then; the marks are held true."""
    assert gaps() == []


def test_marks_name_types_and_rules_that_there_are() -> None:
    """A mark that names nothing would count for nothing."""
    types = {spec.type for spec in all_specs()}
    for kind, (first, *rest) in marks():
        assert first in types
        assert set(rest) <= (types if kind == "keeps" else RULES.keys())


def test_every_rule_is_asked_of_some_type() -> None:
    """A rule that no type is judged by is not enforced."""
    assert {code for spec in all_specs() for code in asked(spec)} == RULES.keys()
