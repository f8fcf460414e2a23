"""Givens of people, devices, inspections and the running of the system (catalogue A)."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from ledger.authority import EnrolledKey
from ledger.keys import load_public_key
from ledger.times import format_instant
from tests.scenario import MINUTE_US, SITE, SOURCE, Story, Told

ACCESS = "access/2025-01"
ADDRESS = "ad" * 32
ROOT = "A" * 43 + "="
STORY_KEY = "sha256:" + "00" * 32
"""The key that every statement of a story names."""
SPKI = base64.b64decode("MCowBQYDK2VwAyEAZaKAvCC59LiyMoqJw4lC4gH0nGI+H9lgOGAMmmKli08=")


def device(name: str = "MON-03", **more: Any) -> dict[str, Any]:
    """Return the data of a registration."""
    return {"clock_offset_ms": 0, "device": name, "kind": "device", "model": "Monitor",
            "use": "vital_signs", "version": "1", **more}  # fmt: skip


def register(story: Story, name: str = "MON-03", **more: Any) -> Told:
    """Register a device or system."""
    return story.given("device.registered", device(name, **more), by="sponsor", stream="study")


def login(story: Story, type_: str, who: str = "cora", **more: Any) -> Told:
    """Attest a login of a person, or what became of it."""
    data: dict[str, Any] = {"who": who, **more}
    if type_ in ("login.succeeded", "login.failed"):
        data["address_hmac"] = ADDRESS
    if type_ == "login.succeeded":
        data["components"] = ["password", "one_time_code"]
    if type_ == "login.failed":
        data.setdefault("code", "wrong_component")
    return story.when(type_, data, by="service", stream=ACCESS)


def lock(story: Story, who: str = "cora", minutes: int = 30) -> Told:
    """Lock a login for so long."""
    until = format_instant(story.now_us + minutes * MINUTE_US)
    return login(story, "login.locked", who, alerted=["sponsor"], failures=5, until=until)


def view(**more: Any) -> dict[str, Any]:
    """Return what is looked at."""
    return {"kind": "study", "size": 3, "opened": [], **more}


def inspection(story: Story, name: str = "INSP-1", **more: Any) -> dict[str, Any]:
    """Return the data of an opening, at the checkpoint that statements of a story have seen."""
    return {"authority": "Agency", "blinded": False, "inspection": name, "inspectors": ["insp"],
            "root": ROOT, "sites": ["*"], "size": 1, **more}  # fmt: skip


def given_inspection(story: Story) -> Told:
    """An inspection that is open."""
    return story.given("inspection.opened", inspection(story), by="sponsor", stream="study")


def close(story: Story, opened: str) -> Told:
    """Close an inspection."""
    data = {"statement": opened, "source": SOURCE}
    return story.when("inspection.closed", data, by="sponsor", stream="study")


def backup(story: Story, name: str = "B-1", **more: Any) -> dict[str, Any]:
    """Return the data of a backup of the log as it is."""
    return {"backup": name, "location": "vault", "sha256": "bb" * 32, "size": len(story.log) or 1,
            "stores": ["events", "data_keys"], **more}  # fmt: skip


def take(story: Story, name: str = "B-1", **more: Any) -> Told:
    """Take a backup."""
    return story.when("backup.taken", backup(story, name, **more), by="service", stream="study")


def release(story: Story, rules: int = 1, version: str = "1.0.0") -> Told:
    """Put a release to use."""
    data = {"pages_sha256": "aa" * 32, "reference": "VR-1", "rules": rules, "version": version,
            "source": SOURCE}  # fmt: skip
    return story.when("system.released", data, by="sponsor", stream="study")


def configure(story: Story, setting: str, new: str, **more: Any) -> Told:
    """Change a setting."""
    data = {"changes": [{"setting": setting, "new": new}], "reference": "CR-1", "source": SOURCE, **more}
    return story.when("configuration.changed", data, by="sponsor", stream="study")


def downtime(story: Story, begins: str | None = None) -> Told:
    """Declare a downtime at the site."""
    data = {"cause": "outage", "from": begins or story.now, "procedure": "SOP-14", "sites": [SITE],
            "source": SOURCE}  # fmt: skip
    return story.given("downtime.declared", data, by="ines", stream=f"site/{SITE}")


def compromise(story: Story, person: str, since: int) -> None:
    """Let the key that a story's statements name be a person's, and compromised since an index."""
    key = EnrolledKey(
        public=load_public_key("ed25519", SPKI, origins=(), rp_id=None),
        person=person,
        grade="client",
        since=0,
        enrolled_by=None,
        suspect_from=since,
    )
    keys: Mapping[str, EnrolledKey] = MappingProxyType({STORY_KEY: key})
    story.authority = replace(story.authority, keys=keys)


def reaffirm(story: Story, event: str, person: str, by: str = "ines") -> Told:
    """Reaffirm a suspect record of a person."""
    data = {"basis": "source_compared", "person": person, "statement": event, "source": SOURCE}
    return story.when("record.reaffirmed", data, by=by, stream=f"person/{person}")
