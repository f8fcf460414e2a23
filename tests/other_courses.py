"""What happens in two invented trials: tablets in solid tumours, and a vaccine in adolescents.

The first is open label: no list, no blind, no infusion; and three sites on three continents. The second is
randomized and blinded, and gives two injections, for which the catalogue's words are those of infusions.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from ledger.actions.preparation import padded
from ledger.actions.registry import delegated_types
from tests.other_trials import Bedside, Play

KOLKATA: Final = "K7.0001-a"
MAINZ: Final = "E-000123"
ONCOLOGY_STAFF: Final[Mapping[str, tuple[str, str, str]]] = {
    "KOL": ("dr.sen", "r_basu", "bn"),
    "SJ.N": ("dr.power", "k_walsh", "en-CA"),
    "akl_3": ("dr.ngata", "m_tane", "mi"),
}
"""The investigator and the coordinator of each site, and the language of its forms."""
_PEOPLE: Final = (
    ("admin", "A. Min", "Rhine Vaccines", "sponsor_administrator"),
    ("stat", "S. Tat", "Statistics", "unblinded_statistician"),
    ("lists", "L. Holder", "List House", "list_holder"),
    ("safe", "S. Afe", "Safety Desk", "unblinded_safety_physician"),
    ("doc", "Dr. Doc", "Mainz", "investigator", "DE-MZ"),
    ("nurse", "N. Urse", "Mainz", "coordinator", "DE-MZ"),
    ("jabber", "J. Abber", "Mainz", "infusion_staff", "DE-MZ"),
    ("ph1", "P. One", "Mainz", "unblinded_pharmacist", "DE-MZ"),
    ("ph2", "P. Two", "Mainz", "unblinded_pharmacist", "DE-MZ"),
    ("ph3", "P. Three", "Mainz", "unblinded_pharmacist", "DE-MZ"),
)
SHEET: Final = {"id": "r_basu", "kind": "person", "source": "measurement sheet of 29 April"}
_PHARMACY: Final = "pharmacy/DE-MZ"
_VOLUME: Final = {"value": "0.5", "unit": "mL"}
_RATE: Final = {"value": "30", "unit": "mL/h"}


def oncology(directory: Path) -> Play:
    """Play one participant of the tablets from screening to a death in survival follow-up."""
    play = Play(directory, "oncology", "2019-02-04T08:00")
    play.admit("admin", "A. Min", "Kolam Oncology Trust", "sponsor_administrator")
    for site, (doctor, nurse, _) in ONCOLOGY_STAFF.items():
        play.admit(doctor, f"Dr. {doctor}", f"Hospital {site}", "investigator", site)
        play.admit(nurse, nurse, f"Hospital {site}", "coordinator", site)
    play.approve()
    for _, _, language in ONCOLOGY_STAFF.values():
        play.consent_form("1", language, "2019-02-01")
    for site, (doctor, nurse, _) in ONCOLOGY_STAFF.items():
        play.open_site(site, doctor, {nurse: sorted(delegated_types())})
    play.given("admin", "enrolment.opened", "study", {"cap": 12, "sites": ["*"]})
    one = play.on(KOLKATA, "KOL")
    play.at("2019-02-18T09:00", "KOL")
    _tumour_screening(one)
    one.confirm("dr.sen")
    _cycles(one)
    _survival(one)
    play.ledger.publish()
    return play


def _tumour_screening(one: Bedside) -> None:
    one.given(
        "r_basu",
        "participant.registered",
        {"participant": one.participant},
        opened={"/data/identity": "somebody"},
    )
    one.consent("r_basu", "1", "bn")
    one.given("r_basu", "visit.started", {"visit": "baseline", "mode": "in_person"})
    one.given(
        "r_basu",
        "demographics.recorded",
        {},
        opened={"/data/age_years": 61, "/data/sex": "male", "/data/service_status": None},
    )
    one.given(
        "r_basu",
        "medical_history.recorded",
        {"ongoing": True, "onset": "2017"},
        opened={"/data/term": "adenocarcinoma"},
    )
    one.given(
        "r_basu",
        "prior_therapy.recorded",
        {"class": "chemotherapy", "ongoing": False, "start": "2017-05", "end": "2018"},
        opened={"/data/term": "FOLFOX"},
    )
    one.given("r_basu", "lab_sample.collected", {"sample": "S1", "specimen": "serum", "visit": "baseline"})
    analytes = [
        {"analyte": name, "quantity": {"value": "11.2", "unit": unit}, "indicator": "normal"}
        for name, unit in (("haemoglobin", "g/dL"), ("creatinine", "umol/L"), ("alt", "U/L"))
    ]
    got = one.given(
        "r_basu",
        "lab_result.received",
        {"sample": "S1", "laboratory": "Hospital laboratory", "analytes": analytes, "visit": "baseline"},
    )
    one.given(
        "dr.sen",
        "result.reviewed",
        {"statement": got.event, "significance": "not_significant", "code": "expected"},
    )
    _tumours(one, "baseline", 42, 18)
    one.given("r_basu", "ecg.recorded", {"measurements": [], "interpretation": "normal", "visit": "baseline"})
    one.assess("r_basu", E1="not_applicable")
    one.given("r_basu", "visit.completed", {"visit": "baseline"})


def _tumours(one: Bedside, visit: str, liver: int, node: int) -> Any:
    items = [{"item": "liver_1", "value": liver}, {"item": "node_1", "value": node}]
    return one.given(
        "r_basu",
        "outcome.recorded",
        {
            "instrument": "target_lesions",
            "version": "1.1",
            "visit": visit,
            "language": "en",
            "items": items,
            "total": str(liver + node),
        },
    )


def _cycles(one: Bedside) -> None:
    """Tablets are taken at home: what was taken is a form of the trial's own."""
    play = one.play
    play.at("2019-03-04T22:30", "KOL")
    one.given("r_basu", "visit.started", {"visit": "c1", "mode": "in_person"})
    fields = [{"field": "tablets_given", "value": "56"}, {"field": "cohort", "value": "cohort_1"}]
    one.given(
        "r_basu",
        "form.recorded",
        {"form": "drug_accountability", "version": "1", "fields": fields, "visit": "c1"},
    )
    one.given("r_basu", "visit.completed", {"visit": "c1"})
    play.at("2019-04-01T00:10", "KOL")
    one.visit("r_basu", "c2")
    event = {
        "ae": "AE1",
        "onset": "2019-04-01",
        "awareness": play.now,
        "grade": 4,
        "scale": "CTCAE",
        "scale_version": "5.0",
        "serious": True,
        "criteria": ["life_threatening"],
        "causality": [{"product": "selvatinib", "relation": "related"}],
        "action": "held",
        "outcome": "not_recovered",
    }
    one.given("r_basu", "adverse_event.reported", event, opened={"/data/verbatim": "neutropenia"})
    one.given(
        "r_basu",
        "sae.reported_to_sponsor",
        {"ae": "AE1", "version": 1, "reported": play.now, "method": "portal"},
    )
    play.at("2019-04-29T10:00", "KOL")
    one.given("r_basu", "visit.started", {"visit": "c3", "mode": "in_person"})
    wrong = _tumours(one, "c3", 30, 81)
    one.given("r_basu", "visit.completed", {"visit": "c3"})
    item = {"statement": wrong.event, "path": "/data/items/1/value", "old": 81, "new": 18}
    total = {"statement": wrong.event, "path": "/data/total", "old": "111", "new": "48"}
    why: dict[str, Any] = {"reason": {"code": "transcription"}, "opened": {"/reason/text": None}}
    one.breaking(("SCORE_MISMATCH",), "r_basu", "correction.made", item, **why)
    put_right = one.given("r_basu", "correction.made", total, originator=SHEET, **why)
    one.given("dr.sen", "record.cosigned", {"as": "approver", "statement": put_right.event})
    one.given("dr.sen", "treatment.discontinued", {"date": "2019-04-29", "reason": "adverse_event"})


