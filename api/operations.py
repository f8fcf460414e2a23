"""What an operation of the HTTP interface declares: its address, its parameters, its answers.

Routing, the table of roles, the OpenAPI document and the tests all go by these declarations, so an operation
that is not declared does not exist and one that is declared is documented.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from starlette.responses import Response

if TYPE_CHECKING:
    from api.call import Call

BASE: Final = "/v1/studies/{study}"

Handler: TypeAlias = "Callable[[Call], Response] | Callable[[Call], Awaitable[Response]]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A path, query or header parameter, with its JSON Schema; one of the path is always required."""

    name: str
    text: str
    where: str = "query"
    required: bool = False
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string", "minLength": 1})


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation.

    Attributes:
        name: its operation id, and its row in the table of roles (`auth`).
        path: below the study's base, or below the root where `in_study` is False.
        twins: further formats, each at the path with that suffix.
        answers: what the statuses mean, those of every operation left out.
        body: media type and schema of the request's body.
        media: media type of the answer.
    """

    name: str
    method: str
    path: str
    summary: str
    handler: Handler
    text: str = ""
    parameters: tuple[Parameter, ...] = ()
    body: tuple[str, Mapping[str, Any]] | None = None
    answers: Mapping[int, str] = field(default_factory=lambda: {200: "the answer"})
    media: str = "application/json"
    twins: tuple[str, ...] = ()
    in_study: bool = True

    @property
    def address(self) -> str:
        """The whole path."""
        return f"{BASE}{self.path}" if self.in_study else self.path


def path(name: str, text: str) -> Parameter:
    """Declare a path parameter."""
    return Parameter(name=name, text=text, where="path")


_INDEX: Final = "0|[1-9][0-9]{0,14}"  # each of these is below 2^53, beyond which there is no index
_PLACE: Final = "0|-?[1-9][0-9]{0,14}"
_CLOCK: Final = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_OF_DAY: Final = f"T{_CLOCK}:[0-5][0-9](?:[.][0-9]{{1,6}})?(?:Z|[+-]{_CLOCK})"
_TIME: Final = f"[0-9]{{4}}(?:-[0-9]{{2}}(?:-[0-9]{{2}}(?:{_OF_DAY})?)?)?"
_WRITTEN: Final = "written YYYY[-MM[-DD[Thh:mm:ss[.ffffff](Z|+hh:mm|-hh:mm)]]], + as %2B"
INDEX: Final[Mapping[str, Any]] = {"type": "string", "pattern": f"^(?:{_INDEX})$"}
"""An index of the log, decimal; where a text could be meant otherwise, it is given as a string."""
PLACE: Final[Mapping[str, Any]] = {"type": "string", "pattern": f"^(?:{_PLACE})$"}
"""An index of the log, or of an older one that it goes on from, whose entries stand below 0."""
PLACE_OR_TIME: Final[Mapping[str, Any]] = {"type": "string", "pattern": f"^(?:{_PLACE}|{_TIME})$"}
"""Such an index, or a time that may be partial."""
MOMENT: Final[Mapping[str, Any]] = {"type": "string", "pattern": f"^(?:{_INDEX}|{_TIME})$"}
"""An index, or a time that may be partial."""
CLINICAL: Final[Mapping[str, Any]] = {"type": "string", "pattern": f"^(?:{_TIME})$"}
SCOPE: Final[Mapping[str, Any]] = {"type": "string", "pattern": "^(?:study|(?:site|participant):.+)$"}

KNOWN: Final = Parameter(
    name="known",
    text=f"only leaves up to this index (inclusive) or recording time count, {_WRITTEN}; default: all",
    schema=MOMENT,
)
TRUE: Final = Parameter(
    name="true",
    text=f"the state at this clinical time, as known, {_WRITTEN}; default: none",
    schema=CLINICAL,
)
LIMIT: Final = Parameter(
    name="limit",
    text="at most so many rows on a page; of a CSV without it 5000",
    schema={"type": "integer", "minimum": 1, "maximum": 1000, "default": 100},
)
PURPOSE: Final = Parameter(
    name="purpose",
    text=(
        "why values sealed treatment or identity are asked for, a code such as accountability: they are "
        "opened where the reader's role sees them, after a record.viewed; default: they stay sealed"
    ),
    schema={"type": "string", "pattern": "^[a-z][a-z0-9_]{0,63}$"},
)
PARTICIPANT: Final = path("participant", "coded id of a participant")
