"""Other bytes for the same meaning, and bytes that two readers read differently (record-format.md §1, §2)."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from ledger.envelope import event_hash
from tests.attacks.assertions import assert_only
from tests.attacks.mutators_log import Check, copied, sign_again, training, vitals
from tests.ledger.forgery import Forgery, key_of
from tests.ledger.small_ledger import SmallLedger
from tests.ledger.verifying import judge, problems

Trick = Callable[[bytes], bytes] | tuple[bytes, bytes]
TOPIC = rb'"topic":"protocol"'
SIGNED = rb'"signed_at":"[^"]*"'
SALT = rb':"[0-9a-f]{64}"'


def bent(data: bytes, trick: Trick) -> bytes:
    """Change bytes by a function, or by replacing the first match of a pattern, which has to be there."""
    if callable(trick):
        return trick(data)
    pattern, text = trick
    changed, count = re.subn(pattern, lambda _: text, data, count=1)
    assert count == 1
    return changed


def actor_last(body: bytes) -> bytes:
    """Put the first member of a statement behind all others."""
    first, rest = body[1:].split(b"},", 1)
    return b"{" + rest[:-1] + b"," + first + b"}}"


TRICKS: dict[str, Trick] = {
    "space": (rb":", b": "),
    "leading space": lambda body: b" " + body,
    "byte order mark": lambda body: b"\xef\xbb\xbf" + body,
    "key twice": (rb'"meaning":"verification"', b'"meaning":"approval","meaning":"verification"'),
    "keys unsorted": actor_last,
    "escaped letter": (rb'"topic"', b'"t\\u006fpic"'),
    "escaped slash": (rb'"person/bchan"', b'"person\\/bchan"'),
    "upper-case escape": (rb'"protocol"\}', b'"\\u00C9"}'),
    "decomposed accent": (TOPIC, '"topic":"e\u0301"'.encode()),
    "zero width space": (TOPIC, '"topic":"pro\u200btocol"'.encode()),
    "right to left": (TOPIC, '"topic":"\u202eprotocol"'.encode()),
    "line separator": (TOPIC, '"topic":"a\u2028b"'.encode()),
    "control": (TOPIC, b'"topic":"a\\u0000b"'),
    "delete": (TOPIC, b'"topic":"a\x7fb"'),
    "unassigned": (TOPIC, '"topic":"\u0378"'.encode()),
    "lone surrogate": (TOPIC, b'"topic":"\\ud800"'),
    "surrogate in UTF-8": (TOPIC, b'"topic":"\xed\xa0\x80"'),
    "overlong UTF-8": (TOPIC, b'"topic":"\xc0\xaf"'),
    "float": (rb'"v":1', b'"v":1.0'),
    "exponent": (rb'"v":1', b'"v":1e0'),
    "minus zero": (rb'"schema":1', b'"schema":-0'),
    "leading zero": (rb'"schema":1', b'"schema":01'),
    "huge integer": (rb'"seq":\d+', b'"seq":9007199254740993'),
    "NaN": (rb'"schema":1', b'"schema":NaN'),
    "true for one": (rb'"v":1', b'"v":true'),
    "null for absent": (rb'"stream"', b'"site":null,"stream"'),
    "text for a number": (rb'"seq":\d+', b'"seq":"7"'),
    "member more": (rb'"v":1', b'"v":1,"z":1'),
    "inner member more": (rb'"role":"root"', b'"role":"root","title":"Dr"'),
    "member less": (rb',"v":1', b""),
    "key in capitals": (rb'"topic"', b'"Topic"'),
    "deep": (TOPIC, b'"topic":' + b"[" * 40 + b"]" * 40),
    "very deep": lambda body: b"[" * 30_000,
    "too long": (TOPIC, b'"topic":"' + b"x" * 33_000 + b'"'),
    "array": lambda body: b"[" + body + b"]",
    "two documents": lambda body: body + body,
    "cut": lambda body: body[:-1],
    "comment": lambda body: body[:-1] + b"/**/}",
    "trailing comma": lambda body: body[:-1] + b",}",
    "time without fraction": (SIGNED, b'"signed_at":"2024-06-03T10:00:52Z"'),
    "time of another zone": (SIGNED, b'"signed_at":"2024-06-03T12:00:52.000000+02:00"'),
    "leap second": (SIGNED, b'"signed_at":"2024-06-03T10:00:60.000000Z"'),
    "date that there is not": (rb'"occurred_at":"[^"]*"', b'"occurred_at":"2024-02-30"'),
    "minus zero zone": (rb'"occurred_at":"[^"]*"', b'"occurred_at":"2024-06-03T10:00-00:00"'),
    "id in capitals": (rb'"id":"0199f0c2', b'"id":"0199F0C2'),
    "id of another version": (rb"-7c3e-", b"-4c3e-"),
    "hash in capitals": (rb'"prev":"[^"]*"', b'"prev":"' + b"AB" * 32 + b'"'),
    "base64 of another spelling": (rb'="', b'"'),
    "origin in capitals": (rb'"log":"ledger', b'"log":"Ledger'),
    "version two": (rb'"v":1', b'"v":2'),
}  # fmt: skip


@pytest.mark.parametrize("trick", TRICKS)
def test_statement_in_another_form(forged: Forgery, made: SmallLedger, check: Check, trick: str) -> None:
    """Signed well, in the log under its hash, and not in the one form: it is no statement."""
    at = forged.append(training(forged, made), [key_of("root")])
    body = bent(forged.payloads[at], TRICKS[trick])
    forged.payloads[at] = body
    forged.set_leaf(at, statement=event_hash(body))
    sign_again(forged, at, [key_of("root")])
    report = check(forged)
    assert problems(report) <= {"STATEMENT", "CLASS", "SITE"}
    assert report.first_index == at
    assert report.exit_code == 1


LEAF_TRICKS: dict[str, Trick] = {
    "space": (rb":", b": "),
    "newline": lambda leaf: leaf + b"\n",
    "key twice": (rb'"site":""', b'"site":"","site":""'),
    "escaped letter": (rb'"class"', b'"cl\\u0061ss"'),
    "float": (rb'"index":\d+', b'"index":51.0'),
    "exponent": (rb'"index":\d+', b'"index":51e0'),
    "leading zero": (rb'"index":\d+', b'"index":051'),
    "true for one": (rb'"v":1', b'"v":true'),
    "member more": (rb'"v":1', b'"v":1,"w":1'),
    "member less": (rb',"v":1', b""),
    "null for a text": (rb'"site":""', b'"site":null'),
    "hash in capitals": (rb'"statement":"[^"]*"', b'"statement":"' + b"AB" * 32 + b'"'),
    "time without fraction": (rb'"at":"[^"]*"', b'"at":"2024-06-03T10:00:38Z"'),
    "not JSON": lambda leaf: b"leaf",
    "empty": lambda leaf: b"",
    "too long": (rb'"site":""', b'"site":"' + b"x" * 64_000 + b'"'),
    "very deep": lambda leaf: b"[" * 60_000,
}  # fmt: skip


@pytest.mark.parametrize("trick", LEAF_TRICKS)
def test_leaf_in_another_form(forged: Forgery, made: SmallLedger, check: Check, trick: str) -> None:
    """A leaf in another form is no leaf, although the log's tree has it."""
    at = forged.append(training(forged, made), [key_of("root")])
    forged.leaves[at] = bent(forged.leaves[at], LEAF_TRICKS[trick])
    report = check(forged)
    assert_only(report, "LEAF", at)


