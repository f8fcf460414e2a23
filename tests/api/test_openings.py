"""Values of which every opening is an event: opened for a purpose, noted before, to nobody who is blinded."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import orjson
import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.openings import MAX_NAMED
from api.study import OpenStudy
from ledger.lines import encode_base64
from ledger.sealing import open_disclosure
from ledger.store.startup import Startup
from ledger.study.lists import RandomizationList
from tests.api.client import BASE, Site, bearer, config, token
from tests.ledger.small_ledger import SITE, SmallLedger, make
from tests.ledger.test_allocation import with_list
from tests.ledger.test_second_stage import on_treatment
from tests.ledger.write_path import HOUR, SOURCE, hire

ONE, TWO = f"{SITE}-001", f"{SITE}-002"
UNBLINDED = ("pharm", "umon", "safe", "dsmb", "stat")
STAFF = {
    "pharm": "unblinded_pharmacist",
    "umon": "unblinded_monitor",
    "safe": "unblinded_safety_physician",
    "dsmb": "safety_committee",
    "stat": "unblinded_statistician",
    "oncall": "on_call_unblinding",
    "sub": "sub_investigator",
    "far": "investigator",
    "rater": "blinded_rater",
    "monitor": "blinded_monitor",
    "data": "data_manager",
    "audit": "auditor",
    "insp": "inspector",
    "veiled": "inspector",
    "early": "inspector",
}
TOKENS = (
    *(token(person, role, person) for person, role in STAFF.items() if person != "far"),
    token("far", "investigator", "far", ["SD-02"]),
    token("aruiz", "investigator", "aruiz", [SITE]),
    token("bchan", "coordinator", "bchan", [SITE]),
    token("stranger", "unblinded_statistician", "stranger"),
    token("posing", "unblinded_statistician", "bchan"),
)
BLINDED = ("aruiz", "bchan", "rater", "monitor", "data", "audit", "oncall", "sub", "posing", "stranger")


@pytest.fixture(scope="module")
def lists(tmp_path_factory: pytest.TempPathFactory) -> tuple[SmallLedger, RandomizationList]:
    """Two participants on treatment, everybody who may or may not see an arm, and two inspections."""
    made = make(tmp_path_factory.mktemp("openings") / "ledger", participants=0)
    made.sources.advance(2 * HOUR)
    listed = with_list(made)
    for person, role in STAFF.items():
        if person != "sub":  # who confirms eligibility is there already
            hire(made, person, role, ["*"])
    for name in (ONE, TWO):
        on_treatment(made, name)
    for person, blinded in (("insp", False), ("veiled", True)):
        head = made.ledger.store.head()
        opened = {
            "authority": "Agency",
            "blinded": blinded,
            "inspection": f"INSP-{person}",
            "inspectors": [person],
            "root": encode_base64(head.root),
            "size": head.size,
            "sites": ["*"],
        }
        made.say(
            f"inspection {person}",
            *("admin", "sponsor_administrator", "approval"),
            "inspection.opened",
            "study",
            opened,
        )
    return made, listed


@pytest.fixture(scope="module")
def site(lists: tuple[SmallLedger, RandomizationList]) -> Iterator[Site]:
    """A client of the real application in front of that ledger."""
    made, _ = lists
    study = OpenStudy(config=replace(config(made), tokens=TOKENS), ledger=made.ledger)
    with TestClient(create_app([study])) as http:
        yield Site(http, made)
    made.ledger.close()


@pytest.fixture(scope="module")
def arms(lists: tuple[SmallLedger, RandomizationList]) -> dict[str, str]:
    """The arms that the list allocated, in the order of the requests."""
    return {name: entry.arm for name, entry in zip((ONE, TWO), lists[1].entries, strict=False)}


def size(site: Site) -> int:
    """Return how many entries the log has, without those that say that a trail left as a file."""
    store = site.made.ledger.store
    head = store.head().size
    return head - len(store.entries(0, head, types=("export.generated",)))


def last(site: Site) -> dict[str, Any]:
    """Return the newest statement."""
    store = site.made.ledger.store
    entries = store.entries(0, store.head().size)
    entry = next((each for each in reversed(entries) if each.type != "export.generated"), None)
    assert entry is not None
    statement: dict[str, Any] = orjson.loads(entry.statement)
    return statement


def randomized(site: Site, name: str = ONE) -> int:
    """Return the index of a participant's allocation."""
    entries = site.made.ledger.store.stream_entries(f"participant/{name}")
    return next(entry.index for entry in entries if entry.type == "participant.randomized")


