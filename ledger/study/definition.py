"""The study definition: what the protocol says, as data that rules, screens and the verifier read.

One JSON file for each protocol version, attached to `protocol.approved`. Every value in it names its source
(`ledger.study.sourced`); the dataclasses below are its format, member by member. Nothing here belongs to one
study: arms, visits, windows, criteria, instruments and clocks come from the file alone.

**Days.** Day 1 is the first infusion; the day before it is day -1, there is no day 0. A visit's window is its
day with `before_days` and `after_days` around it, in calendar days of the site's IANA zone.

**Block sizes** stay sealed until the list is opened (record-format §8), and an attachment is plain. So the
file that a sponsor keeps may name them, and `published` gives the bytes for the ledger, without them.

Left out on purpose: what pharmacies prepare from, and texts of consent forms.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Final, Literal, cast

from ledger import canonical
from ledger.study import sourced
from ledger.study.coherence import check_coherence
from ledger.study.schedule import score, visit_window
from ledger.study.sourced import Between, Filled, Matches

__all__ = [
    "Arm", "Clock", "Criterion", "Dose", "Epoch", "Extension", "Instrument", "Masking", "Outcome", "Product",
    "Prohibited", "Randomization", "Ratio", "Scale", "SecondStage", "Site", "StudyDefinition", "Visit",
    "load", "published", "score", "sources", "visit_window",
]  # fmt: skip

Text = Annotated[str, Filled()]
Code = Annotated[str, Matches(pattern=r"[a-z][a-z0-9_]{0,63}")]
ArmId = Annotated[str, Matches(pattern=r"[a-z][a-z0-9_+-]{0,63}")]
SiteId = Annotated[str, Matches(pattern=r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")]
CriterionId = Annotated[str, Matches(pattern=r"[A-Z][A-Z0-9]{0,15}")]
Unit = Annotated[str, Matches(pattern=r"[!-~]{1,32}")]  # a UCUM code: printable ASCII, no space
Day = Annotated[int, Between(low=-3650, high=3650)]
Days = Annotated[int, Between(low=0, high=3650)]
Hours = Annotated[int, Between(low=0, high=8760)]
Count = Annotated[int, Between(low=1, high=1 << 20)]
Percent = Annotated[Decimal, Between(low=0, high=100)]
Amount = Annotated[Decimal, Between(low=0, high=1_000_000)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A place that takes part; `zone` is the IANA zone in which its calendar days are counted."""

    id: SiteId
    zone: Text
    name: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Dose:
    """What an arm gives of one product at each infusion: `amount` in UCUM `unit`, a unit per kg by weight."""

    product: Code
    amount: Amount
    unit: Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """An investigational product; causality is asked for each one."""

    id: Code
    name: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """A regimen that participants are allocated to; `label` is its number in the protocol."""

    id: ArmId
    label: Text
    name: Text
    kind: Literal["experimental", "active_control", "placebo", "no_intervention"]
    doses: tuple[Dose, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Masking:
    """Who is kept from knowing the arm."""

    blinded: bool
    description: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """A period of the study, in weeks; without weeks its length is open."""

    id: Code
    name: Text
    optional: bool
    weeks_min: Days | None = None
    weeks_max: Days | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One planned point of the calendar.

    `day` is a study day or, where `anchor` is `last_infusion`, the number of days after it. `required` visits
    are the ones that must be done or missed before a participant completes; contacts and remote assessments
    are planned and shown, and do not count. `applies` names who has the visit: everyone, or those who stopped
    treatment early, in place of the visits that they no longer have.
    """

    id: Code
    name: Text
    kind: Literal["screening", "infusion", "outcome", "contact", "follow_up"]
    epoch: Code
    mode: Literal["in_person", "phone", "home"]
    applies: Literal["everyone", "treatment_stopped"]
    required: bool
    anchor: Literal["day_1", "last_infusion"]
    day: Day
    before_days: Days
    after_days: Days
    instruments: tuple[Code, ...]
    week: Count | None = None
    infusion: Count | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """One criterion of eligibility. Only a `conditional` one may be answered as not applicable."""

    id: CriterionId
    kind: Literal["inclusion", "exclusion"]
    text: Text
    conditional: bool
    reading: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Prohibited:
    """A class of medication that ends `washout_days` before day 1; found later, it flags or also holds."""

    medication_class: Code
    washout_days: Days
    effect: Literal["flag", "hold"]
    instruction: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """A questionnaire: its items, each an integer from `minimum` to `maximum`, and how a total is made.

    `scoring`: `single` takes the one item, `sum` adds all, `highest` is the largest value, `level` the number
    (from 1) of the last item that is not 0, or 0; `none` has no total.
    """

    id: Code
    name: Text
    version: Text
    items: Annotated[tuple[Code, ...], Filled()]
    minimum: Annotated[int, Between(low=-1000, high=1000)]
    maximum: Annotated[int, Between(low=-1000, high=1000)]
    recall: Text
    scoring: Literal["single", "sum", "highest", "level", "none"]
    reported_by: Literal["participant", "rater"]
    baseline_noted_above: Annotated[int, Between(low=-1000, high=100_000)] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What the study wants to find out, and the instrument that measures it."""

    id: Code
    name: Text
    instrument: Code
    rank: Literal["primary", "secondary"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """The scale by which adverse events are graded."""

    name: Text
    version: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """A deadline of safety reporting: `limit` in `unit` from the instant that `starts` names."""

    id: Code
    limit: Count
    unit: Literal["h", "d"]
    starts: Code


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

    `slots` are those of one stratum. `block_sizes` are absent from what is published.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    """The optional extension after the core study, with a consent of its own."""

    epoch: Code
    product: Code
    entry_within_days: Days
    interval_weeks: Count
    infusions_max: Count
    outcomes_every: Count
    exit_visit: bool
    own_consent: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyDefinition:
    """One version of the protocol. Times, volumes and counts carry their unit in the name."""

    format: Literal["trial-ledger-study-v1"]
    study: Annotated[str, Matches(pattern=r"[a-z0-9][a-z0-9_-]{0,63}")]
    registry_id: Text
    version: Text
    title: Text
    official_title: Text
    phase: Text
    sponsor: Text
    planned_enrolment: Count
    masking: Masking
    sites: Annotated[Mapping[str, Site], Filled()]
    products: Annotated[Mapping[str, Product], Filled()]
    arms: Annotated[tuple[Arm, ...], Filled()]
    epochs: Annotated[tuple[Epoch, ...], Filled()]
    visits: Annotated[tuple[Visit, ...], Filled()]
    screening_min_days: Days
    screening_max_days: Days
    eligibility_valid_days: Days
    infusion_minimum_gap_hours: Hours
    infusion_volume_ml: Amount
    infusion_minutes: Count
    infusion_rate_ml_h: Amount
    volume_tolerance_percent: Percent
    weight_valid_days: Days
    criteria: Annotated[tuple[Criterion, ...], Filled()]
    prohibited_medication: tuple[Prohibited, ...]
    instruments: Mapping[str, Instrument]
    outcomes: tuple[Outcome, ...]
    adverse_event_scale: Scale
    safety_clocks: Mapping[str, Clock]
    contact_attempts_required: Count
    contact_methods: Annotated[tuple[Code, ...], Filled()]
    late_entry_hours: Hours
    randomization: Randomization
    extension: Extension | None = None

    def visit(self, visit_id: str) -> Visit | None:
        """Return the visit of this id, or None where the calendar has none."""
        return next((visit for visit in self.visits if visit.id == visit_id), None)

    def infusion(self, number: int) -> Visit | None:
        """Return the visit of this infusion, counted from 1, or None."""
        return next((visit for visit in self.visits if visit.infusion == number), None)

    def arm(self, arm_id: str) -> Arm | None:
        """Return the arm of this id, or None."""
        return next((arm for arm in self.arms if arm.id == arm_id), None)

    def criterion(self, criterion_id: str) -> Criterion | None:
        """Return the criterion of this id, or None."""
        return next((criterion for criterion in self.criteria if criterion.id == criterion_id), None)

    def prohibited(self, medication_class: str) -> Prohibited | None:
        """Return what is said of a class of medication, or None where it is allowed."""
        return next(
            (row for row in self.prohibited_medication if row.medication_class == medication_class), None
        )


def load(data: bytes) -> StudyDefinition:
    """Read a definition, canonical or laid out for people.

    Raises:
        FormatError: CANONICAL for bytes that have no canonical form; else DEFINITION, and `field` is the JSON
            Pointer of the value that is unknown, missing, wrongly typed, or does not fit another.
    """
    definition = sourced.read(StudyDefinition, sourced.parse(data))
    check_coherence(definition)
    return definition


def sources(data: bytes) -> dict[str, str]:
    """Return the source of every value: JSON Pointer to `S`, `R` or `X`.

    Raises:
        FormatError: as `load`, for the form alone.
    """
    return sourced.labels(sourced.parse(data))


_SEALED: Final = (("randomization",), ("randomization", "second"))


def published(data: bytes) -> bytes:
    """Return the canonical bytes to attach to a ledger: the definition without the block sizes.

    Raises:
        FormatError: as `load`.
    """
    load(data)
    value = cast(dict[str, Any], sourced.parse(data))
    for path in _SEALED:
        node = value
        for name in path:
            node = node.get(name, {})
        node.pop("block_sizes", None)
    return canonical.encode(value)
