"""Givens of observations, medication and safety (catalogue F, G), on top of `tests.scenario`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ledger import canonical
from tests.given_people import register
from tests.scenario import DEFINITION, STUDY, Story, Told, adverse_event, given_infused

SAFETY = "safety"
EPRO = "EPRO-17"
KG = "kg"


def defined(edit: Callable[[dict[str, Any]], None]) -> bytes:
    """Return the study definition with something edited, to be put in the place of the stories' own."""
    root = json.loads(DEFINITION)
    edit(root)
    return canonical.encode(root)


def value(of: Any) -> dict[str, Any]:
    """Return a value of a definition with its source."""
    return {"value": of, "source": "X"}


def follow(version: int = 2, ae: str = "AE-1", **more: Any) -> dict[str, Any]:
    """Return the data of a follow-up."""
    return {"ae": ae, "version": version, "new_information": "2025-02-03", **more}


def causality(relation: str = "possible") -> list[dict[str, str]]:
    """Return a judgement for each product of the protocol."""
    return [{"product": product, "relation": relation} for product in STUDY.products]


def assessed(version: int = 2, *, serious: bool = False, **more: Any) -> dict[str, Any]:
    """Return the data of the sponsor's assessment."""
    criteria = ["important_medical_event"] if serious else []
    return follow(
        version, assessor="sponsor", serious=serious, criteria=criteria, causality=causality(), **more
    )


def changed(old: bool, new: bool, assessor: str = "sponsor", **more: Any) -> dict[str, Any]:
    """Return the data of a change of seriousness."""
    criteria = ["important_medical_event"] if new else []
    return {"ae": "AE-1", "assessor": assessor, "old": old, "new": new, "criteria": criteria, **more}


def serious(**more: Any) -> dict[str, Any]:
    """Return the data of a serious adverse event."""
    return adverse_event(**{"serious": True, "criteria": ["hospitalisation"], "grade": 3, **more})


def given_event(**more: Any) -> Story:
    """An adverse event, reported after an infusion."""
    story = given_infused()
    story.given("adverse_event.reported", adverse_event(**more))
    return story


def given_serious(story: Story | None = None, **more: Any) -> tuple[Story, Told]:
    """A serious adverse event of which the site has just learned."""
    story = story or given_infused()
    return story, story.given("adverse_event.reported", serious(awareness=story.now, **more))


def to_sponsor(story: Story, ae: str = "AE-1", version: int = 1, **more: Any) -> dict[str, Any]:
    """Return the data of a report to the sponsor, made now."""
    return {"ae": ae, "version": version, "reported": story.now, "method": "portal", **more}


def given_told(story: Story | None = None) -> tuple[Story, Told]:
    """A serious adverse event that the sponsor was told of."""
    story, _ = given_serious(story)
    return story, story.given("sae.reported_to_sponsor", to_sponsor(story), by="sub")


def case_assessed(story: Story, told: Told, **more: Any) -> dict[str, Any]:
    """Return the data of an assessment for expedited reporting, settled now."""
    return {"statement": told.event, "determined": story.now, "source": {"kind": "esource"}, **more}


def expedited(assessment: Told, story: Story) -> dict[str, Any]:
    """Return the data of an expedited report, submitted now."""
    return {"statement": assessment.event, "to": "Authority", "kind": "initial", "submitted": story.now,
            "source": {"kind": "esource"}}  # fmt: skip


def death(story: Story, **more: Any) -> dict[str, Any]:
    """Return the data of a death that is heard of now."""
    return {"date": "2025-02", "awareness": story.now, "code": "accident", **more}


def pregnancy(story: Story, of: str = "participant", **more: Any) -> dict[str, Any]:
    """Return the data of a pregnancy that is heard of now."""
    return {"pregnancy": "PR-1", "of": of, "awareness": story.now, **more}


def given_diaries(story: Story | None = None) -> Story:
    """A registered device for diaries, after the first infusion."""
    story = story or given_infused()
    register(story, EPRO)
    return story


def diary(story: Story, due: str, **more: Any) -> dict[str, Any]:
    """Return the data of a weekly diary that was entered and uploaded just now."""
    row = STUDY.diaries[0]
    instrument = STUDY.instruments[row.instrument]
    items = [{"item": item, "value": instrument.minimum} for item in instrument.items]
    return {"diary": row.id, "instrument": instrument.id, "version": instrument.version, "due": due,
            "language": "en", "items": items, "entered": story.now, "uploaded": story.now,
            "clock_offset_s": 0, "device": EPRO, **more}  # fmt: skip


def alert(story: Story, **more: Any) -> dict[str, Any]:
    """Return the data of an alert of suicidality, just given to a clinician."""
    return {"basis": "questionnaire", "clinician": "ines", "alerted": story.now, **more}


def acknowledged(of: Told, story: Story) -> dict[str, Any]:
    """Return the data of an acknowledgement."""
    return {"statement": of.event, "clinician": "ines", "acknowledged": story.now, "code": "safe"}


def sample(label: str = "LS-1", **more: Any) -> dict[str, Any]:
    """Return the data of a sample."""
    return {"sample": label, "specimen": "serum", **more}


def result(*analytes: str, label: str = "LS-1") -> dict[str, Any]:
    """Return the data of results in plain."""
    rows = [{"analyte": name, "quantity": {"value": "139", "unit": "mmol/L"}} for name in analytes]
    return {"sample": label, "laboratory": "Central Laboratory", "analytes": rows}


def medication(label: str = "M1", class_: str = "analgesics", start: str = "2024") -> dict[str, Any]:
    """Return the data of a medication."""
    return {"medication": label, "class": class_, "start": start}


def stopped(stop: str, label: str = "M1") -> dict[str, Any]:
    """Return the data of a medication that is not taken any more."""
    return {"medication": label, "stop": stop, "code": "prohibited"}
