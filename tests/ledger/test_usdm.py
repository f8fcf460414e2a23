"""USDM v4 in: what a protocol says becomes a definition, what it lacks is asked for, the rest is listed."""

from __future__ import annotations

import copy
import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from ledger.cli.app import run
from ledger.errors import FormatError
from ledger.interchange.markup import code, plain
from ledger.interchange.overlay import lay_over
from ledger.interchange.usdm import read_overlay, read_usdm
from ledger.interchange.usdm_calendar import whole_days
from ledger.study.definition import load, sources
from tests.shared import SHARED

PILOT = SHARED / "data" / "usdm" / "CDISC_Pilot_Study.json"
needs_pilot = pytest.mark.skipif(not PILOT.exists(), reason=f"{PILOT.name} is not on this machine")
PILOT_OVERLAY = (files("ledger.study") / "definitions" / "cdiscpilot01.overlay.json").read_bytes()


AGE = '<usdm:ref klass="Quantity" id="Quantity_1" attribute="value"></usdm:ref>'


def term(decode: str) -> dict[str, Any]:
    return {"id": f"Code_{decode}", "code": "C1", "decode": decode, "instanceType": "Code"}


def x(value: Any) -> dict[str, Any]:
    return {"value": value, "source": "X"}


def tiny() -> dict[str, Any]:
    """A protocol of our own: two arms, two epochs, three visits, one criterion with a reference."""
    design = {
        "id": "Design_1",
        "studyPhase": {"standardCode": term("Phase II Trial")},
        "blindingSchema": {"standardCode": term("Double Blind Study")},
        "arms": [
            {"id": "Arm_1", "name": "A", "label": "Tablets", "type": term("Investigational Arm")},
            {"id": "Arm_2", "name": "B", "label": "No tablets", "type": term("Placebo Control Arm")},
        ],
        "epochs": [
            {"id": "Epoch_1", "name": "Before", "label": "Before", "type": term("Screening Epoch")},
            {"id": "Epoch_2", "name": "During", "label": "During", "type": term("Treatment Epoch")},
        ],
        "elements": [{"id": "El_1", "name": "E", "studyInterventionIds": ["Int_1"]}],
        "studyCells": [{"id": "Cell_1", "armId": "Arm_1", "epochId": "Epoch_2", "elementIds": ["El_1"]}],
        "encounters": [
            {"id": "Enc_1", "name": "V1", "label": "Visit 1", "contactModes": [term("In Person")]},
            {"id": "Enc_2", "name": "V2", "label": "Visit 2", "contactModes": [term("In Person")]},
            {"id": "Enc_3", "name": "V3", "label": "Visit 3", "contactModes": [term("Telephone Call")]},
        ],
        "activities": [
            {"id": "Act_1", "name": "Blood count", "label": "Blood count"},
            {"id": "Act_2", "name": "Scale"},
        ],
        "objectives": [
            {
                "id": "Ob_1",
                "endpoints": [
                    {"id": "End_1", "name": "E1", "text": "<p>Fewer</p>", "level": term("Primary Endpoint")}
                ],
            }
        ],
        "population": {
            "plannedEnrollmentNumber": {"value": 40.0},
            "plannedAge": {"minValue": {"id": "Quantity_1", "value": 21.0}},
        },
        "eligibilityCriteria": [
            {
                "id": "Crit_1",
                "name": "IN1",
                "category": term("Inclusion Criteria"),
                "criterionItemId": "Item_1",
            }
        ],
        "scheduleTimelines": [
            {
                "id": "Line_1",
                "mainTimeline": True,
                "instances": [
                    {"id": "I_1", "encounterId": "Enc_1", "epochId": "Epoch_1", "activityIds": ["Act_1"]},
                    {"id": "I_2", "encounterId": "Enc_2", "epochId": "Epoch_2", "activityIds": ["Act_2"]},
                    {"id": "I_3", "encounterId": "Enc_3", "epochId": "Epoch_2", "activityIds": []},
                ],
                "timings": [
                    timing("T_1", "Before", "P3D", "I_1", "I_2", "P1D", "P0D"),
                    timing("T_2", "Fixed Reference", "P1D", "I_2", "I_2", None, None),
                    timing("T_3", "After", "P2W", "I_3", "I_2", "PT12H", None),
                ],
            }
        ],
    }  # fmt: skip
    version = {
        "id": "Version_1",
        "versionIdentifier": "7",
        "titles": [{"id": "Title_1", "text": "Tablets", "type": term("Brief Study Title")}],
        "studyIdentifiers": [{"id": "Sid_1", "text": "REG-1", "scopeId": "Org_2"}],
        "organizations": [
            {
                "id": "Org_1",
                "name": "MAKER",
                "label": "Maker",
                "managedSites": [{"id": "Site_1", "name": "S1", "label": "Site One"}],
            },
            {"id": "Org_2", "name": "REG", "type": term("Study Registry")},
        ],
        "roles": [{"id": "Role_1", "name": "R", "code": term("Sponsor"), "organizationIds": ["Org_1"]}],
        "studyInterventions": [
            {
                "id": "Int_1",
                "name": "TABLET",
                "administrations": [
                    {"id": "Adm_1", "dose": {"value": 0.5, "unit": {"standardCode": term("Milligram")}},
                     "route": {"standardCode": term("Oral")},
                     "frequency": {"standardCode": term("Once Daily")}}
                ],
            }
        ],
        "eligibilityCriterionItems": [
            {
                "id": "Item_1",
                "text": '<p>At least <usdm:tag name="age"/> years &amp; well</p>',
                "dictionaryId": "Dict_1",
            }
        ],
        "dictionaries": [
            {
                "id": "Dict_1",
                "parameterMaps": [
                    {"tag": "age", "reference": AGE}
                ],
            }
        ],
        "studyDesigns": [design],
    }  # fmt: skip
    return {"usdmVersion": "4.0.0", "study": {"name": "Tiny study", "versions": [version]}}


