"""Any other form: `participant/<id>` (catalogue F).

Per field, not per page: each field has its value and may have its own source, and a correction names one
field. Plain values are codes, decimals and dates; free text stands in one sealed list.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any

from ledger.actions.fields import Code, FreeText, Items, Label, Name, Sealed, Source, Unit, VisitId
from ledger.actions.registry import Effect, Fact, action, allow
from ledger.actions.shapes import Kind, mismatch
from ledger.errors import FormatError
from ledger.roles import BEDSIDE_STAFF
from ledger.times import check_clinical

_CODE_OR_DECIMAL = r"[a-z][a-z0-9_]{0,63}|(?!-0(?:\.0+)?$)-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,18})?"
_WHAT = "a code, a decimal string or a clinical time"


@dataclass(frozen=True, slots=True)
class PlainValue:
    """A code, a decimal or a clinical time, as a string: what can be told without words."""

    def narrow(self, base: Any) -> Kind:
        match = re.compile(_CODE_OR_DECIMAL, re.ASCII).fullmatch

        def read(value: Any) -> str:
            if type(value) is not str:
                raise mismatch(_WHAT)
            if match(value) is None:
                try:
                    check_clinical(value)
                except FormatError:
                    raise mismatch(_WHAT) from None
            return value

        return Kind(read=read, write=None, schema={"type": "string", "description": _WHAT}, short=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of a form; `source` where it is another than the form's."""

    field: Code
    value: Annotated[str, PlainValue()]
    unit: Unit | None = None
    source: Source | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """What was written in words in one field."""

    field: Code
    text: FreeText


@action(
    "form.recorded",
    effect=Effect.FACT,
    delegated=True,
    procedure=True,
    streams="participant",
    roles=allow((*BEDSIDE_STAFF, "blinded_rater"), "authorship"),
)
class FormRecorded(Fact):
    """A form that no other action stands for: value per field, texts sealed (catalogue F)."""

    form: Label
    version: Name
    fields: Annotated[tuple[Field, ...], Items(1, 256)]
    visit: VisitId | None = None
    texts: Annotated[Annotated[tuple[Text, ...], Items(1, 64)] | None, Sealed("freetext")] = None

    def check_form(self) -> None:
        if len({each.field for each in self.fields}) != len(self.fields):
            raise mismatch("each field once", "/fields")

    def describe(self) -> str:
        where = "" if self.visit is None else f" at visit {self.visit}"
        return f"Form {self.form} was recorded{where} with {len(self.fields)} fields."
