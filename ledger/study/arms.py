"""What a study definition says of arms: what each gives, and how participants are allocated to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from ledger.study.sourced import Filled
from ledger.study.terms import Amount, ArmId, Code, Count, Day, SiteId, Text, Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Dose:
    """What an arm gives of one product each time: `amount` in UCUM `unit`, a unit per kg by weight.

    `maximum` is the most that is given whatever the weight, in the unit without the weight. `frequency` and
    `epoch` are there where doses do not follow infusion visits.
    """

    product: Code
    amount: Amount
    unit: Unit
    maximum: Amount | None = None
    frequency: Code | None = None
    epoch: Code | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """An investigational product; causality is asked for each one.

    `controlled` is the schedule of a controlled substance: what is counted, witnessed and never negative.
    """

    id: Code
    name: Text
    form: Code | None = None
    route: Code | None = None
    strength: Amount | None = None
    strength_unit: Unit | None = None
    controlled: Literal["I", "II", "III", "IV", "V"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """A regimen that participants are allocated to; `label` is its number in the protocol."""

    id: ArmId
    label: Text
    name: Text
    kind: Literal["experimental", "active_control", "placebo", "no_intervention"]
    doses: tuple[Dose, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """How often an arm stands in the smallest block."""

    arm: ArmId
    ratio: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondStage:
    """A second list: who was allocated to `from_arms` is allocated again from `week` on, at `visit`."""

    list: Code
    algorithm: Literal["second-stage/1"]
    from_arms: Annotated[tuple[ArmId, ...], Filled()]
    arms: Annotated[tuple[Ratio, ...], Filled()]
    week: Count
    visit: Code
    block_sizes: Annotated[tuple[Count, ...], Filled()] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Randomization:
    """The first list, and the days within which a participant is allocated.

    Strata are sites or, where the list runs through the whole study, one name that is no site's. `slots` are
    those of one stratum. `block_sizes` are absent from what is published.
    """

    list: Code
    algorithm: Literal["permuted-blocks/1"]
    strata: Annotated[tuple[SiteId, ...], Filled()]
    slots: Count
    arms: Annotated[tuple[Ratio, ...], Filled()]
    first_day: Day
    last_day: Day
    block_sizes: Annotated[tuple[Count, ...], Filled()] | None = None
    second: SecondStage | None = None
    stratified_by: Literal["site", "study"] = "site"

    def stratum(self, site: str) -> str:
        """Return the stratum in which participants of a site are allocated."""
        return site if self.stratified_by == "site" else self.strata[0]
