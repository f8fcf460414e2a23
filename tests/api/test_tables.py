"""Lists as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from api import columns
from api.tables import csv_text, names_of
from tests.api.client import BASE, PARTICIPANT, Site, bearer
from tests.api.marked_ledger import MARKS, ONE, marked, served


def test_nested_members_become_columns() -> None:
    """Objects become the dotted columns declared below them, lists one cell, nothing an empty one."""
    rows = [{"a": {"b": 1, "c": [1, 2]}, "d": None}, {"a": {"b": True}, "e": "x,y"}, {"a": None}]
    text = csv_text(("a.b", "a.c", "d", "e"), rows)
    assert list(csv.DictReader(io.StringIO(text))) == [
        {"a.b": "1", "a.c": "[1,2]", "d": "", "e": ""},
        {"a.b": "true", "a.c": "", "d": "", "e": "x,y"},
        {"a.b": "", "a.c": "", "d": "", "e": ""},
    ]


def test_no_cell_is_a_formula() -> None:
    """What a spreadsheet would run is written as text; a marker of a sealed value stays one cell."""
    text = csv_text(("a", "b", "c"), [{"a": "=1+1", "b": "-1.5", "c": {"sealed": "treatment"}}])
    assert text == "a,b,c\r\n'=1+1,-1.5,[sealed: treatment]\r\n"


def test_the_header_is_the_same_without_rows() -> None:
    """A reader of CSV finds its columns where nothing is listed."""
    assert csv_text(("a.b", "c"), []) == "a.b,c\r\n"


def test_an_open_value_has_the_column_of_a_sealed_one() -> None:
    """An object that somebody sees has no columns of its own: a header tells nothing of what is sealed."""
    told = [csv_text(("value",), [{"value": value}]) for value in ({"sealed": "treatment"}, {"mg": 35})]
    assert [text.splitlines()[0] for text in told] == ["value", "value"]


@pytest.mark.parametrize("row", [{"c": None}, {"a": {"c": 1}}, {"a": "b"}])
def test_a_member_without_a_column_is_a_defect(row: object) -> None:
    """Nothing that an answer has is left out of its CSV in silence."""
    with pytest.raises(ValueError, match="expected no member"):
        csv_text(("a.b",), [row])  # type: ignore[list-item]


def test_rows_have_the_members_of_their_columns() -> None:
    """The heading of a page is that of the member."""
    assert names_of(("a.b", "a.c", "d")) == ["a", "d"]


EMPTY = (
    ("/participants", "?after=ZZ", columns.PARTICIPANTS),
    (f"/participants/{PARTICIPANT}/timeline", "?true=1999", columns.TIMELINE),
    ("/projections/breaches", "?known=0", columns.BREACHES),
    ("/authorization/attempts", "", columns.ATTEMPTS),
)
FULL = (
    ("/participants", "", columns.PARTICIPANTS),
    (f"/participants/{PARTICIPANT}/timeline", "", columns.TIMELINE),
    (f"/participants/{PARTICIPANT}/history/vital_signs.recorded/data/measurements", "", columns.HISTORY),
    ("/projections/breaches", "", columns.BREACHES),
    ("/projections/enrolment", "", columns.ENROLMENT),
    ("/projections/enrolment", "?known=0", columns.ENROLMENT),
)


@pytest.mark.parametrize(("path", "query", "declared"), [*EMPTY, *FULL])
def test_every_table_has_its_header(own_site: Site, path: str, query: str, declared: tuple[str, ...]) -> None:
    """The declared columns in their order, with rows and without."""
    if (path, query, declared) in FULL:
        own_site.hand_in(own_site.vitals())
    answer = own_site.get(f"{path}.csv{query}", "auditor")
    assert answer.status_code == 200, answer.text
    header, *rows = csv.reader(io.StringIO(answer.text))
    assert tuple(header) == declared
    assert bool(rows) == ((path, query, declared) in FULL)


@pytest.mark.parametrize("path", ["/audit-trail", "/projections/dosing", "/projections/queries"])
def test_a_report_or_trail_without_rows_has_its_header(own_site: Site, path: str) -> None:
    """The trail and reports of what has not happened."""
    query = "?type=death.reported" if path == "/audit-trail" else ""
    answer = own_site.get(f"{path}.csv{query}", "auditor")
    assert answer.status_code == 200
    header, *rows = csv.reader(io.StringIO(answer.text))
    assert len(header) > 3
    assert rows == []


@pytest.fixture(scope="module")
def marks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A ledger with a value that one role sees and another does not."""
    made = marked(tmp_path_factory.mktemp("marked") / "ledger")
    with served(made) as http:
        yield http
    made.ledger.close()


def test_a_desk_without_keys_has_its_header(marks: TestClient) -> None:
    """Keys that wait to be enrolled: none yet, and still a table."""
    answer = marks.get(f"{BASE}/signing-keys.csv", headers=bearer("sponsor_administrator"))
    assert answer.text == ",".join(columns.SIGNING_KEYS) + "\r\n"


def test_who_sees_less_has_the_same_columns(marks: TestClient) -> None:
    """Opened and sealed, of the same field, the header is the same: it tells nobody that there is a value."""
    field = "blind_guess.recorded/data/guess.csv?purpose=check"
    path = f"{BASE}/participants/{ONE}/history/{field}"
    answers = [marks.get(path, headers=bearer(who)) for who in ("unblinded_statistician", "auditor")]
    assert [MARKS["treatment"] in answer.text for answer in answers] == [True, False]
    headers = [answer.text.splitlines()[0] for answer in answers]
    assert headers[0] == headers[1] == ",".join(columns.HISTORY)
