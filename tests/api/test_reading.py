"""Reading: views with their twins, pages and ETags, and that nobody sees more than their role and sites."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import re
import zipfile
from typing import Any

import orjson
import pytest

from api.app import create_app, drain
from ledger.checkpoint import check_published, parse_body
from ledger.errors import FormatError
from ledger.leaf import parse_leaf
from ledger.lines import encode_base64
from ledger.merkle import leaf_hash, tree_root
from ledger.note import parse_note
from ledger.proof import check_receipt
from ledger.statement import class_of
from ledger.tiles import decode_entries
from tests.api.client import PARTICIPANT, STREAM, Site, bearer, open_study
from tests.ledger.small_ledger import SITE

TWINS = (
    ("/participants", True),
    (f"/participants/{PARTICIPANT}", False),
    (f"/participants/{PARTICIPANT}/timeline", True),
    (f"/participants/{PARTICIPANT}/history/vital_signs.recorded/data/measurements", True),
    ("/audit-trail", True),
    ("/projections/enrolment", True),
    ("/projections/breaches", True),
    ("/events/3", False),
)

UNSET = "0001-01-01T00:00:00+02:00"
"""What a device sends whose time was never set: with its offset, before the calendar begins."""


@pytest.mark.parametrize("text", [UNSET, "0001-01-01", "0001"])
def test_the_first_day_that_there_is_keeps_nothing_from_being_read(own_site: Site, text: str) -> None:
    """A fact with such a time is recorded, and the pages that show it show it as it was written."""
    answer = own_site.hand_in(own_site.vitals(occurred_at=text))
    assert answer.status_code == 201
    assert "LATE_ENTRY" in answer.json()["breaches"]
    index, participant = answer.json()["index"], f"/participants/{PARTICIPANT}"
    views = ("/audit-trail", f"{participant}/timeline", f"/events/{index}", f"{participant}/signing-scope")
    for path in views:
        shown = own_site.get(path, "auditor")
        assert (path, shown.status_code) == (path, 200)
        assert own_site.get(f"{path}.html", "auditor").status_code == 200
    occurred = own_site.get(f"/events/{index}", "auditor").json()["occurred"]
    assert occurred["text"] == text
    assert occurred["utc"].startswith("0001-01-01T0")
    assert occurred["local"].startswith("0001-01-01T00:00:00")


@pytest.mark.parametrize(("path", "has_csv"), TWINS)
def test_every_answer_has_its_twins_and_its_head(site: Site, path: str, has_csv: bool) -> None:
    """JSON by both addresses is the same; lists have a CSV whose rows all have the columns of its header."""
    plain, twin = site.get(path, "auditor"), site.get(f"{path}.json", "auditor")
    assert plain.status_code == twin.status_code == 200
    assert plain.json() == twin.json()
    head = site.made.ledger.store.head()
    assert plain.headers["Ledger-Head"] == f"{head.size} {encode_base64(head.root)}"
    assert twin.headers["Ledger-Head"] == plain.headers["Ledger-Head"]
    table = site.get(f"{path}.csv", "auditor")
    if not has_csv:
        assert table.status_code == 404
        return
    assert int(table.headers["Ledger-Head"].split()[0]) >= head.size
    assert table.headers["content-type"].startswith("text/csv")
    header, *rows = csv.reader(io.StringIO(table.text))
    assert rows
    assert all(len(row) == len(header) for row in rows)


@pytest.mark.parametrize("path", [path for path, _ in TWINS])
def test_an_answer_that_did_not_change_is_not_sent_again(site: Site, path: str) -> None:
    """If-None-Match with the ETag gives 304; another reader's answer is never taken for one's own."""
    first = site.get(path, "auditor")
    again = site.get(path, "auditor", **{"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304
    assert again.content == b""
    assert again.headers["ETag"] == first.headers["ETag"]
    assert first.headers["Vary"] == "Authorization, Cookie, Ledger-Role"
    assert "private" in first.headers["Cache-Control"]
    other = site.get(path, "auditor", **{"If-None-Match": 'W/"0", "nonsense"'})
    assert other.status_code == 200


@pytest.mark.parametrize("path", [path for path, _ in TWINS])
@pytest.mark.parametrize("twin", ["", ".html"])
def test_a_tag_is_good_for_its_own_reader_alone(site: Site, path: str, twin: str) -> None:
    """A browser asks for its next user with the tags of the last one, and would show that one's answer."""
    tag = site.get(path + twin, "auditor").headers["ETag"]
    for who in ("coordinator", "rater", "monitor"):
        other = site.get(path + twin, who, **{"If-None-Match": f"{tag}, {tag.removeprefix('W/')}"})
        assert other.status_code != 304
        assert other.headers.get("ETag") != tag
    for same in (tag, tag.removeprefix("W/"), f'"x", {tag}'):
        assert site.get(path + twin, "auditor", **{"If-None-Match": same}).status_code == 304


