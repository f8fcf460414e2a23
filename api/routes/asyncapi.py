"""The AsyncAPI document, for whoever builds on the stream."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from api.asyncapi import document
from api.call import Call
from api.operations import Operation

CACHE: Final = {"Cache-Control": "public, max-age=3600"}
_DOCUMENT: Final = {200: "the AsyncAPI 3 document"}


def asyncapi(call: Call) -> Response:
    """Answer the AsyncAPI document."""
    return Response(document(), headers=CACHE, media_type="application/json")


OPERATIONS: Final = (
    Operation(
        name="asyncapi",
        method="GET",
        path="/asyncapi.json",
        summary="The AsyncAPI document of the stream",
        handler=asyncapi,
        answers=_DOCUMENT,
        in_study=False,
    ),
    Operation(
        name="study-asyncapi",
        method="GET",
        path="/asyncapi.json",
        summary="The AsyncAPI document of the stream",
        handler=asyncapi,
        answers=_DOCUMENT,
    ),
)
