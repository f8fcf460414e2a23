"""Childbearing potential and pregnancy tests: `participant/<id>` (catalogue C).

Sex is sealed, so what asks for a test is the potential, which is told in plain words here.
"""

from __future__ import annotations

from typing import Literal

from ledger.actions.fields import Code, VisitId
from ledger.actions.registry import Effect, Fact, action, allow
from ledger.roles import BEDSIDE_STAFF

# The bedside tests before an infusion.
_STAFF = allow(BEDSIDE_STAFF, "authorship", "responsibility")


@action(
    "pregnancy_test.performed",
    effect=Effect.FACT,
    procedure=True,
    delegated=True,
    streams="participant",
    roles=_STAFF,
)
class PregnancyTestPerformed(Fact):
    """A test; not negative in its window, it holds randomization and infusions (catalogue C)."""

    specimen: Literal["urine", "serum"]
    result: Literal["negative", "positive", "invalid"]
    visit: VisitId | None = None

    def describe(self) -> str:
        return f"A pregnancy test ({self.specimen}) was {self.result}."


@action(
    "childbearing_potential.changed", effect=Effect.FACT, procedure=True, streams="participant", roles=_STAFF
)
class ChildbearingPotentialChanged(Fact):
    """Whether pregnancy is possible, as of when it occurred, and why that is known (catalogue C)."""

    potential: Literal["yes", "no", "unknown"]
    code: Code

    def describe(self) -> str:
        return f"Childbearing potential: {self.potential} ({self.code})."
