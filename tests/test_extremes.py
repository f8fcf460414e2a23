"""Whoever reads the log bears what the write path took: data at every limit (`tests.extremes`)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.study import OpenStudy
from ledger.actions import all_specs
from ledger.directory import Config, Token
from ledger.export import export_bundle
from ledger.fsck import check_storage
from ledger.merkle import leaf_hash
from ledger.policy import TrustPolicy
from ledger.verify.judge import verify
from ledger.verify.options import Options, Scope
from projections.copies.bundled import open_copy
from projections.copies.document import compose, lines_of
from projections.copies.odm import to_odm
from projections.participant import participant_view
from projections.render import to_xlsx
from projections.reports import REPORTS
from projections.timeline import timeline
from tests.extremes import Maker
from tests.twin_story import copy_of
from tests.twin_views import histories, lists, reader_of, views
from tests.twins import Twin

SEED: Final = 20
ROUNDS: Final = 2
TRIES: Final = 2
"""So often a type is said in each round, until one is recorded; then as many corrections as `CHANGES`."""
CHANGES: Final = 25
LEAST: Final = 115
"""So many types and versions of them are recorded at least."""
LATE: Final = frozenset(["account", "key", "role", "root", "policy", "ledger"])
"""What could take from those who sign their right to: said in the last round alone."""
ENDS: Final = frozenset([
    "study.closed", "study.halted", "site.closed", "site.suspended", "database.locked", "participant.locked",
    "irb_approval.suspended", "delegation.ended",
])  # fmt: skip
"""What ends what others need, likewise."""
ROLES: Final = ("auditor", "investigator", "coordinator", "unblinded_pharmacist", "medical_monitor")


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A ledger in which everything was tried, with what became of it by type."""

    twin: Twin
    begun: int
    recorded: frozenset[tuple[str, int]]
    refused: frozenset[str]
    changed: int


@pytest.fixture(scope="module")
def told(twins: tuple[Twin, ...], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """Half a study, then each type until it is recorded, and corrections of what was recorded."""
    twin = copy_of(twins[0], tmp_path_factory.mktemp("extremes") / "ledger")
    maker, begun = Maker(SEED, twin), twin.size
    recorded, refused = set(), set()
    changed = 0
    for number in range(ROUNDS):
        for spec in all_specs():
            late = spec.type.partition(".")[0] in LATE or spec.type in ENDS
            if late and number < ROUNDS - 1:
                continue
            for _ in range(TRIES):
                index, code = maker.say(spec)
                if index is not None:
                    recorded.add((spec.type, spec.schema))
                    break
                refused.add(code)
                if code == "nobody":
                    break
        for _ in range(CHANGES):
            index, code = maker.correct()
            changed += index is not None
            refused.add(code)
    yield Told(
        twin=twin, begun=begun, recorded=frozenset(recorded), refused=frozenset(refused), changed=changed
    )
    twin.ledger.close()


def test_much_is_recorded_and_the_rest_refused_by_a_rule(told: Told) -> None:
    """Facts are recorded whatever they break; nothing that a client says is a damaged store."""
    assert len(told.recorded) >= LEAST, sorted(told.recorded)
    assert told.changed >= CHANGES // 2
    assert not [code for code in told.refused if code.startswith("STORE")]


@pytest.mark.parametrize("role", ROLES)
def test_every_view_can_be_made(told: Told, role: str) -> None:
    """Participants as known and as true then, every field's history, the trail, every report."""
    reader = reader_of(told.twin, role)
    assert all(text for _, text in views(told.twin, reader))
    assert all(text for _, text in lists(told.twin, reader))
    if role == "auditor":
        for participant in told.twin.participants():
            assert all(text for _, text in histories(told.twin, reader, participant))


def test_every_page_and_file_can_be_made(told: Told) -> None:
    """Each event, each report in every form."""
    token = Token(sha256=hashlib.sha256(b"t").hexdigest(), role="auditor", person="nobody", sites=("*",))
    twin = told.twin
    config = Config(origin=twin.config.origin, study=twin.config.study, demonstration=False, tokens=(token,))
    with TestClient(create_app([OpenStudy(config=config, ledger=twin.ledger)])) as http:

        def get(path: str, *other: int) -> Any:
            address = f"/v1/studies/{config.study}{path}"
            answer = http.get(address, headers={"Authorization": "Bearer t"})
            assert answer.status_code in (200, *other), (path, answer.text)
            return answer

        for index in range(told.begun, twin.size, 8):
            get(f"/events/{index}.html")
            get(f"/events/{index}/dossier", 404)  # where the auditor does not see the statement
        for name in REPORTS:
            for form in ("html", "csv"):
                get(f"/projections/{name}.{form}")
        for name in twin.participants():
            for page in (".html", "/timeline.html", "/signing-scope", "/signing-scope?scope=eligibility"):
                get(f"/participants/{name}{page}")
        assert len(get("/audit-trail.csv?limit=1000").text.splitlines()) > 1_000


def test_every_index_can_be_asked_for(told: Told) -> None:
    """A participant as known when each record of theirs was the last, and as true at the calendar's ends."""
    twin, reader = told.twin, reader_of(told.twin, "auditor")
    reads, conduct = twin.ledger.store, twin.fold.conduct
    for name in twin.participants():
        later = [e.index for e in reads.stream_entries(f"participant/{name}") if e.index >= told.begun]
        for known in later[::16]:
            assert participant_view(reads, name, reader=reader, conduct=conduct, known=known) is not None
        for true in ("0001", "9999-12-31T23:59:59-12:00"):
            assert timeline(reads, name, reader=reader, conduct=conduct, true=true) is not None


def test_an_export_verifies_and_the_storage_is_sound(told: Told, tmp_path: Path) -> None:
    """Conduct is judged offline as it was when it was recorded: each breach, and no other."""
    twin = told.twin
    note = twin.ledger.publish()
    assert note is not None
    bundle = tmp_path / "bundle"
    export_bundle(
        twin.ledger.store, twin.ledger.data_keys, note, bundle, scope=Scope(kind="study"), role="auditor"
    )
    policy = TrustPolicy(
        ledger_id=leaf_hash(twin.entries()[0].leaf).hex(), log_keys=twin.ledger.signers.verifier_keys,
        witnesses=(), groups=(), quorum=None,
    )  # fmt: skip
    options = Options(
        policy=policy, ledger_id=None, scope=Scope(kind="study"), role="auditor", previous=None, outbox=None,
        strict_conduct=False, classical=False, post_quantum=False, workers=1,
    )  # fmt: skip
    report = verify(bundle, options)
    assert report.complete
    assert report.problems == ()
    assert check_storage(twin.ledger) == []
    with open_copy(bundle) as source:
        lines = lines_of(source)
        assert to_odm(source, lines, twin.config.study)
        assert to_xlsx(lines)
        assert compose(source, lines, report, title="extremes", attached=())["chapters"]
