"""Rules that rest on what not everybody is shown: sealed values, and the books of a pharmacy (R8).

A rule over sealed values has one public code, so that the code tells nothing. It is judged where the values
open: when it is written, by the service that holds them, and by a verifier whose bundle discloses them.
"""

from __future__ import annotations

from typing import Final

RULE: Final = "SEALED_RULE"
ASKED: Final = frozenset({"dose.prepared", "dose.returned", "dose.wasted"})
"""Types whose sealed values a rule asks for."""

OPENED: Final = ASKED | {"participant.randomized"}
"""Types whose sealed values a rule reads: besides the record's own, the arm that a dose is made for."""

UNSEEN: Final = frozenset({RULE, "LABEL_OF_ANOTHER", "DOSE_NOT_DISPENSED"})
"""Rules whose breach may rest on a statement of `pharmacy/…` that a reader is not shown."""
