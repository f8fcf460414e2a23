"""A certified copy has, in every form, exactly the kinds of matter that the role of who asks sees."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from tests.api.client import BASE, bearer
from tests.api.marked_ledger import marked, marks_in, sees, served
from tests.projections.copying import document_key


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A client of the marked ledger, whose service has a key of documents."""
    made = marked(tmp_path_factory.mktemp("marked") / "ledger")
    made.publish()
    documents = document_key(tmp_path_factory.mktemp("keys"))
    with served(made) as client:
        client.app.state.studies["small"].documents = documents  # type: ignore[attr-defined]
        yield client
    made.ledger.close()


@pytest.mark.parametrize("role", ["coordinator", "on_call_unblinding", "unblinded_pharmacist"])
def test_a_copy_has_what_its_role_sees_and_nothing_else(http: TestClient, role: str) -> None:
    """Bundle, ODM, listing and page: the marks found are exactly the catalogue's for the role."""
    answer = http.get(f"{BASE}/certified-copy.zip?purpose=check", headers=bearer(role))
    assert answer.status_code == 200, answer.text
    assert marks_in(answer.content) == sees(role)
    with zipfile.ZipFile(io.BytesIO(answer.content)) as package:
        for name in package.namelist():
            assert marks_in(package.read(name)) <= sees(role), name