def timing(
    name: str, kind: str, value: str, of: str, to: str, lower: str | None, upper: str | None
) -> dict[str, Any]:
    return {
        "id": name,
        "type": term(kind),
        "value": value,
        "relativeToFrom": term("Start to Start"),
        "relativeFromScheduledInstanceId": of,
        "relativeToScheduledInstanceId": to,
        "windowLower": lower,
        "windowUpper": upper,
    }


def overlay() -> dict[str, Any]:
    return {
        "usdm": {"instruments": {"Scale": "scale"}, "visits": {"Visit 3": "call"}},
        "visits": [{"id": x("call"), "before_days": x(1), "after_days": x(2)}],
        "screening_min_days": x(0),
        "screening_max_days": x(14),
        "eligibility_valid_days": x(14),
        "instruments": [
            {"id": x("scale"), "name": x("A scale"), "version": x("1"), "items": x(["one"]), "minimum": x(0),
             "maximum": x(4), "recall": x("today"), "scoring": x("single"), "reported_by": x("rater")}
        ],
        "adverse_event_scale": {"name": x("CTCAE"), "version": x("5.0")},
        "contact_attempts_required": x(3),
        "contact_methods": x(["phone"]),
        "late_entry_hours": x(72),
    }  # fmt: skip


def encoded(document: dict[str, Any]) -> bytes:
    return json.dumps(document).encode()


ZONES = {"S1": "Europe/Berlin"}