def test_another_release_has_tags_of_its_own(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """After an upgrade no browser goes on showing what the release before made of the same entries."""
    tag = {"If-None-Match": site.get("/participants", "auditor").headers["ETag"]}
    assert site.get("/participants", "auditor", **tag).status_code == 304
    monkeypatch.setattr("api.answers._RELEASE", "9.9")
    assert site.get("/participants", "auditor", **tag).status_code == 200


@pytest.mark.parametrize("path", ["/participants", "/events/5/proof", "/events/5/proof.json", "/checkpoint"])
def test_whatever_there_is_need_not_be_sent(site: Site, path: str) -> None:
    """`If-None-Match: *` is of who has any answer (RFC 9110 §13.1.2); receipts and checkpoints have tags."""
    site.made.publish()
    first = site.get(path, "auditor")
    assert first.headers["ETag"].startswith('W/"')
    for tag in ("*", first.headers["ETag"]):
        again = site.get(path, "auditor", **{"If-None-Match": tag})
        assert (again.status_code, again.content) == (304, b"")
    assert site.get(path, "auditor", **{"If-None-Match": 'W/"999999"'}).content == first.content


def test_a_newer_checkpoint_is_sent(own_site: Site) -> None:
    """Who polls by the tag gets the next one as soon as it is there."""
    own_site.made.publish()
    first = own_site.get("/checkpoint", "auditor")
    own_site.hand_in(own_site.vitals())
    own_site.made.publish()
    again = own_site.get("/checkpoint", "auditor", **{"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 200
    assert again.headers["ETag"] != first.headers["ETag"]


def test_an_etag_changes_with_the_answer_and_not_with_the_log(site: Site) -> None:
    """A record of one participant changes that one's ETag, and not another's."""
    paths = [f"/participants/{PARTICIPANT}", "/participants/SA-01-002"]
    before = [site.get(path).headers["ETag"] for path in paths]
    assert site.hand_in(site.vitals()).status_code == 201
    after = [site.get(path).headers["ETag"] for path in paths]
    assert after[0] != before[0]
    assert after[1] == before[1]


def test_a_full_page_that_was_the_last_is_sent_again_when_it_no_longer_is(own_site: Site) -> None:
    """Who kept it would never learn that there are more."""
    of = f"/audit-trail?participant={PARTICIPANT}"
    count = len(own_site.get(of).json()["lines"])
    first = own_site.get(f"{of}&limit={count}")
    assert first.json()["next"] is None
    own_site.hand_in(own_site.vitals())
    again = own_site.get(f"{of}&limit={count}", **{"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 200
    assert again.json()["lines"] == first.json()["lines"]
    assert again.json()["next"] is not None
    own_site.hand_in(own_site.vitals())
    third = own_site.get(f"{of}&limit={count}", **{"If-None-Match": again.headers["ETag"]})
    assert third.status_code == 304


def test_there_is_a_next_page_where_a_line_is_on_it(own_site: Site) -> None:
    """Not for a record that the reader does not see, nor for one that no filter asked for."""
    of = f"/audit-trail?participant={PARTICIPANT}"
    own_site.hand_in(own_site.vitals())
    actor = own_site.get(f"{of}&type=participant.registered").json()["lines"][0]["who"]["id"]
    asked = f"/audit-trail?actor={actor}&type=participant.registered&participant={PARTICIPANT}"
    assert own_site.get(f"{asked}&limit=1").json()["next"] is None
    field = f"{of}&field=/data/participant&limit=1"
    assert own_site.get(field).json()["next"] is None
    assert "next" not in own_site.get(field).links


def test_a_list_goes_page_by_page(site: Site) -> None:
    """The pages that Link leads to are the whole list, once."""
    found: list[str] = []
    path = "/v1/studies/small/participants?limit=1"
    while path:
        answer = site.http.get(path, headers=bearer("auditor"))
        found += [row["participant"] for row in answer.json()["participants"]]
        link = re.fullmatch(r'<([^>]+)>; rel="next"', answer.headers.get("Link", ""))
        path = link[1] if link else ""
    assert found == ["SA-01-001", "SA-01-002"]


@pytest.mark.parametrize("order", ["oldest", "newest"])
def test_the_trail_goes_page_by_page_in_both_orders(site: Site, order: str) -> None:
    """Every entry that the reader sees is on exactly one page, in the order asked for."""
    found: list[int] = []
    path = f"/v1/studies/small/audit-trail?limit=7&order={order}"
    while path:
        answer = site.http.get(path, headers=bearer("auditor"))
        found += [line["index"] for line in answer.json()["lines"]]
        link = re.fullmatch(r'<([^>]+)>; rel="next"', answer.headers.get("Link", ""))
        path = link[1] if link else ""
    expected = list(range(site.made.ledger.store.head().size))
    assert found == (expected if order == "oldest" else expected[::-1])


def test_the_trail_is_filtered(site: Site) -> None:
    """Participant, actor and type narrow the trail to what has them all."""
    query = f"?participant={PARTICIPANT}&actor=bchan&type=correction.made&site={SITE}"
    (line,) = site.get(f"/audit-trail{query}", "auditor").json()["lines"]
    assert line["index"] == site.made.at[f"correction {PARTICIPANT}"]
    (change,) = line["changes"]
    assert (change["old"], change["new"]) == ("72", "73")
    assert line["reason"]["text"] == "misread"


@pytest.mark.parametrize(
    ("path", "field", "code"),
    [
        ("/audit-trail?type=nope", "type", "UNKNOWN_TYPE"),
        ("/audit-trail?role=nope", "role", "ROLE_UNKNOWN"),
        ("/audit-trail?actor=nope", "actor", "PERSON_UNKNOWN"),
        ("/audit-trail?site=nope", "site", "UNKNOWN_SITE"),
        ("/projections/visits?site=nope", "site", "UNKNOWN_SITE"),
        ("/projections/breaches?site=nope", "site", "UNKNOWN_SITE"),
    ],
)
def test_a_filter_that_names_nothing_is_no_empty_answer(site: Site, path: str, field: str, code: str) -> None:
    """Nothing found reads as nothing done, so what is mistyped is refused by its parameter's name."""
    answer = site.get(path, "auditor")
    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (400, code, field)
    assert "nope" not in answer.text


def test_a_field_that_no_record_has_is_told(site: Site) -> None:
    """A mistyped one is no field without values; the type's own fields stand beside."""
    at = f"/participants/{PARTICIPANT}/history"
    answer = site.get(f"{at}/vital_signs.recorded/data/measurement")
    assert (answer.status_code, answer.json()["code"]) == (404, "UNKNOWN_FIELD")
    assert "/data/measurements" in answer.json()["fields"]
    assert site.get(f"{at}/3/data/measurements").json()["code"] == "UNKNOWN_FIELD"
    for malformed in ("%2Fdata%2Ftotal", "nothing.recorded/data/total"):
        answer = site.get(f"{at}/{malformed}")
        assert (answer.status_code, answer.json()["code"]) == (400, "FIELD")


def test_another_site_and_one_that_is_not_there_are_the_same_to_who_reads_neither(site: Site) -> None:
    """A coordinator learns from no filter which other sites and participants the study has."""
    for path in ("/audit-trail", "/projections/visits", "/projections/breaches"):
        other, none = site.get(f"{path}?site=SD-02"), site.get(f"{path}?site=nope")
        assert (other.status_code, other.content) == (403, none.content)
        none = site.get(f"{path}?participant=nope")
        other = site.get(f"{path}?participant={PARTICIPANT}", "elsewhere")
        assert (other.status_code, other.content) == (404, none.content)


def test_the_service_and_the_roots_are_actors_too(site: Site) -> None:
    """Whoever signed anything can be asked for."""
    lines = site.get("/audit-trail?limit=1000", "auditor").json()["lines"]
    for actor in {line["who"]["id"] for line in lines}:
        assert site.get(f"/audit-trail?limit=1&actor={actor}", "auditor").json()["lines"], actor


def test_known_shows_the_log_as_it_was(site: Site) -> None:
    """As known before the correction the old value stands; by index and by recording time alike."""
    corrected = site.made.at[f"correction {PARTICIPANT}"]
    path = f"/participants/{PARTICIPANT}/history/vital_signs.recorded/data/measurements"
    before = site.get(f"{path}?known={corrected - 1}").json()["history"]
    after = site.get(f"{path}?known={corrected}").json()["history"]
    assert (len(before), len(after)) == (1, 2)
    entry = site.made.ledger.store.entry(corrected)
    assert entry is not None
    assert site.get(f"{path}?known={entry.at}").json()["history"] == after


def test_what_was_known_at_an_index_never_changes(site: Site) -> None:
    """The answer as of an index is the same after the log has grown."""
    size = site.made.ledger.store.head().size
    path = f"/participants/{PARTICIPANT}?known={size - 1}"
    before = site.get(path)
    site.hand_in(site.vitals())
    after = site.get(path)
    assert after.json() == before.json()
    assert after.headers["ETag"] == before.headers["ETag"]


def test_before_the_registration_there_is_no_participant(site: Site) -> None:
    """As known at index 3 nobody was registered."""
    answer = site.get(f"/participants/{PARTICIPANT}?known=3")
    assert (answer.status_code, answer.json()["code"]) == (404, "UNKNOWN_PARTICIPANT")
    assert site.get("/participants?known=3").json()["participants"] == []


def test_true_shows_the_state_at_a_clinical_time(site: Site) -> None:
    """Before anything occurred nothing is there."""
    answer = site.get(f"/participants/{PARTICIPANT}/timeline?true=2024-06-01")
    assert answer.json()["timeline"] == []
    assert site.get(f"/participants/{PARTICIPANT}/timeline?true=2030").json()["timeline"]


def test_times_are_told_in_utc_and_at_the_site(site: Site) -> None:
    """Every time has its zone (FDA 2024 Q14)."""
    line = site.get(f"/participants/{PARTICIPANT}/timeline").json()["timeline"][0]
    assert line["recorded"]["utc"].endswith("Z")
    assert line["recorded"]["local"].endswith("-05:00")


def test_another_site_is_not_open(site: Site) -> None:
    """A reader of SD-02 is told of nobody at SA-01, as if they were not there, and their lists are empty."""
    for path in ("", "/timeline", "/history/vital_signs.recorded/data/source"):
        answer = site.get(f"/participants/{PARTICIPANT}{path}", "elsewhere")
        assert (answer.status_code, answer.json()["code"]) == (404, "UNKNOWN_PARTICIPANT")
    assert site.get("/participants", "elsewhere").json() == {"participants": [], "count": 0}
    breaches = site.get("/projections/breaches", "elsewhere").json()["breaches"]
    assert {breach["participant"] for breach in breaches} <= {None}
    assert site.get(f"/audit-trail?site={SITE}", "elsewhere").status_code == 403
    assert site.get(f"/audit-trail?participant={PARTICIPANT}", "elsewhere").status_code == 404
    trail = site.get("/audit-trail?limit=1000", "elsewhere").json()["lines"]
    assert {class_of(line["type"], line["stream"]) for line in trail if line["site"]} == {"control"}


def test_a_participant_reads_their_own_records_alone(site: Site) -> None:
    """Own records, own trail; nobody else's, and no list."""
    assert site.get(f"/participants/{PARTICIPANT}", "participant").status_code == 200
    assert site.get("/participants/SA-01-002", "participant").status_code == 404
    assert site.get("/participants", "participant").status_code == 403
    lines = site.get("/audit-trail", "participant").json()["lines"]
    assert {line["stream"] for line in lines} == {STREAM}
    assert site.get("/audit-trail?participant=SA-01-002", "participant").status_code == 404


@pytest.mark.parametrize("who", ["auditor", "coordinator", "rater", "monitor", "participant"])
def test_identity_is_opened_by_no_read(site: Site, who: str) -> None:
    """Values sealed `identity` come out of no view: each opening of one is an event of its own."""
    texts = [
        site.get(path, who).text
        for path in (
            f"/participants/{PARTICIPANT}",
            f"/participants/{PARTICIPANT}/timeline",
            f"/audit-trail?participant={PARTICIPANT}",
            f"/events/{site.made.at[f'registered {PARTICIPANT}']}",
            f"/events/{site.made.at[f'demographics {PARTICIPANT}']}",
            f"/participants/{PARTICIPANT}/history/demographics.recorded/data/age_years",
        )
    ]
    assert all("the person behind" not in text and "veteran" not in text for text in texts)
    marked = site.get(f"/audit-trail?participant={PARTICIPANT}", who).text
    assert '{"sealed":"identity"}' in marked


def test_free_text_is_shown_to_roles_that_have_it(site: Site) -> None:
    """The reason's text is there for the coordinator and sealed for the blinded rater."""
    index = site.made.at[f"correction {PARTICIPANT}"]
    assert list(site.get(f"/events/{index}").json()["open"]) == ["/reason/text"]
    assert site.get(f"/events/{index}", "rater").json()["open"] == {}
    path = f"/audit-trail?participant={PARTICIPANT}&type=correction.made"
    assert "misread" in site.get(path).text
    assert "misread" not in site.get(path, "rater").text


def test_a_refusal_is_seen_by_those_whom_access_concerns(site: Site) -> None:
    """In access/: all for the auditor, one's own for the coordinator, the leaf alone for others."""
    index = site.made.ledger.store.head().size
    request = {"list": "main", "stage": 1, "stratum": SITE}
    site.hand_in(site.sign(site.prepare("randomization.requested", STREAM, request)))
    assert site.get(f"/events/{index}", "auditor").json()["withheld"] is False
    assert site.get(f"/events/{index}", "coordinator").json()["withheld"] is False
    for who in ("rater", "elsewhere", "participant"):
        value = site.get(f"/events/{index}", who).json()
        assert value["withheld"] is True
        assert set(value) == {"index", "event", "recorded", "leaf", "withheld"}


def test_what_may_not_be_seen_is_answered_as_its_leaf(site: Site) -> None:
    """A reader of another site gets the leaf, whose bytes are the committed ones, and no stream's name."""
    answer = site.get(f"/events/{site.made.at[f'vitals {PARTICIPANT}']}", "elsewhere")
    value = answer.json()
    assert value["withheld"] is True
    assert PARTICIPANT not in answer.text
    stored = site.made.ledger.store.entry(value["index"])
    assert stored is not None
    assert orjson.dumps(value["leaf"], option=orjson.OPT_SORT_KEYS) == stored.leaf


def test_an_event_prints_name_time_and_meaning(site: Site) -> None:
    """21 CFR 11.50: printed name, time and meaning of the signature, with the grade of the key."""
    index = site.made.at[f"correction {PARTICIPANT}"]
    value = site.get(f"/events/{index}").json()
    assert value == site.get(f"/events/{value['event']}").json()
    (signature,) = value["signatures"]
    assert (signature["name"], signature["role"]) == ("B. Chan", "coordinator")
    assert (signature["meaning"], signature["grade"]) == ("authorship", "client")
    entry = site.made.ledger.store.entry(index)
    assert entry is not None
    assert signature["signed_at"] == orjson.loads(entry.statement)["signed_at"]
    assert value["description"]


def test_a_control_statement_is_seen_by_every_reader(site: Site) -> None:
    """What authority rests on is shown to all, so that all can check it."""
    index = site.made.at["activated"]
    for who in ("elsewhere", "participant", "rater"):
        assert site.get(f"/events/{index}", who).json()["withheld"] is False


def test_a_proof_is_a_receipt_that_holds(site: Site) -> None:
    """/proof gives the same receipt, as text and in JSON, for index and event hash."""
    answer = site.get("/events/5/proof", "rater")
    leaf, _ = check_receipt(answer.content, site.made.ledger.signers.verifier_keys)
    assert leaf.index == 5
    assert site.get("/events/5/proof.json").json()["receipt"] == answer.text
    assert site.get(f"/events/{leaf.statement}/proof").content == answer.content


def test_the_checkpoint_is_published_and_holds(own_site: Site) -> None:
    """What the service publishes while it runs is a published checkpoint of the log."""
    answer = own_site.http.get("/v1/studies/small/checkpoint")
    if answer.status_code == 404:  # not published yet in this first instant
        own_site.made.publish()
        answer = own_site.http.get("/v1/studies/small/checkpoint")
    keys = own_site.made.ledger.signers.verifier_keys
    checkpoint = check_published(answer.content, keys)
    assert checkpoint.size == own_site.made.ledger.store.head().size
    value = own_site.http.get("/v1/studies/small/checkpoint.json").json()
    assert (value["size"], value["note"].encode()) == (checkpoint.size, answer.content)


def test_tiles_and_entries_hash_to_the_root(site: Site) -> None:
    """Leaves of the bundle hash to the tile of level 0, and that to the root; both need a reader."""
    head = site.made.ledger.store.head()
    bundle = site.get(f"/tile/entries/000.p/{head.size}")
    tile = site.get(f"/tile/0/000.p/{head.size}")
    leaves = decode_entries(bundle.content, head.size)
    hashes = [leaf_hash(leaf) for leaf in leaves]
    assert tile.content == b"".join(hashes)
    assert tree_root(hashes) == head.root
    assert parse_leaf(leaves[7]).index == 7
    for answer in (bundle, tile):
        assert "immutable" in answer.headers["Cache-Control"]
        assert "private" in answer.headers["Cache-Control"]
    for path in (f"/tile/entries/000.p/{head.size}", f"/tile/0/000.p/{head.size}"):
        assert site.http.get(f"/v1/studies/small{path}").status_code == 401


def test_an_attachment_is_given_to_readers_of_what_names_it(site: Site) -> None:
    """The study definition comes as it was handed in, never as a page of this origin; an unnamed one not."""
    statement = site.get(f"/events/{site.made.at['protocol']}").json()["statement"]
    named = statement["data"]["definition"]
    answer = site.get(f"/attachments/{named['sha256']}", "rater")
    assert hashlib.sha256(answer.content).hexdigest() == named["sha256"]
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    loose = hashlib.sha256(b"loose").hexdigest()
    site.made.ledger.store.put_attachment(loose, "text/plain", b"loose")
    assert site.get(f"/attachments/{loose}").status_code == 404


def test_an_export_is_verified_by_what_is_served(site: Site) -> None:
    """The bundle of the reader's scope holds; making it is recorded with who asked and what for."""
    exported = site.get(f"/export?scope=site:{SITE}")
    assert exported.status_code == 200
    with zipfile.ZipFile(io.BytesIO(exported.content)) as bundle:
        assert orjson.loads(bundle.read("scope.json"))["role"] == "coordinator"
        size = parse_body(parse_note(bundle.read("checkpoint")).text).size
    entry = site.made.ledger.store.entry(size)
    assert entry is not None
    data = orjson.loads(entry.statement)["data"]
    assert entry.type == "export.generated"
    assert (data["id"], data["requested_by"], data["kind"]) == (SITE, "bchan", "site")
    report = _verify(site, exported.content, f"?scope=site:{SITE}&role=coordinator")
    assert report["verdicts"]["integrity"] == "holds"
    assert report["verdicts"]["completeness"] == "holds"
    assert "not evidence" in report["caution"]


def test_a_changed_bundle_is_found_out(site: Site) -> None:
    """One byte changed in the uploaded bundle: integrity fails, and the answer is a verdict, no error."""
    data = bytearray(site.get("/export", "auditor").content)
    at = data.index(b'"payload_type"')
    data[at + 2] ^= 1
    report = _verify(site, bytes(data), "")
    assert report["exit"] != 0
    assert report["findings"]
    assert _verify(site, b"no zip", "")["exit"] == 3


@pytest.mark.parametrize(
    ("who", "scope", "status"),
    [
        ("coordinator", "study", 403),
        ("coordinator", "site:SD-02", 403),
        ("elsewhere", f"participant:{PARTICIPANT}", 404),
        ("participant", "participant:SA-01-002", 404),
        ("participant", f"site:{SITE}", 403),
        ("coordinator", "participant:SA-01-099", 404),
    ],
)
def test_an_export_stays_in_the_readers_scope(site: Site, who: str, scope: str, status: int) -> None:
    """Nobody exports what they may not read."""
    assert site.get(f"/export?scope={scope}", who).status_code == status


def test_verify_takes_a_zip_and_nothing_else(site: Site) -> None:
    """Another content type, scope, role or ledger id that isn't one is refused before anything is judged."""
    address = "/v1/studies/small/verify"
    zipped = {**bearer("auditor"), "content-type": "application/zip"}
    assert site.http.post(address, content=b"", headers=bearer("auditor")).status_code == 415
    for query in ("?scope=x", "?role=wizard", "?ledger_id=1"):
        assert site.http.post(address + query, content=b"", headers=zipped).status_code == 400


def test_health_names_no_study(site: Site) -> None:
    """A service tells whether it is alive and ready without naming its studies."""
    for path in ("/livez", "/readyz", "/v1/studies/small/livez", "/v1/studies/small/readyz"):
        answer = site.http.get(path)
        assert answer.status_code == 200
        assert "small" not in answer.text


def test_a_draining_service_is_not_ready(own_site: Site) -> None:
    """While it drains, `readyz` says so, and no new stream begins."""
    drain(own_site.http.app)  # type: ignore[arg-type]
    for path in ("/readyz", "/v1/studies/small/readyz"):
        answer = own_site.http.get(path)
        assert (answer.status_code, answer.json()["code"]) == (503, "DRAINING")
    assert own_site.get("/stream").json()["code"] == "DRAINING"
    assert own_site.http.get("/livez").status_code == 200


def test_a_study_is_served_from_one_ledger(site: Site) -> None:
    """Two ledgers of one study in one process are refused: they would share an address."""
    studies = [open_study(site.made), open_study(site.made)]
    with pytest.raises(FormatError, match="STUDY"):
        create_app(studies)


def _verify(site: Site, data: bytes, query: str) -> dict[str, Any]:
    headers = {**bearer("auditor"), "content-type": "application/zip"}
    answer = site.http.post(f"/v1/studies/small/verify{query}", content=data, headers=headers)
    assert answer.status_code == 200, answer.text
    value: dict[str, Any] = answer.json()
    return value


def test_openings_fit_the_digests(site: Site) -> None:
    """What an event opens is the disclosure whose digest the signed statement has."""
    value = site.get(f"/events/{site.made.at[f'correction {PARTICIPANT}']}").json()
    disclosure = value["open"]["/reason/text"]
    digest = base64.urlsafe_b64encode(hashlib.sha256(disclosure.encode()).digest()).rstrip(b"=").decode()
    assert value["statement"]["sealed"]["/reason/text"] == digest


def test_the_page_of_an_entry_shows_opened_text_as_text(site: Site) -> None:
    """Who may read a free text reads it, and not the disclosure that a program checks."""
    index = site.made.at[f"correction {PARTICIPANT}"]
    page = site.get(f"/events/{index}.html").text
    disclosure = site.get(f"/events/{index}").json()["open"]["/reason/text"]
    assert "<dt>/reason/text</dt><dd>misread</dd>" in page
    assert disclosure not in page
    assert "misread" not in site.get(f"/events/{index}.html", "rater").text
