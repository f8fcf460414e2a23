"""What stands at the root, and at a study's own address: what this is, and where people and programs go on.

At the root no study is named to strangers; who was invited to one has its address. Nothing of a log is shown,
so both are open to anybody.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import orjson
from starlette.responses import Response

from api.answers import JSON, head_header
from api.call import Call
from api.cells import attribute, escape
from api.operations import BASE, Operation
from api.pages import CONTENT_SECURITY_POLICY, HTML, base_of, shell
from api.problem_page import wants_page


class Way(NamedTuple):
    """Where it goes on: the link's name, its address, its label for people, and what stands there."""

    name: str
    path: str
    label: str
    text: str


SERVICE: Final = (
    Way("docs", "/docs", "The interface", "Every request that there is, to be read and tried."),
    Way("openapi", "/openapi.json", "OpenAPI", "The same for programs."),
    Way("asyncapi", "/asyncapi.json", "AsyncAPI", "The stream of events, webhooks and JetStream."),
    Way("catalogue", "/catalogue", "Catalogue", "Every action of a trial, with its rules."),
    Way("readyz", "/readyz", "Readiness", "Whether every study can be read and written to."),
)
STUDY: Final = (
    Way("pages", "/pages", "Log in and read", "Participants, audit trail, and every question as a page."),
    Way("participants", "/participants", "Participants", "The list, after logging in."),
    Way("audit_trail", "/audit-trail", "Audit trail", "Who did what, when and why, after logging in."),
    Way("authorization", "/authorization", "Authorization", "Which role may do what, after logging in."),
    Way("checkpoint", "/checkpoint", "Checkpoint", "The newest signed head of the log, to keep and compare."),
    Way("stream", "/stream", "Stream", "Every event in order, for programs that bring a token."),
    *(way for way in SERVICE if way.name != "readyz"),
    Way("readyz", "/readyz", "Readiness", "Whether this study can be read and written to."),
)
_WHAT: Final = (
    "trial-ledger keeps what was done to the participants of a clinical trial: each action signed by the "
    "person who did it, in a log that nobody can change unseen."
)
_ROOT_LEAD: Final = (
    "Each study has an address of its own here, /v1/studies/ and its id; whoever invited you has told you."
)


def start(call: Call) -> Response:
    """Answer what this service is, and where its documents are."""
    links = {way.name: way.path for way in SERVICE} | {"study": BASE}
    if not wants_page(call.request):
        return _answer({"service": "trial-ledger", "links": links})
    return _page("A ledger of clinical trials", _ROOT_LEAD, "", SERVICE)


def study_start(call: Call) -> Response:
    """Answer where a study's pages, proofs and documents are."""
    base, study = base_of(call), call.study.config.study
    head = head_header(call.study.ledger.store.head())
    if not wants_page(call.request):
        links = {way.name: base + way.path for way in STUDY}
        return _answer({"service": "trial-ledger", "study": study, "links": links}, head)
    return _page(f"Study {study}", "Where to go on from here.", base, STUDY, study, head)


def _answer(value: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(value), headers={"Vary": "Accept", **(headers or {})}, media_type=JSON)


def _page(
    title: str,
    lead: str,
    base: str,
    ways: Sequence[Way],
    study: str | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    # A person goes to the page of what has one.
    suffix = {"participants": ".html", "audit_trail": ".html"}
    items = "".join(
        f'<li><a href="{attribute(base + way.path + suffix.get(way.name, ""))}">{escape(way.label)}</a>'
        f'<span class="aside">{escape(way.text)}</span></li>'
        for way in ways
    )
    body = f'<section class="card"><p>{escape(_WHAT)}</p><ul class="questions">{items}</ul></section>'
    links = [(f"{base}/pages", "Log in")] if study is not None else [("/docs", "The interface")]
    text = shell(title, lead, body, links, study=study)
    sent = {"Vary": "Accept", "Content-Security-Policy": CONTENT_SECURITY_POLICY, **(headers or {})}
    return Response(text, headers=sent, media_type=HTML)


_ANSWERS: Final = {200: "links to documents and pages; a page where Accept names text/html"}

OPERATIONS: Final = (
    Operation(
        name="start",
        method="GET",
        path="/",
        summary="What this service is, and where to go on",
        handler=start,
        answers=_ANSWERS,
        in_study=False,
    ),
    Operation(
        name="study-start",
        method="GET",
        path="",
        summary="Where a study's pages, proofs and documents are",
        handler=study_start,
        answers=_ANSWERS,
    ),
)
