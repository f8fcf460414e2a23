"""One request on its way in: which study, which reader, which parameters. Strict, and nothing is read yet."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request

from api import auth
from api.head_requests import is_head
from api.identity import Asking
from api.inspecting import inspected
from api.operations import Operation
from api.problems import ProblemError
from api.study import ServedStudy
from ledger.errors import FormatError
from ledger.identity.sessions import Session
from ledger.lines import parse_decimal
from projections.reader import Reader

DEFAULT_LIMIT: Final = 100
MAX_LIMIT: Final = 1_000
CSV_LIMIT: Final = 5_000
"""Rows of a CSV whose limit is not said: it is opened where no link leads to a next page."""

_CODE = re.compile(r"[a-z][a-z0-9_]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request that may be answered.

    Attributes:
        twin: format that the address asks for by its suffix, None for the plain address.
        asking: what the request brings, for operations that are about that itself.
    """

    request: Request
    operation: Operation
    twin: str | None
    query: Mapping[str, str]
    served: ServedStudy | None
    who: Reader | None
    asking: Asking

    @property
    def session(self) -> Session | None:
        """The session that the request came in; None for a service's token, or where nobody has to ask."""
        return self.asking.session

    @property
    def head_only(self) -> bool:
        """Whether nothing but the headers of the answer is wanted: nobody is shown anything then."""
        return is_head(self.request)

    @property
    def study(self) -> ServedStudy:
        """The study, for an operation that stands in one."""
        assert self.served is not None  # noqa: S101  `enter` found it
        return self.served

    @property
    def reader(self) -> Reader:
        """The reader, for an operation that the table of roles does not open to anybody."""
        assert self.who is not None  # noqa: S101  `enter` asked for one
        return self.who

    def path(self, name: str) -> str:
        """Return a path parameter."""
        return str(self.request.path_params[name])

    def purpose(self) -> str | None:
        """Return what the reader wants sealed values for; None where they ask for none, or to see nothing.

        Raises:
            ProblemError: `QUERY`.
        """
        given = self.query.get("purpose")
        if given is not None and _CODE.fullmatch(given) is None:
            raise ProblemError("QUERY", 400, field="purpose")
        return None if self.head_only else given

    def limit(self, default: int = DEFAULT_LIMIT) -> int:
        """Return how many rows a page may have.

        Raises:
            ProblemError: `QUERY`.
        """
        if "limit" not in self.query:
            return CSV_LIMIT if self.twin == "csv" else default
        number = self.number("limit", default)
        if not 1 <= number <= MAX_LIMIT:
            raise ProblemError("QUERY", 400, field="limit")
        return number

    def number(self, name: str, default: int) -> int:
        """Return a decimal query parameter.

        Raises:
            ProblemError: `QUERY`.
        """
        text = self.query.get(name)
        if text is None:
            return default
        try:
            return parse_decimal(text, what=name, code="QUERY")
        except FormatError as error:
            raise ProblemError("QUERY", 400, field=name) from error

    def place(self, name: str) -> int | None:
        """Return a query parameter that is an index, below 0 for one of an older log; None without it.

        Raises:
            ProblemError: `QUERY`.
        """
        text = self.query.get(name, "")
        if not text.startswith("-"):
            return self.number(name, 0) if name in self.query else None
        try:
            below = parse_decimal(text[1:], what=name, code="QUERY")
        except FormatError as error:
            raise ProblemError("QUERY", 400, field=name) from error
        if below == 0:
            raise ProblemError("QUERY", 400, field=name)
        return -below


def enter(request: Request, operation: Operation, twin: str | None) -> Call:
    """Find the study, the reader and the parameters of a request.

    Raises:
        ProblemError: `UNKNOWN_STUDY`, `UNAUTHENTICATED`, `FORBIDDEN`, `INSPECTION_NOT_OPEN` or `QUERY`.
    """
    served: ServedStudy | None = None
    if operation.in_study:
        served = request.app.state.studies.get(request.path_params["study"])
        if served is None:
            raise ProblemError("UNKNOWN_STUDY", 404)
        request.state.study = served
    asking = Asking(request, served)
    reader = auth.permit(operation.name, asking)
    if served is not None and reader is not None:
        served, reader = inspected(served, reader, operation.name)
        request.state.study = served
    return Call(
        request=request,
        operation=operation,
        twin=twin,
        query=_query(request, operation, twin),
        served=served,
        who=reader,
        asking=asking,
    )


def _query(request: Request, operation: Operation, twin: str | None) -> dict[str, str]:
    """Return the parameters, each known and given once. A page's form sends empty fields too: no values."""
    known = {each.name for each in operation.parameters if each.where == "query"}
    given: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name not in known:
            raise ProblemError("QUERY", 400)
        if not value and twin == "html":
            continue
        if name in given or not value:
            raise ProblemError("QUERY", 400, field=name)
        given[name] = value
    return given
