"""What a USDM study design says of arms, doses, criteria and endpoints, as members of a definition."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

from ledger.interchange.markup import code, plain, tags
from ledger.interchange.overlay import x
from ledger.interchange.tracked import Document, Node
from ledger.interchange.usdm_calendar import u

_KINDS: Final = (
    ("placebo", "placebo"), ("no intervention", "no_intervention"), ("comparator", "active_control"),
    ("control", "active_control"), ("experimental", "experimental"), ("investigational", "experimental"),
    ("treatment", "experimental"),
)  # fmt: skip
_UNITS: Final = {"Milligram": "mg", "Gram": "g", "Microgram": "ug", "Milliliter": "mL", "mg": "mg", "g": "g"}
_RANKS: Final = (("primary", "primary"), ("secondary", "secondary"))
_REF: Final = re.compile(r"<usdm:ref\s+klass=\"[^\"]*\"\s+id=\"([^\"]+)\"\s+attribute=\"([^\"]+)\"")


def arms(design: Node) -> Iterator[dict[str, Any]]:
    """Yield the arms, each with the doses that its study cells say."""
    for n, arm in enumerate(design["arms"].rows()):
        at = f"/arms/{n}"
        said = str(arm["type"]["decode"].take(f"{at}/kind") or "").lower()
        row = {
            "id": u(code(str(arm["name"].take(f"{at}/id")))),
            "label": u(arm["name"].value),
            "name": u(arm["label"].take(f"{at}/name") or arm["name"].value),
            "doses": list(_doses(design, arm, f"{at}/doses")),
        }
        kind = next((kind for word, kind in _KINDS if word in said), None)
        yield {**row, "kind": u(kind)} if kind else row


def _doses(design: Node, arm: Node, to: str) -> Iterator[dict[str, Any]]:
    """Yield the doses that study cells link to an arm, where an element has one administration alone."""
    for cell in design["studyCells"].rows():
        if cell["armId"].value != arm["id"].value:
            continue
        epoch = cell["epochId"]
        for link in cell["elementIds"].rows():
            element = link.document.by_id(link.value)
            given = element["studyInterventionIds"].rows() if element is not None else []
            for each in given:
                intervention = each.document.by_id(each.value)
                rows = intervention["administrations"].rows() if intervention is not None else []
                if intervention is None or len(rows) != 1:
                    continue
                unit = _UNITS.get(str(rows[0]["dose"]["unit"]["standardCode"]["decode"].value))
                amount = rows[0]["dose"]["value"]
                where = epoch.follow(to)
                if unit is None or not amount or where is None:
                    continue
                for used in (cell["armId"], link, each, rows[0]["dose"]["unit"]["standardCode"]["decode"]):
                    used.take(to)
                dose = {
                    "product": u(code(str(intervention["name"].value))),
                    "amount": u(_decimal(amount.take(to))),
                    "unit": u(unit),
                    "epoch": u(code(str(where["name"].value))),
                }
                how_often = rows[0]["frequency"]["standardCode"]["decode"].take(to)
                yield {**dose, "frequency": u(code(how_often))} if how_often else dose


def criteria(design: Node, document: Document) -> Iterator[dict[str, Any]]:
    """Yield the eligibility criteria, the references in their texts resolved."""
    for n, criterion in enumerate(design["eligibilityCriteria"].rows()):
        at = f"/criteria/{n}"
        item = criterion["criterionItemId"].follow(f"{at}/text")
        if item is None:
            continue
        raw = str(item["text"].take(f"{at}/text"))
        found = {tag: _tagged(document, item, tag, f"{at}/text") for tag in tags(raw)}
        resolved = {tag: _shown(node) for tag, node in found.items() if node is not None}
        category = str(criterion["category"]["decode"].take(f"{at}/kind"))
        row = {
            "id": u(re.sub(r"[^A-Z0-9]", "", str(criterion["name"].take(f"{at}/id")).upper())),
            "kind": u("inclusion" if category.startswith("Inclusion") else "exclusion"),
            "text": u(plain(raw, resolved.get)),
            "conditional": x(False),
        }
        if criterion["label"]:
            row["reading"] = u(plain(str(criterion["label"].take(f"{at}/reading"))))
        lowest = design["population"]["plannedAge"]["minValue"]["value"]
        if any(node is not None and node.pointer == lowest.pointer for node in found.values()):
            row["check"] = {
                "field": u("age_years"),
                "op": u("at_least"),
                "low": u(_decimal(lowest.take(f"{at}/check/low"))),
            }
        yield row


def _tagged(document: Document, item: Node, tag: str, to: str) -> Node | None:
    """Return the value that a text's reference names by its dictionary."""
    dictionary = item["dictionaryId"].follow(to)
    for row in dictionary["parameterMaps"].rows() if dictionary is not None else []:
        match = _REF.search(str(row["reference"].value)) if row["tag"].value == tag else None
        target = document.by_id(match[1]) if match else None
        if match and target is not None:
            for used in (row["tag"], row["reference"], target[match[2]]):
                used.take(to)
            return target[match[2]]
    return None


def _shown(node: Node) -> str:
    return _decimal(node.value) if isinstance(node.value, Decimal | int) else str(node.value)


def _decimal(value: Any) -> str:
    """Write a number without an exponent and without a fraction of zero: 50.0 is 50."""
    number = Decimal(value)
    return format(
        number.to_integral_value() if number == number.to_integral_value() else number.normalize(), "f"
    )


def outcomes(design: Node) -> Iterator[dict[str, Any]]:
    """Yield the endpoints of all objectives, in the order of the document."""
    number = 0
    for objective in design["objectives"].rows():
        for endpoint in objective["endpoints"].rows():
            at = f"/outcomes/{number}"
            number += 1
            said = str(endpoint["level"]["decode"].take(f"{at}/rank")).lower()
            yield {
                "id": u(code(str(endpoint["name"].take(f"{at}/id")))),
                "name": u(plain(str(endpoint["text"].take(f"{at}/name")))),
                "rank": u(next((rank for word, rank in _RANKS if word in said), "exploratory")),
            }
