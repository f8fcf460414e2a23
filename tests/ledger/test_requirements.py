"""What the rules ask of write path, log and bundle, where no one module shows it (docs/part-11.md)."""

from __future__ import annotations

import copy
import csv
import json
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any, Final

import orjson
import pytest

from ledger import canonical
from ledger.actions.registry import Effect, spec
from ledger.authorisation import judge as judge_authority
from ledger.canonical import Keys
from ledger.errors import FormatError
from ledger.roles import ROLES
from ledger.statement import MEANINGS, build_statement, class_of, parse_statement
from ledger.times import format_instant, parse_instant
from ledger.verify.options import Scope
from tests.ledger.forgery import Forgery
from tests.ledger.small_ledger import SITE, SmallLedger, make
from tests.ledger.verifying import judge, problems
from tests.ledger.write_path import (
    HOUR,
    PARTICIPANT,
    SOURCE,
    altered,
    by_root,
    candidate,
    check_whole,
    key_of,
    refused,
    register,
    signed,
    vitals,
    vitals_action,
)
from tests.shared import ROOT

GOLDEN: Final = Path(__file__).parent / "golden"
STUDY: Final = Scope(kind="study")


# 11.10(a): an operator who holds the log's own keys and signs anew over what was changed.


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> tuple[SmallLedger, Forgery]:
    """A small ledger and its real bundle in memory."""
    made = make(tmp_path_factory.mktemp("ledger") / "d", participants=3)
    return made, Forgery(made, tmp_path_factory.mktemp("bundle") / "b")


def copied(forged: Forgery) -> Forgery:
    """Copy what is going to be changed."""
    other = copy.copy(forged)
    other.leaves, other.payloads, other.files = (
        forged.leaves.copy(),
        forged.payloads.copy(),
        dict(forged.files),
    )
    return other


def keep(forged: Forgery, wanted: Callable[[int], bool]) -> None:
    """Keep the entries wanted and the openings that go with them, and number both anew."""
    kept = [index for index in range(forged.size) if wanted(index)]
    forged.leaves = [forged.leaves[index] for index in kept]
    forged.payloads = [forged.payloads[index] for index in kept]
    for index in range(forged.size):
        forged.set_leaf(index, index=index)
    lines = [json.loads(line) for line in forged.files["disclosures.jsonl"].splitlines()]
    forged.files["disclosures.jsonl"] = b"".join(
        canonical.encode({**line, "index": kept.index(line["index"])}, keys=Keys.DISCLOSURES) + b"\n"
        for line in lines
        if line["index"] in kept
    )
    streams = {json.loads(payload)["stream"] for payload in forged.payloads}
    salts = json.loads(forged.files["streams.json"])
    forged.files["streams.json"] = canonical.encode(
        {stream: salt for stream, salt in salts.items() if stream in streams}, keys=Keys.STREAMS
    )


def test_two_events_that_changed_places_are_found(real: tuple[SmallLedger, Forgery], tmp_path: Path) -> None:
    """Swapped and signed anew over the swapped tree, the first of the two is named."""
    made, forged = real[0], copied(real[1])
    at = made.at["vitals SA-01-002"]
    later = made.at["demographics SA-01-002"]
    for entries in (forged.leaves, forged.payloads):
        entries[at], entries[later] = entries[later], entries[at]
    forged.set_leaf(at, index=at)
    forged.set_leaf(later, index=later)
    report = judge(forged.write(tmp_path / "b"), made.policy)
    assert report.exit_code == 1
    assert report.first_index == at
    assert {"SEQ", "PREV"} <= problems(report)


def test_a_participant_who_was_taken_out_is_found(real: tuple[SmallLedger, Forgery], tmp_path: Path) -> None:
    """Tree, indexes and openings made anew without one participant: later signers had seen a longer log."""
    made, forged = real[0], copied(real[1])
    first = made.at["registered SA-01-002"]
    keep(forged, lambda index: real[1].statement(index)["stream"] != "participant/SA-01-002")
    report = judge(forged.write(tmp_path / "b"), made.policy)
    assert report.exit_code == 1
    assert problems(report) == {"SEEN_SIZE"}
    assert report.first_index == first


