"""USDM v4 in: a protocol as the CDISC Unified Study Definitions Model states it becomes a study definition.

    imported = read_usdm(data, overlay, zones={"701": "America/New_York"})

Values that the document states carry the source `U`. What a definition needs and USDM does not say (time
zones, scoring of instruments, safety clocks, …) comes from an overlay in the definition's own form, usually
labelled `X`; what is missing is named, never guessed. What the document says and a definition has no member
for is listed with its JSON Pointer and the reason. Nothing of one study is in here.

One version, one design: the first of each; further ones are listed as not taken.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from typing import Any, Final

from ledger.errors import FormatError
from ledger.interchange.markup import code
from ledger.interchange.overlay import lay_over, x
from ledger.interchange.tracked import Document, Node, Unused
from ledger.interchange.usdm_calendar import epochs, u, visits
from ledger.interchange.usdm_design import arms, criteria, outcomes
from ledger.study.definition import load
from ledger.study.sourced import parse

CODE: Final = "USDM"
VERSIONS: Final = re.compile(r"4\.\d+(\.\d+)?")
MAX_BYTES: Final = 64 * 1024 * 1024

REQUIRED: Final = (
    ("screening_min_days", "shortest screening, in days"),
    ("screening_max_days", "longest screening, in days"),
    ("eligibility_valid_days", "days for which confirmed eligibility is good"),
    ("adverse_event_scale", "scale and version by which adverse events are graded"),
    ("contact_attempts_required", "attempts before a participant is lost to follow-up"),
    ("contact_methods", "ways of contact that count as an attempt"),
    ("late_entry_hours", "hours after which an entry is late"),
)
"""What every definition needs and USDM has no place for."""

_WHY: Final = (
    (r"/narrativeContent|/documentedBy|/abbreviations|/notes", "text of the protocol document, not data"),
    (r"/biomedicalConcepts|/bcSurrogates|/bcCategories|biomedicalConceptIds", "data elements of forms"),
    (r"/(estimands|analysisPopulations|indications|therapeuticAreas|businessTherapeuticAreas)",
     "statistical and therapeutic context, which no rule reads"),
    (r"/amendments", "earlier amendments: a definition is one version; ours are recorded as events"),
    (r"/scheduleTimelines/\d+/(timings|instances)/\d+/(windowLower|windowUpper|windowLabel)",
     "a window in parts of days or as a label: windows are calendar days"),
    (r"/scheduleTimelines", "a timeline without calendar days of its own, or its bookkeeping"),
    (r"/(codeSystem|codeSystemVersion|code)$", "the code behind a term that was taken by its words"),
    (r"/(nextId|previousId|scheduledAtId|documentVersionIds|studyInterventionIds)(/\d+)?$",
     "a link inside the document, which the order of rows or another link says too"),
    (r"/(environmentalSettings|transitionStartRule|transitionEndRule|dataOrigin\w*)",
     "setting, rule or origin in words, which no rule of ours can read"),
    (r"/objectives/", "an objective in words; its endpoints are taken"),
    (r"/(name|label|description|rationale|type|studyType|characteristics)$",
     "a further name, description or classification"),
    (r"/(elements|studyCells|studyInterventions|administrableProducts|medicalDevices)",
     "doses that no study cell links to an arm, or what happens inside an element"),
    (r"/population", "what the criteria say already, or the definition does not count"),
    (r"/activities|/procedures|/conditions", "details of an activity beyond its name"),
    (r"/organizations|/roles|/managedSites|Address", "an address or identifier, or a site without time zone"),
    (r"/(dateValues|studyIdentifiers|referenceIdentifiers|titles)", "a further date, identifier or title"),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A member that the definition needs and nobody gave."""

    pointer: str
    expected: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UsdmImport:
    """What came of one document.

    Attributes:
        definition: the definition as JSON with sources, complete only where nothing is `missing`.
        taken: USDM pointer to the member of the definition that it went to.
        overlaid: members that the overlay gave or replaced.
    """

    sha256: str
    usdm_version: str
    definition: Mapping[str, Any]
    taken: Mapping[str, str]
    not_taken: tuple[Unused, ...]
    missing: tuple[Missing, ...]
    overlaid: tuple[str, ...]

    @property
    def grouped(self) -> Mapping[str, tuple[int, int]]:
        """By reason: how many parts were not taken, and how many values are in them."""
        parts, values = Counter[str](), Counter[str]()
        for row in self.not_taken:
            parts[row.why] += 1
            values[row.why] += row.values
        return {why: (parts[why], values[why]) for why in sorted(parts)}

    def as_json(self) -> dict[str, Any]:
        """Return the whole report."""
        return {
            "source": {"sha256": self.sha256, "usdm_version": self.usdm_version},
            "taken": [{"pointer": pointer, "to": to} for pointer, to in sorted(self.taken.items())],
            "not_taken": [row.as_json() for row in self.not_taken],
            "missing": [{"pointer": row.pointer, "expected": row.expected} for row in self.missing],
            "overlaid": list(self.overlaid),
        }


