"""Requests that nobody thought of, made from the OpenAPI document by schemathesis, as several roles.

    python -m tests.fuzz_http [examples] [role...]        # make fuzz-http: figures, and 1 on a failure

A real server answers on a port of its own in front of the marked ledger (`tests.api.marked_ledger`). Every
check of schemathesis is on, in its phases of examples, coverage, random data and stateful sequences: no 5xx
but the declared ones, no status, media type, header or body that the document does not have, no method that
it does not name, authentication that is asked for and not ignored. Beside them two of ours: a status is
declared by its number, and no answer has a mark of a matter that the role does not see, in plain or base64,
in headers or body.
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import schemathesis
import structlog
import uvicorn
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import Failure
from schemathesis.engine import events, from_schema
from schemathesis.openapi.checks import RejectedPositiveData

from tests.api.marked_ledger import ONE, application, marked, marks_in, sees
from tests.ledger.small_ledger import SITE, SmallLedger

ROLES: Final = ("investigator", "blinded_monitor", "data_manager")
LONG: Final = 60
SEED: Final = 20_240_603
FORM: Final = frozenset({"QUERY", "BODY", "CONTENT_TYPE"})
"""Codes of what a request looks like: one that fits the document is never refused by these.

Not so `JSON`, whose restrictions hold for every body and stand in the document's description, and not `until`
of a stream that never ends, nor an `after` below 0 in a log that goes on from no other, nor the parts of a
signature, which follow from the algorithm that the payload names."""
EXISTING: Final[Mapping[str, Sequence[str]]] = {
    "participant": (ONE, ONE, f"{SITE}-999"),
    "event": ("139", "136", "140", "141", "144", "145", "3", "999999"),
    "field": ("blind_guess.recorded/data/guess", "vital_signs.recorded/data/measurements", "x"),
    "tile": ("000.p/1", "x000/000", "000"),
    "file": ("docs.js", "x"),
}
"""Values of path parameters that lead somewhere, and some that don't, taken in turn."""


@schemathesis.serializer("application/zip", "application/jsonl", "application/octet-stream")
def as_bytes(_: Any, value: Any) -> Any:
    """Send a body as it is: these media types have no form that a schema could tell."""
    return value if isinstance(value, bytes) else str(value).encode()


@dataclass(slots=True, kw_only=True)
class Figures:
    """What a run came to: cases and checks made, statuses answered, failures by what they say."""

    role: str
    cases: int = 0
    checks: int = 0
    seconds: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    failures: dict[str, str] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        statuses = " ".join(f"{status}:{count}" for status, count in sorted(self.statuses.items()))
        return (
            f"{self.role}: {self.cases} cases, {self.checks} checks, {len(self.failures)} failures, "
            f"{len(self.errors)} errors in {self.seconds:.0f} s; {statuses}"
        )


@contextmanager
def server(directory: Path) -> Iterator[str]:
    """Serve a marked ledger of its own on a free port; yield its address."""
    made = marked(directory / "ledger")
    made.publish()
    try:
        with serving(made) as address:
            yield address
    finally:
        made.ledger.close()


@contextmanager
def serving(made: SmallLedger) -> Iterator[str]:
    """Serve a marked ledger on a free port; yield its address."""
    config = uvicorn.Config(application(made), port=0, log_level="critical", access_log=False, lifespan="on")
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run, name="fuzzed")
    thread.start()
    while not running.started:
        time.sleep(0.01)  # the server has no event to wait for
    port = running.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        running.should_exit = True
        running.force_exit = True
        thread.join()


