"""What a submission must fulfil at the door, besides authority and the finding of rules.

Its disclosures open to what it signed, it is for this log and stands in its place there, the bytes that it
names are kept, and no rule that was found broken refuses it: a gate is refused for the first rule that
refuses or holds, a fact for rules of form alone (catalogue R6). Each function returns, or raises what the
client is told.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from ledger.actions.registry import Action, spec
from ledger.actions.registry import Effect as Kind
from ledger.attachments import attachments
from ledger.batch import Opening
from ledger.chain import Chain, RootAt
from ledger.conduct import Effect, Violation
from ledger.entry import Entry
from ledger.errors import ConflictError, FormatError, RefusedError
from ledger.note import format_vkey
from ledger.policy import TrustPolicy, parse_policy
from ledger.problem import Problem
from ledger.rules.codes import codes
from ledger.sealing import check_disclosure
from ledger.service import LogSigners
from ledger.statement import Statement
from ledger.store.port import Reads
from ledger.submission import Submission

SHA256_MEMBER: Final = b'"sha256":'
TARGET: Final = "target"
STALE: Final = frozenset({"SEQ", "PREV"})
TAGS: Final = frozenset({"TAG", "TWO_TAGS"})


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


def openings_of(submission: Submission, find: Callable[[str], Entry | None]) -> list[Opening]:
    """Return what is to be sealed, each value in the scope that its path has for the type (§7).

    Raises:
        FormatError: `SEALED_PATHS`.
        RefusedError: `REFERENCE`, for a correction of what the log does not have.
    """
    statement = submission.statement
    known = spec(statement.type, statement.schema)
    openings = []
    for path, disclosure in submission.disclosures.items():
        scope = known.scope_at(path)
        if scope == TARGET:
            target = find(statement.data["statement"])
            if target is None:
                raise RefusedError("REFERENCE", codes()["REFERENCE"].text, field="/data/statement")
            corrected, scope = target.statement, None
            if corrected is not None:
                scope = spec(corrected.type, corrected.schema).scope_at(statement.data["path"])
        if scope is None:
            raise FormatError("SEALED_PATHS", "expected a sealed path of the corrected statement")
        openings.append(
            Opening(
                event=statement.event,
                path=path,
                scope=scope,
                stream=statement.stream,
                disclosure=disclosure,
            )
        )
    return openings


def check_log(statement: Statement, origin: str, signers: LogSigners) -> None:
    """Require the log that this ledger is, and at its opening the log keys that it signs with (§5)."""
    if statement.log != origin:
        raise RefusedError("LOG", "the statement belongs to another log", field="/log")
    if statement.type != "ledger.opened":
        return
    own = [format_vkey(key) for key in signers.verifier_keys]
    if sorted(statement.data["log_keys"]) != sorted(own):
        raise RefusedError("LOG_KEYS", "expected the keys of this log", field="/data/log_keys")


def check_chain(chain: Chain, entry: Entry, root_at: RootAt) -> None:
    """Refuse a wrong place, and tell who signed against an older head to sign again."""
    problems = chain.check(entry, root_at)
    if not problems:
        return
    stale = next((problem for problem in problems if problem.code in STALE), None)
    tag = next((problem for problem in problems if problem.code in TAGS), None)
    begun = tag is not None and tag.code == "TWO_TAGS" and entry.leaf.stream not in chain.heads
    if begun and stale is None:
        stale, tag = tag, None  # the stream was begun by another process, whose salt it has
    if stale is not None and tag is None:
        raise ConflictError("STALE", stale.message, field=stale.field)
    raise_first(problems)


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
    """Refuse a policy of witnesses that can't be read, or whose quorum nobody can be asked for (§5)."""
    policy = witness_policy(statement)
    if policy and policy.quorum and any(each.url is None for each in policy.witnesses):
        raise RefusedError(
            "WITNESS_POLICY", "expected the address of every witness", field="/data/witness_policy"
        )


def witness_policy(statement: Statement) -> TrustPolicy | None:
    """Return the policy of witnesses that a statement brings in.

    Raises:
        RefusedError: `WITNESS_POLICY`.
    """
    text = statement.data.get("witness_policy") if statement.type == "policy.changed" else None
    if not isinstance(text, str):
        return None
    try:
        return parse_policy(text.encode())
    except FormatError as error:
        raise RefusedError("WITNESS_POLICY", error.message, field="/data/witness_policy") from error


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