def read_usdm(
    data: bytes, overlay: Mapping[str, Any] | None = None, zones: Mapping[str, str] | None = None
) -> UsdmImport:
    """Import a document; `overlay` is laid over, `zones` gives a time zone to sites by their name.

    Raises:
        FormatError: `USDM` for what is not a USDM v4 document; `DEFINITION` where everything is there and
            something of it does not fit.
    """
    document = Document(_parse(data))
    version, design = _design(document)
    over = dict(overlay or {})
    said = over.pop("usdm", {})
    base = _definition(version, design, document, _named(said, "instruments"), zones or {})
    _rename(base["visits"], _named(said, "visits"))
    whole = lay_over(base, over)
    missing = tuple(_missing(whole))
    if not missing:
        load(json.dumps(whole).encode())
    return UsdmImport(
        sha256=sha256(data).hexdigest(),
        usdm_version=str(document.root["usdmVersion"].value),
        definition=whole,
        taken=document.used,
        not_taken=tuple(document.unused(_why)),
        missing=missing,
        overlaid=tuple(f"/{name}" for name in over),
    )


def _parse(data: bytes) -> Any:
    if len(data) > MAX_BYTES:
        raise FormatError(CODE, f"expected at most {MAX_BYTES} bytes, got {len(data)}")
    try:
        return json.loads(data.decode("utf-8"), parse_float=Decimal)
    except (ValueError, RecursionError):
        raise FormatError(CODE, "expected one JSON document in UTF-8") from None


def _design(document: Document) -> tuple[Node, Node]:
    root = document.root
    said = root["usdmVersion"].take("")
    if not isinstance(said, str) or VERSIONS.fullmatch(said) is None:
        raise FormatError(CODE, "expected a document of USDM version 4", field="/usdmVersion")
    for name in ("systemName", "systemVersion"):
        root[name].take("")
    versions = root["study"]["versions"].rows()
    designs = versions[0]["studyDesigns"].rows() if versions else []
    if not designs:
        raise FormatError(CODE, "expected a study version with a design", field="/study/versions")
    return versions[0], designs[0]


def _named(said: Any, what: str) -> dict[str, str]:
    """Read the overlay's own member `usdm`: ids of instruments by activity, and of visits by name."""
    rows = said.get(what, {}) if isinstance(said, dict) else {}
    if not isinstance(rows, dict) or not all(isinstance(value, str) for value in rows.values()):
        raise FormatError(CODE, "expected ids by the name that the document has", field=f"/usdm/{what}")
    return dict(rows)


def _rename(rows: list[dict[str, Any]], ids: Mapping[str, str]) -> None:
    for row in rows:
        if row["name"]["value"] in ids:
            row["id"] = x(ids[row["name"]["value"]])


def _definition(
    version: Node, design: Node, document: Document, instruments: Mapping[str, str], zones: Mapping[str, str]
) -> dict[str, Any]:
    sponsor = _sponsor(version)
    definition: dict[str, Any] = {
        "format": x("trial-ledger-study-v1"),
        "study": u(code(str(document.root["study"]["name"].take("/study")))),
        "registry_id": u(_registry(version)),
        "version": u(version["versionIdentifier"].take("/version")),
        "title": u(_title(version, "Brief", "/title")),
        "official_title": u(_title(version, "Official", "/official_title")),
        "phase": u(str(design["studyPhase"]["standardCode"]["decode"].take("/phase")).lower()),
        "masking": _masking(version, design),
        "sites": list(_sites(version, zones)),
        "products": list(_products(version)),
        "arms": list(arms(design)),
        "epochs": epochs(design),
        "visits": list(visits(design, instruments)),
        "criteria": list(criteria(design, document)),
        "prohibited_medication": [],
        "instruments": [],
        "outcomes": list(outcomes(design)),
        "safety_clocks": [],
    }
    if sponsor:
        definition["sponsor"] = u(sponsor)
    planned = _planned(design["population"])
    if planned:
        definition["planned_enrolment"] = u(planned)
    return definition


def _title(version: Node, kind: str, to: str) -> Any:
    rows = version["titles"].rows()
    row = next((row for row in rows if str(row["type"]["decode"].value).startswith(kind)), None)
    row = row or (rows[0] if rows else None)
    if row is None:
        return None
    row["type"]["decode"].take(to)
    return row["text"].take(to)