def fuzz(
    address: str, role: str, examples: int, sequences: int, *, coverage: bool = True, names: str = ""
) -> Figures:
    """Run the phases as a role: so many examples for each operation, so many sequences of requests.

    `coverage` is the phase of boundary values, most of the cases; `names` a pattern of operations, for all of
    them where it is empty.
    """
    open_to = sees(role)
    figures = Figures(role=role)

    def no_mark(_: Any, response: Any, case: Any) -> None:
        headers = "\n".join(f"{name}: {value}" for name, value in response.headers.items())
        leaked = marks_in(headers.encode() + bytes(response.content or b"")) - open_to
        if leaked:
            raise Failure(
                operation=case.operation.label, title="a mark leaked", message=", ".join(sorted(leaked))
            )

    def declared(_: Any, response: Any, case: Any) -> None:
        status = str(response.status_code)
        if case.method.upper() in case.operation.method.upper() and status not in _statuses(case):
            raise Failure(operation=case.operation.label, title="a status is not declared", message=status)

    config = SchemathesisConfig.from_dict(
        {
            "seed": SEED,
            "base-url": address,
            "headers": {"Authorization": f"Bearer {role}"},
            "continue-on-failure": True,
            "request-timeout": 4,
            "max-stream-events": 3,
            "checks": {"enabled": True},
            "generation": {"max-examples": examples, "mode": "all"},
            "parameters": {"study": "small"},
            "phases": {
                "coverage": {"enabled": coverage},
                "stateful": {
                    "enabled": sequences > 0,
                    "max-steps": 6,
                    "generation": {"max-examples": max(1, sequences)},
                },
            },
        }
    )
    for check in (no_mark, declared):
        schemathesis.check(check)
    try:
        schema = schemathesis.openapi.from_url(f"{address}/openapi.json", config=config)
        _lead_somewhere(schema)
        if names:
            schema = schema.include(operation_id_regex=names)
        began = time.perf_counter()
        for event in from_schema(schema).execute():
            _count(event, figures)
        figures.seconds = time.perf_counter() - began
    finally:
        for name in ("no_mark", "declared"):
            schemathesis.checks.CHECKS.unregister(name)
    return figures


def _statuses(case: Any) -> frozenset[str]:
    """Return the statuses that an operation declares by name; `default` would be all of them."""
    return frozenset(case.operation.definition.raw["responses"]) - {"default"}


def _lead_somewhere(schema: Any) -> None:
    turn = Counter[str]()

    @schema.hook
    def map_path_parameters(_: Any, parameters: Any) -> Any:
        for name in (parameters or {}).keys() & EXISTING.keys():
            turn[name] += 1
            if turn[name] % 5:
                values = EXISTING[name]
                parameters[name] = values[turn[name] % len(values)]
        return parameters

    @schema.hook
    def map_query(context: Any, query: Any) -> Any:
        """Ask for the newest, and for what is sealed, where nothing else is said: there the marks are."""
        turn["query"] += 1
        known = {each.name for each in context.operation.query}
        if turn["query"] % 2 and isinstance(query, dict | None):
            wanted = {"purpose": "check", "order": "newest"}
            query = {name: value for name, value in wanted.items() if name in known} | (query or {})
        return query

    @schema.hook
    def filter_failure(_: Any, failure: Failure, case: Any, response: Any) -> bool:
        """Keep a failure, but one for being refused by what it says: a schema tells the form alone."""
        if not isinstance(failure, RejectedPositiveData) or response.status_code not in (400, 422):
            return True
        if str((case.query or {}).get("after", "")).startswith("-"):
            return False
        if response.headers.get("content-type", [""])[0].startswith("text/html"):
            return any(f"<dd>{code}</dd>" in response.text for code in FORM)
        problem = response.json()
        field = str(problem.get("field"))
        return problem.get("code") in FORM and field != "until" and not field.startswith("/signatures/")


def _count(event: Any, figures: Figures) -> None:
    if isinstance(event, events.NonFatalError):
        figures.errors.append(
            f"{event.label}: {event.info.message}" if hasattr(event, "info") else str(event)
        )
    if not isinstance(event, events.ScenarioFinished):
        return
    figures.cases += len(event.recorder.cases)
    for interaction in event.recorder.interactions.values():
        if interaction.response is not None:
            figures.statuses[interaction.response.status_code] += 1
    for nodes in event.recorder.checks.values():
        figures.checks += len(nodes)
        for node in nodes:
            if node.failure_info is not None:
                failure = node.failure_info.failure
                name = f"{event.recorder.label}: {node.name}: {failure.title}"
                detail = f"{failure.message}\n{node.failure_info.code_sample}"
                figures.failures.setdefault(f"{name}: {failure.message[:200]}", detail)


def silent(_: Any, __: str, line: Any) -> Any:
    """Keep the line of the log that says where the service failed."""
    if line["event"] != "unforeseen":
        raise structlog.DropEvent
    return str(line)


def main(arguments: Sequence[str]) -> int:
    """Run as each role; print figures and every failure once."""
    structlog.configure(processors=[silent])
    examples = int(arguments[0]) if arguments else LONG
    failed = False
    with tempfile.TemporaryDirectory(prefix="trial-ledger-") as directory, server(Path(directory)) as address:
        for role in arguments[1:] or ROLES:
            figures = fuzz(address, role, examples, sequences=examples)
            print(figures, flush=True)
            for name, detail in figures.failures.items():
                print(f"- {name}\n{detail}\n", flush=True)
            for error in figures.errors:
                print(f"! {error}", flush=True)
            failed = failed or bool(figures.failures or figures.errors)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
