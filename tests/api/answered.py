"""Every answer that a test gets over HTTP is held to the shape that the OpenAPI document gives it.

Not a test beside the others: whatever they ask for, in whichever state of a ledger, is compared. A route
without a shape is in `FREE`, with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest
from starlette.testclient import TestClient

from api.app import OPERATIONS
from api.openapi_answers import ANSWERS
from api.operations import BASE, Operation
from tests.api.shapes import told

FREE: Final = {
    "attachment": "the bytes that were handed in, in their own media type",
    "certified-copy": "a PDF or a zip",
    "participant-copy": "a PDF or a zip",
    "export": "a zip",
    "entries": "tiles are bytes",
    "leaf-tile": "tiles are bytes",
    "tile": "tiles are bytes",
    "docs-file": "a file of the documentation's pages",
    "page-file": "a file of the pages",
    "stream": "JSON lines, described in the AsyncAPI document",
    "record-batch": "JSON lines, each as `record` answers, with its status",
    "metrics": "text of Prometheus",
    "docs": "a page",
    "study-docs": "a page",
    "pages": "a page",
    "log-out": "no content",
    "change-password": "no content",
}
"""Operations whose answers have no shape in JSON."""


def _places() -> list[tuple[Operation, re.Pattern[str]]]:
    found = []
    for operation in OPERATIONS:
        path = re.sub(r"\\\{[a-z0-9_]+(?::path)?\\\}", "[^/]+", re.escape(operation.path))
        base = re.sub(r"\\\{[a-z_]+\\\}", "[^/]+", re.escape(BASE)) if operation.in_study else ""
        found.append((operation, re.compile(rf"{base}{path}(?:\.json)?")))
    return found


_PLACES: Final = _places()


def wrong(method: str, path: str, status: int, value: Any) -> list[str]:
    """Return what of a JSON answer is not as the document says; of an address without a shape nothing."""
    for operation, address in _PLACES:
        if operation.method == method and address.fullmatch(path):
            if status not in operation.answers:
                return [f"{status} is not documented"]
            names = ANSWERS.get(operation.name, {}).get(status)
            if names is None:
                return []
            shapes = [
                {"$ref": f"#/components/schemas/{name}"}
                for name in ([names] if isinstance(names, str) else names)
            ]
            tries = [told(shape, value) for shape in shapes]
            return [] if [] in tries else tries[0]
    return []


@contextmanager
def held_to_their_shapes() -> Iterator[None]:
    """Compare every JSON answer of a test client that succeeded."""
    request = TestClient.request

    def compared(client: TestClient, method: str, url: Any, *args: Any, **more: Any) -> Any:
        answer = request(client, method, url, *args, **more)
        kind = answer.headers.get("content-type", "")
        if answer.is_success and answer.content and kind.partition(";")[0] == "application/json":
            found = wrong(method.upper(), answer.url.path, answer.status_code, answer.json())
            assert not found, f"{method} {answer.url.path} {answer.status_code}: {found[:5]}"
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TestClient, "request", compared)
        yield