def test_protocol_becomes_a_definition() -> None:
    """Arms with linked doses, epochs, visits with windows, criteria with references: all of it loads."""
    imported = read_usdm(encoded(tiny()), overlay(), ZONES)
    assert imported.missing == ()
    data = encoded(dict(imported.definition))
    study = load(data)
    assert (study.study, study.registry_id, study.version, study.sponsor) == (
        "tiny_study",
        "REG-1",
        "7",
        "Maker",
    )
    assert (study.planned_enrolment, study.phase, study.masking.blinded) == (40, "phase ii trial", True)
    assert [(arm.id, arm.kind) for arm in study.arms] == [("a", "experimental"), ("b", "placebo")]
    (dose,) = study.arms[0].doses
    assert (dose.product, str(dose.amount), dose.unit) == ("tablet", "0.5", "mg")
    assert (dose.frequency, dose.epoch) == ("once_daily", "during")
    rows = [(v.id, v.kind, v.mode, v.day, v.before_days, v.after_days) for v in study.visits]
    assert rows == [
        ("visit_1", "screening", "in_person", -3, 1, 0),
        ("visit_2", "treatment", "in_person", 1, 0, 0),
        ("call", "contact", "phone", 15, 1, 2),
    ]
    assert (study.visits[0].procedures, study.visits[1].instruments) == (("blood_count",), ("scale",))
    (criterion,) = study.criteria
    assert criterion.text == "At least 21 years & well"
    assert criterion.check is not None
    assert (criterion.check.op, str(criterion.check.low)) == ("at_least", "21")
    assert [(row.id, row.rank) for row in study.outcomes] == [("e1", "primary")]
    assert study.sites["S1"].zone == "Europe/Berlin"
    labels = sources(data)
    assert (labels["/arms/0/id"], labels["/visits/0/day"], labels["/sites/0/zone"]) == ("U", "U", "X")


def test_what_is_missing_is_named_and_nothing_is_guessed() -> None:
    """Without overlay and zones the import names every member that has to come from elsewhere."""
    imported = read_usdm(encoded(tiny()))
    pointers = {row.pointer for row in imported.missing}
    assert {"/sites", "/late_entry_hours", "/adverse_event_scale", "/contact_methods"} <= pointers
    assert "/visits/2/after_days" in pointers
    assert "/visits/0/before_days" not in pointers


def test_what_is_not_taken_is_listed_with_its_reason() -> None:
    """A narrative, a second version, an hour's window: each is named once, by its pointer."""
    document = tiny()
    version = document["study"]["versions"][0]
    version["narrativeContentItems"] = [{"id": "N_1", "text": "words"}, {"id": "N_2", "text": "more"}]
    document["study"]["versions"].append({"versionIdentifier": "8"})
    imported = read_usdm(encoded(document), overlay(), ZONES)
    listed = {row.pointer: row for row in imported.not_taken}
    assert listed["/study/versions/0/narrativeContentItems"].values == 2
    assert "text of the protocol" in listed["/study/versions/0/narrativeContentItems"].why
    assert "/study/versions/1" in listed
    timings = "/study/versions/0/studyDesigns/0/scheduleTimelines/0/timings"
    assert "calendar days" in listed[f"{timings}/2/windowLower"].why
    assert f"{timings}/0/windowLower" not in listed
    assert sum(parts for parts, _ in imported.grouped.values()) == len(imported.not_taken)


def test_every_value_is_taken_or_listed() -> None:
    """Whatever single text is added to the document, it is in the report."""
    for path in (("study",), ("study", "versions", 0), ("study", "versions", 0, "studyDesigns", 0)):
        document = tiny()
        node: Any = document
        for part in path:
            node = node[part]
        node["somethingElse"] = "said"
        pointer = "/".join(["", *map(str, path), "somethingElse"])
        assert pointer in {row.pointer for row in read_usdm(encoded(document), overlay(), ZONES).not_taken}


def test_definition_that_contradicts_itself_is_refused() -> None:
    """What the document and the overlay say together is checked like any definition."""
    over = overlay() | {"screening_min_days": x(20)}
    with pytest.raises(FormatError) as raised:
        read_usdm(encoded(tiny()), over, ZONES)
    assert raised.value.field == "/screening_min_days"


@pytest.mark.parametrize(
    "edit", [{"usdmVersion": "3.0.0"}, {"usdmVersion": None}, {"study": {"versions": []}}]
)
def test_other_documents_are_refused(edit: dict[str, Any]) -> None:
    """Only version 4 with a design is read."""
    with pytest.raises(FormatError) as raised:
        read_usdm(encoded(tiny() | edit))
    assert raised.value.code == "USDM"


