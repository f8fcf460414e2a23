"""Definitions of other studies than the reference: no infusions, no list; and checks of criteria."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from importlib.resources import files
from typing import Any

import pytest

from ledger.errors import FormatError
from ledger.study.criteria import Check, Reading, contradicted, holds, readings
from ledger.study.definition import StudyDefinition, load, published

DATA = (files("ledger.study") / "definitions" / "nct06414356.json").read_bytes()
INFUSED = (
    "infusion_minimum_gap_hours", "infusion_volume_ml", "infusion_minutes", "infusion_rate_ml_h",
    "volume_tolerance_percent", "weight_valid_days", "preinfusion", "postinfusion", "randomization",
    "extension", "blind_guess", "diaries",
)  # fmt: skip
ESCORT = {
    "valid_hours": {"value": 4, "source": "X"},
    "checks": {"value": ["escort"], "source": "X"},
}
Edit = Callable[[dict[str, Any]], None]


def x(value: Any) -> dict[str, Any]:
    return {"value": value, "source": "X"}


def study(*edits: Edit, infused: bool = True) -> StudyDefinition:
    """Read the reference study, or what is left of it in a study of tablets, after some edits."""
    root = json.loads(DATA)
    if not infused:
        for name in INFUSED:
            root.pop(name)
        root["visits"] = [
            {**visit, "kind": x("treatment" if "infusion" in visit else visit["kind"]["value"])}
            for visit in root["visits"]
            if visit["anchor"]["value"] == "day_1"
        ]
        for visit in root["visits"]:
            visit.pop("infusion", None)
    for edit in edits:
        edit(root)
    return load(json.dumps(root).encode())


def test_study_without_infusions_and_without_a_list_is_a_study() -> None:
    """Tablets, one calendar from day 1, nobody allocated: what belongs to infusions is just not there."""
    tablets = study(infused=False)
    assert tablets.infusions == 0
    assert tablets.day1_visit is not None
    assert tablets.day1_visit.day == 1
    assert tablets.randomization is None
    with pytest.raises(FormatError) as raised:
        tablets.drawn()
    assert raised.value.field == "/randomization"


def test_doses_can_follow_epochs() -> None:
    """A product may say form, route and strength; a dose how often and in which epoch it is taken."""

    def daily(root: dict[str, Any]) -> None:
        root["arms"][0]["doses"][0] |= {"frequency": x("once_daily"), "epoch": x("treatment")}

    dose = study(daily, infused=False).arms[0].doses[0]
    assert (dose.frequency, dose.epoch) == ("once_daily", "treatment")
    product = study().products["ketamine"]
    assert (product.controlled, product.strength, product.strength_unit) == ("III", Decimal(50), "mg/mL")


def test_list_can_run_through_the_whole_study() -> None:
    """Stratified by site, a site is its own stratum; else all sites share one that is none of them."""
    assert study().drawn().stratum("SD-02") == "SD-02"

    def shared(root: dict[str, Any]) -> None:
        root["randomization"] |= {"stratified_by": x("study"), "strata": x(["all"])}

    assert study(shared).drawn().stratum("SD-02") == "all"


def test_what_is_published_keeps_every_new_part() -> None:
    """Publication takes away block sizes and nothing else."""
    before, after = study(), load(published(DATA))
    for name in ("consent_versions", "pregnancy", "preinfusion", "diaries", "blind_guess", "criteria"):
        assert getattr(after, name) == getattr(before, name)


@pytest.mark.parametrize(
    ("edit", "pointer", "infused"),
    [
        (lambda root: root.pop("infusion_minutes"), "/infusion_volume_ml", True),
        (lambda root: root.update(infusion_volume_ml=x("250")), "/infusion_volume_ml", False),
        (lambda root: root["visits"][3].update(anchor=x("last_infusion")), "/visits/3/anchor", False),
        (lambda root: root["visits"].pop(1), "/visits", False),
        (lambda root: root.update(preinfusion=ESCORT), "/preinfusion", False),
        (lambda root: root["diaries"][0].update(instrument=x("nobody")), "/diaries/0/instrument", True),
        (lambda root: root["randomization"].update(stratified_by=x("study")), "/randomization/strata", True),
        (lambda root: root["diaries"][0].update(first_day=x(0)), "/diaries/0", True),
        (lambda root: root["diaries"][0].update(last_day=x(-9)), "/diaries/0/last_day", True),
        (lambda root: root["blind_guess"].update(visits=x(["never"])), "/blind_guess/visits", True),
        (lambda root: root["criteria"][0]["check"].pop("high"), "/criteria/0/check/op", True),
        (lambda root: root["criteria"][0]["check"].update(low=x("71")), "/criteria/0/check/high", True),
        (lambda root: root["criteria"][3]["check"].update(unit=x("a")), "/criteria/3/check/values", True),
        (lambda root: root["arms"][0]["doses"][0].update(epoch=x("never")), "/arms/0/doses/0/epoch", True),
        (lambda root: root["instruments"][0].update(items=x([])), "/instruments/0/items", True),
    ],
)  # fmt: skip
def test_parts_that_do_not_fit_are_refused(edit: Edit, pointer: str, infused: bool) -> None:
    """Each part is refused by the pointer of the value that does not fit the others."""
    with pytest.raises(FormatError) as raised:
        study(edit, infused=infused)
    assert (raised.value.code, raised.value.field) == ("DEFINITION", pointer)


AGE = Check(field="age_years", op="between", low=Decimal(18), high=Decimal(70))


@pytest.mark.parametrize(
    ("check", "reading", "expected"),
    [
        (AGE, Reading(value=Decimal(18)), True),
        (AGE, Reading(value=Decimal(71)), False),
        (AGE, Reading(value="old"), None),
        (AGE, None, None),
        (Check(field="age_years", op="at_least", low=Decimal(50)), Reading(value=Decimal(49)), False),
        (Check(field="age_years", op="at_most", high=Decimal("9.5")), Reading(value=Decimal("9.5")), True),
        (
            Check(field="age_years", op="at_most", high=Decimal(9), unit="%"),
            Reading(value=Decimal(8), unit="mmol/mol"),
            None,
        ),
        (Check(field="age_years", op="one_of", values=("a", "b")), Reading(value="b"), True),
        (Check(field="age_years", op="one_of", values=("a", "b")), Reading(value=Decimal(1)), None),
    ],
)
def test_expression_is_true_false_or_cannot_tell(
    check: Check, reading: Reading | None, expected: bool | None
) -> None:
    """Bounds are included; a value in another unit, of another kind, or not there, tells nothing."""
    assert holds(check, {} if reading is None else {"age_years": reading}) is expected


def test_assessments_against_the_values_are_named() -> None:
    """Age 75 assessed as within 18 to 70, and pain 5 as not within 4 to 7; sealed values tell nothing."""
    values = readings("demographics.recorded", {}, {"/data/age_years": 75, "/data/sex": None})
    values |= readings("outcome.recorded", {"instrument": "pain_nrs", "total": "5"}, {})
    results = {"I01": "met", "I03": "not_met", "I04": "met", "I06": "not_applicable"}
    assert list(contradicted(study().criteria, results, values)) == ["I01", "I03"]
    assert list(contradicted(study().criteria, results, readings("demographics.recorded", {}, {}))) == []


def test_measurements_carry_their_unit() -> None:
    """A vital sign is read with its unit, and other types say nothing."""
    data = {"measurements": [{"name": "body_weight", "quantity": {"value": "80.5", "unit": "kg"}}]}
    found = readings("vital_signs.recorded", data, {})
    assert found == {"body_weight": Reading(value=Decimal("80.5"), unit="kg")}
    assert (
        readings("pregnancy_test.performed", {"result": "negative"}, {})["pregnancy_test"].value == "negative"
    )
    assert readings("visit.started", {"visit": "w1d1"}, {}) == {}