def backwards(data: bytes) -> bytes:
    """Turn the order of the lines round."""
    return b"".join(reversed(data.splitlines(keepends=True)))


SIDE_FILES: dict[str, tuple[str, Trick]] = {
    "scope with a space": ("scope.json", (rb":", b": ")),
    "scope with a line feed": ("scope.json", lambda data: data + b"\n"),
    "scope with a key twice": ("scope.json", (rb'"kind":"study"', b'"kind":"site","kind":"study"')),
    "scope as an array": ("scope.json", lambda data: b"[]"),
    "salts in capitals": ("streams.json", (SALT, b':"' + b"AB" * 32 + b'"')),
    "salts short": ("streams.json", (SALT, b':"abcd"')),
    "salt of zeros": ("streams.json", (SALT, b':"' + b"00" * 32 + b'"')),
    "salts as an array": ("streams.json", lambda data: b"[]"),
    "stream twice": ("streams.json", (rb"^\{", b'{"participant/SA-01-001":"' + b"ab" * 32 + b'",')),
    "openings without LF": ("disclosures.jsonl", lambda data: data[:-1]),
    "openings with CRLF": ("disclosures.jsonl", lambda data: data.replace(b"\n", b"\r\n")),
    "openings in another order": ("disclosures.jsonl", backwards),
    "an opening twice": ("disclosures.jsonl", lambda data: data.split(b"\n")[0] + b"\n" + data),
    "an empty line": ("disclosures.jsonl", lambda data: b"\n" + data),
    "openings very deep": ("disclosures.jsonl", lambda data: b"[" * 100_000 + b"\n"),
    "withheld not JSON": ("withheld.jsonl", lambda data: b"x\n"),
}  # fmt: skip


@pytest.mark.parametrize("trick", SIDE_FILES)
def test_side_file_in_another_form(real: Forgery, made: SmallLedger, tmp_path: Path, trick: str) -> None:
    """The small files have one form too: no two readers read them differently."""
    name, change = SIDE_FILES[trick]
    place = copied(real).write(tmp_path / "b")
    (place / name).write_bytes(bent((place / name).read_bytes(), change))
    report = judge(place, made.policy)
    assert "FILE_FORM" in problems(report)
    assert report.exit_code == 1


def test_fact_in_another_form_changes_nothing(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """What is refused keeps its place in tree and stream, and what comes after it is judged without it."""
    at = forged.append(vitals(forged, made), [key_of("bchan")])
    body = forged.payloads[at].replace(b'"v":1', b'"v":2')
    forged.payloads[at] = body
    forged.set_leaf(at, statement=event_hash(body))
    sign_again(forged, at, [key_of("bchan")])
    forged.append(training(forged, made), [key_of("root")])
    assert_only(check(forged), "STATEMENT", at)