def _survival(one: Bedside) -> None:
    play = one.play
    play.at("2019-05-20T10:00", "KOL")
    one.visit("r_basu", "end_of_treatment")
    play.at("2019-09-02T10:00", "KOL")
    one.visit("r_basu", "survival_1", "phone")
    one.given(
        "r_basu",
        "survival_status.recorded",
        {"status": "alive", "as_of": "2019-09-02", "known_from": "participant"},
    )
    play.at("2020-09-02T10:00", "KOL")
    one.given(
        "r_basu",
        "adverse_event.followed_up",
        {
            "ae": "AE1",
            "version": 2,
            "new_information": "2020-09-02",
            "outcome": "fatal",
            "serious": True,
            "criteria": ["death"],
        },
    )
    one.given(
        "r_basu",
        "death.reported",
        {"date": "2020-08", "awareness": play.now, "code": "progression", "ae": "AE1"},
        opened={"/data/cause": "tumour"},
    )


def vaccine(directory: Path) -> Play:
    """Play one participant of the vaccine from screening to completion."""
    play = Play(directory, "vaccine", "2019-02-04T08:00")
    for person, name, organisation, role, *sites in _PEOPLE:
        play.admit(person, name, organisation, role, *sites)
    play.approve()
    for form in ("parent-2", "assent-2"):
        for language in ("de", "en"):
            play.consent_form(form, language, "2019-02-01")
    every = sorted(delegated_types())
    play.open_site("DE-MZ", "doc", dict.fromkeys(("nurse", "jabber", "ph1", "ph2", "ph3"), every))
    made = play.commit_list(("admin", "stat"), "lists")
    play.given("admin", "enrolment.opened", "study", {"cap": 60, "sites": ["*"]})
    play.given(
        "ph1",
        "shipment.received",
        _PHARMACY,
        {
            "shipment": "S1",
            "sender": "Depot",
            "condition": "intact",
            "dea_forms": [],
            "consignments": [
                {
                    "product": "menq",
                    "lot": "L1",
                    "expiry": "2020-06",
                    "quantity": {"value": "1000", "unit": "ug"},
                },
                {
                    "product": "saline",
                    "lot": "L2",
                    "expiry": "2020-06",
                    "quantity": {"value": "1000", "unit": "mg"},
                },
            ],
        },
    )
    one = play.on(MAINZ, "DE-MZ")
    play.at("2019-03-01T09:00", "DE-MZ")
    _adolescent_screening(one)
    play.at("2019-03-04T08:00", "DE-MZ")
    one.given("nurse", "randomization.requested", {"list": "main", "stage": 1, "stratum": "DE-MZ"})
    slot = play.state(MAINZ).randomizations[0].list_index
    assert slot is not None
    arm = made.entries[slot].arm
    one.given("nurse", "visit.started", {"visit": "jab_1", "mode": "in_person"})
    _injection(one, 1, arm)
    one.given("nurse", "visit.completed", {"visit": "jab_1"})
    _reactions(one)
    _booster(one, arm)
    play.ledger.publish()
    return play