def test_bytes_that_are_no_json_are_refused() -> None:
    """A file that is not JSON has the code of the import, and none of its bytes in the message."""
    with pytest.raises(FormatError) as raised:
        read_usdm(b"PK\x03\x04 secret")
    assert (raised.value.code, "secret" in str(raised.value)) == ("USDM", False)


def test_overlay_lies_over_by_id_and_changes_nothing_else() -> None:
    """Rows are found by id, new ones appended, sourced values replaced whole; neither input changes."""
    base = {"rows": [{"id": x("a"), "n": x(1)}, {"id": x("b")}], "kept": x("k")}
    over = {"rows": [{"id": x("a"), "n": {"value": 2, "source": "U"}}, {"id": x("c")}]}
    before = copy.deepcopy((base, over))
    merged = lay_over(base, over)
    assert [row["id"]["value"] for row in merged["rows"]] == ["a", "b", "c"]
    assert (merged["rows"][0]["n"], merged["kept"]) == ({"value": 2, "source": "U"}, x("k"))
    assert (base, over) == before


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("P2W", 14),
        ("P3D", 3),
        ("P1W2D", 9),
        ("PT36H", 1),
        ("PT4H", 0),
        ("P", None),
        ("2 weeks", None),
        (None, None),
    ],
)
def test_durations_are_whole_days(text: str | None, days: int | None) -> None:
    """Weeks and days count; of hours only full days; anything else is not guessed."""
    assert whole_days(text) == days


def test_texts_become_plain() -> None:
    """Paragraphs and items become lines, entities characters, unknown references stay visible."""
    html = '<p>One &gt; <b>two</b></p><ul><li><p>a\u00ad</p></li></ul><usdm:tag name="q"/>'
    assert plain(html) == "One > two\n- a\n[q]"
    assert (code("Week 12 NPI"), code("3rd"), code("—")) == ("week_12_npi", "n_3rd", "unnamed")


def test_command_writes_definition_and_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Complete: the definition is there and loads. Incomplete: exit code 1, and no file."""
    source, over, out = tmp_path / "usdm.json", tmp_path / "overlay.json", tmp_path / "definition.json"
    source.write_bytes(encoded(tiny()))
    over.write_bytes(encoded(overlay()))
    assert run(["import", "usdm", str(source), "--out", str(out)]) == 1
    assert not out.exists()
    assert "missing /late_entry_hours" in capsys.readouterr().err
    report = tmp_path / "report.json"
    given = ["--overlay", str(over), "--site", "S1=Europe/Berlin", "--report", str(report)]
    assert run(["import", "usdm", str(source), "--out", str(out), *given]) == 0
    assert load(out.read_bytes()).study == "tiny_study"
    assert json.loads(report.read_bytes())["missing"] == []
    assert run(["import", "usdm", str(source), "--out", str(out), "--site", "S1"]) == 2


@needs_pilot
def test_real_protocol_becomes_a_usable_definition() -> None:
    """The CDISC pilot: 3 arms, 5 epochs, 16 visits, 31 criteria, 11 endpoints; all else is listed."""
    imported = read_usdm(PILOT.read_bytes(), read_overlay(PILOT_OVERLAY))
    assert imported.missing == ()
    study = load(encoded(dict(imported.definition)))
    sizes = (len(study.arms), len(study.epochs), len(study.visits), len(study.criteria), len(study.outcomes))
    assert sizes == (3, 5, 16, 31, 11)
    assert (study.infusions, study.randomization, study.planned_enrolment) == (0, None, 300)
    week8 = study.visit("week_8")
    assert week8 is not None
    assert (week8.day, week8.before_days, week8.after_days, week8.week) == (57, 3, 3, 8)
    assert "adas_cog" in week8.instruments
    assert study.criteria[2].text == "MMSE score of 10 to 23."
    assert len(imported.not_taken) > 100
    assert "data elements of forms" in imported.grouped