def _registry(version: Node) -> Any:
    """Return the identifier that a registry gave; without one, the first."""
    rows = version["studyIdentifiers"].rows()
    for row in rows:
        scope = row.document.by_id(row["scopeId"].value)
        if scope is not None and "Registry" in str(scope["type"]["decode"].value):
            row["scopeId"].take("/registry_id")
            scope["type"]["decode"].take("/registry_id")
            return row["text"].take("/registry_id")
    return rows[0]["text"].take("/registry_id") if rows else None


def _sponsor(version: Node) -> Any:
    for role in version["roles"].rows():
        if role["code"]["decode"].value != "Sponsor":
            continue
        role["code"]["decode"].take("/sponsor")
        for link in role["organizationIds"].rows():
            organization = link.follow("/sponsor")
            if organization is not None:
                return organization["label"].take("/sponsor") or organization["name"].take("/sponsor")
    return None


def _planned(population: Node) -> int | None:
    for name in (
        "plannedEnrollmentNumber",
        "plannedEnrollmentNumberQuantity",
        "plannedEnrollmentNumberRange",
    ):
        quantity = population[name]
        for value in (quantity["value"], quantity["maxValue"]["value"]):
            if isinstance(value.value, int | Decimal):
                return int(value.take("/planned_enrolment"))
    return None


def _masking(version: Node, design: Node) -> dict[str, Any]:
    schema = design["blindingSchema"]["standardCode"]["decode"]
    said = str(schema.take("/masking/description") or "Open Label Study")
    masked = [
        str(role["label"].take("/masking/description") or role["name"].value)
        for role in version["roles"].rows()
        if role["masking"]["isMasked"].take("/masking/description")
    ]
    description = said + (f"; masked: {', '.join(masked)}" if masked else "")
    return {"blinded": u("open" not in said.lower()), "description": u(description)}


def _sites(version: Node, zones: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Yield the sites that have a time zone; USDM has none, so it is given beside the document."""
    for organization in version["organizations"].rows():
        for site in organization["managedSites"].rows():
            zone = zones.get(str(site["name"].value))
            if zone is None:
                continue
            name = site["label"].take("/sites") or site["name"].value
            identity = re.sub(r"[^A-Za-z0-9._-]", "-", str(site["name"].take("/sites")))
            yield {"id": u(identity), "zone": x(zone), "name": u(name)}


def _products(version: Node) -> Iterator[dict[str, Any]]:
    for n, intervention in enumerate(version["studyInterventions"].rows()):
        at = f"/products/{n}"
        name = intervention["label"].take(f"{at}/name") or intervention["name"].value
        product = {"id": u(code(str(intervention["name"].take(f"{at}/id")))), "name": u(name)}
        routes = {
            row["route"]["standardCode"]["decode"].take(f"{at}/route")
            for row in intervention["administrations"].rows()
        } - {None}
        if len(routes) == 1:
            product["route"] = u(code(str(routes.pop())))
        yield product


def _missing(definition: Mapping[str, Any]) -> Iterator[Missing]:
    for name, expected in REQUIRED:
        if name not in definition:
            yield Missing(pointer=f"/{name}", expected=expected)
    for name in ("sponsor", "planned_enrolment"):
        if name not in definition:
            yield Missing(pointer=f"/{name}", expected="not said by the document")
    for name in ("sites", "products", "arms", "epochs", "visits", "criteria"):
        if not definition.get(name):
            yield Missing(pointer=f"/{name}", expected="at least one; sites need a time zone")
    for n, arm in enumerate(definition["arms"]):
        if "kind" not in arm:
            yield Missing(pointer=f"/arms/{n}/kind", expected="what kind of arm it is")
    for n, visit in enumerate(definition["visits"]):
        for name in ("day", "before_days", "after_days"):
            if name not in visit:
                yield Missing(
                    pointer=f"/visits/{n}/{name}", expected=f"{name} of visit {visit['id']['value']}"
                )


def _why(pointer: str) -> str:
    return next(
        (why for pattern, why in _WHY if re.search(pattern, pointer)), "no member of a definition says it"
    )


def read_overlay(data: bytes) -> dict[str, Any]:
    """Read an overlay file; its member `usdm` may stand beside those of the definition.

    Raises:
        FormatError: not JSON under the restrictions of record-format §1, or not an object.
    """
    value = json.loads(data) if b'"usdm"' in data else parse(data)
    if not isinstance(value, dict):
        raise FormatError(CODE, "expected an object", field="--overlay")
    return value
