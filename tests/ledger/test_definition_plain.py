"""A definition as people write it: labelled, checked, published, and named by an action, by commands."""

from __future__ import annotations

import hashlib
import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import orjson
import pytest

from ledger import canonical
from ledger.cli.app import run
from ledger.errors import FormatError
from ledger.study.definition import load, published, sources
from ledger.study.plain import labelled, written

DEFINITIONS = Path(str(files("ledger.study") / "definitions"))
PLAIN = DEFINITIONS / "example.json"
REFERENCE = DEFINITIONS / "nct06414356.json"
SECRET = {
    "list": "main", "algorithm": "permuted-blocks/1", "strata": ["IN-01", "NZ-02"], "slots": 24,
    "arms": [{"arm": "all", "ratio": 1}], "first_day": -1, "last_day": 1, "block_sizes": [7, 11],
}  # fmt: skip


def plain(**members: Any) -> bytes:
    """Return the example with members of its own."""
    return json.dumps({**json.loads(PLAIN.read_bytes()), **members}).encode()


def said(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    """Run the command; return its exit code, output and errors."""
    code = run([str(each) for each in arguments])
    out, err = capsys.readouterr()
    return code, out, err


def test_every_value_gets_its_source_and_none_loses_it() -> None:
    """What was plain is labelled as stated; what was labelled stays, as the whole reference study does."""
    data = plain(title={"value": "A tablet", "source": "R"})
    found = sources(canonical.encode(labelled(data, "U")))
    assert found.pop("/title") == "R"
    assert set(found.values()) == {"U"}
    assert load(written(data)) == load(written(PLAIN.read_bytes()))
    assert written(REFERENCE.read_bytes()) == canonical.encode(json.loads(REFERENCE.read_bytes()))


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"planned_enrolment": "24"}, "/planned_enrolment"),
        ({"planned_enrolment": [1]}, "/planned_enrolment"),
        ({"colour": "blue"}, "/colour"),
        ({"sites": [{"id": "IN-01", "zone": "Asia/Nowhere", "name": "One"}]}, "/sites/0/zone"),
        ({"sites": {"id": "IN-01"}}, "/sites"),
        ({"sites": ["IN-01"]}, "/sites/0"),
        ({"masking": "open"}, "/masking"),
        ({"arms": 3}, "/arms"),
    ],
)
def test_what_is_wrong_is_named_where_it_was_written(members: dict[str, Any], field: str) -> None:
    """The place is that of the plain file too: labels add no step to it."""
    with pytest.raises(FormatError) as refused:
        load(written(plain(**members)))
    assert (refused.value.code, refused.value.field) == ("DEFINITION", field)


@pytest.mark.parametrize("data", [b"[]", b'"x"', b"{", b'{"a": 1.5}', b"\xff", b""])
def test_what_is_no_definition_is_refused(data: bytes) -> None:
    """An array, a text, half an object, a float, no UTF-8, nothing."""
    with pytest.raises(FormatError):
        load(written(data))


