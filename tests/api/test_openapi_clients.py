"""What a program that writes a client from the OpenAPI document needs of it, beside what is valid."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from api.routes.questions import QUESTIONS
from ledger.actions import all_specs, json_schema
from tests.api.client import BASE, Site
from tests.api.shapes import DOCUMENT, told

GET = {path: item["get"] for path, item in DOCUMENT["paths"].items() if "get" in item}


def schemas(value: Any) -> Iterator[dict[str, Any]]:
    """Walk through every object of the document."""
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from schemas(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from schemas(inner)


def defaults(path: str) -> dict[str, Any]:
    """Return what a client sends where it is told nothing: each default of the query."""
    return {
        each["name"]: each["schema"]["default"]
        for each in GET[path]["parameters"]
        if each["in"] == "query" and "default" in each["schema"]
    }


def test_no_list_is_described_by_a_schema_that_is_a_boolean() -> None:
    """Generators read objects there; a row's length is bounded by its limits."""
    rows = [each for each in schemas(DOCUMENT["components"]["schemas"]) if "prefixItems" in each]
    assert len(rows) >= 3
    for row in rows:
        assert row["minItems"] == row["maxItems"] == len(row["prefixItems"])
    assert [each for each in schemas(DOCUMENT) if isinstance(each.get("items"), bool)] == []


def test_a_row_is_neither_longer_nor_shorter() -> None:
    """As before: exactly its parts."""
    row = next(
        each for spec in all_specs() for each in schemas(json_schema(spec)) if each.get("prefixItems", ())
    )
    anything = {**row, "prefixItems": [{} for _ in row["prefixItems"]]}
    length = len(row["prefixItems"])
    assert told(anything, [1] * length) == []
    assert told(anything, [1] * (length + 1)) != []
    assert told(anything, [1] * (length - 1)) != []


def test_a_member_that_may_be_absent_is_no_constant_truth_value() -> None:
    """Written as the one value of an enumeration: generators write no valid code for the constant."""
    for each in schemas(DOCUMENT["components"]["schemas"]):
        for name, member in each.get("properties", {}).items():
            if isinstance(member, dict) and isinstance(member.get("const"), bool):
                assert name in each.get("required", ()), name
    marked = DOCUMENT["components"]["schemas"]["Record"]["properties"]["may_have"]
    assert told(marked, True) == []
    assert told(marked, False) != []
    assert told(marked, 1) != []


@pytest.mark.parametrize("name", sorted(QUESTIONS))
def test_a_projection_answers_a_client_that_sends_the_defaults(site: Site, name: str) -> None:
    """As one that sends nothing."""
    for twin in ("", ".json", ".csv"):
        path = f"/projections/{name}{twin}"
        sent = site.http.get(
            BASE + path,
            params=defaults(f"/v1/studies/{{study}}/projections/{{name}}{twin}"),
            headers={"Authorization": "Bearer auditor"},
        )
        assert sent.status_code == site.get(path, "auditor").status_code == 200, sent.text


def test_a_csv_has_no_default_that_is_another_lists() -> None:
    """Without a limit it has more rows than a page of JSON."""
    assert [path for path in GET if path.endswith(".csv") and "limit" in defaults(path)] == []
    assert defaults("/v1/studies/{study}/participants.json")["limit"] == 100


def test_every_operation_has_a_name_that_is_one_in_a_program_too() -> None:
    """Two names are never the same once their marks are gone; a schema's neither."""
    ids = [op["operationId"] for item in DOCUMENT["paths"].values() for op in item.values()]
    for names in (ids, list(DOCUMENT["components"]["schemas"])):
        plain = [re.sub(r"\W", "", name).lower() for name in names]
        assert len(set(plain)) == len(plain)
    assert [name for name in ids if not re.fullmatch(r"[a-z]+(-[a-z]+)*(\.[a-z]+)?", name)] == []