def paths(site: Site, name: str = ONE) -> tuple[str, ...]:
    """Return addresses where an arm stands."""
    return (
        f"/participants/{name}?purpose=care",
        f"/participants/{name}/history/participant.randomized/data/arm?purpose=care",
        f"/events/{randomized(site, name)}?purpose=care",
        f"/audit-trail?participant={name}&type=participant.randomized&purpose=care",
        f"/audit-trail.csv?participant={name}&type=participant.randomized&purpose=care",
    )


def shows(answer: Any) -> set[str]:
    """Return which of the products an answer names, in JSON, in CSV or in a disclosure."""
    text = answer.text
    if answer.headers["content-type"].startswith("application/json"):
        text += "".join(str(open_disclosure(each).value) for each in answer.json().get("open", {}).values())
    return {product for product in ("ketamine", "magnesium") if product in text}


@pytest.mark.parametrize("who", UNBLINDED)
def test_who_sees_the_blind_sees_it_after_a_record_of_the_view(
    site: Site, arms: dict[str, str], who: str
) -> None:
    """The arm stands in each kind of read; who, role, why and of what was durable before the answer."""
    for path in paths(site):
        before, head = size(site), site.made.ledger.store.head().size
        answer = site.get(path, who)
        assert answer.status_code == 200
        assert shows(answer) == set(arms[ONE].split("+")), path
        assert size(site) == before + 1
        assert answer.headers["Ledger-Viewed"] == str(head)
        assert answer.headers["Ledger-Head"].split()[0] == str(head)
        viewed = last(site)
        data = viewed["data"]
        assert (viewed["type"], viewed["stream"][:7]) == ("record.viewed", "access/")
        assert (data["who"], data["role"], data["purpose"]) == (who, STAFF[who], "care")
        entry = site.made.ledger.store.entry(randomized(site))
        assert entry is not None
        assert entry.event in data["statements"]
        assert data["view"]["since"] <= entry.index
        assert "treatment" in data["view"]["opened"]


@pytest.mark.parametrize("who", [*UNBLINDED, "insp", "aruiz"])
def test_without_a_purpose_everything_stays_sealed_and_nothing_is_recorded(site: Site, who: str) -> None:
    """A read that does not say why is a read of markers."""
    before = size(site)
    for path in paths(site):
        answer = site.get(path.partition("?purpose")[0].removesuffix("&purpose=care"), who)
        assert answer.status_code == 200
        assert shows(answer) == set()
        assert "Ledger-Viewed" not in answer.headers
    assert size(site) == before


@pytest.mark.parametrize("who", BLINDED)
def test_a_blinded_reader_gets_a_marker_at_each_address(site: Site, who: str) -> None:
    """By role, for want of an unblinding, or because the log knows nobody in the role of the token."""
    for path in paths(site):
        answer = site.get(path, who)
        assert answer.status_code == 200
        assert shows(answer) == set()
    view = site.get(paths(site)[0], who)
    assert view.json()["randomizations"][0]["arm"] == {"sealed": "treatment"}
    assert all(
        "treatment" not in orjson.loads(entry.statement)["data"]["view"]["opened"]
        for entry in site.made.ledger.store.entries(0, site.made.ledger.store.head().size)
        if entry.type == "record.viewed" and orjson.loads(entry.statement)["data"].get("who") == who
    )


@pytest.mark.parametrize(("who", "code"), [("posing", "ROLE_NOT_HELD"), ("stranger", "PERSON_UNKNOWN")])
def test_a_token_alone_opens_nothing(site: Site, who: str, code: str) -> None:
    """The log has to have the person in that role; the answer says for what code the values stay sealed."""
    before = size(site)
    answer = site.get(f"/participants/{ONE}?purpose=care", who)
    assert answer.headers["Ledger-Sealed"] == code
    assert "ETag" in answer.headers
    assert size(site) == before


