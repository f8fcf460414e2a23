"""The application: every declared operation under FastAPI's routing, and one way out for every error.

`create_app` is the only place where it is put together, and opens nothing: ledgers are handed in open, and
whoever opened them closes them. FastAPI's own parsing, documents and telemetry are not used: it would echo
input, accept what the record format refuses, and write paths into spans.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from functools import partial
from typing import Any, Final, cast

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from api.answers import LEDGER_HEAD, SecurityHeaders, continues_header, head_header
from api.auth import PERMITTED
from api.call import Call, enter
from api.head_requests import NEVER as WITHOUT_HEAD
from api.head_requests import HeadRequests, is_head
from api.limits import Admission
from api.logs import place_of
from api.metrics import Metrics
from api.openapi import document
from api.operating import PLAIN, Operating
from api.operations import BASE, Operation
from api.problem_page import answered
from api.problems import ProblemError
from api.routes import (
    actions,
    asyncapi,
    authorization,
    catalogue,
    copies,
    docs,
    dossier,
    health,
    pages,
    participants,
    places,
    prompting,
    questions,
    recording,
    regimen,
    scopes,
    sessions,
    signing_pages,
    start,
    stream,
    trail,
    transparency,
    verification,
    webhooks,
)
from api.signing_host import SigningOrigins
from api.study import OpenStudy, ServedStudy
from api.telemetry import telemetry
from api.titles import TITLES
from api.watching import Watch
from ledger.errors import FormatError, LedgerError, StoreError
from projections.authorization import ANYBODY

OPERATIONS: Final[tuple[Operation, ...]] = (
    *sessions.OPERATIONS,
    *recording.OPERATIONS,
    *prompting.OPERATIONS,
    *actions.OPERATIONS,
    *signing_pages.OPERATIONS,
    *places.OPERATIONS,
    *regimen.OPERATIONS,
    *copies.OPERATIONS,  # before a participant, whose id may have a dot
    *scopes.OPERATIONS,
    *participants.OPERATIONS,
    *trail.OPERATIONS,
    *questions.OPERATIONS,
    *dossier.OPERATIONS,
    *transparency.OPERATIONS,
    *stream.OPERATIONS,
    *verification.OPERATIONS,
    *catalogue.OPERATIONS,
    *health.OPERATIONS,
    *docs.OPERATIONS,
    *pages.OPERATIONS,
    *start.OPERATIONS,
    *asyncapi.OPERATIONS,
    *webhooks.OPERATIONS,
    *authorization.OPERATIONS,
)

_OF_STUDY: Final = re.compile(BASE.replace("{study}", "(?P<study>[^/]+)") + "(?:/|$)")
_HTTP_CODES: Final = {404: "NOT_FOUND", 405: "METHOD"}

_log = structlog.get_logger("api")

Endpoint = Callable[[Request], Any]


def create_app(studies: Sequence[OpenStudy], operating: Operating = PLAIN) -> FastAPI:
    """Put the application together for studies whose ledgers are open.

    Args:
        studies: each is served under its own id.
        operating: limits, who reads metrics, telemetry; without it nobody is limited.

    Raises:
        FormatError: `STUDY` when two ledgers are of the same study.
    """
    by_id = {study.config.study: study for study in studies}
    if len(by_id) != len(studies):
        raise FormatError("STUDY", "two of the ledgers are of the same study: they need a service each")
    app = FastAPI(
        title="trial-ledger",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        lifespan=_lifespan(by_id),
        telemetry=cast(Any, telemetry(operating.telemetry)),
    )
    app.state.studies = {}
    app.state.operating = operating
    app.state.admission = Admission(operating.limits)
    app.state.metrics = Metrics(lambda: app.state.studies, app.state.admission, operating.lines)
    app.state.operations = OPERATIONS
    app.state.openapi = document(OPERATIONS)
    for operation in OPERATIONS:
        _route(app, operation)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(RequestValidationError, _on_validation)
    app.add_middleware(cast(Any, Watch), metrics=app.state.metrics, admission=app.state.admission)
    app.add_middleware(cast(Any, SecurityHeaders))
    app.add_middleware(cast(Any, SigningOrigins), origins_of=lambda path: _signing_origins(by_id, path))
    app.add_middleware(cast(Any, HeadRequests))
    return app


def _signing_origins(studies: Mapping[str, OpenStudy], path: str) -> tuple[str, ...]:
    """Return the origins of the signing pages of the study in an address."""
    study = studies.get(path.removeprefix(BASE.format(study="")).partition("/")[0])
    signing = study.config.signing if study is not None else None
    return signing.origins if signing is not None else ()


def drain(app: FastAPI) -> None:
    """Let every stream of the application end; called on its event loop."""
    for study in app.state.studies.values():
        study.drain()


def _lifespan(
    studies: Mapping[str, OpenStudy],
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        served = {name: ServedStudy(study, BASE.format(study=name)) for name, study in studies.items()}
        app.state.studies = served
        for name, study in served.items():
            study.ledger.observe = partial(app.state.metrics.committed, name)
            study.start()
        try:
            yield
        finally:
            for study in served.values():
                await study.stop()

    return lifespan


def _route(app: FastAPI, operation: Operation) -> None:
    """Add an operation, its twins first: an id may have a dot, and the longer address is meant."""
    for twin in (*operation.twins, None):
        app.add_api_route(
            operation.address + (f".{twin}" if twin else ""),
            _endpoint(operation, twin),
            methods=[operation.method],
            name=operation.name + (f".{twin}" if twin else ""),
            response_model=None,
        )


def _endpoint(operation: Operation, twin: str | None) -> Endpoint:
    """Wrap a handler: enter, answer, and turn whatever goes wrong into a problem."""
    handler = operation.handler

    async def endpoint(request: Request) -> Response:
        try:
            request.state.operation = operation.name
            if operation.name in WITHOUT_HEAD and is_head(request):
                request.state.study = request.app.state.studies.get(request.path_params.get("study"))
                raise ProblemError("METHOD", 405, headers={"Allow": ", ".join(_methods(request))})
            admission: Admission = request.app.state.admission
            call = await admission.admit(request, operation.name, partial(_enter, request, operation, twin))
            if call.who is not None:
                request.state.role = call.who.role
            if inspect.iscoroutinefunction(handler):
                response = await cast(Callable[[Call], Awaitable[Response]], handler)(call)
            else:
                response = await run_in_threadpool(cast(Callable[[Call], Response], handler), call)
            if call.served is not None:
                response.headers.update(continues_header(call.served))
            return await _with_head(request, response)
        except LedgerError as error:
            study: ServedStudy | None = getattr(request.state, "study", None)
            if study is not None:
                study.attempts.note(operation.name, error)
            return await _problem(request, error)
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception as error:  # the process edge: what nobody foresaw is told without its text
            place = place_of(error.__traceback__)
            _log.error("unforeseen", operation=operation.name, kind=type(error).__name__, place=place)
            return await _problem(request, ProblemError("INTERNAL", 500))

    return endpoint


async def _enter(request: Request, operation: Operation, twin: str | None) -> Call:
    """Enter beside the event loop where the log is asked who somebody is."""
    brings = "authorization" in request.headers or "cookie" in request.headers
    if PERMITTED[operation.name] is ANYBODY and not brings:
        return enter(request, operation, twin)
    return await run_in_threadpool(enter, request, operation, twin)


async def _problem(request: Request, error: LedgerError) -> Response:
    """Write a problem, with the head of the study that it is about."""
    response = answered(request, error)
    # A rule's code beside its time could tell of a blinded matter, so the log has those of the others alone.
    request.state.code = error.code if error.code in TITLES else "RULE"
    return await _with_head(request, response)


async def _with_head(request: Request, response: Response) -> Response:
    """Have an answer of a study name the head that it was read from, where it does not do so itself."""
    study: ServedStudy | None = getattr(request.state, "study", None)
    if study is not None and LEDGER_HEAD not in response.headers:
        with suppress(StoreError):
            response.headers.update(head_header(await run_in_threadpool(study.ledger.store.head)))
    return response


async def _on_http(request: Request, error: Exception) -> Response:
    """Answer for the framework: no such address, no such method."""
    found = _OF_STUDY.match(request.scope["path"])
    if found is not None:
        request.state.study = request.app.state.studies.get(found["study"])
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = error.headers if isinstance(error, HTTPException) else None
    if status == 405:
        headers = {"Allow": ", ".join(_methods(request))}
    problem = ProblemError(_HTTP_CODES.get(status, "NOT_FOUND"), status, headers=headers)
    return await _with_head(request, answered(request, problem))


def _methods(request: Request) -> list[str]:
    """Return every method that an address has: it may be that of several operations (RFC 9110 §10.2.1)."""
    path = request.scope["path"]
    routes = [route for route in request.app.routes if route.path_regex.fullmatch(path)]
    methods = {method for route in routes for method in route.methods or ()}
    if "GET" in methods and not any(route.name.partition(".")[0] in WITHOUT_HEAD for route in routes):
        methods.add("HEAD")
    return sorted(methods)


async def _on_validation(request: Request, error: Exception) -> Response:
    """Answer without what the framework would echo."""
    return answered(request, ProblemError("QUERY", 400))
