"""What a signature over many statements covers is read before it is signed (E6(R3) 3.16.1(o))."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.fold import load_entry
from ledger.rules.signing import signed_digest
from tests.api.client import PARTICIPANT, STREAM, Site

PATH = f"/participants/{PARTICIPANT}/signing-scope"


def digest(site: Site, scope: str, of: str | None, upto: int) -> str | None:
    """Return the digest that the rule asks for."""
    entries = [load_entry(each) for each in site.made.ledger.store.stream_entries(STREAM)]
    return signed_digest(entries, scope, of, upto)


def test_a_participants_scope_is_every_statement_with_its_values(site: Site) -> None:
    """The digest is that of the rule, and each line under it has values, name, time and meaning."""
    value = site.get(PATH).json()
    assert value["sha256"] == digest(site, "participant", None, value["upto"])
    stream = [each.index for each in site.made.ledger.store.stream_entries(STREAM)]
    assert [line["index"] for line in value["lines"]] == stream
    assert (value["statements"], value["not_shown"]) == (len(stream), 0)
    for line in value["lines"]:
        assert line["who"]["name"]
        assert line["meaning"]
        assert line["recorded"]["utc"].endswith("Z")
    corrected = [each for line in value["lines"] for each in line["changes"] if each["old"] == "72"]
    assert [each["new"] for each in corrected] == ["73"]


def test_a_form_is_the_record_with_its_corrections(site: Site) -> None:
    """And no other statement; up to an index it is what was there then."""
    index = site.made.at[f"vitals {PARTICIPANT}"]
    entry = site.made.ledger.store.entry(index)
    assert entry is not None
    query = f"?scope=form&of={entry.event}"
    value = site.get(PATH + query).json()
    corrected = site.made.at[f"correction {PARTICIPANT}"]
    assert [line["index"] for line in value["lines"]] == [index, corrected]
    assert value["sha256"] == digest(site, "form", entry.event, value["upto"])
    earlier = site.get(f"{PATH}{query}&upto={corrected}").json()
    assert [line["index"] for line in earlier["lines"]] == [index]
    assert earlier["sha256"] == digest(site, "form", entry.event, corrected)


def test_an_empty_scope_has_no_digest(site: Site) -> None:
    """There is nothing to sign."""
    value = site.get(f"{PATH}?scope=visit&of=NEVER").json()
    assert (value["sha256"], value["lines"]) == (None, [])


def test_eligibility_has_every_criterion_of_the_version_in_force(site: Site) -> None:
    """In its words and order, with what was found; of who is not screened yet there is nothing to sign."""
    value = site.get(f"{PATH}?scope=eligibility").json()
    definition = site.made.ledger.fold.conduct.study.protocols[-1].definition
    assert definition is not None
    assert [(row["criterion"], row["kind"], row["text"]) for row in value["criteria"]] == [
        (each.id, each.kind, each.text) for each in definition.criteria
    ]
    assert not any(row["assessed"] or row["event"] for row in value["criteria"])
    assert (value["sha256"], value["statements"], value["lines"]) == (None, 0, [])


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("scope=other", "scope"),
        ("scope=visit", "of"),
        ("of=V1", "of"),
        ("scope=eligibility&of=I01", "of"),
        ("upto=0", "upto"),
        ("upto=x", "upto"),
    ],
)
def test_what_names_no_scope_is_refused(site: Site, query: str, field: str) -> None:
    """The problem names the parameter."""
    answer: Any = site.get(f"{PATH}?{query}")
    assert (answer.status_code, answer.json()["field"]) == (400, field)


def test_of_another_sites_participant_nothing_is_told(site: Site) -> None:
    """The answer is that for nobody."""
    assert site.get(PATH, "elsewhere").status_code == 404