def test_identity_is_shown_to_the_site_alone_and_noted(site: Site) -> None:
    """The coordinator sees who somebody is, once it is recorded that they look; the monitor never."""
    path = f"/participants/{ONE}?purpose=contact"
    answer = site.get(path, "bchan")
    assert "the person behind it" in answer.text
    data = last(site)["data"]
    assert (data["who"], data["view"]["opened"], data["view"]["id"]) == ("bchan", ["identity"], ONE)
    assert "the person behind it" not in site.get(path, "umon").text
    assert "the person behind it" not in site.get(path, "monitor").text


def test_a_corrected_value_is_opened_with_its_corrections(site: Site) -> None:
    """What reads now is shown, and the view names the record and each correction that seals a part of it."""
    by = ("bchan", "coordinator", "authorship")
    stream = f"participant/{ONE}"
    opened = {"/data/age_years": 44, "/data/sex": "female", "/data/service_status": None}
    told = site.made.say(
        "demographics", *by, "demographics.recorded", stream, {"source": SOURCE}, opened=opened
    )
    corrected = site.made.say(
        "correction",
        *by,
        "correction.made",
        stream,
        {"statement": told.event, "path": "/data/age_years"},
        opened={"/data/old": 44, "/data/new": 45, "/reason/text": "misread"},
        schema=2,
        reason={"code": "transcription"},
    )
    view = site.get(f"/participants/{ONE}?purpose=contact", "bchan").json()
    assert view["demographics"][0]["data"]["age_years"] == 45
    assert {told.event, corrected.event} <= set(last(site)["data"]["statements"])
    field = f"/participants/{ONE}/history/demographics.recorded/data/age_years?purpose=contact"
    assert [step["value"] for step in site.get(field, "bchan").json()["history"]] == [44, 45]
    assert set(last(site)["data"]["statements"]) == {told.event, corrected.event}


def test_each_read_is_a_view_of_its_own_and_never_unchanged(site: Site) -> None:
    """No ETag to compare with, nothing kept by a cache: a second read is noted as the first was."""
    path = f"/participants/{ONE}?purpose=care"
    plain = site.get(f"/participants/{ONE}", "stat")
    before = size(site)
    for number in range(2):
        answer = site.get(path, "stat", **{"If-None-Match": plain.headers["ETag"]})
        assert answer.status_code == 200
        assert "ETag" not in answer.headers
        assert "no-store" in answer.headers["Cache-Control"]
        assert size(site) == before + number + 1


def test_what_shows_no_sealed_value_is_not_noted(site: Site) -> None:
    """A report without such cells opens nothing, whatever it read on the way."""
    before = size(site)
    answer = site.get("/projections/visits?purpose=care", "stat")
    assert answer.status_code == 200
    assert size(site) == before


def test_as_known_before_the_allocation_there_is_nothing_to_open(site: Site) -> None:
    """What was not known then is neither shown nor noted as opened."""
    before = size(site)
    answer = site.get(f"/participants/{ONE}?known={randomized(site) - 1}&purpose=care", "stat")
    assert answer.status_code == 200
    assert size(site) == before


def test_many_statements_are_noted_as_a_range(site: Site) -> None:
    """Beyond so many the view tells from which index on, and names none."""
    assert MAX_NAMED == 64
    for number in range(MAX_NAMED + 1):
        site.made.say(
            f"identity {number}",
            *("bchan", "coordinator", "authorship"),
            "demographics.recorded",
            f"participant/{TWO}",
            {"source": SOURCE},
            opened={"/data/age_years": 30, "/data/sex": None, "/data/service_status": None},
        )
    site.get(f"/participants/{TWO}?purpose=contact", "bchan")
    data = last(site)["data"]
    assert "statements" not in data
    assert data["view"]["since"] < data["view"]["size"]


def test_a_frozen_log_opens_nothing(site: Site) -> None:
    """What cannot be recorded is not shown: the marker stays, and the code is told."""
    ledger = site.made.ledger
    ready = ledger.startup
    ledger.startup = Startup(frozen=True, code="LOG_BEHIND_CHECKPOINT", message="behind")
    try:
        for path in paths(site):
            answer = site.get(path, "stat")
            assert shows(answer) == set()
            assert answer.headers["Ledger-Sealed"] == "LOG_BEHIND_CHECKPOINT"
        assert site.get(f"/participants/{ONE}/regimen?purpose=care", "stat").status_code == 503
    finally:
        ledger.startup = ready


