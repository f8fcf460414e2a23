"""The constraints that fields of actions are annotated with, and the parts that many actions share.

Quantities are decimal strings with a UCUM unit, kept as entered; clinical times may be partial and are never
padded (record-format.md §1); a `Hash` names bytes, an `EventRef` an earlier statement. Every free text is
sealed: what stands here as plain text (`Name`) is a label, a title or a reference, one line long.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Final, Literal, TypeVar

from ledger.actions.shapes import Kind, kind_of, list_kind, mismatch
from ledger.errors import FormatError
from ledger.roles import Role as Role
from ledger.roles import Scope
from ledger.times import check_clinical

T = TypeVar("T")

MAX_ATTACHMENT_BYTES: Final = 8 * 1024 * 1024
MAX_INTEGER: Final = 2**53 - 1


@dataclass(frozen=True, slots=True)
class Matches:
    """A string that matches the whole pattern; `what` says it in words, `mark` is a member of its schema."""

    pattern: str
    what: str
    mark: str | None = None

    def narrow(self, base: Any) -> Kind:
        match = re.compile(self.pattern, re.ASCII).fullmatch
        what = self.what

        def read(value: Any) -> str:
            if type(value) is not str or match(value) is None:
                raise mismatch(what)
            return value

        schema: dict[str, Any] = {"type": "string", "pattern": f"^(?:{self.pattern})$"}
        if self.mark is not None:
            schema[self.mark] = True
        return Kind(read=read, write=None, schema=schema, short=True)


@dataclass(frozen=True, slots=True)
class Length:
    """A text of 1 to `maximum` characters; of one line unless `lines`."""

    maximum: int
    lines: bool = False

    def narrow(self, base: Any) -> Kind:
        maximum, lines = self.maximum, self.lines
        what = f"a text of 1 to {maximum} characters" + ("" if lines else " in one line")

        def read(value: Any) -> str:
            if type(value) is not str or not 0 < len(value) <= maximum:
                raise mismatch(what)
            if not lines and ("\n" in value or "\t" in value):
                raise mismatch(what)
            return value

        return Kind(read=read, write=None, schema={"type": "string", "minLength": 1, "maxLength": maximum})


@dataclass(frozen=True, slots=True)
class Between:
    """An integer from `minimum` to `maximum`."""

    minimum: int
    maximum: int = MAX_INTEGER

    def narrow(self, base: Any) -> Kind:
        low, high = self.minimum, self.maximum
        what = f"an integer from {low} to {high}"

        def read(value: Any) -> int:
            if type(value) is not int or not low <= value <= high:
                raise mismatch(what)
            return value

        return Kind(read=read, write=None, schema={"type": "integer", "minimum": low, "maximum": high})


@dataclass(frozen=True, slots=True)
class Items:
    """A list of `minimum` to `maximum` items, in which nothing stands twice if `unique`."""

    minimum: int
    maximum: int = 256
    unique: bool = False

    def narrow(self, base: Any) -> Kind:
        item = kind_of(base.__args__[0])
        return list_kind(item, self.minimum, self.maximum, unique=self.unique)


@dataclass(frozen=True, slots=True)
class ClinicalTime:
    """A clinical time; `day` asks for a day at least."""

    day: bool = False

    def narrow(self, base: Any) -> Kind:
        shortest = len("YYYY-MM-DD") if self.day else len("YYYY")
        what = "a date, or a time with its offset" if self.day else "a clinical time, which may be partial"

        def read(value: Any) -> str:
            if type(value) is not str or len(value) < shortest:
                raise mismatch(what)
            try:
                check_clinical(value)
            except FormatError:
                raise mismatch(what) from None
            return value

        return Kind(read=read, write=None, schema={"type": "string", "description": what}, short=True)


@dataclass(frozen=True, slots=True)
class CalendarDate:
    """A full date, `YYYY-MM-DD`."""

    def narrow(self, base: Any) -> Kind:
        match = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}").fullmatch

        def read(value: Any) -> str:
            if type(value) is not str or match(value) is None:
                raise mismatch("a date YYYY-MM-DD")
            try:
                date.fromisoformat(value)
            except ValueError:
                raise mismatch("a date that the calendar has") from None
            return value

        return Kind(read=read, write=None, schema={"type": "string", "format": "date"})


@dataclass(frozen=True, slots=True)
class Base64Bytes:
    """`minimum` to `maximum` bytes in base64 with padding and zero trailing bits."""

    minimum: int
    maximum: int

    def narrow(self, base: Any) -> Kind:
        low, high = self.minimum, self.maximum
        what = f"{low} bytes in base64" if low == high else f"{low} to {high} bytes in base64"

        def read(value: Any) -> str:
            if type(value) is not str or len(value) > 4 * ((high + 2) // 3):
                raise mismatch(what)
            try:
                raw = base64.b64decode(value, validate=True)
            except (binascii.Error, ValueError):
                raise mismatch(what) from None
            if not low <= len(raw) <= high or base64.b64encode(raw).decode() != value:
                raise mismatch(what)
            return value

        return Kind(read=read, write=None, schema={"type": "string", "contentEncoding": "base64"})


@dataclass(frozen=True, slots=True)
class Sealed:
    """Marks a field that is sealed in a scope: absent from plain `data`, None until it is opened.

    A sealed field that holds nothing is sealed as null (record-format.md §7), unless it is `required`.
    The scope `target` stands for that of the value which a correction corrects.
    """

    scope: Scope | Literal["target"]
    required: bool = False


# Names and references. A label can be the id in a stream's name (record-format.md §2).
Code = Annotated[str, Matches(r"[a-z][a-z0-9_]{0,63}", "a code: a lower-case word of a-z, 0-9, _")]
Label = Annotated[str, Matches(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", "a label of letters, digits, . _ -")]
PersonId = Label
ParticipantId = Label
SiteId = Label
VisitId = Label
ListName = Label
Name = Annotated[str, Length(200)]
FreeText = Annotated[str, Length(4000, lines=True)]
SiteOrAll = Annotated[str, Matches(r"\*|[A-Za-z0-9][A-Za-z0-9._-]{0,62}", "a site, or * for every site")]
TypeName = Annotated[str, Matches(r"[a-z][a-z0-9_]{0,63}\.[a-z][a-z0-9_]{0,63}", "an action type")]
RuleCode = Annotated[str, Matches(r"[A-Z][A-Z0-9_]{0,63}", "the code of a rule")]
Language = Annotated[str, Matches(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}", "a language tag")]
Origin = Annotated[str, Matches(r"[a-z0-9][a-z0-9.:/_-]{2,199}", "an origin")]
MediaType = Annotated[
    str, Matches(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,63}/[a-z0-9][a-z0-9!#$&^_.+-]{0,63}", "a media type")
]

# Hashes, keys and bytes.
Hash = Annotated[str, Matches(r"[0-9a-f]{64}", "64 lower-case hex digits")]
EventRef = Annotated[str, Matches(r"[0-9a-f]{64}", "an event hash: 64 lower-case hex digits", "x-event")]
KeyId = Annotated[str, Matches(r"sha256:[0-9a-f]{64}", "a key id: sha256: and 64 lower-case hex digits")]
Digest = Annotated[str, Matches(r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]", "a SHA-256 digest in base64url")]
Bytes32 = Annotated[str, Base64Bytes(32, 32)]
Spki = Annotated[str, Base64Bytes(32, 4096)]
VerifierKeyLine = Annotated[
    str, Matches(r"[!-*,-~]{1,200}\+[0-9a-f]{8}\+[A-Za-z0-9+/]{4,4000}={0,2}", "a verifier key")
]

# Numbers. A decimal is a string, kept as entered, with no minus before zero.
Count = Annotated[int, Between(0)]
Positive = Annotated[int, Between(1)]
LogIndex = Annotated[int, Between(0)]
Decimal = Annotated[
    str, Matches(r"(?!-0(?:\.0+)?$)-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,18})?", "a decimal string")
]
Amount = Annotated[
    str, Matches(r"(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,18})?", "a decimal string that is not negative")
]
# UCUM case-sensitive codes are printable ASCII without a space (UCUM §1).
Unit = Annotated[str, Matches(r"[!-~]{1,32}", "a UCUM unit")]

# Times.
Clinical = Annotated[str, ClinicalTime()]
DayOrTime = Annotated[str, ClinicalTime(day=True)]
Date = Annotated[str, CalendarDate()]

Some = Annotated[tuple[T, ...], Items(1)]
Distinct = Annotated[tuple[T, ...], Items(0, unique=True)]
SomeDistinct = Annotated[tuple[T, ...], Items(1, unique=True)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """A number with its unit, which may be below zero: a temperature, a laboratory value."""

    value: Decimal
    unit: Unit

    def __str__(self) -> str:
        return f"{self.value} {self.unit}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A quantity that cannot be below zero: a volume, a rate, a weight, a dose."""

    value: Amount
    unit: Unit

    def __str__(self) -> str:
        return f"{self.value} {self.unit}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """Bytes that are kept and exported beside the statement (record-format.md §4)."""

    media_type: MediaType
    sha256: Hash
    size: Annotated[int, Between(0, MAX_ATTACHMENT_BYTES)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a datum was first written down (catalogue, head; FDA 2024 Q20)."""

    kind: Literal["esource", "paper", "ehr", "device", "participant"]
    reference: Name | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PerformedOutside:
    """Why a gate was passed outside the system, and where that was written down (catalogue R6)."""

    why: Literal["paper", "outage", "emergency"]
    source: Source


def check_sites(sites: tuple[str, ...]) -> None:
    """Require `*` to stand alone."""
    if "*" in sites and len(sites) > 1:
        raise mismatch("either sites or * alone", "/sites")
