"""The participants' records as CDISC ODM 1.3.2: transactional, archival, with audit record and signature.

    FormData       one statement: FormOID by its type, FormRepeatKey its log index
    ItemData       one value, with AuditRecord (who, where, when recorded, why, SourceID = event hash) and
                   Signature (who, when signed, in which meaning)
    a correction   is a form of its own, and a transaction `Update` of the item that it corrects
    a voiding      in effect is a transaction `Remove` of the form that it strikes through
    a sealed value is an item without a value (`IsNull`), with the comment that it is sealed, and for whom

What stands in no participant's stream, such as approvals and delegations, has no place in ODM's clinical
data: it is in the bundle, the listing and the readable copy. Same bundle, same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from projections.copies.alone import which_logs
from projections.copies.bundled import CopySource
from projections.copies.odm_study import EVENT, STUDY, VERSION, Study, define
from projections.describe import flatten
from projections.reader import is_marker
from projections.render import text_of
from projections.timeline import timeline

NAMESPACE: Final = "http://www.cdisc.org/ns/odm/v1.3"
RECORD: Final = "IG.RECORD"
"""The group of what every record has, whatever its type."""
_GRANULARITY: Final = {"study": "AllClinicalData", "site": "SingleSite", "participant": "SingleSubject"}

Line = Mapping[str, Any]


def to_odm(source: CopySource, lines: Iterable[Line], study: str) -> bytes:
    """Write the records of participants among the lines, in the order of the log."""
    wanted = [line for line in lines if line["participant"] is not None]
    known = Study(name=study, as_of=source.as_of)
    data = Element("ClinicalData", StudyOID=STUDY, MetaDataVersionOID=VERSION)
    voiding = _voiding(source, {line["participant"] for line in wanted})
    subjects: set[str] = set()
    for line in wanted:
        kind = "Context" if line["participant"] in subjects else "Insert"
        subjects.add(line["participant"])
        _statement(_event(data, line, kind, known), line, known)
        for change in line["changes"]:
            if change.get("of") is not None:
                _update(_event(data, line, "Context", known), line, change, known)
        if line["index"] in voiding and line["about"] is not None:
            _remove(_event(data, line, "Context", known), line, known)
    root = Element(
        "ODM",
        xmlns=NAMESPACE,
        ODMVersion="1.3.2",
        FileType="Transactional",
        Archival="Yes",
        Granularity=_GRANULARITY[source.scope.kind],
        FileOID=f"{source.ledger_id}.{source.checkpoint.size}.{source.scope}",
        CreationDateTime=source.as_of,
        AsOfDateTime=source.as_of,
        SourceSystem="trial-ledger",
        Originator=source.checkpoint.origin,
        Description=f"certified copy of {source.scope} as the role {source.role} sees it. "
        f"{which_logs(source)}",
    )
    for part in define(known):
        root.append(part)
    root.append(data)
    ElementTree.indent(root, " ")
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _voiding(source: CopySource, participants: Iterable[str]) -> set[int]:
    """Return the indexes of the voidings that are in effect."""
    found: set[int] = set()
    for name in participants:
        shown = timeline(source.reads, name, reader=source.reader()) or []
        found.update(line["voided_by"] for line in shown if "voided_by" in line)
    return found


def _event(data: Element, line: Line, kind: str, known: Study) -> Element:
    subject = SubElement(data, "SubjectData", SubjectKey=line["participant"], TransactionType=kind)
    SubElement(subject, "SiteRef", LocationOID=known.location(line["site"]))
    return SubElement(subject, "StudyEventData", StudyEventOID=EVENT, TransactionType=kind)


def _form(event: Element, type_: str, index: int, kind: str) -> Element:
    return SubElement(event, "FormData", FormOID=f"F.{type_}", FormRepeatKey=str(index), TransactionType=kind)


def _statement(event: Element, line: Line, known: Study) -> None:
    """Write a statement: what every record has, then its values."""
    type_ = line["type"]
    form = _form(event, type_, line["index"], "Insert")
    _signed(form, line, known)
    group = SubElement(form, "ItemGroupData", ItemGroupOID=RECORD, TransactionType="Insert")
    known.uses(type_, RECORD)
    for name, value in (
        ("occurred_at", line["occurred"]["text"]),
        ("protocol", line["protocol"]),
        ("originator", line["originator"]),
        ("description", line["what"]),
    ):
        if value is not None:
            _item(group, f"/{name}", RECORD, value, "Insert", line, known)
    if line["changes"]:
        oid = f"IG.{type_}"
        known.uses(type_, oid)
        group = SubElement(form, "ItemGroupData", ItemGroupOID=oid, TransactionType="Insert")
        for path, value in _values(line):
            _item(group, path, oid, value, "Insert", line, known)


def _values(line: Line) -> Iterable[tuple[str, Any]]:
    """Yield the values of a statement as it was signed; a correction's are its path, old and new."""
    for change in line["changes"]:
        if "of" in change:
            yield from (
                ("/data/path", change["field"]),
                ("/data/old", change["old"]),
                ("/data/new", change["new"]),
            )
        else:
            yield change["field"], change["new"]


def _update(event: Element, line: Line, change: Mapping[str, Any], known: Study) -> None:
    of, path = change["of"], change["field"]
    oid = f"IG.{of['type']}" if path.startswith("/data/") else RECORD
    known.uses(of["type"], oid)
    form = _form(event, of["type"], of["index"], "Context")
    group = SubElement(form, "ItemGroupData", ItemGroupOID=oid, TransactionType="Context")
    marker = is_marker(change["new"])
    for place, value in [(path, change["new"])] if marker else flatten(path, change["new"]):
        _item(group, place, oid, value, "Update", line, known)


def _remove(event: Element, line: Line, known: Study) -> None:
    about = line["about"]
    known.uses(about["type"], RECORD)
    _signed(_form(event, about["type"], about["index"], "Remove"), line, known)


def _item(group: Element, path: str, of: str, value: Any, kind: str, line: Line, known: Study) -> None:
    """Write one value with who recorded and who signed it."""
    item = SubElement(group, "ItemData", ItemOID=known.item(of, path), TransactionType=kind)
    closed = is_marker(value)
    if value is None or closed:
        item.set("IsNull", "Yes")
    else:
        item.set("Value", text_of(value))
    _signed(item, line, known)
    if closed:
        note = SubElement(item, "Annotation", SeqNum="1")
        SubElement(note, "Comment").text = text_of(value).strip("[]")


def _signed(element: Element, line: Line, known: Study) -> None:
    """Write who recorded it, where, when and why, and the signature under it (21 CFR 11.50)."""
    audit = SubElement(element, "AuditRecord")
    user, location = known.user(line["who"]), known.location(line["site"])
    SubElement(audit, "UserRef", UserOID=user)
    SubElement(audit, "LocationRef", LocationOID=location)
    SubElement(audit, "DateTimeStamp").text = line["recorded"]["utc"]
    reason = line["reason"]
    if reason is not None:
        text = text_of(reason["text"])
        SubElement(audit, "ReasonForChange").text = f"{reason['code']}: {text}" if text else reason["code"]
    SubElement(audit, "SourceID").text = line["event"]
    signature = SubElement(element, "Signature")
    SubElement(signature, "UserRef", UserOID=user)
    SubElement(signature, "LocationRef", LocationOID=location)
    SubElement(signature, "SignatureRef", SignatureOID=known.meaning(line["meaning"]))
    SubElement(signature, "DateTimeStamp").text = line["signed_at"]