def test_a_purpose_is_a_code(site: Site) -> None:
    """Anything else is refused before anything is read."""
    for purpose in ("Care", "because+I+want", "1"):
        answer = site.get(f"/participants/{ONE}?purpose={purpose}", "stat")
        assert (answer.status_code, answer.json()["field"]) == (400, "purpose")


def test_an_inspector_sees_what_the_inspection_opens_and_is_seen_by_nobody(
    site: Site, arms: dict[str, str]
) -> None:
    """Unblinded: the arm, and a view that is sealed from sponsor and site; what it holds is in `access`."""
    answer = site.get(f"/participants/{ONE}?purpose=inspection", "insp")
    assert answer.json()["randomizations"][0]["arm"] == arms[ONE]
    assert "the person behind it" in answer.text
    index = int(answer.headers["Ledger-Viewed"])
    viewed = last(site)
    assert set(viewed["data"]) == {"inspection"}
    assert {"/data/who", "/data/view", "/data/purpose"} <= viewed["sealed"].keys()
    assert site.get(f"/events/{index}", "audit").json()["open"].keys() >= {"/data/who"}
    for who in ("bchan", "aruiz", "data", "monitor"):
        assert site.get(f"/events/{index}", who).json()["withheld"] is True


def test_a_blinded_inspection_keeps_the_blind(site: Site) -> None:
    """Its inspector sees who somebody is, and no arm; without an inspection neither."""
    answer = site.get(f"/participants/{ONE}?purpose=inspection", "veiled")
    assert "the person behind it" in answer.text
    assert answer.json()["randomizations"][0]["arm"] == {"sealed": "treatment"}
    assert shows(answer) == set()
    none = site.get(f"/participants/{ONE}?purpose=inspection", "early")
    assert (none.status_code, none.json()["code"]) == (403, "INSPECTION_NOT_OPEN")


def emergency(site: Site, who: str, role: str, name: str = ONE) -> Any:
    """Prepare, sign and hand an emergency unblinding in, as a client does; return what was answered."""
    made = site.made
    allocation = made.ledger.store.entry(randomized(site, name))
    assert allocation is not None
    data = {
        "participant": name,
        "statement": allocation.event,
        "means": "ledger",
        "disclosed_to": [],
        "source": SOURCE,
    }
    made.sources.advance(1_000_000)
    action = made.people[who].complete(
        made.ledger,
        {
            "type": "unblinding.performed",
            "stream": "safety",
            "role": role,
            "meaning": "responsibility",
            "data": data,
            "reason": {"code": "overdose"},
        },
    )
    body = {"action": action, "open": {"/data/asked_by": None, "/reason/text": "found unconscious"}}
    prepared = site.http.post(f"{BASE}/statements:prepare", json=body, headers=bearer(who))
    assert prepared.status_code == 200, prepared.text
    return site.hand_in(site.sign(prepared.json(), made.people[who].key))


@pytest.mark.parametrize(("who", "role"), [("aruiz", "investigator"), ("oncall", "on_call_unblinding")])
def test_who_unblinds_is_shown_this_one_arm(site: Site, arms: dict[str, str], who: str, role: str) -> None:
    """From the signed statement to the answer over HTTP; each look is noted; every other arm stays sealed."""
    regimen = f"/participants/{ONE}/regimen?purpose=emergency"
    refused = site.get(regimen, who)
    assert (refused.status_code, refused.json()["code"]) == (403, "ARM_BLINDED")
    assert emergency(site, who, role).status_code == 201
    before = size(site)
    answer = site.get(regimen, who)
    assert (answer.json()["regimen"], answer.json()["stage"]) == (arms[ONE], 1)
    assert "no-store" in answer.headers["Cache-Control"]
    assert size(site) == before + 1
    view = site.get(f"/participants/{ONE}?purpose=emergency", who)
    assert view.json()["randomizations"][0]["arm"] == arms[ONE]
    assert "treatment" in last(site)["data"]["view"]["opened"]
    other = site.get(f"/participants/{TWO}?purpose=emergency", who)
    assert other.json()["randomizations"][0]["arm"] == {"sealed": "treatment"}
    assert site.get(f"/participants/{TWO}/regimen?purpose=emergency", who).status_code == 403
    assert site.get(f"/participants/{ONE}/regimen", who).json()["field"] == "purpose"
    sub = site.get(f"/participants/{ONE}?purpose=emergency", "sub")
    assert sub.json()["randomizations"][0]["arm"] == {"sealed": "treatment"}
    assert site.get(f"/participants/{ONE}/regimen?purpose=emergency", "sub").status_code == 403


