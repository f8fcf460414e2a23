"""Trials wholly other than the reference study, from their definitions to every page, report and export.

Nothing that is said of them has a word of the reference study: of its products, arms, visits, instruments,
sites or outcomes, as its definition names them.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.study import OpenStudy
from ledger import canonical
from ledger.directory import Config, Token
from ledger.export import export_bundle
from ledger.participant import Status
from ledger.policy import TrustPolicy
from ledger.study.definition import load, published
from ledger.verify.judge import verify
from ledger.verify.options import Options, Scope
from projections.copies.signing import make_document_key
from projections.desk import Desk
from projections.reader import Reader
from projections.reports import REPORTS
from tests.ledger.small_ledger import DEFINITION
from tests.other_courses import KOLKATA, MAINZ, oncology, vaccine
from tests.other_trials import Play
from tests.projections.copying import words_of

READERS: Final = {
    "oncology": (("auditor", "nobody"), ("investigator", "dr.sen"), ("coordinator", "r_basu"),
                 ("sponsor_administrator", "admin")),
    "vaccine": (("auditor", "nobody"), ("investigator", "doc"), ("coordinator", "nurse"),
                ("sponsor_administrator", "admin"), ("unblinded_pharmacist", "ph1"),
                ("infusion_staff", "jabber")),
}  # fmt: skip
ONCOLOGY_VISITS: Final = ("baseline", "c1", "c2", "c3", "end_of_treatment", "survival_1")
PARTICIPANTS: Final = {"oncology": KOLKATA, "vaccine": MAINZ}
COMMON: Final = frozenset({"screening", "follow-up", "follow_up", "pain", "blind_guess"})
"""What the reference study names as any other would, or as the catalogue does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A play behind the application, with a token for each reader whose text is the role."""

    name: str
    play: Play
    http: TestClient

    @property
    def base(self) -> str:
        """The address of the study."""
        return f"/v1/studies/{self.play.definition.study}"

    @property
    def participant(self) -> str:
        """Whom the play is of."""
        return PARTICIPANTS[self.name]

    def get(self, path: str, role: str = "auditor") -> Any:
        """Ask for an address of the study."""
        return self.http.get(self.base + path, headers={"Authorization": f"Bearer {role}"})

    def text(self, path: str, role: str = "auditor") -> str:
        """Ask for what is there."""
        answer = self.get(path, role)
        assert answer.status_code == 200, f"{path} as {role}: {answer.text}"
        assert not (found := foreign(answer.text)), f"{path} as {role}: {found}"
        return str(answer.text)


def _reference() -> re.Pattern[str]:
    """Match what the definition of the reference study calls its own, as whole words."""
    own = load(DEFINITION.read_bytes())
    names = {own.study, own.registry_id, own.title, own.sponsor, "PTSD", "NRS", "PCL", "norketamine"}
    names |= {*own.products, *own.sites, *own.instruments}
    names |= {name for arm in own.arms for name in (arm.id, arm.name)}
    names |= {name for visit in own.visits for name in (visit.id, visit.name)}
    names |= {name for outcome in own.outcomes for name in (outcome.id, outcome.name)}
    names |= {product.name for product in own.products.values()}
    names |= {instrument.name for instrument in own.instruments.values()}
    words = sorted(re.escape(name) for name in names if name.lower() not in COMMON)
    return re.compile(rf"(?<![\w-])(?:{'|'.join(words)})(?![\w-])", re.IGNORECASE)


REFERENCE: Final = _reference()
ENCODED: Final = re.compile(r"[A-Za-z0-9+/_=-]{40,}")


def foreign(text: str) -> list[str]:
    """Return the words of the reference study that are in a text; in keys, signatures and hashes are none."""
    return sorted({found.group() for found in REFERENCE.finditer(ENCODED.sub("", text))})


def foreign_in(name: str, content: bytes, directory: Path) -> list[str]:
    """Return those that are in a file. Where it is no text only long ones count: few bytes can be any."""
    if name.endswith(".pdf"):
        (directory / "packed.pdf").write_bytes(content)
        return foreign(words_of(directory / "packed.pdf"))
    try:
        return foreign(content.decode())
    except UnicodeDecodeError:
        return [word for word in foreign(content.decode("latin-1")) if len(word) > 5]


@contextmanager
def _serve(name: str, directory: Path) -> Iterator[Served]:
    play = {"oncology": oncology, "vaccine": vaccine}[name](directory / "ledger")
    tokens = tuple(
        Token(sha256=hashlib.sha256(role.encode()).hexdigest(), role=role, person=person, sites=("*",))
        for role, person in READERS[name]
    )
    config = Config(origin=play.origin, study=play.definition.study, demonstration=False, tokens=tokens)
    documents = make_document_key(
        directory, {}, None, play.sources, organisation="Sponsor", origin=play.origin
    )
    study = OpenStudy(config=config, ledger=play.ledger, documents=documents)
    with TestClient(create_app([study])) as http:
        yield Served(name=name, play=play, http=http)
    play.ledger.close()


@pytest.fixture(scope="module", params=["oncology", "vaccine"])
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Each trial, played and served."""
    name: str = request.param
    with _serve(name, tmp_path_factory.mktemp(name)) as one:
        yield one