def test_a_cut_tail_is_found_by_who_kept_a_checkpoint(
    real: tuple[SmallLedger, Forgery], tmp_path: Path
) -> None:
    """A shorter log is whole in itself; the checkpoint that an auditor kept shows that it was longer."""
    made, forged = real[0], copied(real[1])
    end = made.at["registered SA-01-003"]
    keep(forged, lambda index: index < end)
    place = forged.write(tmp_path / "b")
    assert judge(place, made.policy).exit_code == 0
    report = judge(place, made.policy, previous=real[1].files["checkpoint"])
    assert report.exit_code == 1
    assert problems(report) == {"PREVIOUS"}
    said = f"is of {real[1].size:,} events, this log {end:,}: this export is older, or its end was cut off"
    assert report.problems[0].detail.endswith(said)


def test_a_rewritten_past_is_found_by_who_kept_a_checkpoint(
    real: tuple[SmallLedger, Forgery], tmp_path: Path
) -> None:
    """Whatever the log signs anew, it is not the tree that a site's own checkpoint is of (EMA 6.6)."""
    made, forged = real[0], copied(real[1])
    last = forged.size - 1
    kept = real[1].files["checkpoint"]
    at = parse_instant(forged.leaf(last)["at"])
    forged.set_leaf(last, at=format_instant(at + 1))
    place = forged.write(tmp_path / "b")
    assert judge(place, made.policy).exit_code == 0
    assert problems(judge(place, made.policy, previous=kept)) == {"PREVIOUS"}


# 11.10(d), (e), (g), 11.200: who is let in, and when it was.


def last_refusal(small: SmallLedger) -> dict[str, Any]:
    """Return the data of the newest entry, which is a refusal."""
    entry = small.ledger.store.entry(small.ledger.store.head().size - 1)
    assert entry is not None
    assert entry.type == "command.refused"
    data: dict[str, Any] = orjson.loads(entry.statement)["data"]
    return data


def test_the_attempt_of_a_disabled_account_is_recorded(small: SmallLedger) -> None:
    """Refused, and `command.refused` says who tried what (11.10(d))."""
    register(small)
    by_root(small, "account.disabled", "person/bchan", {"person": "bchan"})
    with refused("ACCOUNT_INACTIVE"):
        small.ledger.record(vitals(small))
    refusal = last_refusal(small)
    assert (refusal["who"], refusal["type"], refusal["rule"]) == (
        "bchan",
        "vital_signs.recorded",
        "ACCOUNT_INACTIVE",
    )


def test_an_administrator_signs_as_nobody_else(small: SmallLedger) -> None:
    """An administrator's key under another person's printed name is refused (11.200(a)(2))."""
    register(small)
    submission = vitals(small)
    admin = key_of("admin")
    pretended = altered(submission, admin, key={"alg": admin.alg, "id": admin.id})
    with refused("ACTOR", field="/actor/id"):
        small.ledger.record(pretended)
    assert last_refusal(small)["who"] == "admin"


@pytest.mark.parametrize("hours", [-48, 1])
def test_the_recording_time_is_the_services(small: SmallLedger, hours: int) -> None:
    """Whatever times a client signs, the leaf has the service's clock (11.10(e))."""
    register(small)
    claimed = format_instant(small.sources.now_us() + hours * HOUR)
    occurred = min(claimed, small.now())
    submission = altered(vitals(small), key_of("bchan"), signed_at=claimed, occurred_at=occurred)
    recorded = small.ledger.record(submission)
    stored = small.ledger.store.entry(recorded.index)
    assert stored is not None
    assert stored.at == small.now()
    assert "SIGNED_AT_APART" in recorded.breaches
    check_whole(small)


def test_a_fact_names_its_source(small: SmallLedger) -> None:
    """Without a source a fact is refused as malformed (11.10(h))."""
    register(small)
    data = {"measurements": [{"name": "heart_rate", "quantity": {"value": "72", "unit": "/min"}}]}
    submission = altered(vitals(small), key_of("bchan"), data=data)
    with refused("DATA", FormatError, field="/data/source"):
        small.ledger.record(submission)
    kinds = altered(vitals(small), key_of("bchan"), data={**data, "source": {"kind": "hearsay"}})
    with refused("DATA", FormatError, field="/data/source/kind"):
        small.ledger.record(kinds)


