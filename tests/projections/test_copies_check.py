"""A copy compared with the ledger later, and the commands as people run them."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from ledger.cli.app import run
from ledger.errors import RefusedError
from ledger.exports import export_ledger
from ledger.verify.options import Scope
from projections.copies.bundled import open_copy
from projections.copies.checking import check_copy
from tests.api.client import write_directory
from tests.ledger.small_ledger import SmallLedger
from tests.projections.copying import PARTICIPANT, correct

WHO = ("--to", "aruiz", "--role", "investigator")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> SmallLedger:
    """A small ledger whose directory is complete, with a key of documents."""
    place = tmp_path_factory.mktemp("checked") / "ledger"
    made = write_directory(place)
    assert run(["copy-key", str(place), "--organisation", "Sponsor"]) == 0
    return made


@pytest.fixture(scope="module")
def place(made: SmallLedger) -> Path:
    """The ledger's directory."""
    return Path(made.ledger.store.path).parent  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def copied(place: Path) -> Path:
    """A copy of one participant that was issued by the command."""
    out = place.parent / "copy.pdf"
    assert run(["copy", str(place), str(out), *WHO, "--participant", PARTICIPANT]) == 0
    return out


def test_a_copy_matches_until_its_records_are_changed(
    made: SmallLedger, place: Path, copied: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Nothing since: exit 0. A correction of what it shows, made later, is named, and the exit code is 1."""
    asked = ["copy-check", str(copied), "--dir", str(place), "--json"]
    assert run(asked) == 0
    said = orjson.loads(capfdbinary.readouterr().out)
    assert (said["matches"], said["records_since"]) == ("yes", 0)
    made.ledger.refresh()
    correct(made, "73", "75", "read again")
    assert run(asked) == 1
    said = orjson.loads(capfdbinary.readouterr().out)
    about = made.at[f"vitals {PARTICIPANT}"]
    assert said["changed_since"] == [f"{made.at['to 75']} correction.made about {about}"]


def test_one_changed_byte_is_no_copy_of_this_ledger(made: SmallLedger, copied: Path) -> None:
    """Bytes that no event names are refused: COPY_UNKNOWN."""
    data = bytearray(copied.read_bytes())
    data[-2] ^= 1
    with pytest.raises(RefusedError) as caught:
        check_copy(bytes(data), made.ledger.store)
    assert caught.value.code == "COPY_UNKNOWN"


def test_a_later_bundle_answers_as_the_log_does(made: SmallLedger, copied: Path, tmp_path: Path) -> None:
    """An auditor's export, taken later, says the same of a copy without the ledger."""
    bundle = tmp_path / "bundle.zip"
    export_ledger(made.ledger, bundle, scope=Scope(kind="study"), role="auditor")
    asked = check_copy(copied.read_bytes(), made.ledger.store)
    with open_copy(bundle) as source:
        shown = check_copy(copied.read_bytes(), source.reads)
    assert (shown.index, shown.since, shown.matches) == (asked.index, asked.since, asked.matches)


@pytest.mark.parametrize(
    ("arguments", "code", "exit_code"),
    [
        (["copy.doc", *WHO], "FORMAT", 2),
        (["copy.pdf", *WHO], "OUT_EXISTS", 1),
        (["new.pdf", *WHO, "--participant", PARTICIPANT, "--site", "SA-01"], "SCOPE", 2),
        (["new.pdf", "--to", "nobody", "--role", "investigator"], "PERSON_UNKNOWN", 1),
    ],
)
def test_what_is_asked_wrongly_is_said(
    place: Path,
    copied: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: str,
    exit_code: int,
) -> None:
    """A place that is taken, a form that there is not, two scopes, nobody: each has its code."""
    out = copied.parent / arguments[0]
    before = out.read_bytes() if out.exists() else None
    assert run(["copy", str(place), str(out), *arguments[1:]]) == exit_code
    assert code in capsys.readouterr().err
    assert (out.read_bytes() if out.exists() else None) == before


def test_a_second_key_is_refused(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The key of documents is made once: KEY_FILE_EXISTS."""
    assert run(["copy-key", str(place), "--organisation", "Another"]) == 3
    assert "KEY_FILE_EXISTS" in capsys.readouterr().err