def _adolescent_screening(one: Bedside) -> None:
    play = one.play
    one.given("nurse", "participant.registered", {"participant": one.participant})
    one.consent("nurse", "parent-2", "de", witness={"kind": "impartial_witness", "why": "minor"})
    one.consent("nurse", "assent-2", "de")
    one.given("nurse", "visit.started", {"visit": "v0", "mode": "in_person"})
    one.given("nurse", "demographics.recorded", {}, opened={"/data/age_years": 14, "/data/sex": "female"})
    one.given("nurse", "childbearing_potential.changed", {"potential": "yes", "code": "menarche"})
    one.given("nurse", "weight.recorded", {"weight": {"value": "50", "unit": "kg"}})
    one.assess("nurse")
    one.given("nurse", "visit.completed", {"visit": "v0"})
    play.at("2019-03-03T09:00", "DE-MZ")
    one.confirm("doc")
    one.given("nurse", "pregnancy_test.performed", {"specimen": "urine", "result": "negative"})


def _injection(one: Bedside, number: int, arm: str) -> None:
    """Order, prepare, check and give an injection; the catalogue has it as an infusion."""
    play, label = one.play, f"X{number}"
    one.given(
        "doc",
        "infusion.ordered",
        {
            "infusion": number,
            "weight": {"value": "50", "unit": "kg"},
            "weight_date": play.now,
            "instruction": "per_protocol",
            "limits": [],
        },
    )
    dose = {"label": label, "participant": one.participant, "infusion": number}
    lines = [
        {"product": product, "quantity": {"value": value, "unit": unit}, "lot": lot}
        for product, value, unit, lot in (
            ("menq", "25" if arm == "vaccine" else "0", "ug", "L1"),
            ("saline", "4.5" if arm == "placebo" else "0", "mg", "L2"),
        )
    ]
    made = play.given(
        "ph1",
        "dose.prepared",
        _PHARMACY,
        {**dose, "volume": _VOLUME, "beyond_use": play.ahead(240)},
        opened={"/data/contents": padded(lines)},
    )
    play.given("ph2", "record.cosigned", _PHARMACY, {"as": "checker", "statement": made.event})
    play.given("ph3", "record.cosigned", _PHARMACY, {"as": "witness", "statement": made.event})
    play.given("ph1", "dose.dispensed", _PHARMACY, {**dose, "statement": made.event})
    nothing = [
        {"product": product, "quantity": {"value": "0", "unit": unit}}
        for product, unit in (("menq", "ug"), ("saline", "mg"))
    ]
    wasted = play.given(
        "ph1", "dose.wasted", _PHARMACY, {**dose, "code": "none"}, opened={"/data/contents": padded(nothing)}
    )
    play.given("ph2", "record.cosigned", _PHARMACY, {"as": "witness", "statement": wasted.event})
    one.given(
        "jabber",
        "dose.received",
        {"infusion": number, "label": label, "volume": _VOLUME, "rate": _RATE, "beyond_use": play.ahead(200)},
    )
    checks = [{"check": check, "result": "passed"} for check in ("temperature", "no_allergy")]
    one.given("jabber", "preinfusion_check.passed", {"infusion": number, "vitals": [], "checks": checks})
    one.given(
        "jabber", "infusion.started", {"infusion": number, "pump": "none", "rate": _RATE, "label": label}
    )
    start = play.now
    one.given("jabber", "infusion.completed", {"infusion": number, "volume": _VOLUME})
    one.given(
        "jabber",
        "dose.administered",
        {"infusion": number, "volume": _VOLUME, "percent_given": "100", "start": start, "end": play.now},
    )