def cells() -> dict[tuple[str, int, str], dict[str, set[str]]]:
    """Read docs/spec/authority.csv: meanings by role, by type, schema and kind of stream."""
    table: dict[tuple[str, int, str], dict[str, set[str]]] = {}
    with (ROOT / "docs" / "spec" / "authority.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            for kind, role in product(row["stream"].split(), row["roles"].split()):
                roles = table.setdefault((row["type"], int(row["schema"]), kind), {})
                roles.setdefault(role, set()).update(row["meanings"].split())
    return table


CELLS: Final = cells()


@pytest.mark.parametrize(("type_", "schema", "kind"), sorted(CELLS))
def test_each_cell_of_the_role_and_action_matrix(
    real: tuple[SmallLedger, Forgery], type_: str, schema: int, kind: str
) -> None:
    """Every role with every meaning is allowed or refused as the published table says (11.10(g))."""
    small = real[0]
    golden = json.loads((GOLDEN / f"{type_}.v{schema}.json").read_text(encoding="utf-8"))["data"]
    stream = kind if kind in ("study", "safety") else f"{kind}/{SITE}"
    value = orjson.loads(vitals(small).statement.body)
    value |= {"type": type_, "schema": schema, "stream": stream, "class": class_of(type_, stream)}
    value |= {"data": golden}
    if kind not in ("site", "pharmacy", "participant"):
        del value["site"]
    statement = parse_statement(build_statement(value))
    entry = candidate(small, vitals(small))
    authority = small.ledger.fold.authority
    for role, meaning in product(sorted(ROLES), sorted(MEANINGS)):
        actor = replace(statement.actor, role=role)
        asked = replace(entry, statement=replace(statement, actor=actor, meaning=meaning))
        codes = {problem.code for problem in judge_authority(authority, asked)}
        allowed = meaning in CELLS[type_, schema, kind].get(role, ())
        assert allowed == codes.isdisjoint({"ROLE_NOT_ALLOWED", "MEANING_NOT_ALLOWED"}), (role, meaning)


# 11.10(f): forbidden orders, through the one write path.

LIMIT: Final = {
    "parameter": "systolic_pressure",
    "comparison": "above",
    "quantity": {"value": "180", "unit": "mm[Hg]"},
}
ORDER: Final = {
    "infusion": 1,
    "weight": {"value": "81.4", "unit": "kg"},
    "weight_date": "2024-06-03",
    "instruction": "per_protocol",
    "limits": [LIMIT],
}
START: Final = {"infusion": 1, "pump": "Pump 2", "rate": {"value": "375", "unit": "mL/h"}, "label": "L-1"}
VOLUME: Final = {"value": "250", "unit": "mL"}

GATES: Final = [
    ("a second registration", "bchan", "participant.registered", {"participant": PARTICIPANT}, "ID_REUSED"),
    ("eligibility before consent", "aruiz", "eligibility.confirmed",
     {"criteria_sha256": "0" * 64}, "CONSENT_MISSING"),
    ("eligibility before its criteria", "aruiz", "eligibility.confirmed",
     {"criteria_sha256": "0" * 64}, "CRITERIA_INCOMPLETE"),
    ("randomization before eligibility", "bchan", "randomization.requested",
     {"list": "main", "stage": 1, "stratum": SITE}, "NOT_ELIGIBLE"),
    ("an order before randomization", "aruiz", "infusion.ordered", ORDER, "NOT_RANDOMIZED"),
    ("a start before randomization", "bchan", "infusion.started", START, "NOT_RANDOMIZED"),
]  # fmt: skip
FACTS: Final = [
    ("a measurement before consent", "vital_signs.recorded",
     {"measurements": [{"name": "heart_rate", "quantity": {"value": "72", "unit": "/min"}}]},
     "CONSENT_MISSING"),
    ("a visit completed that nobody started", "visit.completed", {"visit": "w1d1"}, "VISIT_NOT_STARTED"),
    ("an infusion completed that nobody started", "infusion.completed",
     {"infusion": 1, "volume": VOLUME}, "INFUSION_STATE"),
    ("a dose without an infusion", "dose.administered",
     {"infusion": 1, "volume": VOLUME, "percent_given": "100", "start": "2024-06-03T10:00:00Z",
      "end": "2024-06-03T10:40:00Z"}, "DOSE_WITHOUT_INFUSION"),
    ("a completion before the visits", "participant.completed",
     {"date": "2024-06-03", "last_visit": "w1d1"}, "COMPLETED_EARLY"),
]  # fmt: skip
OPENED: Final = {
    "participant.registered": {"/data/identity": "somebody"},
    "dose.administered": {"/data/amounts": None},
}
ROLE_OF: Final = {"bchan": "coordinator", "aruiz": "investigator"}


def action(who: str, type_: str, data: dict[str, Any]) -> dict[str, Any]:
    """Return an action in the participant's stream, by somebody in their role."""
    meanings = spec(type_, 1).roles[ROLE_OF[who]]
    meaning = "authorship" if "authorship" in meanings else "approval"
    members = {"type": type_, "role": ROLE_OF[who], "meaning": meaning, "data": data}
    return vitals_action(**members)


def consent(small: SmallLedger) -> None:
    """Record a complete consent to the approved form."""
    form = small.ledger.store.entry(small.at["form"])
    assert form is not None
    now = small.now()
    data = {
        "form_version": "1",
        "language": "en",
        "form_sha256": orjson.loads(form.statement)["data"]["document"]["sha256"],
        "mode": "paper_in_person",
        "identity_check": "passport",
        "participant_time": now,
        "participant_time_from": "form",
        "consenter": "bchan",
        "consenter_time": now,
        "consenter_time_from": "form",
        "options": [],
        "authorization": True,
        "duty_disclosure": True,
        "copy_given": True,
        "source": SOURCE,
    }
    recorded = small.ledger.record(signed(small, "bchan", action("bchan", "consent.obtained", data)))
    assert recorded.breaches == ()


@pytest.mark.parametrize(
    ("who", "type_", "data", "code"), [row[1:] for row in GATES], ids=[r[0] for r in GATES]
)
def test_a_gate_in_a_forbidden_order_is_refused_and_recorded(
    small: SmallLedger, who: str, type_: str, data: dict[str, Any], code: str
) -> None:
    """Nothing of the gate enters the log; the refusal does, with the rule's code."""
    register(small)
    if code != "CONSENT_MISSING":
        consent(small)
    assert spec(type_, 1).effect is Effect.GATE
    before = small.ledger.store.head().size
    submission = signed(small, who, action(who, type_, data), OPENED.get(type_))
    with refused(code):
        small.ledger.record(submission)
    assert small.ledger.store.head().size == before + 1
    refusal = last_refusal(small)
    assert (refusal["who"], refusal["type"], refusal["rule"]) == (who, type_, code)
    check_whole(small)


@pytest.mark.parametrize(("type_", "data", "code"), [row[1:] for row in FACTS], ids=[r[0] for r in FACTS])
def test_a_fact_in_a_forbidden_order_is_recorded_with_its_breach(
    small: SmallLedger, type_: str, data: dict[str, Any], code: str
) -> None:
    """What happened is in the log, and the rules that it broke in the same commit."""
    register(small)
    assert spec(type_, 1).effect is Effect.FACT
    submission = signed(small, "bchan", action("bchan", type_, {**data, "source": SOURCE}), OPENED.get(type_))
    recorded = small.ledger.record(submission)
    assert code in recorded.breaches
    store = small.ledger.store
    added = [store.entry(index) for index in recorded.added]
    assert {entry.type for entry in added if entry is not None} == {"breach.detected"}
    head = store.head_covering(recorded.index)
    assert head is not None
    assert head.size == recorded.added[-1] + 1  # one commit holds them all
    check_whole(small)
