"""`sort`: by which column of an answer's rows a request wants them."""

from __future__ import annotations

from collections.abc import Collection

from api.call import Call
from api.problems import ProblemError
from ledger.errors import FormatError
from projections.ordering import Sort, parse_sort


def sort_of(call: Call, columns: Collection[str]) -> Sort | None:
    """Return what rows are to be sorted by; None where nobody asks.

    Raises:
        ProblemError: `SORT`, with the columns that there are.
    """
    given = call.query.get("sort")
    if given is None:
        return None
    try:
        return parse_sort(given, columns)
    except FormatError as error:
        raise ProblemError("SORT", 400, field="sort", members={"columns": list(columns)}) from error
