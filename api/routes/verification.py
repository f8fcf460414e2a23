"""Judge an uploaded bundle, for those who have nothing else at hand.

The verifier is the offline one, and the policy is this server's own: that is convenient and is no evidence,
which the answer says. Evidence is the same verdict on a machine of one's own, with a policy that did not come
from here.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
from pathlib import Path
from typing import Any, Final

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api.answers import answer
from api.body import ZIP, check_content_type, save_body
from api.call import Call
from api.operations import SCOPE, Operation, Parameter
from api.problems import ProblemError
from ledger.committer import Ledger
from ledger.roles import ROLES
from ledger.trust import trust_policy
from ledger.verify.judge import verify
from ledger.verify.options import Options, Scope, parse_scope
from ledger.verify.report import as_json

MAX_BUNDLE_BYTES: Final = 256 * 1024 * 1024
CAUTION: Final = (
    "Judged by the server that is to be checked, under its own trust policy: a convenience, not evidence. "
    "Verify on your own machine, with the project's release and a policy that you obtained elsewhere."
)

_LEDGER_ID = re.compile(r"[0-9a-f]{64}")


async def judge_bundle(call: Call) -> Response:
    """Judge a bundle, whatever it holds; the verdict is the answer and never an error."""
    check_content_type(call.request, ZIP)
    scope = parse_scope(call.query.get("scope", "study"))
    role = call.query.get("role", "auditor")
    if role not in ROLES:
        raise ProblemError("QUERY", 400, field="role")
    ledger_id = call.query.get("ledger_id")
    if ledger_id is not None and _LEDGER_ID.fullmatch(ledger_id) is None:
        raise ProblemError("QUERY", 400, field="ledger_id")
    study = call.study
    loop = asyncio.get_running_loop()
    with tempfile.TemporaryDirectory(prefix="trial-ledger-") as directory:
        bundle = Path(directory) / "bundle.zip"
        await save_body(call.request, bundle, MAX_BUNDLE_BYTES)
        value = await loop.run_in_executor(study.judges, _judge, study.ledger, bundle, scope, role, ledger_id)
    head = await run_in_threadpool(study.ledger.store.head)
    return answer(call, value, head)


def _judge(ledger: Ledger, bundle: Path, scope: Scope, role: str, ledger_id: str | None) -> dict[str, Any]:
    policy = trust_policy(ledger)
    report = verify(
        bundle,
        Options(
            policy=policy,
            ledger_id=ledger_id or policy.ledger_id,
            scope=scope,
            role=role,
            previous=None,
            outbox=None,
            strict_conduct=False,
            classical=False,
            post_quantum=False,
            workers=1,
        ),
    )
    return {"caution": CAUTION, **orjson.loads(as_json(report))}


OPERATIONS: Final = (
    Operation(
        name="verify",
        method="POST",
        path="/verify",
        summary="Judge an uploaded export bundle under this server's own policy",
        text=CAUTION,
        handler=judge_bundle,
        parameters=(
            Parameter(name="scope", text="study (default), site:S or participant:P", schema=SCOPE),
            Parameter(
                name="role",
                text="the role that the bundle was made for; default auditor",
                schema={"type": "string", "enum": sorted(ROLES)},
            ),
            Parameter(
                name="ledger_id",
                text="leaf hash of index 0, where it is not this ledger's",
                schema={"type": "string", "pattern": "^[0-9a-f]{64}$"},
            ),
        ),
        body=(ZIP, {"type": "string", "format": "binary"}),
        answers={200: "the three verdicts and every finding, whatever they are"},
    ),
)