def test_the_course_ends_as_it_was_told(served: Served) -> None:
    """Nothing was refused and no rule broken on the way, or the play would have stopped there."""
    state = served.play.state(served.participant)
    assert state.status is {"oncology": Status.DIED, "vaccine": Status.COMPLETED}[served.name]
    assert not state.open_breaches


def test_the_status_goes_with_the_trial(served: Served) -> None:
    """Randomized where there is a list, on treatment with a first injection or cycle."""
    registered = served.play.state(served.participant).registered
    told: list[str] = []
    for index in range(registered, served.play.ledger.store.head().size):
        status = json.loads(served.text(f"/participants/{served.participant}.json?known={index}"))["status"]
        told += [status] if status not in told[-1:] else []
    middle: list[str] = {"oncology": [], "vaccine": ["randomized"]}[served.name]
    last = {"oncology": "died", "vaccine": "completed"}[served.name]
    assert told == [
        "pre-screened", "consented", "screening", "eligible", *middle, "on treatment", "treatment ended",
        "follow-up", last,
    ]  # fmt: skip


def test_the_flow_has_the_steps_of_the_trial(served: Served) -> None:
    """Nobody is counted as randomized, infused or in an extension where the protocol plans none of it."""
    rows = json.loads(served.text("/projections/flow.json"))["rows"]
    steps = {row["step"]: row["participants"] for row in rows if row["site"] == "all"}
    middle = {
        "oncology": {"began treatment": 1},
        "vaccine": {"randomized": 1, "received the first infusion": 1},
    }[served.name]
    first = {"prescreened": 0, "registered": 1, "consented": 1, "assessed for eligibility": 1}
    died = served.name == "oncology"
    assert steps == {
        **first, "screen failed": 0, "eligible": 1, **middle, "treatment ended": 1,
        "completed": int(not died), "withdrawn": 0, "lost to follow-up": 0, "died": int(died),
    }  # fmt: skip


def test_criteria_are_told_as_of_the_entry_to_treatment(served: Served) -> None:
    """What was known at randomization; where nobody is randomized, when eligibility was confirmed."""
    rows = json.loads(served.text("/projections/eligibility.json"))["rows"]
    assert [row["criterion"] for row in rows] == ["I1", "I2", "E1"]
    assert all(row["passed_at_randomization"] and not row["changed"] for row in rows)
    assert len({row["randomized_index"] for row in rows}) == 1


def test_who_was_found_ineligible_later_stays_in_the_report(tmp_path: Path) -> None:
    """What was known at the entry to treatment is asked most of who should not have entered."""
    play = oncology(tmp_path / "ledger")
    before = _rows(play, "eligibility")
    confirmed = play.state(KOLKATA).consenting.confirmations[-1]
    data = {
        "statement": confirmed, "code": "misjudged", "criteria": ["E1"], "dosing": "discontinued",
        "decided_by": "dr.sen",
    }  # fmt: skip
    play.on(KOLKATA, "KOL").given("dr.sen", "eligibility.revoked", data)
    assert before == _rows(play, "eligibility") != []
    play.ledger.close()


def test_who_leaves_before_treatment_ends_none(tmp_path: Path) -> None:
    """A consent to treatment that is taken back in screening counts nobody as treated to an end."""
    play = oncology(tmp_path / "ledger")
    other = play.on("K7.0002-b", "KOL")
    other.given("r_basu", "participant.registered", {"participant": "K7.0002-b"})
    other.consent("r_basu", "1", "bn")
    other.given("r_basu", "consent.withdrawn", {"scopes": ["study_treatment"], "effective": play.now})
    steps = {row["step"]: row["participants"] for row in _rows(play, "flow") if row["site"] == "all"}
    assert (steps["consented"], steps["began treatment"], steps["treatment ended"]) == (2, 1, 1)
    play.ledger.close()


def _rows(play: Play, report: str) -> list[dict[str, Any]]:
    with play.ledger.store.snapshot() as reads:
        return list(REPORTS[report].rows(Desk(reads, reader=Reader(role="auditor"))))


