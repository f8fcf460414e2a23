"""Preparing and dispensing doses: `pharmacy/<site>` (catalogue E).

The label is random and tells nothing; it is the one thing that goes on to the bedside. Which product a dose
holds is sealed `treatment`, in one value that is padded to a fixed size, so that not even its length tells
how many products there were.

Every infusion visit writes the same sequence here, in every arm (R8):

    dose.prepared   record.cosigned (checker)   record.cosigned (witness)
    dose.dispensed
    dose.wasted     record.cosigned (witness)

A dose that is not wanted any more is wasted without having been dispensed. Where nothing was wasted the waste
is recorded all the same, with zero for every product. A dose that comes back unused adds `dose.returned`, for
a reason of the bedside, which does not know the arm.

To void one of these asks for a co-signature, as dosing at the bedside does. It is another pharmacist's: the
investigator is blind and does not see this stream.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Final

from ledger.actions.fields import (
    Clinical,
    Code,
    EventRef,
    Items,
    Label,
    Matches,
    Measure,
    ParticipantId,
    PerformedOutside,
    Sealed,
)
from ledger.actions.infusion import InfusionNumber
from ledger.actions.pharmacy import PHARMACISTS
from ledger.actions.registry import Action, Effect, Fact, action
from ledger.actions.shapes import mismatch
from ledger.canonical import encode

PADDED_BYTES: Final = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """How much of one product, from which kit of which lot; zero where a product was not used."""

    product: Code
    quantity: Measure
    lot: Label | None = None
    kit: Label | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """All product lines of a dose, padded: its canonical form has a multiple of 2,048 bytes."""

    lines: Annotated[tuple[Line, ...], Items(1, 32)]
    padding: Annotated[str, Matches(r"0{0,2048}", "zeros up to a multiple of 2,048 bytes")]

    def check_form(self) -> None:
        if len(encode(_plain(self))) % PADDED_BYTES:
            raise mismatch(f"a canonical form of a multiple of {PADDED_BYTES} bytes", "/padding")


def padded(lines: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return product lines as the sealed value that holds them, with the zeros that fill it up."""
    value: dict[str, Any] = {"lines": list(lines), "padding": ""}
    return {**value, "padding": "0" * (-len(encode(value)) % PADDED_BYTES)}


def _plain(contents: Contents) -> dict[str, Any]:
    lines = [
        {name: value for name, value in asdict(line).items() if value is not None} for line in contents.lines
    ]
    return {"lines": lines, "padding": contents.padding}


@action(
    "dose.prepared",
    effect=Effect.FACT,
    delegated=True,
    streams="pharmacy",
    roles=PHARMACISTS,
    voiding_cosigned=True,
    seconds="checker witness",
)
class DosePrepared(Fact):
    """A dose made up under a random label; its products are sealed (catalogue E).

    The preparer is the performer, or the signer where none is named; checker and witness cosign (R9).
    """

    label: Label
    participant: ParticipantId
    infusion: InfusionNumber
    volume: Measure
    beyond_use: Clinical
    contents: Annotated[Contents | None, Sealed("treatment", required=True)] = None

    def describe(self) -> str:
        return f"A dose of {self.volume} was prepared for infusion {self.infusion} (label {self.label})."


@action(
    "dose.dispensed",
    effect=Effect.GATE,
    delegated=True,
    streams="pharmacy",
    roles=PHARMACISTS,
    voiding_cosigned=True,
)
class DoseDispensed(Action):
    """A dose leaves the pharmacy for one participant (catalogue E; 21 CFR 312.62(a)).

    `statement` is its preparation; a study that dispenses numbered kits as they are names these.
    """

    label: Label
    participant: ParticipantId
    infusion: InfusionNumber
    statement: EventRef | None = None
    kits: Annotated[tuple[Label, ...], Items(1, 64, unique=True)] | None = None
    performed_outside: PerformedOutside | None = None

    def check_form(self) -> None:
        if self.statement is None and self.kits is None:
            raise mismatch("a preparation or kits", "/statement")

    def describe(self) -> str:
        return f"The dose for infusion {self.infusion} was dispensed (label {self.label})."


@action(
    "dose.returned",
    effect=Effect.FACT,
    delegated=True,
    streams="pharmacy",
    roles=PHARMACISTS,
    voiding_cosigned=True,
    always_open=True,
)
class DoseReturned(Fact):
    """A dose came back from the bedside, whole or in part; always open (R7; catalogue E)."""

    label: Label
    participant: ParticipantId
    infusion: InfusionNumber
    volume: Measure
    code: Code
    contents: Annotated[Contents | None, Sealed("treatment", required=True)] = None

    def describe(self) -> str:
        return f"{self.volume} of the dose with label {self.label} came back ({self.code})."


@action(
    "dose.wasted",
    effect=Effect.FACT,
    delegated=True,
    streams="pharmacy",
    roles=PHARMACISTS,
    voiding_cosigned=True,
    seconds="witness",
    always_open=True,
)
class DoseWasted(Fact):
    """What was thrown away of a dose, zero included, before a witness; always open (R7, R8; catalogue E).

    Always with its reason, and for each product, so that the record is there in every arm.
    """

    label: Label
    participant: ParticipantId
    infusion: InfusionNumber
    code: Code
    contents: Annotated[Contents | None, Sealed("treatment", required=True)] = None

    def describe(self) -> str:
        return f"The waste of the dose with label {self.label} was recorded ({self.code})."
