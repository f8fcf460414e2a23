"""What a submission must fulfil at the door, besides authority, linkage and the finding of rules.

Its disclosures open to what it signed, the bytes that it names are there, and no rule that was found broken
refuses it: a gate is refused for the first rule that refuses or holds, a fact for rules of form alone
(catalogue R6). Each function returns, or raises what the client is told.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from ledger.actions.registry import Action
from ledger.actions.registry import Effect as Kind
from ledger.attachments import attachments
from ledger.conduct import Effect, Violation
from ledger.errors import FormatError, RefusedError
from ledger.policy import parse_policy
from ledger.problem import Problem
from ledger.rules.codes import codes
from ledger.sealing import check_disclosure
from ledger.statement import Statement
from ledger.store.port import Reads
from ledger.submission import Submission

SHA256_MEMBER: Final = b'"sha256":'


def open_disclosures(submission: Submission) -> dict[str, Any]:
    """Open the disclosures, which are exactly the sealed paths, and check each against its digest."""
    statement = submission.statement
    if submission.disclosures.keys() != statement.sealed.keys():
        raise FormatError("DISCLOSURES", "expected exactly the sealed paths", field="/disclosures")
    return {
        path: check_disclosure(
            disclosure, statement_id=statement.id, path=path, expected=statement.sealed[path]
        )
        for path, disclosure in submission.disclosures.items()
    }


def raise_first(problems: Sequence[Problem]) -> None:
    """Refuse for the first problem, if there is one."""
    if problems:
        first = problems[0]
        raise RefusedError(first.code, first.message, field=first.field)


def raise_refusing(action: Action, violations: Sequence[Violation]) -> None:
    """Refuse a gate for the first rule that refuses or holds, and anything for one of form (R6)."""
    outside = getattr(action, "performed_outside", None) is not None
    if action.spec.effect is Kind.GATE and not outside:
        for violation in violations:
            if violation.effect is not Effect.FLAG:
                raise _refused(violation)
    raise_form(violations)


def raise_form(violations: Sequence[Violation]) -> None:
    """Refuse what breaks a rule of form, be it a fact of the service (R6)."""
    for violation in violations:
        if violation.effect is Effect.FORM:
            raise _refused(violation)


def _refused(violation: Violation) -> RefusedError:
    return RefusedError(violation.rule, violation.hint or codes()[violation.rule].text)


def check_witnesses(statement: Statement) -> None:
    """Refuse a policy whose quorum could not be met: this version asks no witness before a receipt (§5)."""
    text = statement.data.get("witness_policy")
    if statement.type != "policy.changed" or text is None:
        return
    try:
        asks = parse_policy(text.encode()).quorum is not None
    except FormatError as error:
        raise RefusedError("WITNESS_POLICY", error.message, field="/data/witness_policy") from error
    if asks:
        raise RefusedError(
            "WITNESS_POLICY", "this version can't ask witnesses for a quorum", field="/data/witness_policy"
        )


def check_attachments(reads: Reads, statement: Statement) -> None:
    """Require the bytes of every attachment that data names to be kept already (§4)."""
    if SHA256_MEMBER not in statement.body:
        return  # canonical bytes show the name of every member, and most statements have none of this name
    for name in attachments(statement.data):
        kept = reads.attachment(name["sha256"])
        if kept is None:
            raise RefusedError("ATTACHMENT_MISSING", "hand in the attachment's bytes first", field="/data")
        if len(kept.data) != name["size"] or kept.media_type != name["media_type"]:
            raise RefusedError("ATTACHMENT", "size or media type is not the attachment's", field="/data")