def test_the_signing_page_asks_what_each_version_asks(tmp_path: Path) -> None:
    """A version that is approved and in force nowhere changes neither instruments nor what is planned."""
    with _serve("vaccine", tmp_path) as one:
        before = one.get("/signing/places", "coordinator").json()
        newer = json.loads(one.play.file)
        del newer["randomization"]
        newer["version"] = _renamed(newer["version"], "9.0")
        for instrument in newer["instruments"]:
            instrument["version"] = _renamed(instrument["version"], "9.0")
        content = canonical.encode(newer)
        attached = one.play.attach("application/json", published(content))
        data = {"version": "9.0", "definition": attached, "irb_reference": "EC-8", "reconsent": False}
        one.play.given("admin", "protocol.approved", "study", data)
        after = one.get("/signing/places", "coordinator").json()
    (version,) = after["versions"]
    assert {each["protocol"] for each in after["places"]} == {version["protocol"]} != {"9.0"}
    assert version["instruments"] == before["instruments"] != after["instruments"]
    assert after["unplanned"] == before["unplanned"]


def _renamed(value: Any, name: str) -> Any:
    return {**value, "value": name} if isinstance(value, dict) else name


def test_a_card_says_how_to_unblind_where_there_is_a_blind(served: Served) -> None:
    """Open label has nothing to open."""
    (row,) = json.loads(served.text("/projections/emergency-cards.json", "investigator"))["rows"]
    assert row["blinded"] is (served.name == "vaccine")
    assert (row["to_unblind"] is None) is (served.name == "oncology")


def test_no_visit_that_took_place_is_called_unexpected(served: Served) -> None:
    """A call that reached somebody is one."""
    rows = json.loads(served.text("/projections/visits.json"))["rows"]
    states = {row["visit"]: row["state"] for row in rows}
    assert (
        states
        == {
            "oncology": {**dict.fromkeys(ONCOLOGY_VISITS, "completed"), "survival_60": "not expected"},
            "vaccine": {
                **dict.fromkeys(("v0", "jab_1", "booster", "bleed"), "completed"),
                "call_8": "contact made",
            },
        }[served.name]
    )


def test_the_export_verifies(served: Served, tmp_path: Path) -> None:
    """Integrity, completeness and conduct are judged by the trial's own definition."""
    signers = served.play.ledger.signers
    policy = TrustPolicy(
        ledger_id=served.play.ledger_id,
        log_keys=signers.verifier_keys,
        witnesses=(),
        groups=(),
        quorum=None,
    )
    note = served.play.ledger.publish()
    assert note is not None
    play, out = served.play, tmp_path / "bundle"
    export_bundle(
        play.ledger.store, play.ledger.data_keys, note, out, scope=Scope(kind="study"), role="inspector"
    )
    options = Options(
        policy=policy,
        ledger_id=None,
        scope=Scope(kind="study"),
        role="inspector",
        previous=None,
        outbox=None,
        strict_conduct=False,
        classical=False,
        post_quantum=False,
        workers=1,
    )
    report = verify(out, options)
    assert report.complete
    assert report.problems == ()


def test_no_page_or_report_speaks_of_another_trial(served: Served) -> None:
    """Each reader reads each page, report and list, in each form that there is."""
    one = f"/participants/{served.participant}"
    pages = [
        "/participants",
        one,
        f"{one}/timeline",
        "/audit-trail",
        *(f"/projections/{name}" for name in REPORTS),
    ]
    for role, _ in READERS[served.name]:
        for page in pages:
            for form in (".json", ".csv", ".html"):
                if (page, form) != (one, ".csv"):
                    served.text(page + form, role)
        for page in ("/catalogue", "/authorization", "/checkpoint", "/pages", ""):
            served.text(page, role)


def test_no_event_is_told_in_words_of_another_trial(served: Served) -> None:
    """Every entry of the log, with its dossier."""
    size = served.play.ledger.store.head().size
    told = [
        served.get(f"/events/{index}{form}", "coordinator")
        for index in range(size)
        for form in (".html", "/dossier.html")
    ]
    shown = [answer.text for answer in told if answer.status_code == 200]
    assert len(shown) > size
    assert [found for text in shown if (found := foreign(text))] == []


def test_the_certified_copy_is_of_this_trial(served: Served, tmp_path: Path) -> None:
    """The print names the study, and the package beside it nothing of another."""
    one = f"/participants/{served.participant}/certified-copy"
    printed = served.get(f"{one}.pdf?purpose=own_copy", "investigator")
    assert printed.status_code == 200, printed.text
    (tmp_path / "copy.pdf").write_bytes(printed.content)
    words = words_of(tmp_path / "copy.pdf")
    assert foreign(words) == []
    assert f"Study {served.play.definition.study}" in words
    package = served.get(f"{one}.zip?purpose=own_copy", "investigator")
    assert package.status_code == 200, package.text
    with zipfile.ZipFile(io.BytesIO(package.content)) as files:
        for name in files.namelist():
            assert foreign_in(name, files.read(name), tmp_path) == [], name
