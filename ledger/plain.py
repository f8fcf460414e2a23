"""The quick way through the bytes of a statement: what nearly all of them look like, taken at once.

`statement.parse_statement` judges any bytes, member by member, and says what is wrong with them. Nearly all
that it is given are right, and differ little from one another: the same people sign with the same keys, and
every member but `data` is of a narrow form. So the bytes are split here in three,

    {"actor":{…},"class":"open","data":  {…}  ,"id":"…","key":{…},"log":"…", … ,"v":1}

and the first part is looked up, the middle decoded as any canonical JSON, the last matched by one expression.
Each part is canonical by itself and the members stand in their order, so the whole is canonical, and no other
split of the same bytes could be. What is not of this form gives None, however good it is, and goes the long
way: nothing is refused here. What is taken here, the long way takes too, with the same values; a test holds
the one against the other on every mutation of statements of every type.
"""

from __future__ import annotations

import re
from binascii import a2b_base64
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import orjson

from ledger import canonical
from ledger.errors import FormatError
from ledger.frozen import made
from ledger.members import (
    ALGORITHMS,
    MEANINGS,
    Actor,
    KeyRef,
    Originator,
    Seen,
    read_actor,
    read_sealed,
    read_with,
)
from ledger.times import check_clinical, check_day

MAX_HEAD_BYTES: Final = 1_024
"""A longer head goes the long way, so that what is looked up stays small."""
_KEPT: Final = 1_024

_HEAD = re.compile(rb'\{"actor":(\{.*\}),"class":"(control|open|restricted)","data":')
_CLOCK: Final = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_DATE: Final = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TEXT: Final = r"[ !#-\[\]-~]{1,500}"
_ID: Final = "[A-Za-z0-9][A-Za-z0-9._-]{0,62}"
_TAIL = re.compile(
    ',"id":"([0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})"'
    ',"key":(\\{"alg":"[a-z0-9-]{1,16}","id":"sha256:[0-9a-f]{64}"\\})'
    ',"log":"([a-z0-9][a-z0-9.:/_-]{2,199})","meaning":"([a-z]{1,16})"'
    ',"occurred_at":"([0-9]{4}(?:-[0-9]{2}(?:-[0-9]{2}'
    f'(?:T{_CLOCK}:[0-5][0-9](?:\\.[0-9]{{1,6}})?(?:Z|(?!-00:00)[+-]{_CLOCK}))?)?)?)"'
    f'(?:,"originator":\\{{"id":"({_TEXT})","kind":"(person|participant|system|device)"'
    f'(?:,"source":"({_TEXT})")?\\}})?'
    f',"prev":"([0-9a-f]{{64}})"(?:,"protocol":"({_TEXT})")?'
    '(?:,"reason":\\{"code":"([a-z][a-z0-9_]{0,63})"\\})?,"schema":([1-9][0-9]{0,8})'
    '(?:,"sealed":(\\{[^{}]{1,8192}\\}))?'
    ',"seen":\\{"root":"([A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=)","size":(0|[1-9][0-9]{0,14})\\}'
    f',"seq":([1-9][0-9]{{0,14}}),"signed_at":"(({_DATE})T{_CLOCK}:[0-5][0-9]\\.[0-9]{{6}}Z)"'
    f'(?:,"site":"({_ID})")?'
    f',"stream":"((study|safety|(?:site|pharmacy|participant|person|randomization|access)/)({_ID})?)"'
    ',"tag":"([0-9a-f]{64})","type":"([a-z][a-z0-9_]*\\.[a-z][a-z0-9_]*)","v":1'
    '(?:,"with":(\\[[^\\[\\]]{1,1024}\\]))?\\}'
)
_TOP = re.compile(f"/data/{canonical.NAME_PATTERN}")
_DIGEST = re.compile("[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]")
_WHOLE: Final = ("study", "safety")
_OF_A_SITE: Final = ("site/", "pharmacy/")


def split(body: bytes, *, shaped: bool) -> tuple[Any, ...] | None:
    """Return what `whole` makes a statement's members of; None where it must go the long way.

    `shaped` leaves the shape of `data` to the caller, who reads it as a type that has only one.

    `cls` is what the bytes say: whether it is the class of this type and stream is for the caller to judge.
    """
    try:
        found = _cut(body)
        if found is None:
            return None
        match, start, end = found
        (
            id_, key, log, meaning, occurred_at, from_, from_kind, from_source, prev, protocol, reason,
            schema, sealed, root, size, seq, signed_at, signed_on, site, stream, kind, name, tag, type_,
            with_,
        ) = match.groups()  # fmt: skip
        actor, cls = _head(body[:start])
        canonical.check_text(body)
        data = canonical.decode_part(body[start:end])
        if not shaped:
            canonical.check_shape(data, level=2)
        _check_calendar(occurred_at)
        check_day(signed_on)
        if meaning not in MEANINGS or not _stands_right(kind, name, site):
            return None
        seq_ = int(seq)
        if (seq_ == 1) != (prev == _ZERO_HASH) or type(data) is not dict:
            return None
        given: Mapping[str, str] = {} if sealed is None else _sealed(sealed, data, reason)
        if ("/reason/text" in given) != (reason is not None):
            return None
        return (
            log, id_, type_, int(schema), cls, stream, tag, seq_, prev, site, protocol, occurred_at,
            signed_at, actor, from_ and (from_, from_kind, from_source), _key(key),
            () if with_ is None else _with(with_), meaning, reason,
            (a2b_base64(root), int(size)), data, given,
        )  # fmt: skip
    except (FormatError, UnicodeDecodeError):  # the latter from data that are no UTF-8
        return None