def test_an_investigator_of_another_site_unblinds_too(site: Site, arms: dict[str, str]) -> None:
    """In an emergency of any site's participant: the regimen is told, the participant's records are not."""
    assert emergency(site, "far", "investigator", TWO).status_code == 201
    answer = site.get(f"/participants/{TWO}/regimen?purpose=emergency", "far")
    assert answer.json()["regimen"] == arms[TWO]
    assert site.get(f"/participants/{TWO}?purpose=emergency", "far").status_code == 404


def test_a_regimen_is_told_to_unblinded_roles_and_to_nobody_else(site: Site, arms: dict[str, str]) -> None:
    """By role, of participants who were allocated; others are refused alike, known or not."""
    answer = site.get(f"/participants/{TWO}/regimen.json?purpose=accountability", "pharm")
    assert answer.json()["regimen"] == arms[TWO]
    for who in ("bchan", "rater", "monitor", "data", "audit", "insp"):
        answer = site.get(f"/participants/{TWO}/regimen?purpose=care", who)
        assert (answer.status_code, answer.json()["code"]) == (403, "FORBIDDEN")
    posing = site.get(f"/participants/{TWO}/regimen?purpose=care", "posing")
    assert (posing.status_code, posing.json()["code"]) == (403, "ROLE_NOT_HELD")
    unknown = site.get("/participants/SA-01-099/regimen?purpose=care", "aruiz")
    assert (unknown.status_code, unknown.json()["code"]) == (403, "ARM_BLINDED")


def test_an_emergency_is_prepared_by_those_who_may_sign_it(site: Site) -> None:
    """An investigator learns where `safety` stands for what they sign there, and for nothing else."""
    action = site.action("adverse_event.reported", "safety", {}, role="investigator")
    for who, type_, status in (
        ("aruiz", "susar.assessed", 403),
        ("aruiz", "correction.made", 403),
        ("bchan", "unblinding.performed", 403),
    ):
        body = {"action": {**action, "type": type_}}
        answer = site.http.post(f"{BASE}/statements:prepare", json=body, headers=bearer(who))
        assert answer.status_code == status, (who, type_)


def test_what_an_event_opens_fits_its_digest(site: Site, arms: dict[str, str]) -> None:
    """The disclosure of the arm that an unblinded reader gets is the one that was committed to."""
    value = site.get(f"/events/{randomized(site)}?purpose=care", "stat").json()
    opened = value["open"]["/data/arm"]
    assert open_disclosure(opened).value == arms[ONE]
    assert base64.urlsafe_b64decode(opened + "=" * (-len(opened) % 4))


def test_a_revoked_role_opens_nothing_any_more(site: Site) -> None:
    """The token is still there; the log says that the role is not."""
    revoked = {"person": "dsmb", "role": "safety_committee"}
    site.made.say("revoked", "root", "root", "approval", "role.revoked", "person/dsmb", revoked)
    answer = site.get(f"/participants/{ONE}?purpose=care", "dsmb")
    assert answer.headers["Ledger-Sealed"] == "ROLE_NOT_HELD"
    assert shows(answer) == set()


def test_a_report_goes_page_by_page_as_known_at_the_first(site: Site) -> None:
    """The pages are the whole report once, though the log grows between them."""
    whole = site.get("/projections/visits", "audit").json()
    assert whole["count"] == len(whole["rows"]) > 20
    found: list[dict[str, Any]] = []
    path = f"{BASE}/projections/visits?limit={whole['count'] // 3}"
    pages = 0
    while path:
        answer = site.http.get(path, headers=bearer("audit"))
        found += answer.json()["rows"]
        pages += 1
        assert answer.json()["known"] == whole["known"]
        link = re.fullmatch(r'<([^>]+)>; rel="next"', answer.headers.get("Link", ""))
        path = link[1] if link else ""
        site.made.say(
            f"visit {pages}",
            *("bchan", "coordinator", "authorship"),
            "visit.started",
            f"participant/{ONE}",
            {"visit": "unscheduled", "mode": "phone", "source": SOURCE},
        )
    assert pages > 2
    assert found == whole["rows"]
    assert site.get("/projections/visits", "audit").json()["count"] > whole["count"]
