"""Signatures over more than one statement: a form, a visit, a participant, a milestone (catalogue H)."""

from __future__ import annotations

from typing import Literal

from ledger.actions.fields import Code, EventRef, Hash, Positive, SomeDistinct, VisitId
from ledger.actions.registry import Effect, Fact, action, allow
from ledger.actions.shapes import mismatch
from ledger.roles import PHYSICIANS

FINAL = "final"
"""The milestone of the final endorsement, which open queries block."""


@action(
    "record.signed",
    effect=Effect.FACT,
    streams="participant site study pharmacy safety",
    roles=allow(PHYSICIANS, "review", "approval", "responsibility")
    | allow(("coordinator", "data_manager", "medical_monitor", "blinded_monitor"), "review")
    | allow(("unblinded_pharmacist", "unblinded_safety_physician"), "review", "responsibility")
    | allow(("unblinded_monitor",), "review")
    | allow(("sponsor_administrator",), "review", "approval"),
    voidable=False,
)
class RecordSigned(Fact):
    """A signature over what a scope held below an index (H; E6(R3) 3.16.1(o); 21 CFR 11.50, 11.200).

    `sha256` is the digest of the canonical list of `[index, event]` of the scope's statements with an index
    below `upto`, in order (`ledger.rules.signing`). `form` names one statement, `visit` a visit;
    `participant` and `milestone` are the whole stream. Any later record in scope makes it outdated.
    """

    scope: Literal["form", "visit", "participant", "milestone"]
    statement: EventRef | None = None
    visit: VisitId | None = None
    milestone: Code | None = None
    upto: Positive
    sha256: Hash
    components: SomeDistinct[Literal["identifier", "password", "possession", "biometric"]]

    def check_form(self) -> None:
        """Require exactly the member that names the scope."""
        named = {"form": self.statement, "visit": self.visit, "milestone": self.milestone}
        for scope, value in named.items():
            if (value is not None) != (scope == self.scope):
                member = "statement" if scope == "form" else scope
                raise mismatch("exactly the member that names the scope", f"/{member}")

    def describe(self) -> str:
        what = {"form": "a form", "visit": f"visit {self.visit}", "milestone": f"milestone {self.milestone}"}
        return f"The record was signed: {what.get(self.scope, 'the participant')}, up to index {self.upto}."
