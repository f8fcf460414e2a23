"""What the verifier says of compromised keys, releases and rules that it does not have (§6, §10)."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from ledger.exports import export_ledger
from ledger.verify.findings import Verdict
from ledger.verify.options import Scope
from ledger.verify.report import Report
from tests.ledger.forgery import Forgery, key_of
from tests.ledger.small_ledger import SmallLedger, make
from tests.ledger.verifying import found, judge, problems
from tests.ledger.write_path import by_root

SOURCE = {"kind": "paper"}


@pytest.fixture
def small(tmp_path: Path) -> SmallLedger:
    """A small ledger."""
    return make(tmp_path / "d")


def report_of(small: SmallLedger, place: Path) -> Report:
    """Export and verify."""
    export_ledger(small.ledger, place, scope=Scope(kind="study"), role="auditor")
    return judge(place, small.policy)


def reaffirm(small: SmallLedger, index: int) -> tuple[str, ...]:
    """Let the site's investigator reaffirm a statement of the coordinator; return breaches."""
    stored = small.ledger.store.entry(index)
    assert stored is not None
    data = {"basis": "source_compared", "person": "bchan", "statement": stored.event, "source": SOURCE}
    by = ("aruiz", "investigator", "responsibility", "record.reaffirmed", "person/bchan")
    return small.say(f"reaffirmed {index}", *by, data).breaches


def test_suspect_statements_stay_so_until_each_is_reaffirmed(small: SmallLedger, tmp_path: Path) -> None:
    """One by one, by who answers for the site; when none is left the note is gone."""
    since = small.at["vitals SA-01-002"]
    revoked = {"compromised_from": since, "key": key_of("bchan").id, "person": "bchan"}
    by_root(small, "key.revoked", "person/bchan", revoked)
    suspect = [small.at[f"{what} SA-01-002"] for what in ("vitals", "demographics", "correction")]
    for number, index in enumerate(suspect):
        (note,) = [n for n in report_of(small, tmp_path / str(number)).notes if n.code == "SUSPECT"]
        assert note.detail.startswith(f"{len(suspect) - number} statement")
        assert reaffirm(small, index) == ()
    report = report_of(small, tmp_path / "all")
    assert found(report, "SUSPECT") == []
    assert report.exit_code == 0
    assert reaffirm(small, small.at["vitals SA-01-001"]) == ("NOT_SUSPECT",)


@pytest.mark.parametrize("scope", ["study", "site", "participant"])
def test_what_is_withheld_of_the_system_is_no_finding(
    small: SmallLedger, tmp_path: Path, scope: Literal["study", "site", "participant"]
) -> None:
    """A backup and a downtime of the study are in no bundle of a site; what names them is, and holds."""
    size = small.ledger.store.head().size
    data = {"backup": "B-1", "location": "vault", "sha256": "ab" * 32, "stores": ["events"], "size": size}
    backup = small.ledger.attest("backup.taken", "study", data)
    drift = {"clock": "server", "limit_ms": 5, "offset_ms": 9, "reference": "time.example"}
    small.ledger.attest("clock.drifted", "study", drift)
    changed = {"changes": [{"setting": "media"}], "destroyed": [backup.event], "reference": "CR-1",
               "source": SOURCE}  # fmt: skip
    by_root(small, "configuration.changed", "study", changed)
    down = {"cause": "outage", "from": small.now(), "procedure": "SOP-1", "sites": ["*"], "source": SOURCE}
    admin = ("admin", "sponsor_administrator", "responsibility")
    note = {"/data/note": None}
    began = small.say("down", *admin, "downtime.declared", "study", down, opened=note)
    up = {"paper_records": 0, "statement": began.event, "to": small.now(), "source": SOURCE}
    done = {"/data/done_on_paper": "nothing"}
    by = ("aruiz", "investigator", "responsibility", "downtime.ended", "site/SA-01")
    assert small.say("up", *by, up, opened=done, site="SA-01").breaches == ()
    name = {"study": None, "site": "SA-01", "participant": "SA-01-001"}[scope]
    of = Scope(kind=scope, id=name)
    export_ledger(small.ledger, tmp_path / "out", scope=of, role="auditor")
    report = judge(tmp_path / "out", small.policy, scope=of)
    assert problems(report) == set()


def release(small: SmallLedger, rules: int) -> dict[str, object]:
    """Return the data of a release."""
    return {"pages_sha256": "aa" * 32, "reference": "VR-1", "rules": rules, "version": f"{rules}.0.0",
            "source": SOURCE}  # fmt: skip


def test_a_release_of_known_rules_verifies(small: SmallLedger, tmp_path: Path) -> None:
    """It is a control statement, in every bundle, and speaks against nothing."""
    by_root(small, "system.released", "study", release(small, 1))
    assert report_of(small, tmp_path / "out").exit_code == 0


def test_rules_that_the_verifier_does_not_have_are_a_finding(small: SmallLedger, tmp_path: Path) -> None:
    """It says that it cannot judge by them, instead of judging by others in silence."""
    forged = Forgery(small, tmp_path / "bundle")
    like = small.at["enrolment"]
    drafted = forged.draft(like, type="system.released", data=release(small, 99), meaning="approval")
    at = forged.append(drafted, [key_of("admin")])
    report = judge(forged.write(tmp_path / "forged"), small.policy)
    assert problems(report) == {"RULES_UNKNOWN"}
    assert found(report, "RULES_UNKNOWN") == [at]
    assert report.verdict(Verdict.CONDUCT) == "fails"
    assert report.verdict(Verdict.INTEGRITY) == "holds"
