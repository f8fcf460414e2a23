"""The study definition: what the protocol says, as data that rules, screens and the verifier read.

One JSON file for each protocol version, attached to `protocol.approved`. Every value in it names its source
(`ledger.study.sourced`); the dataclasses below are its format, member by member. Nothing here belongs to one
study: arms, visits, windows, criteria, instruments and clocks come from the file alone.

**Days.** Day 1 is the first infusion, in a study without infusions the visit of day 1; the day before it is
day -1, there is no day 0. A visit's window is its day with `before_days` and `after_days` around it, in
calendar days of the site's IANA zone.

**Doses.** The bedside reads volume, minutes and rate, the same in every arm; pharmacies read amounts, arm by
arm and product by product. A study without infusion visits has neither volume nor rate, and they read as 0.

**Block sizes** stay sealed until the list is opened (record-format §8), and an attachment is plain. So the
file that a sponsor keeps may name them, and `published` gives the bytes for the ledger, without them.

Left out on purpose: how pharmacies prepare, and texts of consent forms.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Final, Literal, cast

from ledger import canonical
from ledger.errors import FormatError
from ledger.study import sourced
from ledger.study.arms import Arm, Dose, Product, Randomization, Ratio, SecondStage
from ledger.study.coherence import check_coherence
from ledger.study.criteria import Check
from ledger.study.demands import (
    BlindGuess,
    ConsentVersion,
    Diary,
    EditCheck,
    Postinfusion,
    Pregnancy,
    Preinfusion,
)
from ledger.study.schedule import score, visit_window
from ledger.study.sourced import Between, Filled, Matches
from ledger.study.terms import (
    Amount,
    Code,
    Count,
    CriterionId,
    Day,
    Days,
    Hours,
    Minutes,
    Percent,
    SiteId,
    Text,
)

__all__ = [
    "Arm", "BlindGuess", "Check", "Clock", "ConsentVersion", "Criterion", "Diary", "Dose", "EditCheck",
    "Epoch", "Extension", "Instrument", "Masking", "Outcome", "Postinfusion", "Pregnancy", "Preinfusion",
    "Product", "Prohibited", "Randomization", "Ratio", "Scale", "SecondStage", "Site", "StudyDefinition",
    "Visit", "load", "published", "score", "sources", "visit_window",
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A place that takes part; `zone` is the IANA zone in which its calendar days are counted."""

    id: SiteId
    zone: Text
    name: Text


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
    treatment early, in place of the visits that they no longer have. `procedures` names what else is done
    there.
    """

    id: Code
    name: Text
    kind: Literal["screening", "infusion", "treatment", "outcome", "contact", "follow_up"]
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
    procedures: tuple[Code, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """One criterion of eligibility. Only a `conditional` one may be answered as not applicable.

    `check` says it for a machine, where one value is enough (`ledger.study.criteria`).
    """

    id: CriterionId
    kind: Literal["inclusion", "exclusion"]
    text: Text
    conditional: bool
    reading: Text | None = None
    check: Check | None = None


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

    Without items it is known by name only: what it asks stands in forms, and it has no total.

    `scoring`: `single` takes the one item, `sum` adds all, `highest` is the largest value, `level` the number
    (from 1) of the last item that is not 0, or 0; `none` has no total.
    """

    id: Code
    name: Text
    version: Text
    items: tuple[Code, ...]
    minimum: Annotated[int, Between(low=-1000, high=1000)]
    maximum: Annotated[int, Between(low=-1000, high=1000)]
    recall: Text
    scoring: Literal["single", "sum", "highest", "level", "none"]
    reported_by: Literal["participant", "rater"]
    baseline_noted_above: Annotated[int, Between(low=-1000, high=100_000)] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What the study wants to find out, and the instrument that measures it, where one does."""

    id: Code
    name: Text
    rank: Literal["primary", "secondary", "exploratory"]
    instrument: Code | None = None


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
    """One version of the protocol. Times, volumes and counts carry their unit in the name.

    The members from `infusion_minimum_gap_hours` to `weight_valid_days` belong to infusions: they are there
    exactly where the calendar has infusion visits. A study without `randomization` allocates nobody.
    """

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
    infusion_minimum_gap_hours: Hours = 0
    infusion_volume_ml: Amount = Decimal(0)
    infusion_minutes: Minutes = 0
    infusion_rate_ml_h: Amount = Decimal(0)
    volume_tolerance_percent: Percent = Decimal(0)
    weight_valid_days: Days = 0
    criteria: Annotated[tuple[Criterion, ...], Filled()]
    prohibited_medication: tuple[Prohibited, ...]
    instruments: Mapping[str, Instrument]
    outcomes: tuple[Outcome, ...]
    adverse_event_scale: Scale
    safety_clocks: Mapping[str, Clock]
    contact_attempts_required: Count
    contact_methods: Annotated[tuple[Code, ...], Filled()]
    late_entry_hours: Hours
    randomization: Randomization | None = None
    extension: Extension | None = None
    consent_versions: tuple[ConsentVersion, ...] = ()
    reconsent_within_days: Days | None = None
    command_approval: bool = False
    pregnancy: Pregnancy | None = None
    preinfusion: Preinfusion | None = None
    postinfusion: Postinfusion | None = None
    diaries: tuple[Diary, ...] = ()
    blind_guess: BlindGuess | None = None
    unblinding_analytes: tuple[Code, ...] = ()
    edit_checks: tuple[EditCheck, ...] = ()

    @property
    def infusions(self) -> int:
        """How many infusions are planned; 0 in a study without any."""
        return max((visit.infusion or 0 for visit in self.visits), default=0)

    @property
    def day1_visit(self) -> Visit | None:
        """The visit that is study day 1, from which the calendar is counted."""
        return next((v for v in self.visits if v.anchor == "day_1" and v.day == 1), None)

    def drawn(self) -> Randomization:
        """Return how participants are allocated.

        Raises:
            FormatError: code `DEFINITION`, the study is not randomized.
        """
        if self.randomization is None:
            raise FormatError(sourced.CODE, "expected a randomized study", field="/randomization")
        return self.randomization

    def visit(self, visit_id: str) -> Visit | None:
        """Return the visit of this id, or None where the calendar has none."""
        return next((visit for visit in self.visits if visit.id == visit_id), None)

    def infusion(self, number: int) -> Visit | None:
        """Return the visit of this infusion, counted from 1, or None."""
        return next((visit for visit in self.visits if visit.infusion == number), None)

    def plans_infusion(self, number: int, *, extension: bool) -> bool:
        """Tell whether an infusion is one of the calendar; the extension's own are numbered on from there."""
        if self.infusion(number) is not None:
            return True
        if not extension or self.extension is None:
            return False
        return self.infusions < number <= self.infusions + self.extension.infusions_max

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
    """Return the source of every value: JSON Pointer to `S`, `R`, `U` or `X`.

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
