"""Whether the values of a study definition fit one another.

Form and type of each value are settled before (`ledger.study.sourced`). Here: that a name is defined where it
is used, that numbers agree, and that the randomization can be carried out (record-format §8).
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from ledger.study.criteria import check_expression
from ledger.study.sourced import check

if TYPE_CHECKING:
    from ledger.study.definition import Ratio, StudyDefinition

MAX_ENTRIES: Final = 1 << 20  # slots times strata, record-format §8
_INFUSED: Final = "expected volume, minutes and rate exactly where there are infusion visits"


def check_coherence(definition: StudyDefinition) -> None:
    """Refuse a definition that contradicts itself.

    Raises:
        FormatError: code `DEFINITION`; `field` is the JSON Pointer of the value that does not fit.
    """
    _check_sites(definition)
    _check_arms(definition)
    _check_visits(definition)
    _check_instruments(definition)
    _check_infusion(definition)
    _check_criteria(definition)
    _check_randomization(definition)
    _check_extension(definition)
    _check_demands(definition)


def _check_sites(definition: StudyDefinition) -> None:
    for position, site in enumerate(definition.sites.values()):
        check(_is_zone(site.zone), "expected an IANA time zone", f"/sites/{position}/zone")


def _check_arms(definition: StudyDefinition) -> None:
    for position, arm in enumerate(definition.arms):
        for row, dose in enumerate(arm.doses):
            where = f"/arms/{position}/doses/{row}"
            known = dose.product in definition.products
            check(known, "expected a product of this definition", f"{where}/product")
            known = dose.epoch is None or dose.epoch in {epoch.id for epoch in definition.epochs}
            check(known, "expected an epoch of this definition", f"{where}/epoch")


def _check_visits(definition: StudyDefinition) -> None:
    epochs = {epoch.id for epoch in definition.epochs}
    infusions: list[int] = []
    for position, visit in enumerate(definition.visits):
        at = f"/visits/{position}"
        check(visit.epoch in epochs, "expected an epoch of this definition", f"{at}/epoch")
        check(
            visit.anchor == "last_infusion" or visit.day != 0,
            "expected a day, there is no day 0",
            f"{at}/day",
        )
        known = set(visit.instruments) <= set(definition.instruments)
        check(known, "expected instruments of this definition", f"{at}/instruments")
        numbered = (visit.infusion is not None) == (visit.kind == "infusion")
        check(numbered, "expected a number exactly where the visit is an infusion", f"{at}/infusion")
        if visit.infusion is not None:
            infusions.append(visit.infusion)
            check(visit.infusion == len(infusions), "expected infusions numbered from 1", f"{at}/infusion")
            anchored = visit.anchor == "day_1" and (visit.infusion != 1 or visit.day == 1)
            check(anchored, "expected infusion days from day 1 on", f"{at}/day")
        counted = visit.anchor == "day_1" or any(row.infusion is not None for row in definition.visits)
        check(counted, "expected a day from day 1 in a study without infusions", f"{at}/anchor")
    check(definition.day1_visit is not None, "expected a visit on day 1", "/visits")
    fits = definition.screening_min_days <= definition.screening_max_days
    check(fits, "expected at most the longest screening", "/screening_min_days")


def _check_instruments(definition: StudyDefinition) -> None:
    for position, instrument in enumerate(definition.instruments.values()):
        at = f"/instruments/{position}"
        check(instrument.minimum <= instrument.maximum, "expected at least the minimum", f"{at}/maximum")
        scored = bool(instrument.items) or instrument.scoring == "none"
        check(scored, "expected items where there is a total", f"{at}/items")
        one = instrument.scoring != "single" or len(instrument.items) == 1
        check(one, "expected one item where the score is that item", f"{at}/items")
    for position, outcome in enumerate(definition.outcomes):
        known = outcome.instrument is None or outcome.instrument in definition.instruments
        check(known, "expected an instrument of this definition", f"/outcomes/{position}/instrument")


def _check_infusion(definition: StudyDefinition) -> None:
    given = (definition.infusion_volume_ml, definition.infusion_minutes, definition.infusion_rate_ml_h)
    infused = definition.infusions > 0
    check(all(given) if infused else not any(given), _INFUSED, "/infusion_volume_ml")
    if not infused:
        return
    volume_ml = definition.infusion_rate_ml_h * definition.infusion_minutes / Decimal(60)
    difference_ml = abs(volume_ml - definition.infusion_volume_ml)  # a rate may be rounded: 133.3 mL/h
    tolerated_ml = definition.infusion_volume_ml * definition.volume_tolerance_percent / 100
    check(difference_ml <= tolerated_ml, "expected volume = rate x time", "/infusion_rate_ml_h")


def _check_criteria(definition: StudyDefinition) -> None:
    for position, criterion in enumerate(definition.criteria):
        if criterion.check is not None:
            check_expression(criterion.check, f"/criteria/{position}/check")


def _check_randomization(definition: StudyDefinition) -> None:
    plan = definition.randomization
    at = "/randomization"
    if plan is None:
        return
    if plan.stratified_by == "site":
        check(set(plan.strata) <= set(definition.sites), "expected sites of this definition", f"{at}/strata")
    else:
        single = len(plan.strata) == 1 and plan.strata[0] not in definition.sites
        check(single, "expected one stratum that is no site", f"{at}/strata")
    check(
        plan.slots * len(plan.strata) <= MAX_ENTRIES, f"expected at most {MAX_ENTRIES} entries", f"{at}/slots"
    )
    check(0 not in (plan.first_day, plan.last_day), "expected a day, there is no day 0", f"{at}/first_day")
    check(plan.first_day <= plan.last_day, "expected at least the first day", f"{at}/last_day")
    _check_ratios(definition, plan.arms, plan.block_sizes, at)
    if plan.second is None:
        return
    second, at = plan.second, f"{at}/second"
    check(second.list != plan.list, "expected another name than the first list's", f"{at}/list")
    first_arms = {row.arm for row in plan.arms}
    check(set(second.from_arms) <= first_arms, "expected arms of the first list", f"{at}/from_arms")
    check(definition.visit(second.visit) is not None, "expected a visit of this definition", f"{at}/visit")
    _check_ratios(definition, second.arms, second.block_sizes, at)


def _check_ratios(
    definition: StudyDefinition, ratios: tuple[Ratio, ...], sizes: Iterable[int] | None, at: str
) -> None:
    arms = {arm.id for arm in definition.arms}
    names = [row.arm for row in ratios]
    check(set(names) <= arms and len(set(names)) == len(names), "expected each arm once", f"{at}/arms")
    total = sum(row.ratio for row in ratios)
    whole = all(size % total == 0 for size in sizes or ())
    check(whole, f"expected multiples of {total}, the sum of the ratios", f"{at}/block_sizes")


def _check_extension(definition: StudyDefinition) -> None:
    extension = definition.extension
    if extension is None:
        return
    epochs = {epoch.id for epoch in definition.epochs}
    check(extension.epoch in epochs, "expected an epoch of this definition", "/extension/epoch")
    check(
        extension.product in definition.products,
        "expected a product of this definition",
        "/extension/product",
    )


def _check_demands(definition: StudyDefinition) -> None:
    for position, diary in enumerate(definition.diaries):
        at = f"/diaries/{position}"
        known = diary.instrument in definition.instruments
        check(known, "expected an instrument of this definition", f"{at}/instrument")
        check(0 not in (diary.first_day, diary.last_day), "expected a day, there is no day 0", at)
        check(diary.first_day <= diary.last_day, "expected at least the first day", f"{at}/last_day")
    guess = definition.blind_guess
    if guess is not None:
        known = all(definition.visit(visit) is not None for visit in guess.visits)
        check(known, "expected visits of this definition", "/blind_guess/visits")
    demanded = definition.infusions > 0 or (
        definition.preinfusion is None and definition.postinfusion is None
    )
    check(demanded, "expected nothing around infusions where there are none", "/preinfusion")


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, OSError, ValueError):  # an unknown name, a folder's name, a name that is a path
        return False
    return True
