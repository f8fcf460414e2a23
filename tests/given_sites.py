"""Givens of sites and of what a study permits: amendments, suspensions, halts, hand-overs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.scenario import (
    DEFINITION,
    PROTOCOL,
    SITE,
    SOURCE,
    STAFF,
    Story,
    Told,
    form,
    irb,
    train,
)

AT_SITE = f"site/{SITE}"
AMENDED = "2.0"
OUTSIDE = {"why": "paper", "source": {"kind": "paper"}}


def amended(version: str = AMENDED) -> bytes:
    """Return a study definition of another version."""
    changed = DEFINITION.replace(
        b'"version":{"source":"X","value":"1.0"}',
        b'"version":{"source":"X","value":"%s"}' % version.encode(),
    )
    assert changed != DEFINITION
    return changed


def protocol(story: Story, version: str = PROTOCOL, data: bytes = DEFINITION, **more: Any) -> dict[str, Any]:
    """Return the data of a protocol's approval."""
    attached = story.attach(data)
    return {"version": version, "definition": attached, "irb_reference": "IRB-2", "reconsent": False, **more}


def approve(
    story: Story,
    version: str = AMENDED,
    *,
    reconsent: bool = False,
    telling: str = "",
    definition: bytes | None = None,
) -> Told:
    """Approve a further version of the protocol; `telling` is an analyte that it adds to those that tell."""
    definition = definition or amended(version)
    if telling:
        first = b'"unblinding_analytes":{"source":"X","value":['
        assert first in definition
        definition = definition.replace(first, b'%s"%s",' % (first, telling.encode()))
    data = protocol(story, version, definition, reconsent=reconsent)
    return story.given("protocol.approved", data, by="sponsor", stream="study")


def prepare(story: Story, version: str = AMENDED, lacking: str = "") -> None:
    """Give a site all that an amendment needs, except what `lacking` names."""
    begins = story.now[:10]
    if lacking != "form":
        story.given("consent_form.approved", form(version, begins), by="sponsor", stream="study")
    if lacking != "approval":
        data = {**irb(begins), "reference": "IRB-2"}
        story.given("irb_approval.recorded", data, by="ines", stream=AT_SITE)
    for person in ("ines", *STAFF):
        if lacking != "training" or person != "cora":
            train(story, person, protocol=version, date=begins)


def amendment(story: Story, version: str = AMENDED, **more: Any) -> dict[str, Any]:
    """Return the data of an amendment that is in force at once."""
    return {"site": SITE, "version": version, "from": story.now, **more}


def given_amended(story: Story, *, reconsent: bool = False, definition: bytes | None = None) -> Story:
    """An amendment in force at the site."""
    approve(story, reconsent=reconsent, definition=definition)
    prepare(story)
    story.given("amendment.activated", amendment(story), by="sponsor", stream=AT_SITE)
    return story


def measure(story: Story, sites: Sequence[str] = (SITE,), **more: Any) -> dict[str, Any]:
    """Return the data of an urgent safety measure."""
    return {"sites": list(sites), "from": story.now, "hazard": "pump_fault", "measures": ["pump_exchanged"],
            "authority": "investigator", "source": SOURCE, **more}  # fmt: skip


def step(story: Story, **more: Any) -> dict[str, Any]:
    """Return the data of a study resumed or closed, from now on."""
    return {"from": story.now, "code": "safety_signal", "authority": "sponsor", **more}


def halt(story: Story) -> Told:
    """Halt the study, from now on."""
    return story.given("study.halted", step(story, source=SOURCE), by="sponsor", stream="study")


def pause(story: Story, sites: Sequence[str] = ("*",)) -> Told:
    """Pause enrolment, from now on."""
    data = step(story, source=SOURCE, sites=list(sites))
    return story.given("enrolment.paused", data, by="sponsor", stream="study")


def suspended(story: Story, **more: Any) -> dict[str, Any]:
    """Return the data of an approval suspended by the board."""
    return {"reference": "IRB-3", "from": story.now, "code": "noncompliance", "source": SOURCE, **more}


def continuation(story: Story, *activities: str) -> dict[str, Any]:
    """Return the data of a permission to go on for a year."""
    ends = f"{int(story.now[:4]) + 1}{story.now[4:10]}"
    return {"reference": "IRB-4", "from": story.now[:10], "to": ends, "participants": 1,
            "activities": list(activities or ("treatment",)), "source": SOURCE}  # fmt: skip


def hand_over(story: Story, person: str = "iris", **more: Any) -> dict[str, Any]:
    """Return the data of a hand-over, from today on."""
    return {"site": SITE, "person": person, "from": story.now[:10], "open_items": [], "unsigned": [], **more}


def cosign(story: Story, told: Told, by: str, second: str = "approver") -> Told:
    """Cosign a statement of the site."""
    return story.when("record.cosigned", {"as": second, "statement": told.event}, by=by, stream=AT_SITE)


def given_handed_over(story: Story, person: str = "iris") -> Told:
    """A site whose new investigator has cosigned."""
    told = story.given("investigator.handed_over", hand_over(story, person), by="sponsor", stream=AT_SITE)
    assert cosign(story, told, person).codes == ()
    return told


def closing(story: Story) -> dict[str, Any]:
    """Return the data of a closing, from now on."""
    return {"from": story.now, "checklist": ["own_copy", "envelopes", "drug"]}


def receive_copy(story: Story, *, by: str = "ines", equal: bool = True) -> Told:
    """The investigator's own copy is received."""
    data = {"sha256": "ab" * 32, "size": 10, "equal": equal, "source": SOURCE}
    return story.when("certified_copy.received", data, by=by, stream=AT_SITE)