def _reactions(one: Bedside) -> None:
    play = one.play
    items = [{"item": item, "value": 1} for item in ("pain", "redness", "fever", "fatigue")]
    for day in range(4, 11):
        play.at(f"2019-03-{day:02}T20:00", "DE-MZ")
        one.given(
            "nurse",
            "diary.submitted",
            {
                "diary": "after_first",
                "instrument": "solicited",
                "version": "2",
                "due": f"2019-03-{day:02}",
                "language": "de",
                "items": items,
                "entered": play.now,
                "uploaded": play.now,
                "clock_offset_s": 0,
            },
        )
    play.at("2019-03-11T20:00", "DE-MZ")
    one.given("nurse", "contact.made", {"visit": "call_8", "mode": "phone", "with": "caregiver"})
    event = {
        "ae": "AE1",
        "onset": "2019-03-11",
        "awareness": play.now,
        "grade": 4,
        "scale": "FDA toxicity scale for vaccines",
        "scale_version": "2007",
        "serious": True,
        "criteria": ["life_threatening"],
        "action": "none",
        "outcome": "recovering",
        "causality": [
            {"product": "menq", "relation": "related"},
            {"product": "saline", "relation": "unlikely"},
        ],
    }
    one.given("nurse", "adverse_event.reported", event, opened={"/data/verbatim": "anaphylaxis"})
    told = one.given(
        "nurse",
        "sae.reported_to_sponsor",
        {"ae": "AE1", "version": 1, "reported": play.now, "method": "portal", "received": play.now},
    )
    assessed = play.given(
        "safe",
        "susar.assessed",
        "safety",
        {"statement": told.event, "determined": play.now, "clock": "susar_7"},
        opened={"/data/suspected": "suspected", "/data/expectedness": "unexpected"},
    )
    play.given(
        "safe",
        "expedited_report.submitted",
        "safety",
        {"statement": assessed.event, "to": "PEI", "kind": "initial", "submitted": play.now},
    )


def _booster(one: Bedside, arm: str) -> None:
    play = one.play
    play.at("2019-04-01T09:00", "DE-MZ")
    one.given("nurse", "pregnancy_test.performed", {"specimen": "urine", "result": "negative"})
    one.given("nurse", "visit.started", {"visit": "booster", "mode": "in_person"})
    one.given("nurse", "weight.recorded", {"weight": {"value": "50", "unit": "kg"}})
    _injection(one, 2, arm)
    one.given("nurse", "visit.completed", {"visit": "booster"})
    play.at("2019-04-29T09:00", "DE-MZ")
    one.given("nurse", "visit.started", {"visit": "bleed", "mode": "in_person"})
    one.given("nurse", "lab_sample.collected", {"sample": "SB1", "specimen": "serum", "visit": "bleed"})
    titre = {"analyte": "antibody_titre", "quantity": {"value": "64", "unit": "{titer}"}}
    one.given(
        "nurse",
        "lab_result.received",
        {"sample": "SB1", "laboratory": "Central", "analytes": []},
        opened={"/data/unblinding_results": [titre]},
    )
    one.given("nurse", "visit.completed", {"visit": "bleed"})
    one.given("nurse", "treatment.completed", {"date": "2019-04-29"})
    one.given("nurse", "participant.completed", {"date": "2019-04-29", "last_visit": "bleed"})
