"""What an ODM file defines before its data: forms and items as they are met, people, places, meanings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from xml.etree.ElementTree import Element, SubElement

STUDY: Final = "S.1"
VERSION: Final = "MDV.1"
EVENT: Final = "SE.RECORDS"
LEGAL: Final = "21 CFR 11.50: the signature of the person named, in the meaning given"
_NOWHERE: Final = "L.0"


@dataclass(slots=True, kw_only=True)
class Study:
    """Collects what the data refer to, in the order in which it is met."""

    name: str
    as_of: str
    groups: dict[str, dict[str, None]] = field(default_factory=dict)
    forms: dict[str, dict[str, None]] = field(default_factory=dict)
    people: dict[tuple[str, str, str, str], str] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    meanings: dict[str, None] = field(default_factory=dict)

    def uses(self, type_: str, group: str) -> None:
        """Note that forms of a type have a group of items."""
        self.forms.setdefault(type_, {})[group] = None

    def item(self, group: str, path: str) -> str:
        """Return the OID of an item by its group and pointer."""
        oid = f"{group.replace('IG.', 'I.', 1)}{path}"
        self.groups.setdefault(group, {})[oid] = None
        return oid

    def user(self, who: Mapping[str, Any]) -> str:
        """Return the OID of a person with the name, role and organisation that were signed."""
        key = (who["id"], who["name"], who["organisation"], who["role"])
        return self.people.setdefault(key, f"U.{len(self.people) + 1}")

    def location(self, site: str | None) -> str:
        """Return the OID of a site; records of no site are of the study's own place."""
        return _NOWHERE if site is None else self.places.setdefault(site, f"L.{len(self.places) + 1}")

    def meaning(self, meaning: str) -> str:
        """Return the OID of a meaning of signatures."""
        self.meanings[meaning] = None
        return f"SD.{meaning}"


def define(study: Study) -> Iterator[Element]:
    """Yield `Study` and `AdminData`."""
    yield _study(study)
    yield _admin(study)


def _study(study: Study) -> Element:
    root = Element("Study", OID=STUDY)
    names = SubElement(root, "GlobalVariables")
    SubElement(names, "StudyName").text = study.name
    SubElement(names, "StudyDescription").text = f"Records of the study {study.name} as its ledger has them"
    SubElement(names, "ProtocolName").text = study.name
    version = SubElement(root, "MetaDataVersion", OID=VERSION, Name="forms and items of the records")
    protocol = SubElement(version, "Protocol")
    SubElement(protocol, "StudyEventRef", StudyEventOID=EVENT, OrderNumber="1", Mandatory="No")
    event = SubElement(version, "StudyEventDef", OID=EVENT, Name="all records", Repeating="No", Type="Common")
    for n, type_ in enumerate(study.forms, 1):
        SubElement(event, "FormRef", FormOID=f"F.{type_}", OrderNumber=str(n), Mandatory="No")
    for type_, groups in study.forms.items():
        form = SubElement(version, "FormDef", OID=f"F.{type_}", Name=type_, Repeating="Yes")
        for group in groups:
            SubElement(form, "ItemGroupRef", ItemGroupOID=group, Mandatory="No")
    for group, items in study.groups.items():
        defined = SubElement(version, "ItemGroupDef", OID=group, Name=group[3:], Repeating="No")
        for item in items:
            SubElement(defined, "ItemRef", ItemOID=item, Mandatory="No")
    for items in study.groups.values():
        for item in items:
            SubElement(version, "ItemDef", OID=item, Name=item[2:], DataType="text", Length="32768")
    return root


def _admin(study: Study) -> Element:
    root = Element("AdminData", StudyOID=STUDY)
    for (person, name, organisation, role), oid in study.people.items():
        user = SubElement(root, "User", OID=oid, UserType=_kind(role))
        SubElement(user, "LoginName").text = person
        SubElement(user, "DisplayName").text = f"{name} ({role})"
        SubElement(user, "FullName").text = name
        SubElement(user, "Organization").text = organisation
    for oid, name, kind in (
        (_NOWHERE, study.name, "Sponsor"),
        *((oid, site, "Site") for site, oid in study.places.items()),
    ):
        place = SubElement(root, "Location", OID=oid, Name=name, LocationType=kind)
        SubElement(
            place,
            "MetaDataVersionRef",
            StudyOID=STUDY,
            MetaDataVersionOID=VERSION,
            EffectiveDate=study.as_of[:10],
        )
    for meaning in study.meanings:
        defined = SubElement(root, "SignatureDef", OID=f"SD.{meaning}", Methodology="Digital")
        SubElement(defined, "Meaning").text = meaning
        SubElement(defined, "LegalReason").text = LEGAL
    return root


def _kind(role: str) -> str:
    if role in ("investigator", "sub_investigator"):
        return "Investigator"
    return "Sponsor" if role in ("root", "sponsor_administrator", "data_manager") else "Other"