def test_a_definition_is_checked_labelled_and_published(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The calendar is shown, the published file lacks the block sizes, and both forms are one definition."""
    (tmp_path / "d.json").write_bytes(plain(randomization=SECRET))
    code, out, _ = said(capsys, "definition", "check", tmp_path / "d.json")
    assert code == 0
    assert "IN-01 (Asia/Kolkata), NZ-02 (Pacific/Auckland)" in out
    assert ["week_4", "outcome", "29", "-3", "+3", "yes", "ecog"] in [
        line.split() for line in out.splitlines()
    ]
    code, out, _ = said(capsys, "definition", "publish", tmp_path / "d.json", tmp_path / "p.json", "--json")
    content = (tmp_path / "p.json").read_bytes()
    assert json.loads(out)["sha256"] == hashlib.sha256(content).hexdigest()
    assert b"block_sizes" not in content
    assert published(content) == content
    assert (
        said(capsys, "definition", "label", tmp_path / "d.json", tmp_path / "l.json", "--source", "R")[0] == 0
    )
    assert set(sources((tmp_path / "l.json").read_bytes()).values()) == {"R"}
    assert load((tmp_path / "l.json").read_bytes()) == load(written(plain(randomization=SECRET)))
    checked = [
        said(capsys, "definition", "check", tmp_path / name, "--json")[1] for name in ("d.json", "p.json")
    ]
    assert checked[0] == checked[1]


@pytest.mark.parametrize("command", ["check", "label", "publish"])
def test_a_fault_leaves_nothing_behind(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, command: str
) -> None:
    """One line with the place; a file that is there is not written over."""
    (tmp_path / "d.json").write_bytes(plain(visits=[]))
    to = [] if command == "check" else [tmp_path / "out.json"]
    code, out, err = said(capsys, "definition", command, tmp_path / "d.json", *to)
    assert (code, out) == (3, "")
    assert "/visits" in err
    assert not (tmp_path / "out.json").exists()
    code, _, err = said(capsys, "definition", command, tmp_path / "none.json", *to)
    assert (code, "none.json" in err) == (3, True)
    if to:
        to[0].write_text("mine")
        assert said(capsys, "definition", command, PLAIN, *to)[0] == 1
        assert to[0].read_text() == "mine"


@pytest.fixture
def begun(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """A new ledger of the example, with an administrator `ada` whose key file lies beside it."""
    place = tmp_path / "tab"
    root = ["--person", "root1", "--name", "Rosa Holder", "--organisation", "Sponsor", "--plain-keys"]
    assert said(capsys, "init", place, "--study", PLAIN, *root)[0] == 0
    _, key, _ = said(capsys, "keys", "make", tmp_path / "ada.json", "--person", "ada", "--plain")
    about = {"stream": "person/ada", "role": "root"}
    account = {"person": "ada", "name": "Ada Okafor", "organisation": "Sponsor"}
    verified = {"person": "ada", "by": "root1", "method": "in person", "document": "passport"}
    enrolled = {"key": json.loads(key), "evidence": {"kind": "signed-form", "sha256": "0" * 64}}
    granted = {"person": "ada", "role": "sponsor_administrator", "sites": ["*"], "blinded": False}
    steps: tuple[tuple[str, str, dict[str, Any], list[str | Path]], ...] = (
        ("account.created", "approval", account, []),
        ("identity.verified", "verification", verified, []),
        ("key.enrolled", "approval", enrolled, ["--with", tmp_path / "ada.json"]),
        ("role.granted", "approval", granted, []),
    )
    for type_, meaning, data, more in steps:
        action = {**about, "type": type_, "meaning": meaning, "data": data}
        assert act(capsys, place, place / "keys" / "root1.json", action, *more)[0] == 0
    letter = {"person": "ada", "letter": "LNR-1", "version": "1"}
    acknowledged = {
        "type": "esignature_policy.acknowledged", "stream": "person/ada", "role": "sponsor_administrator",
        "meaning": "responsibility", "data": letter,
    }  # fmt: skip
    assert act(capsys, place, tmp_path / "ada.json", acknowledged)[0] == 0
    return place


def act(
    capsys: pytest.CaptureFixture[str], place: Path, key: Path, action: dict[str, Any], *more: str | Path
) -> tuple[int, str, str]:
    """Record an action by the command."""
    path = place.parent / "action.json"
    path.write_bytes(orjson.dumps(action))
    return said(capsys, "record", place, path, "--key", key, *more)


APPROVED: dict[str, Any] = {
    "type": "protocol.approved", "stream": "study", "role": "sponsor_administrator", "meaning": "approval",
    "data": {"version": "1.0", "irb_reference": "EC-7", "reconsent": False},
}  # fmt: skip


def test_a_protocol_is_approved_by_its_published_file(
    begun: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The file is named at its place by the command; one with the block sizes is not let out."""
    ada, whole, out = tmp_path / "ada.json", tmp_path / "d.json", tmp_path / "p.json"
    whole.write_bytes(plain(randomization=SECRET))
    code, _, err = act(capsys, begun, ada, APPROVED, "--attach", f"/data/definition={whole}")
    assert (code, "BLOCK_SIZES" in err, "/data/definition" in err) == (1, True, True)
    assert said(capsys, "definition", "publish", whole, out)[0] == 0
    code, _, err = act(capsys, begun, ada, APPROVED, "--attach", f"/data/definition={out}")
    assert code == 0, err
    assert hashlib.sha256(out.read_bytes()).hexdigest() in err


@pytest.mark.parametrize("place", ["/data/none/definition", "/data/version", "/data/irb_reference/x"])
def test_a_place_that_the_action_does_not_have_is_named(
    begun: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path, place: str
) -> None:
    """Nothing is attached and nothing recorded."""
    code, _, err = act(capsys, begun, tmp_path / "ada.json", APPROVED, "--attach", f"{place}={PLAIN}")
    assert code != 0
    assert place in err
    assert "attached" not in err