def whole(members: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return a statement's members, the first 22 of `Statement`'s, of what `split` gave.

    There the originator and `seen` are plain tuples: who only asks what a statement says needs no objects.
    """
    from_, seen = members[_FROM], members[_SEEN]
    return (
        *members[:_FROM], from_ and made(Originator, from_), *members[_FROM + 1 : _SEEN],
        made(Seen, seen), *members[_SEEN + 1 :],
    )  # fmt: skip


def load(body: bytes) -> tuple[Any, ...] | None:
    """Return the members of a statement that `split` has taken before, without judging them again."""
    found = _cut(body)
    if found is None:
        return None
    match, start, end = found
    (
        id_, key, log, meaning, occurred_at, from_, from_kind, from_source, prev, protocol, reason, schema,
        sealed, root, size, seq, signed_at, _, site, stream, _, _, tag, type_, with_,
    ) = match.groups()  # fmt: skip
    actor, cls = _head(body[:start])
    return (
        log, id_, type_, int(schema), cls, stream, tag, int(seq), prev, site, protocol, occurred_at,
        signed_at, actor, from_ and made(Originator, (from_, from_kind, from_source)), _key(key),
        () if with_ is None else _with(with_), meaning, reason,
        made(Seen, (a2b_base64(root), int(size))), orjson.loads(body[start:end]),
        {} if sealed is None else orjson.loads(sealed),
    )  # fmt: skip


def _cut(body: bytes) -> tuple[re.Match[str], int, int] | None:
    """Match everything after `data`; say where its value begins and ends."""
    start = body.find(b'"data":{') + 7
    end = body.rfind(b'},"id":"') + 1
    if not 7 < start < min(end, MAX_HEAD_BYTES):
        return None
    tail = body[end:]
    match = _TAIL.fullmatch(tail.decode()) if tail.isascii() else None
    return None if match is None else (match, start, end)


_ZERO_HASH: Final = "0" * 64
_FROM: Final = 14
_SEEN: Final = 19
_DAY_CHARACTERS: Final = len("YYYY-MM-DD")


@lru_cache(maxsize=_KEPT)
def _head(head: bytes) -> tuple[Actor, str]:
    """Read everything before the value of `data`. Few people sign often."""
    match = _HEAD.fullmatch(head)
    if match is None:
        raise FormatError("STATEMENT", "expected the plain form")
    return read_actor(canonical.decode(match[1])), match[2].decode()


@lru_cache(maxsize=_KEPT)
def _key(fragment: str) -> KeyRef:
    key = orjson.loads(fragment)
    if key["alg"] not in ALGORITHMS:
        raise FormatError("STATEMENT", "expected the plain form")
    return KeyRef(alg=key["alg"], id=key["id"])


def _check_calendar(clinical: str) -> None:
    """Refuse a clinical time of the right digits on a day, or in a month, that the calendar does not have."""
    if len(clinical) < _DAY_CHARACTERS:
        check_clinical(clinical)
    else:
        check_day(clinical[:_DAY_CHARACTERS])


def _with(fragment: str) -> tuple[KeyRef, ...]:
    return read_with({"with": canonical.decode(fragment.encode())})


def _sealed(fragment: str, data: dict[str, Any], reason: str | None) -> Mapping[str, str]:
    """Read the digests; their keys are pointers, which nowhere else are keys."""
    given: Any = canonical.decode_part(fragment.encode())
    for pointer, digest in given.items():
        if _TOP.fullmatch(pointer) is None or pointer[6:] in data:
            break
        if type(digest) is not str or _DIGEST.fullmatch(digest) is None:
            break
    else:
        if given:
            return given  # type: ignore[no-any-return]
    whole = {"sealed": given, "data": data}
    return read_sealed(whole if reason is None else {**whole, "reason": {"code": reason}})


def _stands_right(kind: str, name: str | None, site: str | None) -> bool:
    """Tell whether a stream has a name exactly where its kind has one, and a site where its kind asks."""
    if kind in _WHOLE:
        return name is None and site is None
    if name is None:
        return False
    if kind in _OF_A_SITE:
        return site == name
    return (site is not None) == (kind == "participant/")
