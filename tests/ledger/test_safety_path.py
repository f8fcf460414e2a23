"""A serious event from the bedside to the safety desk, with real keys: written, exported, verified."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest

from ledger.export import export_bundle
from ledger.verify.options import Scope
from tests.ledger.small_ledger import SmallLedger
from tests.ledger.verifying import judge, problems
from tests.ledger.write_path import HOUR, SOURCE, STREAM, hire, refused, register

SAFETY: Final = "safety"
NARRATIVE: Final = "unexpected for what was given"
EVERYWHERE: Final = ("*",)


def event(small: SmallLedger) -> dict[str, Any]:
    """Return the data of a serious adverse event that is known since now."""
    return {"ae": "AE-1", "onset": small.now(), "awareness": small.now(), "grade": 4, "scale": "CTCAE",
            "scale_version": "5.0", "serious": True, "criteria": ["life_threatening"], "causality": [],
            "action": "held", "outcome": "recovering", "source": SOURCE}  # fmt: skip


def told(small: SmallLedger) -> str:
    """Let the site report a serious event, and tell the sponsor two days later; return that statement."""
    register(small)
    investigator = ("aruiz", "investigator", "authorship")
    verbatim = {"/data/verbatim": "anaphylaxis"}
    small.say("ae", *investigator, "adverse_event.reported", STREAM, event(small), opened=verbatim)
    small.sources.advance(48 * HOUR)
    report = {"ae": "AE-1", "version": 1, "reported": small.now(), "method": "portal", "source": SOURCE}
    return str(small.say("sae", *investigator, "sae.reported_to_sponsor", STREAM, report).event)


def assess(small: SmallLedger, report: str) -> str:
    """Let the unblinded physician assess the case, to be expedited within seven days."""
    hire(small, "safedoc", "unblinded_safety_physician", EVERYWHERE)
    data = {"statement": report, "determined": small.now(), "clock": "expedited_fatal_or_life_threatening",
            "source": SOURCE}  # fmt: skip
    opened = {"/data/suspected": "suspected", "/data/expectedness": "unexpected", "/data/regimen": "x",
              "/data/narrative": NARRATIVE}  # fmt: skip
    desk = ("safedoc", "unblinded_safety_physician", "authorship")
    return str(small.say("susar", *desk, "susar.assessed", SAFETY, data, opened=opened).event)


def submit(small: SmallLedger, assessment: str) -> None:
    """Submit the expedited report eight days later: a day too late."""
    small.sources.advance(8 * 24 * HOUR)
    data = {"statement": assessment, "to": "Authority", "kind": "initial", "submitted": small.now(),
            "source": SOURCE}  # fmt: skip
    opened = {"/data/reference": "A-1", "/data/narrative": NARRATIVE}
    desk = ("safedoc", "unblinded_safety_physician", "authorship")
    small.say("expedited", *desk, "expedited_report.submitted", SAFETY, data, opened=opened)


def detected(small: SmallLedger, rule: str) -> list[str]:
    """Return the statements that a recorded breach of a rule names."""
    found = []
    for index in range(small.ledger.store.head().size):
        entry = small.ledger.fold.reader.entry_at(index)
        if entry is not None and entry.statement is not None and entry.statement.type == "breach.detected":
            data = entry.statement.data
            if data["rule"] == rule:
                found.append(data["statement"])
    return found


def test_both_clocks_leave_their_breach_where_they_ran_from(small: SmallLedger) -> None:
    """The site's report is late by a day, the expedited one too: each is detected on its own statement."""
    report = told(small)
    assessment = assess(small, report)
    submit(small, assessment)
    started = small.ledger.fold.reader.entry_at(small.at["ae"])
    assert started is not None
    assert detected(small, "SAE_REPORT_LATE") == [started.event]
    assert detected(small, "EXPEDITED_REPORT_LATE") == [assessment]


@pytest.mark.parametrize("role", ["auditor", "unblinded_safety_physician"])
def test_a_bundle_shows_the_desk_to_whom_it_is_open(small: SmallLedger, tmp_path: Path, role: str) -> None:
    """Every breach is recorded for both readers; only one of them reads what the desk wrote."""
    submit(small, assess(small, told(small)))
    ledger, out = small.ledger, tmp_path / "bundle"
    export_bundle(ledger.store, ledger.data_keys, small.publish(), out, scope=Scope(kind="study"), role=role)
    report = judge(out, small.policy, role=role)
    assert report.exit_code == 0, problems(report)
    kept = b"".join(path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file())
    opens = role == "unblinded_safety_physician"
    assert (b'expedited_fatal_or_life_threatening","determined' in kept) == opens


def test_the_desk_is_no_place_for_a_blinded_role(small: SmallLedger) -> None:
    """A site's physician does not assess in `safety`."""
    data = {"statement": told(small), "determined": small.now(), "source": SOURCE}
    opened = {"/data/suspected": "suspected", "/data/expectedness": None, "/data/regimen": None,
              "/data/narrative": None}  # fmt: skip
    with refused("ROLE_NOT_ALLOWED"):
        small.say(
            "susar", "aruiz", "investigator", "authorship", "susar.assessed", SAFETY, data, opened=opened
        )


def test_a_result_that_tells_the_treatment_is_sealed_for_all_alike(small: SmallLedger) -> None:
    """With something in the sealed list or nothing, the plain statement has the same members and size."""
    register(small)
    coordinator = ("bchan", "coordinator", "authorship")
    sample = {"sample": "LS-1", "specimen": "serum", "source": SOURCE}
    small.say("sample", *coordinator, "lab_sample.collected", STREAM, sample)
    plain = {"sample": "LS-1", "laboratory": "Central", "analytes": [], "source": SOURCE}
    telling = [{"analyte": "magnesium", "quantity": {"value": "1.4", "unit": "mmol/L"}}]
    sizes = set()
    for number, results in enumerate((telling, None)):
        said = (*coordinator, "lab_result.received", STREAM, plain)
        small.say(f"result {number}", *said, opened={"/data/unblinding_results": results})
        entry = small.ledger.store.entry(small.at[f"result {number}"])
        assert entry is not None
        sizes.add(len(entry.statement))
    assert len(sizes) == 1
