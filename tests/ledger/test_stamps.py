"""Time stamps: asked of a real authority, judged by an anchor that is not the bundle's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.errors import FormatError, SignatureError, StoreError
from ledger.stamping.rfc3161 import check_stamp, post_over_http, read_anchor, stamp
from ledger.stamping.settings import read_timestamps
from ledger.verify.report import Report
from tests.authority import OPENSSL, Authority, make_authority, serving
from tests.ledger.forgery import Forgery
from tests.ledger.small_ledger import SmallLedger, make
from tests.ledger.verifying import found, judge, problems

pytestmark = pytest.mark.skipif(OPENSSL is None, reason="openssl is not there: no authority to ask")

NOTE = b"log.example/trial\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n\xe2\x80\x94 w AAAAAAA=\n"
OTHER = NOTE.replace(b"trial", b"other")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The authority that the auditor trusts."""
    return make_authority(tmp_path_factory.mktemp("tsa") / "tsa")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority of the same name that nobody trusts."""
    return make_authority(tmp_path_factory.mktemp("stranger") / "tsa")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallLedger]:
    """A small ledger."""
    ledger = make(tmp_path_factory.mktemp("ledger") / "d")
    yield ledger
    ledger.ledger.close()


def reply_of(authority: Authority) -> object:
    """Return a way to ask without a network."""
    return lambda _url, request: authority.reply(request)


def test_stamp_over_http(authority: Authority) -> None:
    """A stamp asked over HTTP says when, and holds over this checkpoint."""
    anchor = read_anchor(authority.anchor)
    with serving(authority) as url:
        response = stamp(NOTE, url, anchor, post_over_http)
    when = check_stamp(response, NOTE, anchor)
    assert when.startswith("20")
    assert when.endswith("Z")


def test_stamp_of_another_checkpoint(authority: Authority) -> None:
    """A stamp that was made for another checkpoint does not hold."""
    anchor = read_anchor(authority.anchor)
    response = stamp(OTHER, "", anchor, reply_of(authority))  # type: ignore[arg-type]
    with pytest.raises(SignatureError) as refused:
        check_stamp(response, NOTE, anchor)
    assert refused.value.code == "STAMP"


def test_stamp_of_a_stranger(authority: Authority, stranger: Authority) -> None:
    """An authority of the same name with keys of its own is not the one that is trusted."""
    response = stamp(NOTE, "", read_anchor(stranger.anchor), reply_of(stranger))  # type: ignore[arg-type]
    with pytest.raises(SignatureError) as refused:
        check_stamp(response, NOTE, read_anchor(authority.anchor))
    assert refused.value.code == "STAMP"
    mixed = (authority.place / "tsa.pem").read_bytes() + (stranger.place / "root.pem").read_bytes()
    with pytest.raises(SignatureError):
        check_stamp(response, NOTE, read_anchor(mixed))


def test_answer_to_another_request(authority: Authority) -> None:
    """An authority that answers an earlier request again is noticed by the nonce."""
    anchor = read_anchor(authority.anchor)
    earlier = stamp(NOTE, "", anchor, reply_of(authority))  # type: ignore[arg-type]
    with pytest.raises(SignatureError) as refused:
        stamp(NOTE, "", anchor, lambda _url, _request: earlier)
    assert refused.value.code == "STAMP"


@pytest.mark.parametrize("at", [0, 1, 20, 60, 200, -1, -40, -100])
def test_one_byte_changed(authority: Authority, at: int) -> None:
    """A changed byte of a stamp is found, or is one that says nothing of the stamp."""
    anchor = read_anchor(authority.anchor)
    response = bytearray(stamp(NOTE, "", anchor, reply_of(authority)))  # type: ignore[arg-type]
    response[at] ^= 1
    with pytest.raises(SignatureError) as refused:
        check_stamp(bytes(response), NOTE, anchor)
    assert refused.value.code == "STAMP"


def test_bytes_that_are_no_stamp(authority: Authority) -> None:
    """Whatever else stands in the place of a stamp is refused, never a crash."""
    anchor = read_anchor(authority.anchor)
    for junk in (b"", b"0", b"\x30\x80", bytes(200), b"x" * 200_000):
        with pytest.raises(SignatureError) as refused:
            check_stamp(junk, NOTE, anchor)
        assert refused.value.code == "STAMP"


def test_anchor_that_is_none(authority: Authority) -> None:
    """An anchor is the authority's certificate and a root at least."""
    for data in (b"", b"nonsense", (authority.place / "tsa.pem").read_bytes()):
        with pytest.raises(FormatError) as refused:
            read_anchor(data)
        assert refused.value.code == "TSA_ANCHOR"


def test_authority_that_does_not_answer() -> None:
    """Nobody there is an error with a code."""
    with pytest.raises(StoreError) as refused:
        post_over_http("http://127.0.0.1:9/tsa", b"x")
    assert refused.value.code == "TSA_UNREACHABLE"


def test_settings() -> None:
    """An address and a file of certificates, and nothing else."""
    assert (
        read_timestamps({"url": "https://tsa.example/", "certificates": "tsa.pem"}).certificates == "tsa.pem"
    )
    for wrong in ({}, {"url": "ftp://x", "certificates": "y"}, {"url": "https://x", "certificates": ""}, 1):
        with pytest.raises(FormatError) as refused:
            read_timestamps(wrong)
        assert refused.value.code == "CONFIG"


def stamped(made: SmallLedger, place: Path, authority: Authority, trusted: Authority | None) -> Report:
    """Verify an export with a stamp."""
    forgery = Forgery(made, place / "b")
    written = forgery.write(place / "w")
    note = (written / "checkpoint").read_bytes()
    response = stamp(note, "", read_anchor(authority.anchor), reply_of(authority))  # type: ignore[arg-type]
    (written / "checkpoint.tsr").write_bytes(response)
    return judge(written, made.policy, tsa=None if trusted is None else trusted.anchor)


def test_export_with_a_stamp(made: SmallLedger, tmp_path: Path, authority: Authority) -> None:
    """Under the auditor's authority the stamp holds, and the report says since when."""
    report = stamped(made, tmp_path, authority, authority)
    assert problems(report) == set()
    assert str(report.facts["stamped_at"]).startswith("20")
    assert found(report, "STAMP_UNJUDGED") == []


def test_export_with_a_stamp_of_a_stranger(
    made: SmallLedger, tmp_path: Path, authority: Authority, stranger: Authority
) -> None:
    """A stamp by somebody else than the auditor's authority speaks against integrity."""
    assert problems(stamped(made, tmp_path, stranger, authority)) == {"STAMP"}


def test_export_with_a_stamp_and_no_authority(
    made: SmallLedger, tmp_path: Path, authority: Authority
) -> None:
    """Without an authority the stamp is named as not judged; it never comes with its own."""
    report = stamped(made, tmp_path, authority, None)
    assert problems(report) == set()
    assert len(found(report, "STAMP_UNJUDGED")) == 1


def test_export_without_a_stamp(made: SmallLedger, tmp_path: Path, authority: Authority) -> None:
    """Who gives an authority is told that there is no stamp."""
    written = Forgery(made, tmp_path / "b").write(tmp_path / "w")
    report = judge(written, made.policy, tsa=authority.anchor)
    assert problems(report) == set()
    assert len(found(report, "STAMP_MISSING")) == 1
