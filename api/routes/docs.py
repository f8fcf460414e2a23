"""The OpenAPI document, and its pages: self-hosted, under a strict policy, nothing from elsewhere."""

from __future__ import annotations

from importlib.resources import files
from typing import Final

from starlette.responses import Response

from api.call import Call
from api.operations import Operation, path
from api.problems import ProblemError

CACHE: Final = {"Cache-Control": "public, max-age=3600"}
CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
PAGE: Final = "docs.html"
FILES: Final = {
    "docs.css": "text/css; charset=utf-8",
    "docs.js": "text/javascript; charset=utf-8",
    "swagger-ui.css": "text/css; charset=utf-8",
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
}


def openapi(call: Call) -> Response:
    """Answer the OpenAPI document, made once when the service starts."""
    return Response(call.request.app.state.openapi, headers=CACHE, media_type="application/json")


def docs(call: Call) -> Response:
    """Answer the page that shows the OpenAPI document."""
    headers = {**CACHE, "Content-Security-Policy": CONTENT_SECURITY_POLICY}
    return Response(_read(PAGE), headers=headers, media_type="text/html; charset=utf-8")


def docs_file(call: Call) -> Response:
    """Answer a script or a style sheet of the page."""
    name = call.path("file")
    media_type = FILES.get(name)
    if media_type is None:
        raise ProblemError("NOT_FOUND", 404)
    return Response(_read(name), headers=CACHE, media_type=media_type)


def _read(name: str) -> bytes:
    web = files("api") / "web"
    place = web / name
    return (place if place.is_file() else web / "swagger-ui" / name).read_bytes()


_DOCUMENT: Final = {200: "the OpenAPI 3.1 document"}
_PAGE: Final = {200: "the page"}

OPERATIONS: Final = (
    Operation(
        name="openapi",
        method="GET",
        path="/openapi.json",
        summary="This document",
        handler=openapi,
        answers=_DOCUMENT,
        in_study=False,
    ),
    Operation(
        name="study-openapi",
        method="GET",
        path="/openapi.json",
        summary="This document",
        handler=openapi,
        answers=_DOCUMENT,
    ),
    Operation(
        name="docs",
        method="GET",
        path="/docs",
        summary="This document as a page",
        handler=docs,
        media="text/html",
        answers=_PAGE,
        in_study=False,
    ),
    Operation(
        name="study-docs",
        method="GET",
        path="/docs",
        summary="This document as a page",
        handler=docs,
        media="text/html",
        answers=_PAGE,
    ),
    Operation(
        name="docs-file",
        method="GET",
        path="/docs/{file}",
        summary="A script or a style sheet of the page",
        handler=docs_file,
        parameters=(path("file", "name of the file"),),
        media="text/javascript",
        answers={200: "the file", 404: "no such file"},
        in_study=False,
    ),
)
